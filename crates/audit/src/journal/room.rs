//! Room in the journal, counted before work begins: a full disk is met when room is reserved, never at the write.
//!
//! `free` is what the preallocated segments still take, less what is reserved. Each reservation counts as the longest
//! frame; the writer gives back the difference. Room is a promise: whatever was reserved fits.

use super::segment::FRAME_MAX;
use crate::error::JournalDown;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU32, Ordering::SeqCst};

/// What one reservation takes: the longest frame, and by how much a record can lengthen the next segment's header (a
/// new log's entry there, with one hash).
pub(super) const SLOT: i64 = FRAME_MAX as i64 + 56;

/// The counters behind [`super::Journal::reserve`].
pub(super) struct Room {
    free: AtomicI64,
    slots: AtomicU32,
    max_slots: u32,
    low: AtomicBool,
    closed: AtomicBool,
    failure: OnceLock<String>,
}

/// Whether records are accepted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum JournalState {
    /// They are.
    Ready,
    /// They are, but no further segment could be preallocated: the disk or the budget is nearly used up.
    Low,
    /// No room is left; heals by itself.
    Full,
    /// A write or sync failed for this reason; out of service until restarted.
    Failed(String),
    /// The node is stopping.
    Closed,
}

impl Room {
    pub(super) fn new(max_slots: u32) -> Self {
        Self {
            free: AtomicI64::new(0),
            slots: AtomicU32::new(0),
            max_slots,
            low: AtomicBool::new(false),
            closed: AtomicBool::new(false),
            failure: OnceLock::new(),
        }
    }

    /// Takes one slot. Whoever gets it gives it back with [`Self::release`], or hands it to the writer, who does.
    pub(super) fn reserve(&self) -> Result<(), JournalDown> {
        self.accepting()?;
        let more = |n: u32| n.checked_add(1).filter(|n| *n <= self.max_slots);
        self.slots.fetch_update(SeqCst, SeqCst, more).map_err(|_| JournalDown::Busy)?;
        let less = |free: i64| free.checked_sub(SLOT).filter(|left| *left >= 0);
        if self.free.fetch_update(SeqCst, SeqCst, less).is_err() {
            self.slots.fetch_sub(1, SeqCst);
            return Err(JournalDown::Full);
        }
        Ok(())
    }

    /// Why nothing is accepted, if so.
    pub(super) fn accepting(&self) -> Result<(), JournalDown> {
        if self.failure.get().is_some() {
            Err(JournalDown::Failed)
        } else if self.closed.load(SeqCst) {
            Err(JournalDown::Closed)
        } else {
            Ok(())
        }
    }

    /// Records that are on their way.
    pub(super) fn slots(&self) -> u32 {
        self.slots.load(SeqCst)
    }

    /// Gives back slots, after the room that their frames took was subtracted with [`Self::grow`].
    pub(super) fn release(&self, slots: u32) {
        self.free.fetch_add(SLOT.saturating_mul(i64::from(slots)), SeqCst);
        self.slots.fetch_sub(slots, SeqCst);
    }

    /// More (or less, if negative) room in the segments.
    pub(super) fn grow(&self, bytes: i64) {
        self.free.fetch_add(bytes, SeqCst);
    }

    /// Whether the next segment is missing.
    pub(super) fn set_low(&self, low: bool) {
        self.low.store(low, SeqCst);
    }

    /// Takes the journal out of service for good. The first reason stays.
    pub(super) fn fail(&self, reason: String) {
        let _ = self.failure.set(reason);
    }

    /// Accepts no further reservation.
    pub(super) fn close(&self) {
        self.closed.store(true, SeqCst);
    }

    /// Bytes that can still be reserved.
    pub(super) fn free(&self) -> u64 {
        u64::try_from(self.free.load(SeqCst)).unwrap_or(0)
    }

    pub(super) fn state(&self) -> JournalState {
        match self.accepting() {
            Err(JournalDown::Closed) => JournalState::Closed,
            Err(_) => JournalState::Failed(self.failure.get().cloned().unwrap_or_default()),
            Ok(()) if self.free.load(SeqCst) < SLOT => JournalState::Full,
            Ok(()) if self.low.load(SeqCst) => JournalState::Low,
            Ok(()) => JournalState::Ready,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_more_is_reserved_than_there_is() {
        let room = Room::new(10);
        assert_eq!(room.reserve(), Err(JournalDown::Full));
        room.grow(SLOT * 2 + 5);
        assert_eq!([room.reserve(), room.reserve(), room.reserve()], [Ok(()), Ok(()), Err(JournalDown::Full)]);
        assert_eq!(room.state(), JournalState::Full);
        // One of them was written and took 100 bytes: not enough for another.
        room.grow(-100);
        room.release(1);
        assert_eq!(room.reserve(), Err(JournalDown::Full));
        room.release(1);
        assert_eq!(room.reserve(), Ok(()));
    }

    #[test]
    fn the_number_of_reservations_is_bounded() {
        let room = Room::new(2);
        room.grow(SLOT * 100);
        assert_eq!([room.reserve(), room.reserve(), room.reserve()], [Ok(()), Ok(()), Err(JournalDown::Busy)]);
        room.release(2);
        assert_eq!((room.reserve(), room.free()), (Ok(()), 99 * SLOT as u64));
    }

    #[test]
    fn a_failed_journal_accepts_nothing_again() {
        let room = Room::new(2);
        room.grow(SLOT * 100);
        room.fail("first".into());
        room.fail("second".into());
        room.grow(SLOT);
        assert_eq!(room.reserve(), Err(JournalDown::Failed));
        assert_eq!(room.state(), JournalState::Failed("first".into()));
    }
}
