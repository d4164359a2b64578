//! What is told of a backup or a restore.

use keystead_model::{ObjectId, Time};

/// Which of the two.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum JobKind {
    /// A backup.
    Backup,
    /// A restore.
    Restore,
}

/// How it stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum JobState {
    /// Under way.
    Running,
    /// Done.
    Succeeded,
    /// Ended without success; [`JobView::error`] says why.
    Failed,
}

impl JobState {
    pub(crate) const fn code(self) -> u8 {
        match self {
            Self::Running => 1,
            Self::Succeeded => 2,
            Self::Failed => 3,
        }
    }

    /// What this release does not know ended without success.
    pub(crate) const fn from_code(code: u8) -> Self {
        match code {
            1 => Self::Running,
            2 => Self::Succeeded,
            _ => Self::Failed,
        }
    }
}

/// A backup or a restore, as a reader sees it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct JobView {
    /// Its id.
    pub id: ObjectId,
    /// Which of the two.
    pub kind: JobKind,
    /// How it stands.
    pub state: JobState,
    /// When it was begun.
    pub started: Time,
    /// When it ended.
    pub ended: Option<Time>,
    /// Whether it only looks whether it could be done.
    pub check: bool,
    /// The backup's folder: of a backup from its end on.
    pub folder: Option<String>,
    /// How far it has come, or what it did, in words.
    pub details: Option<String>,
    /// Why it failed: a word and a sentence.
    pub error: Option<(&'static str, String)>,
}
