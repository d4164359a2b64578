//! What is turned away before a decision gets no receipt. It is counted, and the counts become one record per log and
//! minute, so a flood of refused requests cannot fill the journal.

use crate::record::Record;
use keystead_model::{Action, Time, VaultId};
use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Mutex, MutexGuard, PoisonError};

/// Logs with counts of their own; those of others are added to the node's.
const LOGS: usize = 1_024;
/// Milliseconds between two summaries of a log.
const EVERY: i64 = 60_000;
const REASONS: usize = TurnedAwayReason::ALL.len();

/// Why a request never reached a decision.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[repr(u16)]
pub enum TurnedAwayReason {
    /// No proof of who asks, or one that does not hold.
    NotAuthenticated = 1,
    /// No vault has this host name.
    UnknownHost = 2,
    /// Not a request of this protocol.
    Malformed = 3,
    /// Longer than the bound.
    TooLarge = 4,
    /// More requests than the bound.
    OverBound = 5,
    /// The vault is sealed.
    Sealed = 6,
    /// The vault has no root yet.
    Inactive = 7,
    /// The record could not have been made durable.
    JournalDown = 8,
    /// The store failed while it made a change: after a restart the log shows whether it was made.
    OutcomeUnknown = 9,
}

impl TurnedAwayReason {
    /// All of them, in the order of their codes.
    pub const ALL: &[Self] = &[
        Self::NotAuthenticated,
        Self::UnknownHost,
        Self::Malformed,
        Self::TooLarge,
        Self::OverBound,
        Self::Sealed,
        Self::Inactive,
        Self::JournalDown,
        Self::OutcomeUnknown,
    ];

    /// The number that stands in records and never changes its meaning.
    pub const fn code(self) -> u16 {
        self as u16
    }

    /// The number's reason, if this release knows it.
    pub fn from_code(code: u16) -> Option<Self> {
        Self::ALL.iter().copied().find(|reason| reason.code() == code)
    }

    /// The word people read.
    pub const fn name(self) -> &'static str {
        match self {
            Self::NotAuthenticated => "not authenticated",
            Self::UnknownHost => "unknown host",
            Self::Malformed => "malformed",
            Self::TooLarge => "too large",
            Self::OverBound => "over a bound",
            Self::Sealed => "sealed",
            Self::Inactive => "inactive",
            Self::JournalDown => "journal down",
            Self::OutcomeUnknown => "outcome unknown",
        }
    }
}

/// The clear body of a summary record. The record's own time is when counting ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TurnedAway {
    /// When counting began.
    pub since: Time,
    /// How many, by the code of the reason, ascending.
    pub counts: Vec<(u16, u64)>,
}

impl TurnedAway {
    /// From a summary record.
    pub fn of(record: &Record) -> Option<Self> {
        Self::from_cbor(record.clear()).filter(|_| record.action() == Some(Action::TurnedAway))
    }

    /// Map of 0: since in ms, 1: map of code to count.
    pub(super) fn to_cbor(&self) -> Vec<u8> {
        let mut out = minicbor::Encoder::new(Vec::new());
        let write = |out: &mut minicbor::Encoder<Vec<u8>>| {
            out.map(2)?.u8(0)?.i64(self.since.0)?.u8(1)?.map(self.counts.len() as u64)?;
            for (code, count) in &self.counts {
                out.u16(*code)?.u64(*count)?;
            }
            Ok::<_, minicbor::encode::Error<std::convert::Infallible>>(())
        };
        // Writing into memory cannot fail.
        let _ = write(&mut out);
        out.into_writer()
    }

    pub(crate) fn from_cbor(bytes: &[u8]) -> Option<Self> {
        let mut from = minicbor::Decoder::new(bytes);
        let key = |from: &mut minicbor::Decoder<'_>, n| from.u8().ok().filter(|k| *k == n);
        from.map().ok().filter(|n| *n == Some(2))?;
        key(&mut from, 0)?;
        let since = Time(from.i64().ok()?);
        key(&mut from, 1)?;
        let n = from.map().ok()??;
        let mut counts = Vec::new();
        for _ in 0..n {
            counts.push((from.u16().ok()?, from.u64().ok()?));
        }
        (from.position() == bytes.len()).then_some(Self { since, counts })
    }
}

/// The counts not yet written, and all there were since the start.
pub(super) struct Counters {
    unwritten: Mutex<HashMap<VaultId, Count>>,
    so_far: [AtomicU64; REASONS],
}

struct Count {
    counts: [u64; REASONS],
    /// When the log had its last summary.
    written: Option<Time>,
}

impl Counters {
    pub(super) fn new() -> Self {
        Self { unwritten: Mutex::new(HashMap::new()), so_far: [const { AtomicU64::new(0) }; REASONS] }
    }

