//! The pool's queue: turns behind a lock, and the threads that wait for one.

use super::turns::{Lane, Turns};
use super::{Fate, Weight};
use crate::KeyError;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

/// A piece of work that answers its caller itself, also when its turn never comes.
pub(super) struct Job {
    pub(super) weight: Weight,
    pub(super) work: Box<dyn FnOnce(Fate) + Send>,
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
    turns: Turns<Job>,
    /// Heavy jobs under way.
    heavy: usize,
    open: bool,
}

impl Queue {
    pub(super) fn new(threads: usize, most_waiting: usize) -> Self {
        let state = State { turns: Turns::new(), heavy: 0, open: true };
        let most_heavy = threads.saturating_sub(1).max(1);
        Self { state: Mutex::new(state), changed: Condvar::new(), most_waiting, most_heavy }
    }

    /// Puts a job last in its lane, or refuses it at once. If the queue is full, whoever waits with most gives way to
    /// who waits with less.
    pub(super) fn push(&self, lane: Lane, job: Job) -> Result<(), KeyError> {
        let mut state = self.lock();
        if !state.open {
            return Err(KeyError::Stopped);
        }
        let mut displaced = None;
        if state.turns.waiting() >= self.most_waiting {
            displaced = Some(state.turns.displace(lane).ok_or(KeyError::Busy)?);
        }
        state.turns.push(lane, job);
        drop(state);
        self.changed.notify_one();
        if let Some(displaced) = displaced {
            (displaced.work)(Fate::Displaced);
        }
        Ok(())
    }

    /// Lets the threads go. Jobs that wait are dropped, which tells their callers.
    pub(super) fn close(&self) {
        let mut state = self.lock();
        state.open = false;
        let waiting = state.turns.drain();
        drop(state);
        self.changed.notify_all();
        drop(waiting);
    }

    /// How many jobs wait.
    pub(super) fn waiting(&self) -> usize {
        self.lock().turns.waiting()
    }

    /// A thread's whole life: one job after the other until the queue is closed.
    pub(super) fn serve(&self) {
        while let Some((lane, job)) = self.next() {
            let weight = job.weight;
            let micros = timed(|| {
                // A job shares nothing that a panic could leave half-changed, and its caller sees its answer dropped.
                drop(catch_unwind(AssertUnwindSafe(|| (job.work)(Fate::Turn))));
            });
            self.done(lane, weight, micros);
        }
    }

    fn next(&self) -> Option<(Lane, Job)> {
        let mut state = self.lock();
        loop {
            if !state.open {
                return None;
            }
            if let Some(next) = self.take(&mut state) {
                return Some(next);
            }
            state = self.changed.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
    }

    /// The job whose turn it is, of those that may begin.
    fn take(&self, state: &mut State) -> Option<(Lane, Job)> {
        let room = state.heavy < self.most_heavy;
        let (lane, job) = state.turns.next(|job| room || job.weight == Weight::Light)?;
        if job.weight == Weight::Heavy {
            state.heavy = state.heavy.saturating_add(1);
        }
        Some((lane, job))
    }

    fn done(&self, lane: Lane, weight: Weight, micros: u64) {
        let mut state = self.lock();
        state.turns.done(lane, micros);
        if weight == Weight::Heavy {
            state.heavy = state.heavy.saturating_sub(1);
            drop(state);
            // This thread looks for work next anyway; a heavy job that waited may have an idle thread beside it.
            self.changed.notify_one();
        }
    }

    /// Jobs run outside the lock, so a poisoned lock cannot hold a half-made change.
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// How long the work held its thread, in microseconds.
#[expect(clippy::disallowed_methods, reason = "what work cost is known only to who ran it")]
fn timed(work: impl FnOnce()) -> u64 {
    let began = Instant::now();
    work();
    u64::try_from(began.elapsed().as_micros()).unwrap_or(u64::MAX)
}
