//! Which sessions the token has, and that it is gone.

use crate::faults::On;
use cryptoki_sys::{
    CK_FUNCTION_LIST, CK_RV, CK_SLOT_ID, CKR_DEVICE_REMOVED, CKR_SESSION_HANDLE_INVALID, CKR_TOKEN_NOT_PRESENT,
};
use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

/// The sessions that live, each with its slot.
static SESSIONS: Mutex<BTreeMap<u64, CK_SLOT_ID>> = Mutex::new(BTreeMap::new());

pub(crate) fn opened(session: u64, slot: CK_SLOT_ID) {
    SESSIONS.lock().unwrap_or_else(PoisonError::into_inner).insert(session, slot);
}

/// The code for a call on a token that is gone, or on a session that died with it.
pub(crate) fn refuses(real: &CK_FUNCTION_LIST, gone: bool, on: On) -> Option<CK_RV> {
    let mut sessions = SESSIONS.lock().unwrap_or_else(PoisonError::into_inner);
    if gone {
        for slot in std::mem::take(&mut *sessions).into_values() {
            if let Some(close) = real.C_CloseAllSessions {
                // SAFETY: a slot that had a session.
                unsafe { close(slot) };
            }
        }
    }
    match on {
        On::Library => None,
        On::Slot => gone.then_some(CKR_TOKEN_NOT_PRESENT),
        On::Session(_) if gone => Some(CKR_DEVICE_REMOVED),
        On::Session(session) => (!sessions.contains_key(&session)).then_some(CKR_SESSION_HANDLE_INVALID),
    }
}
