// refused with: E0382
#![allow(unused)]
use keystead_access::{Ask, Permit};
use keystead_engine::Sign;

pub fn twice(policy: &keystead_access::Policy, permit: Permit<Sign>) {
    let _ = policy.still(permit);
    let _ = policy.still(permit);
}
