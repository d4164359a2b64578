//! A backup of a key: what leaves the vault as one opaque value, and comes back as a key.
//!
//! ```text
//! "KSB" | format 1 byte (1) | domain id 16 | backup id 16 | sealed record
//! ```
//!
//! The sealed record is a [`BackupRecord`] under the vault's blob key, bound to vault and backup. The material of each
//! version is sealed once more inside it: nothing above `protection` sees a key.

use super::{RotationRecord, VersionRecord, decode, encode};
use crate::error::Refusal;
use keystead_crypto::sealed::{Binding, Sealer};
use keystead_model::{VaultId, Version};
use keystead_store::Kind;
use minicbor::{Decode, Encode};
use thiserror::Error;

/// A key as it was when it was backed up.
#[derive(Clone, PartialEq, Eq, Encode, Decode)]
#[cbor(map)]
pub(crate) struct BackupRecord {
    #[n(0)]
    pub(crate) name: String,
    #[cbor(n(1), with = "minicbor::bytes")]
    pub(crate) newest: [u8; 16],
    #[n(2)]
    pub(crate) newest_created: i64,
    #[n(3)]
    pub(crate) rotation: Option<RotationRecord>,
    #[n(4)]
    pub(crate) versions: Vec<BackupVersion>,
    /// When the backup was taken, ms since the epoch.
    #[n(5)]
    pub(crate) taken: i64,
}

/// One version in a backup. Its material is sealed under the blob key.
#[derive(Clone, PartialEq, Eq, Encode, Decode)]
#[cbor(map)]
pub(crate) struct BackupVersion {
    #[cbor(n(0), with = "minicbor::bytes")]
    pub(crate) version: [u8; 16],
    #[n(1)]
    pub(crate) record: VersionRecord,
}

/// Why a value is not restored. Closed: each protocol gives it its own words.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum BadBackup {
    /// Not a backup of Keystead's at all, or cut short at its very start.
    #[error("the value is not a backup of a key: give one as it was taken")]
    NotABackup,
    /// Written by a later release.
    #[error(
        "the backup has format {found}, and this release reads format 1: restore it with the release that wrote it"
    )]
    NewerFormat {
        /// The format it names.
        found: u8,
    },
    /// Taken in another vault.
    #[error(
        "the backup is of another security domain: restore it in the vault it was taken in, or, if the custodians of \
         this one were replaced since, make a new one"
    )]
    Foreign,
    /// It does not open, or what it holds is not whole.
    #[error("the backup was changed or damaged: restore another copy of it")]
    Damaged,
    /// Over the bound.
    #[error("a backup of a key has at most 720,896 bytes")]
    TooLarge,
}

const MAGIC: &[u8; 3] = b"KSB";
const FORMAT: u8 = 1;

/// Longest backup, in bytes: in base64 it fits into a request body of 1 MiB.
pub(crate) const MAX_BACKUP: usize = 704 << 10;

/// Where one backup, or the material of one version in it, is sealed to.
#[derive(Clone, Copy)]
pub(crate) struct BackupId {
    pub(crate) vault: VaultId,
    pub(crate) id: [u8; 16],
}

impl BackupId {
    fn whole(&self) -> Binding {
        let kind = Kind::Key.code();
        Binding { vault: *self.vault.as_bytes(), kind, object: self.id, version: [0; 16], counter: 1 }
    }

    /// What the material of a version is bound to inside the backup.
    pub(crate) fn material(&self, version: Version) -> Binding {
        Binding { kind: Kind::KeyVersion.code(), version: *version.as_bytes(), ..self.whole() }
    }
}

/// Seals a backup.
pub(crate) fn seal(blobs: &Sealer, id: BackupId, record: &BackupRecord) -> Result<Vec<u8>, Refusal> {
    let sealed = blobs.seal(&id.whole(), &[FORMAT], &encode(record)?);
    let blob = [MAGIC.as_slice(), &[FORMAT], id.vault.as_bytes(), &id.id, &sealed].concat();
    if blob.len() > MAX_BACKUP { Err(BadBackup::TooLarge.into()) } else { Ok(blob) }
}

/// Opens a backup of this vault.
pub(crate) fn open(blobs: &Sealer, vault: VaultId, blob: &[u8]) -> Result<(BackupId, BackupRecord), Refusal> {
    if blob.len() > MAX_BACKUP {
        return Err(BadBackup::TooLarge.into());
    }
    let (id, sealed) = parse(blob)?;
    if id.vault != vault {
        return Err(BadBackup::Foreign.into());
    }
    let plain = blobs.open(&id.whole(), &[FORMAT], sealed).map_err(|_| BadBackup::Damaged)?;
    let record: BackupRecord = decode(&plain).map_err(|_| BadBackup::Damaged)?;
    let newest = record.versions.iter().any(|v| v.version == record.newest);
    if newest { Ok((id, record)) } else { Err(BadBackup::Damaged.into()) }
}

/// Takes a backup apart, before anything in it is believed.
pub(crate) fn parse(blob: &[u8]) -> Result<(BackupId, &[u8]), BadBackup> {
    let rest = blob.strip_prefix(MAGIC).ok_or(BadBackup::NotABackup)?;
    let (format, rest) = rest.split_first().ok_or(BadBackup::NotABackup)?;
    if *format != FORMAT {
        return Err(BadBackup::NewerFormat { found: *format });
    }
    let (vault, rest) = rest.split_first_chunk().ok_or(BadBackup::NotABackup)?;
    let (id, sealed) = rest.split_first_chunk().ok_or(BadBackup::NotABackup)?;
    Ok((BackupId { vault: VaultId::from_bytes(*vault), id: *id }, sealed))
}

#[cfg(test)]
mod tests;
