//! What stands inside the sealed rows: deterministic CBOR maps with integer keys. The owner of these layouts; each has
//! a golden file under `tests/golden`.
//!
//! - `key`: keys and versions; `rotation`: their rotation policies; `secrets`: a vault's own keys; here: what else
//!   it is
//! - `custody`: generations of its root, and the ways to it; `proposal`: what approvers are asked
//! - [`key_backup`]: a key that leaves the vault; `backup`: what a backup of the vault holds; `job`: how far one came

pub(crate) mod backup;
pub(crate) mod custody;
pub(crate) mod job;
pub(crate) mod key;
pub mod key_backup;
pub(crate) mod proposal;
pub(crate) mod rotation;
pub(crate) mod secrets;

pub(crate) use custody::{
    DetailKey, FormerRecord, PathRecord, PathsRecord, RootRotationRecord, RotationStep, SealedDigest,
};
pub(crate) use key::{DeletionRecord, KeyRecord, PurgedRecord, ReleaseRecord, VersionRecord};
pub(crate) use rotation::{RotationRecord, Work};
pub(crate) use secrets::{BlobKey, DomainRecord, HsmRecord, SecretsRecord, class_code};

use crate::error::Refusal;
use minicbor::bytes::ByteArray;
use minicbor::{Decode, Encode};

/// The built-in issuer.
#[derive(Clone, Encode, Decode)]
#[cbor(map)]
pub(crate) struct IssuerRecord {
    #[n(0)]
    pub(crate) iss: String,
    #[n(1)]
    pub(crate) kid: String,
    #[cbor(n(2), with = "minicbor::bytes")]
    pub(crate) x: [u8; 32],
    #[cbor(n(3), with = "minicbor::bytes")]
    pub(crate) y: [u8; 32],
    /// Sealed by `protection` under the key-material key.
    #[cbor(n(4), with = "minicbor::bytes")]
    pub(crate) material: Vec<u8>,
}

/// What a vault's clear columns said when they were last written. They are clear because a request must find its vault
/// before it is open; opening holds them against this.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
#[cbor(map)]
pub(crate) struct VaultRecord {
    #[n(0)]
    pub(crate) name: String,
    /// `vault` or `hsm`.
    #[n(1)]
    pub(crate) kind: String,
    /// `active` or `sealed`.
    #[n(2)]
    pub(crate) status: String,
    /// In their order: the first is in the name of the built-in issuer.
    #[n(3)]
    pub(crate) authorities: Vec<String>,
    /// `file` or `quorum`.
    #[n(4)]
    pub(crate) custody: String,
    /// ms since the epoch.
    #[n(5)]
    pub(crate) created: i64,
    #[n(6)]
    pub(crate) retention_days: u8,
    #[n(7)]
    pub(crate) tenant: String,
}

/// Which doubt of the clock was confirmed.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
#[cbor(map)]
pub(crate) struct ClockRecord {
    /// The newest that was; of a vault that was made while one stood, that one.
    #[n(0)]
    pub(crate) confirmed: Option<ByteArray<16>>,
}

/// The vault's settings; what is absent was never changed.
#[derive(Debug, Clone, Default, PartialEq, Eq, Encode, Decode)]
#[cbor(map)]
pub(crate) struct SettingsRecord {
    /// `AllowKeyManagementOperationsThroughARM`.
    #[n(0)]
    pub(crate) keys_through_arm: Option<bool>,
}

/// The clear body of a vault's first record.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
#[cbor(map)]
pub struct FirstRecord {
    /// `vault` or `hsm`.
    #[n(0)]
    pub kind: String,
    /// How its domain key is kept: `file` or `quorum`.
    #[n(1)]
    pub custody: String,
    /// The key of the log's checkpoints.
    #[n(2)]
    pub vkey: String,
    /// Set if nobody may purge before the retention has passed.
    #[n(3)]
    pub purge_protection: Option<bool>,
    /// SHA-256 of the activation record, of a vault in the custody of a quorum.
    #[n(4)]
    pub activation: Option<ByteArray<32>>,
}

/// Encodes a record. Writing CBOR into memory cannot fail.
pub(crate) fn encode<T: Encode<()>>(record: &T) -> Result<zeroize::Zeroizing<Vec<u8>>, Refusal> {
    minicbor::to_vec(record).map(zeroize::Zeroizing::new).map_err(|_| Refusal::Fault)
}

/// Decodes a record that was opened.
pub(crate) fn decode<T: for<'b> Decode<'b, ()>>(bytes: &[u8]) -> Result<T, Refusal> {
    minicbor::decode(bytes).map_err(|_| Refusal::Damaged)
}

/// Parses every layout of this room from untrusted bytes.
#[doc(hidden)]
pub mod fuzz {
    use super::*;

    /// Must never panic.
    pub fn records(bytes: &[u8]) {
        let _ = decode::<KeyRecord>(bytes);
        let _ = decode::<VersionRecord>(bytes);
        let _ = decode::<SecretsRecord>(bytes);
        let _ = decode::<IssuerRecord>(bytes);
        let _ = decode::<VaultRecord>(bytes);
        let _ = decode::<ClockRecord>(bytes);
        let _ = decode::<SettingsRecord>(bytes);
        let _ = decode::<PurgedRecord>(bytes);
        let _ = crate::clock::note::ClockNote::parse(bytes);
        let _ = decode::<RootRotationRecord>(bytes);
        let _ = decode::<PathsRecord>(bytes);
        let _ = decode::<key_backup::BackupRecord>(bytes);
        let _ = decode::<job::JobsRecord>(bytes);
        let _ = decode::<job::JobRecord<job::BackupWork>>(bytes);
        let _ = decode::<job::JobRecord<job::RestoreWork>>(bytes);
        let _ = decode::<backup::Item>(bytes);
        let _ = decode::<proposal::ProposalRecord>(bytes);
        let _ = decode::<proposal::ErasedRecord>(bytes);
    }
}

#[cfg(test)]
mod tests;
