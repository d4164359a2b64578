//! How the store is, remembered from what reads and writes came to.

use crate::error::{CommitError, Unavailable};
use std::sync::atomic::{AtomicBool, AtomicU8, Ordering};

/// How the store is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StoreState {
    /// It reads and writes.
    Ok,
    /// The last change found no room; what only reads goes on.
    Full,
    /// The last read or write failed, or nothing is written any more.
    Unavailable,
}

impl StoreState {
    /// The word in health.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Full => "full",
            Self::Unavailable => "unavailable",
        }
    }
}

/// What is remembered, shared by readers and writer.
#[derive(Default)]
pub(crate) struct Health {
    reads_fail: AtomicBool,
    /// 0: as before or ok, 1: full, 2: unavailable.
    writes: AtomicU8,
}

impl Health {
    pub(crate) fn state(&self) -> StoreState {
        match (self.reads_fail.load(Ordering::Relaxed), self.writes.load(Ordering::Relaxed)) {
            (false, 0) => StoreState::Ok,
            (false, 1) => StoreState::Full,
            _ => StoreState::Unavailable,
        }
    }

    /// A read was done. Only a change of the state is written: reads are many.
    pub(crate) fn read<T>(&self, outcome: Result<T, Unavailable>) -> Result<T, Unavailable> {
        let failed = outcome.as_ref().is_err_and(|e| *e != Unavailable::Closed);
        if self.reads_fail.load(Ordering::Relaxed) != failed {
            self.reads_fail.store(failed, Ordering::Relaxed);
        }
        outcome
    }

    /// A change was made, or was not for this reason. A conflict or a full queue says nothing about the store.
    pub(crate) fn wrote(&self, outcome: Result<(), CommitError>) {
        let state = match outcome {
            Ok(()) => 0,
            Err(CommitError::DiskFull) => 1,
            Err(CommitError::Unavailable(Unavailable::Record | Unavailable::Closed)) => return,
            Err(CommitError::Unavailable(_)) => 2,
            Err(CommitError::Conflict | CommitError::Exists | CommitError::Busy) => return,
        };
        self.writes.store(state, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LOCKED: Unavailable = Unavailable::Locked { code: 5 };

    #[test]
    fn the_state_is_what_the_last_read_and_the_last_write_found() {
        let health = Health::default();
        let after = |outcome| {
            health.wrote(outcome);
            health.state().name()
        };
        assert_eq!(after(Ok(())), "ok");
        assert_eq!(after(Err(CommitError::DiskFull)), "full");
        assert_eq!(after(Err(CommitError::Conflict)), "full", "it was rolled back before it needed room");
        assert_eq!(after(Err(CommitError::Unavailable(LOCKED))), "unavailable");
        assert_eq!(after(Ok(())), "ok");
        assert!(health.read::<()>(Err(LOCKED)).is_err());
        assert_eq!((health.state().name(), after(Ok(()))), ("unavailable", "unavailable"), "reads still fail");
        assert_eq!(health.read(Ok(7)), Ok(7));
        assert_eq!(health.state().name(), "ok");
        assert!(health.read::<()>(Err(Unavailable::Closed)).is_err());
        assert_eq!(health.state().name(), "ok", "an end is no fault");
    }
}
