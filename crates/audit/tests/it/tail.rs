//! What stands behind the last record: zeros, or a finding.

use std::fs;
use std::path::{Path, PathBuf};

use keystead_audit::Limits;
use keystead_audit::error::Place;
use keystead_audit::journal::segment::{Header, LogStart};
use keystead_audit::verify::{Damage, Finding, Spot};
use keystead_crypto::sha256;
use keystead_model::{InstanceId, NodeId};

use crate::data::*;

/// Bytes of a frame's head, and where in a frame the vault's id stands.
const HEAD: u64 = 20;
const VAULT: std::ops::Range<u64> = 36..52;

/// Numbers that look random, the same in each run.
fn dice(seed: u64) -> impl FnMut(u64) -> u64 {
    let mut n = 0_u64;
    move |below| {
        n += 1;
        let hash = sha256(&[&seed.to_be_bytes(), &n.to_be_bytes()]);
        u64::from_be_bytes(hash[..8].try_into().unwrap()) % below
    }
}

fn spare() -> PathBuf {
    PathBuf::from("journal/spare")
}

#[test]
fn a_byte_flipped_anywhere_in_any_file_is_named() {
    let original = few_crashed();
    let report = check(original, &[]).unwrap();
    assert_eq!(report.records - report.logs.iter().map(|log| log.published).sum::<u64>(), AHEAD);
    let relative = |path: PathBuf| path.strip_prefix(original).unwrap().to_owned();
    let all: Vec<PathBuf> = all_files(original).into_iter().map(relative).collect();
    let (journal, published): (Vec<_>, Vec<_>) =
        all.into_iter().filter(|p| !p.ends_with("lock")).partition(|p| p.starts_with("journal"));
    assert!(journal.contains(&spare()) && journal.len() > 3 && published.len() > 10);
    let len = |path: &Path| fs::metadata(original.join(path)).unwrap().len();
    let mut dice = dice(1);
    let flips = (0..360).map(|n| {
        let path = if n % 4 == 0 { &published[n / 4 % published.len()] } else { &journal[n % journal.len()] };
        (path.clone(), dice(len(path)), 1 << dice(8))
    });
    let frames = frames(original);
    each(original, 180, flips.collect(), |dir, (path, at, bits)| {
        dir.flipped(&path, at, bits, || {
            let (found, named) = dir.finding();
            assert_eq!(named, path, "byte {at}: {found}");
            assert_place(&frames, &found, &path, at);
        });
    });
}

/// Where the place of a byte is named, it is the right one.
fn assert_place(frames: &[Placed], found: &Finding, path: &Path, at: u64) {
    let before = frames.iter().rfind(|f| f.path.ends_with(path) && f.offset <= at);
    match (&found.at, before) {
        (Spot::Record(Place { offset, .. }) | Spot::After { offset, .. }, Some(frame)) => {
            assert_eq!(*offset, frame.offset, "byte {at}: {found}");
            assert!(at < frame.offset + frame.len, "byte {at}: {found}");
        }
        (Spot::Byte { offset, last, .. }, frame) => {
            assert_eq!(*offset, at, "{found}");
            let last_of_all = frames.last().unwrap();
            let frame = frame.unwrap_or(last_of_all);
            assert_eq!(*last, Some((frame.log, frame.index)), "{found}");
            let open = frame.index == last_of_all.index && frame.log == last_of_all.log;
            assert_eq!(found.damage, if open { Damage::TornOrAltered } else { Damage::Altered }, "{found}");
        }
        (Spot::File(_), _) => assert!(before.is_none(), "byte {at} of a record: {found}"),
        (_, None) => panic!("byte {at}: {found}"),
    }
}

#[test]
fn any_byte_flipped_in_the_last_records_beyond_the_checkpoint_names_that_record() {
    let [_, original] = closed_and_crashed(40, 1);
    let all = frames(original.path());
    let flips = (all.len() - 3..all.len()).flat_map(|n| (0..all[n].len).map(move |at| (n, at)));
    each(original.path(), 300, flips.collect(), |dir, (number, at)| {
        let frame = &all[number];
        let path = frame.path.strip_prefix(original.path()).unwrap();
        dir.flipped(path, frame.offset + at, 0x20, || assert_named(&all, &dir.finding().0, number, at));
    });
}

/// A byte of a record is flipped: the record is named, or the one before it.
fn assert_named(all: &[Placed], found: &Finding, number: usize, at: u64) {
    let placed = &all[number];
    let place = match &found.at {
        Spot::Record(place) => {
            assert_eq!(place.record, Some((placed.log, placed.index)), "byte {at} of frame {number}: {found}");
            (place.frame, place.offset)
        }
        // The frame no longer says whose it is.
        Spot::After { last, frame, offset, .. } => {
            assert!(VAULT.contains(&at), "byte {at} of frame {number}: {found}");
            assert_eq!(*last, (all[number - 1].log, all[number - 1].index), "{found}");
            (*frame, *offset)
        }
        _ => panic!("byte {at} of frame {number}: {found}"),
    };
    assert_eq!(place, (number as u64, placed.offset), "byte {at} of frame {number}");
    // A later group proves that it was on the disk once.
    let expected = if number == all.len() - 1 { Damage::TornOrAltered } else { Damage::Altered };
    assert_eq!(found.damage, expected, "byte {at} of frame {number}: {found}");
}

