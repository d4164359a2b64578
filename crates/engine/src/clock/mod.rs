//! Whether the node's clock is believed: timed work that cannot be undone is done by no other.
//!
//! A clock is doubted when it is more than an hour from where it is expected: while the process runs, from a clock that
//! cannot be set; at the start, from the time that the node noted last. A doubt has a random id and stands in the
//! node's [`note`], beside the node's key, until another takes its place. It is over for a vault once an administrator
//! of the vault has [`confirmed`] that very doubt.

pub(crate) mod confirmed;
pub mod note;

use crate::error::Refusal;
use crate::node::{Instance, NODE_LOG};
use crate::vault::{Open, Vault};
use keystead_audit::Journal;
use keystead_model::{Action, Moment, Time};
use keystead_store::Store;
use note::ClockNote;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// How far the clock may be from where it is expected, and from what an administrator says, in ms.
pub const TOLERANCE: i64 = 3_600_000;

/// Which doubt it is: random, so that none is taken for another.
pub type DoubtId = [u8; 16];

/// Why the clock is doubted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Why {
    /// At the start it was elsewhere than when the node last ran: the node was off for long, or the clock was set.
    Start,
    /// It was set while the process ran.
    Step,
    /// The node's note of its clock is missing, or is none.
    NoNote,
}

impl Why {
    /// The word for programs.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Start => "start",
            Self::Step => "step",
            Self::NoNote => "no-note",
        }
    }
}

/// A clock that was not where it was expected.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Doubt {
    /// Which.
    pub id: DoubtId,
    /// Why.
    pub why: Why,
    /// What the clock said then.
    pub said: Time,
    /// What was expected; of a start, the last time that is known of.
    pub expected: Option<Time>,
}

impl Doubt {
    fn new(why: Why, said: Time, expected: Option<Time>) -> Self {
        Self { id: keystead_crypto::random(), why, said, expected }
    }
}

/// Whether two times are the same, as far as a clock is believed.
pub(crate) fn near(a: Time, b: Time) -> bool {
    a.0.saturating_sub(b.0).saturating_abs() <= TOLERANCE
}

/// The node's clock, watched.
pub struct Clock(Mutex<Watch>);

struct Watch {
    /// Wall clock less steady clock, ms.
    offset: i64,
    note: ClockNote,
    /// Whether the doubt is to be recorded in the node's log yet.
    unrecorded: bool,
}

impl Clock {
    /// Begins to watch: `steady` is milliseconds of a clock that only runs. What the node noted is held against the
    /// clock; without a note only a node that never did anything is believed.
    pub async fn begin(
        found: Option<ClockNote>,
        journal: &Journal,
        store: &Store,
        now: Time,
        steady: i64,
    ) -> Result<Arc<Self>, Refusal> {
        let recorded = last_recorded(journal);
        let new = recorded.is_none() && store.vaults().await?.is_empty();
        let note = at_start(found, now, recorded, new);
        let unrecorded = note.doubt.is_some() && note.doubt != found.and_then(|n| n.doubt);
        let offset = now.0.saturating_sub(steady);
        Ok(Arc::new(Self(Mutex::new(Watch { offset, note, unrecorded }))))
    }

    /// One beat. Whoever carries out what is due at `now` looks here first.
    fn beat(&self, now: Time, steady: i64) -> ClockNote {
        let mut watch = self.watch();
        let offset = now.0.saturating_sub(steady);
        let doubt = stepped(watch.offset, now, steady);
        if doubt.is_some() {
            (watch.offset, watch.unrecorded) = (offset, true);
        }
        watch.note = ClockNote { seen: now, doubt: doubt.or(watch.note.doubt) };
        watch.note
    }

    /// What is to be kept over a restart.
    pub fn note(&self) -> ClockNote {
        self.watch().note
    }

    /// The newest doubt, confirmed or not.
    pub fn doubt(&self) -> Option<Doubt> {
        self.note().doubt
    }

    fn watch(&self) -> MutexGuard<'_, Watch> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn at_start(found: Option<ClockNote>, now: Time, recorded: Option<Time>, new: bool) -> ClockNote {
    let doubt = match found {
        Some(note) if near(now, note.seen) => note.doubt,
        Some(note) => Some(Doubt::new(Why::Start, now, Some(note.seen))),
        None if new => None,
        None => Some(Doubt::new(Why::NoNote, now, recorded)),
    };
    ClockNote { seen: now, doubt }
}

fn stepped(offset: i64, now: Time, steady: i64) -> Option<Doubt> {
    let expected = Time(steady).plus_millis(offset);
    (!near(now, expected)).then(|| Doubt::new(Why::Step, now, Some(expected)))
}

/// When the newest record of any log was made.
pub fn last_recorded(journal: &Journal) -> Option<Time> {
    let newest = |log| journal.tail(log, 1).ok()?.first().map(|(_, record)| record.at());
    journal.logs().into_iter().filter_map(newest).max()
}

