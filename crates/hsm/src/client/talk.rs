//! One worker's life as the server sees it. One task does everything: calls out while sessions are free, answers in,
//! the canary now and then, and the end of a worker that holds a call past its deadline.

use super::queue::Job;
use super::{Config, Shared};
use crate::call::{Answer, Call};
use crate::clock;
use crate::codec::{BadFrame, Frames, FromWorker, ToWorker, frame};
use crate::error::HsmError;
use crate::export::Subject;
use keystead_model::KeySpec;
use std::collections::HashMap;
use std::time::{Duration, Instant};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::UnixStream;
use tokio::sync::watch;
use tokio::time::{sleep_until, timeout};
use zeroize::Zeroizing;

/// How long a worker may leave what is written unread. It reads whenever a session is free.
const WRITING: Duration = Duration::from_secs(1);

/// How long calls under way may go on once the worker is known to end.
const LAST_WORDS: Duration = Duration::from_secs(1);

/// How long the canary may take before the token counts as lost.
const CHECKING: Duration = Duration::from_secs(5);

/// An answer that says that something failed has the token checked, but not more often than this.
const DOUBTS: Duration = Duration::from_millis(500);

/// A call that failed is in the server's log, but not more often than this: callers must not fill it.
const LOGGED: Duration = Duration::from_secs(1);

/// How long past its deadline the making of an RSA key is left to a slow token.
const MAKING: Duration = Duration::from_secs(60);

/// Why a worker is no more.
pub(super) enum Cause {
    /// Nobody needs the token any more.
    Stopped,
    /// The process ended, or closed its socket.
    Gone,
    /// It held this call too long, or does not read.
    Held(&'static str),
    /// It said so itself, or its canary did.
    Lost(HsmError),
    /// It does not speak as it should.
    Garbled(BadFrame),
}

/// The end of a worker.
pub(super) struct End {
    pub(super) cause: Cause,
    /// The calls that it took along.
    pub(super) lost: Vec<Job>,
}

/// What a session works on.
struct UnderWay {
    /// Nothing: it is the canary.
    job: Option<Job>,
    name: &'static str,
    /// When the worker is killed for it.
    until: Instant,
}

/// A worker whose token is open.
pub(super) struct Talk<'a> {
    shared: &'a Shared,
    socket: UnixStream,
    frames: Frames,
    /// Most calls at once.
    sessions: u16,
    canary: Canary,
    under_way: HashMap<u64, UnderWay>,
    next: u64,
    /// Set once the worker is known to end: no more calls for it.
    ending: Option<(Cause, Instant)>,
    /// Calls that it answered with its own end, to be made once more.
    lost: Vec<Job>,
    /// When the next failure goes to the log.
    logs_from: Instant,
}

/// When the token is checked next.
struct Canary {
    last: Instant,
    due: Instant,
    under_way: bool,
}

impl<'a> Talk<'a> {
    pub(super) fn new(shared: &'a Shared, socket: UnixStream, frames: Frames, sessions: u16) -> Self {
        let now = clock::now();
        let canary = Canary { last: now, due: later(now, shared.config.check_every), under_way: false };
        let (under_way, lost) = (HashMap::new(), Vec::new());
        Self { shared, socket, frames, sessions, canary, under_way, next: 0, ending: None, lost, logs_from: now }
    }

    /// Goes on until the worker is no more.
    pub(super) async fn go_on(mut self, stop: &mut watch::Receiver<bool>) -> End {
        let cause = loop {
            if let Err(cause) = self.step(stop).await {
                break cause;
            }
        };
        let under_way = self.under_way.drain().filter_map(|(_, it)| it.job);
        let lost = self.lost.into_iter().chain(under_way).collect();
        self.shared.counters.under_way.set(0);
        End { cause, lost }
    }

    async fn step(&mut self, stop: &mut watch::Receiver<bool>) -> Result<(), Cause> {
        if let Some((cause, _)) = self.ending.take_if(|_| self.under_way.is_empty()) {
            return Err(cause);
        }
        while let Some(bytes) = self.begin_next() {
            match timeout(WRITING, self.socket.write_all(&bytes)).await {
                Ok(Ok(())) => {}
                Ok(Err(_)) => return Err(self.gone()),
                Err(_) => return Err(Cause::Held("reading")),
            }
        }
        self.shared.counters.under_way.set(self.under_way.len().try_into().unwrap_or(u64::MAX));
        let next_look = self.next_look();
        let (room, going_on) = (self.has_room(), self.ending.is_none());
        tokio::select! {
            read = self.socket.read(self.frames.space()) => match read {
                Ok(0) | Err(_) => return Err(self.gone()),
                Ok(count) => {
                    self.frames.filled(count);
                    self.hear()?;
                }
            },
            () = self.shared.queue.came.notified(), if room => {}
            () = sleep_until(next_look.into()) => self.look()?,
            _ = stop.wait_for(|stop| *stop), if going_on => {
                self.shared.queue.shut(&stopping());
                self.end(Cause::Stopped);
            }
        }
        Ok(())
    }

