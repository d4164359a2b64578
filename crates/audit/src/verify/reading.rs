//! One pass over the journal, and what it comes to.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

use keystead_model::{Time, VaultId};

use super::finding::{Damage, Finding, NotVerified, Spot};
use super::judge::{self, Leaves};
use super::log::Log;
use super::order::Order;
use super::published::{Published, log_dir};
use super::tail::{Seen, Strays, Watch, stray_in_spare};
use super::walk::{Event, Walk};
use super::{LogReport, Report};
use crate::error::Place;
use crate::journal::scan::Found;
use crate::journal::segment::{Header, list, path_of};
use crate::tlog::{TileKind, TilePath};

/// Records between two calls of `progress`.
const PROGRESS: u64 = 4_096;
/// A log's first checkpoint is late by this many milliseconds of records, or this many records.
const CHECKPOINT_MILLIS: i64 = 10_000;
const CHECKPOINT_RECORDS: u64 = 2_048;
/// Tenths of a second to wait for it before it is called removed.
const CHECKPOINT_TRIES: u32 = 30;

/// How the journal ended.
pub(super) enum Ending {
    /// At this place; set if something unreadable stands there: a finding of its own, damage to what is signed, or
    /// never the same twice.
    End(Place, bool),
    /// Too early: nothing from this frame on was looked at.
    Broken(Finding, u64),
}

/// What has been read and found so far.
pub(super) struct Reading<'a> {
    dir: &'a Path,
    published: Published,
    logs: BTreeMap<VaultId, Log>,
    order: Order,
    /// The first record that breaks an order across logs.
    suspect: Option<Finding>,
    /// The last good record.
    last: Option<(VaultId, u64)>,
    /// What lies behind it, and what of that is there to stay.
    watch: Watch,
    stray: Option<Finding>,
    first_at: BTreeMap<VaultId, Time>,
    newest: Option<Time>,
    records: u64,
    /// Frames before this one may be gone.
    may_be_gone: u64,
    archived: u64,
    archived_of: BTreeMap<VaultId, u64>,
    segments: u64,
}

impl<'a> Reading<'a> {
    pub(super) fn new(dir: &'a Path, published: Published, may_be_gone: u64) -> Self {
        let mut reading = Self {
            dir,
            published,
            logs: BTreeMap::new(),
            order: Order::new(false),
            suspect: None,
            last: None,
            watch: Watch::default(),
            stray: None,
            first_at: BTreeMap::new(),
            newest: None,
            records: 0,
            may_be_gone,
            archived: 0,
            archived_of: BTreeMap::new(),
            segments: 0,
        };
        let known = reading.published.signed.keys().chain(reading.published.kept.keys());
        for log in known.copied().collect::<Vec<_>>() {
            reading.log(log);
        }
        reading
    }

    fn log(&mut self, vault: VaultId) -> &mut Log {
        self.logs.entry(vault).or_insert_with(|| {
            let signed = self.published.signed.get(&vault).cloned();
            let kept = self.published.kept.get(&vault).cloned().unwrap_or_default();
            Log::new(vault, log_dir(self.dir, vault), signed, kept)
        })
    }

    /// Reads every segment, up to the end or to where it makes no sense to go on.
    pub(super) fn read_journal(&mut self, progress: &mut dyn FnMut(u64)) -> Result<Ending, NotVerified> {
        let mut walk = Walk::begin(self.dir)?;
        loop {
            let broken = match walk.step()? {
                Event::Segment(path, header) => self.segment(path, &header)?.map(|f| (f, header.first)),
                Event::Frame(found) => {
                    if self.records.is_multiple_of(PROGRESS) {
                        progress(self.records);
                    }
                    self.frame(walk.path(), &found)?.map(|f| (f, found.number.saturating_add(1)))
                }
                Event::Gap(place, next) => Some((self.gap(place, next), u64::MAX)),
                Event::Broken(finding) => Some((self.name_record(&walk, finding), u64::MAX)),
                Event::End(place, bad) => {
                    progress(self.records);
                    match self.end(&mut walk, place, bad)? {
                        Some(ending) => return Ok(ending),
                        None => None,
                    }
                }
            };
            if let Some((finding, until)) = broken {
                return Ok(Ending::Broken(finding, until));
            }
        }
    }

