//! A node that serves: its beats, and its end.

use crate::certificate::Follower;
use crate::clock_note::Keeper;
use crate::exit::Failure;
use crate::setup::{moment, steady_millis};
use crate::watch::gather::Held;
use crate::watch::state::Said;
use crate::watch::traces;
use keystead_audit::{Journal, Pump};
use keystead_engine::Instance;
use keystead_server::Server;
use keystead_store::Store;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::task::JoinHandle;
use tokio::time::{Interval, MissedTickBehavior};

/// A node whose listeners are bound.
pub(crate) struct Running {
    pub(crate) instance: Arc<Instance>,
    pub(crate) server: Server,
    pub(crate) follower: Option<Follower>,
    pub(crate) port: Option<Server>,
    pub(crate) traces: Option<traces::Sender>,
    pub(crate) held: Arc<Held>,
    pub(crate) clock: Keeper,
    pub(crate) store: Store,
    pub(crate) journal: Journal,
    pub(crate) stop: StopSignals,
    pub(crate) _pumps: Arc<Vec<Pump>>,
    pub(crate) _lock: std::fs::File,
}

impl Running {
    /// Serves until SIGTERM or Ctrl-C, then makes all state durable.
    pub(crate) async fn serve(self) -> Result<(), Failure> {
        let clock = Arc::new(Mutex::new(self.clock));
        let instance = || Arc::clone(&self.instance);
        let beats = [
            tokio::spawn(beat(instance(), self.held, Arc::clone(&clock))),
            tokio::spawn(sweep(instance())),
            tokio::spawn(turn(instance())),
            tokio::spawn(jobs(instance())),
        ];
        let following = self.follower.map(|follower| tokio::spawn(follower.run()));
        let port = self.port.map(|port| tokio::spawn(port.run(std::future::pending())));
        let ended = self.server.run(self.stop.received()).await;
        if ended.cut > 0 {
            tracing::warn!("{} requests were still under way when the grace time ended", ended.cut);
        }
        beats.iter().for_each(JoinHandle::abort);
        following.inspect(JoinHandle::abort);
        // Probes are answered until here, so that whoever watches sees the stop.
        port.inspect(JoinHandle::abort);
        if let Some(traces) = self.traces {
            traces.close().await;
        }
        // When it was last seen running: the next start is held against it.
        let note = self.instance.watch_clock(moment(5), steady_millis()).await;
        if let Err(e) = keeper(&clock).write(note) {
            tracing::warn!("the clock may be doubted at the next start: {}", e.into_message());
        }
        self.journal.close().await;
        self.store.close().await;
        Ok(())
    }
}

/// Carries out what is due, each second.
async fn beat(instance: Arc<Instance>, held: Arc<Held>, clock: Arc<Mutex<Keeper>>) {
    let mut said = Said::default();
    let mut every = each_second();
    loop {
        every.tick().await;
        let at = moment(60);
        let note = instance.watch_clock(at, steady_millis()).await;
        keeper(&clock).keep(note);
        said.clock(note.doubt.as_ref(), instance.doubted());
        match instance.tick(at).await {
            Ok(beat) => held.set(beat.held),
            Err(e) => tracing::warn!("the scheduler could not read what is due: {e}"),
        }
        let health = instance.journal().health();
        said.journal(&health.state, health.publish_error.as_ref());
    }
}

/// Destroys what no row names in the tokens. It waits for them, so it has a beat of its own.
async fn sweep(instance: Arc<Instance>) {
    let mut every = each_second();
    loop {
        every.tick().await;
        instance.sweep(moment(60)).await;
    }
}

/// Goes on with backups and restores: they wait for their places.
async fn jobs(instance: Arc<Instance>) {
    let mut every = each_second();
    loop {
        every.tick().await;
        instance.continue_jobs(|| moment(60)).await;
    }
}

/// Goes on with rotations of roots: without a pause while there is something to do.
async fn turn(instance: Arc<Instance>) {
    loop {
        let pause = if instance.turn(moment(60)).await { 5 } else { 500 };
        tokio::time::sleep(Duration::from_millis(pause)).await;
    }
}

fn each_second() -> Interval {
    let mut every = tokio::time::interval(Duration::from_secs(1));
    every.set_missed_tick_behavior(MissedTickBehavior::Delay);
    every
}

fn keeper(clock: &Mutex<Keeper>) -> MutexGuard<'_, Keeper> {
    clock.lock().unwrap_or_else(PoisonError::into_inner)
}

/// SIGTERM and SIGINT, caught from when this is made.
pub(crate) struct StopSignals {
    term: Signal,
    int: Signal,
}

impl StopSignals {
    pub(crate) fn new() -> Result<Self, Failure> {
        let caught =
            |kind| signal(kind).map_err(|e| Failure::unavailable(format!("cannot wait for signals to stop: {e}")));
        Ok(Self { term: caught(SignalKind::terminate())?, int: caught(SignalKind::interrupt())? })
    }

    /// Whichever comes first, also one that came before this was asked.
    async fn received(mut self) {
        tokio::select! {
            _ = self.term.recv() => {}
            _ = self.int.recv() => {}
        }
    }
}
