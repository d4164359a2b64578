//! The few functions of PKCS#11 that `cryptoki` cannot call as we need them: with mechanisms that it has no name for
//! (RFC 5649 as 0x210B, vendors' own) and with attributes that hold attributes (CKA_UNWRAP_TEMPLATE). All unsafe code
//! of this crate is here.
#![allow(unsafe_code)]

use cryptoki::context::Function;
use cryptoki::error::{Error, Rv};
use cryptoki::mechanism::Mechanism;
use cryptoki::object::{Attribute, ObjectHandle};
use cryptoki::session::Session;
use cryptoki_sys::{
    CK_ATTRIBUTE, CK_FUNCTION_LIST, CK_MECHANISM, CK_MECHANISM_INFO, CK_MECHANISM_TYPE, CK_OBJECT_HANDLE,
    CK_RSA_AES_KEY_WRAP_PARAMS, CK_RSA_PKCS_OAEP_PARAMS, CK_RV, CK_SESSION_HANDLE, CK_SLOT_ID, CK_ULONG,
    CKA_ALLOWED_MECHANISMS, CKA_UNWRAP_TEMPLATE, CKG_MGF1_SHA1, CKM_RSA_AES_KEY_WRAP, CKM_RSA_X_509, CKM_SHA_1,
    CKZ_DATA_SPECIFIED,
};
use std::path::Path;
use std::ptr;

/// The functions of a library that is loaded and stays so.
pub(super) struct Functions {
    list: CK_FUNCTION_LIST,
    /// Its end would unmap what the list points to.
    _library: cryptoki_sys::Pkcs11,
}

/// A mechanism: with parameters and a name in `cryptoki`, or its number alone.
#[derive(Clone, Copy)]
pub(super) enum Way<'a> {
    Named(&'a Mechanism<'a>),
    Number(CK_MECHANISM_TYPE),
}

/// A template with the attributes that hold others.
#[derive(Clone, Copy, Default)]
pub(super) struct Template<'a> {
    pub(super) plain: &'a [Attribute],
    /// CKA_UNWRAP_TEMPLATE, if any.
    pub(super) unwrapped: &'a [Attribute],
    /// CKA_ALLOWED_MECHANISMS, if any.
    pub(super) allowed: &'a [CK_MECHANISM_TYPE],
}

/// A mechanism's smallest and largest key and its CKF_ flags.
pub(super) struct Info {
    pub(super) least: CK_ULONG,
    pub(super) most: CK_ULONG,
    pub(super) flags: CK_ULONG,
}

/// More mechanisms than any token lists.
const MOST_MECHANISMS: usize = 4096;

impl Functions {
    /// Of the library at this path, which may be loaded already.
    pub(super) fn load(path: &Path) -> Result<Self, Error> {
        // SAFETY: loading runs the library's own initialisers. It is the one that the operator named, and is loaded in
        // the worker only.
        let library = unsafe { cryptoki_sys::Pkcs11::new(path) }.map_err(Error::LibraryLoading)?;
        if library.C_GetFunctionList.is_err() {
            return Err(Error::MissingSymbol("C_GetFunctionList"));
        }
        let mut list: *mut CK_FUNCTION_LIST = ptr::null_mut();
        // SAFETY: the symbol was found, and `list` is a place for the pointer it writes.
        done(unsafe { library.C_GetFunctionList(&mut list) }, Function::GetFunctionList)?;
        if list.is_null() {
            return Err(Error::NullFunctionPointer);
        }
        // SAFETY: the library gave a pointer to its list, which lives as long as the library; it is copied.
        Ok(Self { list: unsafe { *list }, _library: library })
    }

    /// All mechanisms of a slot, by number.
    pub(super) fn mechanisms(&self, slot: CK_SLOT_ID) -> Result<Vec<CK_MECHANISM_TYPE>, Error> {
        let function = self.list.C_GetMechanismList.ok_or(Error::NullFunctionPointer)?;
        let mut count = 0;
        // SAFETY: a null list asks for the count alone.
        done(unsafe { function(slot, ptr::null_mut(), &mut count) }, Function::GetMechanismList)?;
        let mut list = vec![0; length(count)?.min(MOST_MECHANISMS)];
        count = ulong(list.len());
        // SAFETY: `count` is the room in `list`, and the library writes no more.
        done(unsafe { function(slot, list.as_mut_ptr(), &mut count) }, Function::GetMechanismList)?;
        list.truncate(length(count)?);
        Ok(list)
    }

