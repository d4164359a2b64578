//! What lies behind the last record: zeros, a write under way, or bytes that belong to nothing.
//!
//! A write becomes a record, or changes, within moments. What is looked at [`LOOKS`] times, a tenth of a second apart,
//! and is behind the last record each time with the same bytes, is no write of a node that runs.

use std::collections::BTreeMap;
use std::fs::File;
use std::io;
use std::ops::Range;
use std::os::unix::fs::FileExt as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::finding::NotVerified;
use super::published::read;
use crate::journal::disk;
use crate::journal::segment::{FRAME_HEAD, FRAME_MAX, Header};
use crate::record::Record;

/// Looks at the same bytes before they are called stray.
const LOOKS: u32 = 30;
/// Looks at an end that is never at rest.
const MOST: u32 = 100;
const PAUSE: Duration = Duration::from_millis(100);

const BLOCK: usize = 4_096;
const CHUNK: usize = 64 * BLOCK;
const ZEROS: &[u8; BLOCK] = &[0; BLOCK];

/// The bytes of a file, from some place on, that are no zeros.
#[derive(Debug, Default)]
pub(super) struct Strays {
    /// Blocks with such a byte, by their offset, a multiple of [`BLOCK`].
    blocks: BTreeMap<u64, Vec<u8>>,
}

impl Strays {
    /// Reads a file from `from` to its end. Holes are not read; a file that is not there has none.
    pub(super) fn read(path: &Path, from: u64) -> Result<Self, NotVerified> {
        let mut found = Self::default();
        match File::open(path).and_then(|file| found.look_into(&file, from)) {
            Err(e) if e.kind() != io::ErrorKind::NotFound => Err(NotVerified::Io { path: path.to_owned(), source: e }),
            _ => Ok(found),
        }
    }

    fn look_into(&mut self, file: &File, from: u64) -> io::Result<()> {
        let end = file.metadata()?.len();
        let mut chunk = vec![0; CHUNK];
        let mut at = from;
        while let Some(data) = disk::next_data(file, at, end)? {
            at = data.start.checked_div(BLOCK as u64).unwrap_or(0).saturating_mul(BLOCK as u64);
            while at < data.end {
                let read = fill(file, &mut chunk, at)?;
                for block in chunk.get(..read).unwrap_or_default().chunks(BLOCK) {
                    self.add(at, block, from);
                    at = at.saturating_add(block.len() as u64);
                }
                if read < chunk.len() {
                    return Ok(());
                }
            }
        }
        Ok(())
    }

    fn add(&mut self, at: u64, block: &[u8], from: u64) {
        if block == ZEROS {
            return;
        }
        let mut block = block.to_vec();
        let before = usize::try_from(from.saturating_sub(at)).unwrap_or(BLOCK).min(block.len());
        block.iter_mut().take(before).for_each(|byte| *byte = 0);
        if block.iter().any(|byte| *byte != 0) {
            self.blocks.insert(at, block);
        }
    }

    /// Where the first one is.
    pub(super) fn first(&self) -> Option<u64> {
        self.bytes().next().map(|(at, _)| at)
    }

    /// Whether the byte at `stray` is part of a frame that begins at `at`, however little of it reads back: the frame's
    /// head and its record's header both say something. One stray byte is in one of them only.
    pub(super) fn is_of_frame(&self, stray: u64, at: u64) -> bool {
        let [record, body, end] =
            [FRAME_HEAD, FRAME_HEAD.saturating_add(Record::HEADER), FRAME_MAX].map(|len| at.saturating_add(len as u64));
        let any = |range: Range<u64>| self.bytes().any(|(at, _)| range.contains(&at));
        (at..end).contains(&stray) && any(at..record) && any(record..body)
    }

    fn bytes(&self) -> impl Iterator<Item = (u64, u8)> {
        let numbered = |(at, block): (&u64, &Vec<u8>)| (*at..).zip(block.clone());
        self.blocks.iter().flat_map(numbered).filter(|(_, byte)| *byte != 0)
    }

    /// The first byte from `from` on that is the same in both.
    fn first_common(&self, other: &Self, from: u64) -> Option<u64> {
        other.blocks.iter().find_map(|(at, block)| {
            let pairs = (*at..).zip(self.blocks.get(at)?.iter().zip(block));
            pairs.filter(|(at, (a, b))| *at >= from && **a != 0 && a == b).map(|(at, _)| at).next()
        })
    }
}

/// Reads at `at` until the chunk is full or the file ends.
fn fill(file: &File, chunk: &mut [u8], at: u64) -> io::Result<usize> {
    let mut done = 0;
    while let Some(rest) = chunk.get_mut(done..).filter(|rest| !rest.is_empty()) {
        match file.read_at(rest, at.saturating_add(done as u64)) {
            Ok(0) => break,
            Ok(n) => done = done.saturating_add(n),
            Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
            Err(e) => return Err(e),
        }
    }
    Ok(done)
}

/// What a look has shown.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Seen {
    /// Not enough to tell: look again.
    Moving,
    /// This byte stays, and no record reaches it.
    Stray(u64),
    /// Something new each time, for longer than it is worth waiting.
    Restless,
}

