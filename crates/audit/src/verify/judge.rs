//! When the records do not lead to the signed root: which of journal and tiles is right, and which record is the first
//! bad one.
//!
//! The tiles are believed where they lead to the signed root: first the entries, or else the lowest hashes. Then the
//! journal is read again beside them, and the first record that differs is classified by what stands around it.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use keystead_model::VaultId;

use super::finding::{Damage, Finding, NotVerified};
use super::log::Log;
use super::published::{log_dir, read};
use super::walk::{Event, Walk};
use crate::error::Place;
use crate::tlog::{Checkpoint, Hash, TileKind, TilePath, Tree, leaf_hash, tile};

/// How far around a record the others are searched for it.
const AROUND: usize = 1_024;

/// The first bad record of any log, in the order of the journal, before frame `until`. `None` if no tiles lead to a
/// signed root, or the records that they cover are all right.
pub(super) fn first_bad_record(
    dir: &Path,
    logs: &BTreeMap<VaultId, Log>,
    until: u64,
) -> Result<Option<Finding>, NotVerified> {
    let mut believed = believed(dir, logs)?;
    let mut walk = Walk::begin(dir)?;
    let mut first_segment = true;
    loop {
        match walk.step()? {
            Event::Segment(_, header) => {
                for start in header.logs.iter().filter(|_| first_segment) {
                    believed.get_mut(&start.vault).into_iter().for_each(|leaves| leaves.skip_to(start.size));
                }
                first_segment = false;
            }
            Event::Frame(found) if found.number >= until => return Ok(None),
            Event::Frame(found) => {
                let vault = found.frame.record.vault();
                let Some(leaves) = believed.get_mut(&vault) else { continue };
                let index = leaves.next;
                let Some(expected) = leaves.next()? else { continue };
                let leaf = leaf_hash(&found.frame.entry);
                if leaf != expected {
                    let record = Some((vault, index));
                    let place = Place { path: walk.path(), offset: found.offset, frame: found.number, record };
                    let damage = classify(&mut walk, vault, leaves, (leaf, expected))?;
                    return Ok(Some(Finding::record(place, damage)));
                }
            }
            Event::Gap(place, _) => return missing(place, &mut believed, Damage::Removed),
            Event::End(place, bad) => {
                let record = if bad { walk.whose() } else { None };
                let damage = if bad { Damage::Altered } else { Damage::Truncated };
                return missing(Place { record, ..place }, &mut believed, damage);
            }
            // The caller has come to the same place.
            Event::Broken(_) => return Ok(None),
        }
    }
}

/// The logs whose tiles lead to a signed root, and what these say.
fn believed(dir: &Path, logs: &BTreeMap<VaultId, Log>) -> Result<BTreeMap<VaultId, Leaves>, NotVerified> {
    let mut believed = BTreeMap::new();
    for (vault, log) in logs {
        if let Some(signed) = log.signed()
            && let Some(kind) = believable(&log_dir(dir, *vault), signed)?
        {
            believed.insert(*vault, Leaves::new(log_dir(dir, *vault), kind, signed.size));
        }
    }
    Ok(believed)
}

/// Whether the record of `index` follows anywhere in the journal after frame `after`.
pub(super) fn comes_later(dir: &Path, log: VaultId, index: u64, after: u64) -> Result<bool, NotVerified> {
    let mut walk = Walk::begin(dir)?;
    loop {
        match walk.step()? {
            Event::Frame(found) => {
                let same = found.frame.record.vault() == log && found.frame.index == index;
                if same && found.number > after {
                    return Ok(true);
                }
            }
            Event::Segment(..) => {}
            Event::Gap(..) | Event::End(..) | Event::Broken(_) => return Ok(false),
        }
    }
}

/// The tiles of a log that lead to its signed root, if any do.
fn believable(dir: &Path, signed: &Checkpoint) -> Result<Option<TileKind>, NotVerified> {
    for kind in [TileKind::Entries, TileKind::Hashes(0)] {
        let mut leaves = Leaves::new(dir.to_owned(), kind, signed.size);
        let mut tree = Tree::new();
        while let Some(leaf) = leaves.next()? {
            tree.append_leaf(leaf);
        }
        if tree.size() == signed.size && tree.root() == signed.root {
            return Ok(Some(kind));
        }
    }
    Ok(None)
}

