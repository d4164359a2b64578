//! Reading what is durable. Reads are plain file reads in the caller's thread and take no part in writing.

use super::scan::{Found, Next, Scan};
use super::segment::Header;
use super::shared::Core;
use crate::error::{Place, ReadError};
use crate::record::Record;
use keystead_model::{OperationId, VaultId};
use std::sync::Arc;
use std::sync::atomic::Ordering::SeqCst;

/// Records `from..from + n` of a log, fewer at its end.
pub(super) fn records(core: &Arc<Core>, log: VaultId, from: u64, n: usize) -> Result<Vec<(u64, Record)>, ReadError> {
    let mut out = Vec::new();
    each(core, log, from, n as u64, |found| out.push((found.frame.index, found.frame.record)))?;
    Ok(out)
}

/// Entries `from..from + n` of a log, fewer at its end.
pub(super) fn entries(core: &Arc<Core>, log: VaultId, from: u64, n: usize) -> Result<Vec<[u8; 32]>, ReadError> {
    let mut out = Vec::new();
    each(core, log, from, n as u64, |found| out.push(found.frame.entry))?;
    Ok(out)
}

/// All entries of a log, in pages; ends early at an error, which is left in `error`.
pub(super) fn all_entries<'a>(
    core: &'a Arc<Core>,
    log: VaultId,
    error: &'a mut Option<ReadError>,
) -> impl Iterator<Item = [u8; 32]> + 'a {
    const PAGE: usize = 65_536;
    let mut from = 0_u64;
    std::iter::from_fn(move || {
        let page = entries(core, log, from, PAGE).unwrap_or_else(|e| {
            *error = Some(e);
            Vec::new()
        });
        from = from.saturating_add(page.len() as u64);
        Some(page).filter(|page| !page.is_empty())
    })
    .flatten()
}

fn each(core: &Arc<Core>, log: VaultId, from: u64, n: u64, mut take: impl FnMut(Found)) -> Result<(), ReadError> {
    let Some((to, mut follow)) = find_log(core, log, from, n)? else { return Ok(()) };
    let mut next = from;
    while next < to {
        let place = follow.place();
        let Some(found) = follow.next()? else { return Err(lost(core, place, log, next)) };
        if found.frame.record.vault() != log || found.frame.index < from {
            continue;
        }
        if found.frame.index != next {
            return Err(lost(core, place, log, next));
        }
        next = next.saturating_add(1);
        take(found);
    }
    Ok(())
}

fn lost(core: &Core, place: (u64, u64, u64), log: VaultId, index: u64) -> ReadError {
    let (segment, offset, frame) = place;
    ReadError::Damaged(Place { path: core.segment_path(segment), offset, frame, record: Some((log, index)) })
}

/// A walk that begins at or before record `from` of a log, and the index at which to stop.
fn find_log(core: &Arc<Core>, log: VaultId, from: u64, n: u64) -> Result<Option<(u64, Follow)>, ReadError> {
    let (to, segments) = {
        let durable = core.durable();
        let Some(view) = durable.logs.get(&log).filter(|view| from < view.size && n > 0) else { return Ok(None) };
        let to = view.size.min(from.saturating_add(n));
        let mark = view.marks.partition_point(|mark| mark.index <= from).checked_sub(1);
        if let Some(mark) = mark.and_then(|i| view.marks.get(i)).filter(|_| from >= view.start) {
            let (first, place) = (durable.current(), (mark.frame, mark.offset));
            drop(durable);
            return Ok(Some((to, Follow::within(core, first, place)?)));
        }
        (to, durable.segments.clone())
    };
    // The last segment that begins at or before the record, by halving.
    let (mut low, mut high) = (0, segments.len());
    while high.saturating_sub(low) > 1 {
        let middle = low.midpoint(high);
        let Some(first) = segments.get(middle) else { break };
        if start_of(core, *first, log)? <= from { low = middle } else { high = middle }
    }
    let first = segments.get(low).copied().unwrap_or(0);
    if start_of(core, first, log)? > from {
        return Err(ReadError::Archived { path: core.journal_dir.clone() });
    }
    Ok(Some((to, Follow::from(core, first)?)))
}

