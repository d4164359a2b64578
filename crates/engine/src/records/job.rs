//! What is kept of backups and restores of a whole vault.

use super::KeyRecord;
use super::backup::Counts;
use crate::backup::place::PlaceRecord;
use keystead_access::AdministersBy;
use minicbor::bytes::{ByteArray, ByteVec};
use minicbor::{Decode, Encode};

/// Which jobs there are, the newest last: the row that makes one wait for the other.
#[derive(Debug, Clone, Default, PartialEq, Eq, Encode, Decode)]
#[cbor(map)]
pub(crate) struct JobsRecord {
    #[n(0)]
    pub(crate) recent: Vec<RecentJob>,
}

/// One of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Encode, Decode)]
#[cbor(map)]
pub(crate) struct RecentJob {
    #[n(0)]
    pub(crate) id: ByteArray<16>,
    #[n(1)]
    pub(crate) restore: bool,
}

/// A backup or a restore. `W` is how far it has come, and goes with its end, as does the token of its place.
#[derive(Clone, PartialEq, Encode, Decode)]
#[cbor(map)]
pub(crate) struct JobRecord<W> {
    /// [`crate::backup::JobState`]'s code.
    #[n(0)]
    pub(crate) state: u8,
    /// ms since the epoch, as are all times here.
    #[n(1)]
    pub(crate) started: i64,
    #[n(2)]
    pub(crate) ended: Option<i64>,
    #[n(3)]
    pub(crate) place: PlaceRecord,
    #[n(4)]
    pub(crate) by: ByRecord,
    /// Whether it only looks whether it could be done.
    #[n(5)]
    pub(crate) check: bool,
    #[n(6)]
    pub(crate) error: Option<ErrorRecord>,
    /// When the last step was done.
    #[n(7)]
    pub(crate) progressed: i64,
    #[n(8)]
    pub(crate) details: Option<String>,
    #[n(9)]
    pub(crate) work: Option<W>,
}

/// Who began it, and by which right.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
#[cbor(map)]
pub(crate) struct ByRecord {
    #[n(0)]
    pub(crate) issuer: String,
    #[n(1)]
    pub(crate) subject: String,
    /// The role assignment; none: as an administrator of the vault.
    #[n(2)]
    pub(crate) assignment: Option<ByteArray<16>>,
    /// By what he administers the vault, if he does.
    #[n(3)]
    pub(crate) administers: Option<AdministersBy>,
}

/// Why it failed.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
#[cbor(map)]
pub(crate) struct ErrorRecord {
    #[n(0)]
    pub(crate) code: u8,
    #[n(1)]
    pub(crate) message: String,
}

/// The key of a backup, while its job runs.
#[derive(Clone, PartialEq, Eq, Encode, Decode, zeroize::Zeroize, zeroize::ZeroizeOnDrop)]
#[cbor(transparent)]
pub(crate) struct JobKey(#[cbor(n(0), with = "minicbor::bytes")] pub(crate) [u8; 32]);

/// The next frame: its number, and the digest of all before it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Encode, Decode)]
#[cbor(map)]
pub(crate) struct AtRecord {
    #[n(0)]
    pub(crate) number: u64,
    #[n(1)]
    pub(crate) before: ByteArray<32>,
    /// At which byte it begins.
    #[n(2)]
    pub(crate) byte: u64,
}

/// How far a backup has come.
#[derive(Clone, PartialEq, Encode, Decode)]
#[cbor(map)]
pub(crate) struct BackupWork {
    #[n(0)]
    pub(crate) key: JobKey,
    #[n(1)]
    pub(crate) header: ByteVec,
    #[n(2)]
    pub(crate) at: AtRecord,
    #[n(3)]
    pub(crate) parts: u32,
    /// The vault, live keys, deleted keys, live keys once more, the end, its name: from 0.
    #[n(4)]
    pub(crate) pass: u8,
    /// The tag of the last key that is whole.
    #[n(5)]
    pub(crate) after: Option<ByteArray<32>>,
    #[n(6)]
    pub(crate) inside: Option<CopiedKey>,
    #[n(7)]
    pub(crate) counts: Counts,
}

/// A key of which a part is written.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
#[cbor(map)]
pub(crate) struct CopiedKey {
    #[n(0)]
    pub(crate) tag: ByteArray<32>,
    #[n(1)]
    pub(crate) id: ByteArray<16>,
    #[n(2)]
    pub(crate) newest: ByteArray<16>,
    /// The last version that is written.
    #[n(3)]
    pub(crate) after: Option<ByteArray<16>>,
    /// Whether the newest was.
    #[n(4)]
    pub(crate) whole: bool,
}

/// How far a restore has come.
#[derive(Clone, PartialEq, Encode, Decode)]
#[cbor(map)]
pub(crate) struct RestoreWork {
    #[n(0)]
    pub(crate) key: JobKey,
    /// The backup's id, and the digest by which frames are sealed.
    #[n(1)]
    pub(crate) backup: ByteArray<16>,
    #[n(2)]
    pub(crate) header: ByteVec,
    #[n(3)]
    pub(crate) at: AtRecord,
    /// Reading it all, restoring, deleting what it has not, the policy: from 0.
    #[n(4)]
    pub(crate) phase: u8,
    /// What was read.
    #[n(5)]
    pub(crate) counts: Counts,
    /// The vault's revision when it was begun.
    #[n(6)]
    pub(crate) since: Option<u64>,
    /// The tag of the last key that was looked at.
    #[n(7)]
    pub(crate) after: Option<ByteArray<32>>,
    #[n(8)]
    pub(crate) inside: Option<RestoredKey>,
    /// The one key that is to be restored.
    #[n(9)]
    pub(crate) only: Option<String>,
    /// Whether it was found.
    #[n(10)]
    pub(crate) found: bool,
    /// Whether the policy is restored, too.
    #[n(11)]
    pub(crate) policy: bool,
    #[n(12)]
    pub(crate) done: Restored,
    /// Whether changes since the backup may be taken back.
    #[n(13)]
    pub(crate) rollback: Option<bool>,
    /// The vault's revision up to which it was asked whether any would be.
    #[n(14)]
    pub(crate) seen: Option<u64>,
}

/// A key of which a part was read.
#[derive(Clone, PartialEq, Encode, Decode)]
#[cbor(map)]
pub(crate) struct RestoredKey {
    #[n(0)]
    pub(crate) head: KeyRecord,
    /// The object it is; none: it is passed over.
    #[n(1)]
    pub(crate) id: Option<ByteArray<16>>,
    /// Whether it was there before: it must not go while it is written.
    #[n(2)]
    pub(crate) existed: Option<bool>,
}

/// What was done.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Encode, Decode)]
#[cbor(map)]
pub(crate) struct Restored {
    /// Versions that were written.
    #[n(0)]
    pub(crate) versions: u64,
    /// Versions that stay as they are.
    #[n(1)]
    pub(crate) kept: u64,
    /// Keys that were deleted, recoverably.
    #[n(2)]
    pub(crate) deleted: u64,
}

#[cfg(test)]
mod tests;