    /// What a mechanism takes and does.
    pub(super) fn info(&self, slot: CK_SLOT_ID, mechanism: CK_MECHANISM_TYPE) -> Result<Info, Error> {
        let function = self.list.C_GetMechanismInfo.ok_or(Error::NullFunctionPointer)?;
        let mut info = CK_MECHANISM_INFO { ulMinKeySize: 0, ulMaxKeySize: 0, flags: 0 };
        // SAFETY: `info` is a place for what is written.
        done(unsafe { function(slot, mechanism, &mut info) }, Function::GetMechanismInfo)?;
        Ok(Info { least: info.ulMinKeySize, most: info.ulMaxKeySize, flags: info.flags })
    }

    /// C_WrapKey.
    pub(super) fn wrap(
        &self,
        session: &Session,
        way: Way<'_>,
        wrapping: ObjectHandle,
        key: ObjectHandle,
    ) -> Result<Vec<u8>, Error> {
        let function = self.list.C_WrapKey.ok_or(Error::NullFunctionPointer)?;
        let mut mechanism = way.mechanism();
        // SAFETY: the mechanism's parameters live in `way`; `out` has `room` bytes, or is null to ask for the length.
        into_buffer(Function::WrapKey, |out, room| unsafe {
            function(session.handle(), &mut mechanism, wrapping.handle(), key.handle(), out, room)
        })
    }

    /// C_WrapKey with CKM_RSA_AES_KEY_WRAP: an AES key of 256 bits, SHA-1 and its MGF1.
    pub(super) fn wrap_rsa_aes(
        &self,
        session: &Session,
        wrapping: ObjectHandle,
        key: ObjectHandle,
    ) -> Result<Vec<u8>, Error> {
        let function = self.list.C_WrapKey.ok_or(Error::NullFunctionPointer)?;
        let mut oaep = CK_RSA_PKCS_OAEP_PARAMS {
            hashAlg: CKM_SHA_1,
            mgf: CKG_MGF1_SHA1,
            source: CKZ_DATA_SPECIFIED,
            pSourceData: ptr::null_mut(),
            ulSourceDataLen: 0,
        };
        let mut parameters = CK_RSA_AES_KEY_WRAP_PARAMS { ulAESKeyBits: 256, pOAEPParams: &raw mut oaep };
        let mut mechanism = CK_MECHANISM {
            mechanism: CKM_RSA_AES_KEY_WRAP,
            pParameter: (&raw mut parameters).cast(),
            ulParameterLen: ulong(size_of::<CK_RSA_AES_KEY_WRAP_PARAMS>()),
        };
        // SAFETY: the parameters live until the end of this function; `out` has `room` bytes, or is null to ask for the
        // length.
        into_buffer(Function::WrapKey, |out, room| unsafe {
            function(session.handle(), &mut mechanism, wrapping.handle(), key.handle(), out, room)
        })
    }

    /// C_UnwrapKey.
    pub(super) fn unwrap(
        &self,
        session: &Session,
        way: Way<'_>,
        unwrapping: ObjectHandle,
        blob: &[u8],
        template: Template<'_>,
    ) -> Result<ObjectHandle, Error> {
        let function = self.list.C_UnwrapKey.ok_or(Error::NullFunctionPointer)?;
        let mut mechanism = way.mechanism();
        let (mut inner, mut allowed) = (attributes(template.unwrapped), template.allowed.to_vec());
        let mut outer = attributes(template.plain);
        outer.extend(list(CKA_UNWRAP_TEMPLATE, &mut inner));
        outer.extend(list(CKA_ALLOWED_MECHANISMS, &mut allowed));
        let mut key: CK_OBJECT_HANDLE = 0;
        // SAFETY: everything that `outer` points to lives until the end of this function: `template`, `inner`,
        // `allowed`. The library does not write to the blob, whose parameter lacks a `const` only because C's headers
        // do.
        let rv = unsafe {
            function(
                session.handle(),
                &mut mechanism,
                unwrapping.handle(),
                blob.as_ptr().cast_mut(),
                ulong(blob.len()),
                outer.as_mut_ptr(),
                ulong(outer.len()),
                &mut key,
            )
        };
        done(rv, Function::UnwrapKey)?;
        // SAFETY: "unsafe" as a handle could be made up; the library gave this one.
        Ok(unsafe { ObjectHandle::new_from_raw(key) })
    }

