//! What comes of a call.

use crate::rules::{Deed, Rule, Rules, control, read};
use crate::{real, token};
use cryptoki_sys::{CK_FUNCTION_LIST, CK_RV, CKR_GENERAL_ERROR};
use std::collections::HashMap;
use std::fs::OpenOptions;
use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::sync::{Mutex, PoisonError};
use std::thread::sleep;

/// What a function is called on.
#[derive(Clone, Copy)]
pub(crate) enum On {
    Library,
    Slot,
    Session(u64),
}

/// Passes a call on, unless a rule says otherwise.
pub(crate) fn pass(function: &str, on: On, call: impl Fn(&CK_FUNCTION_LIST) -> CK_RV) -> CK_RV {
    let Some(real) = real::functions() else { return CKR_GENERAL_ERROR };
    let rules = read();
    if let Some(code) = token::refuses(real, rules.token_gone, on) {
        return code;
    }
    let Some(rule) = meant(rules, function) else { return call(real) };
    let done = if rule.after { Some(call(real)) } else { None };
    match (rule.deed, done) {
        (Deed::Return(code), _) => code,
        (Deed::Abort, _) => std::process::abort(),
        (Deed::Sleep(time), Some(code)) => {
            sleep(time);
            code
        }
        (Deed::Sleep(time), None) => {
            sleep(time);
            call(real)
        }
    }
}

/// The first rule that is about this call. Each that names its function counts it.
fn meant(rules: Rules, function: &str) -> Option<Rule> {
    static SEEN: Mutex<Option<HashMap<String, u64>>> = Mutex::new(None);
    let mut seen = SEEN.lock().unwrap_or_else(PoisonError::into_inner);
    let seen = seen.get_or_insert_with(HashMap::new);
    let mut meant = None;
    for rule in rules.rules.into_iter().filter(|rule| rule.function == function) {
        let n = seen.entry(rule.line.clone()).or_default();
        *n = n.saturating_add(1);
        if meant.is_none() && rule.fits(*n) && (!rule.once || is_first(&rule)) {
            meant = Some(rule);
        }
    }
    meant
}

/// Whether no process did it yet: who makes the file beside the rules does it.
fn is_first(rule: &Rule) -> bool {
    let Some(mut mark) = control() else { return false };
    let mut hash = DefaultHasher::new();
    rule.line.hash(&mut hash);
    mark.as_mut_os_string().push(format!(".{:016x}", hash.finish()));
    OpenOptions::new().write(true).create_new(true).open(mark).is_ok()
}
