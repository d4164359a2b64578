//! Traces: where a request's time went, for an OpenTelemetry collector. Off unless `[traces]` is set.
//!
//! - [`context`]: the trace that a request belongs to (W3C `traceparent`)
//! - [`layer`]: spans of the walk (`keystead::walk`) as they end; [`otlp`]: how they are written
//!
//! A span has the route, the status and the operation's id: no names, no callers. Spans wait in a bounded queue; what
//! does not fit, or what the collector does not take, is dropped and counted.

pub(crate) mod context;
mod layer;
mod otlp;

use crate::exit::Failure;
use keystead_client::Collector;
use layer::Ended;
pub(crate) use layer::{Spans, root};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::Duration;
use tokio::sync::{mpsc, oneshot};

/// Spans that wait to be sent.
const QUEUE: usize = 4_096;
/// Most of one document.
const BATCH: usize = 512;
/// How long the first of a document waits for others.
const EVERY: Duration = Duration::from_secs(1);
/// How long the collector may take.
const PATIENCE: Duration = Duration::from_secs(5);

/// Where traces go and how many are begun.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Settings {
    pub(crate) otlp: String,
    /// Of the requests that bring no trace of their own.
    pub(crate) ratio: f64,
}

/// What became of spans.
#[derive(Default)]
pub(crate) struct Fate {
    sent: AtomicU64,
    dropped: AtomicU64,
}

impl Fate {
    pub(crate) fn read(&self) -> (u64, u64) {
        (self.sent.load(Relaxed), self.dropped.load(Relaxed))
    }
}

/// The sending half: a task that lives as long as the server.
pub(crate) struct Sender {
    task: tokio::task::JoinHandle<()>,
    stop: oneshot::Sender<()>,
    pub(crate) fate: Arc<Fate>,
}

/// A layer for the subscriber, and what starts sending once the node's id is known.
pub(crate) fn prepare(settings: &Settings) -> Result<(Spans, Ready), Failure> {
    let collector = Collector::new(&settings.otlp, "/v1/traces", PATIENCE)
        .map_err(|e| Failure::usage(format!("traces.otlp: {e}")))?;
    let (to, from) = mpsc::channel(QUEUE);
    let fate = Arc::new(Fate::default());
    Ok((Spans::new(to, Arc::clone(&fate)), Ready { collector, from, fate }))
}

/// Everything that sending needs.
pub(crate) struct Ready {
    collector: Collector,
    from: mpsc::Receiver<Ended>,
    fate: Arc<Fate>,
}

impl Ready {
    pub(crate) fn start(self, node: String) -> Sender {
        let (stop, stopped) = oneshot::channel();
        let fate = Arc::clone(&self.fate);
        Sender { task: tokio::spawn(self.run(node, stopped)), stop, fate }
    }

    async fn run(mut self, node: String, mut stopped: oneshot::Receiver<()>) {
        let mut failing = false;
        let mut stopping = false;
        while !stopping {
            let mut batch = Vec::with_capacity(BATCH);
            tokio::select! {
                biased;
                n = self.from.recv_many(&mut batch, BATCH) => if n == 0 { return },
                _ = &mut stopped => stopping = true,
            }
            if !stopping && batch.len() < BATCH {
                // Others come within a moment: a document of one span would cost more than it says.
                tokio::select! {
                    () = tokio::time::sleep(EVERY) => {}
                    _ = &mut stopped => stopping = true,
                }
            }
            while let Ok(span) = self.from.try_recv() {
                batch.push(span);
                if batch.len() >= BATCH && !stopping {
                    break;
                }
            }
            if !batch.is_empty() {
                failing = self.send(&node, &batch, failing).await;
            }
        }
    }

    /// Sends once: a trace is not worth a second attempt. Whether it failed.
    async fn send(&self, node: &str, batch: &[Ended], failing: bool) -> bool {
        let spans = u64::try_from(batch.len()).unwrap_or(u64::MAX);
        match self.collector.post(otlp::document(node, batch)).await {
            Ok(()) => {
                self.fate.sent.fetch_add(spans, Relaxed);
                false
            }
            Err(e) => {
                self.fate.dropped.fetch_add(spans, Relaxed);
                if !failing {
                    tracing::warn!("traces are lost: {e}; look at traces.otlp and at the collector");
                }
                true
            }
        }
    }
}

impl Sender {
    /// Sends what waits, and ends.
    pub(crate) async fn close(self) {
        // Gone already if its task ended.
        let _ = self.stop.send(());
        let _ = tokio::time::timeout(PATIENCE, self.task).await;
    }
}
