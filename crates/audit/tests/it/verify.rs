//! What a sound directory looks like to verification, and one damaged byte or file in it.

use std::fs;
use std::path::{Path, PathBuf};

use keystead_audit::journal::segment::{list, path_of};
use keystead_audit::verify::{Damage, Elsewhere, Finding, Spot, verify_dir};

use crate::data::*;

/// Removes the three oldest segments; the first frame that is left.
fn without_the_oldest(dir: &Path) -> u64 {
    let journal = dir.join("journal");
    let numbers = list(&journal).unwrap();
    numbers[..3].iter().for_each(|n| fs::remove_file(path_of(&journal, *n)).unwrap());
    numbers[3]
}

#[test]
fn oldest_segments_that_are_gone_are_named_by_their_first_record_unless_they_were_archived() {
    let dir = copy();
    let until = without_the_oldest(dir.path());
    let known = |archived| Elsewhere { kept: vec![keep(dir.path(), LARGE)], archived };
    let found = check_knowing(dir.path(), &known(0)).unwrap_err();
    assert_eq!(found.damage, Damage::OldestRemoved { until });
    assert_eq!(named_record(&found), (NODE, 0), "{found}");
    assert!(named_file(&found).ends_with("journal/0000000000000000.seg"), "{found}");
    // Fewer were archived than are gone.
    let found = check_knowing(dir.path(), &known(until - 1)).unwrap_err();
    let Spot::Record(place) = &found.at else { panic!("{found}") };
    assert_eq!((&found.damage, place.frame, place.record), (&Damage::OldestRemoved { until }, until - 1, None));
    // All that are gone, or more: what was archived may be put back.
    for archived in [until, until + 1] {
        assert_eq!(check_knowing(dir.path(), &known(archived)).map(|report| report.archived), Ok(until));
    }
    assert!(check_knowing(copy().path(), &known(until)).is_ok());
}

#[test]
fn archived_segments_are_stood_for_by_the_entry_bundles() {
    let dir = copy();
    let until = without_the_oldest(dir.path());
    let known = Elsewhere { kept: vec![keep(dir.path(), LARGE)], archived: until };
    let report = check_knowing(dir.path(), &known).unwrap();
    assert_eq!((report.archived, report.archived + report.records), (until, RECORDS));
    assert_eq!(report.logs.iter().map(|log| log.archived).sum::<u64>(), report.archived);
    assert!(report.logs.iter().all(|log| log.archived > 0 && log.archived < log.size), "{report:?}");
    for tile in ["tile/entries/000", "tile/0/000", "tile/1/000.p/2"] {
        let path = dir.path().join("logs").join(LARGE.to_string()).join(tile);
        let good = fs::read(&path).unwrap();
        let mut bad = good.clone();
        bad[20] ^= 1;
        fs::write(&path, bad).unwrap();
        let found = check_knowing(dir.path(), &known).unwrap_err();
        assert_eq!(named_file(&found), path, "{found}");
        fs::write(path, good).unwrap();
    }
}

/// A few hundred offsets of a file: all of a small one.
fn offsets(len: usize) -> Vec<usize> {
    if len <= 512 { (0..len).collect() } else { (0..len).step_by(len / 200 + 1).chain(len - 16..len).collect() }
}

#[test]
fn an_untouched_directory_verifies() {
    let dir = copy();
    let kept = [NODE, SMALL, LARGE].map(|log| keep(dir.path(), log));
    let mut told = Vec::new();
    let known = Elsewhere { kept: kept.to_vec(), archived: 0 };
    let report = verify_dir(dir.path(), &known, &mut |n| told.push(n)).unwrap();
    assert_eq!((report.records, report.archived, report.unfinished), (RECORDS, 0, false));
    assert!(report.segments > 4, "{report:?}");
    assert_eq!(report.awaited, []);
    let sizes: Vec<_> = report.logs.iter().map(|l| (l.vault, l.size, l.published, l.kept)).collect();
    assert_eq!(sizes, [(NODE, 90, 90, 1), (SMALL, 180, 180, 1), (LARGE, 630, 630, 1)]);
    assert_eq!(told.last(), Some(&RECORDS));
}

#[test]
fn a_directory_in_which_nothing_happened_yet_verifies() {
    let dir = tempfile::tempdir().unwrap();
    drop(open(dir.path(), 5));
    assert_eq!(check(dir.path(), &[]).map(|r| r.records), Ok(0));
}

#[test]
fn one_flipped_byte_in_any_tile_checkpoint_or_key_is_named() {
    let published = relative(few()).filter(|p| !is_segment(p));
    each(few(), 2, published.collect(), |dir, path| {
        for at in offsets(fs::metadata(few().join(&path)).unwrap().len() as usize) {
            for bits in [0x01, 0x80] {
                dir.flipped(&path, at as u64, bits, || {
                    let (found, named) = dir.finding();
                    assert_eq!(named, path, "byte {at} of {}: {found}", path.display());
                });
            }
        }
        assert!(check(dir.path(), &[]).is_ok());
    });
}

