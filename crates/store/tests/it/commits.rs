//! What a commit does, and when it does nothing.

use crate::support::{Bench, V, key, puts, record, record_of, revision_in, row, vault};
use keystead_model::{Revision, Time, VaultId, VaultStatus};
use keystead_store::fault::CommitFault;
use keystead_store::{Changes, CommitError, Kind, MakeRecord, Row, Store, Unavailable};
use std::sync::mpsc::channel;

#[tokio::test]
async fn a_put_is_read_back_with_the_revision_of_its_commit() {
    let b = Bench::new().await;
    let put = Row { due: Some(Time(-5)), counter: 1, ..row(1, 1) };
    let done = b.put(put.clone()).await;
    assert_eq!(done.revision, Revision(2));
    assert_eq!(revision_in(&done.record), Revision(2));
    let read = b.store.get(V, key(1)).await.unwrap().unwrap();
    assert_eq!(read, Row { revision: Revision(2), ..put });
    assert_eq!(b.store.get(VaultId::from_bytes([8; 16]), key(1)).await.unwrap(), None);
}

#[tokio::test]
async fn a_write_that_read_something_else_conflicts_and_changes_nothing() {
    let b = Bench::new().await;
    b.put(row(1, 1)).await;
    let conflicts = [
        puts([row(1, 1)]),
        puts([row(1, 3)]),
        puts([row(2, 2)]),
        puts([row(2, 0)]),
        puts([row(2, u64::MAX)]),
        puts([row(3, 1), row(1, 1)]),
        Changes { removes: vec![(key(1), 2)], ..puts([row(3, 1)]) },
        Changes { removes: vec![(key(2), 0)], ..puts([row(3, 1)]) },
        Changes { checks: vec![(key(1), 0)], ..puts([row(3, 1)]) },
        Changes { checks: vec![(key(2), 1)], ..puts([row(3, 1)]) },
    ];
    for changes in conflicts {
        let never: MakeRecord = Box::new(|_| unreachable!("no record of what does not happen"));
        let error = b.store.commit(V, changes.clone(), never).await;
        assert_eq!(error, Err(CommitError::Conflict), "{changes:?}");
    }
    assert_eq!(b.store.get(V, key(3)).await.unwrap(), None);
    assert_eq!(b.revision().await, Revision(2));
    assert_eq!(b.store.outbox().await.unwrap().len(), 2);
}

#[tokio::test]
async fn a_row_that_says_what_it_said_keeps_its_revision() {
    let b = Bench::new().await;
    let first = b.put(row(1, 1)).await.revision;
    let unchanged = Changes { unchanged: true, ..puts([row(1, 2), row(2, 1)]) };
    let second = b.store.commit(V, unchanged, record().0).await.unwrap().revision;
    let (old, new) = (b.store.get(V, key(1)).await.unwrap().unwrap(), b.store.get(V, key(2)).await.unwrap().unwrap());
    assert_eq!((old.counter, old.revision), (2, first));
    assert_eq!((new.counter, new.revision), (1, second), "what was not there has none to keep");
    let stale = Changes { unchanged: true, ..puts([row(1, 2)]) };
    assert_eq!(b.store.commit(V, stale, record().0).await, Err(CommitError::Conflict));
    let kinds = [old.kind];
    let besides = async |since, but| b.store.changed_besides(V, &kinds, since, but).await.unwrap();
    assert!(b.store.changed_since(V, &kinds, first).await.unwrap());
    assert!(!besides(first, second).await, "whatever that one wrote");
    assert!(besides(Revision(0), second).await);
}

#[tokio::test]
async fn what_was_read_as_it_stands_can_be_written_removed_and_checked() {
    let b = Bench::new().await;
    b.put(row(1, 1)).await;
    let absent_and_present = vec![(key(9), 0), (key(1), 1)];
    let changes = Changes { checks: absent_and_present, ..puts([row(1, 2), row(2, 1)]) };
    b.store.commit(V, changes, record().0).await.unwrap();
    assert_eq!(b.store.get(V, key(1)).await.unwrap().unwrap().counter, 2);
    let changes = Changes { removes: vec![(key(1), 2)], ..puts([row(1, 1)]) };
    b.store.commit(V, changes, record().0).await.unwrap();
    let again = b.store.get(V, key(1)).await.unwrap().unwrap();
    assert_eq!((again.counter, again.revision), (1, Revision(4)));
}