    fn has_room(&self) -> bool {
        self.ending.is_none() && self.under_way.len() < usize::from(self.sessions)
    }

    /// The next call for a free session, as bytes. The canary goes first when it is due.
    fn begin_next(&mut self) -> Option<Zeroizing<Vec<u8>>> {
        while self.has_room() {
            let now = clock::now();
            let (job, by) = if self.canary.is_due(now) {
                self.canary = Canary { last: now, due: later(now, self.shared.config.check_every), under_way: true };
                (None, later(now, CHECKING))
            } else {
                let job = self.shared.queue.pop()?;
                let by = job.by;
                (Some(job), by)
            };
            let call = job.as_ref().map_or(&Call::Check, |job| &job.call);
            let (name, until) = (call.name(), later(by, grace(&self.shared.config, call)));
            let id = self.next;
            self.next = id.wrapping_add(1);
            match (frame(&ToWorker::Ask { id, by: clock::on_host(by), call }), job) {
                (Ok(bytes), job) => {
                    self.under_way.insert(id, UnderWay { job, name, until });
                    return Some(bytes);
                }
                (Err(_), Some(job)) => {
                    job.answer(Err(HsmError::NotSupported { what: "more than 1 MiB at once".to_owned() }));
                }
                (Err(_), None) => {}
            }
        }
        None
    }

    fn hear(&mut self) -> Result<(), Cause> {
        while let Some(message) = self.frames.next::<FromWorker>().map_err(Cause::Garbled)? {
            match message {
                FromWorker::Answered { id, answer } => {
                    let it = self.under_way.remove(&id).ok_or(Cause::Garbled(BadFrame::Damaged))?;
                    self.answered(it.job, answer);
                }
                FromWorker::Failed(e) => return Err(Cause::Lost(e)),
                FromWorker::Confined | FromWorker::Ready(..) => return Err(Cause::Garbled(BadFrame::Damaged)),
            }
        }
        Ok(())
    }

    fn answered(&mut self, job: Option<Job>, answer: Answer) {
        let Some(job) = job else {
            self.canary.under_way = false;
            return match answer {
                Ok(_) | Err(HsmError::Deadline) => {}
                Err(e) => self.end(Cause::Lost(e)),
            };
        };
        match answer {
            Err(e) if e.ends_worker() => {
                self.end(Cause::Lost(e.clone()));
                if job.may_be_repeated() { self.lost.push(job) } else { job.answer(Err(e)) }
            }
            answer => {
                if let Err(e @ HsmError::Failed { .. }) = &answer {
                    self.canary.due = self.canary.due.min(later(self.canary.last, DOUBTS));
                    self.log(job.call.name(), e);
                }
                job.answer(answer);
            }
        }
    }

    /// The caller is told that there is more in the log.
    fn log(&mut self, call: &'static str, failure: &HsmError) {
        let now = clock::now();
        if now >= self.logs_from {
            self.logs_from = later(now, LOGGED);
            tracing::warn!(token = %self.shared.config.name, call, "{failure}");
        }
    }

    /// Takes no more calls; those under way have a moment left.
    fn end(&mut self, cause: Cause) {
        if self.ending.is_none() {
            self.ending = Some((cause, later(clock::now(), LAST_WORDS)));
        }
    }

    /// A worker that said why it ends may do so at once.
    fn gone(&mut self) -> Cause {
        self.ending.take().map_or(Cause::Gone, |(cause, _)| cause)
    }

    /// When [`Self::look`] has something to see.
    fn next_look(&self) -> Instant {
        let held = self.under_way.values().map(|it| it.until);
        let check = (self.has_room() && !self.canary.under_way).then_some(self.canary.due);
        let ending = self.ending.as_ref().map(|(_, until)| *until);
        held.chain(check).chain(ending).min().unwrap_or_else(|| later(clock::now(), CHECKING))
    }

    fn look(&mut self) -> Result<(), Cause> {
        let now = clock::now();
        if let Some(held) = self.under_way.values().find(|it| it.until <= now) {
            self.shared.counters.kills.add();
            return Err(Cause::Held(held.name));
        }
        match self.ending.take_if(|(_, until)| *until <= now) {
            Some((cause, _)) => Err(cause),
            None => Ok(()),
        }
    }
}

impl Canary {
    fn is_due(&self, now: Instant) -> bool {
        !self.under_way && now >= self.due
    }
}

pub(super) fn stopping() -> HsmError {
    HsmError::Down { why: "the server lets go of it".to_owned() }
}

fn later(from: Instant, by: Duration) -> Instant {
    from.checked_add(by).unwrap_or(from)
}

fn grace(config: &Config, call: &Call) -> Duration {
    let making = match call {
        Call::TransferKey => true,
        Call::Generate { spec, .. } | Call::WrapOut { subject: Subject::Trial(spec), .. } => {
            matches!(spec, KeySpec::Rsa2048 | KeySpec::Rsa3072 | KeySpec::Rsa4096)
        }
        _ => false,
    };
    if making { config.grace.max(MAKING) } else { config.grace }
}