    /// At the last record that can be read. `None`: more may follow by now.
    fn end(&mut self, walk: &mut Walk, place: Place, bad: bool) -> Result<Option<Ending>, NotVerified> {
        // What a checkpoint covers was on the disk before the journal was read: no write of it is under way.
        if !bad || self.logs.values().any(Log::is_short) {
            let record = if bad { walk.whose().or_else(|| self.only_short(walk)) } else { None };
            return Ok(Some(Ending::End(Place { record, ..place }, bad)));
        }
        match self.watch.look(Strays::read(&place.path, place.offset)?, place.offset) {
            Seen::Moving => {
                walk.look_again()?;
                return Ok(None);
            }
            Seen::Stray(offset) => {
                let at = self.stray_at(walk, &place, offset)?;
                self.stray = Some(Finding { damage: Damage::TornOrAltered, at });
            }
            Seen::Restless => {}
        }
        Ok(Some(Ending::End(place, bad)))
    }

    /// What a byte behind the last good record belongs to: to the next record, or to none.
    fn stray_at(&self, walk: &Walk, place: &Place, offset: u64) -> Result<Spot, NotVerified> {
        let Place { path, .. } = place.clone();
        if !Strays::read(&path, place.offset)?.is_of_frame(offset, place.offset) {
            return Ok(Spot::Byte { path, offset, last: self.last });
        }
        Ok(self.next_record(Place { record: walk.whose(), ..place.clone() }))
    }

    /// The preallocated next segment must be empty; `frames` is the number of the next record.
    fn check_spare(&self, frames: u64) -> Result<(), NotVerified> {
        let ours = |header: &Header| {
            (header.instance, header.node) == (self.published.instance, self.published.node) && header.first >= frames
        };
        match stray_in_spare(self.dir, ours)? {
            Some((path, offset)) => {
                let at = Spot::Byte { path, offset, last: self.last };
                Err(Finding { damage: Damage::TornOrAltered, at }.into())
            }
            None => Ok(()),
        }
    }

    /// A segment's header must say what the records before it have led to.
    fn segment(&mut self, path: PathBuf, header: &Header) -> Result<Option<Finding>, NotVerified> {
        if (header.instance, header.node) != (self.published.instance, self.published.node) {
            return Ok(Some(Finding::file(path, Damage::Inserted)));
        }
        if self.segments == 0 && header.first > 0 {
            if header.first > self.may_be_gone {
                return Err(self.oldest_removed(header).into());
            }
            self.archived = header.first;
            self.order = Order::new(true);
            for start in &header.logs {
                self.archived_of.insert(start.vault, start.size);
                self.read_archived(start.vault, start.size)?;
            }
        }
        self.segments = self.segments.saturating_add(1);
        for start in &header.logs {
            let tree = self.log(start.vault).tree();
            let size = tree.size();
            if (size, tree.frontier()) != (start.size, &start.frontier) {
                let damaged = self.damaged_bundle(start.vault, size.min(start.size))?;
                return Ok(Some(damaged.unwrap_or_else(|| Finding::file(path, Damage::Altered))));
            }
        }
        Ok(None)
    }

    /// The first record that is gone with the oldest segments. If some were archived, no header says whose it is.
    fn oldest_removed(&self, header: &Header) -> Finding {
        let frame = self.may_be_gone;
        let path = path_of(&self.dir.join("journal"), frame);
        let logs = header.logs.iter().filter(|start| start.size > 0 && frame == 0);
        let record = logs.map(|start| (start.vault, 0)).min();
        Finding::record(Place { path, offset: 0, frame, record }, Damage::OldestRemoved { until: header.first })
    }

    /// Reads the entries of archived records from the bundles.
    fn read_archived(&mut self, vault: VaultId, size: u64) -> Result<(), NotVerified> {
        let mut entries = self.leaves(vault, TileKind::Entries).up_to(size);
        while let Some(entry) = entries.next_item()? {
            self.log(vault).add(&entry)?;
        }
        Ok(())
    }

