use super::*;
use std::collections::{HashMap, HashSet};

#[test]
fn concurrent_writers_get_distinct_contiguous_indices_and_durable_receipts() {
    let dir = tempfile::tempdir().unwrap();
    run(async {
        let journal = open(dir.path());
        let writers: Vec<_> = (0..8_u64)
            .map(|w| {
                let journal = journal.clone();
                tokio::spawn(async move {
                    let mut receipts = Vec::new();
                    for n in 0..150_u64 {
                        let record = record((n % 3) as u8, w * 1_000 + n, 40);
                        let receipt = write(&journal, &record).await;
                        receipts.push(((n % 3) as u8, record, receipt.text().clone()));
                    }
                    receipts
                })
            })
            .collect();
        let mut receipts = Vec::new();
        for writer in writers {
            receipts.extend(writer.await.unwrap());
        }
        let copy = crash(dir.path());
        let again = open(copy.path());
        for log in 0..3_u8 {
            let of_log: Vec<_> = receipts.iter().filter(|r| r.0 == log).collect();
            let indices: HashSet<_> = of_log.iter().map(|r| r.2.index).collect();
            assert_eq!(indices, (0..400).collect::<HashSet<u64>>());
            let there: HashMap<_, _> = again.read(vault(log), 0, 1_000).unwrap().into_iter().collect();
            for (_, record, receipt) in of_log {
                assert_eq!(there.get(&receipt.index), Some(record));
                assert_eq!(receipt.leaf, tlog::leaf_hash(&record.entry()));
                assert_eq!(receipt.log, tlog::log_id(&tlog::origin(INSTANCE, vault(log), NODE)));
            }
        }
        assert_eq!((again.position(), again.logs()), (1_200, vec![vault(0), vault(1), vault(2)]));
    });
}

#[test]
fn any_range_of_any_log_reads_back_across_segments() {
    let dir = tempfile::tempdir().unwrap();
    run(async {
        let journal = open(dir.path());
        for n in 0..700_u64 {
            // Vault 3 begins late and vault 2 is rare.
            let log = if n % 50 == 0 {
                2
            } else if n > 500 && n % 2 == 0 {
                3
            } else {
                1
            };
            let _ = write(&journal, &record(log, n, 400)).await;
        }
        assert!(journal.health().segments > 4);
        for log in 1..4_u8 {
            let size = journal.size(vault(log));
            let all = journal.read(vault(log), 0, u16::MAX).unwrap();
            assert_eq!(all.len() as u64, size);
            for from in (0..size + 2).step_by(7) {
                let part = journal.read(vault(log), from, 20).unwrap();
                let from = from.min(size) as usize;
                assert_eq!(part, all[from..(from + 20).min(all.len())]);
            }
            assert_eq!(journal.tail(vault(log), 3).unwrap(), all[all.len() - 3..]);
        }
        assert!(journal.read(vault(9), 0, 10).unwrap().is_empty());
        for start in [0, 1, 255, 256, 257, 699, 700] {
            let mut follow = journal.follow(start).unwrap();
            let mut seen = Vec::new();
            while let Some(found) = follow.next().unwrap() {
                seen.push((found.number, found.frame.record.operation()));
            }
            assert_eq!(seen, (start..700).map(|n| (n, operation(n))).collect::<Vec<_>>());
        }
        // What was archived is named, and the rest still reads.
        let first = segment::path_of(&dir.path().join("journal"), 0);
        fs::remove_file(&first).unwrap();
        assert!(matches!(journal.read(vault(1), 0, 1), Err(ReadError::Archived { .. })));
        assert_eq!(journal.tail(vault(1), 5).unwrap().len(), 5);
    });
}

#[test]
fn a_follower_sees_each_frame_once_while_others_write() {
    let dir = tempfile::tempdir().unwrap();
    run(async {
        let journal = open(dir.path());
        let mut follow = journal.follow(0).unwrap();
        let mut seen = 0;
        for n in 0..400_u64 {
            let _ = write(&journal, &record(1, n, 600)).await;
            if n % 3 == 0 {
                while let Some(found) = follow.next().unwrap() {
                    assert_eq!((found.number, found.frame.record.operation()), (seen, operation(seen)));
                    seen += 1;
                }
                assert_eq!(seen, n + 1);
            }
        }
    });
}

