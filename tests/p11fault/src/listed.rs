//! Mechanisms that the module lists and the real one does not, or the other way round.

use crate::real;
use cryptoki_sys::*;
use std::ptr;

/// What is changed of the real module's list.
struct Changes {
    hidden: Vec<CK_MECHANISM_TYPE>,
    whole: Whole,
    /// RSAES-OAEP with SHA-1 does not wrap.
    no_sha1: bool,
}

/// CKM_RSA_AES_KEY_WRAP, which the modules of the tests have not.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Whole {
    None,
    /// Composed of what the real module has.
    Right,
    /// The same with RFC 3394 in the place of RFC 5649.
    Wrong,
}

fn changes() -> Changes {
    let text = std::env::var("KEYSTEAD_P11FAULT_MECHANISMS").unwrap_or_default();
    let mut all = Changes { hidden: Vec::new(), whole: Whole::None, no_sha1: false };
    for word in text.split_whitespace() {
        match (word, word.strip_prefix("-0x").map(|digits| CK_ULONG::from_str_radix(digits, 16))) {
            ("rsa-aes", _) => all.whole = Whole::Right,
            ("rsa-aes-wrong", _) => all.whole = Whole::Wrong,
            ("no-sha1", _) => all.no_sha1 = true,
            (_, Some(Ok(number))) => all.hidden.push(number),
            // A test that says nothing would prove nothing.
            _ => std::process::abort(),
        }
    }
    all
}

/// The real module's functions, with the changes in their way.
pub(crate) fn changed(mut list: CK_FUNCTION_LIST) -> CK_FUNCTION_LIST {
    if std::env::var_os("KEYSTEAD_P11FAULT_MECHANISMS").is_some() {
        list.C_GetMechanismList = Some(list_mechanisms);
        list.C_GetMechanismInfo = Some(describe);
        list.C_WrapKey = Some(wrap);
    }
    list
}

unsafe extern "C" fn list_mechanisms(slot: CK_SLOT_ID, out: *mut CK_MECHANISM_TYPE, count: *mut CK_ULONG) -> CK_RV {
    let Some(real) = real::untouched().and_then(|real| real.C_GetMechanismList) else {
        return CKR_FUNCTION_NOT_SUPPORTED;
    };
    let mut all = vec![0; 1024];
    let mut found = 1024;
    // SAFETY: `all` has as many places as `found` says.
    let code = unsafe { real(slot, all.as_mut_ptr(), &raw mut found) };
    if code != CKR_OK {
        return code;
    }
    let changes = changes();
    all.truncate(usize::try_from(found).unwrap_or(0));
    all.retain(|number| !changes.hidden.contains(number));
    all.extend((changes.whole != Whole::None).then_some(CKM_RSA_AES_KEY_WRAP));
    // SAFETY: the caller's: a place for the count, and as many places as it says, or a null.
    unsafe {
        let room = count.replace(CK_ULONG::try_from(all.len()).unwrap_or(0));
        if !out.is_null() {
            if room < *count {
                return CKR_BUFFER_TOO_SMALL;
            }
            ptr::copy_nonoverlapping(all.as_ptr(), out, all.len());
        }
    }
    CKR_OK
}

unsafe extern "C" fn describe(slot: CK_SLOT_ID, mechanism: CK_MECHANISM_TYPE, info: *mut CK_MECHANISM_INFO) -> CK_RV {
    if mechanism == CKM_RSA_AES_KEY_WRAP && changes().whole != Whole::None {
        // SAFETY: the caller's.
        unsafe { info.write(CK_MECHANISM_INFO { ulMinKeySize: 2048, ulMaxKeySize: 4096, flags: CKF_WRAP }) };
        return CKR_OK;
    }
    match real::untouched().and_then(|real| real.C_GetMechanismInfo) {
        // SAFETY: the caller's.
        Some(real) => unsafe { real(slot, mechanism, info) },
        None => CKR_FUNCTION_NOT_SUPPORTED,
    }
}

