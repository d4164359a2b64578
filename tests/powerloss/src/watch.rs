//! What is watched, and what of it is not yet durable.

use crate::real::{self, Id};
use crate::{loss, trigger};
use libc::c_int;
use std::collections::BTreeMap;
use std::sync::{Mutex, OnceLock, PoisonError};

static WATCH: OnceLock<Mutex<Watch>> = OnceLock::new();

/// Everything known; one lock over it is held across each change and the look at what was there before.
pub(crate) struct Watch {
    /// Absolute, without symbolic links and a slash at its end.
    dir: Vec<u8>,
    after: Option<u64>,
    /// Part of the paths of files whose syncs do nothing.
    deaf: Option<Vec<u8>>,
    pub(crate) seed: u64,
    /// Changes seen; also their order.
    count: u64,
    pub(crate) files: BTreeMap<Id, Watched>,
    pub(crate) names: Vec<NameChange>,
}

/// A file under the directory.
pub(crate) struct Watched {
    pub(crate) path: Vec<u8>,
    /// Changes not yet durable, oldest first.
    pub(crate) log: Vec<(u64, Change)>,
}

/// A change of a file's bytes or size.
pub(crate) enum Change {
    /// `data` at `at`, over `before` as far as the file went.
    Write { at: u64, before: Vec<u8>, old_size: u64, data: Vec<u8> },
    /// `cut` is what stood behind the new end.
    Resize { old_size: u64, new_size: u64, cut: Vec<u8> },
}

/// A change of a name, not yet durable.
pub(crate) struct NameChange {
    seq: u64,
    parent: Id,
    pub(crate) kind: NameKind,
}

pub(crate) enum NameKind {
    Create { path: Vec<u8>, file: Id },
    Rename { from: Vec<u8>, to: Vec<u8>, file: Id, replaced: Option<Kept> },
    Unlink { path: Vec<u8>, kept: Kept },
}

/// A file that lost its name and may have to get it back.
pub(crate) struct Kept {
    pub(crate) fd: c_int,
    pub(crate) file: Id,
    pub(crate) mode: libc::mode_t,
}

impl Kept {
    pub(crate) fn open(path: &[u8]) -> Option<Self> {
        let fd = real::open(path, libc::O_RDWR | libc::O_NOFOLLOW, 0).ok()?;
        let stat = real::fstat(fd)?;
        Some(Self { fd, file: stat.id, mode: stat.mode & 0o7777 })
    }
}

impl Drop for Kept {
    fn drop(&mut self) {
        real::close(self.fd);
    }
}

/// Where a name stands, if it is under the directory.
pub(crate) struct Place {
    pub(crate) path: Vec<u8>,
    parent: Id,
}

/// Starts watching.
pub(crate) fn start(dir: Vec<u8>, after: Option<u64>, deaf: Option<Vec<u8>>, seed: u64) {
    let watch = Watch { dir, after, deaf, seed, count: 0, files: BTreeMap::new(), names: Vec::new() };
    let _ = WATCH.set(Mutex::new(watch));
}

pub(crate) fn is_on() -> bool {
    WATCH.get().is_some()
}

/// Runs `f` under the lock, with all signals blocked: a handler that writes would wait for its own thread.
pub(crate) fn with<T>(f: impl FnOnce(&mut Watch) -> T) -> Option<T> {
    let watch = WATCH.get()?;
    let mask = trigger::block_signals();
    let value = {
        let mut watch = watch.lock().unwrap_or_else(PoisonError::into_inner);
        if trigger::is_pulled() {
            loss::strike(&mut watch);
        }
        f(&mut watch)
    };
    trigger::restore_signals(&mask);
    Some(value)
}

