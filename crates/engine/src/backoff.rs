//! Scheduled work that was refused waits before it is tried again: a second, then twice as long each time, an hour at
//! most. Only in memory: after a restart everything is tried once.

use keystead_model::{Time, VaultId};
use keystead_store::{Row, RowKey};
use std::collections::HashMap;

/// ms.
const FIRST: i64 = 1_000;
const LONGEST: i64 = 3_600_000;
/// Rows that are remembered; what is refused beyond them is tried each time its turn comes.
const MOST: usize = 4_096;

/// What waits.
#[derive(Default)]
pub(crate) struct Backoff(HashMap<(VaultId, RowKey), Wait>);

struct Wait {
    /// Of the row that was tried: one that was changed since is another matter.
    counter: u64,
    tries: u32,
    since: Time,
    until: Time,
}

impl Backoff {
    /// Whether this row waits. A clock that was set back holds nothing up.
    pub(crate) fn holds(&self, vault: VaultId, row: &Row, now: Time) -> bool {
        let wait = self.0.get(&(vault, row.key())).filter(|w| w.counter == row.counter);
        wait.is_some_and(|w| (w.since..w.until).contains(&now))
    }

    /// It was refused now.
    pub(crate) fn refused(&mut self, vault: VaultId, row: &Row, now: Time) {
        let place = (vault, row.key());
        if self.0.len() >= MOST && !self.0.contains_key(&place) {
            self.0.retain(|_, w| now < w.until);
            if self.0.len() >= MOST {
                return;
            }
        }
        let tries = self.0.get(&place).filter(|w| w.counter == row.counter).map_or(0, |w| w.tries.saturating_add(1));
        let pause = FIRST.saturating_mul(1_i64.checked_shl(tries.min(30)).unwrap_or(i64::MAX)).min(LONGEST);
        let wait = Wait { counter: row.counter, tries, since: now, until: now.plus_millis(pause) };
        self.0.insert(place, wait);
    }

    /// It was done.
    pub(crate) fn done(&mut self, vault: VaultId, row: &Row) {
        self.0.remove(&(vault, row.key()));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use keystead_model::{ObjectId, Revision};
    use keystead_store::Kind;

    const V: VaultId = VaultId::from_bytes([1; 16]);

    fn row(n: u32, counter: u64) -> Row {
        let mut lookup = [0; 32];
        lookup[..4].copy_from_slice(&n.to_be_bytes());
        let (id, revision) = (ObjectId::from_bytes([0; 16]), Revision(1));
        Row { kind: Kind::Key, lookup, version: None, id, counter, revision, due: None, sealed: Vec::new() }
    }

    #[test]
    fn each_refusal_doubles_the_wait_up_to_an_hour() {
        let (mut backoff, mut now) = (Backoff::default(), Time(5_000));
        for tries in 0..40_u32 {
            backoff.refused(V, &row(1, 1), now);
            let pause = 1_000_i64.saturating_mul(1 << tries.min(40)).min(LONGEST);
            assert!(backoff.holds(V, &row(1, 1), Time(now.0 + pause - 1)));
            now = Time(now.0 + pause);
            assert!(!backoff.holds(V, &row(1, 1), now), "{tries}");
        }
        backoff.done(V, &row(1, 1));
        backoff.refused(V, &row(1, 1), now);
        assert!(!backoff.holds(V, &row(1, 1), Time(now.0 + FIRST)), "it begins anew");
    }

    #[test]
    fn a_changed_row_another_row_and_a_clock_set_back_do_not_wait() {
        let mut backoff = Backoff::default();
        backoff.refused(V, &row(1, 1), Time(5_000));
        assert!(backoff.holds(V, &row(1, 1), Time(5_000)));
        assert!(!backoff.holds(V, &row(1, 2), Time(5_000)));
        assert!(!backoff.holds(V, &row(2, 1), Time(5_000)));
        assert!(!backoff.holds(VaultId::from_bytes([2; 16]), &row(1, 1), Time(5_000)));
        assert!(!backoff.holds(V, &row(1, 1), Time(4_999)));
    }

    #[test]
    fn it_is_bounded() {
        let mut backoff = Backoff::default();
        for n in 0..10_000 {
            backoff.refused(V, &row(n, 1), Time(0));
        }
        assert_eq!(backoff.0.len(), MOST);
        backoff.refused(V, &row(10_000, 1), Time(LONGEST));
        assert!(backoff.holds(V, &row(10_000, 1), Time(LONGEST)), "those whose wait is over make room");
    }
}