unsafe extern "C" fn wrap(
    session: CK_SESSION_HANDLE,
    mechanism: *mut CK_MECHANISM,
    wrapping: CK_OBJECT_HANDLE,
    key: CK_OBJECT_HANDLE,
    out: *mut CK_BYTE,
    length: *mut CK_ULONG,
) -> CK_RV {
    let Some(real) = real::untouched() else { return CKR_GENERAL_ERROR };
    let changes = changes();
    // SAFETY: the caller's.
    let asked = unsafe { *mechanism };
    if changes.hidden.contains(&asked.mechanism) {
        return CKR_MECHANISM_INVALID;
    }
    if changes.no_sha1 && asked.mechanism == CKM_RSA_PKCS_OAEP {
        // SAFETY: the caller's: the parameters of that mechanism.
        if unsafe { (*asked.pParameter.cast::<CK_RSA_PKCS_OAEP_PARAMS>()).hashAlg } == CKM_SHA_1 {
            return CKR_MECHANISM_PARAM_INVALID;
        }
    }
    if asked.mechanism != CKM_RSA_AES_KEY_WRAP || changes.whole == Whole::None {
        let Some(real) = real.C_WrapKey else { return CKR_FUNCTION_NOT_SUPPORTED };
        // SAFETY: the caller's.
        return unsafe { real(session, mechanism, wrapping, key, out, length) };
    }
    let number = if changes.whole == Whole::Right { CKM_AES_KEY_WRAP_PAD } else { CKM_AES_KEY_WRAP };
    // SAFETY: the caller's: the parameters of the mechanism, a place for the length, and as many bytes as it says.
    unsafe {
        if asked.ulParameterLen != size_of::<CK_RSA_AES_KEY_WRAP_PARAMS>() as CK_ULONG {
            return CKR_MECHANISM_PARAM_INVALID;
        }
        let parameters = *asked.pParameter.cast::<CK_RSA_AES_KEY_WRAP_PARAMS>();
        match whole(real, session, parameters, wrapping, key, number) {
            Err(code) => code,
            Ok(bytes) => {
                let room = length.replace(bytes.len() as CK_ULONG);
                if out.is_null() {
                    return CKR_OK;
                }
                if room < *length {
                    return CKR_BUFFER_TOO_SMALL;
                }
                ptr::copy_nonoverlapping(bytes.as_ptr(), out, bytes.len());
                CKR_OK
            }
        }
    }
}

/// As PKCS#11 3.1 says in section 6.1.22.
///
/// # Safety
/// The parameters are the caller's.
unsafe fn whole(
    real: &CK_FUNCTION_LIST,
    session: CK_SESSION_HANDLE,
    parameters: CK_RSA_AES_KEY_WRAP_PARAMS,
    wrapping: CK_OBJECT_HANDLE,
    key: CK_OBJECT_HANDLE,
    number: CK_MECHANISM_TYPE,
) -> Result<Vec<u8>, CK_RV> {
    let missing = CKR_FUNCTION_NOT_SUPPORTED;
    let generate = real.C_GenerateKey.ok_or(missing)?;
    let destroy = real.C_DestroyObject.ok_or(missing)?;
    let (mut yes, mut no, mut bytes) = (CK_TRUE, CK_FALSE, parameters.ulAESKeyBits / 8);
    let flag = |type_, value: &mut CK_BBOOL| CK_ATTRIBUTE { type_, pValue: ptr::from_mut(value).cast(), ulValueLen: 1 };
    let mut template = [
        flag(CKA_TOKEN, &mut no),
        flag(CKA_EXTRACTABLE, &mut yes),
        flag(CKA_WRAP, &mut yes),
        CK_ATTRIBUTE { type_: CKA_VALUE_LEN, pValue: (&raw mut bytes).cast(), ulValueLen: size_of::<CK_ULONG>() as _ },
    ];
    let bare = |mechanism| CK_MECHANISM { mechanism, pParameter: ptr::null_mut(), ulParameterLen: 0 };
    let (mut making, mut under, mut between) = (bare(CKM_AES_KEY_GEN), bare(number), 0);
    // SAFETY: mechanism, template and handle live until the call is done.
    match unsafe { generate(session, &raw mut making, template.as_mut_ptr(), 4, &raw mut between) } {
        CKR_OK => {}
        code => return Err(code),
    }
    let mut oaep = CK_MECHANISM {
        mechanism: CKM_RSA_PKCS_OAEP,
        pParameter: parameters.pOAEPParams.cast(),
        ulParameterLen: size_of::<CK_RSA_PKCS_OAEP_PARAMS>() as _,
    };
    // SAFETY: the caller's parameters; the key is there until it is destroyed below.
    unsafe {
        let head = wrapped(real, session, &mut oaep, wrapping, between);
        let tail = wrapped(real, session, &mut under, between, key);
        destroy(session, between);
        Ok([head?, tail?].concat())
    }
}

/// # Safety
/// The mechanism's parameters are the caller's.
unsafe fn wrapped(
    real: &CK_FUNCTION_LIST,
    session: CK_SESSION_HANDLE,
    mechanism: &mut CK_MECHANISM,
    wrapping: CK_OBJECT_HANDLE,
    key: CK_OBJECT_HANDLE,
) -> Result<Vec<u8>, CK_RV> {
    let wrap = real.C_WrapKey.ok_or(CKR_FUNCTION_NOT_SUPPORTED)?;
    let mut out = vec![0; 8192];
    let mut length = 8192;
    // SAFETY: `out` has as many bytes as `length` says.
    let code = unsafe { wrap(session, mechanism, wrapping, key, out.as_mut_ptr(), &raw mut length) };
    out.truncate(usize::try_from(length).unwrap_or(0));
    if code == CKR_OK { Ok(out) } else { Err(code) }
}
