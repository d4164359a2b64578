//! Verification beside a node that is writing.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::FileExt as _;
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::SeqCst};

use keystead_audit::verify::{Damage, KeptCheckpoint, Spot};
use keystead_audit::{Journal, Limits};

use crate::data::*;

const SMALL_SEGMENTS: Limits = Limits { segment_bytes: 64 << 10, max_bytes: u64::MAX, slots: 2_048 };

/// Writes records in groups of 1, 2, 4, ... up to `most`, until told to stop; `written` follows.
async fn write(journal: &Journal, most: u64, stop: &AtomicBool, written: &AtomicU64) -> u64 {
    let mut revisions = BTreeMap::new();
    let (mut n, mut group) = (0, 1);
    while !stop.load(SeqCst) {
        let mut writes = tokio::task::JoinSet::new();
        for _ in 0..group {
            let slot = journal.reserve().unwrap();
            writes.spawn(slot.write(record(n, 1, &mut revisions)));
            n += 1;
        }
        writes.join_all().await.into_iter().for_each(|receipt| _ = receipt.unwrap());
        written.store(n, SeqCst);
        group = if group * 2 > most { 1 } else { group * 2 };
    }
    n
}

/// Sets its flag when it goes out of scope, also by a failed assertion: the writer must end.
struct StopAtEnd<'a>(&'a AtomicBool);

impl Drop for StopAtEnd<'_> {
    fn drop(&mut self) {
        self.0.store(true, SeqCst);
    }
}

/// Writes records until `beside` returns, then closes; gives the number of records.
fn while_writing(dir: &Path, limits: Limits, most: u64, beside: impl FnOnce(&AtomicU64)) -> u64 {
    let (stop, written) = (AtomicBool::new(false), AtomicU64::new(0));
    let journal = open_with(dir, 5, limits);
    std::thread::scope(|scope| {
        let writer = scope.spawn(|| {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
            runtime.block_on(async {
                let records = write(&journal, most, &stop, &written).await;
                journal.close().await;
                records
            })
        });
        let stop = StopAtEnd(&stop);
        beside(&written);
        drop(stop);
        writer.join().unwrap()
    })
}

#[test]
fn nothing_is_found_while_the_node_is_writing() {
    // Segments that roll all the time, then one that takes large groups.
    for (limits, most, records) in [(SMALL_SEGMENTS, 8, 4_000), (Limits::default(), 1_024, 20_000)] {
        let dir = tempfile::tempdir().unwrap();
        let written = while_writing(dir.path(), limits, most, |written| {
            let mut kept: Vec<KeptCheckpoint> = Vec::new();
            let mut verified = 0;
            while verified < 4 || written.load(SeqCst) < records {
                let report = check(dir.path(), &kept).unwrap_or_else(|found| panic!("{found}"));
                assert!(!report.unfinished, "{report:?}");
                verified += 1;
                kept = [NODE, SMALL, LARGE]
                    .iter()
                    .filter_map(|log| fs::read(checkpoint(dir.path(), *log)).ok())
                    .map(|note| KeptCheckpoint { note, key: None })
                    .collect();
            }
        });
        assert_eq!(check(dir.path(), &[]).map(|report| report.records), Ok(written));
    }
}

#[test]
fn a_byte_far_behind_the_end_is_named_while_the_node_is_writing() {
    std::thread::scope(|scope| {
        for name in ["0000000000000000.seg", "spare"] {
            scope.spawn(move || a_byte_in(name));
        }
    });
}

fn a_byte_in(name: &str) {
    let dir = tempfile::tempdir().unwrap();
    // One at a time: the writer must not come to the byte and write over it.
    while_writing(dir.path(), Limits::default(), 1, |_| {
        let path = dir.path().join("journal").join(name);
        while check(dir.path(), &[]).unwrap().records < 10 || !path.exists() {}
        let file = fs::OpenOptions::new().write(true).open(&path).unwrap();
        file.write_all_at(&[1], 15 << 20).unwrap();
        let found = finding(dir.path());
        assert_eq!(found.damage, Damage::TornOrAltered, "{found}");
        let Spot::Byte { path: named, offset, last: Some(_) } = found.at else { panic!("{found}") };
        assert_eq!((named, offset), (path, 15 << 20));
    });
}

#[test]
fn after_closing_every_record_of_every_log_is_under_a_checkpoint() {
    for _ in 0..5 {
        let dir = tempfile::tempdir().unwrap();
        let journal = open(dir.path(), 5);
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(3).enable_all().build().unwrap();
        runtime.block_on(async {
            let mut writers = tokio::task::JoinSet::new();
            for task in 0..4_u64 {
                let journal = journal.clone();
                writers.spawn(async move {
                    for n in 0..60 {
                        // Of all logs, and no change of a vault.
                        let record = record((task * 60 + n) * 3 + 1, 1, &mut BTreeMap::new());
                        // Whatever is refused was too late; whatever is written must be covered.
                        let Ok(slot) = journal.reserve() else { return };
                        if slot.write(record).await.is_err() {
                            return;
                        }
                        journal.turned_away(None, keystead_audit::TurnedAwayReason::Sealed);
                        if (task, n) == (0, 40) {
                            // Two close at once: neither returns before all is published.
                            tokio::join!(journal.close(), journal.close());
                            return assert_published(&journal);
                        }
                    }
                });
            }
            writers.join_all().await;
        });
        assert_published(&journal);
        let report = check(dir.path(), &[]).unwrap();
        assert!(report.logs.iter().all(|log| log.published == log.size), "{report:?}");
        assert_eq!(report.records, journal.position());
    }
}

/// Each log's checkpoint covers all its records.
fn assert_published(journal: &Journal) {
    for log in journal.logs() {
        let note = fs::read(journal.log_dir(log).join("checkpoint")).unwrap();
        let covered = keystead_audit::tlog::Checkpoint::unproven(&note).unwrap().size;
        assert_eq!(covered, journal.size(log), "{log}");
    }
}
