//! Where backups of whole vaults may be: wiring between the engine and the way out.

use crate::exit::Failure;
use crate::setup::directory;
use crate::tls;
use keystead_engine::{BackupError, ObjectCall, Objects, Storage};
use keystead_server::{BlobError, Blobs, Outgoing};
use std::path::PathBuf;
use std::sync::{Arc, OnceLock};

/// In the directory, which is made if it is missing, and at these hosts. The system's CAs are read when they are first
/// needed.
pub(crate) fn storage(
    (place, hosts): &(Option<PathBuf>, Vec<String>),
    outgoing: &Outgoing,
) -> Result<Storage, Failure> {
    if let Some(place) = place {
        directory(place)?;
    }
    let outgoing = Outgoing { hosts: hosts.clone(), ..outgoing.clone() };
    let blobs: Arc<OnceLock<Result<Blobs, String>>> = Arc::default();
    let objects: Objects = Arc::new(move |call| {
        let (blobs, outgoing) = (Arc::clone(&blobs), outgoing.clone());
        Box::pin(async move {
            let ready = blobs.get_or_init(|| Blobs::new(tls::with_systems(outgoing)).map_err(|e| e.to_string()));
            let blobs = ready.as_ref().map_err(|why| BackupError::Unreachable { why: why.clone() })?;
            asked(blobs, call).await.map_err(failed)
        })
    });
    Ok(Storage::new(place.clone(), objects))
}

async fn asked(blobs: &Blobs, call: ObjectCall) -> Result<Vec<u8>, BlobError> {
    match call {
        ObjectCall::PutBlock { url, block, bytes } => blobs.put_block(&url, block, bytes).await.map(|()| Vec::new()),
        ObjectCall::Commit { url, blocks } => blobs.commit(&url, blocks).await.map(|()| Vec::new()),
        ObjectCall::Read { url, from, most } => blobs.read(&url, from, most).await,
    }
}

fn failed(why: BlobError) -> BackupError {
    match why {
        BlobError::NotAllowed(host) => BackupError::NotAllowed { host },
        BlobError::Denied(status) => BackupError::Denied { status },
        BlobError::NotFound => BackupError::NotFound,
        BlobError::Full => BackupError::Full,
        BlobError::Failed(why) => BackupError::Unreachable { why },
    }
}
