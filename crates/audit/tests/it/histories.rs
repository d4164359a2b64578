//! Whole histories written anew, forked or rolled back, and what a kept checkpoint makes of them.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use keystead_audit::tlog::{Publisher, VerifierKey, origin};
use keystead_audit::verify::{Damage, Elsewhere, Finding, KeptCheckpoint, NotVerified, Spot, verify_dir};
use keystead_crypto::ed25519::SigningKey;
use keystead_model::{InstanceId, NodeId, VaultId};

use crate::data::*;

/// Publishes all logs anew from the journal, signed with this key.
fn republish(dir: &Path, seed: u8) {
    let (instance, node) = (InstanceId::from_bytes([0xa1; 16]), NodeId::from_bytes([0xb2; 16]));
    let key = SigningKey::from_seed(&[seed; 32]);
    let mut entries: BTreeMap<VaultId, Vec<[u8; 32]>> = BTreeMap::new();
    frames(dir).iter().for_each(|f| entries.entry(f.log).or_default().push(f.record.entry()));
    for (log, entries) in entries {
        let at = dir.join("logs").join(log.to_string());
        fs::remove_dir_all(&at).unwrap();
        Publisher::rebuild(&at, &origin(instance, log, node), &key, entries).unwrap();
    }
}

#[test]
fn a_history_written_anew_with_everything_but_the_key_is_found_at_the_checkpoint() {
    let dir = copy();
    let signed = [NODE, SMALL, LARGE].map(|log| (checkpoint(dir.path(), log), keep(dir.path(), log).note));
    let mut all = frames(dir.path());
    all[333].record = forged(&all[333].record);
    let log = all[333].log;
    rewrite(dir.path(), &all, false);
    republish(dir.path(), 6);
    let found = finding(dir.path());
    assert_eq!((named_file(&found), &found.damage), (dir.path().join("vkey").as_path(), &Damage::OtherKey), "{found}");
    signed.iter().for_each(|(path, note)| fs::write(path, note).unwrap());
    let found = finding(dir.path());
    let size = all.iter().filter(|f| f.log == log).count() as u64;
    assert_eq!(
        (named_file(&found), found.damage.clone()),
        (checkpoint(dir.path(), log).as_path(), Damage::Forked { size })
    );
}

#[test]
fn a_directory_signed_with_another_key_is_found_against_a_kept_key() {
    let dir = copy();
    let key = |seed: u8| {
        let name = origin(InstanceId::from_bytes([0xa1; 16]), LARGE, NodeId::from_bytes([0xb2; 16]));
        VerifierKey::new(&name, SigningKey::from_seed(&[seed; 32]).public())
    };
    let kept = KeptCheckpoint { key: Some(key(5)), ..keep(dir.path(), LARGE) };
    assert!(check(dir.path(), std::slice::from_ref(&kept)).is_ok());
    republish(dir.path(), 6);
    let vkey = key(6).renamed(&origin(InstanceId::from_bytes([0xa1; 16]), NODE, NodeId::from_bytes([0xb2; 16])));
    fs::write(dir.path().join("vkey"), format!("{vkey}\n")).unwrap();
    assert!(check(dir.path(), &[]).is_ok());
    let found = check(dir.path(), &[kept]).unwrap_err();
    assert_eq!(found, Finding { damage: Damage::OtherKey, at: Spot::File(dir.path().join("vkey")) });
}

#[test]
fn an_older_copy_of_everything_is_found_against_a_kept_checkpoint_only() {
    let dir = copy();
    let older = copy_of(dir.path());
    append(dir.path(), RECORDS, RECORDS + 50, 1, 5);
    assert!(check(dir.path(), &[keep(older.path(), LARGE), keep(dir.path(), LARGE)]).is_ok());
    assert!(check(older.path(), &[]).is_ok());
    let found = check(older.path(), &[keep(dir.path(), LARGE)]).unwrap_err();
    assert_eq!(found.damage, Damage::RolledBack { log: LARGE, kept: 665, found: 630 });
    assert!(found.to_string().contains(&format!("record 630 of log {LARGE} is the first missing one")), "{found}");
    assert_eq!(found.at, Spot::File(checkpoint(older.path(), LARGE)));
    // A log that is not there at all has been rolled back to nothing.
    let empty = tempfile::tempdir().unwrap();
    drop(open(empty.path(), 5));
    let found = check(empty.path(), &[keep(dir.path(), SMALL)]).unwrap_err();
    assert_eq!(found.damage, Damage::RolledBack { log: SMALL, kept: 190, found: 0 });
}

