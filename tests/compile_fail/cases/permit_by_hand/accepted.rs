// refused with: E0451
#![allow(unused)]
use keystead_access::{Ask, Permit};
use keystead_engine::Sign;

pub fn forge(ask: Sign, other: Permit<Sign>) -> Permit<Sign> {
    { let _ = ask; other }
}