#[tokio::test]
async fn a_row_that_moves_to_another_kind_goes_on_counting() {
    let b = Bench::new().await;
    b.put(row(1, 1)).await;
    let deleted = |counter| Row { kind: Kind::DeletedKey, ..row(1, counter) };
    for wrong in [1 + 2, 2 + 2] {
        let changes = Changes { removes: vec![(row(1, 1).key(), 1)], ..puts([deleted(wrong)]) };
        assert_eq!(b.store.commit(V, changes, record().0).await, Err(CommitError::Conflict), "{wrong}");
    }
    let there = Changes { removes: vec![(row(1, 1).key(), 1)], ..puts([deleted(2)]) };
    b.store.commit(V, there, record().0).await.unwrap();
    let back = Changes { removes: vec![(deleted(2).key(), 2)], ..puts([row(1, 3)]) };
    b.store.commit(V, back, record().0).await.unwrap();
    let stale = Changes { removes: vec![(deleted(2).key(), 2)], ..Changes::default() };
    assert_eq!(b.store.commit(V, stale, record().0).await, Err(CommitError::Conflict));
}

#[tokio::test]
async fn a_row_of_another_object_in_the_same_place_is_not_replaced() {
    let b = Bench::new().await;
    b.put(row(1, 1)).await;
    let other = Row { id: keystead_model::ObjectId::from_bytes([0xee; 16]), ..row(1, 2) };
    assert_eq!(b.store.commit(V, puts([other]), record().0).await, Err(CommitError::Conflict));
}

#[tokio::test]
async fn names_authorities_and_ids_of_vaults_are_unique() {
    let b = Bench::new().await;
    let other = VaultId::from_bytes([8; 16]);
    let mut same_authority = vault(other, "other");
    same_authority.authorities = vec!["dev.example".parse().unwrap()];
    for taken in [vault(V, "other"), vault(other, "dev"), same_authority] {
        let error = b.store.create_vault(taken, puts([row(1, 1)]), record().0).await;
        assert_eq!(error, Err(CommitError::Exists));
    }
    assert_eq!(b.store.get(other, key(1)).await.unwrap(), None);
    let done = b.store.create_vault(vault(other, "other"), puts([row(1, 1)]), record().0).await.unwrap();
    assert_eq!(done.revision, Revision(1));
    let b = b.reopened().await;
    assert_eq!(b.store.vaults().await.unwrap(), [vault(V, "dev"), vault(other, "other")]);
    assert_eq!(b.store.get(other, key(1)).await.unwrap().unwrap().revision, Revision(1));
}

#[tokio::test]
async fn a_status_is_a_change_of_its_vault() {
    let b = Bench::new().await;
    let done = b.store.set_status(V, VaultStatus::Sealed, puts([row(1, 1)]), record().0).await.unwrap();
    assert_eq!(done.revision, Revision(2));
    let stale = b.store.set_status(V, VaultStatus::Active, puts([row(1, 1)]), record().0).await;
    assert_eq!(stale, Err(CommitError::Conflict), "the status and the rows that go with it change together");
    let b = b.reopened().await;
    assert_eq!(b.store.get(V, key(1)).await.unwrap().unwrap().revision, Revision(2));
    let v = b.store.vaults().await.unwrap().remove(0);
    assert_eq!((v.status, v.revision), (VaultStatus::Sealed, Revision(2)));
    let nobody = VaultId::from_bytes([8; 16]);
    assert_eq!(
        b.store.set_status(nobody, VaultStatus::Sealed, Changes::default(), record().0).await,
        Err(CommitError::Conflict)
    );
    assert_eq!(b.store.commit(nobody, puts([row(1, 1)]), record().0).await, Err(CommitError::Conflict));
}

#[tokio::test]
async fn a_record_that_panics_rolls_back_its_commit_and_leaves_the_writer_alive() {
    let b = Bench::new().await;
    let boom: MakeRecord = Box::new(|_| panic!("a record that cannot be made"));
    let error = b.store.commit(V, puts([row(1, 1)]), boom).await;
    assert_eq!(error, Err(CommitError::Unavailable(Unavailable::Record)));
    assert_eq!(b.put(row(1, 1)).await.revision, Revision(2));
}

