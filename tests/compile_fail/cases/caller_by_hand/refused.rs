// refused with: E0451|E0423|E0063|E0560
#![allow(unused)]
use keystead_identity::Caller;

pub fn forge(other: Caller) -> Caller {
    Caller { ..other }
}