#[test]
fn a_fork_signed_with_the_same_key_is_found_against_a_kept_checkpoint_only() {
    let (one, other) = (copy(), copy());
    append(one.path(), RECORDS, RECORDS + 50, 1, 5);
    append(other.path(), RECORDS, RECORDS + 60, 1, 5);
    assert!(check(other.path(), &[keep(one.path(), LARGE)]).is_ok());
    let forked = copy();
    append(forked.path(), RECORDS, RECORDS + 60, 2, 5);
    // Records of another history carry revisions that continue the first: each side alone is in order.
    assert!(check(forked.path(), &[]).is_ok());
    for log in [NODE, SMALL, LARGE] {
        let found = check(forked.path(), &[keep(one.path(), log)]).unwrap_err();
        assert!(matches!(found.damage, Damage::Forked { .. }), "{found}");
        assert_eq!(found.at, Spot::File(checkpoint(forked.path(), log)));
    }
}

#[test]
fn a_kept_checkpoint_that_cannot_be_used_says_nothing_about_the_data() {
    let dir = copy();
    let mut altered = keep(dir.path(), LARGE);
    altered.note[100] ^= 1;
    let other =
        VerifierKey::new(&origin(InstanceId::from_bytes([0xa1; 16]), LARGE, NodeId::from_bytes([0xb2; 16])), [7; 32]);
    let foreign = KeptCheckpoint { key: Some(other), ..keep(dir.path(), LARGE) };
    for kept in [altered, foreign] {
        let known = Elsewhere { kept: vec![keep(dir.path(), SMALL), kept], archived: 0 };
        let failed = verify_dir(dir.path(), &known, &mut |_| ());
        assert!(matches!(failed, Err(NotVerified::Kept { number: 1, .. })), "{failed:?}");
    }
}

#[test]
fn an_operation_recorded_twice_is_named() {
    let dir = copy();
    let mut all = frames(dir.path());
    let again = all.iter().rposition(|f| f.log == all[500].log).unwrap();
    all[again].record = all[500].record.clone();
    let (log, index) = (all[again].log, all[again].index);
    rewrite(dir.path(), &all, false);
    republish(dir.path(), 5);
    let found = finding(dir.path());
    assert_eq!((named_record(&found), &found.damage), ((log, index), &Damage::Duplicated), "{found}");
}

#[test]
fn a_revision_claimed_twice_is_named() {
    let dir = copy();
    let mut all = frames(dir.path());
    let of_large = |f: &&Placed| f.log == LARGE && f.record.revision().is_some();
    let first = all.iter().find(of_large).and_then(|f| f.record.revision()).unwrap();
    let at = all.iter().rposition(|f| of_large(&f)).unwrap();
    all[at].record.set_revision(first);
    rewrite(dir.path(), &all, false);
    republish(dir.path(), 5);
    let found = finding(dir.path());
    assert_eq!(found.damage, Damage::RevisionTwice { vault: LARGE, revision: first });
    assert_eq!(named_record(&found), (LARGE, all[at].index));
}

#[test]
fn a_revision_without_a_record_is_named_where_no_node_runs_and_reported_where_one_does() {
    let dir = copy();
    let mut all = frames(dir.path());
    let at = all.iter().rposition(|f| f.log == LARGE && f.record.revision().is_some()).unwrap();
    let revision = all[at].record.revision().unwrap();
    all.remove(at);
    let mut revisions = BTreeMap::new();
    (0..RECORDS).for_each(|n| _ = record(n, 1, &mut revisions));
    all.push(Placed {
        record: (RECORDS..)
            .map(|n| record(n, 1, &mut revisions))
            .find(|r| r.vault() == LARGE && r.revision().is_some())
            .unwrap(),
        ..all[0].clone()
    });
    rewrite(dir.path(), &all, false);
    republish(dir.path(), 5);
    let found = finding(dir.path());
    assert_eq!(found.damage, Damage::RevisionMissing { vault: LARGE, revision });
    let last = frames(dir.path()).pop().unwrap();
    assert_eq!(named_record(&found), (LARGE, last.index), "the record after the gap: {found}");
    let running = open(dir.path(), 5);
    assert_eq!(check(dir.path(), &[]).map(|r| r.awaited), Ok(vec![(LARGE, revision)]));
    drop(running);
}
