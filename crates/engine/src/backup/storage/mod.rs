//! How a backup gets to its place and back: in parts, each written where its number says, so that one that was cut off
//! is written again. Nothing is a backup before [`Storage::finish`].

mod directory;

use super::BackupError;
use super::place::{PlaceRecord, Target};
use crate::info::VaultInfo;
use directory::Folder;
use futures_util::future::BoxFuture;
use std::path::PathBuf;
use std::sync::Arc;
use zeroize::Zeroizing;

/// What is asked of an object store. The URL has the token in it, so it stands in no log and no error.
pub enum ObjectCall {
    /// Keep a block of this object, for the time being.
    PutBlock {
        /// The object.
        url: Zeroizing<String>,
        /// The block's number, from 0.
        block: u32,
        /// Its bytes.
        bytes: Vec<u8>,
    },
    /// Make the object of its blocks.
    Commit {
        /// The object.
        url: Zeroizing<String>,
        /// How many blocks.
        blocks: u32,
    },
    /// Read from the object; past its end there is nothing.
    Read {
        /// The object.
        url: Zeroizing<String>,
        /// From which byte.
        from: u64,
        /// Most bytes.
        most: usize,
    },
}

/// Asks an object store. The embedder knows which hosts may be reached, and how; what is not read is empty.
pub type Objects = Arc<dyn Fn(ObjectCall) -> BoxFuture<'static, Result<Vec<u8>, BackupError>> + Send + Sync>;

/// Where this node's backups may be.
#[derive(Clone)]
pub struct Storage {
    directory: Option<PathBuf>,
    objects: Objects,
    part: usize,
}

/// Bytes of a part: what a step holds in memory.
const PART: usize = 4 << 20;

impl Storage {
    /// In this directory, and in the object stores that are asked so.
    pub fn new(directory: Option<PathBuf>, objects: Objects) -> Self {
        Self { directory, objects, part: PART }
    }

    /// Nowhere.
    pub fn none() -> Self {
        let nobody = |_| -> BoxFuture<'static, _> {
            Box::pin(async { Err(BackupError::NotAllowed { host: "any host".to_owned() }) })
        };
        Self::new(None, Arc::new(nobody))
    }

    /// With parts of about so many bytes.
    #[must_use]
    pub fn in_parts_of(self, bytes: usize) -> Self {
        Self { part: bytes, ..self }
    }

    /// About so many bytes are written or read in a step.
    pub(crate) const fn part(&self) -> usize {
        self.part
    }

    /// What a place means to a vault.
    pub(crate) fn target(&self, vault: &VaultInfo, place: &PlaceRecord) -> Result<Target, BackupError> {
        place.target(vault, self.directory.as_ref())
    }

    /// Writes a part that begins at this byte, over whatever stands there.
    pub(crate) async fn put(&self, to: &Target, (part, at): (u32, u64), bytes: Vec<u8>) -> Result<(), BackupError> {
        match to {
            Target::Folder(path) => {
                let folder = Folder::new(path.clone());
                blocking(move || folder.put(at, &bytes)).await
            }
            Target::Object(url) => {
                (self.objects)(ObjectCall::PutBlock { url: url.clone(), block: part, bytes }).await.map(drop)
            }
        }
    }

    /// Makes a backup of what was written: so many parts, so many bytes. Doing it again does no harm.
    pub(crate) async fn finish(&self, to: &Target, parts: u32, length: u64) -> Result<(), BackupError> {
        match to {
            Target::Folder(path) => {
                let folder = Folder::new(path.clone());
                blocking(move || folder.finish(length)).await
            }
            Target::Object(url) => {
                (self.objects)(ObjectCall::Commit { url: url.clone(), blocks: parts }).await.map(drop)
            }
        }
    }

    /// Forgets what was written. An object store does so by itself.
    pub(crate) async fn abandon(&self, to: &Target) {
        if let Target::Folder(path) = to {
            let folder = Folder::new(path.clone());
            let _ = blocking(move || {
                folder.abandon();
                Ok(())
            })
            .await;
        }
    }

    /// So many bytes of a backup from there, fewer only at its end.
    pub(crate) async fn read(&self, of: &Target, from: u64, most: usize) -> Result<Vec<u8>, BackupError> {
        match of {
            Target::Folder(path) => {
                let folder = Folder::new(path.clone());
                blocking(move || folder.read(from, most)).await
            }
            Target::Object(url) => (self.objects)(ObjectCall::Read { url: url.clone(), from, most }).await,
        }
    }
}

async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, BackupError> + Send + 'static,
) -> Result<T, BackupError> {
    let ended = tokio::task::spawn_blocking(work).await;
    ended.unwrap_or_else(|_| Err(BackupError::Unreachable { why: "the work was broken off".to_owned() }))
}
