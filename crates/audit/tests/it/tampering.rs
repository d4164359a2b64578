//! Records taken out, repeated, moved, replaced or cut off by somebody who can write the journal anew.

use std::fs;

use keystead_audit::journal::segment::{list, path_of};
use keystead_audit::verify::{Damage, Spot};

use crate::data::*;

/// What was done to the records of a log.
type Edit = fn(&mut Vec<Placed>, usize);

#[test]
fn a_record_removed_repeated_moved_replaced_or_put_in_is_named_even_if_the_journal_was_written_anew_around_it() {
    let edits: [(Edit, Damage); 5] = [
        (|f, at| _ = f.remove(at), Damage::Removed),
        (|f, at| f.insert(at, f[at - next_of(f, at)].clone()), Damage::Duplicated),
        (|f, at| swap(f, at), Damage::Reordered),
        (|f, at| f[at].record = forged(&f[at].record), Damage::Altered),
        (|f, at| f.insert(at, Placed { record: forged(&f[at].record), ..f[at].clone() }), Damage::Inserted),
    ];
    for (number, (edit, damage)) in edits.into_iter().enumerate() {
        let all = frames(copy().path());
        for at in [20, 21, 22, 25, 150, 151, 400, 444, 700, 850] {
            let dir = copy();
            let mut edited = all.clone();
            edit(&mut edited, at);
            rewrite(dir.path(), &edited, false);
            let found = finding(dir.path());
            assert_eq!(found.damage, damage, "edit {number} at {at}: {found}");
            assert_eq!(named_record(&found), (all[at].log, all[at].index), "edit {number} at {at}: {found}");
            let Spot::Record(place) = &found.at else { panic!("{found}") };
            assert!(place.frame >= at as u64 && place.frame < at as u64 + 11, "edit {number} at {at}: {found}");
        }
    }
}

/// How far before `at` the previous record of the same log is.
fn next_of(frames: &[Placed], at: usize) -> usize {
    (1..=at).find(|back| frames[at - back].log == frames[at].log).unwrap()
}

fn swap(frames: &mut [Placed], at: usize) {
    let other = (at + 1..frames.len()).find(|i| frames[*i].log == frames[at].log).unwrap();
    frames.swap(at, other);
}

#[test]
fn a_record_taken_out_or_moved_with_its_index_kept_is_named() {
    let all = frames(copy().path());
    for at in [20, 21, 150, 400, 898] {
        let (removed, moved) = (copy(), copy());
        let mut edited = all.clone();
        edited.remove(at);
        rewrite(removed.path(), &edited, true);
        let found = finding(removed.path());
        let is_last = !all[at + 1..].iter().any(|f| f.log == all[at].log);
        assert_eq!(found.damage, if is_last { Damage::Truncated } else { Damage::Removed }, "{at}: {found}");
        assert_eq!(named_record(&found), (all[at].log, all[at].index), "{found}");
        if !is_last {
            let mut edited = all.clone();
            swap(&mut edited, at);
            rewrite(moved.path(), &edited, true);
            let found = finding(moved.path());
            assert_eq!(found.damage, Damage::Reordered, "{at}: {found}");
            assert_eq!(named_record(&found), (all[at].log, all[at].index), "{found}");
        }
    }
}

#[test]
fn a_truncated_journal_is_named_at_its_first_missing_record() {
    let all = frames(copy().path());
    for left in [0, 1, 20, 157, 500, 899] {
        let dir = copy();
        rewrite(dir.path(), &all[..left.max(1)], false);
        if left == 0 {
            let journal = dir.path().join("journal");
            list(&journal).unwrap().iter().for_each(|n| {
                fs::remove_file(path_of(&journal, *n)).unwrap();
            });
        }
        let found = finding(dir.path());
        assert_eq!(found.damage, Damage::Truncated, "{left}: {found}");
        let (log, index) = named_record(&found);
        assert_eq!(all[left..].iter().find(|f| f.log == log).map(|f| f.index), Some(index), "{left}: {found}");
    }
}

#[test]
fn a_record_altered_in_the_journal_and_the_entries_is_named_by_the_hashes() {
    let dir = copy();
    let mut all = frames(dir.path());
    let at = 333;
    let (log, index) = (all[at].log, all[at].index);
    let old = all[at].record.entry();
    all[at].record = forged(&all[at].record);
    let new = all[at].record.entry();
    rewrite(dir.path(), &all, false);
    for path in files(dir.path()).into_iter().filter(|p| p.to_str().is_some_and(|p| p.contains("tile/entries"))) {
        let mut bytes = fs::read(&path).unwrap();
        if let Some(i) = bytes.windows(32).position(|w| w == old) {
            bytes[i..i + 32].copy_from_slice(&new);
            fs::write(path, bytes).unwrap();
        }
    }
    let found = finding(dir.path());
    assert_eq!((named_record(&found), found.damage), ((log, index), Damage::Altered));
}
