//! What can go wrong, and what to do about it.

use rusqlite::ErrorCode;
use std::io;
use std::path::PathBuf;

/// The store did not open.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// The directory could not be made or read.
    #[error("the store's directory {path} cannot be used: {cause}. Check that it exists and belongs to this user")]
    Directory {
        /// Which one.
        path: PathBuf,
        /// Why.
        cause: io::Error,
    },
    /// The database file or its lock file could not be made or read.
    #[error("the store's file {path} cannot be used: {cause}. Check that it belongs to this user")]
    File {
        /// Which one.
        path: PathBuf,
        /// Why.
        cause: io::Error,
    },
    /// Another process works on it.
    #[error("the store {path} is open in another process. Stop that one, or ask it through its socket")]
    InUse {
        /// Which one.
        path: PathBuf,
    },
    /// The file is something else.
    #[error("{path} is not a Keystead store. Give the path of one, or of a file that does not exist yet")]
    NotAStore {
        /// Which one.
        path: PathBuf,
    },
    /// A newer release wrote it.
    #[error(
        "the store has schema {found} and this release knows {known}. Start the release that wrote it, or a newer one"
    )]
    NewerSchema {
        /// What stands in the file.
        found: i64,
        /// The newest this release reads.
        known: i64,
    },
    /// The system gave no thread for the writer.
    #[error("the store's writer did not start: {cause}. Raise the limit of threads")]
    Writer {
        /// Why.
        cause: io::Error,
    },
    /// SQLite did not open it.
    #[error("the store did not open: {0}")]
    Storage(#[from] Unavailable),
}

/// The store cannot answer. For a commit the outcome is then unknown until the store is opened again, except where the
/// variant says otherwise: what did reach the disk is found there with its record in the outbox.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Unavailable {
    /// It was closed, before anything was done.
    #[error("the store is closed")]
    Closed,
    /// Another process holds the database; nothing was done.
    #[error("another process holds the store locked (SQLite code {code}). Stop it and try again")]
    Locked {
        /// SQLite's extended code.
        code: i32,
    },
    /// Reading or writing failed. After a failed write nothing more is written.
    #[error("the disk failed (SQLite code {code}). Check it, then start again")]
    Disk {
        /// SQLite's extended code.
        code: i32,
    },
    /// The file is damaged or holds what this release cannot read.
    #[error("the store is damaged (SQLite code {code}). Restore it from a backup")]
    Damaged {
        /// SQLite's extended code; 0 when a column holds what it never should.
        code: i32,
    },
    /// Making the record failed (a panic); nothing was done.
    #[error("the record of this change could not be made; the change was rolled back. This is a defect: report it")]
    Record,
    /// Anything else SQLite refuses; nothing was done.
    #[error("SQLite refused (code {code}). This is a defect: report it")]
    Refused {
        /// SQLite's extended code.
        code: i32,
    },
}

/// A commit that did not happen (for [`CommitError::Unavailable`]: see there).
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum CommitError {
    /// A row is not as it was read, or the vault does not exist, or the operation has committed already.
    #[error("something changed meanwhile. Read again and decide again")]
    Conflict,
    /// A vault with that name, authority or id exists.
    #[error("a vault with that name, authority or id exists. Choose another")]
    Exists,
    /// The queue of writes is full; nothing was done.
    #[error("too many writes are waiting. Try again later")]
    Busy,
    /// See [`Unavailable`].
    #[error("{0}")]
    Unavailable(#[from] Unavailable),
    /// No room; nothing was done.
    #[error("the disk is full. Make room")]
    DiskFull,
}

impl CommitError {
    /// Whether it is known that nothing was done.
    pub const fn is_undone(&self) -> bool {
        !matches!(self, Self::Unavailable(Unavailable::Disk { .. } | Unavailable::Damaged { .. }))
    }
}

impl Unavailable {
    /// Whether nothing may be written any more: what is on disk is no longer known.
    pub(crate) const fn is_final(self) -> bool {
        matches!(self, Self::Disk { .. } | Self::Damaged { .. })
    }
}

impl From<&rusqlite::Error> for Unavailable {
    fn from(e: &rusqlite::Error) -> Self {
        let rusqlite::Error::SqliteFailure(e, _) = e else {
            // What is left are columns of another type or size than the schema's.
            return Self::Damaged { code: 0 };
        };
        let code = e.extended_code;
        match e.code {
            ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked => Self::Locked { code },
            ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase => Self::Damaged { code },
            ErrorCode::SystemIoFailure
            | ErrorCode::CannotOpen
            | ErrorCode::DiskFull
            | ErrorCode::ReadOnly
            | ErrorCode::PermissionDenied
            | ErrorCode::FileLockingProtocolFailed => Self::Disk { code },
            _ => Self::Refused { code },
        }
    }
}

impl From<rusqlite::Error> for Unavailable {
    fn from(e: rusqlite::Error) -> Self {
        Self::from(&e)
    }
}

impl From<rusqlite::Error> for CommitError {
    fn from(e: rusqlite::Error) -> Self {
        match e.sqlite_error_code() {
            Some(ErrorCode::DiskFull) => Self::DiskFull,
            _ => Self::Unavailable(Unavailable::from(&e)),
        }
    }
}
