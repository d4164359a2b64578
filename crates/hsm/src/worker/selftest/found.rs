//! What a self-test found, as the server keeps it for the next worker of the same token: the test takes seconds on a
//! real device, and a crash should not. Only within the server's own life: a new server has the token tested again.

use super::{Abilities, Refusals};
use crate::describe::Description;
use crate::worker::porter::Porter;
use crate::worker::rv;
use crate::worker::templates::Hardening;
use cryptoki::error::RvError;
use minicbor::{Decode, Encode};

/// Of which token, and what was found. It stands for the test as long as serial number, firmware and library are these.
#[derive(Clone, PartialEq, Eq, Encode, Decode)]
pub(crate) struct Found {
    #[n(0)]
    pub(crate) description: Description,
    #[n(1)]
    pub(crate) wraps: Option<u64>,
    #[n(2)]
    pub(crate) hardening: Hardening,
    #[n(3)]
    pub(crate) wraps_bytes: Option<u64>,
    #[n(4)]
    pub(crate) wraps_bytes_padded: Option<u64>,
    /// CKR numbers, as in [`Refusals`].
    #[n(5)]
    pub(crate) decrypt: Vec<u64>,
    #[n(6)]
    pub(crate) unwrap: Vec<u64>,
    #[n(7)]
    pub(crate) pkcs1: Option<Vec<u64>>,
}

impl Found {
    pub(in crate::worker) fn new(description: &Description, abilities: &Abilities) -> Self {
        let numbers = |codes: &[RvError]| codes.iter().filter_map(|code| rv::number(*code)).collect();
        let Refusals { decrypt, unwrap, pkcs1 } = &abilities.refusals;
        Self {
            description: description.clone(),
            wraps: abilities.wraps,
            hardening: abilities.hardening,
            wraps_bytes: abilities.wraps_bytes,
            wraps_bytes_padded: abilities.wraps_bytes_padded,
            decrypt: numbers(decrypt),
            unwrap: numbers(unwrap),
            pkcs1: pkcs1.as_deref().map(numbers),
        }
    }

    /// Whether it is of this token, with this firmware, behind this library.
    pub(in crate::worker) fn is_of(&self, serial: &str, firmware: &str, library: &str) -> bool {
        let found = &self.description;
        (found.serial.as_str(), found.firmware.as_str(), found.library.as_str()) == (serial, firmware, library)
    }

    /// As the test would find it.
    pub(in crate::worker) fn again(self, porter: Option<Porter>, own_nonce: bool) -> Abilities {
        let codes = |numbers: Vec<u64>| numbers.into_iter().filter_map(rv::code).collect();
        Abilities {
            class: self.description.wrap,
            wraps: self.wraps,
            porter,
            hardening: self.hardening,
            refusals: Refusals {
                decrypt: codes(self.decrypt),
                unwrap: codes(self.unwrap),
                pkcs1: self.pkcs1.map(codes),
            },
            wraps_bytes: self.wraps_bytes,
            wraps_bytes_padded: self.wraps_bytes_padded,
            own_nonce,
            attacks: self.description.attacks,
            keys: self.description.keys,
            signs: self.description.signs,
            ciphers: self.description.ciphers,
        }
    }
}
