//! One caller floods the cipher pool, another signs P-256: what the flood does to the other's latency.

use crate::Failure;
use crate::client::Door;
use crate::drive::{Lanes, Turn, Until};
use crate::figures::{median, percentile};
use crate::keystead::{self, FLOOD_RSA_BITS, Place};
use crate::op::Op;
use crate::out;
use crate::rounds::Plan;
use crate::target::Target;
use crate::template::Template;
use serde::Serialize;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;
use tokio::sync::oneshot;

/// Connections of the one who floods, and of the one who signs.
const FLOOD: usize = 32;
const STEADY: usize = 4;
/// The bound on the ratio.
const MOST: f64 = 2.0;
/// Signatures in a phase, at least: of fewer, a p99 says little.
const SAMPLES: u64 = 2_000;
/// The flood is there so long before the signer is measured.
const MARGIN: Duration = Duration::from_millis(300);

/// How the signer sends.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
enum Pace {
    /// Each connection once in so many milliseconds: what a service does all day.
    Every(u64),
    /// The next when the last one is answered: alone, that takes the whole machine.
    Full,
}

impl Pace {
    const ALL: [Self; 2] = [Self::Every(5), Self::Full];

    const fn rest(self) -> Option<Duration> {
        match self {
            Self::Every(millis) => Some(Duration::from_millis(millis)),
            Self::Full => None,
        }
    }

    fn title(self) -> String {
        match self {
            Self::Every(millis) => format!("once in {millis} ms on each connection"),
            Self::Full => "as fast as it is answered".to_owned(),
        }
    }
}

/// One phase of the signer: 50th and 99th percentile in microseconds, and how many signatures they are of.
#[derive(Debug, Clone, Copy, Serialize)]
struct Phase {
    p50: u32,
    p99: u32,
    samples: usize,
}

/// The two phases of one round.
#[derive(Serialize)]
struct Round {
    number: u32,
    pace: Pace,
    alone: Phase,
    beside: Phase,
    /// Requests of the flood that were answered, in a second.
    flood_per_second: f64,
    flood_refused: u64,
}

/// What was found.
#[derive(Serialize)]
pub(crate) struct Fairness {
    rounds: Vec<Round>,
}

impl Phase {
    fn of(turn: Turn) -> Result<Self, Failure> {
        if let Some(failure) = turn.first_failure {
            return Err(format!("the signer was refused: {failure}").into());
        }
        let mut sorted = turn.latencies;
        sorted.sort_unstable();
        Ok(Self { p50: percentile(&sorted, 50), p99: percentile(&sorted, 99), samples: sorted.len() })
    }
}

impl Round {
    fn ratio(&self) -> f64 {
        f64::from(self.beside.p99) / f64::from(self.alone.p99)
    }
}

impl Fairness {
    fn ratio(&self, pace: Pace) -> f64 {
        median(&self.rounds.iter().filter(|round| round.pace == pace).map(Round::ratio).collect::<Vec<_>>())
    }

    fn verdict(&self, pace: Pace) -> String {
        let word = if self.ratio(pace) <= MOST { "MET" } else { "NOT MET" };
        format!("{:.2} of at most {MOST}: {word}", self.ratio(pace))
    }

    /// For the terminal.
    pub(crate) fn say(&self) {
        for pace in Pace::ALL {
            let (what, verdict) = (pace.title(), self.verdict(pace));
            out::say(&format!("P-256 sign p99, {what}, beside a flood of RSA-{FLOOD_RSA_BITS}, to alone: {verdict}"));
        }
    }

    /// For docs/performance.md.
    pub(crate) fn section(&self) -> String {
        let mut text = format!(
            "One caller signs ECDSA P-256 over {STEADY} connections; another, in a vault of its own, floods \
             RSA-{FLOOD_RSA_BITS} signatures over {FLOOD}.\nClients and server share the cores. In each round the signer \
             works alone and beside the flood, in turns first, {SAMPLES}\nsignatures or more each; the ratio is the median \
             over rounds of the 99th percentiles.\n\n\
             | the signer sends | round | alone: p50 us | p99 us | beside the flood: p50 us | p99 us | ratio of p99 | \
             samples | RSA-{FLOOD_RSA_BITS} per second |\n|---|---:|---:|---:|---:|---:|---:|---:|---:|\n"
        );
        for round in &self.rounds {
            let (alone, beside) = (round.alone, round.beside);
            text.push_str(&format!(
                "| {} | {} | {} | {} | {} | {} | {:.2} | {} + {} | {:.0} |\n",
                round.pace.title(),
                round.number,
                alone.p50,
                alone.p99,
                beside.p50,
                beside.p99,
                round.ratio(),
                alone.samples,
                beside.samples,
                round.flood_per_second
            ));
        }
        text.push('\n');
        for pace in Pace::ALL {
            text.push_str(&format!("Sent {}: ratio {}.\n", pace.title(), self.verdict(pace)));
        }
        let refused = self.rounds.iter().map(|round| round.flood_refused).fold(0, u64::saturating_add);
        text.push_str(&format!("Of the flood, {refused} requests were refused.\n"));
        text
    }
}

