//! Calls on their way to a session: a bounded queue with a gate that stands open while there is hope.

use super::state::TokenState;
use crate::call::{Answer, Call};
use crate::clock;
use crate::error::HsmError;
use std::collections::VecDeque;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Instant;
use tokio::sync::{Notify, oneshot};

/// A call with its caller.
pub(super) struct Job {
    id: u64,
    pub(super) call: Call,
    pub(super) by: Instant,
    /// A dead worker took it along once.
    retried: bool,
    answer: oneshot::Sender<Answer>,
}

impl Job {
    pub(super) fn answer(self, answer: Answer) {
        // A caller that has gone needs none.
        drop(self.answer.send(answer));
    }

    /// Making it with a new worker does no harm, and there is time.
    pub(super) fn may_be_repeated(&self) -> bool {
        self.call.is_idempotent() && !self.retried && self.is_wanted()
    }

    /// Somebody waits for it, and it is not too late.
    pub(super) fn is_wanted(&self) -> bool {
        !self.answer.is_closed() && clock::now() < self.by
    }
}

/// The queue, and the state of the token that it leads to.
pub(super) struct Queue {
    inner: Mutex<Inner>,
    /// A call came.
    pub(super) came: Notify,
    most: usize,
}

struct Inner {
    waiting: VecDeque<Job>,
    next: u64,
    state: TokenState,
}

/// A caller's place in the queue, free when it is dropped.
pub(super) struct Place<'a> {
    queue: &'a Queue,
    id: u64,
}

impl Drop for Place<'_> {
    fn drop(&mut self) {
        let mut inner = self.queue.lock();
        let at = inner.waiting.iter().position(|job| job.id == self.id);
        let job = at.and_then(|at| inner.waiting.remove(at));
        drop(inner);
        drop(job);
    }
}

impl Queue {
    pub(super) fn new(most: usize) -> Self {
        let inner = Inner { waiting: VecDeque::new(), next: 0, state: TokenState::Starting };
        Self { inner: Mutex::new(inner), came: Notify::new(), most }
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes the last place, or says at once why there is none.
    pub(super) fn push(&self, call: Call, by: Instant) -> Result<(Place<'_>, oneshot::Receiver<Answer>), HsmError> {
        let mut inner = self.lock();
        match &inner.state {
            TokenState::Starting | TokenState::Ready => {}
            TokenState::Down { why, .. } => return Err(why.clone()),
            TokenState::Refused => return Err(HsmError::PinRefused),
        }
        if inner.waiting.len() >= self.most {
            return Err(HsmError::Busy);
        }
        let id = inner.next;
        inner.next = id.wrapping_add(1);
        let (answer, answered) = oneshot::channel();
        inner.waiting.push_back(Job { id, call, by, retried: false, answer });
        drop(inner);
        self.came.notify_one();
        Ok((Place { queue: self, id }, answered))
    }

    /// Takes the first place again: a call that was lost on its way. It is refused if the gate is shut.
    pub(super) fn put_back(&self, mut job: Job) {
        job.retried = true;
        let mut inner = self.lock();
        let refused = match &inner.state {
            TokenState::Down { why, .. } => Some(why.clone()),
            TokenState::Refused => Some(HsmError::PinRefused),
            TokenState::Starting | TokenState::Ready => None,
        };
        match refused {
            Some(why) => job.answer(Err(why)),
            None => inner.waiting.push_front(job),
        }
    }

    /// The first call that somebody still waits for.
    pub(super) fn pop(&self) -> Option<Job> {
        let mut unwanted = Vec::new();
        let mut inner = self.lock();
        let wanted = loop {
            match inner.waiting.pop_front() {
                Some(job) if !job.is_wanted() => unwanted.push(job),
                other => break other,
            }
        };
        drop(inner);
        unwanted.into_iter().for_each(|job| job.answer(Err(HsmError::Deadline)));
        wanted
    }

    pub(super) fn waiting(&self) -> usize {
        self.lock().waiting.len()
    }

    pub(super) fn state(&self) -> TokenState {
        self.lock().state.clone()
    }

    /// Opens the gate.
    pub(super) fn open(&self, state: TokenState) {
        self.lock().state = state;
        self.came.notify_one();
    }

    /// Shuts the gate; who waits is refused for the same reason.
    pub(super) fn shut(&self, why: &HsmError) {
        let mut inner = self.lock();
        inner.state = match (&inner.state, why) {
            (_, HsmError::PinRefused) => TokenState::Refused,
            (TokenState::Down { since, .. }, _) => TokenState::Down { why: why.clone(), since: *since },
            _ => TokenState::Down { why: why.clone(), since: clock::now() },
        };
        let waiting = std::mem::take(&mut inner.waiting);
        drop(inner);
        waiting.into_iter().for_each(|job| job.answer(Err(why.clone())));
    }
}
