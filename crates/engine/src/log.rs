//! The vault's log as anyone may see it: who signs it, and its checkpoint and tiles.

use crate::vault::Vault;
use keystead_audit::tlog;
use std::io::ErrorKind;
use std::path::{Component, Path};

/// What names and verifies a log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogInfo {
    /// `keystead/<instance>/<vault>/<node>`.
    pub origin: String,
    /// The id in receipts: the first 16 bytes of SHA-256(origin), in hex.
    pub id: String,
    /// The key of its checkpoints, as text.
    pub vkey: String,
    /// Records in it.
    pub size: u64,
}

/// Most bytes of one file: a full tile of entries has 8,704.
const MAX_FILE: u64 = 64 << 10;

impl Vault {
    /// The vault's log on this node.
    pub fn log(&self) -> LogInfo {
        let vkey = self.journal.vkey(self.info.id);
        let origin = vkey.split('+').next().unwrap_or_default().to_owned();
        let id = hex::encode(tlog::log_id(&origin));
        LogInfo { origin, id, vkey, size: self.journal.size(self.info.id) }
    }

    /// A file of the log: `checkpoint` or `tile/...`. Another path, or one that does not exist (yet), is `None`.
    pub async fn log_file(&self, path: &str) -> Option<Vec<u8>> {
        let tile = path.strip_prefix("tile/").is_some_and(|rest| !rest.is_empty());
        let plain = Path::new(path).components().all(|c| matches!(c, Component::Normal(_)));
        if !(path == "checkpoint" || tile) || !plain || path.len() > 128 {
            return None;
        }
        let file = self.journal.log_dir(self.info.id).join(path);
        tokio::task::spawn_blocking(move || read(&file)).await.ok().flatten()
    }
}

fn read(file: &Path) -> Option<Vec<u8>> {
    let found = std::fs::symlink_metadata(file).ok()?;
    if !found.is_file() || found.len() > MAX_FILE {
        return None;
    }
    match std::fs::read(file) {
        Ok(bytes) => Some(bytes),
        Err(e) if e.kind() == ErrorKind::NotFound => None,
        Err(e) => {
            tracing::warn!("cannot read {}: {e}", file.display());
            None
        }
    }
}
