//! The load: connections that each send the next request when the last one is answered.

use crate::Failure;
use crate::client::{Connection, Door};
use crate::op::Op;
use crate::target::{Target, Template};
use std::time::{Duration, Instant};
use tokio::task::JoinSet;

/// The open connections of one server for one operation.
pub(crate) struct Lanes {
    lanes: Vec<Connection>,
    template: Template,
}

/// What one turn of one server gave.
#[derive(Default)]
pub(crate) struct Turn {
    pub(crate) done: u64,
    pub(crate) failed: u64,
    pub(crate) first_failure: Option<String>,
    pub(crate) seconds: f64,
    /// Of the server, in all.
    pub(crate) cpu_micros: f64,
    /// Bytes written by the server, in all.
    pub(crate) written: Option<f64>,
    /// Of each request that succeeded, in microseconds.
    pub(crate) latencies: Vec<u32>,
}

/// What a server still does for a turn after its last answer counts for that turn.
const SETTLE: Duration = Duration::from_millis(100);

impl Lanes {
    /// Opens the connections and sends requests over them for a while.
    pub(crate) async fn open(target: &Target, op: Op, connections: usize, warm: Duration) -> Result<Self, Failure> {
        let mut opened = Self::over(&target.door, target.template(op)?, connections).await?;
        opened.send(warm).await?;
        Ok(opened)
    }

    /// Opens the connections through a door.
    pub(crate) async fn over(door: &Door, template: &Template, connections: usize) -> Result<Self, Failure> {
        let mut lanes = Vec::new();
        for _ in 0..connections {
            lanes.push(door.connect().await?);
        }
        Ok(Self { lanes, template: template.clone() })
    }

    /// Sends requests for a while and says what that cost the server.
    pub(crate) async fn turn(&mut self, target: &mut Target, span: Duration) -> Result<Turn, Failure> {
        target.process.check()?;
        let (cpu, written, began) = (target.process.cpu_micros()?, target.process.written(), Instant::now());
        let mut turn = self.send(span).await?;
        turn.seconds = began.elapsed().as_secs_f64();
        tokio::time::sleep(SETTLE).await;
        turn.cpu_micros = target.process.cpu_micros()? - cpu;
        turn.written = target.process.written().zip(written).map(|(after, before)| after - before);
        Ok(turn)
    }

    /// Sends requests for a while.
    pub(crate) async fn send(&mut self, span: Duration) -> Result<Turn, Failure> {
        let now = Instant::now();
        let end = now.checked_add(span).unwrap_or(now);
        let mut lanes = JoinSet::new();
        for lane in self.lanes.drain(..) {
            lanes.spawn(run(lane, self.template.clone(), end));
        }
        let mut whole = Turn::default();
        while let Some(ended) = lanes.join_next().await {
            let (lane, part) = ended??;
            self.lanes.push(lane);
            whole.done = whole.done.saturating_add(part.done);
            whole.failed = whole.failed.saturating_add(part.failed);
            whole.first_failure = whole.first_failure.or(part.first_failure);
            whole.latencies.extend(part.latencies);
        }
        Ok(whole)
    }
}

async fn run(mut lane: Connection, template: Template, end: Instant) -> Result<(Connection, Turn), Failure> {
    let mut turn = Turn::default();
    loop {
        let began = Instant::now();
        if began >= end {
            return Ok((lane, turn));
        }
        let path = template.path();
        let answer = lane.ask(template.method.clone(), &path, "application/json", template.body.clone()).await?;
        let (status, body) = answer;
        if status.is_success() {
            turn.done = turn.done.saturating_add(1);
            turn.latencies.push(u32::try_from(began.elapsed().as_micros()).unwrap_or(u32::MAX));
        } else {
            turn.failed = turn.failed.saturating_add(1);
            turn.first_failure.get_or_insert_with(|| format!("{status}: {}", String::from_utf8_lossy(&body)));
        }
    }
}
