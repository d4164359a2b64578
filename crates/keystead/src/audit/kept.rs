//! Checkpoints kept on this machine: for each log the key it was first seen with, and its newest checkpoint.
//!
//! `<log id>.vkey` is written once; `<log id>.note` is the signed note as it came, replaced as a whole.

use crate::exit::Failure;
use crate::node_key::write_private;
use keystead_audit::tlog::{Checkpoint, VerifierKey, log_id};
use rustix::fs::{FlockOperation, flock};
use std::ffi::OsString;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

/// The directory of kept checkpoints.
pub(crate) struct Store {
    dir: PathBuf,
}

/// What is kept of one log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Kept {
    /// The key that is trusted for it.
    pub(crate) key: VerifierKey,
    /// Its newest checkpoint.
    pub(crate) newest: Option<Newest>,
}

/// A checkpoint with the note it was read from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Newest {
    pub(crate) note: Vec<u8>,
    pub(crate) checkpoint: Checkpoint,
}

impl Store {
    /// In the user's state directory (XDG Base Directory Specification). Made when something is first kept.
    pub(crate) fn open() -> Result<Self, Failure> {
        let state = state_directory(std::env::var_os("XDG_STATE_HOME"), std::env::var_os("HOME"));
        let state = state.ok_or_else(|| {
            Failure::usage("no place to keep checkpoints: set XDG_STATE_HOME or HOME to an absolute path")
        })?;
        Ok(Self { dir: state.join("keystead").join("checkpoints") })
    }

    /// Where a log's newest checkpoint is kept.
    pub(crate) fn note_file(&self, origin: &str) -> PathBuf {
        self.file(&hex::encode(log_id(origin)), "note")
    }

    /// What is kept of the log with this name.
    pub(crate) fn get(&self, origin: &str) -> Result<Option<Kept>, Failure> {
        let kept = self.read(&hex::encode(log_id(origin)))?;
        match kept {
            Some(kept) if kept.key.name() != origin => Err(damaged(&self.note_file(origin), "it is of another log")),
            kept => Ok(kept),
        }
    }

    /// Everything kept.
    pub(crate) fn all(&self) -> Result<Vec<Kept>, Failure> {
        let entries = match std::fs::read_dir(&self.dir) {
            Ok(entries) => entries,
            Err(e) if e.kind() == ErrorKind::NotFound => return Ok(Vec::new()),
            Err(e) => return Err(unreadable(&self.dir, &e)),
        };
        let mut all = Vec::new();
        for entry in entries {
            let entry = entry.map_err(|e| unreadable(&self.dir, &e))?;
            if let Some(id) = entry.file_name().to_str().and_then(|name| name.strip_suffix(".vkey")) {
                all.extend(self.read(id)?);
            }
        }
        all.sort_by(|a: &Kept, b| a.key.name().cmp(b.key.name()));
        Ok(all)
    }

    /// Keeps a checkpoint that follows `before`. False if something else has been kept meanwhile: compare again.
    pub(crate) fn put(&self, before: Option<&Kept>, key: &VerifierKey, note: &[u8]) -> Result<bool, Failure> {
        crate::setup::directory(&self.dir)?;
        let file = self.dir.join("lock");
        let lock = std::fs::File::create(&file).map_err(|e| unwritable(&file, &e))?;
        flock(&lock, FlockOperation::LockExclusive).map_err(|e| unwritable(&file, &e.into()))?;
        if self.get(key.name())?.as_ref() != before {
            return Ok(false);
        }
        if before.is_none() {
            write_private(&self.file(&hex::encode(log_id(key.name())), "vkey"), format!("{key}\n").as_bytes())?;
        }
        write_private(&self.note_file(key.name()), note)?;
        Ok(true)
    }

    fn read(&self, id: &str) -> Result<Option<Kept>, Failure> {
        let (key_file, note_file) = (self.file(id, "vkey"), self.file(id, "note"));
        let Some(text) = read(&key_file)? else { return Ok(None) };
        let key =
            VerifierKey::parse(&String::from_utf8_lossy(&text)).map_err(|e| damaged(&key_file, &e.to_string()))?;
        let newest = match read(&note_file)? {
            None => None,
            Some(note) => {
                let checkpoint = Checkpoint::open(&note, &key).map_err(|e| damaged(&note_file, &e.to_string()))?;
                Some(Newest { note, checkpoint })
            }
        };
        Ok(Some(Kept { key, newest }))
    }

