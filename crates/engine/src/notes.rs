//! What records say in words of what was done, one function for each. What proves something is a fact and stands whole,
//! whatever else there is: it is of bounded length, or its digest is. What a caller chose is said behind it.

use keystead_access::RecordedVote;
use keystead_audit::Note;
use keystead_crypto::sha256;
use keystead_formats::backup::Said;
use keystead_model::{ObjectId, VaultId};

/// An operation that was approved: it stands before what else is noted of it.
pub(crate) fn approved(proposal: ObjectId, by: &[String]) -> Note {
    Note::facts(format!("proposal {proposal}, approved by {}", by.join(", ")))
}

/// An operation that was proposed, and those that were forgotten for it.
pub(crate) fn proposed(proposal: ObjectId, operation: &str, forgotten: &[ObjectId]) -> Note {
    let forgotten: String = forgotten.iter().map(|id| format!("; forgets {id}")).collect();
    Note::facts(format!("proposal {proposal}: {operation}{forgotten}"))
}

/// A vote on it, with what proves it to whoever has the text and the approver's key.
pub(crate) fn voted(vote: &RecordedVote) -> Note {
    Note::facts(vote.to_text())
}

/// A backup that was begun.
pub(crate) fn backup(folder: &str) -> Note {
    Note::said(format!("to {folder}"))
}

/// A restore that was begun: how, which backup, and both checkpoints.
pub(crate) fn restore(of: &Said, how: Option<&str>, vaults: &str, folder: &str) -> Note {
    let how = how.map(|how| format!("{how}; ")).unwrap_or_default();
    let (id, revision) = (ObjectId::from_bytes(*of.id), of.revision);
    let (backups, vaults) = (short(&of.checkpoint), short(vaults));
    let facts = format!("{how}backup {id}: revision {revision}, checkpoint {backups}; the vault's checkpoint {vaults}");
    Note::facts(facts).and_said(&format!("from {folder}"))
}

/// How far a backup or a restore came, or why it failed.
pub(crate) fn progress(details: String) -> Note {
    Note::said(details)
}

/// A domain that was shared among custodians, of whom there are at most ten.
pub(crate) fn shared(domain: VaultId, required: u8, thumbprints: &[[u8; 32]]) -> Note {
    let (of, all) = (thumbprints.len(), thumbprints.iter().map(hex::encode).collect::<Vec<_>>().join(" "));
    Note::facts(format!("{required} of these {of} custodians open the security domain {domain}: {all}"))
}

/// A domain that was taken.
pub(crate) fn adopted(domain: VaultId, before: VaultId) -> Note {
    Note::facts(format!("adopted the security domain {domain}; the one before was {before}"))
}

/// A key that a domain can be encrypted to.
pub(crate) fn transfer_key(thumbprint: [u8; 32]) -> Note {
    Note::facts(format!("the transfer key's certificate is {}", hex::encode(thumbprint)))
}

/// Role assignments that went with their role. There may be more than a record has room for.
pub(crate) fn taken(assignments: &[String]) -> Note {
    let (count, all) = (assignments.len(), assignments.join(", "));
    Note::facts(format!("with {count} role assignments, SHA-256 {}", digest(&all))).and_said(&all)
}

/// Longest checkpoint that is written out: origin, size and root of a log of ours have fewer bytes.
const MAX_SHORT: usize = 200;

/// Origin, size and root of a checkpoint; of a longer one its digest.
fn short(checkpoint: &str) -> String {
    let lines: Vec<&str> = checkpoint.lines().take(3).collect();
    match lines.join(" ") {
        _ if lines.len() < 3 => "none".to_owned(),
        all if all.len() > MAX_SHORT => format!("SHA-256 {}", digest(checkpoint)),
        all => all,
    }
}

fn digest(text: &str) -> String {
    hex::encode(sha256(&[text.as_bytes()]))
}

#[cfg(test)]
mod tests {
    use super::*;

    const ID: [u8; 16] = [0xab; 16];

    fn names() -> Vec<String> {
        let n = keystead_access::Approvals::MAX_APPROVERS;
        (0..n).map(|n| format!("{n:0>2}{}", "a".repeat(62))).collect()
    }

    /// As long as the logs of ours have them.
    fn checkpoint(digit: char) -> String {
        let id = digit.to_string().repeat(32);
        format!("keystead/{id}/{id}/{id}\n{}\n{}=\n\n\u{2014} signature\n", u64::MAX, digit.to_string().repeat(43))
    }

