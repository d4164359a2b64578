//! That the live log goes on from the head that a backup has: asked for when the inventory is taken, which a rehearsal
//! holds the backup against without a server.

use super::header;
use crate::audit::log::Log;
use crate::exit::Failure;
use keystead_audit::tlog::{Checkpoint, VerifierKey, log_id, proof, verify_consistency};
use keystead_client::Client;
use keystead_formats::inventory::Page;
use keystead_formats::log_proof::LogProof;
use std::path::Path;

/// The proof between the backup's checkpoint and the one of this page, verified; none of a backup that was made before
/// its log had one.
pub(super) async fn of(client: &Client, backup: &Path, page: &Page) -> Result<Option<LogProof>, Failure> {
    let said = header::said(backup)?;
    if said.checkpoint.is_empty() {
        return Ok(None);
    }
    let shown = backup.display();
    let key = hex::decode(&page.node_key).ok().and_then(|key| key.try_into().ok());
    let key: [u8; 32] = key.ok_or_else(|| Failure::check("the inventory names no node"))?;
    let old = opened(&said.checkpoint, &key)
        .ok_or_else(|| Failure::check(format!("the node of this vault did not sign the checkpoint in {shown}")))?;
    let new = opened(&page.checkpoint, &key)
        .ok_or_else(|| Failure::check("the checkpoint of the inventory is not one that its node signed"))?;
    if old.origin != new.origin {
        return Err(Failure::check(format!("{shown} is a backup of a vault with another log")));
    }
    if old.size > new.size {
        return Err(Failure::check(format!(
            "the log has fewer records under its checkpoint than when {shown} was begun ({} and {}): it was rolled back",
            new.size, old.size
        )));
    }
    let (from, to) = (old.size, new.size);
    let missing = || Failure::refused("the node that answers has not the log of the backup: ask the one that made it");
    let log = Log::at_vault(client.clone(), Some(&hex::encode(log_id(&old.origin)))).await?.ok_or_else(missing)?;
    let tiles = log.tiles(proof::consistency_tiles(from, to)).await?;
    let proof = proof::consistency(from, to, &tiles);
    let proven = proof.map_err(|e| e.to_string()).and_then(|proof| {
        verify_consistency(from, to, &old.root, &new.root, &proof).map_err(|e| e.to_string()).map(|()| proof)
    });
    let proof = proven.map_err(|why| {
        Failure::check(format!("the log does not go on from the one at the time of {shown}: {why}. It was rewritten"))
    })?;
    Ok(Some(LogProof { from, to, proof }))
}

fn opened(note: &str, key: &[u8; 32]) -> Option<Checkpoint> {
    let origin = note.lines().next()?;
    Checkpoint::open(note.as_bytes(), &VerifierKey::new(origin, *key)).ok()
}
