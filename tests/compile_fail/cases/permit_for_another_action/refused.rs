// refused with: E0308
#![allow(unused)]
use keystead_access::{Ask, Permit};
use keystead_engine::{GetKey, Sign};

pub fn other(policy: &keystead_access::Policy, permit: Permit<GetKey>) {
    let _: Result<Permit<Sign>, _> = policy.still(permit);
}