#[test]
fn one_flipped_byte_in_any_record_names_that_record() {
    let all = frames(few());
    let some = all.iter().enumerate().filter(|(n, _)| n % 7 == 0 || *n + 3 > all.len());
    each(few(), 2, some.collect(), |dir, (number, frame)| {
        let path = frame.path.strip_prefix(few()).unwrap();
        for at in (0..48).chain([60, 100, 167, 168, frame.len / 2, frame.len - 1]) {
            dir.flipped(path, frame.offset + at, 0x04, || {
                let (found, named) = dir.finding();
                assert_eq!(named, path, "byte {at} of frame {number}: {found}");
                assert_eq!(named_record(&found), (frame.log, frame.index), "byte {at} of frame {number}: {found}");
                assert_eq!(found.damage, Damage::Altered, "byte {at} of frame {number}: {found}");
                let Spot::Record(place) = &found.at else { panic!("{found}") };
                assert_eq!((place.frame, place.offset), (number as u64, frame.offset), "byte {at} of frame {number}");
            });
        }
    });
}

#[test]
fn one_flipped_byte_in_any_segment_header_is_named() {
    let all = frames(few());
    each(few(), 2, relative(few()).filter(|p| is_segment(p)).collect(), |dir, path| {
        for at in 0..all.iter().find(|f| f.path.ends_with(&path)).unwrap().offset {
            dir.flipped(&path, at, 0x10, || {
                let (found, _) = dir.finding();
                assert_eq!(found.at, Spot::File(dir.path().join(&path)), "byte {at}: {found}");
            });
        }
    });
}

fn relative(dir: &Path) -> impl Iterator<Item = PathBuf> {
    files(dir).into_iter().map(move |path| path.strip_prefix(dir).unwrap().to_owned())
}

fn is_segment(path: &Path) -> bool {
    path.extension().is_some_and(|e| e == "seg")
}

#[test]
fn a_removed_emptied_or_shortened_file_is_named() {
    let original = copy();
    let all = frames(original.path());
    // Where a checkpoint is gone, verification waits for it.
    each(original.path(), 8, relative(original.path()).collect(), |dir, path| {
        let good = fs::read(original.path().join(&path)).unwrap();
        let needed = !is_stale(&original.path().join(&path));
        let used = if is_segment(&path) { used(&all, &path) } else { good.len() };
        for keep in [None, Some(0), Some(used / 2), Some(used - 1)] {
            dir.put(&path, keep.map(|len| &good[..len]));
            match check(dir.path(), &[]) {
                // A stale partial tile may go.
                Ok(_) => assert!(keep.is_none() && !needed, "{}", path.display()),
                Err(found) if is_segment(&path) => assert_segment(&all, &found, &path, keep.is_none()),
                Err(found) => assert_eq!(named_file(&found), dir.path().join(&path), "{found}"),
            }
            dir.heal(&path);
        }
        assert!(check(dir.path(), &[]).is_ok());
    });
}

/// A missing segment is seen at the end of the one before.
fn assert_segment(all: &[Placed], found: &Finding, path: &Path, removed: bool) {
    let before = all.iter().take_while(|f| !f.path.ends_with(path)).last().and_then(|f| f.path.file_name());
    let named = named_file(found);
    let ok = named.ends_with(path) || (removed && before.is_some() && named.file_name() == before);
    let oldest = matches!(found.damage, Damage::OldestRemoved { .. }) && before.is_none();
    assert!(ok, "{} was cut, but: {found}", path.display());
    if removed {
        assert!(oldest || matches!(found.damage, Damage::Removed | Damage::Truncated), "{found}");
    }
}

fn is_stale(path: &Path) -> bool {
    let Some(width) = path.parent().and_then(|p| p.to_str()).filter(|p| p.ends_with(".p")) else { return false };
    let widest = fs::read_dir(width).unwrap().map(|e| e.unwrap().file_name().into_string().unwrap());
    let widest = widest.filter_map(|n| n.parse::<u16>().ok()).max().unwrap_or_default();
    let own = path.file_name().and_then(|n| n.to_str()).and_then(|n| n.parse::<u16>().ok()).unwrap();
    own < widest
}

fn used(all: &[Placed], path: &Path) -> usize {
    all.iter().filter(|f| f.path.ends_with(path)).map(|f| f.offset + f.len).max().unwrap() as usize
}

#[test]
fn two_swapped_files_of_a_kind_are_named() {
    let dir = copy_of(few());
    let all = files(dir.path());
    for (i, a) in all.iter().enumerate() {
        for b in &all[i + 1..] {
            let (in_a, in_b) = (fs::read(a).unwrap(), fs::read(b).unwrap());
            fs::write(a, &in_b).unwrap();
            fs::write(b, &in_a).unwrap();
            let found = finding(dir.path());
            let named = named_file(&found);
            assert!(named == a || named == b, "{} and {}: {found}", a.display(), b.display());
            let of_a_kind = a.file_name() == b.file_name() || a.extension().is_some_and(|e| Some(e) == b.extension());
            if of_a_kind && a.components().count() == b.components().count() {
                let other = if named == a { b } else { a };
                let kinds = |p: &PathBuf| p.to_str().is_some_and(|p| p.contains("tile/entries"));
                if kinds(a) == kinds(b) && a.parent() != b.parent() || a.extension().is_some() {
                    assert_eq!(found.damage, Damage::Swapped { with: other.clone() }, "{found}");
                }
            }
            fs::write(a, in_a).unwrap();
            fs::write(b, in_b).unwrap();
        }
    }
}
