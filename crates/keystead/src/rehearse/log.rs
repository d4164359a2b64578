//! The log: a backup has nothing of it but the checkpoint of then, which is held against those of the inventory.

use super::inventory::About;
use keystead_audit::tlog::{Checkpoint, VerifierKey, verify_consistency};
use keystead_formats::backup::Said;
use keystead_model::VaultId;

/// Whether it is proven that the log of the backup is the beginning of that of the inventory: where they are the same,
/// or where the inventory was taken with the backup.
pub(super) fn proven(said: &Said, about: &About) -> bool {
    let notes = [&said.checkpoint, &about.checkpoints.1].map(|note| opened(note, &about.node_key));
    match notes {
        [Ok(None), Ok(_)] => true,
        [Ok(Some(backup)), Ok(Some(last))] if backup.size == last.size => backup == last,
        [Ok(Some(backup)), Ok(Some(last))] => holds(about, &backup, &last) == Some(true),
        _ => false,
    }
}

/// Whether the proof of the inventory holds; none if it has none between these two heads.
fn holds(about: &About, backup: &Checkpoint, last: &Checkpoint) -> Option<bool> {
    let (from, to) = (backup.size, last.size);
    let proof = about.log_proof.as_ref().filter(|proof| (proof.from, proof.to) == (from, to))?;
    Some(verify_consistency(from, to, &backup.root, &last.root, &proof.proof).is_ok())
}

/// What is wrong with how the two stand to each other; nothing if nothing is, or if they are of two vaults, which is
/// told apart. Only signed heads are compared: whether the one goes on from the other is [`proven`].
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
    if !(goes_on && same) {
        return Some("the log of the backup is not the beginning of that of the inventory");
    }
    let (Some(backup), Some(last)) = (&backup, &last) else { return None };
    match holds(about, backup, last) {
        Some(false) => {
            Some("the proof that the log went on from the backup's head does not hold: take another inventory")
        }
        _ => None,
    }
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
    use keystead_audit::tlog::{leaf_hash, node_hash};
    use keystead_crypto::ed25519::SigningKey;
    use keystead_formats::log_proof::LogProof;

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
            log_proof: None,
        }
    }

    fn said(revision: u64, checkpoint: String) -> Said {
        let (id, domain, vault) = ([0; 16].into(), [0; 16].into(), [1; 16].into());
        Said { id, domain, vault, revision, checkpoint, taken: 0, domain_id: None }
    }

    #[test]
    fn a_longer_log_is_proven_to_go_on_by_the_proof_between_these_two_heads_alone() {
        let leaves = [1_u8, 2].map(|n| leaf_hash(&[n; 32]));
        let (one, two) = (leaves[0], node_hash(&leaves[0], &leaves[1]));
        let head = |size, root| Checkpoint::new("a", size, root).sign(&SigningKey::from_seed(&[1; 32]));
        let (backup, live) = (head(1, one), head(2, two));
        let with = |log_proof| About { log_proof, ..about(live.clone(), live.clone()) };
        let proof = LogProof { from: 1, to: 2, proof: vec![leaves[1]] };
        let is = |backup: &str, proof| proven(&said(7, backup.to_owned()), &with(proof));
        assert!(is(&backup, Some(proof.clone())));
        assert!(is(&live, None) && is("", None), "the same head, and none at all");
        assert!(!is(&backup, None));
        for other in [
            LogProof { proof: vec![leaves[0]], ..proof.clone() },
            LogProof { proof: Vec::new(), ..proof.clone() },
            LogProof { to: 3, ..proof.clone() },
            LogProof { from: 0, ..proof.clone() },
        ] {
            assert!(!is(&backup, Some(other.clone())), "{other:?}");
        }
        // One between these heads that does not hold is a difference; one between others says nothing.
        let told = |proof| wrong(&said(7, backup.clone()), &with(Some(proof)));
        assert!(told(LogProof { proof: Vec::new(), ..proof.clone() }).unwrap().contains("does not hold"));
        assert_eq!((told(proof.clone()), told(LogProof { to: 3, ..proof.clone() })), (None, None));
        assert!(!is(&head(1, leaves[1]), Some(proof.clone())), "another beginning");
        assert!(!is(&head(2, one), Some(proof)), "another head of the same size");
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