    /// Where archived entries do not lead to the first header: the first bundle that differs from its hash tile.
    fn damaged_bundle(&self, vault: VaultId, size: u64) -> Result<Option<Finding>, NotVerified> {
        if self.segments > 1 || self.archived == 0 {
            return Ok(None);
        }
        let dir = log_dir(self.dir, vault);
        let mut entries = self.leaves(vault, TileKind::Entries);
        let mut hashes = self.leaves(vault, TileKind::Hashes(0));
        for index in 0..=size {
            let (entry, hash) = (entries.next()?, hashes.next()?);
            if entry != hash || entry.is_none() {
                let published = self.published.signed.get(&vault).map_or(0, |c| c.size);
                let Some(bundle) = TilePath::at_size(TileKind::Entries, index / 256, published) else { continue };
                let path = [bundle, bundle.to_full()].map(|tile| dir.join(tile.to_string()));
                let stands = path.iter().find(|path| path.exists());
                let damage = if stands.is_some() { Damage::Altered } else { Damage::Removed };
                return Ok(stands.or(path.first()).map(|path| Finding::file(path, damage)));
            }
        }
        Ok(None)
    }

    fn leaves(&self, vault: VaultId, kind: TileKind) -> Leaves {
        let published = self.published.signed.get(&vault).map_or(0, |c| c.size);
        Leaves::new(log_dir(self.dir, vault), kind, published)
    }

    /// A record must have the next index of its log.
    fn frame(&mut self, path: PathBuf, found: &Found) -> Result<Option<Finding>, NotVerified> {
        let (record, index) = (&found.frame.record, found.frame.index);
        let (vault, at) = (record.vault(), record.at());
        let next = self.log(vault).tree().size();
        let place = Place { path, offset: found.offset, frame: found.number, record: Some((vault, next)) };
        if index != next {
            let damage = if index < next {
                Damage::Duplicated
            } else if judge::comes_later(self.dir, vault, next, found.number)? {
                Damage::Reordered
            } else {
                Damage::Removed
            };
            return Ok(Some(Finding::record(place, damage)));
        }
        let ordered = self.order.add(&place, record);
        let foreign = (record.node() != self.published.node).then(|| Finding::record(place, Damage::Inserted));
        if let Some(finding) = foreign.or(ordered) {
            self.suspect.get_or_insert(finding);
        }
        self.last = Some((vault, next));
        self.first_at.entry(vault).or_insert(at);
        self.newest = self.newest.max(Some(at));
        self.records = self.records.saturating_add(1);
        self.log(vault).add(&found.frame.entry)?;
        Ok(None)
    }

    /// Records are missing before the next segment: its header says of which log.
    fn gap(&mut self, place: Place, next: u64) -> Finding {
        let path = path_of(&self.dir.join("journal"), next);
        let header = Header::read(&path).ok().and_then(Result::ok);
        let short = header.into_iter().flat_map(|(header, _)| header.logs).find_map(|start| {
            let size = self.log(start.vault).tree().size();
            (size < start.size).then_some((start.vault, size))
        });
        Finding::record(Place { record: short, ..place }, Damage::Removed)
    }

    /// A damaged record that does not say whose it is: the next segment's header tells, or the signed size of its log.
    /// Where no record should be, the last one before is named.
    fn name_record(&mut self, walk: &Walk, finding: Finding) -> Finding {
        let at = match finding.at {
            Spot::Byte { path, offset, .. } => Spot::Byte { path, offset, last: self.last },
            Spot::Record(place) if place.record.is_none() => {
                let segments = list(&self.dir.join("journal")).unwrap_or_default();
                match segments.into_iter().find(|first| *first > place.frame) {
                    Some(next) => self.gap(place, next).at,
                    None => self.next_record(Place { record: self.only_short(walk), ..place }),
                }
            }
            at => at,
        };
        Finding { damage: finding.damage, at }
    }

    /// The only log that is short by more records than can be made out behind here.
    fn only_short(&self, walk: &Walk) -> Option<(VaultId, u64)> {
        let behind = walk.behind();
        let mut short = self.logs.iter().filter(|(vault, log)| {
            let size = log.tree().size().saturating_add(behind.get(vault).copied().unwrap_or(0));
            log.signed().is_some_and(|signed| signed.size > size)
        });
        let (vault, log) = short.next()?;
        short.next().is_none().then(|| (*vault, log.tree().size()))
    }