#[test]
fn a_byte_behind_the_last_frame_is_named_in_every_segment() {
    let all = frames(few());
    let segments = files(few()).into_iter().filter(|p| p.extension().is_some_and(|e| e == "seg"));
    let cases = segments.flat_map(|path| [0, 1, HEAD - 1, HEAD, 500].map(|behind| (path.clone(), behind)));
    each(few(), 20, cases.collect(), |dir, (original, behind)| {
        let path = original.strip_prefix(few()).unwrap();
        let last = all.iter().rfind(|f| f.path == original).unwrap();
        let at = last.offset + last.len + behind;
        let mut bytes = fs::read(&original).unwrap();
        bytes.resize(bytes.len().max(at as usize + 1), 0);
        bytes[at as usize] ^= 0x80;
        dir.put(path, Some(&bytes));
        let (found, _) = dir.finding();
        let at = Spot::Byte { path: dir.path().join(path), offset: at, last: Some((last.log, last.index)) };
        let open = last.offset == all.last().unwrap().offset && last.path == all.last().unwrap().path;
        let damage = if open { Damage::TornOrAltered } else { Damage::Altered };
        assert_eq!(found, Finding { damage, at });
        dir.heal(path);
    });
}

#[test]
fn a_torn_write_is_named_until_the_node_has_cut_it_off() {
    let dir = copy_of(few());
    let last = frames(few()).pop().unwrap();
    let path = dir.path().join(last.path.strip_prefix(few()).unwrap());
    let good = fs::read(&path).unwrap();
    let (start, end) = (last.offset as usize, (last.offset + last.len) as usize);
    let mut torn = good.clone();
    torn[end..end + (end - start) - 7].copy_from_slice(&good[start..end - 7]);
    fs::write(&path, torn).unwrap();
    let found = finding(dir.path());
    assert_eq!(found.damage, Damage::TornOrAltered, "{found}");
    assert_eq!(named_record(&found), (last.log, last.index + 1), "{found}");
    let text = found.to_string();
    assert!(text.contains("a torn write (start the node once, it cuts it off) or an alteration"), "{text}");
    drop(open(dir.path(), 5));
    assert_eq!(check(dir.path(), &[]).map(|r| (r.records, r.unfinished)), Ok((FEW, false)));
}

#[test]
fn the_next_segment_may_have_its_header_and_nothing_else() {
    let all = frames(few());
    let (instance, node) = (InstanceId::from_bytes([0xa1; 16]), NodeId::from_bytes([0xb2; 16]));
    let mut trees = std::collections::BTreeMap::<_, keystead_audit::tlog::Tree>::new();
    all.iter().for_each(|f| _ = trees.entry(f.log).or_default().append(&f.record.entry()));
    let start = |(vault, tree): (&_, &keystead_audit::tlog::Tree)| LogStart {
        vault: *vault,
        size: tree.size(),
        frontier: tree.frontier().to_vec(),
    };
    let header = |node, first, n| Header { instance, node, first, logs: trees.iter().map(start).take(n).collect() };
    let with = |header: Vec<u8>| [header, vec![0; 64 << 10]].concat();
    let good = with(header(node, FEW, 3).encode());
    let other = header(NodeId::from_bytes([1; 16]), FEW, 3).encode();
    let mut older = header(node, 0, 0).encode();
    older.extend([0; 50]);
    let mut behind = good.clone();
    behind[40_000] = 1;
    let flipped = (0..good.len() - (64 << 10)).step_by(7).map(|at| {
        let mut bad = good.clone();
        bad[at] ^= 1;
        bad
    });
    let torn = with(good[..100].to_vec());
    let cases =
        [(good.clone(), true), (vec![0; 9], true), (other, false), (older, false), (behind, false), (torn, false)];
    let cases = cases.into_iter().chain(flipped.map(|bad| (bad, false)));
    each(few(), 100, cases.collect(), |dir, (bytes, sound)| {
        dir.put(&spare(), Some(&bytes));
        match check(dir.path(), &[]) {
            Ok(_) => assert!(sound),
            Err(found) => {
                assert!(!sound, "{found}");
                assert_eq!(
                    (found.damage.clone(), named_file(&found)),
                    (Damage::TornOrAltered, &*dir.path().join(spare()))
                );
            }
        }
        dir.heal(&spare());
    });
}

#[test]
fn a_byte_anywhere_in_sixteen_mebibytes_of_zeros_is_found() {
    let dir = tempfile::tempdir().unwrap();
    drop(open_with(dir.path(), 5, Limits::default()));
    // Written zeros: a copy has no holes that could be passed over.
    let path = dir.path().join("journal/0000000000000000.seg");
    let bytes = fs::read(&path).unwrap();
    fs::write(&path, &bytes).unwrap();
    assert_eq!(check(dir.path(), &[]).map(|r| r.records), Ok(0));
    let mut dice = dice(2);
    let len = bytes.len() as u64;
    let offsets = (0..8).map(|_| 96 + dice(len - 96)).chain([96, len - 1]);
    each(dir.path(), 10, offsets.collect(), |dir, offset| {
        let segment = Path::new("journal/0000000000000000.seg");
        dir.flipped(segment, offset, 1, || {
            let at = Spot::Byte { path: dir.path().join(segment), offset, last: None };
            assert_eq!(dir.finding().0, Finding { damage: Damage::TornOrAltered, at });
        });
    });
}
