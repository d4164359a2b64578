//! The worker's process: `keystead hsm-worker`, which the server starts with one end of a socket pair as its standard
//! input. It confines itself, opens its token, and then each of its threads owns a session and does one call after the
//! other. It ends when the server hangs up or dies, and when the token is lost: a new worker starts with a clean
//! library.

use super::confine::confine;
use super::link::Link;
use super::{Found, Hand, Settings, Token};
use crate::call::{Answer, Call};
use crate::clock;
use crate::codec::{BadFrame, FromWorker, ToWorker};
use crate::error::HsmError;
use rustix::process::{Signal, getpid, kill_process};
use std::io::Write as _;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::process::ExitCode;
use std::sync::Arc;
use std::thread;
use std::time::Duration;

/// How long calls under way may go on after the end of the talk.
const LAST_WORDS: Duration = Duration::from_secs(2);

/// Vendors' libraries expect as much stack as a main thread has.
const STACK: usize = 8 << 20;

/// The whole life of a worker. Call it first thing: it must be the process's only thread.
pub fn main() -> ExitCode {
    let Ok(link) = Link::take_stdin() else {
        let _ = writeln!(std::io::stderr(), "hsm-worker is started by the server, with a socket as standard input");
        return ExitCode::from(2);
    };
    let link = Arc::new(link);
    let opened = catch_unwind(AssertUnwindSafe(|| open(&link))).unwrap_or_else(|_| Err(panicked()));
    match opened {
        Ok(Some((token, hands))) => {
            serve(&link, &token, hands);
            ExitCode::SUCCESS
        }
        Ok(None) => ExitCode::SUCCESS,
        Err(e) => {
            link.say(&FromWorker::Failed(e));
            ExitCode::FAILURE
        }
    }
}

fn panicked() -> HsmError {
    HsmError::Failed { code: "a panic in its worker".to_owned() }
}

/// Everything up to the first call. Nothing if the server hung up.
fn open(link: &Arc<Link>) -> Result<Option<(Token, Vec<Hand>)>, HsmError> {
    let Some(ToWorker::Confine(to)) = hear(link)? else { return Ok(None) };
    confine(&to, rustix::fd::AsFd::as_fd(&**link))?;
    let watch = Arc::clone(link);
    let watcher = move || {
        watch.wait_for_end();
        thread::sleep(LAST_WORDS);
        // A library that hangs would also hang in its own clean-up.
        let _ = kill_process(getpid(), Signal::KILL);
    };
    spawned(thread::Builder::new().name("end".to_owned()).spawn(watcher))?;
    if !link.say(&FromWorker::Confined) {
        return Ok(None);
    }
    let Some(ToWorker::Open(settings, found)) = hear(link)? else { return Ok(None) };
    let (token, hands) = take(&settings, found.map(|found| *found))?;
    let sessions = u16::try_from(hands.len()).unwrap_or(u16::MAX);
    let ready = FromWorker::Ready(sessions, Box::new(token.found()));
    Ok(link.say(&ready).then_some((token, hands)))
}

fn hear(link: &Link) -> Result<Option<ToWorker>, HsmError> {
    link.next().map_err(|e: BadFrame| HsmError::Setting { why: e.to_string() })
}

fn spawned<T>(thread: std::io::Result<T>) -> Result<T, HsmError> {
    thread.map_err(|e| HsmError::Setting { why: format!("its worker cannot start a thread: {e}") })
}

/// The token with its sessions: as many as it says, or as it gives. One is enough.
fn take(settings: &Settings, found: Option<Found>) -> Result<(Token, Vec<Hand>), HsmError> {
    let token = Token::open_known(settings, found)?;
    let mut hands = vec![token.session()?];
    while hands.len() < usize::from(token.sessions()) {
        match token.session() {
            Ok(hand) => hands.push(hand),
            Err(_) => break,
        }
    }
    Ok((token, hands))
}

fn serve(link: &Link, token: &Token, hands: Vec<Hand>) {
    thread::scope(|scope| {
        for hand in hands {
            let builder = thread::Builder::new().name("session".to_owned()).stack_size(STACK);
            if builder.spawn_scoped(scope, move || work(link, token, hand)).is_err() {
                link.close_ears();
            }
        }
    });
}

/// One thread: one call after the other in its own session.
fn work(link: &Link, token: &Token, mut hand: Hand) {
    while let Ok(Some(ToWorker::Ask { id, by, call })) = link.next() {
        let (answer, whole) = answer(&mut hand, &call, by);
        drop(call);
        let ends = answer.as_ref().is_err_and(HsmError::ends_worker);
        if !link.say(&FromWorker::Answered { id, answer }) || ends {
            break;
        }
        if !whole {
            match token.session() {
                Ok(new) => hand = new,
                Err(_) => break,
            }
        }
    }
    link.close_ears();
}

/// The answer, and whether the session can go on. A panic costs its own call and session.
fn answer(hand: &mut Hand, call: &Call, by: u64) -> (Answer, bool) {
    if clock::monotonic() >= by {
        return (Err(HsmError::Deadline), true);
    }
    catch_unwind(AssertUnwindSafe(|| hand.work(call)))
        .map_or_else(|_| (Err(panicked()), false), |answer| (answer, true))
}
