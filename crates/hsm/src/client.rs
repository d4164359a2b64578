//! The server's side of a token: a [`Client`] keeps one worker process alive, asks it within bounds, and never waits
//! for it longer than a caller does.
//!
//! - [`queue`]: calls that wait for a session; over its bound they are refused at once
//! - [`supervisor`]: starts workers, one after the other, with back-off
//! - [`talk`]: one worker's life: calls out, answers in, the canary, who holds a call too long
//! - [`child`]: the process itself
//! - [`ask`]: a method for each call
//!
//! A call that a dead worker took along is made once more if doing it twice does no harm and its deadline allows;
//! generate, import, install and destroy never are. Dropping a call's future frees its place in the queue; what the
//! token has begun it finishes.

mod ask;
mod child;
mod queue;
mod state;
mod supervisor;
mod talk;

pub use ask::{Ciphertext, Decrypted, Encrypted, Located, Made, WrappedOut};
pub use state::{Figures, TokenState};

use crate::account::Account;
use crate::call::{Answer, Call};
use crate::clock;
use crate::error::HsmError;
use crate::worker::Settings;
use queue::Queue;
use state::Counters;
use std::ffi::OsString;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::sync::watch;
use tokio::task::JoinHandle;

/// A token as the configuration names it.
pub struct Config {
    /// Its name in the configuration, for the log.
    pub name: String,
    /// What is started as the worker: this program itself. `/proc/self/exe` is the same release also after an upgrade.
    pub program: PathBuf,
    /// With these arguments.
    pub arguments: Vec<OsString>,
    /// Which token.
    pub settings: Settings,
    /// The worker's whole environment.
    pub env: Vec<(OsString, OsString)>,
    /// The token is reached over the network, so the worker keeps it.
    pub network: bool,
    /// Who the worker becomes if the server is root.
    pub account: Option<Account>,
    /// How many calls may wait for a session.
    pub waiting: usize,
    /// How long after its deadline a call may be held before its worker is killed. Making RSA keys has at least a
    /// minute: tokens are slow at it, and a killed worker takes everybody's calls along.
    pub grace: Duration,
    /// How long a worker may take to open its token, self-test included.
    pub opening: Duration,
    /// How often the token is asked for its canary.
    pub check_every: Duration,
}

impl Config {
    /// The usual bounds.
    pub fn new(name: impl Into<String>, program: impl Into<PathBuf>, settings: Settings) -> Self {
        Self {
            name: name.into(),
            program: program.into(),
            arguments: Vec::new(),
            settings,
            env: Vec::new(),
            network: false,
            account: None,
            waiting: 256,
            grace: Duration::from_millis(250),
            opening: Duration::from_secs(120),
            check_every: Duration::from_secs(5),
        }
    }
}

/// A token. Cheap to clone; its worker ends with the last clone.
#[derive(Clone)]
pub struct Client {
    owner: Arc<Owner>,
}

struct Owner {
    shared: Arc<Shared>,
    /// Says that nobody needs the token any more.
    stop: watch::Sender<bool>,
    supervisor: tokio::sync::Mutex<Option<JoinHandle<()>>>,
}

/// What clients and supervisor share.
struct Shared {
    config: Config,
    queue: Queue,
    counters: Counters,
}

impl Drop for Owner {
    fn drop(&mut self) {
        self.stop.send_replace(true);
    }
}

impl Client {
    /// Starts the worker. Calls wait for it, up to their deadlines. Only inside a tokio runtime.
    pub fn new(config: Config) -> Self {
        let queue = Queue::new(config.waiting);
        let shared = Arc::new(Shared { config, queue, counters: Counters::default() });
        let (stop, stopped) = watch::channel(false);
        let supervisor = tokio::spawn(supervisor::supervise(Arc::clone(&shared), stopped));
        let supervisor = tokio::sync::Mutex::new(Some(supervisor));
        Self { owner: Arc::new(Owner { shared, stop, supervisor }) }
    }

    /// Its name in the configuration.
    pub fn name(&self) -> &str {
        &self.owner.shared.config.name
    }

    /// Asks the token. Answered by its deadline, whatever the token does: [`HsmError::Busy`] at once if the queue is
    /// full, [`HsmError::Down`] at once if the token is known to be away, [`HsmError::Deadline`] if it is too late.
    pub async fn call(&self, call: Call, by: Instant) -> Answer {
        let Shared { queue, counters, .. } = &*self.owner.shared;
        counters.calls.add();
        if clock::now() >= by {
            counters.late.add();
            return Err(HsmError::Deadline);
        }
        let (place, answered) = queue.push(call, by).inspect_err(|e| counters.refused(e))?;
        let answer = match tokio::time::timeout_at(by.into(), answered).await {
            Ok(Ok(answer)) => answer,
            Ok(Err(_)) => Err(HsmError::Down { why: "its supervisor has ended".to_owned() }),
            Err(_) => Err(HsmError::Deadline),
        };
        drop(place);
        if answer == Err(HsmError::Deadline) {
            counters.late.add();
        }
        answer
    }

    /// How the token is now.
    pub fn state(&self) -> TokenState {
        self.owner.shared.queue.state()
    }

    /// What was counted since the start, and what waits now.
    pub fn figures(&self) -> Figures {
        self.owner.shared.counters.read(self.owner.shared.queue.waiting())
    }

    /// The process of its worker, if there is one: for the operator.
    pub fn worker(&self) -> Option<u32> {
        u32::try_from(self.owner.shared.counters.worker.read()).ok().filter(|process| *process > 0)
    }

    /// Lets the worker finish what it has begun, for two seconds at most, and ends it. Later calls are refused.
    pub async fn stop(&self) {
        self.owner.stop.send_replace(true);
        let supervisor = self.owner.supervisor.lock().await.take();
        if let Some(supervisor) = supervisor {
            let _ = supervisor.await;
        }
    }
}