    fn said(checkpoint: String) -> Said {
        let id = ID.into();
        Said {
            id,
            domain: id,
            vault: id,
            revision: u64::MAX,
            checkpoint,
            taken: i64::MAX,
            domain_id: Some([9; 8].into()),
        }
    }

    #[test]
    fn whatever_callers_choose_the_facts_of_every_note_stand_in_its_record() {
        let (id, vault) = (ObjectId::from_bytes(ID), VaultId::from_bytes(ID));
        let hexed = |bytes: &[u8]| hex::encode(bytes);
        let thumbprints: Vec<[u8; 32]> = (1..=10).map(|n| [n; 32]).collect();
        let all_ten: Vec<String> = thumbprints.iter().map(hexed_32).collect();
        // The longest container and folder, role scopes, reasons of a failure.
        let (folder, long) = ("c".repeat(1024 + 1 + 256), "e".repeat(100_000));
        let scopes: Vec<String> = (0..2_000).map(|n| format!("{n} at /keys/{}", "k".repeat(127))).collect();
        let (b, v) = (checkpoint('b'), checkpoint('v'));
        let how = "a rollback: changes since the backup are taken back";
        let both = vec![how.to_owned(), hexed(&ID), u64::MAX.to_string(), short(&b), short(&v)];
        let odd = said(format!("{}\n5\nroot\n", "o".repeat(5_000)));
        let odd_digest = digest(&odd.checkpoint);
        let longest_name = keystead_model::Action::ALL.iter().map(|a| a.name()).max_by_key(|n| n.len()).unwrap();
        let vote = RecordedVote {
            proposal: hexed(&ID),
            verdict: keystead_access::Verdict::Approve,
            approver: "a".repeat(64),
            text: [1; 32],
            key: [2; 32],
            signature: vec![3; 64],
        };
        for (what, note, facts) in [
            ("vote", voted(&vote), vec![vote.to_text()]),
            ("propose", proposed(id, longest_name, &[id; 8]), vec![hexed(&ID), longest_name.to_owned()]),
            ("restore", restore(&said(b), Some(how), &v, &folder), both),
            ("a backup of odd make", restore(&odd, Some(how), &v, &folder), vec![odd_digest, short(&v)]),
            ("download", shared(vault, 10, &thumbprints), all_ten),
            ("upload", adopted(vault, vault), vec![hexed(&ID)]),
            ("transfer key", transfer_key([7; 32]), vec![hexed(&[7; 32])]),
            ("role", taken(&scopes), vec!["2000".to_owned(), digest(&scopes.join(", "))]),
            ("backup", backup(&folder), vec!["to c".to_owned()]),
            ("continue", progress(long.clone()), Vec::new()),
        ] {
            for by in [Vec::new(), names()] {
                let approval = if by.is_empty() { Note::default() } else { approved(id, &by) };
                let text = note.clone().behind(&approval).checked().map(|note| note.to_text());
                let text = text.unwrap_or_else(|why| panic!("{what}: {why}"));
                assert!(text.len() <= Note::MAX, "{what}");
                let missing: Vec<_> = facts.iter().chain(&by).filter(|fact| !text.contains(*fact)).collect();
                assert!(missing.is_empty(), "{what}: {missing:?} not in {text}");
            }
        }
        // What was cut says so, and which text it was.
        for text in [progress(long).to_text(), taken(&scopes).to_text()] {
            assert!(text.contains("… cut, SHA-256"), "{text}");
        }
        let place = backup(&folder).behind(&approved(id, &names())).to_text();
        assert!(place.ends_with(&format!("… cut, SHA-256 of it all: {}", digest(&format!("to {folder}")))), "{place}");
    }

    fn hexed_32(bytes: &[u8; 32]) -> String {
        hex::encode(bytes)
    }

    #[test]
    fn a_checkpoint_is_named_by_origin_size_and_root() {
        assert_eq!(short("o\n5\nr\n\n- s\n"), "o 5 r");
        assert_eq!(short(""), "none");
        assert_eq!(
            short(&checkpoint('a')).len(),
            checkpoint('a').lines().take(3).map(|l| l.len() + 1).sum::<usize>() - 1
        );
    }
}