/// Bytes behind the last record, watched until they are part of one or prove to be no write under way.
#[derive(Default)]
pub(super) struct Watch {
    before: Strays,
    /// Looks since `before`, and all.
    looks: u32,
    all: u32,
}

impl Watch {
    /// `now` is read behind the last record, which ends at `from`. Waits a little before another look is worth it.
    pub(super) fn look(&mut self, now: Strays, from: u64) -> Seen {
        let seen = self.compare(now, from);
        // What was read ahead may be older than what was just looked at: the second look is free.
        if seen == Seen::Moving && self.all > 1 {
            std::thread::sleep(PAUSE);
        }
        seen
    }

    fn compare(&mut self, now: Strays, from: u64) -> Seen {
        self.all = self.all.saturating_add(1);
        self.looks = self.looks.saturating_add(1);
        match self.before.first_common(&now, from) {
            Some(at) if self.looks > LOOKS => Seen::Stray(at),
            _ if self.all > MOST => Seen::Restless,
            Some(_) => Seen::Moving,
            None => {
                (self.before, self.looks) = (now, 0);
                Seen::Moving
            }
        }
    }
}

/// The first stray byte in the preallocated next segment. Behind zeros there is none, nor behind the header that is
/// written last, if that is `ours`.
pub(super) fn stray_in_spare(
    dir: &Path,
    ours: impl Fn(&Header) -> bool,
) -> Result<Option<(PathBuf, u64)>, NotVerified> {
    let path = dir.join("journal").join("spare");
    let mut watch = Watch::default();
    loop {
        let mut strays = Strays::read(&path, 0)?;
        let mut from = 0;
        if strays.first().is_some()
            && let Some(bytes) = read(&path)?
            && let Ok((header, len)) = Header::parse(&bytes)
            && ours(&header)
        {
            from = len as u64;
            strays = Strays::read(&path, from)?;
        }
        if strays.first().is_none() {
            return Ok(None);
        }
        match watch.look(strays, from) {
            Seen::Moving => {}
            Seen::Stray(offset) => return Ok(Some((path, offset))),
            Seen::Restless => return Ok(None),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn strays(bytes: &[(u64, u8)]) -> Strays {
        let mut found = Strays::default();
        for (at, byte) in bytes {
            let block = found.blocks.entry(at / BLOCK as u64 * BLOCK as u64).or_insert_with(|| vec![0; BLOCK]);
            block[(at % BLOCK as u64) as usize] = *byte;
        }
        found
    }

    #[test]
    fn every_byte_that_is_no_zero_is_found_wherever_blocks_and_chunks_end() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("x");
        let len = 2 * CHUNK + 100;
        for at in [0, 1, 4_095, 4_096, 5_000, CHUNK - 1, CHUNK, CHUNK + 1, 2 * CHUNK, len - 1] {
            let mut bytes = vec![0; len];
            bytes[at] = 7;
            std::fs::write(&path, &bytes).unwrap();
            for from in [0, 1, 4_000, 4_097, CHUNK, len - 1, len, len + 9] {
                let found = Strays::read(&path, from as u64).unwrap();
                assert_eq!(found.first(), (from <= at).then_some(at as u64), "{at} from {from}");
            }
        }
        assert_eq!(Strays::read(&dir.path().join("none"), 0).unwrap().first(), None);
    }

    #[test]
    fn a_hole_of_any_size_is_passed_over() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("x");
        let file = File::create(&path).unwrap();
        file.set_len(1 << 40).unwrap();
        file.write_all_at(&[9], 1 << 39).unwrap();
        assert_eq!(Strays::read(&path, 77).unwrap().first(), Some(1 << 39));
    }

    #[test]
    fn bytes_that_stay_are_stray_and_those_that_change_or_become_a_record_are_not() {
        let mut watch = Watch::default();
        // A write under way, which a record covers at the next look; a byte far behind it stays.
        let first = || strays(&[(100, 1), (120, 2), (9_000, 3)]);
        assert_eq!(watch.compare(first(), 100), Seen::Moving);
        for n in 0..LOOKS {
            assert_eq!(watch.compare(strays(&[(200 + u64::from(n), 1), (9_000, 3)]), 130), Seen::Moving);
        }
        assert_eq!(watch.compare(strays(&[(9_000, 3)]), 130), Seen::Stray(9_000));
        // The writer reaches the stray byte before it is called so.
        let mut watch = Watch::default();
        for n in 0..MOST {
            assert_eq!(watch.compare(strays(&[(100 + u64::from(n), 1)]), 100 + u64::from(n)), Seen::Moving);
        }
        assert_eq!(watch.compare(strays(&[(300, 1)]), 300), Seen::Restless);
    }

    #[test]
    fn one_stray_byte_is_no_frame() {
        for at in 1_000..1_400 {
            assert!(!strays(&[(at, 1)]).is_of_frame(at, 1_000), "{at}");
        }
        let begun = strays(&[(1_003, 1), (1_020, 1), (9_000, 1)]);
        assert_eq!([1_020, 3_000, 9_000].map(|stray| begun.is_of_frame(stray, 1_000)), [true, true, false]);
    }
}
