//! The pool's queue: turns behind a lock, and the threads that wait for one.
//!
//! Of several threads one is the spare: it stays away while short work is done beside the pool, and leaves that a
//! processor. A thread's priority is not enough: what such work waits for is often a thread of the kernel (a sync is
//! several), to which this process is one, however nice some of its threads are.

use super::turns::{Lane, Turns};
use super::{Fate, Weight};
use crate::KeyError;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

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
    /// The spare thread waits here while it stays away. All others went to heavy work, or the queue was closed.
    away: Condvar,
    beside: Beside,
    most_waiting: usize,
    most_heavy: usize,
}

/// When short work was last done beside the pool.
struct Beside {
    began: Instant,
    /// Microseconds after that; 0 is never.
    last: AtomicU64,
    /// How long it counts.
    span: Duration,
}

/// What a thread is there for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Seat {
    /// Everything, always.
    Steady,
    /// Light work, while no short work is done beside the pool or all others are at heavy work.
    Spare,
}

struct State {
    turns: Turns<Job>,
    /// Heavy jobs under way.
    heavy: usize,
    open: bool,
}

impl Queue {
    /// The spare thread stays away for so long after short work.
    pub(super) fn new(threads: usize, most_waiting: usize, away: Duration) -> Self {
        let state = State { turns: Turns::new(), heavy: 0, open: true };
        let most_heavy = threads.saturating_sub(1).max(1);
        let beside = Beside { began: now(), last: AtomicU64::new(0), span: away };
        let (changed, away) = (Condvar::new(), Condvar::new());
        Self { state: Mutex::new(state), changed, away, beside, most_waiting, most_heavy }
    }

    /// Notes that short work is done beside the pool.
    pub(super) fn note_short_work(&self) {
        self.beside.note(now());
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
        self.away.notify_all();
        drop(waiting);
    }

    /// How many jobs wait.
    pub(super) fn waiting(&self) -> usize {
        self.lock().turns.waiting()
    }

    /// A thread's whole life: one job after the other until the queue is closed.
    pub(super) fn serve(&self, seat: Seat) {
        while let Some((lane, job)) = self.next(seat) {
            let weight = job.weight;
            let micros = timed(|| {
                // A job shares nothing that a panic could leave half-changed, and its caller sees its answer dropped.
                drop(catch_unwind(AssertUnwindSafe(|| (job.work)(Fate::Turn))));
            });
            self.done(lane, weight, micros);
        }
    }

    fn next(&self, seat: Seat) -> Option<(Lane, Job)> {
        let mut state = self.lock();
        loop {
            if !state.open {
                return None;
            }
            let rest = self.stays_away(seat, &state);
            if rest.is_none()
                && let Some(next) = self.take(seat, &mut state)
            {
                return Some(next);
            }
            if seat == Seat::Spare {
                // What woke it may be for another.
                self.changed.notify_one();
            }
            state = match rest {
                Some(rest) => self.away.wait_timeout(state, rest).unwrap_or_else(PoisonError::into_inner).0,
                None => self.changed.wait(state).unwrap_or_else(PoisonError::into_inner),
            };
        }
    }

    /// How long the spare thread looks for no work. Light work does not wait behind heavy work all the same.
    fn stays_away(&self, seat: Seat, state: &State) -> Option<Duration> {
        let kept_from = seat == Seat::Spare && state.heavy < self.most_heavy;
        self.beside.rest(now()).filter(|_| kept_from)
    }

    /// The job whose turn it is, of those that may begin.
    fn take(&self, seat: Seat, state: &mut State) -> Option<(Lane, Job)> {
        let room = seat == Seat::Steady && state.heavy < self.most_heavy;
        let (lane, job) = state.turns.next(|job| room || job.weight == Weight::Light)?;
        if job.weight == Weight::Heavy {
            state.heavy = state.heavy.saturating_add(1);
            if state.heavy >= self.most_heavy {
                self.away.notify_all();
            }
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

impl Beside {
    fn note(&self, now: Instant) {
        let micros = now.saturating_duration_since(self.began).as_micros();
        self.last.store(u64::try_from(micros).unwrap_or(u64::MAX).max(1), Ordering::Relaxed);
    }

    /// What is left of the time after short work.
    fn rest(&self, now: Instant) -> Option<Duration> {
        let last = Some(self.last.load(Ordering::Relaxed)).filter(|last| *last > 0)?;
        let until = self.began.checked_add(Duration::from_micros(last))?.checked_add(self.span)?;
        Some(until.saturating_duration_since(now)).filter(|rest| !rest.is_zero())
    }
}

/// How long the work held its thread, in microseconds.
fn timed(work: impl FnOnce()) -> u64 {
    let began = now();
    work();
    u64::try_from(now().saturating_duration_since(began).as_micros()).unwrap_or(u64::MAX)
}

#[expect(clippy::disallowed_methods, reason = "what work cost, and when it was done, is known only to who does it")]
fn now() -> Instant {
    Instant::now()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_spare_thread_stays_away_for_a_while_after_short_work() {
        const AWAY: Duration = Duration::from_millis(20);
        let began = now();
        let beside = Beside { began, last: AtomicU64::new(0), span: AWAY };
        let at = |millis| began + Duration::from_millis(millis);
        assert_eq!(beside.rest(at(5)), None, "there was none yet");
        beside.note(at(100));
        assert_eq!(beside.rest(at(101)), Some(AWAY - Duration::from_millis(1)));
        assert_eq!(beside.rest(at(100) + AWAY), None);
        beside.note(began);
        assert!(beside.rest(began).is_some(), "also in the first moment");
    }
}
