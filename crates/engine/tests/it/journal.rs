//! A journal that fails or is full: no answer without a durable record.

use crate::support::*;
use keystead_audit::Limits;
use keystead_engine::{DeleteKey, GetKey, OperateError, Refusal, SealVault, Sign, TurnedAway};
use keystead_model::{Action, KeySpec, SignAlgorithm};
use std::fs;
use std::path::PathBuf;
use std::sync::Arc;

/// What the disk holds of the journal when the node starts again.
#[derive(Clone, Copy)]
enum Disk {
    /// The segment with the last write.
    WithTheWrite,
    /// As it was before the last write.
    WithoutTheWrite,
}

/// Makes the next write of the journal fail; gives what puts the segment back.
fn break_journal(node: &Node, disk: Disk) -> (PathBuf, PathBuf) {
    let segment = node.segments().pop().unwrap();
    let aside = node.dir.path().join("aside");
    match disk {
        Disk::WithTheWrite => fs::rename(&segment, &aside).unwrap(),
        Disk::WithoutTheWrite => {
            fs::copy(&segment, &aside).unwrap();
            fs::remove_file(&segment).unwrap();
        }
    }
    (aside, segment)
}

async fn repaired(node: Node, (aside, segment): (PathBuf, PathBuf)) -> Node {
    let dir = node.stop().await;
    fs::rename(aside, segment).unwrap();
    Node::open(dir, LIMITS).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_record_that_the_journal_lost_after_the_commit_is_in_the_log_exactly_once_after_a_restart() {
    for disk in [Disk::WithTheWrite, Disk::WithoutTheWrite] {
        let node = Node::new().await;
        node.run(create("before", KeySpec::EcP256)).await.unwrap();
        let (records, revision) = (node.records().len(), node.revision().await.0);
        let broken = break_journal(&node, disk);
        let answer = node.try_run(OFFICER, create("k", KeySpec::EcP256), T0).await;
        assert_eq!(answer.unwrap_err(), TurnedAway::JournalDown, "the change stands, and yet nobody is answered");
        for _ in 0..3 {
            let next = node.try_run(OFFICER, create("after", KeySpec::EcP256), T0).await;
            assert_eq!(next.unwrap_err(), TurnedAway::JournalDown, "out of service");
        }
        assert_eq!(node.revision().await.0, revision + 1);
        let mut node = repaired(node, broken).await;
        for _ in 0..2 {
            let found = node.records().split_off(records);
            let [record] = found.as_slice() else { panic!("{found:?}") };
            assert_eq!(
                (record.action(), record.revision().map(|r| r.0)),
                (Some(Action::CreateKey), Some(revision + 1))
            );
            node = node.restart().await;
        }
        assert!(node.run(GetKey { key: key("k") }).await.is_ok());
        assert!(matches!(node.run(GetKey { key: key("after") }).await, Err(Refusal::KeyNotFound { .. })));
        node.stop_and_verify().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_signature_whose_record_is_not_durable_is_not_given_out() {
    let node = Node::new().await;
    node.run(create("k", KeySpec::EcP256)).await.unwrap();
    let broken = break_journal(&node, Disk::WithTheWrite);
    let sign = || Sign { key: key("k"), algorithm: SignAlgorithm::Es256, digest: vec![1; 32] };
    assert_eq!(node.try_run(OFFICER, sign(), T0).await.err(), Some(TurnedAway::JournalDown));
    assert_eq!(node.try_run(STRANGER, sign(), T0).await.err(), Some(TurnedAway::JournalDown), "nor is a denial");
    let node = repaired(node, broken).await;
    assert!(node.run(sign()).await.is_ok());
    node.stop_and_verify().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_vault_whose_seal_was_committed_is_sealed_whatever_becomes_of_the_journal() {
    for by_operator in [false, true] {
        let node = Node::new().await;
        let broken = break_journal(&node, Disk::WithoutTheWrite);
        if by_operator {
            let failed = node.instance.seal("dev", at(T0)).await.unwrap_err();
            assert!(matches!(failed, OperateError::TurnedAway(TurnedAway::JournalDown)), "{failed}");
        } else {
            assert_eq!(node.try_run(OFFICER, SealVault, T0).await.err(), Some(TurnedAway::JournalDown));
        }
        assert_eq!(node.vault().ready(), Err(TurnedAway::Sealed));
        let node = repaired(node, broken).await;
        assert_eq!(node.vault().ready(), Err(TurnedAway::Sealed));
        node.stop_and_verify().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_vault_whose_creation_was_committed_is_there_whatever_becomes_of_the_journal() {
    let node = Node::new().await;
    let broken = break_journal(&node, Disk::WithoutTheWrite);
    let failed = node.instance.create(new_vault("two"), at(T0)).await.err().unwrap();
    assert!(matches!(failed, OperateError::TurnedAway(TurnedAway::JournalDown)), "{failed}");
    assert_eq!(node.instance.named("two").unwrap().ready(), Err(TurnedAway::Sealed));
    let node = repaired(node, broken).await;
    assert!(node.instance.named("two").unwrap().ready().is_ok());
    node.stop_and_verify().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_full_journal_refuses_before_the_work_and_heals_when_there_is_room() {
    let limits = Limits { segment_bytes: 64 << 10, max_bytes: 150 << 10, slots: 64 };
    let node = Arc::new(Node::with(limits).await);
    node.run(create("k", KeySpec::EcP256)).await.unwrap();
    let get = || GetKey { key: key("k") };
    // Together they reserve more than they need, so the last are asked for one by one.
    let mut nearly = false;
    while !nearly {
        let asked: Vec<_> = (0..8)
            .map(|_| {
                let node = Arc::clone(&node);
                tokio::spawn(async move { node.try_run(OFFICER, get(), T0).await.err() })
            })
            .collect();
        for one in asked {
            match one.await.unwrap() {
                None => {}
                Some(TurnedAway::JournalFull) => nearly = true,
                Some(other) => panic!("{other}"),
            }
        }
    }
    while node.try_run(OFFICER, get(), T0).await.is_ok() {}
    let (revision, commits, records) = (node.revision().await, node.faults.commits(), node.records().len());
    for ask in [create("k", KeySpec::EcP256), create("new", KeySpec::EcP256)] {
        assert_eq!(node.try_run(OFFICER, ask, T0).await.unwrap_err(), TurnedAway::JournalFull);
    }
    let delete = DeleteKey { name: name("k") };
    assert_eq!(node.try_run(OFFICER, delete, T0).await.unwrap_err(), TurnedAway::JournalFull);
    assert_eq!((node.revision().await, node.faults.commits(), node.records().len()), (revision, commits, records));

    let oldest = node.segments().remove(0);
    fs::rename(oldest, node.dir.path().join("archived")).unwrap();
    until("room for records", async || node.try_run(OFFICER, get(), T0).await.is_ok_and(|answer| answer.is_ok())).await;
    let made = node.run(create("new", KeySpec::EcP256)).await.unwrap();
    assert_eq!(node.run(GetKey { key: key("new") }).await.unwrap(), made);
}

#[tokio::test(flavor = "multi_thread")]
async fn more_records_on_their_way_than_the_journal_takes_are_turned_away_as_busy() {
    let node = Node::with(Limits { slots: 4, ..LIMITS }).await;
    let held: Vec<_> = (0..4).map(|_| node.journal.reserve().unwrap()).collect();
    assert_eq!(node.try_run(OFFICER, create("k", KeySpec::EcP256), T0).await.unwrap_err(), TurnedAway::Busy);
    drop(held);
    assert!(node.run(create("k", KeySpec::EcP256)).await.is_ok());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_node_that_is_stopping_answers_nobody() {
    let node = Node::new().await;
    node.journal.close().await;
    assert_eq!(node.try_run(OFFICER, create("k", KeySpec::EcP256), T0).await.unwrap_err(), TurnedAway::Stopping);
}
