//! The functions that stand before the real module's.
#![allow(non_snake_case, reason = "their names are PKCS#11's")]

use crate::faults::{On, pass};
use crate::{real, rules, token};
use cryptoki_sys::*;
use std::ffi::c_void;
use std::sync::OnceLock;

/// The way in.
///
/// # Safety
/// `list` is a place for a pointer, as PKCS#11 says.
#[unsafe(no_mangle)]
pub(crate) unsafe extern "C" fn C_GetFunctionList(list: *mut *mut CK_FUNCTION_LIST) -> CK_RV {
    static OURS: OnceLock<usize> = OnceLock::new();
    let Some(real) = real::functions() else { return CKR_GENERAL_ERROR };
    let ours = *OURS.get_or_init(|| std::ptr::from_mut(Box::leak(Box::new(replaced(*real)))).expose_provenance());
    // SAFETY: the caller's; the list lives for ever.
    unsafe { list.write(std::ptr::with_exposed_provenance_mut(ours)) };
    CKR_OK
}

unsafe extern "C" fn C_GetSlotList(present: CK_BBOOL, slots: *mut CK_SLOT_ID, count: *mut CK_ULONG) -> CK_RV {
    pass("C_GetSlotList", On::Library, |real| {
        if present == CK_TRUE && rules::read().token_gone {
            // SAFETY: the caller's.
            unsafe { count.write(0) };
            return CKR_OK;
        }
        // SAFETY: the caller's.
        real.C_GetSlotList.map_or(CKR_FUNCTION_NOT_SUPPORTED, |real| unsafe { real(present, slots, count) })
    })
}

unsafe extern "C" fn C_OpenSession(
    slot: CK_SLOT_ID,
    flags: CK_FLAGS,
    application: *mut c_void,
    notify: CK_NOTIFY,
    session: *mut CK_SESSION_HANDLE,
) -> CK_RV {
    pass("C_OpenSession", On::Slot, |real| {
        let Some(open) = real.C_OpenSession else { return CKR_FUNCTION_NOT_SUPPORTED };
        // SAFETY: the caller's; a session was written if the code says so.
        unsafe {
            let code = open(slot, flags, application, notify, session);
            if code == CKR_OK {
                token::opened(*session, slot);
            }
            code
        }
    })
}

macro_rules! on {
    (library, $first:ident) => {
        On::Library
    };
    (slot, $first:ident) => {
        On::Slot
    };
    (session, $first:ident) => {
        On::Session($first)
    };
}

/// Functions that are passed on, and a list in which they stand in for the real ones.
macro_rules! functions {
    ($($name:ident = $on:ident($first:ident: $kind:ty $(, $more:ident: $type:ty)*);)+) => {
        $(unsafe extern "C" fn $name($first: $kind $(, $more: $type)*) -> CK_RV {
            pass(stringify!($name), on!($on, $first), |real| match real.$name {
                // SAFETY: the caller's.
                Some(function) => unsafe { function($first $(, $more)*) },
                None => CKR_FUNCTION_NOT_SUPPORTED,
            })
        })+

        fn replaced(mut list: CK_FUNCTION_LIST) -> CK_FUNCTION_LIST {
            list.C_GetFunctionList = Some(C_GetFunctionList);
            list.C_GetSlotList = Some(C_GetSlotList);
            list.C_OpenSession = Some(C_OpenSession);
            $(list.$name = Some($name);)+
            list
        }
    };
}

type Slot = CK_SLOT_ID;
type Session = CK_SESSION_HANDLE;
type Object = CK_OBJECT_HANDLE;
type Bytes = *mut CK_BYTE;
type Text = *mut CK_UTF8CHAR;
type Length = CK_ULONG;
type Template = *mut CK_ATTRIBUTE;
type Mechanism = *mut CK_MECHANISM;

