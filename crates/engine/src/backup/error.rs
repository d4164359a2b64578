//! Why a whole vault is not backed up, or not restored.

use keystead_formats::backup::BadHeader;
use keystead_model::{Name, ObjectId};
use thiserror::Error;

/// Why a whole vault is not backed up or restored. Closed: each protocol gives it its own codes. Each says what to do.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum BackupError {
    /// One at a time.
    #[error("a backup or a restore of this vault is under way (job {job}): wait until it has ended")]
    Running {
        /// Which.
        job: ObjectId,
    },
    /// No such backup or restore of this vault.
    #[error("this vault has no such job: `keystead backup list` shows those there are")]
    NoSuchJob,
    /// Not a place for backups.
    #[error("'{what}' is malformed: {expected}")]
    BadPlace {
        /// Which member.
        what: &'static str,
        /// What it must be.
        expected: &'static str,
    },
    /// The server has no place of its own.
    #[error("this server has no directory for backups: set `backup.directory`, or name a container of an object store")]
    NoDirectory,
    /// The configuration does not let the server go there.
    #[error("this server's configuration does not let backups reach {host}: add it to `backup.hosts`")]
    NotAllowed {
        /// Host and port.
        host: String,
    },
    /// The object store said no.
    #[error(
        "the object store refused with status {status}: check the container and the SAS token, and what it permits"
    )]
    Denied {
        /// The status.
        status: u16,
    },
    /// Nothing stands there.
    #[error("there is no backup at this place: check container and folder")]
    NotFound,
    /// What was written is not there any more.
    #[error("what was written of the backup is gone from its place: begin it again")]
    Lost,
    /// The place has a backup already.
    #[error("there is a backup at this place already: begin it again")]
    Exists,
    /// No room.
    #[error("there is no room for the backup at its place: make room, and begin it again")]
    Full,
    /// It does not answer, or not now.
    #[error("the place of the backup cannot be reached: {why}")]
    Unreachable {
        /// Why.
        why: String,
    },
    /// Not a backup, or one of a later release.
    #[error("{0}: give one as it was taken")]
    Header(#[from] BadHeader),
    /// Of another security domain.
    #[error(
        "the backup belongs to the security domain {backup}, and this vault to {vault}: restore it in a vault of its \
         own domain. After custodians were replaced, a vault has another domain than before"
    )]
    Foreign {
        /// The backup's domain.
        backup: String,
        /// The vault's.
        vault: String,
    },
    /// It ends too early.
    #[error("the backup is cut short: its end is missing. Restore another copy of it")]
    Truncated,
    /// Something in it is not what was written.
    #[error("the backup was changed or damaged, at frame {frame} or before: restore another copy of it")]
    Altered {
        /// Which frame did not open, from 0.
        frame: u64,
    },
    /// The vault has what is newer.
    #[error(
        "the vault was changed since the backup was begun at revision {backup}, and is at revision {vault}: restoring it \
         takes those changes back. Say so (`rollback`), or restore single keys"
    )]
    Older {
        /// The backup's revision.
        backup: u64,
        /// The vault's.
        vault: u64,
    },
    /// No such key in it.
    #[error("the backup holds no key '{name}'")]
    NoSuchKey {
        /// As asked.
        name: Name,
    },
    /// HSM keys, and no HSM.
    #[error("the backup holds HSM keys, and this vault has no HSM: give it one of the same domain first")]
    NoHsm,
    /// The right is gone.
    #[error("whoever began it has no right to it any more")]
    Revoked,
    /// The place did not answer for a quarter of an hour.
    #[error("it came no further for a quarter of an hour: {why}")]
    Stuck {
        /// What the last step failed with.
        why: String,
    },
    /// Something else than the place was in its way for a quarter of an hour.
    #[error("it came no further for a quarter of an hour: {why}. Begin it again when the vault has less to do")]
    NoProgress {
        /// What the last step failed with.
        why: String,
    },
    /// A stored row does not open.
    #[error("a stored record of this vault is damaged: `keystead doctor` says which")]
    RowDamaged,
    /// What was written of a key is gone again.
    #[error("the key '{name}' was purged while it was restored: begin the restore again")]
    PurgedMeanwhile {
        /// Which.
        name: Name,
    },
}

impl BackupError {
    /// The number that stands in stored jobs. Never reused.
    pub(crate) const fn code(&self) -> u8 {
        match self {
            Self::Running { .. } => 1,
            Self::NoSuchJob => 2,
            Self::BadPlace { .. } => 3,
            Self::NoDirectory => 4,
            Self::NotAllowed { .. } => 5,
            Self::Denied { .. } => 6,
            Self::NotFound => 7,
            Self::Lost => 8,
            Self::Exists => 9,
            Self::Full => 10,
            Self::Unreachable { .. } => 11,
            Self::Header(_) => 12,
            Self::Foreign { .. } => 13,
            Self::Truncated => 14,
            Self::Altered { .. } => 15,
            Self::Older { .. } => 16,
            Self::NoSuchKey { .. } => 17,
            Self::Revoked => 18,
            Self::Stuck { .. } => 19,
            Self::NoHsm => 20,
            Self::NoProgress { .. } => 21,
            Self::RowDamaged => 22,
            Self::PurgedMeanwhile { .. } => 23,
        }
    }

    /// The word for a stored number.
    pub(crate) const fn word(code: u8) -> &'static str {
        match code {
            6 => "StorageDenied",
            5 => "StorageNotAllowed",
            7 => "BackupNotFound",
            8 => "BackupLost",
            10 => "StorageFull",
            11 | 19 => "StorageUnreachable",
            12 => "NotABackup",
            13 => "BackupForeign",
            14 => "BackupTruncated",
            15 => "BackupAltered",
            16 => "BackupOlder",
            17 => "KeyNotFound",
            18 => "Forbidden",
            20 => "NoHsm",
            21 => "NoProgress",
            22 => "VaultDamaged",
            23 => "KeyPurged",
            _ => "BackupFailed",
        }
    }

    /// A word for programs.
    pub const fn name(&self) -> &'static str {
        Self::word(self.code())
    }

    /// Whether trying again later may do better.
    pub(crate) const fn may_pass(&self) -> bool {
        matches!(self, Self::Unreachable { .. })
    }
}