    /// The record behind the last good one, by its own name if that is known.
    fn next_record(&self, place: Place) -> Spot {
        match self.last {
            Some(last) if place.record.is_none() => {
                Spot::After { last, path: place.path, offset: place.offset, frame: place.frame }
            }
            _ => Spot::Record(place),
        }
    }

    /// What it comes to. `stopped`: no node was running when the journal was read, so what is late will not come.
    pub(super) fn conclude(mut self, ending: Ending, stopped: bool) -> Result<Report, NotVerified> {
        let (frames, unfinished) = match ending {
            Ending::Broken(finding, until) => {
                return Err(judge::first_bad_record(self.dir, &self.logs, until)?.unwrap_or(finding).into());
            }
            Ending::End(place, bad) => {
                let frames = place.frame;
                self.check_signed(place, bad)?;
                (frames, bad)
            }
        };
        for log in self.logs.values_mut() {
            log.finish()?;
        }
        self.check_checkpoints_stand()?;
        let end = if stopped { u64::MAX } else { self.archived.saturating_add(self.records) };
        let late = self.order.missing(end);
        let bad_file = self.logs.values().find_map(|log| log.bad_file().cloned());
        let kept = self.logs.values().find_map(Log::against_kept);
        if let Some(finding) = bad_file.or(kept).or(self.suspect.take()).or(late).or(self.stray.take()) {
            return Err(finding.into());
        }
        self.check_spare(frames)?;
        Ok(self.report(unfinished))
    }

    /// The records must lead to what the node signed.
    fn check_signed(&self, end: Place, bad: bool) -> Result<(), NotVerified> {
        let Some((vault, log)) = self.logs.iter().find(|(_, log)| !log.is_as_signed()) else { return Ok(()) };
        if let Some(finding) = judge::first_bad_record(self.dir, &self.logs, u64::MAX)? {
            return Err(finding.into());
        }
        let size = log.signed().map_or(0, |c| c.size);
        if log.is_short() {
            let record = end.record.filter(|_| bad).or(Some((*vault, log.tree().size())));
            let damage = if bad { Damage::Altered } else { Damage::Truncated };
            return Err(Finding::record(Place { record, ..end }, damage).into());
        }
        Err(Finding::file(log_dir(self.dir, *vault).join("checkpoint"), Damage::Forked { size }).into())
    }

    /// A log that has records for longer than a checkpoint takes must have one.
    fn check_checkpoints_stand(&self) -> Result<(), NotVerified> {
        for (vault, log) in &self.logs {
            let size = log.tree().size();
            if log.signed().is_some() || size == 0 || self.published.checkpoint(self.dir, *vault)?.is_some() {
                continue;
            }
            let due = self.first_at.get(vault).map(|at| at.plus_millis(CHECKPOINT_MILLIS));
            let tiles = log_dir(self.dir, *vault).join("tile").exists();
            let overdue = tiles || size > CHECKPOINT_RECORDS || due < self.newest;
            // A running node writes it after the tiles, in a moment.
            if overdue && !self.appears(*vault)? {
                return Err(Finding::file(log_dir(self.dir, *vault).join("checkpoint"), Damage::Removed).into());
            }
        }
        Ok(())
    }

    /// Waits a few seconds for a log's first checkpoint.
    fn appears(&self, vault: VaultId) -> Result<bool, NotVerified> {
        for _ in 0..CHECKPOINT_TRIES {
            std::thread::sleep(Duration::from_millis(100));
            if self.published.checkpoint(self.dir, vault)?.is_some() {
                return Ok(true);
            }
        }
        Ok(false)
    }

    fn report(&self, unfinished: bool) -> Report {
        let logs = self.logs.iter().map(|(vault, log)| LogReport {
            vault: *vault,
            origin: self.published.origin(*vault),
            size: log.tree().size(),
            archived: self.archived_of.get(vault).copied().unwrap_or(0),
            published: log.signed().map_or(0, |c| c.size),
            kept: log.kept().len(),
        });
        Report {
            records: self.records,
            archived: self.archived,
            segments: self.segments,
            logs: logs.collect(),
            awaited: self.order.open_gaps(),
            unfinished,
        }
    }
}
