use super::*;
use crate::error::{BadHeader, Place};
use crate::journal::recover::{Published, recover};
use crate::journal::segment::{Step, frame_at};
use crate::tlog::{Checkpoint, Tree};

const GROUPS: &[&[(u8, u64)]] = &[&[(1, 1)], &[(1, 2), (2, 3), (1, 4)], &[(0, 5)], &[(1, 6), (2, 7), (1, 8)]];

fn recovered(bytes: &[u8]) -> Result<(u64, u64), OpenError> {
    let dir = with_segment(bytes);
    let found = recover(&dir.path().join("journal"), &node(), &Published::new())?.unwrap();
    // What was cut does not come back.
    let again = recover(&dir.path().join("journal"), &node(), &Published::new())?.unwrap();
    assert_eq!((again.frames, again.at, again.cut), (found.frames, found.at, 0));
    Ok((found.frames, found.cut))
}

fn damaged(outcome: Result<(u64, u64), OpenError>) -> Place {
    match outcome {
        Err(OpenError::Damaged(place)) => place,
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_last_group_cut_at_any_byte_is_cut_off_and_nothing_else() {
    let made = made(GROUPS);
    let last = made.frames[5].2.start;
    for at in last..made.bytes.len() {
        let whole = made.frames.iter().filter(|f| f.2.end <= at).count() as u64;
        // The file ends there, or the rest was never written.
        assert_eq!(recovered(&made.bytes[..at]).unwrap().0, whole, "{at}");
        let mut zeros = made.bytes.clone();
        zeros[at..].fill(0);
        assert_eq!(recovered(&zeros).unwrap().0, whole, "{at}");
    }
    assert_eq!(recovered(&made.bytes).unwrap(), (8, 0));
}

#[test]
fn a_last_group_of_which_only_later_parts_were_written_is_cut_off() {
    let made = made(GROUPS);
    for lost in 5..7 {
        for fill in [0, 0x55] {
            let mut torn = made.bytes.clone();
            torn[made.frames[lost].2.clone()].fill(fill);
            torn.resize(64 << 10, 0);
            let (frames, cut) = recovered(&torn).unwrap();
            assert_eq!(frames, lost as u64);
            assert!(cut > 0);
        }
    }
}

#[test]
fn a_changed_byte_in_any_earlier_group_refuses_to_open_and_names_the_record() {
    let made = made(GROUPS);
    for (number, (log, index, range)) in made.frames.iter().enumerate().take(5) {
        for at in range.clone() {
            let mut bad = made.bytes.clone();
            bad[at] ^= 0x04;
            let place = damaged(recovered(&bad));
            assert_eq!((place.frame, place.offset), (number as u64, range.start as u64), "byte {at}");
            // The only record of a log leaves no gap behind it, so its own index and vault must tell.
            let in_frame = at - range.start;
            let named = number != 4 || !((4..12).contains(&in_frame) || (36..52).contains(&in_frame));
            if named {
                assert_eq!(place.record, Some((vault(*log), *index)), "byte {at}");
            }
        }
    }
}

#[test]
fn a_changed_byte_of_the_header_refuses_to_open() {
    let made = made(GROUPS);
    for at in 0..made.frames[0].2.start {
        let mut bad = made.bytes.clone();
        bad[at] ^= 0x04;
        assert!(matches!(recovered(&bad), Err(OpenError::BadSegment { .. })), "byte {at}");
    }
}

#[test]
fn a_record_taken_out_of_the_middle_refuses_to_open() {
    let mut made = made(GROUPS);
    made.bytes.drain(made.frames[1].2.clone());
    let place = damaged(recovered(&made.bytes));
    assert_eq!(place.record, Some((vault(1), 1)));
}

#[test]
fn a_log_shorter_than_its_checkpoint_refuses_to_open() {
    let dir = tempfile::tempdir().unwrap();
    run(async {
        let journal = open(dir.path());
        for n in 0..5 {
            let _ = write(&journal, &record(1, n, 5)).await;
        }
        journal.close().await;
    });
    let path = segment::path_of(&dir.path().join("journal"), 0);
    let bytes = fs::read(&path).unwrap();
    let last = record(1, 4, 5).bytes().to_vec();
    let at = bytes.windows(last.len()).position(|w| w == last).unwrap();
    for cut in [at - 1, at + 70, at + last.len() - 1] {
        fs::write(&path, &bytes[..cut]).unwrap();
        match try_open(dir.path(), small()).map(|_| ()) {
            Err(OpenError::Short { log, records: 4, checkpoint: 5, .. }) => assert_eq!(log, vault(1)),
            other => panic!("{other:?}"),
        }
    }
    fs::remove_file(&path).unwrap();
    assert!(matches!(try_open(dir.path(), small()), Err(OpenError::Short { records: 0, checkpoint: 5, .. })));
    fs::write(&path, &bytes).unwrap();
    assert_eq!(open(dir.path()).size(vault(1)), 5);
}

#[test]
fn a_journal_with_other_records_than_the_checkpoint_covers_refuses_to_open() {
    let dir = tempfile::tempdir().unwrap();
    run(async {
        let journal = open(dir.path());
        for n in 0..4 {
            let _ = write(&journal, &record(1, n, 5)).await;
        }
        journal.close().await;
    });
    // Same length, good checks, one other record: only the signed root tells.
    let forged = made(&[&[(1, 0)], &[(1, 1)], &[(1, 77)], &[(1, 3)]]);
    fs::write(segment::path_of(&dir.path().join("journal"), 0), forged.bytes).unwrap();
    let outcome = try_open(dir.path(), small()).map(|_| ());
    assert!(matches!(outcome, Err(OpenError::Forked { size: 4, .. })), "{outcome:?}");
}

#[test]
fn after_a_crash_every_record_that_had_a_receipt_is_there_and_the_next_follows_it() {
    let dir = tempfile::tempdir().unwrap();
    run(async {
        let journal = open(dir.path());
        for n in 0..300_u64 {
            let _ = write(&journal, &record(1 + (n % 3) as u8, n, 700)).await;
            if n % 60 == 59 {
                let copy = crash(dir.path());
                let (again, repairs) = try_open(copy.path(), small()).unwrap();
                assert_eq!((again.position(), repairs.cut), (n + 1, 0));
                assert_eq!(operations(&again, 1).len() as u64, n / 3 + 1);
                let receipt = write(&again, &record(1, 9_999, 5)).await;
                assert_eq!(receipt.text().index, n / 3 + 1);
                again.close().await;
                assert_eq!(signed_size(&again, 1), n / 3 + 2);
            }
        }
        assert!(journal.health().segments > 3);
    });
}

fn signed_size(journal: &Journal, log: u8) -> u64 {
    let note = fs::read(journal.log_dir(vault(log)).join("checkpoint")).unwrap();
    let checkpoint = Checkpoint::open(&note, &VerifierKey::parse(&journal.vkey(vault(log))).unwrap()).unwrap();
    let mut tree = Tree::new();
    let records = journal.read(vault(log), 0, checkpoint.size as u16).unwrap();
    records.iter().for_each(|(_, r)| _ = tree.append(&r.entry()));
    assert_eq!(checkpoint.root, tree.root());
    checkpoint.size
}

#[test]
fn lost_or_damaged_tiles_and_checkpoints_are_rebuilt_from_the_journal_and_reported() {
    let dir = tempfile::tempdir().unwrap();
    run(async {
        let journal = open(dir.path());
        for n in 0..400 {
            let _ = write(&journal, &record(1, n, 300)).await;
        }
        journal.close().await;
        let log = journal.log_dir(vault(1));
        drop(journal);
        type Spoil = fn(&Path);
        let spoils: [Spoil; 4] = [
            |log| fs::write(log.join("checkpoint"), b"").unwrap(),
            |log| fs::remove_dir_all(log.join("tile")).unwrap(),
            |log| fs::remove_file(log.join("checkpoint")).unwrap(),
            |log| fs::remove_dir_all(log).unwrap(),
        ];
        for spoil in spoils {
            assert_eq!(try_open(dir.path(), small()).unwrap().1, Repairs::default());
            spoil(&log);
            let (journal, repairs) = try_open(dir.path(), small()).unwrap();
            assert_eq!(repairs, Repairs { cut: 0, rebuilt: vec![vault(1)] });
            journal.close().await;
            assert_eq!(signed_size(&journal, 1), 400);
        }
    });
}

#[test]
fn only_this_nodes_journal_opens_with_only_this_nodes_key_and_only_once() {
    let dir = tempfile::tempdir().unwrap();
    let first = open(dir.path());
    assert!(matches!(try_open(dir.path(), small()), Err(OpenError::Locked { .. })));
    drop(first);
    let other = Node { key: SigningKey::from_seed(&[8; 32]), ..node() };
    assert!(matches!(Journal::open(dir.path(), other, small(), system_clock()), Err(OpenError::OtherKey { .. })));
    fs::remove_file(dir.path().join("vkey")).unwrap();
    let other = Node { node: NodeId::from_bytes([1; 16]), ..node() };
    assert!(matches!(Journal::open(dir.path(), other, small(), system_clock()), Err(OpenError::Foreign { .. })));
    fs::remove_file(dir.path().join("vkey")).unwrap();
    let misnamed = dir.path().join("journal/0000000000000007.seg");
    fs::rename(dir.path().join("journal/0000000000000000.seg"), misnamed).unwrap();
    assert!(matches!(try_open(dir.path(), small()), Err(OpenError::BadSegment { why: BadHeader::Misnamed, .. })));
}

/// The layout that outlives this process: written by the first release, read by every later one.
#[test]
fn the_golden_segment_reads_and_writes_as_ever() {
    let golden = include_bytes!("../../../tests/golden/journal-v1.seg");
    assert_eq!(made(GROUPS).bytes, golden);
    let (header, mut at) = Header::parse(golden).unwrap();
    assert_eq!((header.instance, header.node, header.first, header.logs.len()), (INSTANCE, NODE, 0, 0));
    let mut starts = Vec::new();
    while let Step::Frame(frame) = frame_at(&golden[at..]) {
        at += frame.len();
        starts.push((frame.starts_group, frame.index, frame.record.operation()));
    }
    assert_eq!(at, golden.len());
    let op = operation;
    assert_eq!(starts[..3], [(true, 0, op(1)), (true, 1, op(2)), (false, 0, op(3))]);
    assert_eq!(recovered(golden).unwrap(), (8, 0));
    let trees =
        recover(&with_segment(golden).path().join("journal"), &node(), &Published::new()).unwrap().unwrap().trees;
    let root = hex::encode(trees[&vault(1)].root());
    assert_eq!(root, include_str!("../../../tests/golden/journal-v1.root").trim());
}
