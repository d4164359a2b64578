//! Every way the audit can fail, with its remedy.

use keystead_model::{InstanceId, NodeId, VaultId};
use std::io;
use std::path::PathBuf;

/// Why a record cannot be made durable now. The operation is refused, without exception.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum JournalDown {
    /// No room could be reserved: the disk or the configured budget is full. Heals by itself once there is room.
    #[error("the audit journal has no room left; free disk space, raise its budget or archive old segments")]
    Full,
    /// As many records as the bound allows are already on their way.
    #[error("too many audit records are waiting to be written; try again")]
    Busy,
    /// A write or sync failed earlier. Nothing more is accepted until the node has been restarted.
    #[error("the audit journal failed; see the log for the cause, repair the disk and restart the node")]
    Failed,
    /// The journal has been closed.
    #[error("the audit journal is closed: the node is stopping")]
    Closed,
    /// The record is longer than [`crate::Record::MAX`] or malformed.
    #[error("the audit record is malformed or longer than its bound")]
    BadRecord,
    /// A replay would have to look into segments that are gone or damaged, so it cannot tell whether the record is
    /// already there.
    #[error("the audit journal cannot be read back to where this replay must look; restore the missing segments")]
    Unreadable,
}

/// Where in the journal something is wrong.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place {
    /// The segment.
    pub path: PathBuf,
    /// Bytes from its start.
    pub offset: u64,
    /// Number of the frame, over all logs, from 0.
    pub frame: u64,
    /// Log and index of the record, as far as its neighbours or its own bytes tell.
    pub record: Option<(VaultId, u64)>,
}

impl std::fmt::Display for Place {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { path, offset, frame, record } = self;
        match record {
            Some((log, index)) => write!(f, "record {index} of log {log}")?,
            None => f.write_str("a record of unknown log")?,
        }
        write!(f, " (frame {frame}, {} at byte {offset})", path.display())
    }
}

/// Why a journal does not open.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// The system refused.
    #[error("{path}: {source}", path = path.display())]
    Io {
        /// What was being read or written.
        path: PathBuf,
        /// The system's word.
        source: io::Error,
    },
    /// Another process has it.
    #[error("{path} is in use by another process; stop that process first", path = path.display())]
    Locked {
        /// The lock.
        path: PathBuf,
    },
    /// The journal of another instance or node.
    #[error("{path} belongs to instance {instance}, node {node}; give this node its own data directory", path = path.display())]
    Foreign {
        /// The segment.
        path: PathBuf,
        /// Its instance.
        instance: InstanceId,
        /// Its node.
        node: NodeId,
    },
    /// A segment whose header is damaged or of a later release.
    #[error("{path}: {why}; restore the file from a copy", path = path.display())]
    BadSegment {
        /// The segment.
        path: PathBuf,
        /// What is wrong with it.
        why: BadHeader,
    },
    /// A record before the last group does not read back.
    #[error("{0} is damaged; restore the segment from a copy and run verify")]
    Damaged(Place),
    /// The log has fewer records than its own checkpoint says.
    #[error(
        "log {log} has {records} records in {path}, but its checkpoint covers {checkpoint}: record {records} is missing; \
         restore the journal from a copy that has it", path = path.display()
    )]
    Short {
        /// Which log.
        log: VaultId,
        /// The journal's last segment.
        path: PathBuf,
        /// Records in the journal.
        records: u64,
        /// Records under the checkpoint.
        checkpoint: u64,
    },
    /// The journal's tree at the checkpoint's size has another root: a record was replaced.
    #[error("log {log}: its first {size} records in {path} are not those its checkpoint covers; restore the journal", path = path.display())]
    Forked {
        /// Which log.
        log: VaultId,
        /// The journal's last segment.
        path: PathBuf,
        /// Records under the checkpoint.
        size: u64,
    },
    /// The node's key is not the one the directory was written with.
    #[error("{path} names another key; restore the node's key, or start a new node with an empty directory", path = path.display())]
    OtherKey {
        /// The published verifier key.
        path: PathBuf,
    },
    /// A log's published state cannot be used.
    #[error("log {log}: {why}")]
    Published {
        /// Which log.
        log: VaultId,
        /// What its publisher said.
        why: String,
    },
}

/// A segment header that does not parse.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum BadHeader {
    /// Not a segment at all.
    #[error("not a journal segment")]
    Magic,
    /// A layout this release does not know.
    #[error("segment version {0} is not known to this release")]
    Version(u8),
    /// Cut short, or its hash or its sums do not hold.
    #[error("the segment's header is damaged")]
    Damaged,
    /// The file's name is not the number of its first frame.
    #[error("the segment's name and its header disagree")]
    Misnamed,
}

/// Why records cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum ReadError {
    /// The system refused.
    #[error("{path}: {source}", path = path.display())]
    Io {
        /// The segment.
        path: PathBuf,
        /// The system's word.
        source: io::Error,
    },
    /// The segment's header is damaged.
    #[error("{path}: {why}; restore the file from a copy", path = path.display())]
    BadSegment {
        /// The segment.
        path: PathBuf,
        /// What is wrong with it.
        why: BadHeader,
    },
    /// A record does not read back.
    #[error("{0} is damaged; restore the segment from a copy and run verify")]
    Damaged(Place),
    /// The segment that held it has been moved away.
    #[error("{path} is not there; restore it from the archive to read so far back", path = path.display())]
    Archived {
        /// The segment, or the directory if no name can be given.
        path: PathBuf,
    },
}