fn start_of(core: &Core, segment: u64, log: VaultId) -> Result<u64, ReadError> {
    let path = core.segment_path(segment);
    match Header::read(&path) {
        Ok(Ok((header, _))) => Ok(header.size_of(log)),
        Ok(Err(why)) => Err(ReadError::BadSegment { path, why }),
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => Err(ReadError::Archived { path }),
        Err(source) => Err(ReadError::Io { path, source }),
    }
}

/// Whether an operation has a record at `position` or later; gives the frame up to which was looked.
pub(super) fn has_operation(core: &Arc<Core>, operation: OperationId, position: u64) -> Result<(bool, u64), ReadError> {
    let position = position.min(core.frames.load(SeqCst));
    let mut follow = Follow::from(core, position)?;
    while let Some(found) = follow.next()? {
        if found.frame.record.operation() == operation {
            return Ok((true, found.number));
        }
    }
    Ok((false, follow.number()))
}

/// Reads frame after frame over all logs, from segment to segment, as far as the journal is durable; more may follow
/// later.
pub struct Follow {
    core: Arc<Core>,
    first: u64,
    scan: Scan,
    /// Frames to pass over before the first that is wanted.
    wanted: u64,
    /// Frames below this number are durable, and in this segment.
    until: u64,
}

impl Follow {
    /// From a frame on.
    pub(super) fn from(core: &Arc<Core>, frame: u64) -> Result<Self, ReadError> {
        let durable = core.durable();
        let segment = durable.segments.partition_point(|first| *first <= frame).checked_sub(1);
        let Some(first) = segment.and_then(|i| durable.segments.get(i)).copied() else {
            return Err(ReadError::Archived { path: core.segment_path(frame) });
        };
        let near = durable.near(frame).filter(|_| first == durable.current());
        drop(durable);
        let path = core.segment_path(first);
        let scan = match near {
            Some((number, offset)) => Scan::resume(&path, offset, number)?,
            None => Scan::open(&path)?.1,
        };
        Ok(Self { core: Arc::clone(core), first, scan, wanted: frame, until: 0 })
    }

    /// From a frame of the segment that begins with `first`.
    fn within(core: &Arc<Core>, first: u64, (number, offset): (u64, u64)) -> Result<Self, ReadError> {
        let scan = Scan::resume(&core.segment_path(first), offset, number)?;
        Ok(Self { core: Arc::clone(core), first, scan, wanted: 0, until: 0 })
    }

    /// Number of the frame that comes next.
    pub fn number(&self) -> u64 {
        self.scan.number().max(self.wanted)
    }

    /// The next frame, or `None` if no more is durable yet.
    #[expect(clippy::should_implement_trait, reason = "after None there may be more later")]
    pub fn next(&mut self) -> Result<Option<Found>, ReadError> {
        loop {
            if self.scan.number() >= self.until {
                if self.look()? {
                    continue;
                }
                return Ok(None);
            }
            match self.scan.step()? {
                Next::Found(found) if found.number >= self.wanted => return Ok(Some(found)),
                Next::Found(_) => {}
                Next::End | Next::Bad => return Err(ReadError::Damaged(self.scan.place())),
            }
        }
    }

    /// Finds out how much further to read, in this segment or the next; false if there is nothing more yet.
    fn look(&mut self) -> Result<bool, ReadError> {
        let (next, end, frames) = {
            let durable = self.core.durable();
            let after = durable.segments.partition_point(|first| *first <= self.first);
            (durable.segments.get(after).copied(), durable.end, self.core.frames.load(SeqCst))
        };
        match next {
            Some(next) if self.scan.number() >= next => {
                self.scan = Scan::open(&self.core.segment_path(next))?.1;
                self.first = next;
                self.until = next;
            }
            Some(next) => {
                self.scan.set_end_of_file()?;
                self.until = next;
            }
            None if self.scan.number() < frames => {
                self.scan.set_end(end);
                self.until = frames;
            }
            None => return Ok(false),
        }
        Ok(true)
    }

    fn place(&self) -> (u64, u64, u64) {
        (self.first, self.scan.offset(), self.scan.number())
    }
}
