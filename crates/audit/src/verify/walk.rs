//! The whole journal, segment by segment and frame by frame, while the node may be writing to it.

use std::collections::{BTreeMap, VecDeque};
use std::io;
use std::path::{Path, PathBuf};

use keystead_model::VaultId;

use super::finding::{Damage, Finding, NotVerified};
use super::tail::Strays;
use crate::error::{BadHeader, Place, ReadError};
use crate::journal::scan::{Found, Next, Scan};
use crate::journal::segment::{Header, list, path_of};

/// What the walk has come to.
pub(super) enum Event {
    /// The next segment's header.
    Segment(PathBuf, Header),
    /// A record.
    Frame(Found),
    /// The frames up to this number are missing before the next segment.
    Gap(Place, u64),
    /// The rest cannot be read.
    Broken(Finding),
    /// The end, with no log named. Set if something unreadable stands there: a write that was torn or is under way, or
    /// damage.
    End(Place, bool),
}

/// A walk over a journal.
pub(super) struct Walk {
    dir: PathBuf,
    todo: VecDeque<u64>,
    scan: Option<Scan>,
    /// Number of the next frame; `None` before the first segment.
    next: Option<u64>,
}

impl Walk {
    /// Over the segments that are there now.
    pub(super) fn begin(dir: &Path) -> Result<Self, NotVerified> {
        let dir = dir.join("journal");
        let todo = match list(&dir) {
            Err(e) if e.kind() == io::ErrorKind::NotFound => Vec::new(),
            other => other.map_err(|source| NotVerified::Io { path: dir.clone(), source })?,
        };
        Ok(Self { dir, todo: todo.into(), scan: None, next: None })
    }

    /// The segment being read.
    pub(super) fn path(&self) -> PathBuf {
        self.scan.as_ref().map_or_else(|| path_of(&self.dir, 0), |s| s.path().to_owned())
    }

    /// Log and index of the record that should stand where the walk is, as far as can be told.
    pub(super) fn whose(&self) -> Option<(VaultId, u64)> {
        self.scan.as_ref().and_then(|scan| scan.place().record)
    }

    /// How many records of each log can be made out behind the place where the walk is.
    pub(super) fn behind(&self) -> BTreeMap<VaultId, u64> {
        let mut behind = BTreeMap::new();
        let rest = self.scan.as_ref().and_then(|scan| scan.rest(scan.offset().saturating_add(1)).ok());
        for frame in rest.into_iter().flat_map(|rest| rest.frames) {
            let n: &mut u64 = behind.entry(frame.record.vault()).or_default();
            *n = n.saturating_add(1);
        }
        behind
    }

    /// After `End`: the next step reads the file anew from there.
    pub(super) fn look_again(&mut self) -> Result<(), NotVerified> {
        match self.scan.as_mut().map(Scan::set_end_of_file) {
            Some(Err(ReadError::Io { path, source })) => Err(NotVerified::Io { path, source }),
            _ => Ok(()),
        }
    }

    /// The next event. `Gap` and `Broken` are the last, and `End` unless the end is looked at again.
    pub(super) fn step(&mut self) -> Result<Event, NotVerified> {
        let Some(scan) = &mut self.scan else { return self.open() };
        match scan.step() {
            Ok(Next::Found(found)) => {
                self.next = Some(scan.number());
                Ok(Event::Frame(found))
            }
            Ok(Next::End) => self.close(false),
            Ok(Next::Bad) => self.close(true),
            Err(error) => failed(error, &self.dir),
        }
    }

    fn open(&mut self) -> Result<Event, NotVerified> {
        let Some(first) = self.todo.pop_front() else {
            let place = Place { path: path_of(&self.dir, 0), offset: 0, frame: 0, record: None };
            return Ok(Event::End(place, false));
        };
        let path = path_of(&self.dir, first);
        match Scan::open(&path) {
            Ok((header, scan)) => {
                self.scan = Some(scan);
                self.next = Some(header.first);
                Ok(Event::Segment(path, header))
            }
            Err(error) => failed(error, &self.dir),
        }
    }

    /// At the last frame of a segment that can be read.
    fn close(&mut self, bad: bool) -> Result<Event, NotVerified> {
        let Some(scan) = self.scan.as_mut() else { return self.open() };
        let rest = match scan.rest(scan.offset()) {
            Ok(rest) => rest,
            Err(error) => return failed(error, &self.dir),
        };
        let end = Place { path: scan.path().to_owned(), offset: scan.offset(), frame: scan.number(), record: None };
        let bad = bad || !rest.empty;
        match self.todo.front() {
            Some(next) if *next == scan.number() && !bad => self.open(),
            Some(next) if *next == scan.number() => {
                let offset = Strays::read(&end.path, end.offset)?.first().unwrap_or(end.offset);
                Ok(Event::Broken(Finding::byte(end.path, offset, Damage::Altered)))
            }
            Some(next) if *next < scan.number() => {
                Ok(Event::Broken(Finding::file(path_of(&self.dir, *next), Damage::Inserted)))
            }
            Some(_) if bad => Ok(Event::Broken(Finding::record(scan.place(), Damage::Altered))),
            Some(next) => Ok(Event::Gap(end, *next)),
            None if rest.frames.iter().any(|frame| frame.starts_group) => self.between_groups(),
            None => Ok(Event::End(end, bad)),
        }
    }

    /// Nothing reads back here, but a later group stands behind: by now this one must be there.
    fn between_groups(&mut self) -> Result<Event, NotVerified> {
        self.look_again()?;
        let Some(scan) = self.scan.as_mut() else { return self.open() };
        match scan.step() {
            Ok(Next::Found(found)) => {
                self.next = Some(scan.number());
                Ok(Event::Frame(found))
            }
            Ok(Next::End | Next::Bad) => Ok(Event::Broken(Finding::record(scan.place(), Damage::Altered))),
            Err(error) => failed(error, &self.dir),
        }
    }
}

fn failed(error: ReadError, dir: &Path) -> Result<Event, NotVerified> {
    match error {
        ReadError::Io { path, source } => Err(NotVerified::Io { path, source }),
        ReadError::Archived { path } => Ok(Event::Broken(Finding::file(path, Damage::Removed))),
        ReadError::Damaged(place) => Ok(Event::Broken(Finding::record(place, Damage::Altered))),
        ReadError::BadSegment { path, why } => {
            let damage = if why == BadHeader::Misnamed { swapped(&path, dir) } else { Damage::Altered };
            Ok(Event::Broken(Finding::file(path, damage)))
        }
    }
}

/// A whole header under another segment's name.
fn swapped(path: &Path, dir: &Path) -> Damage {
    let header = std::fs::read(path).ok().and_then(|bytes| Header::parse(&bytes).ok());
    header.map_or(Damage::Altered, |(header, _)| Damage::Swapped { with: path_of(dir, header.first) })
}
