// refused with: E0594|E0596
#![allow(unused)]
use keystead_access::{Ask, Permit};
use keystead_engine::Sign;

pub fn redirect(permit: &Permit<Sign>, key: keystead_model::KeyRef) {
    let _ = (permit.ask().key.clone(), key);
}
