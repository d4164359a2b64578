//! What is accepted as a log's next checkpoint: signed by the key first seen, and an extension of the one kept.

use super::kept::{Kept, Store};
use super::log::Log;
use crate::exit::Failure;
use crate::output;
use keystead_audit::tlog::{Checkpoint, VerifierKey, proof, verify_consistency};
use serde::Serialize;
use std::time::Duration;

/// How long a record may wait for the checkpoint that covers it, and how often that is looked for.
pub(super) const PATIENCE: Duration = Duration::from_secs(2);
pub(super) const BETWEEN: Duration = Duration::from_millis(50);

/// How often another process may keep a checkpoint between our look and our write.
const ROUNDS: usize = 16;

/// A checkpoint that was accepted.
pub(crate) struct Accepted {
    pub(crate) checkpoint: Checkpoint,
    pub(crate) note: Vec<u8>,
    pub(crate) past: Past,
}

/// What is known about what the log said before.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase", tag = "kept")]
pub(crate) enum Past {
    /// Nothing: its key is taken on trust.
    First,
    /// It extends the kept checkpoint of so many records.
    Extends {
        /// Records under the kept checkpoint.
        size: u64,
    },
}

/// Fetches the newest checkpoint, which must cover record `index` if one is given, accepts it and keeps it.
pub(crate) async fn newest(log: &Log, store: &Store, index: Option<u64>) -> Result<Accepted, Failure> {
    for _ in 0..ROUNDS {
        // What is kept is read first: what is fetched afterwards cannot be older on an honest server.
        let kept = store.get(log.origin())?;
        let key = trusted(log, kept.as_ref(), store)?;
        let note = wait(log, key, index).await?;
        let checkpoint = open(log, key, &note)?;
        let past = compare(log, kept.as_ref(), &checkpoint, store).await?;
        if kept.as_ref().and_then(|k| k.newest.as_ref()).is_some_and(|n| n.checkpoint == checkpoint) {
            return Ok(Accepted { checkpoint, note, past });
        }
        if store.put(kept.as_ref(), key, &note)? {
            if kept.is_none() {
                let file = store.note_file(log.origin());
                output::note(&format!(
                    "log {} is seen here for the first time: its key is trusted from now on ({})",
                    log.id(),
                    file.display()
                ));
            }
            return Ok(Accepted { checkpoint, note, past });
        }
    }
    Err(Failure::unavailable("other processes keep checkpoints all the time: try again"))
}

/// The key a log was first seen with; the one it names if it was not.
fn trusted<'a>(log: &'a Log, kept: Option<&'a Kept>, store: &Store) -> Result<&'a VerifierKey, Failure> {
    match kept {
        None => Ok(&log.key),
        Some(kept) if kept.key == log.key => Ok(&kept.key),
        Some(kept) => Err(Failure::check(format!(
            "log {} names another key than the one it was first seen with ({}): found {}, kept {}. \
             Find out who holds the node's key before trusting either",
            log.id(),
            store.note_file(log.origin()).display(),
            log.key,
            kept.key
        ))),
    }
}

/// The newest note, once it covers the record. Nothing in it is proven.
async fn wait(log: &Log, key: &VerifierKey, index: Option<u64>) -> Result<Vec<u8>, Failure> {
    let mut waited = Duration::ZERO;
    loop {
        let note = log.note().await?;
        let size = note.as_deref().and_then(|note| Checkpoint::unproven(note).ok()).map(|c| c.size);
        match (note, size, index) {
            (Some(note), _, None) | (Some(note), None, _) => return Ok(note),
            (Some(note), Some(size), Some(index)) if size > index => return Ok(note),
            (Some(note), Some(_), Some(index)) if waited >= PATIENCE => {
                let size = open(log, key, &note)?.size;
                return Err(Failure::check(format!(
                    "log {} has no record {index} under its checkpoint, which covers {size}: it was truncated, or the \
                     receipt is not the log's",
                    log.id()
                )));
            }
            _ if waited >= PATIENCE => {
                return Err(Failure::unavailable(format!("log {} has no checkpoint yet: try again", log.id())));
            }
            _ => {}
        }
        tokio::time::sleep(BETWEEN).await;
        waited = waited.saturating_add(BETWEEN);
    }
}

fn open(log: &Log, key: &VerifierKey, note: &[u8]) -> Result<Checkpoint, Failure> {
    Checkpoint::open(note, key)
        .map_err(|e| Failure::check(format!("the checkpoint of log {} is refused: {e}", log.id())))
}

