//! A record on its way to the journal, as the store keeps it beside the change it is about. Whoever owns the database
//! must not be able to write into the log through it, so the node vouches for each with a key of its own:
//!
//! ```text
//! version 2, 1 byte | HMAC-SHA-256, 32 bytes | record
//! ```
//!
//! The HMAC is over the version, the journal's position before the work (8 bytes, big-endian) and the record; its key
//! is derived from the node's key. Version 1 was the bare record; no release wrote it, and none reads it.

use crate::record::{BadRecord, Record};
use keystead_crypto::ed25519::SigningKey;
use keystead_crypto::{Mac, same};

const VERSION: u8 = 2;
const MAC: usize = 32;
const PURPOSE: &[u8] = b"keystead records on their way 2";

/// Why a record on its way is not appended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum NotVouched {
    /// Too short to be one.
    #[error("it is cut off")]
    Length,
    /// Of another layout.
    #[error("it has version {0}, which this release does not know")]
    Version(u8),
    /// Changed since the node wrote it, or never written by this node.
    #[error("this node did not write it there")]
    Forged,
    /// The node vouched for what is no record.
    #[error(transparent)]
    Record(#[from] BadRecord),
}

/// The key a node vouches with.
pub(crate) struct Voucher(Mac);

impl Voucher {
    pub(crate) fn new(node: &SigningKey) -> Self {
        Self(Mac::new(&node.derived(PURPOSE)))
    }

    pub(crate) fn vouch(&self, position: u64, record: &Record) -> Vec<u8> {
        [&[VERSION], self.mac(position, record.bytes()).as_slice(), record.bytes()].concat()
    }

    pub(crate) fn vouched(&self, position: u64, bytes: &[u8]) -> Result<Record, NotVouched> {
        let (mac, record) = parts(bytes)?;
        if !same(mac, &self.mac(position, record)) {
            return Err(NotVouched::Forged);
        }
        Ok(Record::parse(record)?)
    }

    fn mac(&self, position: u64, record: &[u8]) -> [u8; MAC] {
        self.0.of(&[&[VERSION], &position.to_be_bytes(), record])
    }
}

/// The record in bytes that this process has just written; nothing is checked but their shape.
pub fn just_written(bytes: &[u8]) -> Result<Record, NotVouched> {
    Ok(Record::parse(parts(bytes)?.1)?)
}

fn parts(bytes: &[u8]) -> Result<(&[u8; MAC], &[u8]), NotVouched> {
    match bytes.split_first() {
        None => Err(NotVouched::Length),
        Some((&VERSION, rest)) => rest.split_first_chunk().ok_or(NotVouched::Length),
        Some((&other, _)) => Err(NotVouched::Version(other)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn golden() -> Vec<u8> {
        let text = include_str!("../tests/golden/waiting-v2.hex");
        hex::decode(text.split_whitespace().collect::<String>()).unwrap()
    }

    fn voucher() -> Voucher {
        Voucher::new(&SigningKey::from_seed(&[3; 32]))
    }

    /// The golden file was made by another implementation.
    #[test]
    fn golden_waiting_record() {
        let record = voucher().vouched(0x0102_0304, &golden()).unwrap();
        assert_eq!(record.action_code(), 1000);
        assert_eq!(just_written(&golden()).unwrap(), record);
        assert_eq!(voucher().vouch(0x0102_0304, &record), golden());
    }

    #[test]
    fn another_node_position_or_layout_is_not_vouched_for() {
        let other = Voucher::new(&SigningKey::from_seed(&[4; 32]));
        assert_eq!(other.vouched(0x0102_0304, &golden()), Err(NotVouched::Forged));
        assert_eq!(voucher().vouched(0x0102_0305, &golden()), Err(NotVouched::Forged));
        let bare = golden().split_off(1 + MAC);
        assert_eq!(voucher().vouched(0x0102_0304, &bare), Err(NotVouched::Version(1)));
        for cut in [&[][..], &golden()[..32]] {
            assert_eq!(voucher().vouched(0x0102_0304, cut), Err(NotVouched::Length));
        }
    }

    proptest! {
        #[test]
        fn no_changed_byte_is_vouched_for(at in 0_usize..10_000, by in 1_u8..) {
            let mut bytes = golden();
            let at = at % bytes.len();
            bytes[at] ^= by;
            prop_assert!(voucher().vouched(0x0102_0304, &bytes).is_err());
        }
    }
}
