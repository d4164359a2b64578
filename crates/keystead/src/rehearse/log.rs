//! The log: a backup has nothing of it but the checkpoint of then, which is held against those of the inventory.

use super::inventory::About;
use keystead_audit::tlog::{Checkpoint, VerifierKey};
use keystead_formats::backup::Said;
use keystead_model::VaultId;

/// What is wrong with how the two stand to each other; nothing if they are of two vaults, which is told apart. That the
/// one is the beginning of the other is proven where their sizes are the same; for the rest `keystead audit` asks the
/// live server.
pub(super) fn wrong(said: &Said, about: &About) -> Option<&'static str> {
    if VaultId::from_bytes(*said.vault).to_string() != about.vault {
        return None;
    }
    let (first, last) = (&about.checkpoints.0, &about.checkpoints.1);
    let notes = [first, last, &said.checkpoint].map(|note| opened(note, &about.node_key));
    let [Ok(first), Ok(last), Ok(backup)] = notes else { return Some("a checkpoint is not one that the node signed") };
    let earlier = said.revision <= about.revision.0;
    let goes_on = follows(first.as_ref(), last.as_ref()) && (!earlier || follows(backup.as_ref(), first.as_ref()));
    let same = [&first, &last].into_iter().all(|one| agree(one.as_ref(), backup.as_ref()));
    if goes_on && same { None } else { Some("the log of the backup is not the beginning of that of the inventory") }
}

/// A vault's log has none before its first is signed.
fn opened(note: &str, key: &[u8; 32]) -> Result<Option<Checkpoint>, ()> {
    if note.is_empty() {
        return Ok(None);
    }
    let origin = note.lines().next().ok_or(())?;
    Checkpoint::open(note.as_bytes(), &VerifierKey::new(origin, *key)).map(Some).map_err(|_| ())
}

fn follows(before: Option<&Checkpoint>, after: Option<&Checkpoint>) -> bool {
    match (before, after) {
        (None, _) => true,
        (Some(_), None) => false,
        (Some(before), Some(after)) => before.origin == after.origin && before.size <= after.size,
    }
}

/// Two heads of one size are one.
fn agree(one: Option<&Checkpoint>, other: Option<&Checkpoint>) -> bool {
    match (one, other) {
        (Some(one), Some(other)) => one.origin == other.origin && (one.size != other.size || one.root == other.root),
        _ => true,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use keystead_crypto::ed25519::SigningKey;

    fn note(origin: &str, size: u64, root: u8) -> String {
        Checkpoint::new(origin, size, [root; 32]).sign(&SigningKey::from_seed(&[1; 32]))
    }

    fn about(first: String, last: String) -> About {
        About {
            vault: VaultId::from_bytes([1; 16]).to_string(),
            revision: (7, 7),
            taken: 0,
            node_words: String::new(),
            node_known: true,
            told: None,
            checkpoints: (first, last),
            node_key: SigningKey::from_seed(&[1; 32]).public(),
        }
    }

    fn said(revision: u64, checkpoint: String) -> Said {
        let (id, domain, vault) = ([0; 16].into(), [0; 16].into(), [1; 16].into());
        Said { id, domain, vault, revision, checkpoint, taken: 0 }
    }

    #[test]
    fn a_log_that_goes_back_or_has_another_head_of_the_same_size_is_named() {
        let of = |origin: &str, size, root| note(origin, size, root);
        let is = |revision, backup: String, first: String| wrong(&said(revision, backup), &about(first.clone(), first));
        assert_eq!(is(7, of("a", 3, 1), of("a", 5, 2)), None);
        assert_eq!(is(7, of("a", 5, 2), of("a", 5, 2)), None);
        assert_eq!(is(9, of("a", 9, 3), of("a", 5, 2)), None, "the inventory is older");
        assert_eq!(is(7, String::new(), of("a", 5, 2)), None);
        for (revision, backup) in
            [(7, of("a", 6, 1)), (7, of("a", 5, 1)), (9, of("a", 5, 1)), (7, of("b", 3, 1)), (9, of("b", 9, 1))]
        {
            assert!(is(revision, backup.clone(), of("a", 5, 2)).is_some(), "{backup}");
        }
        let foreign = Checkpoint::new("a", 3, [1; 32]).sign(&SigningKey::from_seed(&[2; 32]));
        assert!(is(7, foreign, of("a", 5, 2)).unwrap().contains("not one that the node signed"));
        assert!(wrong(&said(7, of("a", 3, 1)), &about(of("a", 5, 2), of("a", 4, 2))).is_some());
    }
}