    pub(super) fn add(&self, log: Option<VaultId>, reason: TurnedAwayReason) {
        let nodes = VaultId::from_bytes([0; 16]);
        let mut logs = self.lock();
        let log = log.filter(|log| logs.len() < LOGS || logs.contains_key(log)).unwrap_or(nodes);
        let count = logs.entry(log).or_insert(Count { counts: [0; REASONS], written: None });
        let of = TurnedAwayReason::ALL.iter().position(|r| *r == reason);
        if let Some(n) = of.and_then(|i| count.counts.get_mut(i)) {
            *n = n.saturating_add(1);
        }
        if let Some(n) = of.and_then(|i| self.so_far.get(i)) {
            n.fetch_add(1, Relaxed);
        }
    }

    pub(super) fn so_far(&self) -> Vec<(TurnedAwayReason, u64)> {
        TurnedAwayReason::ALL.iter().copied().zip(self.so_far.iter().map(|n| n.load(Relaxed))).collect()
    }

    /// Takes the counts of one log whose summary is due at `now`, or of any with counts if it is the `last` call.
    /// `before` stands for the time of a summary that the log never had.
    pub(super) fn next_due(&self, before: Time, now: Time, last: bool) -> Option<(VaultId, TurnedAway)> {
        let mut logs = self.lock();
        // A clock set back does not hold a summary up.
        let rests = |c: &Count| c.written.is_some_and(|at| (at..at.plus_millis(EVERY)).contains(&now));
        logs.retain(|_, c| rests(c) || c.counts != [0; REASONS]);
        let (log, count) = logs.iter_mut().find(|(_, c)| c.counts != [0; REASONS] && (last || !rests(c)))?;
        let since = count.written.replace(now).unwrap_or(before);
        let counts = std::mem::replace(&mut count.counts, [0; REASONS]);
        let named = TurnedAwayReason::ALL.iter().map(|r| r.code()).zip(counts);
        Some((*log, TurnedAway { since, counts: named.filter(|(_, n)| *n > 0).collect() }))
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<VaultId, Count>> {
        self.unwritten.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use TurnedAwayReason::{Malformed, Sealed};

    const LOG: VaultId = VaultId::from_bytes([7; 16]);

    #[test]
    fn a_log_has_at_most_one_summary_a_minute_and_no_count_is_lost() {
        let (counters, before) = (Counters::new(), Time(5));
        counters.add(Some(LOG), Malformed);
        counters.add(Some(LOG), Sealed);
        counters.add(Some(LOG), Sealed);
        let first = TurnedAway { since: before, counts: vec![(Malformed.code(), 1), (Sealed.code(), 2)] };
        assert_eq!(counters.next_due(before, Time(1_000), false), Some((LOG, first)));
        counters.add(Some(LOG), Sealed);
        assert_eq!(counters.next_due(before, Time(60_999), false), None);
        let second = TurnedAway { since: Time(1_000), counts: vec![(Sealed.code(), 1)] };
        assert_eq!(counters.next_due(before, Time(61_000), false), Some((LOG, second)));
        assert_eq!(counters.next_due(before, Time(500_000), false), None);
    }

    #[test]
    fn the_last_call_and_a_clock_set_back_hold_nothing_up() {
        let counters = Counters::new();
        for (now, last) in [(Time(9_000_000), false), (Time(9_000_001), true), (Time(10), false)] {
            counters.add(None, Sealed);
            assert!(counters.next_due(Time(0), now, last).is_some());
        }
    }

    #[test]
    fn the_number_of_logs_is_bounded() {
        let counters = Counters::new();
        for i in 0..5_000_u128 {
            counters.add(Some(VaultId::from_bytes(i.to_be_bytes())), Sealed);
        }
        let mut sum = 0;
        let mut logs = 0;
        while let Some((_, summary)) = counters.next_due(Time(0), Time(1), false) {
            logs += 1;
            sum += summary.counts[0].1;
        }
        assert_eq!((logs, sum), (LOGS, 5_000));
    }

    #[test]
    fn a_summary_parses_as_it_was_written() {
        let summary = TurnedAway { since: Time(-4), counts: vec![(1, 9), (700, u64::MAX)] };
        let bytes = summary.to_cbor();
        assert_eq!(TurnedAway::from_cbor(&bytes), Some(summary));
        for cut in 0..bytes.len() {
            assert_eq!(TurnedAway::from_cbor(&bytes[..cut]), None);
        }
        assert_eq!(TurnedAway::from_cbor(&[&bytes[..], &[0]].concat()), None);
        assert!(TurnedAwayReason::ALL.iter().all(|r| TurnedAwayReason::from_code(r.code()) == Some(*r)));
    }
}
