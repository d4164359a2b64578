//! One caller floods the cipher pool, another signs P-256: what the flood does to the other's latency.

use crate::Failure;
use crate::drive::Lanes;
use crate::figures::median;
use crate::keystead::{self, FLOOD_RSA_BITS, Place};
use crate::op::Op;
use crate::out;
use crate::rounds::Plan;
use serde::Serialize;
use std::path::Path;
use std::time::Duration;

/// Connections of the one who floods, and of the one who signs.
const FLOOD: usize = 32;
const STEADY: usize = 4;
/// The bound on the ratio.
const MOST: f64 = 2.0;

/// What was found.
#[derive(Serialize)]
pub(crate) struct Fairness {
    /// The signer's p99 in microseconds, round by round.
    pub(crate) alone: Vec<u32>,
    pub(crate) beside_flood: Vec<u32>,
    /// Requests of the flood that were answered, and that were refused, in all.
    pub(crate) flood_done: u64,
    pub(crate) flood_refused: u64,
}

impl Fairness {
    fn ratio(&self) -> f64 {
        let pairs = self.alone.iter().zip(&self.beside_flood);
        median(&pairs.map(|(alone, beside)| f64::from(*beside) / f64::from(*alone)).collect::<Vec<_>>())
    }

    /// For the terminal.
    pub(crate) fn say(&self) {
        let word = if self.ratio() <= MOST { "MET" } else { "NOT MET" };
        out::say(&format!(
            "P-256 sign p99 beside a flood of RSA-{FLOOD_RSA_BITS}: {:.2} x alone, of at most {MOST}: {word}",
            self.ratio()
        ));
    }

    /// For docs/performance.md.
    pub(crate) fn section(&self) -> String {
        let mut text = format!(
            "One caller signs ECDSA P-256 over {STEADY} connections; another floods RSA-{FLOOD_RSA_BITS} signatures over \
             {FLOOD}. Client and server\nshare the cores. In each round the signer works alone first and beside the flood \
             then; the ratio is the median over rounds.\n\n\
             | round | p99 alone, us | p99 beside the flood, us | ratio |\n|---:|---:|---:|---:|\n"
        );
        for (round, (alone, beside)) in self.alone.iter().zip(&self.beside_flood).enumerate() {
            let ratio = f64::from(*beside) / f64::from(*alone);
            text.push_str(&format!("| {} | {alone} | {beside} | {ratio:.2} |\n", round.saturating_add(1)));
        }
        let word = if self.ratio() <= MOST { "MET" } else { "NOT MET" };
        text.push_str(&format!(
            "\nRatio {:.2} of at most {MOST}: {word}. The flood had {} requests answered and {} refused.\n",
            self.ratio(),
            self.flood_done,
            self.flood_refused
        ));
        text
    }
}

/// Starts a server of its own and measures.
pub(crate) async fn measure(binary: &Path, state: &Path, plan: &Plan) -> Result<Fairness, Failure> {
    let place = Place::new(binary, state.join("fairness"))?;
    let mut steady = keystead::start(&place).await?;
    let flood = keystead::second_caller(&place).await?;
    let mut steady_lanes = Lanes::open(&steady, Op::SignP256, STEADY, plan.warm).await?;
    let mut flood_lanes = Lanes::over(&flood.0, &flood.1, FLOOD).await?;
    let mut found = Fairness { alone: Vec::new(), beside_flood: Vec::new(), flood_done: 0, flood_refused: 0 };
    for round in 1..=plan.rounds {
        out::progress(&format!("fairness: round {round} of {}", plan.rounds));
        let alone = steady_lanes.turn(&mut steady, plan.span).await?;
        // The flood begins before the turn and ends after it.
        let margin = Duration::from_millis(300);
        let whole = plan.span.saturating_add(margin.saturating_mul(2));
        let flooding = tokio::spawn(async move {
            let turn = flood_lanes.send(whole).await;
            (flood_lanes, turn)
        });
        tokio::time::sleep(margin).await;
        let beside = steady_lanes.turn(&mut steady, plan.span).await?;
        let (lanes, turn) = flooding.await?;
        flood_lanes = lanes;
        let turn = turn?;
        found.flood_done = found.flood_done.saturating_add(turn.done);
        found.flood_refused = found.flood_refused.saturating_add(turn.failed);
        if let Some(failure) = alone.first_failure.or(beside.first_failure) {
            return Err(format!("the signer was refused: {failure}").into());
        }
        found.alone.push(p99(alone.latencies));
        found.beside_flood.push(p99(beside.latencies));
    }
    steady.process.stop();
    Ok(found)
}

fn p99(mut latencies: Vec<u32>) -> u32 {
    latencies.sort_unstable();
    crate::figures::percentile(&latencies, 99)
}