#[tokio::test]
async fn an_operation_commits_once() {
    let b = Bench::new().await;
    let (first, op) = record();
    b.store.commit(V, puts([row(1, 1)]), first).await.unwrap();
    assert_eq!(b.store.commit(V, puts([row(2, 1)]), record_of(op)).await, Err(CommitError::Conflict));
    let b = b.dropped();
    assert_eq!(b.store.commit(V, puts([row(2, 1)]), record_of(op)).await, Err(CommitError::Conflict));
    assert_eq!(b.revision().await, Revision(2));
}

/// Holds the writer inside a commit until the returned sender is dropped.
fn hold_the_writer(store: &Store) -> std::sync::mpsc::Sender<()> {
    let ((release, held), (started, running)) = (channel::<()>(), channel());
    let (make, _) = record();
    let record: MakeRecord = Box::new(move |at| {
        started.send(()).unwrap();
        let _ = held.recv();
        make(at)
    });
    let store = store.clone();
    tokio::spawn(async move { store.commit(V, puts([row(200, 1)]), record).await });
    tokio::task::block_in_place(|| running.recv().unwrap());
    release
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_full_queue_refuses_at_once_and_what_was_queued_is_done() {
    let b = Bench::new().await;
    let release = hold_the_writer(&b.store);
    let mut waiting = tokio::task::JoinSet::new();
    for _ in 0..1500 {
        let store = b.store.clone();
        waiting.spawn(async move { store.commit(V, Changes::default(), record().0).await });
    }
    for _ in 0..1500 - 1024 {
        assert_eq!(waiting.join_next().await.unwrap().unwrap(), Err(CommitError::Busy));
    }
    drop(release);
    while let Some(done) = waiting.join_next().await {
        done.unwrap().unwrap();
    }
    assert_eq!(b.revision().await, Revision(2 + 1024));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn close_finishes_what_is_queued_then_refuses() {
    let b = Bench::new().await;
    let release = hold_the_writer(&b.store);
    // A write is sent when its future is first polled.
    let mut queued = Box::pin({
        let store = b.store.clone();
        async move { store.commit(V, puts([row(1, 1)]), record().0).await }
    });
    let waits = std::future::poll_fn(|cx| std::task::Poll::Ready(queued.as_mut().poll(cx).is_pending())).await;
    assert!(waits, "the writer is held");
    let closing = tokio::spawn({
        let store = b.store.clone();
        async move { store.close().await }
    });
    drop(release);
    closing.await.unwrap();
    b.store.close().await;
    assert_eq!(queued.await.unwrap().revision, Revision(3));
    assert_eq!(b.store.commit(V, Changes::default(), record().0).await, Err(Unavailable::Closed.into()));
    assert_eq!(b.store.get(V, key(1)).await, Err(Unavailable::Closed));
    let wal = b.path().with_extension("db-wal");
    assert!(!wal.exists(), "the WAL was moved into the database");
    let b = b.dropped();
    assert_eq!(b.revision().await, Revision(3));
}

#[tokio::test]
async fn a_faulty_store_fails_where_it_is_told() {
    let b = Bench::new().await;
    let (store, faults) = b.store.clone().faulty();
    faults.fail_commit(1, CommitFault::Before(CommitError::DiskFull));
    faults.fail_commit(3, CommitFault::After(CommitError::Unavailable(Unavailable::Disk { code: 10 })));
    faults.fail_read(2, Unavailable::Damaged { code: 11 });
    let commit = |lookup| store.commit(V, puts([row(lookup, 1)]), record().0);
    assert_eq!(commit(1).await, Err(CommitError::DiskFull));
    assert_eq!(commit(2).await.unwrap().revision, Revision(2));
    assert_eq!(commit(3).await, Err(CommitError::Unavailable(Unavailable::Disk { code: 10 })));
    assert_eq!(store.get(V, key(1)).await.unwrap(), None);
    assert_eq!(store.get(V, key(3)).await, Err(Unavailable::Damaged { code: 11 }));
    assert!(store.get(V, key(3)).await.unwrap().is_some(), "failed after it was done");
    assert_eq!((faults.commits(), faults.reads()), (3, 3));
}
