//! What a node keeps of its clock over a restart, in a file beside its key: who can write there could as well take the
//! key, and who owns the database or the audit's files is not there.
//!
//! ```text
//! version 1, 1 byte | CBOR map: 0 the time noted, 1 the newest doubt
//! a doubt: 0 id, 16 bytes | 1 why: 1 start, 2 step, 3 no note | 2 what the clock said | 3 what was expected
//! ```
//!
//! Times are ms since the epoch. What is not there is left out.

use super::{Doubt, Why};
use keystead_model::Time;
use minicbor::bytes::ByteArray;
use minicbor::{Decode, Encode};

const VERSION: u8 = 1;

/// The note.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ClockNote {
    /// What the clock said when it was noted.
    pub seen: Time,
    /// The newest doubt, confirmed or not.
    pub doubt: Option<Doubt>,
}

/// Bytes that are no note. The clock is doubted then, as without one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum BadNote {
    /// Of another layout.
    #[error("it has version {0}, which this release does not know")]
    Version(u8),
    /// Not as a node writes it.
    #[error("it is damaged")]
    Damaged,
}

#[derive(Encode, Decode)]
#[cbor(map)]
struct NoteRecord {
    #[n(0)]
    seen: i64,
    #[n(1)]
    doubt: Option<DoubtRecord>,
}

#[derive(Encode, Decode)]
#[cbor(map)]
struct DoubtRecord {
    #[n(0)]
    id: ByteArray<16>,
    #[n(1)]
    why: u8,
    #[n(2)]
    said: i64,
    #[n(3)]
    expected: Option<i64>,
}

impl ClockNote {
    /// As it is written.
    pub fn to_bytes(self) -> Vec<u8> {
        let doubt = self.doubt.map(|d| DoubtRecord {
            id: d.id.into(),
            why: code(d.why),
            said: d.said.0,
            expected: d.expected.map(|t| t.0),
        });
        let mut bytes = vec![VERSION];
        // Writing into memory cannot fail.
        let _ = minicbor::encode(NoteRecord { seen: self.seen.0, doubt }, &mut bytes);
        bytes
    }

    /// Reads what [`ClockNote::to_bytes`] wrote, and nothing else.
    pub fn parse(bytes: &[u8]) -> Result<Self, BadNote> {
        let rest = match bytes.split_first() {
            Some((&VERSION, rest)) => rest,
            Some((&other, _)) => return Err(BadNote::Version(other)),
            None => return Err(BadNote::Damaged),
        };
        let record: NoteRecord = minicbor::decode(rest).map_err(|_| BadNote::Damaged)?;
        let doubt = record.doubt.map(DoubtRecord::read).transpose()?;
        let note = Self { seen: Time(record.seen), doubt };
        if note.to_bytes() == bytes { Ok(note) } else { Err(BadNote::Damaged) }
    }
}

impl DoubtRecord {
    fn read(self) -> Result<Doubt, BadNote> {
        let why = [Why::Start, Why::Step, Why::NoNote].into_iter().find(|why| code(*why) == self.why);
        let (said, expected) = (Time(self.said), self.expected.map(Time));
        Ok(Doubt { id: *self.id, why: why.ok_or(BadNote::Damaged)?, said, expected })
    }
}

const fn code(why: Why) -> u8 {
    match why {
        Why::Start => 1,
        Why::Step => 2,
        Why::NoNote => 3,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn golden(text: &str) -> Vec<u8> {
        hex::decode(text.split_whitespace().collect::<String>()).unwrap()
    }

    fn doubt(why: Why, said: i64, expected: Option<i64>) -> Option<Doubt> {
        let id = [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15];
        Some(Doubt { id, why, said: Time(said), expected: expected.map(Time) })
    }

    /// The golden files were made by another implementation.
    #[test]
    fn golden_notes() {
        for (text, seen, doubt) in [
            (include_str!("../../tests/golden/clock-note-plain-v1.hex"), 1_900_000_000_000, None),
            (
                include_str!("../../tests/golden/clock-note-start-v1.hex"),
                1_900_000_000_001,
                doubt(Why::Start, 1_900_000_000_000, Some(1_899_900_000_000)),
            ),
            (
                include_str!("../../tests/golden/clock-note-step-v1.hex"),
                -2,
                doubt(Why::Step, -1, Some(1_900_000_000_000)),
            ),
            (include_str!("../../tests/golden/clock-note-no-note-v1.hex"), 3, doubt(Why::NoNote, 2, None)),
        ] {
            let (bytes, note) = (golden(text), ClockNote { seen: Time(seen), doubt });
            assert_eq!(ClockNote::parse(&bytes), Ok(note));
            assert_eq!(hex::encode(note.to_bytes()), hex::encode(bytes));
        }
    }

    #[test]
    fn what_a_node_did_not_write_is_no_note() {
        let good = golden(include_str!("../../tests/golden/clock-note-start-v1.hex"));
        assert_eq!(ClockNote::parse(&[]), Err(BadNote::Damaged));
        assert_eq!(ClockNote::parse(&[&[2], &good[1..]].concat()), Err(BadNote::Version(2)));
        assert_eq!(ClockNote::parse(&[&good[..], &[0]].concat()), Err(BadNote::Damaged), "something behind it");
        for length in 1..good.len() {
            assert_eq!(ClockNote::parse(&good[..length]), Err(BadNote::Damaged), "cut to {length}");
        }
    }

    proptest! {
        /// A flipped byte is refused or says another thing; it never makes a doubt disappear.
        #[test]
        fn no_changed_byte_takes_a_doubt_away(at in 0_usize..10_000, by in 1_u8..) {
            let mut bytes = golden(include_str!("../../tests/golden/clock-note-start-v1.hex"));
            let at = at % bytes.len();
            bytes[at] ^= by;
            prop_assert!(ClockNote::parse(&bytes).map_or(true, |note| note.doubt.is_some()));
        }

        #[test]
        fn no_bytes_make_it_panic(bytes in prop::collection::vec(any::<u8>(), 0..80)) {
            let _ = ClockNote::parse(&bytes);
        }
    }
}