    fn file(&self, id: &str, what: &str) -> PathBuf {
        self.dir.join(format!("{id}.{what}"))
    }
}

/// Relative paths are invalid and ignored, as the specification says.
fn state_directory(state: Option<OsString>, home: Option<OsString>) -> Option<PathBuf> {
    let absolute = |path: Option<OsString>| path.map(PathBuf::from).filter(|p| p.is_absolute());
    absolute(state).or_else(|| absolute(home).map(|home| home.join(".local").join("state")))
}

fn read(file: &Path) -> Result<Option<Vec<u8>>, Failure> {
    match std::fs::read(file) {
        Ok(bytes) => Ok(Some(bytes)),
        Err(e) if e.kind() == ErrorKind::NotFound => Ok(None),
        Err(e) => Err(unreadable(file, &e)),
    }
}

fn damaged(file: &Path, why: &str) -> Failure {
    Failure::check(format!(
        "the kept {} cannot be used: {why}. Restore it; without it the past is taken on trust",
        file.display()
    ))
}

fn unreadable(file: &Path, e: &std::io::Error) -> Failure {
    Failure::unavailable(format!("cannot read {}: {e}", file.display()))
}

fn unwritable(file: &Path, e: &std::io::Error) -> Failure {
    Failure::unavailable(format!("cannot write {}: {e}", file.display()))
}

#[cfg(test)]
impl Store {
    pub(crate) fn at(dir: &Path) -> Self {
        Self { dir: dir.to_owned() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use keystead_crypto::ed25519::SigningKey;

    const ORIGIN: &str = "keystead/a/b/c";

    fn signer() -> SigningKey {
        SigningKey::from_seed(&[5; 32])
    }

    fn note(size: u64) -> Vec<u8> {
        Checkpoint::new(ORIGIN, size, [7; 32]).sign(&signer()).into_bytes()
    }

    #[test]
    fn the_newest_is_kept_and_read_back() {
        let dir = tempfile::tempdir().unwrap();
        let (store, key) = (Store::at(&dir.path().join("new")), VerifierKey::new(ORIGIN, signer().public()));
        assert!(store.get(ORIGIN).unwrap().is_none() && store.all().unwrap().is_empty());
        assert!(store.put(None, &key, &note(1)).unwrap());
        let first = store.get(ORIGIN).unwrap().unwrap();
        assert_eq!((first.key.clone(), first.newest.as_ref().unwrap().checkpoint.size), (key.clone(), 1));
        assert!(store.put(Some(&first), &key, &note(2)).unwrap());
        assert!(!store.put(Some(&first), &key, &note(3)).unwrap(), "another one was kept meanwhile");
        assert_eq!(store.all().unwrap()[0].newest.as_ref().unwrap().checkpoint.size, 2);
    }

    #[test]
    fn what_was_altered_is_not_believed() {
        let dir = tempfile::tempdir().unwrap();
        let (store, key) = (Store::at(dir.path()), VerifierKey::new(ORIGIN, signer().public()));
        store.put(None, &key, &note(1)).unwrap();
        let file = store.note_file(ORIGIN);
        std::fs::write(&file, String::from_utf8(note(1)).unwrap().replacen("\n1\n", "\n2\n", 1)).unwrap();
        assert!(store.get(ORIGIN).is_err());
        std::fs::remove_file(&file).unwrap();
        assert_eq!(store.get(ORIGIN).unwrap(), Some(Kept { key, newest: None }), "the key stays pinned");
    }

    #[test]
    fn the_state_directory_is_absolute() {
        let of = |state: &str, home: &str| state_directory(Some(state.into()), Some(home.into()));
        assert_eq!(of("/s", "/h"), Some("/s".into()));
        assert_eq!(of("s", "/h"), Some("/h/.local/state".into()));
        assert_eq!(of("", ""), None);
    }
}
