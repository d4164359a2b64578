//! The pool's queue.

use super::Weight;
use crate::KeyError;
use std::collections::VecDeque;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};

/// A piece of work that answers its caller itself.
pub(super) struct Job {
    pub(super) weight: Weight,
    pub(super) work: Box<dyn FnOnce() + Send>,
}

/// Jobs on their way from callers to threads.
pub(super) struct Queue {
    state: Mutex<State>,
    /// A job came, a heavy one ended, or the queue was closed.
    changed: Condvar,
    most_waiting: usize,
    most_heavy: usize,
}

struct State {
    waiting: VecDeque<Job>,
    /// Heavy jobs under way.
    heavy: usize,
    open: bool,
}

impl Queue {
    pub(super) fn new(threads: usize, most_waiting: usize) -> Self {
        let state = State { waiting: VecDeque::new(), heavy: 0, open: true };
        let most_heavy = threads.saturating_sub(1).max(1);
        Self { state: Mutex::new(state), changed: Condvar::new(), most_waiting, most_heavy }
    }

    /// Puts a job last, or refuses it at once.
    pub(super) fn push(&self, job: Job) -> Result<(), KeyError> {
        let mut state = self.lock();
        if !state.open {
            return Err(KeyError::Stopped);
        }
        if state.waiting.len() >= self.most_waiting {
            return Err(KeyError::Busy);
        }
        state.waiting.push_back(job);
        drop(state);
        self.changed.notify_one();
        Ok(())
    }

    /// Lets the threads go. Jobs that wait are dropped, which tells their callers.
    pub(super) fn close(&self) {
        let mut state = self.lock();
        state.open = false;
        let waiting = std::mem::take(&mut state.waiting);
        drop(state);
        self.changed.notify_all();
        drop(waiting);
    }

    /// How many jobs wait.
    pub(super) fn waiting(&self) -> usize {
        self.lock().waiting.len()
    }

    /// A thread's whole life: one job after the other until the queue is closed.
    pub(super) fn serve(&self) {
        while let Some(job) = self.next() {
            // A job shares nothing that a panic could leave half-changed, and its caller sees its answer dropped.
            drop(catch_unwind(AssertUnwindSafe(job.work)));
            if job.weight == Weight::Heavy {
                self.heavy_done();
            }
        }
    }

    fn next(&self) -> Option<Job> {
        let mut state = self.lock();
        loop {
            if !state.open {
                return None;
            }
            if let Some(job) = self.take(&mut state) {
                return Some(job);
            }
            state = self.changed.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
    }

    /// The first job that may begin.
    fn take(&self, state: &mut State) -> Option<Job> {
        let room = state.heavy < self.most_heavy;
        let at = state.waiting.iter().position(|job| room || job.weight == Weight::Light)?;
        let job = state.waiting.remove(at)?;
        if job.weight == Weight::Heavy {
            state.heavy = state.heavy.saturating_add(1);
        }
        Some(job)
    }

    fn heavy_done(&self) {
        let mut state = self.lock();
        state.heavy = state.heavy.saturating_sub(1);
        drop(state);
        // This thread looks for work next anyway; a heavy job that waited may have an idle thread beside it.
        self.changed.notify_one();
    }

    /// Jobs run outside the lock, so a poisoned lock cannot hold a half-made change.
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
