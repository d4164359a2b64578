//! Scripted faults: a store told to fail its nth commit or read, for the tests of what stands on it.

use crate::error::{CommitError, Unavailable};
use crate::row::MakeRecord;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

/// The script of one faulty store. Clones share it.
#[derive(Clone, Default)]
pub struct Faults(Arc<Mutex<Script>>);

#[derive(Default)]
struct Script {
    commits: u64,
    reads: u64,
    fail_commits: BTreeMap<u64, CommitFault>,
    fail_reads: BTreeMap<u64, Unavailable>,
}

/// How a commit fails.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CommitFault {
    /// Nothing is done.
    Before(CommitError),
    /// It is done, and nobody learns of it: the outcome is unknown to the caller.
    After(CommitError),
    /// The record is made, and then nothing is done: as when the disk is full at the last step. Not for `meta` writes.
    Spent(CommitError),
}

impl Faults {
    /// The nth write from now (1: the next; `commit`, `create_vault`, `set_status` and `meta_put_once` count) fails.
    pub fn fail_commit(&self, nth: u64, fault: CommitFault) {
        self.script(|s| s.fail_commits.insert(s.commits.saturating_add(nth), fault));
    }

    /// The nth write from now is not to fail any more.
    pub fn unfail_commit(&self, nth: u64) {
        self.script(|s| s.fail_commits.remove(&s.commits.saturating_add(nth)));
    }

    /// The nth read from now (1: the next) fails.
    pub fn fail_read(&self, nth: u64, error: Unavailable) {
        self.script(|s| s.fail_reads.insert(s.reads.saturating_add(nth), error));
    }

    /// Writes asked for so far.
    pub fn commits(&self) -> u64 {
        self.script(|s| s.commits)
    }

    /// Reads asked for so far.
    pub fn reads(&self) -> u64 {
        self.script(|s| s.reads)
    }

    /// The next commit's record: of one that fails as [`CommitFault::Spent`] it is made and then thrown away.
    pub(crate) fn around_record(&self, make: MakeRecord) -> MakeRecord {
        let next = self.script(|s| s.fail_commits.get(&s.commits.saturating_add(1)).copied());
        match next {
            Some(CommitFault::Spent(_)) => Box::new(move |revision| {
                let _made = make(revision);
                std::panic::resume_unwind(Box::new("a scripted fault"))
            }),
            _ => make,
        }
    }

    pub(crate) async fn around_commit<T>(
        &self,
        commit: impl Future<Output = Result<T, CommitError>>,
    ) -> Result<T, CommitError> {
        let fault = self.script(|s| {
            s.commits = s.commits.saturating_add(1);
            s.fail_commits.remove(&s.commits)
        });
        match fault {
            None => commit.await,
            Some(CommitFault::Before(error)) => Err(error),
            Some(CommitFault::After(error)) => commit.await.and(Err(error)),
            Some(CommitFault::Spent(error)) => {
                // Its record unwinds, so it does not stand.
                let _rolled_back = commit.await;
                Err(error)
            }
        }
    }

    pub(crate) fn before_read(&self) -> Result<(), Unavailable> {
        let fault = self.script(|s| {
            s.reads = s.reads.saturating_add(1);
            s.fail_reads.remove(&s.reads)
        });
        fault.map_or(Ok(()), Err)
    }

    fn script<T>(&self, f: impl FnOnce(&mut Script) -> T) -> T {
        f(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}