impl Instance {
    /// One beat of the watch on the clock, before [`Instance::tick`]; gives what is to be kept over a restart.
    pub async fn watch_clock(&self, at: Moment, steady: i64) -> ClockNote {
        let note = self.clock().beat(at.now, steady);
        self.record_doubt(at).await;
        note
    }

    /// A doubt is recorded in the node's log once. Where the journal takes no records it stands without one, and is
    /// recorded later.
    pub(crate) async fn record_doubt(&self, at: Moment) {
        let unrecorded = self.clock().watch().unrecorded;
        if unrecorded && self.note(Action::ClockDoubted, NODE_LOG, at).await.is_ok() {
            self.clock().watch().unrecorded = false;
        }
    }

    /// How many open vaults wait for an administrator to confirm the clock.
    pub fn doubted(&self) -> usize {
        let mut waiting = 0_usize;
        self.each(|vault| waiting = waiting.saturating_add(usize::from(vault.doubt().is_some())));
        waiting
    }
}

impl Vault {
    /// Why the clock is doubted, unless this vault's administrators have confirmed it; known while the vault is open.
    pub fn doubt(&self) -> Option<Doubt> {
        self.doubt_of(&*self.open().ok()?)
    }

    pub(crate) fn doubt_of(&self, open: &Open) -> Option<Doubt> {
        let confirmed = open.confirmed.load().doubt;
        self.clock.doubt().filter(|doubt| confirmed != Some(doubt.id))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOUR: i64 = TOLERANCE;
    const NOW: Time = Time(1_900_000_000_000);

    fn noted(doubt: Option<Doubt>) -> Option<ClockNote> {
        Some(ClockNote { seen: NOW, doubt })
    }

    #[test]
    fn a_start_within_an_hour_of_the_note_keeps_what_stands_in_it() {
        let doubt = Some(Doubt::new(Why::Step, Time(1), None));
        for now in [NOW, NOW.plus_millis(HOUR), NOW.plus_millis(-HOUR)] {
            for doubt in [doubt, None] {
                let note = at_start(noted(doubt), now, None, false);
                assert_eq!(note, ClockNote { seen: now, doubt }, "as new as before, or as doubted");
            }
        }
    }

    #[test]
    fn a_start_more_than_an_hour_from_the_note_is_another_doubt() {
        let old = Doubt::new(Why::Step, Time(1), None);
        for now in [NOW.plus_millis(HOUR + 1), NOW.plus_millis(-HOUR - 1), Time(i64::MIN), Time(i64::MAX)] {
            for doubt in [Some(old), None] {
                let found = at_start(noted(doubt), now, Some(now), false).doubt.unwrap();
                assert_eq!((found.why, found.said, found.expected), (Why::Start, now, Some(NOW)));
                assert_ne!(found.id, old.id, "who confirmed the old one did not confirm this");
            }
        }
    }

    #[test]
    fn without_a_note_only_a_node_that_never_did_anything_is_believed() {
        assert_eq!(at_start(None, NOW, None, true), ClockNote { seen: NOW, doubt: None });
        for recorded in [Some(NOW), None] {
            let doubt = at_start(None, NOW, recorded, false).doubt.unwrap();
            assert_eq!((doubt.why, doubt.expected), (Why::NoNote, recorded));
        }
    }

    #[test]
    fn a_step_of_more_than_an_hour_is_found_once_and_the_way_back_is_another() {
        let clock = Clock(Mutex::new(Watch {
            offset: NOW.0 - 500,
            note: ClockNote { seen: NOW, doubt: None },
            unrecorded: false,
        }));
        assert_eq!(clock.beat(NOW.plus_millis(HOUR + 1_000), 1_500).doubt, None);
        assert_eq!(clock.beat(NOW.plus_millis(-HOUR + 2_000), 2_500).doubt, None);
        assert_eq!(clock.beat(NOW.plus_millis(30 * 24 * HOUR), 500 + 30 * 24 * HOUR).doubt, None, "it only ran");
        let day = 31 * 24 * HOUR;
        let ahead = clock.beat(NOW.plus_millis(day + HOUR + 1), 500 + day).doubt.unwrap();
        assert_eq!((ahead.why, ahead.expected), (Why::Step, Some(NOW.plus_millis(day))));
        assert_eq!(clock.beat(NOW.plus_millis(day + HOUR + 2_000), 2_499 + day).doubt, Some(ahead), "the same");
        let back = clock.beat(NOW.plus_millis(day + 3_000), 3_500 + day).doubt.unwrap();
        assert!(back.id != ahead.id && back.said < back.expected.unwrap());
        assert_eq!(clock.note(), ClockNote { seen: NOW.plus_millis(day + 3_000), doubt: Some(back) });
    }
}
