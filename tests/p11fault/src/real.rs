//! The real module.

use crate::listed;
use cryptoki_sys::{CK_FUNCTION_LIST, CK_RV, CKR_OK};
use std::sync::OnceLock;

type GetFunctionList = unsafe extern "C" fn(*mut *mut CK_FUNCTION_LIST) -> CK_RV;

/// Its functions, with other mechanisms if the test says so; nothing if it cannot be loaded.
pub(crate) fn functions() -> Option<&'static CK_FUNCTION_LIST> {
    static LIST: OnceLock<Option<CK_FUNCTION_LIST>> = OnceLock::new();
    LIST.get_or_init(|| untouched().copied().map(listed::changed)).as_ref()
}

/// Its functions as they are.
pub(crate) fn untouched() -> Option<&'static CK_FUNCTION_LIST> {
    static LIST: OnceLock<Option<CK_FUNCTION_LIST>> = OnceLock::new();
    LIST.get_or_init(load).as_ref()
}

fn load() -> Option<CK_FUNCTION_LIST> {
    let path = std::env::var_os("KEYSTEAD_P11FAULT_MODULE")?;
    let mut list = std::ptr::null_mut();
    // SAFETY: the module that the test names; it gives a list that lives as long as itself, which is never unloaded.
    unsafe {
        let library = Box::leak(Box::new(libloading::Library::new(path).ok()?));
        let get: libloading::Symbol<'_, GetFunctionList> = library.get(b"C_GetFunctionList").ok()?;
        (get(&raw mut list) == CKR_OK && !list.is_null()).then(|| *list)
    }
}
