//! What verification can find, and where.

use std::fmt;
use std::io;
use std::path::PathBuf;

use keystead_model::{Revision, VaultId};

use crate::error::Place;
use crate::tlog::{BadCheckpoint, BadVkey};

/// The first thing found wrong: what, and where.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// What happened to it, as far as can be told.
    pub damage: Damage,
    /// Where.
    pub at: Spot,
}

/// Where something is wrong.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Spot {
    /// A record of the journal.
    Record(Place),
    /// The record that follows this one (log, index) in the journal, and does not say itself whose it is.
    After {
        /// The last good record.
        last: (VaultId, u64),
        /// The segment.
        path: PathBuf,
        /// Bytes from its start.
        offset: u64,
        /// Number of the frame, over all logs, from 0.
        frame: u64,
    },
    /// A byte where no record is.
    Byte {
        /// The segment, or the preallocated next one.
        path: PathBuf,
        /// Bytes from its start.
        offset: u64,
        /// Log and index of the last good record before it, if the journal has one.
        last: Option<(VaultId, u64)>,
    },
    /// A file as a whole: a tile, a checkpoint, a verifier key, a segment's header.
    File(PathBuf),
}

/// What happened.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Damage {
    /// Bytes are not those that were written.
    Altered,
    /// At the end of the journal, under no checkpoint yet, stands what is neither zeros nor a whole record, and it does
    /// not become one: what a crash left, or an alteration. The bytes alone do not tell which.
    TornOrAltered,
    /// A record is gone and those after it have moved up, or a file is not there.
    Removed,
    /// The journal's oldest segments are gone, and nobody said that so many records were archived.
    OldestRemoved {
        /// The first frame that is there.
        until: u64,
    },
    /// A record that was never written stands here.
    Inserted,
    /// A record stands here again.
    Duplicated,
    /// Records have changed places.
    Reordered,
    /// Everything from here on is gone.
    Truncated,
    /// The file holds what belongs into another one.
    Swapped {
        /// Where its content belongs, or where its own is now.
        with: PathBuf,
    },
    /// The checkpoint is properly signed, but not by the key of this directory.
    OtherKey,
    /// The first `size` records are not those under a checkpoint that the same key signed.
    Forked {
        /// Entries under that checkpoint.
        size: u64,
    },
    /// The log is shorter than a checkpoint kept elsewhere.
    RolledBack {
        /// Which log.
        log: VaultId,
        /// Entries under the kept checkpoint.
        kept: u64,
        /// Entries here: the index of the first missing one.
        found: u64,
    },
    /// A change of a vault has no record before this one of a later change.
    RevisionMissing {
        /// Whose change.
        vault: VaultId,
        /// Which.
        revision: Revision,
    },
    /// Two records claim the same change of a vault.
    RevisionTwice {
        /// Whose change.
        vault: VaultId,
        /// Which.
        revision: Revision,
    },
}

/// Why verification did not end well.
#[derive(Debug, thiserror::Error)]
pub enum NotVerified {
    /// Something is wrong with the data.
    #[error("{0}")]
    Found(Finding),
    /// The system refused to read it.
    #[error("{}: {source}: run verify as the owner of the data", path.display())]
    Io {
        /// What was read.
        path: PathBuf,
        /// The system's reason.
        source: io::Error,
    },
    /// A kept checkpoint cannot be used. Nothing is said about the data.
    #[error("kept checkpoint {number}: {why}")]
    Kept {
        /// Which of those given, from 0.
        number: usize,
        /// Why.
        why: BadKept,
    },
}

/// Why a kept checkpoint cannot be used.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum BadKept {
    /// It is not signed by its key.
    #[error(transparent)]
    Checkpoint(#[from] BadCheckpoint),
    /// Its key is none.
    #[error(transparent)]
    Key(#[from] BadVkey),
    /// It is of another node or instance.
    #[error("it is a checkpoint of another node: verify that node's directory against it")]
    OtherNode,
}

impl Finding {
    pub(super) fn file(path: impl Into<PathBuf>, damage: Damage) -> Self {
        Self { damage, at: Spot::File(path.into()) }
    }

    /// The last good record before it is for the reader to add.
    pub(super) fn byte(path: PathBuf, offset: u64, damage: Damage) -> Self {
        Self { damage, at: Spot::Byte { path, offset, last: None } }
    }

    pub(super) fn record(place: Place, damage: Damage) -> Self {
        Self { damage, at: Spot::Record(place) }
    }
}

impl From<Finding> for NotVerified {
    fn from(finding: Finding) -> Self {
        Self::Found(finding)
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.damage {
            Damage::TornOrAltered => write!(f, "{}: {}", self.at, self.damage),
            damage => write!(f, "{} {damage}: {}", self.at, damage.remedy()),
        }
    }
}

impl fmt::Display for Spot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Record(place) => place.fmt(f),
            Self::After { last: (log, index), path, offset, frame } => {
                write!(f, "the record after index {index} of log {log} ")?;
                write!(f, "(frame {frame}, {} at byte {offset})", path.display())
            }
            Self::Byte { path, offset, last } => {
                write!(f, "{} at byte {offset}", path.display())?;
                last.map_or(Ok(()), |(log, index)| write!(f, ", after record {index} of log {log},"))
            }
            Self::File(path) => path.display().fmt(f),
        }
    }
}

impl fmt::Display for Damage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Altered => f.write_str("was altered"),
            Self::TornOrAltered => f.write_str(
                "bytes after the last record: a torn write (start the node once, it cuts it off) or an alteration",
            ),
            Self::Removed => f.write_str("was removed"),
            Self::OldestRemoved { until } => {
                write!(f, "was removed, as was every record before frame {until}")
            }
            Self::Inserted => f.write_str("was inserted"),
            Self::Duplicated => f.write_str("was duplicated"),
            Self::Reordered => f.write_str("was moved"),
            Self::Truncated => f.write_str("is missing, as is everything after it: the journal was truncated"),
            Self::Swapped { with } => write!(f, "was swapped with {}", with.display()),
            Self::OtherKey => f.write_str("was signed by another key than this directory's vkey"),
            Self::Forked { size } => {
                write!(f, "belongs to a fork: the same key signed another history of the first {size} records")
            }
            Self::RolledBack { log, kept, found } => {
                write!(f, "was rolled back: a kept checkpoint covers {kept} records, here are {found}; ")?;
                write!(f, "record {found} of log {log} is the first missing one")
            }
            Self::RevisionMissing { vault, revision } => {
                write!(f, "follows a gap: revision {} of vault {vault} has no record", revision.0)
            }
            Self::RevisionTwice { vault, revision } => {
                write!(f, "claims revision {} of vault {vault}, which another record has", revision.0)
            }
        }
    }
}

impl Damage {
    /// What to do about it.
    fn remedy(&self) -> &'static str {
        match self {
            Self::Forked { .. } | Self::OtherKey => "keep both histories and find out who held the node's key",
            Self::RolledBack { .. } => "restore the newer data, or announce and record the restore",
            Self::OldestRemoved { .. } => {
                "restore the oldest segments; if they were archived, name the first frame that was kept (--archived)"
            }
            Self::RevisionMissing { .. } => {
                "if the node was killed, start it once, it writes what waits; or else compare with the logs of the \
                 other nodes"
            }
            Self::RevisionTwice { .. } => "compare with the logs of the other nodes",
            _ => "keep the data as evidence and restore the file from a copy",
        }
    }
}