/// Whether the checkpoint extends the kept one.
async fn compare(log: &Log, kept: Option<&Kept>, new: &Checkpoint, store: &Store) -> Result<Past, Failure> {
    let Some(old) = kept.and_then(|kept| kept.newest.as_ref()).map(|newest| &newest.checkpoint) else {
        return Ok(Past::First);
    };
    let file = store.note_file(log.origin());
    if new.size < old.size {
        return Err(Failure::check(format!(
            "log {} was rolled back: the checkpoint kept in {} covers {} records, the log's now {}. \
             Restore the newer data, or have the restore announced and recorded",
            log.id(),
            file.display(),
            old.size,
            new.size
        )));
    }
    let tiles = log.tiles(proof::consistency_tiles(old.size, new.size)).await?;
    let forked = |why: String| {
        Failure::check(format!(
            "log {} does not extend the checkpoint of {} records kept in {}: {why}. Keep both and find out who holds \
             the node's key",
            log.id(),
            old.size,
            file.display()
        ))
    };
    let proof = proof::consistency(old.size, new.size, &tiles).map_err(|e| forked(e.to_string()))?;
    verify_consistency(old.size, new.size, &old.root, &new.root, &proof).map_err(|e| forked(e.to_string()))?;
    Ok(Past::Extends { size: old.size })
}

#[cfg(test)]
mod tests {
    use super::*;
    use keystead_audit::tlog::{Publisher, log_id, origin};
    use keystead_crypto::ed25519::SigningKey;
    use keystead_model::{InstanceId, NodeId, VaultId};
    use std::path::Path;

    const VAULT: VaultId = VaultId::from_bytes([2; 16]);

    fn name(vault: VaultId) -> String {
        origin(InstanceId::from_bytes([1; 16]), vault, NodeId::from_bytes([3; 16]))
    }

    /// A data directory with one log of these entries.
    fn publish(data: &Path, seed: u8, entries: &[u8]) -> Log {
        let (signer, dir) = (SigningKey::from_seed(&[seed; 32]), data.join("audit/logs").join(VAULT.to_string()));
        std::fs::create_dir_all(&dir).unwrap();
        let node = VerifierKey::new(&name(VaultId::from_bytes([0; 16])), signer.public());
        std::fs::write(data.join("audit/vkey"), node.to_string()).unwrap();
        let entries: Vec<_> = entries.iter().map(|e| [*e; 32]).collect();
        let mut log = Publisher::open(&dir, &name(VAULT), &signer).unwrap();
        log.publish(&entries, &signer).unwrap();
        Log::in_directory(data, log_id(&name(VAULT))).unwrap().unwrap()
    }

    async fn accept(log: &Log, store: &Store) -> Result<Past, String> {
        newest(log, store, Some(0)).await.map(|a| a.past).map_err(|e| format!("{e:?}"))
    }

    #[tokio::test]
    async fn the_first_is_trusted_and_the_next_must_extend_it() {
        let (dir, kept) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let store = Store::at(kept.path());
        assert_eq!(accept(&publish(dir.path(), 5, &[1, 2, 3]), &store).await, Ok(Past::First));
        assert_eq!(accept(&publish(dir.path(), 5, &[4, 5]), &store).await, Ok(Past::Extends { size: 3 }));
        assert_eq!(accept(&publish(dir.path(), 5, &[]), &store).await, Ok(Past::Extends { size: 5 }));
    }

    #[tokio::test]
    async fn a_fork_a_rollback_and_another_key_are_found() {
        let kept = tempfile::tempdir().unwrap();
        let store = Store::at(kept.path());
        let fresh = || tempfile::tempdir().unwrap();
        accept(&publish(fresh().path(), 5, &[1, 2, 3]), &store).await.unwrap();
        for (seed, entries, word) in [
            (5, &[1, 2][..], "rolled back"),
            (5, &[1, 9, 3], "does not extend"),
            (5, &[1, 9, 3, 4], "does not extend"),
            (6, &[1, 2, 3, 4], "another key"),
        ] {
            let dir = fresh();
            let why = accept(&publish(dir.path(), seed, entries), &store).await.unwrap_err();
            assert!(why.contains(word) && why.contains("code: 1"), "{why}");
        }
        let dir = fresh();
        assert_eq!(accept(&publish(dir.path(), 5, &[1, 2, 3, 4]), &store).await, Ok(Past::Extends { size: 3 }));
    }

    #[tokio::test]
    async fn a_record_that_no_checkpoint_covers_is_waited_for_and_then_refused() {
        let (dir, kept) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let log = publish(dir.path(), 5, &[1]);
        let refused = newest(&log, &Store::at(kept.path()), Some(1)).await.err().unwrap();
        assert!(format!("{refused:?}").contains("no record 1"), "{refused:?}");
    }
}
