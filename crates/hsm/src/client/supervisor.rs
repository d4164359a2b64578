//! One worker after the other, until the token is not needed any more or refuses the PIN.

use super::child::Child;
use super::queue::Job;
use super::state::TokenState;
use super::talk::{Cause, End, Talk, stopping};
use super::{Config, Shared};
use crate::clock;
use crate::codec::{BadFrame, Frames, FromWorker, ToWorker, frame};
use crate::error::HsmError;
use crate::worker::Found;
use crate::worker::confine::Confinement;
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::UnixStream;
use tokio::sync::watch;
use tokio::time::{sleep, timeout};

/// The first pause before a new worker; each further one is twice as long.
const FIRST_PAUSE: Duration = Duration::from_millis(50);
const LONGEST_PAUSE: Duration = Duration::from_secs(30);

/// Calls wait for the next worker if it comes sooner than this.
const WORTH_WAITING: Duration = Duration::from_secs(1);

/// A worker that lives many times the pause before it was a good one, a minute is always enough: a library that crashes
/// now and then is away for a small part of the time.
const GOOD_LIVES: u32 = 20;
const GOOD_LIFE: Duration = Duration::from_secs(60);

/// How long a worker that hung up may take to be gone, and one that is no longer needed.
const TO_GO: Duration = Duration::from_millis(100);
const TO_STOP: Duration = Duration::from_secs(2);

/// An open token.
struct Worker {
    child: Child,
    socket: UnixStream,
    frames: Frames,
    sessions: u16,
}

pub(super) async fn supervise(shared: Arc<Shared>, mut stop: watch::Receiver<bool>) {
    let name = &shared.config.name;
    let mut pauses = Pauses::default();
    // Of the last worker's self-test: a token is tested once in the life of the server, unless it does not open so.
    let mut found = None;
    loop {
        let started = tokio::select! {
            started = start(&shared, &mut found) => started,
            _ = stop.wait_for(|stop| *stop) => break,
        };
        let pause = match started {
            Ok(worker) => {
                shared.queue.open(TokenState::Ready);
                tracing::info!(token = %name, sessions = worker.sessions, "the token is open");
                let Some((why, lived)) = live(&shared, worker, &mut stop).await else { break };
                if why == HsmError::PinRefused {
                    return shared.queue.shut(&why);
                }
                tracing::warn!(token = %name, "a worker is started again: {why}");
                let pause = pauses.ended(lived);
                if pause > WORTH_WAITING {
                    shared.queue.shut(&why);
                }
                pause
            }
            Err(e) => {
                shared.counters.worker.set(0);
                if !matches!(shared.queue.state(), TokenState::Down { why, .. } if why == e) {
                    tracing::warn!(token = %name, "the token does not open: {e}");
                }
                shared.queue.shut(&e);
                if e == HsmError::PinRefused {
                    return;
                }
                pauses.unopened()
            }
        };
        tokio::select! {
            () = sleep(pause) => {}
            _ = stop.wait_for(|stop| *stop) => break,
        }
    }
    shared.counters.worker.set(0);
    shared.queue.shut(&stopping());
}

/// The pauses between workers. Those of a token that does not open and those of workers that end are apart: a token
/// that was away for long and is back is not away again because its worker crashes once.
#[derive(Default)]
struct Pauses {
    opening: Duration,
    living: Duration,
}

impl Pauses {
    /// How long it is until the next try to open the token.
    fn unopened(&mut self) -> Duration {
        self.opening = doubled(self.opening);
        self.opening
    }

    /// How long it is until the next worker, if the last one had its token open for so long.
    fn ended(&mut self, lived: Duration) -> Duration {
        self.opening = Duration::ZERO;
        let good = self.living.saturating_mul(GOOD_LIVES).min(GOOD_LIFE);
        self.living = if lived > good { FIRST_PAUSE } else { doubled(self.living) };
        self.living
    }
}

fn doubled(pause: Duration) -> Duration {
    pause.saturating_mul(2).clamp(FIRST_PAUSE, LONGEST_PAUSE)
}

/// A worker from its first call to its end: why it ended, and after how long. Nothing if it was stopped.
async fn live(shared: &Shared, worker: Worker, stop: &mut watch::Receiver<bool>) -> Option<(HsmError, Duration)> {
    let Worker { child, socket, frames, sessions } = worker;
    let born = clock::now();
    let End { cause, lost } = Talk::new(shared, socket, frames, sessions).go_on(stop).await;
    let lived = clock::now().saturating_duration_since(born);
    if let Cause::Stopped = cause {
        lost.into_iter().for_each(|job| job.answer(Err(stopping())));
        child.end(TO_STOP).await;
        shared.counters.worker.set(0);
        return None;
    }
    shared.queue.open(TokenState::Starting);
    if let Cause::Held(_) | Cause::Garbled(_) = cause {
        child.kill();
    }
    let status = child.end(TO_GO).await;
    shared.counters.worker.set(0);
    let why = reason(cause, &status);
    lost.into_iter().for_each(|job| settle(shared, job, &why));
    Some((why, lived))
}

fn reason(cause: Cause, status: &str) -> HsmError {
    let why = match cause {
        Cause::Lost(e @ (HsmError::Down { .. } | HsmError::PinRefused)) => return e,
        Cause::Lost(e) => format!("its canary does not sing: {e}"),
        Cause::Held(what) => format!("its worker held a call too long ({what}) and was killed"),
        Cause::Garbled(e) => e.to_string(),
        Cause::Gone | Cause::Stopped => format!("its worker ended ({status})"),
    };
    HsmError::Down { why }
}

