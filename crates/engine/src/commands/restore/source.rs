//! The frames of a backup, one after the other.

use crate::backup::place::Target;
use crate::backup::stream::{self, Opened, Read};
use crate::backup::{BackupError, Storage};
use crate::records::job::AtRecord;
use keystead_custody::Frames;

/// A backup that is being read.
pub(super) struct Source<'a> {
    storage: &'a Storage,
    target: &'a Target,
    frames: Frames,
    begun: u64,
    /// What is read next.
    pub(super) at: AtRecord,
    bytes: Vec<u8>,
    used: usize,
}

impl<'a> Source<'a> {
    pub(super) const fn new(storage: &'a Storage, target: &'a Target, frames: Frames, at: AtRecord) -> Self {
        Self { storage, target, frames, begun: at.byte, at, bytes: Vec::new(), used: 0 }
    }

    /// Whether as much was read as a step may.
    pub(super) fn had_enough(&self) -> bool {
        let step = u64::try_from(self.step()).unwrap_or(u64::MAX);
        self.at.byte.saturating_sub(self.begun) >= step
    }

    /// Rows weigh more in memory than in a frame.
    const fn step(&self) -> usize {
        self.storage.part() / 4
    }

    /// The next frame; the caller goes on behind it with [`Self::pass`].
    pub(super) async fn next(&mut self) -> Result<Opened, BackupError> {
        loop {
            let rest = self.bytes.get(self.used..).unwrap_or_default();
            let needed = match stream::open(&self.frames, self.at, rest)? {
                Read::Frame(opened) => return Ok(opened),
                Read::Needs(needed) => needed,
            };
            let most = needed.max(self.step());
            self.bytes = self.storage.read(self.target, self.at.byte, most).await?;
            self.used = 0;
            if self.bytes.len() < needed {
                return Err(BackupError::Truncated);
            }
        }
    }

    /// Goes on behind a frame.
    pub(super) fn pass(&mut self, opened: &Opened) {
        let length = usize::try_from(opened.next.byte.saturating_sub(self.at.byte)).unwrap_or(usize::MAX);
        self.used = self.used.saturating_add(length);
        self.at = opened.next;
    }

    /// Behind the last frame there must be nothing.
    pub(super) async fn ends_here(&self) -> Result<(), BackupError> {
        match self.storage.read(self.target, self.at.byte, 1).await?.is_empty() {
            true => Ok(()),
            false => Err(BackupError::Altered { frame: self.at.number }),
        }
    }
}