impl Watch {
    /// The place of `path` as seen from `dir`.
    ///
    /// # Safety
    /// `path` is a C string.
    pub(crate) unsafe fn locate(&self, dir: c_int, path: *const libc::c_char) -> Option<Place> {
        // SAFETY: the caller's.
        let path = unsafe { std::ffi::CStr::from_ptr(path) }.to_bytes();
        let (above, name) = match path.iter().rposition(|b| *b == b'/') {
            Some(slash) => path.split_at(slash.saturating_add(1)),
            None => (b".".as_slice(), path),
        };
        if matches!(name, b"" | b"." | b"..") || name.ends_with(b"-shm") {
            return None;
        }
        let above = std::ffi::CString::new(above).ok()?;
        let flags = libc::O_PATH | libc::O_DIRECTORY | libc::O_CLOEXEC;
        // SAFETY: a C string that lives through the call.
        let fd = unsafe { real::openat(dir, above.as_ptr(), flags, 0) }.ok()?;
        let found = real::path_of(fd).zip(real::fstat(fd));
        real::close(fd);
        let (mut path, parent) = found?;
        path.push(b'/');
        let under = path.starts_with(&self.dir) && path.get(self.dir.len()) == Some(&b'/');
        path.extend_from_slice(name);
        under.then_some(Place { path, parent: parent.id })
    }

    pub(crate) fn knows(&self, id: Id) -> bool {
        self.files.contains_key(&id)
    }

    /// The file is (now) at `path`.
    pub(crate) fn found(&mut self, id: Id, path: &[u8]) {
        self.files.entry(id).or_insert_with(|| Watched { path: Vec::new(), log: Vec::new() }).path = path.to_owned();
    }

    pub(crate) fn created(&mut self, id: Id, place: &Place) {
        self.files.insert(id, Watched { path: place.path.clone(), log: Vec::new() });
        self.renamed(place, NameKind::Create { path: place.path.clone(), file: id });
    }

    /// It left the directory, or its inode is another file by now.
    pub(crate) fn lost_sight(&mut self, id: Id) {
        self.files.remove(&id);
    }

    /// A directory has another path; so has what is under it.
    pub(crate) fn moved_dir(&mut self, from: &[u8], to: &[u8]) {
        for file in self.files.values_mut() {
            if let Some(rest) = file.path.strip_prefix(from).filter(|rest| rest.starts_with(b"/")) {
                file.path = [to, rest].concat();
            }
        }
    }

    /// Notes a change of a file's content; the power may fail with it.
    pub(crate) fn changed(&mut self, id: Id, change: Change, durable: bool) {
        let seq = self.count;
        if let Some(file) = self.files.get_mut(&id) {
            file.log.push((seq, change));
        }
        if durable {
            self.file_synced(id, seq.saturating_add(1));
        }
        self.tick();
    }

    /// Notes a change of a name in the directory of `place`; the power may fail with it.
    pub(crate) fn renamed(&mut self, place: &Place, kind: NameKind) {
        self.names.push(NameChange { seq: self.count, parent: place.parent, kind });
        self.tick();
    }

    /// What comes now is newer than every change so far.
    pub(crate) const fn now(&self) -> u64 {
        self.count
    }

    /// The file's changes before `upto` are durable, its newest name too.
    pub(crate) fn file_synced(&mut self, id: Id, upto: u64) {
        if let Some(file) = self.files.get_mut(&id) {
            if self.deaf.as_ref().is_some_and(|part| file.path.windows(part.len()).any(|at| at == part)) {
                return;
            }
            file.log.retain(|(seq, _)| *seq >= upto);
        }
        self.names.retain(|change| {
            let named = match &change.kind {
                NameKind::Create { file, .. } | NameKind::Rename { file, .. } => *file == id,
                NameKind::Unlink { .. } => false,
            };
            !named || change.seq >= upto
        });
    }

    /// The directory's changes before `upto` are durable.
    pub(crate) fn dir_synced(&mut self, id: Id, upto: u64) {
        self.names.retain(|change| change.parent != id || change.seq >= upto);
    }

    fn tick(&mut self) {
        self.count = self.count.saturating_add(1);
        if self.after == Some(self.count) {
            loss::strike(self);
        }
    }
}
