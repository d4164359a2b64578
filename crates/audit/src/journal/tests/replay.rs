use super::*;
use proptest::prelude::*;

async fn replay(journal: &Journal, n: u64, position: u64) -> Result<bool, JournalDown> {
    journal.replay(operation(n), position, record(1, n, 300).bytes().to_vec()).await
}

#[test]
fn an_operation_is_appended_exactly_once_however_often_it_is_replayed() {
    let dir = tempfile::tempdir().unwrap();
    run(async {
        let journal = try_open(dir.path(), Limits::default()).unwrap().0;
        let position = journal.position();
        let _ = write(&journal, &record(1, 1, 300)).await;
        assert_eq!(replay(&journal, 1, position).await, Ok(false));
        assert_eq!([replay(&journal, 2, position).await, replay(&journal, 2, position).await], [Ok(true), Ok(false)]);
        let writers: Vec<_> = (0..40_u64)
            .map(|i| {
                let journal = journal.clone();
                tokio::spawn(async move { replay(&journal, 10 + i % 4, position).await.unwrap() })
            })
            .collect();
        let mut appended = 0;
        for writer in writers {
            appended += u32::from(writer.await.unwrap());
        }
        assert_eq!((appended, journal.size(vault(1))), (4, 6));
        // A later position than the end: the journal was there when the operation began, so it cannot be in it.
        assert_eq!(replay(&journal, 99, 1_000_000).await, Ok(true));
        let wrong = journal.replay(operation(3), 0, record(1, 4, 5).bytes().to_vec()).await;
        assert_eq!(wrong, Err(JournalDown::BadRecord));
        assert_eq!(journal.replay(operation(3), 0, vec![1; 200]).await, Err(JournalDown::BadRecord));
    });
}

#[test]
fn a_replay_that_cannot_look_far_enough_back_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    run(async {
        let journal = open(dir.path());
        for n in 0..300 {
            let _ = write(&journal, &record(1, n, 500)).await;
        }
        assert_eq!(replay(&journal, 5, 0).await, Ok(false));
        fs::remove_file(segment::path_of(&dir.path().join("journal"), 0)).unwrap();
        assert_eq!(replay(&journal, 5, 0).await, Err(JournalDown::Unreadable));
        assert_eq!(replay(&journal, 299, 290).await, Ok(false));
        assert_eq!(journal.size(vault(1)), 300);
    });
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(12))]

    /// An outbox as the store keeps it: every operation enters it with the position before its work, the process dies
    /// anywhere (after the commit, after the append, while rows are being replayed), and everything is replayed at the
    /// next start.
    #[test]
    fn after_any_crashes_each_operation_stands_in_the_journal_exactly_once(
        steps in proptest::collection::vec((0..4_u8, 1..900_usize), 1..120)
    ) {
        run(async {
            let mut dir = tempfile::tempdir().unwrap();
            let mut journal = open(dir.path());
            let mut outbox: Vec<(u64, u64, Record)> = Vec::new();
            for (n, (kind, len)) in steps.iter().enumerate() {
                let n = n as u64;
                let record = record(1, n, *len);
                outbox.push((n, journal.position(), record.clone()));
                match kind {
                    // It was committed, and the process died before the append.
                    0 => {}
                    // It died, and was started again.
                    1 => {
                        let _ = write(&journal, &record).await;
                        let copy = crash(dir.path());
                        drop(journal);
                        dir = copy;
                        journal = open(dir.path());
                        for (n, position, record) in &outbox {
                            journal.replay(operation(*n), *position, record.bytes().to_vec()).await.unwrap();
                        }
                    }
                    _ => _ = write(&journal, &record).await,
                }
            }
            for (n, position, record) in &outbox {
                journal.replay(operation(*n), *position, record.bytes().to_vec()).await.unwrap();
            }
            let mut there = operations(&journal, 1);
            there.sort_unstable();
            assert_eq!(there, (0..steps.len() as u64).map(operation).collect::<Vec<_>>());
        });
    }
}