/// What happened where the journal has the first leaf and the tiles the second.
fn classify(
    walk: &mut Walk,
    log: VaultId,
    leaves: &mut Leaves,
    (found, expected): (Hash, Hash),
) -> Result<Damage, NotVerified> {
    let at = leaves.next.saturating_sub(1);
    let mut before = Leaves::new(leaves.dir.clone(), leaves.kind, leaves.size).up_to(at);
    before.skip_to(at.saturating_sub(AROUND as u64));
    let (before, after) = (before.take_some()?, leaves.take_some()?);
    let mut follows = Vec::new();
    while follows.len() < AROUND {
        match walk.step()? {
            Event::Frame(next) if next.frame.record.vault() == log => follows.push(leaf_hash(&next.frame.entry)),
            Event::Frame(_) | Event::Segment(..) => {}
            Event::Gap(..) | Event::End(..) | Event::Broken(_) => break,
        }
    }
    Ok(match (before.contains(&found), follows.contains(&expected), after.contains(&found)) {
        (true, ..) => Damage::Duplicated,
        (false, true, true) => Damage::Reordered,
        (false, true, false) => Damage::Inserted,
        (false, false, true) => Damage::Removed,
        (false, false, false) => Damage::Altered,
    })
}

/// Where the journal ends while a log has records to come.
fn missing(
    place: Place,
    believed: &mut BTreeMap<VaultId, Leaves>,
    damage: Damage,
) -> Result<Option<Finding>, NotVerified> {
    let short = believed.iter().find(|(_, leaves)| leaves.next < leaves.end).map(|(log, leaves)| (*log, leaves.next));
    let known = |record: &(VaultId, u64)| believed.get(&record.0).is_some_and(|leaves| record.1 < leaves.end);
    Ok(short.map(|short| {
        let record = place.record.filter(known).or(Some(short));
        Finding::record(Place { record, ..place }, damage)
    }))
}

/// The leaf hashes of a log from its tiles, one after the other.
pub(super) struct Leaves {
    dir: PathBuf,
    kind: TileKind,
    /// Size of the tree, which the names of partial tiles follow.
    size: u64,
    end: u64,
    next: u64,
    held: Vec<Hash>,
}

impl Leaves {
    /// The leaves of a published tree of `size` entries, from entries or from hashes of level 0.
    pub(super) fn new(dir: PathBuf, kind: TileKind, size: u64) -> Self {
        Self { dir, kind, size, end: size, next: 0, held: Vec::new() }
    }

    /// Only the first `end` leaves.
    pub(super) fn up_to(self, end: u64) -> Self {
        Self { end: end.min(self.size), ..self }
    }

    fn skip_to(&mut self, next: u64) {
        self.next = next;
        self.held.clear();
    }

    /// The next leaf; `None` at the end or where a tile is missing or malformed.
    pub(super) fn next(&mut self) -> Result<Option<Hash>, NotVerified> {
        Ok(self.next_item()?.map(|item| if self.kind == TileKind::Entries { leaf_hash(&item) } else { item }))
    }

    /// The next item as it stands in the tile.
    pub(super) fn next_item(&mut self) -> Result<Option<Hash>, NotVerified> {
        if self.next >= self.end {
            return Ok(None);
        }
        let within = usize::try_from(self.next % 256).unwrap_or(0);
        if self.held.is_empty() || within == 0 {
            self.held = self.load()?;
        }
        let item = self.held.get(within).copied();
        self.next = self.next.saturating_add(u64::from(item.is_some()));
        Ok(item)
    }

    fn take_some(&mut self) -> Result<Vec<Hash>, NotVerified> {
        let mut some = Vec::new();
        while some.len() < AROUND
            && let Some(leaf) = self.next()?
        {
            some.push(leaf);
        }
        Ok(some)
    }

    /// The tile that holds the next leaf: the partial one of this size, or the full one in its place.
    fn load(&self) -> Result<Vec<Hash>, NotVerified> {
        let Some(path) = TilePath::at_size(self.kind, self.next / 256, self.size) else { return Ok(Vec::new()) };
        for path in [path, path.to_full()] {
            if let Some(bytes) = read(&self.dir.join(path.to_string()))?
                && let Ok(mut items) = tile::parse(self.kind, &bytes)
            {
                let width = TilePath::at_size(self.kind, self.next / 256, self.size).map_or(0, |p| p.width());
                items.truncate(usize::from(width));
                return Ok(items);
            }
        }
        Ok(Vec::new())
    }
}
