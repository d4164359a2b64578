//! The cipher pool: a bounded number of threads behind a bounded queue, for work that would hold up everything else.
//!
//! Callers take turns by the time each has had ([`turns`]); one caller's work is done in the order it came. Heavy work
//! (making RSA keys, up to hundreds of milliseconds) leaves one thread free for light work, if there is more than one.
//! Short work is done where it is asked for; while there is some, the pool leaves it one processor of several.
//! A job whose deadline has passed, or whose caller has gone, is dropped when its turn comes. A panic ends its job and
//! nothing else.

mod queue;
mod turns;

pub use turns::Lane;

use crate::KeyError;
use queue::{Job, Queue, Seat};
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};
use tokio::sync::oneshot;

/// How long a piece of work holds its thread.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Weight {
    /// About a millisecond.
    Light,
    /// Up to hundreds of milliseconds.
    Heavy,
}

/// What becomes of a piece of work that waited.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Fate {
    /// Its turn has come.
    Turn,
    /// It gave way to a caller of whose work less was waiting.
    Displaced,
}

/// A pool of threads, as one lane of work sees it. Cheap to clone; its threads end with the last clone.
#[derive(Clone)]
pub struct Pool {
    owner: Arc<Owner>,
    lane: Lane,
}

/// Closes the queue when the last clone of the pool is gone. Threads are not waited for: the last clone may go on one
/// of them.
struct Owner(Arc<Queue>);

impl Drop for Owner {
    fn drop(&mut self) {
        self.0.close();
    }
}

/// How many jobs wait for each thread before more are refused.
const WAITING_PER_THREAD: usize = 64;

/// So long after short work one processor is left to more of it.
const AWAY: Duration = Duration::from_millis(20);

impl Pool {
    /// Starts the threads: as many as asked for, at least one. If the system gives none, every job is refused with
    /// [`KeyError::Stopped`].
    pub(crate) fn new(threads: usize) -> Self {
        Self::with(threads, AWAY)
    }

    fn with(threads: usize, away: Duration) -> Self {
        let threads = threads.max(1);
        let queue = Arc::new(Queue::new(threads, threads.saturating_mul(WAITING_PER_THREAD), away));
        let mut started = 0_usize;
        for number in 0..threads {
            // The last, but never the only one.
            let is_spare = number.saturating_add(1) == threads && started > 0;
            let seat = if is_spare { Seat::Spare } else { Seat::Steady };
            started = started.saturating_add(usize::from(start(number, seat, &queue)));
        }
        if started == 0 {
            queue.close();
        }
        Self { owner: Arc::new(Owner(queue)), lane: Lane::default() }
    }

    /// How many jobs wait for a thread.
    pub(crate) fn waiting(&self) -> usize {
        self.owner.0.waiting()
    }

    /// The same pool for another's work.
    #[must_use]
    pub(crate) fn lane(&self, lane: Lane) -> Self {
        Self { owner: Arc::clone(&self.owner), lane }
    }

    /// Does short work here and now.
    pub(crate) fn at_once<T>(&self, work: impl FnOnce() -> T) -> T {
        self.owner.0.note_short_work();
        work()
    }

    /// Runs work on the pool. [`KeyError::Busy`] if the queue is full of others' work or of one's own;
    /// [`KeyError::Deadline`] if the work is not done by then: it never begins after its deadline, and what it gives
    /// later is dropped. [`KeyError::Stopped`] if it panicked.
    pub(crate) async fn run<T: Send + 'static>(
        &self,
        weight: Weight,
        by: Instant,
        work: impl FnOnce() -> Result<T, KeyError> + Send + 'static,
    ) -> Result<T, KeyError> {
        let (answer, answered) = oneshot::channel();
        let work = Box::new(move |fate| unless_in_vain(fate, answer, by, work));
        self.owner.0.push(self.lane, Job { weight, work })?;
        match tokio::time::timeout_at(by.into(), answered).await {
            Ok(Ok(result)) => result,
            Ok(Err(_)) => Err(KeyError::Stopped),
            Err(_) => Err(KeyError::Deadline),
        }
    }
}

/// Does the work when its turn has come, if anyone still waits for it.
fn unless_in_vain<T>(
    fate: Fate,
    answer: oneshot::Sender<Result<T, KeyError>>,
    by: Instant,
    work: impl FnOnce() -> Result<T, KeyError>,
) {
    if answer.is_closed() {
        return;
    }
    if fate == Fate::Displaced {
        drop(answer.send(Err(KeyError::Busy)));
        return;
    }
    #[expect(
        clippy::disallowed_methods,
        reason = "the deadline is compared with the clock where work leaves its queue"
    )]
    let late = Instant::now() >= by;
    let result = if late { Err(KeyError::Deadline) } else { work() };
    // If the caller has gone meanwhile, what was made is dropped, and cleared by its type.
    drop(answer.send(result));
}

fn start(number: usize, seat: Seat, queue: &Arc<Queue>) -> bool {
    let queue = Arc::clone(queue);
    let started = thread::Builder::new().name(format!("cipher-{number}")).spawn(move || {
        give_way();
        queue.serve(seat);
    });
    started.is_ok()
}

/// Long work gives way to the threads that answer short requests where they are: it has all of an idle processor, and
/// about a thirtieth of one beside a thread that is as busy there, which those threads seldom are: most of a short
/// request is waiting. With a third, another's 99th percentile more than doubled beside a flood of RSA-4096
/// (docs/performance.md, "Fairness"). On Linux a priority is a thread's own; where it cannot be lowered, it stays.
fn give_way() {
    let _ = rustix::process::setpriority_process(None, 15);
}

#[cfg(test)]
mod tests;
