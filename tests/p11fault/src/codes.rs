//! Names of return codes, as rules say them.

use cryptoki_sys::*;

/// The code of a name or a number.
pub(crate) fn code(text: &str) -> Option<CK_RV> {
    if let Some(digits) = text.strip_prefix("0x") {
        return CK_RV::from_str_radix(digits, 16).ok();
    }
    NAMES.iter().find(|(name, _)| *name == text).map(|(_, code)| *code)
}

macro_rules! names {
    ($($name:ident),+ $(,)?) => {
        const NAMES: &[(&str, CK_RV)] = &[$((stringify!($name), $name)),+];
    };
}

names![
    CKR_OK,
    CKR_HOST_MEMORY,
    CKR_GENERAL_ERROR,
    CKR_FUNCTION_FAILED,
    CKR_ARGUMENTS_BAD,
    CKR_ATTRIBUTE_VALUE_INVALID,
    CKR_DEVICE_ERROR,
    CKR_DEVICE_MEMORY,
    CKR_DEVICE_REMOVED,
    CKR_FUNCTION_CANCELED,
    CKR_FUNCTION_NOT_SUPPORTED,
    CKR_KEY_HANDLE_INVALID,
    CKR_KEY_FUNCTION_NOT_PERMITTED,
    CKR_MECHANISM_INVALID,
    CKR_OBJECT_HANDLE_INVALID,
    CKR_OPERATION_ACTIVE,
    CKR_OPERATION_NOT_INITIALIZED,
    CKR_PIN_INCORRECT,
    CKR_PIN_LOCKED,
    CKR_SESSION_CLOSED,
    CKR_SESSION_COUNT,
    CKR_SESSION_HANDLE_INVALID,
    CKR_SESSION_READ_ONLY,
    CKR_TOKEN_NOT_PRESENT,
    CKR_TOKEN_NOT_RECOGNIZED,
    CKR_TEMPLATE_INCONSISTENT,
    CKR_USER_NOT_LOGGED_IN,
    CKR_CRYPTOKI_NOT_INITIALIZED,
    CKR_ENCRYPTED_DATA_INVALID,
    CKR_WRAPPED_KEY_INVALID,
];
