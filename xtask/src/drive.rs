//! The load: connections that each send the next request when the last one is answered.

use crate::Failure;
use crate::client::{Connection, Door};
use crate::op::Op;
use crate::target::Target;
use crate::template::Template;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};
use tokio::task::JoinSet;

/// The open connections of one server for one operation.
pub(crate) struct Lanes {
    lanes: Vec<Connection>,
    template: Template,
    pace: Option<Duration>,
}

/// When connections send no more.
#[derive(Clone)]
pub(crate) enum Until {
    /// At this time.
    Time(Instant),
    /// After so many requests, which takes as long as it takes.
    Count(Arc<AtomicU64>),
    /// At this time, or later if there were not so many requests by then.
    Enough { time: Instant, missing: Arc<AtomicU64> },
    /// When it is told.
    Told(Arc<AtomicBool>),
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

impl Until {
    /// In a while.
    pub(crate) fn after(span: Duration) -> Self {
        Self::Time(later(span))
    }

    /// So many requests over all connections.
    pub(crate) fn count(requests: u64) -> Self {
        Self::Count(Arc::new(AtomicU64::new(requests)))
    }

    /// In a while, and not before so many requests.
    pub(crate) fn enough(span: Duration, least: u64) -> Self {
        Self::Enough { time: later(span), missing: Arc::new(AtomicU64::new(least)) }
    }

    /// Whether one more request is sent.
    fn one_more(&self, now: Instant) -> bool {
        let take = |left: &AtomicU64| {
            left.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |left| left.checked_sub(1)).is_ok()
        };
        match self {
            Self::Time(end) => now < *end,
            Self::Count(left) => take(left),
            Self::Enough { time, missing } => take(missing) || now < *time,
            Self::Told(stop) => !stop.load(Ordering::Relaxed),
        }
    }
}

fn later(span: Duration) -> Instant {
    let now = Instant::now();
    now.checked_add(span).unwrap_or(now)
}

impl Lanes {
    /// Opens the connections and sends requests over them for a while.
    pub(crate) async fn open(target: &Target, op: Op, connections: usize, warm: Duration) -> Result<Self, Failure> {
        let mut opened = Self::over(&target.door, target.template(op)?, connections).await?;
        opened.send(&Until::after(warm)).await?;
        Ok(opened)
    }

    /// Opens the connections through a door.
    pub(crate) async fn over(door: &Door, template: &Template, connections: usize) -> Result<Self, Failure> {
        let mut lanes = Vec::new();
        for _ in 0..connections {
            lanes.push(door.connect().await?);
        }
        Ok(Self { lanes, template: template.clone(), pace: None })
    }

    /// Each connection rests until so much time has passed since its last request began; `None`: not at all.
    pub(crate) fn pace(&mut self, pace: Option<Duration>) {
        self.pace = pace;
    }

    /// Sends requests for a while and says what that cost the server.
    pub(crate) async fn turn(&mut self, target: &mut Target, span: Duration) -> Result<Turn, Failure> {
        self.turn_until(target, &Until::after(span)).await
    }

    /// The same, until something else.
    pub(crate) async fn turn_until(&mut self, target: &mut Target, until: &Until) -> Result<Turn, Failure> {
        target.process.check()?;
        let (cpu, written) = (target.process.cpu_micros()?, target.process.written());
        let mut turn = self.send(until).await?;
        tokio::time::sleep(SETTLE).await;
        turn.cpu_micros = target.process.cpu_micros()? - cpu;
        turn.written = target.process.written().zip(written).map(|(after, before)| after - before);
        Ok(turn)
    }

    /// Sends requests.
    pub(crate) async fn send(&mut self, until: &Until) -> Result<Turn, Failure> {
        let mut lanes = JoinSet::new();
        for lane in self.lanes.drain(..) {
            lanes.spawn(run(lane, self.template.clone(), until.clone(), self.pace));
        }
        let (mut whole, began) = (Turn::default(), Instant::now());
        while let Some(ended) = lanes.join_next().await {
            let (lane, part) = ended??;
            self.lanes.push(lane);
            whole.done = whole.done.saturating_add(part.done);
            whole.failed = whole.failed.saturating_add(part.failed);
            whole.first_failure = whole.first_failure.or(part.first_failure);
            whole.latencies.extend(part.latencies);
        }
        whole.seconds = began.elapsed().as_secs_f64();
        Ok(whole)
    }
}

async fn run(
    mut lane: Connection,
    template: Template,
    until: Until,
    pace: Option<Duration>,
) -> Result<(Connection, Turn), Failure> {
    let mut turn = Turn::default();
    loop {
        let began = Instant::now();
        if !until.one_more(began) {
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
        if let Some(rest) = pace.and_then(|pace| pace.checked_sub(began.elapsed())) {
            tokio::time::sleep(rest).await;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn times(until: &Until, now: Instant) -> usize {
        (0..100).take_while(|_| until.one_more(now)).count()
    }

    #[test]
    fn as_many_requests_are_sent_as_were_counted_however_late_it_is() {
        let until = Until::count(7);
        assert_eq!((times(&until, later(Duration::from_secs(9))), times(&until, Instant::now())), (7, 0));
    }

    #[test]
    fn a_turn_with_a_least_number_ends_with_its_time_but_not_before_it() {
        let until = Until::enough(Duration::from_secs(1), 30);
        assert_eq!(times(&until, later(Duration::from_secs(2))), 30);
        assert_eq!(times(&until, Instant::now()), 100);
        assert_eq!(times(&Until::after(Duration::from_secs(1)), later(Duration::from_secs(2))), 0);
    }

    #[test]
    fn a_flood_goes_on_until_it_is_told() {
        let stop = Arc::new(AtomicBool::new(false));
        let until = Until::Told(Arc::clone(&stop));
        assert_eq!(times(&until, Instant::now()), 100);
        stop.store(true, Ordering::Relaxed);
        assert_eq!(times(&until, Instant::now()), 0);
    }
}
