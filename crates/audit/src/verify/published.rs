//! What the node has published: its key, and a checkpoint for each log.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use keystead_model::{InstanceId, NodeId, VaultId};

use super::KeptCheckpoint;
use super::finding::{BadKept, Damage, Finding, NotVerified};
use crate::tlog::{self, BadCheckpoint, BadNote, Checkpoint, VerifierKey};

/// Everything published, read before the journal: whatever it covers must be in the journal read after it.
pub(super) struct Published {
    pub(super) instance: InstanceId,
    pub(super) node: NodeId,
    /// The newest checkpoint of each log.
    pub(super) signed: BTreeMap<VaultId, Checkpoint>,
    /// Checkpoints kept elsewhere, of logs of this node.
    pub(super) kept: BTreeMap<VaultId, Vec<Checkpoint>>,
    key: VerifierKey,
}

impl Published {
    pub(super) fn read(dir: &Path, kept: &[KeptCheckpoint]) -> Result<Self, NotVerified> {
        let (key, instance, node) = read_key(&dir.join("vkey"))?;
        let mut published = Self { instance, node, signed: BTreeMap::new(), kept: BTreeMap::new(), key };
        published.read_checkpoints(dir)?;
        published.read_kept(dir, kept)?;
        Ok(published)
    }

    pub(super) fn origin(&self, log: VaultId) -> String {
        tlog::origin(self.instance, log, self.node)
    }

    /// The newest checkpoint of a log, if it has one.
    pub(super) fn checkpoint(&self, dir: &Path, log: VaultId) -> Result<Option<Checkpoint>, NotVerified> {
        let path = log_dir(dir, log).join("checkpoint");
        let Some(note) = read(&path)? else { return Ok(None) };
        match Checkpoint::open(&note, &self.key.renamed(&self.origin(log))) {
            Ok(checkpoint) => Ok(Some(checkpoint)),
            Err(why) => Err(Finding::file(path, self.damage(dir, log, &note, why)).into()),
        }
    }

    fn read_checkpoints(&mut self, dir: &Path) -> Result<(), NotVerified> {
        let (mut bad, mut strange) = (None, 0_usize);
        for log in list_logs(&dir.join("logs"))? {
            match self.checkpoint(dir, log) {
                Ok(checkpoint) => self.signed.extend(checkpoint.map(|c| (log, c))),
                Err(NotVerified::Found(finding)) => {
                    strange = strange.saturating_add(usize::from(finding.damage == Damage::OtherKey));
                    bad.get_or_insert(finding);
                }
                Err(error) => return Err(error),
            }
        }
        match bad {
            // Not one log is signed by the key, and several by another one: it is the key that does not belong here.
            Some(_) if self.signed.is_empty() && strange > 1 => {
                Err(Finding::file(dir.join("vkey"), Damage::OtherKey).into())
            }
            Some(finding) => Err(finding.into()),
            None => Ok(()),
        }
    }

    /// What happened to a checkpoint that does not open.
    fn damage(&self, dir: &Path, log: VaultId, note: &[u8], why: BadCheckpoint) -> Damage {
        let origin = Checkpoint::unproven(note).ok().map(|c| c.origin);
        let other = origin.as_deref().and_then(tlog::parse_origin).map(|(_, vault, _)| vault);
        match (why, other) {
            (BadCheckpoint::Note(BadNote::NotSigned), Some(vault)) if vault == log => Damage::OtherKey,
            (BadCheckpoint::Note(BadNote::NotSigned), Some(vault)) if log_dir(dir, vault).exists() => {
                Damage::Swapped { with: log_dir(dir, vault).join("checkpoint") }
            }
            _ => Damage::Altered,
        }
    }

    fn read_kept(&mut self, dir: &Path, kept: &[KeptCheckpoint]) -> Result<(), NotVerified> {
        for (number, kept) in kept.iter().enumerate() {
            let failed = |why: BadKept| NotVerified::Kept { number, why };
            let said = Checkpoint::unproven(&kept.note).map_err(|e| failed(e.into()))?;
            let (instance, log, node) = tlog::parse_origin(&said.origin).ok_or(failed(BadKept::OtherNode))?;
            if (instance, node) != (self.instance, self.node) {
                return Err(failed(BadKept::OtherNode));
            }
            let own = self.key.renamed(&said.origin);
            let key = kept.key.as_ref().map_or(&own, |key| key);
            let checkpoint = Checkpoint::open(&kept.note, key).map_err(|e| failed(e.into()))?;
            if key.public() != self.key.public() {
                return Err(Finding::file(dir.join("vkey"), Damage::OtherKey).into());
            }
            self.kept.entry(log).or_default().push(checkpoint);
        }
        Ok(())
    }
}

/// The directory of a log.
pub(super) fn log_dir(dir: &Path, log: VaultId) -> PathBuf {
    dir.join("logs").join(log.to_string())
}

/// A file's bytes; `None` if it is not there.
pub(super) fn read(path: &Path) -> Result<Option<Vec<u8>>, NotVerified> {
    match fs::read(path) {
        Ok(bytes) => Ok(Some(bytes)),
        Err(e) if matches!(e.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) => Ok(None),
        Err(source) => Err(NotVerified::Io { path: path.to_owned(), source }),
    }
}

/// The names in a directory, sorted; none if it is not there.
pub(super) fn names(path: &Path) -> Result<Vec<String>, NotVerified> {
    let failed = |source| NotVerified::Io { path: path.to_owned(), source };
    let entries = match fs::read_dir(path) {
        Err(e) if matches!(e.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) => return Ok(Vec::new()),
        other => other.map_err(failed)?,
    };
    let names: Result<Vec<_>, io::Error> = entries.map(|e| e.map(|e| e.file_name().into_string())).collect();
    let mut names: Vec<String> = names.map_err(failed)?.into_iter().flatten().collect();
    names.sort_unstable();
    Ok(names)
}

fn list_logs(dir: &Path) -> Result<Vec<VaultId>, NotVerified> {
    Ok(names(dir)?.iter().filter_map(|name| name.parse().ok()).collect())
}

fn read_key(path: &Path) -> Result<(VerifierKey, InstanceId, NodeId), NotVerified> {
    let bytes = read(path)?.ok_or_else(|| Finding::file(path, Damage::Removed))?;
    let text = std::str::from_utf8(&bytes).ok();
    let key = text.and_then(|text| VerifierKey::parse(text).ok().filter(|key| format!("{key}\n") == text));
    let found = key.and_then(|key| tlog::parse_origin(key.name()).map(|(instance, _, node)| (key, instance, node)));
    found.ok_or_else(|| Finding::file(path, Damage::Altered).into())
}
