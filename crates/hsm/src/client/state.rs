//! How a token is, and what was counted.

use crate::error::HsmError;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

/// How a token is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TokenState {
    /// Its worker starts; calls wait.
    Starting,
    /// It answers.
    Ready,
    /// It cannot be reached; calls are refused at once while it is tried again.
    Down {
        /// What was seen last.
        why: HsmError,
        /// Since when it does not answer.
        since: Instant,
    },
    /// It refused the PIN. It is not asked again.
    Refused,
}

/// Numbers since the client was made.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Figures {
    /// Calls made.
    pub calls: u64,
    /// Refused because the queue was full.
    pub busy: u64,
    /// Refused because the token was away.
    pub down: u64,
    /// Not answered in time.
    pub late: u64,
    /// Calls made once more with a new worker.
    pub retried: u64,
    /// Workers started after the first.
    pub restarts: u64,
    /// Workers killed because they held a call.
    pub kills: u64,
    /// Calls that wait for a session now.
    pub waiting: u64,
    /// Calls that the token works on now.
    pub under_way: u64,
}

/// A number that threads share.
#[derive(Default)]
pub(super) struct Counter(AtomicU64);

impl Counter {
    pub(super) fn add(&self) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }

    pub(super) fn set(&self, number: u64) {
        self.0.store(number, Ordering::Relaxed);
    }

    pub(super) fn read(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

/// See [`Figures`].
#[derive(Default)]
pub(super) struct Counters {
    pub(super) calls: Counter,
    pub(super) busy: Counter,
    pub(super) down: Counter,
    pub(super) late: Counter,
    pub(super) retried: Counter,
    pub(super) starts: Counter,
    pub(super) kills: Counter,
    pub(super) under_way: Counter,
    /// The worker's process, 0 if there is none.
    pub(super) worker: Counter,
}

impl Counters {
    pub(super) fn refused(&self, error: &HsmError) {
        match error {
            HsmError::Busy => self.busy.add(),
            _ => self.down.add(),
        }
    }

    pub(super) fn read(&self, waiting: usize) -> Figures {
        Figures {
            calls: self.calls.read(),
            busy: self.busy.read(),
            down: self.down.read(),
            late: self.late.read(),
            retried: self.retried.read(),
            restarts: self.starts.read().saturating_sub(1),
            kills: self.kills.read(),
            waiting: waiting.try_into().unwrap_or(u64::MAX),
            under_way: self.under_way.read(),
        }
    }
}
