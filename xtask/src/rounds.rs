//! Who is measured when: every server gets a turn in every round, so that whatever else the machine does falls on all.

use crate::Failure;
use crate::cipher::Ciphers;
use crate::drive::{Lanes, Turn};
use crate::figures::{Cell, Figures};
use crate::op::Op;
use crate::out;
use crate::raw;
use crate::target::Target;
use std::time::Duration;

/// The servers of one run. The product comes first, the bare handler second, a peer may follow.
pub(crate) struct Field {
    pub(crate) keystead: Target,
    pub(crate) bare: Target,
    pub(crate) peer: Option<Target>,
    pub(crate) ciphers: Ciphers,
}

/// How long.
pub(crate) struct Plan {
    pub(crate) rounds: u32,
    /// Of one server's turn.
    pub(crate) span: Duration,
    pub(crate) warm: Duration,
}

impl Plan {
    /// Each server works for about `seconds` in each cell.
    pub(crate) fn new(seconds: f64, rounds: u32) -> Result<Self, Failure> {
        let span = Duration::try_from_secs_f64(seconds / f64::from(rounds.max(1)))?;
        Ok(Self { rounds, span, warm: span.clamp(Duration::from_millis(200), Duration::from_secs(1)) })
    }
}

impl Field {
    /// One operation at one number of connections.
    pub(crate) async fn cell(&mut self, op: Op, connections: usize, plan: &Plan) -> Result<Cell, Failure> {
        let mut lanes = Vec::new();
        for target in self.who_can(op) {
            lanes.push(Lanes::open(target, op, connections, plan.warm).await?);
        }
        let mut turns: Vec<Vec<Turn>> = lanes.iter().map(|_| Vec::new()).collect();
        let mut raw_micros = Vec::new();
        for round in 1..=plan.rounds {
            out::progress(&format!("{} x {connections}: round {round} of {}", op.name(), plan.rounds));
            for ((target, lanes), turns) in self.who_can(op).zip(&mut lanes).zip(&mut turns) {
                turns.push(lanes.turn(target, plan.span).await?);
            }
            let span = plan.span.min(Duration::from_millis(250));
            raw_micros.extend(raw::micros(&self.ciphers, op, span)?);
        }
        for (target, turns) in self.who_can(op).zip(&turns) {
            report_failures(target.name, op, turns);
        }
        let mut figures = turns.into_iter().map(Figures::of);
        // In the order of `targets`; only a peer, the last, can be missing.
        let (keystead, bare) = (figures.next(), figures.next());
        let (keystead, bare) = keystead.zip(bare).ok_or("two servers are always measured")?;
        Ok(Cell { op, connections, keystead, bare, peer: figures.next(), raw_micros_by_turn: raw_micros })
    }

    /// A peer may lack an operation.
    fn who_can(&mut self, op: Op) -> impl Iterator<Item = &mut Target> {
        self.targets().filter(move |target| target.has(op).is_some())
    }

    pub(crate) fn targets(&mut self) -> impl Iterator<Item = &mut Target> {
        [&mut self.keystead, &mut self.bare].into_iter().chain(&mut self.peer)
    }
}

fn report_failures(name: &str, op: Op, turns: &[Turn]) {
    let failed = turns.iter().map(|turn| turn.failed).fold(0, u64::saturating_add);
    if let Some(first) = turns.iter().find_map(|turn| turn.first_failure.as_ref()) {
        out::warn(&format!("warning: {name} refused {failed} requests of {}; the first: {first}", op.name()));
    }
}