    /// C_SetAttributeValue of attributes that hold others.
    pub(super) fn change(&self, session: &Session, object: ObjectHandle, to: Template<'_>) -> Done {
        let function = self.list.C_SetAttributeValue.ok_or(Error::NullFunctionPointer)?;
        let (mut inner, mut allowed) = (attributes(to.unwrapped), to.allowed.to_vec());
        let mut outer = attributes(to.plain);
        outer.extend(list(CKA_UNWRAP_TEMPLATE, &mut inner));
        outer.extend(list(CKA_ALLOWED_MECHANISMS, &mut allowed));
        // SAFETY: everything that `outer` points to lives until the end of this function: `to`, `inner`, `allowed`.
        let rv = unsafe { function(session.handle(), object.handle(), outer.as_mut_ptr(), ulong(outer.len())) };
        done(rv, Function::SetAttributeValue)
    }

    /// C_CopyObject with attributes that hold others.
    pub(super) fn copy(
        &self,
        session: &Session,
        object: ObjectHandle,
        to: Template<'_>,
    ) -> Result<ObjectHandle, Error> {
        let function = self.list.C_CopyObject.ok_or(Error::NullFunctionPointer)?;
        let (mut inner, mut allowed) = (attributes(to.unwrapped), to.allowed.to_vec());
        let mut outer = attributes(to.plain);
        outer.extend(list(CKA_UNWRAP_TEMPLATE, &mut inner));
        outer.extend(list(CKA_ALLOWED_MECHANISMS, &mut allowed));
        let mut copy: CK_OBJECT_HANDLE = 0;
        // SAFETY: everything that `outer` points to lives until the end of this function: `to`, `inner`, `allowed`.
        let rv =
            unsafe { function(session.handle(), object.handle(), outer.as_mut_ptr(), ulong(outer.len()), &mut copy) };
        done(rv, Function::CopyObject)?;
        // SAFETY: "unsafe" as a handle could be made up; the library gave this one.
        Ok(unsafe { ObjectHandle::new_from_raw(copy) })
    }

    /// CKA_ALLOWED_MECHANISMS as it reads back.
    pub(super) fn allowed(&self, session: &Session, object: ObjectHandle) -> Result<Vec<CK_MECHANISM_TYPE>, Error> {
        let function = self.list.C_GetAttributeValue.ok_or(Error::NullFunctionPointer)?;
        let mut numbers = [0; 16];
        let mut read = CK_ATTRIBUTE {
            type_: CKA_ALLOWED_MECHANISMS,
            pValue: numbers.as_mut_ptr().cast(),
            ulValueLen: ulong(size_of_val(&numbers)),
        };
        // SAFETY: `read` points to `numbers`, with its size.
        let rv = unsafe { function(session.handle(), object.handle(), &mut read, 1) };
        done(rv, Function::GetAttributeValue)?;
        let count = length(read.ulValueLen)?.checked_div(size_of::<CK_MECHANISM_TYPE>()).unwrap_or(0);
        Ok(numbers.into_iter().take(count).collect())
    }

    /// C_Encrypt in one part, with a mechanism that has no parameters.
    pub(super) fn encrypt(
        &self,
        session: &Session,
        mechanism: CK_MECHANISM_TYPE,
        key: ObjectHandle,
        data: &[u8],
    ) -> Result<Vec<u8>, Error> {
        let init = self.list.C_EncryptInit.ok_or(Error::NullFunctionPointer)?;
        let function = self.list.C_Encrypt.ok_or(Error::NullFunctionPointer)?;
        self.start(init, session, mechanism, key, Function::EncryptInit)?;
        // SAFETY: the library reads `data` only; `out` has `room` bytes, or is null to ask for the length.
        into_buffer(Function::Encrypt, |out, room| unsafe {
            function(session.handle(), data.as_ptr().cast_mut(), ulong(data.len()), out, room)
        })
    }