functions! {
    C_Initialize = library(s: *mut c_void);
    C_Finalize = library(s: *mut c_void);
    C_GetInfo = library(s: *mut CK_INFO);
    C_GetSlotInfo = slot(s: Slot, a: *mut CK_SLOT_INFO);
    C_GetTokenInfo = slot(s: Slot, a: *mut CK_TOKEN_INFO);
    C_GetMechanismList = slot(s: Slot, a: *mut CK_MECHANISM_TYPE, b: *mut Length);
    C_GetMechanismInfo = slot(s: Slot, a: CK_MECHANISM_TYPE, b: *mut CK_MECHANISM_INFO);
    C_InitToken = slot(s: Slot, a: Text, b: Length, c: Text);
    C_InitPIN = session(s: Session, a: Text, b: Length);
    C_SetPIN = session(s: Session, a: Text, b: Length, c: Text, d: Length);
    C_CloseSession = session(s: Session);
    C_CloseAllSessions = slot(s: Slot);
    C_GetSessionInfo = session(s: Session, a: *mut CK_SESSION_INFO);
    C_GetOperationState = session(s: Session, a: Bytes, b: *mut Length);
    C_SetOperationState = session(s: Session, a: Bytes, b: Length, c: Object, d: Object);
    C_Login = session(s: Session, a: CK_USER_TYPE, b: Text, c: Length);
    C_Logout = session(s: Session);
    C_CreateObject = session(s: Session, a: Template, b: Length, c: *mut Object);
    C_CopyObject = session(s: Session, a: Object, b: Template, c: Length, d: *mut Object);
    C_DestroyObject = session(s: Session, a: Object);
    C_GetObjectSize = session(s: Session, a: Object, b: *mut Length);
    C_GetAttributeValue = session(s: Session, a: Object, b: Template, c: Length);
    C_SetAttributeValue = session(s: Session, a: Object, b: Template, c: Length);
    C_FindObjectsInit = session(s: Session, a: Template, b: Length);
    C_FindObjects = session(s: Session, a: *mut Object, b: Length, c: *mut Length);
    C_FindObjectsFinal = session(s: Session);
    C_EncryptInit = session(s: Session, a: Mechanism, b: Object);
    C_Encrypt = session(s: Session, a: Bytes, b: Length, c: Bytes, d: *mut Length);
    C_EncryptUpdate = session(s: Session, a: Bytes, b: Length, c: Bytes, d: *mut Length);
    C_EncryptFinal = session(s: Session, a: Bytes, b: *mut Length);
    C_DecryptInit = session(s: Session, a: Mechanism, b: Object);
    C_Decrypt = session(s: Session, a: Bytes, b: Length, c: Bytes, d: *mut Length);
    C_DecryptUpdate = session(s: Session, a: Bytes, b: Length, c: Bytes, d: *mut Length);
    C_DecryptFinal = session(s: Session, a: Bytes, b: *mut Length);
    C_DigestInit = session(s: Session, a: Mechanism);
    C_Digest = session(s: Session, a: Bytes, b: Length, c: Bytes, d: *mut Length);
    C_DigestUpdate = session(s: Session, a: Bytes, b: Length);
    C_DigestKey = session(s: Session, a: Object);
    C_DigestFinal = session(s: Session, a: Bytes, b: *mut Length);
    C_SignInit = session(s: Session, a: Mechanism, b: Object);
    C_Sign = session(s: Session, a: Bytes, b: Length, c: Bytes, d: *mut Length);
    C_SignUpdate = session(s: Session, a: Bytes, b: Length);
    C_SignFinal = session(s: Session, a: Bytes, b: *mut Length);
    C_SignRecoverInit = session(s: Session, a: Mechanism, b: Object);
    C_SignRecover = session(s: Session, a: Bytes, b: Length, c: Bytes, d: *mut Length);
    C_VerifyInit = session(s: Session, a: Mechanism, b: Object);
    C_Verify = session(s: Session, a: Bytes, b: Length, c: Bytes, d: Length);
    C_VerifyUpdate = session(s: Session, a: Bytes, b: Length);
    C_VerifyFinal = session(s: Session, a: Bytes, b: Length);
    C_VerifyRecoverInit = session(s: Session, a: Mechanism, b: Object);
    C_VerifyRecover = session(s: Session, a: Bytes, b: Length, c: Bytes, d: *mut Length);
    C_DigestEncryptUpdate = session(s: Session, a: Bytes, b: Length, c: Bytes, d: *mut Length);
    C_DecryptDigestUpdate = session(s: Session, a: Bytes, b: Length, c: Bytes, d: *mut Length);
    C_SignEncryptUpdate = session(s: Session, a: Bytes, b: Length, c: Bytes, d: *mut Length);
    C_DecryptVerifyUpdate = session(s: Session, a: Bytes, b: Length, c: Bytes, d: *mut Length);
    C_GenerateKey = session(s: Session, a: Mechanism, b: Template, c: Length, d: *mut Object);
    C_GenerateKeyPair = session(s: Session, a: Mechanism, b: Template, c: Length, d: Template, e: Length,
        f: *mut Object, g: *mut Object);
    C_WrapKey = session(s: Session, a: Mechanism, b: Object, c: Object, d: Bytes, e: *mut Length);
    C_UnwrapKey = session(s: Session, a: Mechanism, b: Object, c: Bytes, d: Length, e: Template, f: Length,
        g: *mut Object);
    C_DeriveKey = session(s: Session, a: Mechanism, b: Object, c: Template, d: Length, e: *mut Object);
    C_SeedRandom = session(s: Session, a: Bytes, b: Length);
    C_GenerateRandom = session(s: Session, a: Bytes, b: Length);
}
