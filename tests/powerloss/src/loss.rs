//! What survives. Runs once, under the lock, and ends the process.

use crate::real::{self, Id};
use crate::watch::{Change, Kept, NameKind, Watch};
use std::collections::BTreeMap;

/// Writes reach the disk in units of this many bytes.
const SECTOR: u64 = 512;

/// The status a process ends with when its power fails.
const STATUS: i32 = 99;

/// Leaves the files as a disk might hold them, and ends the process.
pub(crate) fn strike(watch: &mut Watch) -> ! {
    let mut dice = Dice(watch.seed);
    let files = std::mem::take(&mut watch.files);
    for (id, file) in files.iter().filter(|(_, file)| !file.log.is_empty()) {
        let opened = match kept_fd(watch, *id) {
            Some(fd) => Some(fd),
            None => real::open(&file.path, libc::O_RDWR, 0).ok(),
        };
        // A file without a name and not kept is gone for good.
        if let Some(fd) = opened.filter(|fd| real::fstat(*fd).is_some_and(|stat| stat.id == *id)) {
            lose_data(fd, &file.log, &mut dice);
        }
    }
    lose_names(watch, &mut dice);
    // SAFETY: ends the process without running anything of it.
    unsafe { libc::_exit(STATUS) }
}

fn kept_fd(watch: &Watch, id: Id) -> Option<i32> {
    watch.names.iter().find_map(|change| match &change.kind {
        NameKind::Unlink { kept, .. } | NameKind::Rename { replaced: Some(kept), .. } if kept.file == id => {
            Some(kept.fd)
        }
        _ => None,
    })
}

/// Back to the last sync, then forward again with what survives.
fn lose_data(fd: i32, log: &[(u64, Change)], dice: &mut Dice) {
    for (_, change) in log.iter().rev() {
        match change {
            Change::Write { at, before, old_size, .. } => {
                real::pwrite(fd, *at, before);
                resize(fd, *old_size);
            }
            Change::Resize { old_size, new_size, cut } => {
                resize(fd, *old_size);
                real::pwrite(fd, *new_size, cut);
            }
        }
    }
    for (_, change) in log {
        match (dice.below(3), change) {
            (0, _) => {}
            (1, Change::Write { at, data, .. }) => tear(fd, *at, data, dice),
            (_, Change::Write { at, data, .. }) => real::pwrite(fd, *at, data),
            (_, Change::Resize { new_size, .. }) => resize(fd, *new_size),
        }
    }
}

/// Some of the write's sectors, and the file as long as all of it or not.
fn tear(fd: i32, at: u64, data: &[u8], dice: &mut Dice) {
    let (mut pos, mut rest) = (at, data);
    while !rest.is_empty() {
        let room = SECTOR.saturating_sub(pos.checked_rem(SECTOR).unwrap_or(0));
        let (sector, behind) = rest.split_at(rest.len().min(usize::try_from(room).unwrap_or(0)));
        if dice.below(2) == 0 {
            real::pwrite(fd, pos, sector);
        }
        pos = pos.saturating_add(sector.len() as u64);
        rest = behind;
    }
    if dice.below(2) == 0 && real::fstat(fd).is_some_and(|stat| stat.size < pos) {
        resize(fd, pos);
    }
}

fn resize(fd: i32, size: u64) {
    if real::ftruncate(fd, size).is_err() {
        real::fatal("a file could not be given its length back");
    }
}

/// Undoes the newest changes of names, back to some point.
fn lose_names(watch: &mut Watch, dice: &mut Dice) {
    let changes = std::mem::take(&mut watch.names);
    let count = changes.len() as u64;
    let survive = match dice.below(3) {
        0 => 0,
        1 => count,
        _ => dice.below(count.saturating_add(1)),
    };
    let mut reborn = Reborn(BTreeMap::new());
    for change in changes.iter().skip(usize::try_from(survive).unwrap_or(0)).rev() {
        match &change.kind {
            NameKind::Create { path, file } => {
                if reborn.is_at(path, *file) {
                    let _ = real::unlink(path);
                }
            }
            NameKind::Rename { from, to, file, replaced } => {
                if reborn.is_at(to, *file) && real::stat(from).is_none() && real::rename(to, from).is_ok() {
                    replaced.iter().for_each(|kept| reborn.restore(to, kept));
                }
            }
            NameKind::Unlink { path, kept } => reborn.restore(path, kept),
        }
    }
}

/// Files that got a name back are new files; which of the old ones they are.
struct Reborn(BTreeMap<Id, Id>);

impl Reborn {
    fn is_at(&self, path: &[u8], file: Id) -> bool {
        let now = self.0.get(&file).copied().unwrap_or(file);
        real::stat(path).is_some_and(|stat| stat.id == now)
    }

    /// Nothing, if something durable has taken the name.
    fn restore(&mut self, path: &[u8], kept: &Kept) {
        let Ok(fd) = real::open(path, libc::O_RDWR | libc::O_CREAT | libc::O_EXCL, kept.mode) else { return };
        let size = real::fstat(kept.fd).map_or(0, |stat| stat.size);
        real::pwrite(fd, 0, &real::pread(kept.fd, 0, size));
        if let Some(stat) = real::fstat(fd) {
            self.0.insert(kept.file, stat.id);
        }
    }
}

/// SplitMix64 (Steele, Lea, Flood 2014): the same seed, the same loss.
struct Dice(u64);

impl Dice {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let z = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// 0 for a bound of 0.
    fn below(&mut self, bound: u64) -> u64 {
        self.next().checked_rem(bound).unwrap_or(0)
    }
}
