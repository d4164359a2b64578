//! What a vault is besides its keys, in digests: as its inventory says it, and as a backup of it holds it. So a
//! rehearsal, in which no policy comes back, can hold the one against the other.

use super::BackupError;
use super::stream::{self, Read};
use crate::commands::restore::here;
use crate::records::backup::{Item, VaultItem};
use crate::records::job::AtRecord;
use keystead_crypto::sha256;
use keystead_custody::BackupKey;
use std::io;

/// Digests of a vault's policy and of its settings, hex.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Told {
    /// Of the policy, in which the vault's own issuer has no name.
    pub policy: String,
    /// Of what was settled when the vault was made: kind, retention, purge protection.
    pub settings: String,
}

/// Why a backup does not say it.
#[derive(Debug, thiserror::Error)]
pub enum NotTold {
    /// It is not as it was written.
    #[error(transparent)]
    Backup(#[from] BackupError),
    /// It cannot be read.
    #[error("the backup cannot be read: {0}")]
    Io(#[from] io::Error),
}

impl Told {
    pub(crate) fn of(item: VaultItem) -> Self {
        let settled = (item.vault.kind.clone(), item.vault.retention_days, item.purge_protection);
        Self { policy: digest(&here(item, "")), settings: digest(&settled) }
    }

    /// As the first frame of a backup says it, whose header these bytes are. `read` gives so many bytes of it from a
    /// place on.
    pub fn in_backup(
        header: &[u8],
        key: &BackupKey,
        mut read: impl FnMut(u64, usize) -> io::Result<Vec<u8>>,
    ) -> Result<Self, NotTold> {
        let (frames, at) = (key.frames(header), AtRecord::first(header));
        let mut bytes = Vec::new();
        loop {
            let needed = match stream::open(&frames, at, &bytes)? {
                Read::Frame(opened) => match opened.items.into_iter().next() {
                    Some(Item::Vault(item)) => return Ok(Self::of(*item)),
                    _ => return Err(BackupError::Altered { frame: 0 }.into()),
                },
                Read::Needs(needed) => needed,
            };
            bytes = read(at.byte, needed)?;
            if bytes.len() < needed {
                return Err(BackupError::Truncated.into());
            }
        }
    }
}

fn digest<T: minicbor::Encode<()>>(of: &T) -> String {
    hex::encode(sha256(&[&minicbor::to_vec(of).unwrap_or_default()]))
}