#[test]
fn a_full_disk_refuses_before_the_work_keeps_what_was_reserved_and_heals() {
    let dir = tempfile::tempdir().unwrap();
    run(async {
        let limits = Limits { max_bytes: 3 * (66 << 10), ..small() };
        let journal = try_open(dir.path(), limits).unwrap().0;
        let mut slots = Vec::new();
        let mut n = 0;
        let refused = loop {
            match journal.reserve() {
                Ok(slot) if slots.len() < 3 => slots.push(slot),
                Ok(slot) => {
                    let _ = slot.write(record(1, n, 3_000)).await.unwrap();
                    n += 1;
                }
                Err(e) => break e,
            }
            assert!(n < 1_000);
        };
        assert_eq!(refused, JournalDown::Full);
        assert_eq!(journal.health().state, JournalState::Full);
        // A promise is a promise.
        for slot in slots {
            let _ = slot.write(record(1, n, 3_900)).await.unwrap();
            n += 1;
        }
        assert_eq!(journal.size(vault(1)), n);
        fs::remove_file(segment::path_of(&dir.path().join("journal"), 0)).unwrap();
        until("it heals", || journal.health().state == JournalState::Ready).await;
        let _ = write(&journal, &record(1, n, 3_000)).await;
        assert_eq!(journal.size(vault(1)), n + 1);
    });
}

#[test]
fn room_that_is_reserved_and_not_used_or_used_in_part_comes_back() {
    let dir = tempfile::tempdir().unwrap();
    run(async {
        let journal = open(dir.path());
        for n in 0..2_000_u64 {
            let _ = write(&journal, &record(1, n, 20)).await;
            drop(journal.reserve().unwrap());
        }
        let slots: Vec<_> = (0..10).map(|_| journal.reserve().unwrap()).collect();
        drop(slots);
        let room = journal.health().room_bytes;
        journal.close().await;
        drop(journal);
        // Counting anew from the files gives the same, but for the next segment's own length.
        let fresh = open(dir.path()).health().room_bytes;
        assert!(fresh.abs_diff(room) < 512, "{fresh} {room}");
    });
}

#[test]
fn more_records_on_their_way_than_the_bound_are_refused() {
    let dir = tempfile::tempdir().unwrap();
    let journal = try_open(dir.path(), Limits { slots: 3, ..small() }).unwrap().0;
    let slots: Vec<_> = (0..3).map(|_| journal.reserve().unwrap()).collect();
    assert!(matches!(journal.reserve(), Err(JournalDown::Busy)));
    drop(slots);
    assert!(journal.reserve().is_ok());
}

#[test]
fn a_removed_or_replaced_segment_takes_the_journal_out_of_service() {
    type Spoil = fn(&Path);
    let spoils: [Spoil; 3] = [
        |path| fs::remove_file(path).unwrap(),
        |path| {
            let bytes = fs::read(path).unwrap();
            fs::remove_file(path).unwrap();
            fs::write(path, bytes).unwrap();
        },
        |path| fs::OpenOptions::new().write(true).open(path).unwrap().set_len(2_000).unwrap(),
    ];
    for spoil in spoils {
        let dir = tempfile::tempdir().unwrap();
        run(async {
            let journal = open(dir.path());
            let _ = write(&journal, &record(1, 0, 5)).await;
            let kept = journal.reserve().unwrap();
            spoil(&segment::path_of(&dir.path().join("journal"), 0));
            let slot = journal.reserve().unwrap();
            assert_eq!(slot.write(record(1, 1, 5)).await.map(|r| r.header()), Err(JournalDown::Failed));
            assert_eq!(kept.write(record(1, 2, 5)).await.map(|r| r.header()), Err(JournalDown::Failed));
            assert!(matches!(journal.reserve(), Err(JournalDown::Failed)));
            assert!(matches!(journal.health().state, JournalState::Failed(_)));
            assert_eq!(journal.size(vault(1)), 1);
            journal.close().await;
        });
    }
}