/// Starts a server of its own and measures.
pub(crate) async fn measure(binary: &Path, state: &Path, plan: &Plan) -> Result<Fairness, Failure> {
    let place = Place::new(binary, state.join("fairness"))?;
    let mut steady = keystead::start(&place, &[Op::SignP256]).await?;
    let (door, template) = keystead::second_caller(&place).await?;
    let mut lanes = Lanes::open(&steady, Op::SignP256, STEADY, plan.warm).await?;
    let mut rounds = Vec::new();
    for round in 1..=plan.rounds {
        for pace in Pace::ALL {
            out::progress(&format!("fairness: round {round} of {}, {}", plan.rounds, pace.title()));
            lanes.pace(pace.rest());
            let flood = || Flood::begin(door.clone(), template.clone());
            // Who is first takes turns, so that whatever grows in the course of a run falls on both.
            let (alone, (beside, flooded)) = if round.is_multiple_of(2) {
                let beside = beside(&mut lanes, &mut steady, plan, flood()).await?;
                (phase(&mut lanes, &mut steady, plan).await?, beside)
            } else {
                (phase(&mut lanes, &mut steady, plan).await?, beside(&mut lanes, &mut steady, plan, flood()).await?)
            };
            let flood_per_second = flooded.done as f64 / flooded.seconds;
            rounds.push(Round { number: round, pace, alone, beside, flood_per_second, flood_refused: flooded.failed });
        }
    }
    steady.process.stop();
    Ok(Fairness { rounds })
}

async fn phase(lanes: &mut Lanes, steady: &mut Target, plan: &Plan) -> Result<Phase, Failure> {
    Phase::of(lanes.turn_until(steady, &Until::enough(plan.span, SAMPLES)).await?)
}

async fn beside(lanes: &mut Lanes, steady: &mut Target, plan: &Plan, flood: Flood) -> Result<(Phase, Turn), Failure> {
    let flood = flood.there().await?;
    let phase = phase(lanes, steady, plan).await;
    let flooded = tokio::task::spawn_blocking(move || flood.end()).await??;
    Ok((phase?, flooded))
}

/// A caller that floods, on a thread of its own so that it does not hold up the signer's tasks.
struct Flood {
    stop: Arc<AtomicBool>,
    connected: oneshot::Receiver<()>,
    thread: JoinHandle<Result<Turn, Failure>>,
}

impl Flood {
    fn begin(door: Door, template: Template) -> Self {
        let (stop, (tell, connected)) = (Arc::new(AtomicBool::new(false)), oneshot::channel());
        let until = Until::Told(Arc::clone(&stop));
        let thread = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
            runtime.block_on(async {
                let mut lanes = Lanes::over(&door, &template, FLOOD).await?;
                let _ = tell.send(());
                lanes.send(&until).await
            })
        });
        Self { stop, connected, thread }
    }

    /// Waits until it is under way.
    async fn there(mut self) -> Result<Self, Failure> {
        if (&mut self.connected).await.is_err() {
            return Err(self.end().err().unwrap_or_else(|| "the flood ended early".into()));
        }
        tokio::time::sleep(MARGIN).await;
        Ok(self)
    }

    /// What it did, until the last of it was answered.
    fn end(self) -> Result<Turn, Failure> {
        self.stop.store(true, Ordering::Relaxed);
        self.thread.join().map_err(|_| "the flood panicked")?
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn round(number: u32, pace: Pace, alone: u32, beside: u32) -> Round {
        let phase = |p99| Phase { p50: 1, p99, samples: 2_000 };
        Round { number, pace, alone: phase(alone), beside: phase(beside), flood_per_second: 400.0, flood_refused: 0 }
    }

    #[test]
    fn the_ratio_is_the_median_over_the_rounds_of_one_pace() {
        let [every, full] = Pace::ALL;
        let rounds = [(1, every, 150), (1, full, 300), (2, every, 190), (2, full, 500), (3, every, 900)];
        let found = Fairness { rounds: rounds.map(|(n, pace, beside)| round(n, pace, 100, beside)).into() };
        assert_eq!((found.ratio(every), found.ratio(full)), (1.9, 4.0));
        assert!(found.verdict(every).ends_with(": MET") && found.verdict(full).ends_with("NOT MET"));
        let text = found.section();
        assert!(
            text.contains("| once in 5 ms on each connection | 3 | 1 | 100 | 1 | 900 | 9.00 | 2000 + 2000 | 400 |\n"),
            "{text}"
        );
    }

    #[test]
    fn a_phase_in_which_the_signer_was_refused_is_none() {
        let turn = |failure: Option<&str>| Turn {
            latencies: (1..=200).rev().collect(),
            first_failure: failure.map(str::to_owned),
            ..Turn::default()
        };
        let phase = Phase::of(turn(None)).unwrap();
        assert_eq!((phase.p50, phase.p99, phase.samples), (100, 198, 200));
        assert!(Phase::of(turn(Some("429"))).is_err());
    }
}
