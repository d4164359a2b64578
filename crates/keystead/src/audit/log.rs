//! One log, as it is published: verifier key, checkpoint and tiles, in a server's directory or at a vault.

use crate::exit::Failure;
use crate::key::connection::failure;
use keystead_audit::tlog::{TilePath, Tiles, VerifierKey, log_id, origin, parse_origin};
use keystead_client::{Client, ClientError};
use keystead_model::VaultId;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

/// A log.
pub(crate) struct Log {
    /// The key that its publisher names: not yet trusted.
    pub(crate) key: VerifierKey,
    from: From,
}

enum From {
    Directory(PathBuf),
    Vault(Client, String),
}

impl Log {
    /// The log of this id in the data directory of a server; `None` if it has no such log.
    pub(crate) fn in_directory(data: &Path, id: [u8; 16]) -> Result<Option<Self>, Failure> {
        let (audit, key) = (audit_directory(data)?, node_key(data)?);
        let bad = || Failure::check(format!("{} names no node of Keystead", audit.join("vkey").display()));
        let (instance, _, node) = parse_origin(key.name()).ok_or_else(bad)?;
        let logs = audit.join("logs");
        let entries = std::fs::read_dir(&logs).map_err(|e| unreadable(&logs, &e))?;
        for entry in entries {
            let entry = entry.map_err(|e| unreadable(&logs, &e))?;
            let vault = entry.file_name().to_str().and_then(|name| name.parse::<VaultId>().ok());
            let name = vault.map(|vault| origin(instance, vault, node)).filter(|name| log_id(name) == id);
            if let Some(name) = name {
                return Ok(Some(Self { key: key.renamed(&name), from: From::Directory(entry.path()) }));
            }
        }
        Ok(None)
    }

    /// The log of this id at a vault, or the vault's first; `None` if it has no such log.
    pub(crate) async fn at_vault(client: Client, id: Option<&str>) -> Result<Option<Self>, Failure> {
        let logs = client.audit_logs().await.map_err(|e| failure(&e))?.value;
        let Some(info) = logs.into_iter().find(|log| id.is_none_or(|id| id == log.id)) else { return Ok(None) };
        let key = VerifierKey::parse(&info.vkey)
            .map_err(|e| Failure::check(format!("the server's key for log {} is none: {e}", info.id)))?;
        if key.name() != info.origin || hex::encode(log_id(&info.origin)) != info.id {
            return Err(Failure::check(format!("what the server says about log {} does not fit together", info.id)));
        }
        Ok(Some(Self { key, from: From::Vault(client, info.id) }))
    }

    /// The log's name.
    pub(crate) fn origin(&self) -> &str {
        self.key.name()
    }

    /// The log's id, as in receipts.
    pub(crate) fn id(&self) -> String {
        hex::encode(log_id(self.origin()))
    }

    /// The newest checkpoint, a signed note; `None` if there is none yet. Nothing in it is proven.
    pub(crate) async fn note(&self) -> Result<Option<Vec<u8>>, Failure> {
        match &self.from {
            From::Directory(dir) => read(&dir.join("checkpoint")),
            From::Vault(client, id) => found(client.audit_checkpoint(id).await.map(|done| done.value.into_bytes())),
        }
    }

    /// These tiles; a full one in the place of a partial one that is gone.
    pub(crate) async fn tiles(&self, paths: Vec<TilePath>) -> Result<Tiles, Failure> {
        let mut tiles = Tiles::new();
        for path in paths {
            for path in [path, path.to_full()] {
                if let Some(bytes) = self.tile(path).await? {
                    tiles.put(path, bytes);
                    break;
                }
            }
        }
        Ok(tiles)
    }

    async fn tile(&self, path: TilePath) -> Result<Option<Vec<u8>>, Failure> {
        match &self.from {
            From::Directory(dir) => read(&dir.join(path.to_string())),
            From::Vault(client, id) => {
                found(client.audit_tile(id, &path.to_string()).await.map(|done| done.value.to_vec()))
            }
        }
    }
}

/// Where a server keeps its audit.
pub(crate) fn audit_directory(data: &Path) -> Result<PathBuf, Failure> {
    let audit = data.join("audit");
    if audit.is_dir() {
        return Ok(audit);
    }
    Err(Failure::usage(format!("{} is not there: --data names the data directory of a server", audit.display())))
}

/// The verifier key of the node whose directory this is.
pub(crate) fn node_key(data: &Path) -> Result<VerifierKey, Failure> {
    let file = audit_directory(data)?.join("vkey");
    let text = std::fs::read_to_string(&file).map_err(|e| unreadable(&file, &e))?;
    VerifierKey::parse(&text).map_err(|e| Failure::check(format!("{}: {e}", file.display())))
}

fn read(file: &Path) -> Result<Option<Vec<u8>>, Failure> {
    match std::fs::read(file) {
        Ok(bytes) => Ok(Some(bytes)),
        Err(e) if matches!(e.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory) => Ok(None),
        Err(e) => Err(unreadable(file, &e)),
    }
}

fn found<T>(answer: Result<T, ClientError>) -> Result<Option<T>, Failure> {
    match answer {
        Ok(value) => Ok(Some(value)),
        Err(ClientError::Refused { status: 404, .. }) => Ok(None),
        Err(e) => Err(failure(&e)),
    }
}

fn unreadable(path: &Path, e: &std::io::Error) -> Failure {
    Failure::unavailable(format!("cannot read {}: {e}", path.display()))
}