#[test]
fn a_record_over_the_bound_or_of_another_node_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    run(async {
        let journal = open(dir.path());
        let largest = record(1, 0, Record::MAX - Record::HEADER);
        let _ = write(&journal, &largest).await;
        let over = record(1, 1, Record::MAX - Record::HEADER + 1);
        let refused = journal.reserve().unwrap().write(over).await;
        assert_eq!(refused.map(|r| r.header()), Err(JournalDown::BadRecord));
        let foreign = Draft::vault(Action::VaultCreated, vault(1), vec![], operation(2), Time(1)).encode(
            Outcome::DONE,
            None,
            NodeId::from_bytes([1; 16]),
        );
        let refused = journal.reserve().unwrap().write(foreign).await;
        assert_eq!(refused.map(|r| r.header()), Err(JournalDown::BadRecord));
        assert_eq!(journal.size(vault(1)), 1);
    });
}

#[test]
fn a_closed_journal_has_published_everything_and_accepts_nothing() {
    let dir = tempfile::tempdir().unwrap();
    run(async {
        let journal = open(dir.path());
        let late = journal.reserve().unwrap();
        for n in 0..20 {
            let _ = write(&journal, &record(1, n, 5)).await;
        }
        journal.turned_away(Some(vault(1)), TurnedAwayReason::Sealed);
        journal.close().await;
        journal.close().await;
        assert!(matches!(journal.reserve(), Err(JournalDown::Closed)));
        assert_eq!(late.write(record(1, 99, 5)).await.map(|r| r.header()), Err(JournalDown::Closed));
        let health = journal.health();
        assert_eq!((health.state, health.unpublished, health.publish_error), (JournalState::Closed, 0, None));
        let note = fs::read(journal.log_dir(vault(1)).join("checkpoint")).unwrap();
        assert_eq!(tlog::Checkpoint::unproven(&note).unwrap().size, 21);
    });
}

#[test]
fn checkpoints_follow_by_themselves_and_never_lead() {
    let dir = tempfile::tempdir().unwrap();
    run(async {
        let journal = open(dir.path());
        for n in 0..3_000_u64 {
            let record = record(1, n, 5);
            let _ = write(&journal, &record).await;
            if n % 100 == 0
                && let Ok(note) = fs::read(journal.log_dir(vault(1)).join("checkpoint"))
            {
                assert!(tlog::Checkpoint::unproven(&note).unwrap().size <= journal.size(vault(1)));
            }
        }
        let signed = || fs::read(journal.log_dir(vault(1)).join("checkpoint"));
        let size = |note: Vec<u8>| tlog::Checkpoint::unproven(&note).unwrap().size;
        until("all is published", || signed().is_ok_and(|note| size(note) == 3_000)).await;
        assert_eq!(journal.health().unpublished, 0);
    });
}

#[test]
fn what_is_turned_away_becomes_one_bounded_record_of_that_log() {
    let dir = tempfile::tempdir().unwrap();
    run(async {
        let journal = open(dir.path());
        for _ in 0..10_000 {
            journal.turned_away(Some(vault(1)), TurnedAwayReason::NotAuthenticated);
        }
        journal.turned_away(None, TurnedAwayReason::UnknownHost);
        until("both are written", || journal.position() == 2).await;
        for (log, count) in [
            (vault(1), (TurnedAwayReason::NotAuthenticated.code(), 10_000)),
            (NODES_LOG, (TurnedAwayReason::UnknownHost.code(), 1)),
        ] {
            let records = journal.read(log, 0, 10).unwrap();
            assert_eq!(records.len(), 1);
            assert_eq!(records[0].1.action(), Some(Action::TurnedAway));
            assert_eq!(TurnedAway::of(&records[0].1).unwrap().counts, [count]);
        }
    });
}

#[test]
fn a_request_that_hangs_up_has_its_record_all_the_same() {
    let dir = tempfile::tempdir().unwrap();
    run(async {
        let journal = try_open(dir.path(), Limits::default()).unwrap().0;
        for n in 0..50 {
            let mut writing = Box::pin(journal.reserve().unwrap().write(record(1, n, 5)));
            let _ = futures_once(&mut writing).await;
            drop(writing);
        }
        journal.close().await;
        assert_eq!(journal.size(vault(1)), 50);
    });
}

/// Polls once.
async fn futures_once<F: Future + Unpin>(work: &mut F) -> bool {
    std::future::poll_fn(|cx| std::task::Poll::Ready(std::pin::Pin::new(&mut *work).poll(cx).is_ready())).await
}
