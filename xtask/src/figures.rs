//! From turns to figures.

use crate::drive::Turn;
use crate::op::Op;
use serde::Serialize;

/// What one server did for one operation: medians over its turns, percentiles over all its requests.
#[derive(Serialize)]
pub(crate) struct Figures {
    pub(crate) requests: u64,
    pub(crate) failed: u64,
    pub(crate) per_second: f64,
    /// Server CPU per operation.
    pub(crate) cpu_micros: f64,
    pub(crate) p50_micros: u32,
    pub(crate) p99_micros: u32,
    /// Bytes that the server caused to be written, per operation.
    pub(crate) written: Option<f64>,
    /// Server CPU per operation, turn by turn.
    pub(crate) cpu_micros_by_turn: Vec<f64>,
}

/// One operation at one number of connections.
#[derive(Serialize)]
pub(crate) struct Cell {
    pub(crate) op: Op,
    pub(crate) connections: usize,
    pub(crate) keystead: Figures,
    pub(crate) bare: Figures,
    pub(crate) peer: Option<Figures>,
    /// CPU microseconds of the primitive alone, by turn; empty for an operation without one.
    pub(crate) raw_micros_by_turn: Vec<f64>,
}

impl Figures {
    pub(crate) fn of(turns: Vec<Turn>) -> Self {
        let sum = |part: fn(&Turn) -> u64| turns.iter().map(part).fold(0, u64::saturating_add);
        let each = |part: &dyn Fn(&Turn) -> f64| turns.iter().map(part).collect::<Vec<_>>();
        let (requests, failed) = (sum(|t| t.done), sum(|t| t.failed));
        let by_turn = each(&|t| t.cpu_micros / count(t));
        let per_second = median(&each(&|t| t.done as f64 / t.seconds));
        let written: Option<Vec<f64>> = turns.iter().map(|t| Some(t.written? / count(t))).collect();
        let mut latencies: Vec<u32> = turns.into_iter().flat_map(|t| t.latencies).collect();
        latencies.sort_unstable();
        Self {
            requests,
            failed,
            per_second,
            cpu_micros: median(&by_turn),
            p50_micros: percentile(&latencies, 50),
            p99_micros: percentile(&latencies, 99),
            written: written.map(|bytes| median(&bytes)),
            cpu_micros_by_turn: by_turn,
        }
    }
}

impl Cell {
    /// The median over turns of this server's CPU to the bare handler's in the same turn.
    pub(crate) fn to_bare(&self) -> f64 {
        ratio(&self.keystead.cpu_micros_by_turn, &self.bare.cpu_micros_by_turn)
    }

    /// To the primitive alone.
    pub(crate) fn to_raw(&self) -> Option<f64> {
        let raw = &self.raw_micros_by_turn;
        (!raw.is_empty()).then(|| ratio(&self.keystead.cpu_micros_by_turn, raw))
    }

    /// The peer's CPU to this server's.
    pub(crate) fn peer_to_us(&self) -> Option<f64> {
        self.peer.as_ref().map(|peer| ratio(&peer.cpu_micros_by_turn, &self.keystead.cpu_micros_by_turn))
    }

    /// What stands around the cipher: ours to the bare handler's, the primitive's time taken off both.
    pub(crate) fn around_cipher(&self) -> f64 {
        if self.raw_micros_by_turn.is_empty() {
            return self.to_bare();
        }
        let without = |of: &Figures| -> Vec<f64> {
            of.cpu_micros_by_turn.iter().zip(&self.raw_micros_by_turn).map(|(all, raw)| all - raw).collect()
        };
        ratio(&without(&self.keystead), &without(&self.bare))
    }

    /// The primitive alone.
    pub(crate) fn raw_micros(&self) -> Option<f64> {
        (!self.raw_micros_by_turn.is_empty()).then(|| median(&self.raw_micros_by_turn))
    }
}

fn count(turn: &Turn) -> f64 {
    turn.done.saturating_add(turn.failed).max(1) as f64
}

/// The median of the quotients of what was measured in the same turn.
pub(crate) fn ratio(ours: &[f64], theirs: &[f64]) -> f64 {
    median(&ours.iter().zip(theirs).map(|(a, b)| a / b).collect::<Vec<_>>())
}

/// The middle value, or the mean of the two; NaN of nothing.
pub(crate) fn median(values: &[f64]) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_unstable_by(f64::total_cmp);
    let upper = sorted.len() / 2;
    let lower = sorted.len().saturating_sub(1) / 2;
    match (sorted.get(lower), sorted.get(upper)) {
        (Some(a), Some(b)) => f64::midpoint(*a, *b),
        _ => f64::NAN,
    }
}

/// Of sorted values, by nearest rank; 0 of nothing.
pub(crate) fn percentile(sorted: &[u32], percent: usize) -> u32 {
    let rank = sorted.len().saturating_mul(percent).div_ceil(100).saturating_sub(1);
    sorted.get(rank).copied().unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn figures(by_turn: &[f64]) -> Figures {
        let turn = |cpu: &f64| Turn { done: 1, seconds: 1.0, cpu_micros: *cpu, latencies: vec![7], ..Turn::default() };
        Figures::of(by_turn.iter().map(turn).collect())
    }

    #[test]
    fn medians_and_percentiles_are_those_of_the_book() {
        assert_eq!(median(&[3.0, 1.0, 2.0]), 2.0);
        assert_eq!(median(&[4.0, 1.0, 2.0, 3.0]), 2.5);
        assert!(median(&[]).is_nan());
        let sorted: Vec<u32> = (1..=200).collect();
        assert_eq!((percentile(&sorted, 50), percentile(&sorted, 99), percentile(&[], 99)), (100, 198, 0));
    }

    #[test]
    fn a_ratio_compares_within_a_turn_so_that_a_slow_turn_cancels_out() {
        let cell = Cell {
            op: Op::Encrypt,
            connections: 16,
            keystead: figures(&[20.0, 40.0, 20.0]),
            bare: figures(&[10.0, 20.0, 10.0]),
            peer: None,
            raw_micros_by_turn: vec![5.0, 10.0, 5.0],
        };
        assert_eq!((cell.to_bare(), cell.to_raw()), (2.0, Some(4.0)));
        assert_eq!(cell.around_cipher(), 3.0);
        assert_eq!((cell.keystead.p50_micros, cell.keystead.per_second), (7, 1.0));
        assert_eq!((cell.keystead.written, cell.peer_to_us()), (None, None));
    }
}
