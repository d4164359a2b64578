// refused with: E0451
#![allow(unused)]
use keystead_access::{Ask, Permit};
use keystead_engine::Sign;

pub fn forge(ask: Sign, other: Permit<Sign>) -> Permit<Sign> {
    Permit { ask, who: todo!(), ground: todo!(), policy: other.policy() }
}