    /// C_Decrypt in one part, with a mechanism that has no parameters.
    pub(super) fn decrypt(
        &self,
        session: &Session,
        mechanism: CK_MECHANISM_TYPE,
        key: ObjectHandle,
        data: &[u8],
    ) -> Result<Vec<u8>, Error> {
        let init = self.list.C_DecryptInit.ok_or(Error::NullFunctionPointer)?;
        let function = self.list.C_Decrypt.ok_or(Error::NullFunctionPointer)?;
        self.start(init, session, mechanism, key, Function::DecryptInit)?;
        // SAFETY: the library reads `data` only; `out` has `room` bytes, or is null to ask for the length.
        into_buffer(Function::Decrypt, |out, room| unsafe {
            function(session.handle(), data.as_ptr().cast_mut(), ulong(data.len()), out, room)
        })
    }

    /// The same with bare RSA, into as many bytes as the data has: Kryoptic cannot say how many it will need.
    pub(super) fn decrypt_bare(&self, session: &Session, key: ObjectHandle, data: &[u8]) -> Result<Vec<u8>, Error> {
        let init = self.list.C_DecryptInit.ok_or(Error::NullFunctionPointer)?;
        let function = self.list.C_Decrypt.ok_or(Error::NullFunctionPointer)?;
        self.start(init, session, CKM_RSA_X_509, key, Function::DecryptInit)?;
        let (mut out, mut room) = (vec![0; data.len()], ulong(data.len()));
        // SAFETY: the library reads `data` only; `room` is what `out` has.
        let rv = unsafe {
            function(session.handle(), data.as_ptr().cast_mut(), ulong(data.len()), out.as_mut_ptr(), &mut room)
        };
        done(rv, Function::Decrypt)?;
        out.truncate(length(room)?);
        Ok(out)
    }

    fn start(
        &self,
        init: Init,
        session: &Session,
        number: CK_MECHANISM_TYPE,
        key: ObjectHandle,
        name: Function,
    ) -> Done {
        let mut mechanism = Way::Number(number).mechanism();
        // SAFETY: the mechanism lives across the call and has no parameters.
        done(unsafe { init(session.handle(), &mut mechanism, key.handle()) }, name)
    }
}

type Init = unsafe extern "C" fn(CK_SESSION_HANDLE, *mut CK_MECHANISM, CK_OBJECT_HANDLE) -> CK_RV;
type Done = Result<(), Error>;

impl Way<'_> {
    fn mechanism(&self) -> CK_MECHANISM {
        match self {
            Self::Named(mechanism) => (*mechanism).into(),
            Self::Number(number) => CK_MECHANISM { mechanism: *number, pParameter: ptr::null_mut(), ulParameterLen: 0 },
        }
    }
}

fn attributes(template: &[Attribute]) -> Vec<CK_ATTRIBUTE> {
    template.iter().map(Into::into).collect()
}

/// An attribute whose value is a list; none if the list is empty.
fn list<T>(type_: CK_ULONG, values: &mut Vec<T>) -> Option<CK_ATTRIBUTE> {
    let size = ulong(size_of_val(values.as_slice()));
    (!values.is_empty()).then(|| CK_ATTRIBUTE { type_, pValue: values.as_mut_ptr().cast(), ulValueLen: size })
}

/// What a function writes to a buffer that it is first asked the length of.
fn into_buffer(name: Function, mut call: impl FnMut(*mut u8, &mut CK_ULONG) -> CK_RV) -> Result<Vec<u8>, Error> {
    let mut room = 0;
    done(call(ptr::null_mut(), &mut room), name)?;
    let mut out = vec![0; length(room)?];
    done(call(out.as_mut_ptr(), &mut room), name)?;
    out.truncate(length(room)?);
    Ok(out)
}

fn done(rv: CK_RV, function: Function) -> Done {
    match Rv::from(rv) {
        Rv::Ok => Ok(()),
        Rv::Error(error) => Err(Error::Pkcs11(error, function)),
    }
}

/// What a library says is the length of something; one beyond all reason is none.
fn length(count: CK_ULONG) -> Result<usize, Error> {
    const MOST: usize = 1 << 24;
    usize::try_from(count).ok().filter(|count| *count <= MOST).ok_or(Error::InvalidValue)
}

fn ulong(count: usize) -> CK_ULONG {
    // Never more than an address is wide.
    CK_ULONG::try_from(count).unwrap_or(CK_ULONG::MAX)
}

/// A handle that no token gave.
#[cfg(test)]
pub(super) fn made_up(number: CK_OBJECT_HANDLE) -> ObjectHandle {
    // SAFETY: "unsafe" as a handle could be made up; the tests that do never use it.
    unsafe { ObjectHandle::new_from_raw(number) }
}