/// A call that a worker took along is made once more, or answered with what is known.
fn settle(shared: &Shared, job: Job, why: &HsmError) {
    if job.may_be_repeated() {
        shared.counters.retried.add();
        return shared.queue.put_back(job);
    }
    let why = match why {
        HsmError::Down { why } if !job.call.is_idempotent() => {
            HsmError::Down { why: format!("{why}; whether it did {} before is not known", job.call.name()) }
        }
        other => other.clone(),
    };
    job.answer(Err(why));
}

/// A worker with its token open.
async fn start(shared: &Shared, found: &mut Option<Box<Found>>) -> Result<Worker, HsmError> {
    let config = &shared.config;
    let unstarted = |e| HsmError::Setting { why: format!("cannot start {}: {e}", config.program.display()) };
    shared.counters.starts.add();
    let (child, mut socket) = Child::start(config).await.map_err(unstarted)?;
    let mut frames = Frames::new();
    shared.counters.worker.set(child.id());
    let opened = timeout(config.opening, open(config, found.take(), &mut socket, &mut frames)).await;
    match opened {
        Ok(Ok(Some((sessions, new)))) => {
            *found = Some(new);
            Ok(Worker { child, socket, frames, sessions })
        }
        Ok(Ok(None)) => {
            drop(socket);
            let status = child.end(TO_GO).await;
            Err(HsmError::Down { why: format!("its worker ended while it opened the token ({status})") })
        }
        Ok(Err(e)) => {
            drop(socket);
            child.end(TO_GO).await;
            Err(e)
        }
        Err(_) => Err(HsmError::Down { why: "it does not open in time, and its worker was killed".to_owned() }),
    }
}

/// The number of sessions, and what the self-test found.
type Opened = (u16, Box<Found>);

/// The first words: nothing secret before the worker is confined. Nothing if it hung up.
async fn open(
    config: &Config,
    found: Option<Box<Found>>,
    socket: &mut UnixStream,
    frames: &mut Frames,
) -> Result<Option<Opened>, HsmError> {
    let server = rustix::process::getpid().as_raw_nonzero().get();
    let confinement = Confinement { server, network: config.network, account: config.account.clone() };
    say(socket, &ToWorker::Confine(confinement)).await?;
    match hear(socket, frames).await? {
        Some(FromWorker::Confined) => {}
        other => return unexpected(other),
    }
    say(socket, &ToWorker::Open(config.settings.clone(), found)).await?;
    match hear(socket, frames).await? {
        Some(FromWorker::Ready(0, _)) => Err(garbled(BadFrame::Damaged)),
        Some(FromWorker::Ready(sessions, found)) => Ok(Some((sessions, found))),
        other => unexpected(other),
    }
}

fn unexpected(message: Option<FromWorker>) -> Result<Option<Opened>, HsmError> {
    match message {
        None => Ok(None),
        Some(FromWorker::Failed(e)) => Err(e),
        Some(_) => Err(garbled(BadFrame::Damaged)),
    }
}

fn garbled(e: BadFrame) -> HsmError {
    HsmError::Setting { why: format!("its worker is not understood: {e}") }
}

async fn say(socket: &mut UnixStream, message: &ToWorker) -> Result<(), HsmError> {
    let bytes = frame(message).map_err(garbled)?;
    // A worker that hung up is heard.
    let _ = socket.write_all(&bytes).await;
    Ok(())
}

async fn hear(socket: &mut UnixStream, frames: &mut Frames) -> Result<Option<FromWorker>, HsmError> {
    loop {
        if let Some(message) = frames.next().map_err(garbled)? {
            return Ok(Some(message));
        }
        match socket.read(frames.space()).await {
            Ok(0) | Err(_) => return Ok(None),
            Ok(count) => frames.filled(count),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_double_up_to_thirty_seconds_and_begin_anew_after_a_good_life() {
        let mut pauses = Pauses::default();
        let millis: Vec<_> = (0..12).map(|_| pauses.ended(Duration::ZERO).as_millis()).collect();
        assert_eq!(millis, [50, 100, 200, 400, 800, 1600, 3200, 6400, 12_800, 25_600, 30_000, 30_000]);
        assert_eq!(pauses.ended(GOOD_LIFE), LONGEST_PAUSE);
        assert_eq!(pauses.ended(GOOD_LIFE + FIRST_PAUSE), FIRST_PAUSE);
        assert_eq!(pauses.ended(Duration::from_millis(1_001)), FIRST_PAUSE);
        assert_eq!(pauses.ended(Duration::from_millis(999)), FIRST_PAUSE * 2);
    }

    #[test]
    fn a_token_that_was_away_for_long_and_is_back_is_not_away_again_after_one_crash() {
        let mut pauses = Pauses::default();
        let away: Vec<_> = (0..12).map(|_| pauses.unopened().as_millis()).collect();
        assert_eq!((away[0], away[11]), (50, 30_000));
        assert_eq!(pauses.ended(Duration::from_secs(2)), FIRST_PAUSE);
        assert_eq!(pauses.unopened(), FIRST_PAUSE, "it was open in between");
        assert_eq!(
            pauses.ended(Duration::ZERO),
            FIRST_PAUSE * 2,
            "a library that crashes at once is not asked for ever"
        );
    }
}
