//! The steps of backups and restores: each can be done again, none is tried for ever, and nothing waits for them.

use super::{backed_up, begin, ended, restore, restored};
use crate::custodians::altered;
use crate::support::*;
use keystead_engine::{JobState, ListVersions, ReadBackup, RotateKey, StartRestore};
use keystead_model::{KeySpec, Time};
use keystead_store::fault::CommitFault;
use keystead_store::{Changes, CommitError, Kind, Row};
use std::sync::atomic::{AtomicUsize, Ordering};

#[tokio::test(flavor = "multi_thread")]
async fn a_backup_that_was_cut_off_after_it_got_its_name_ends_well() {
    for nth in 1..8 {
        let node = Node::new().await;
        node.run(create("k", KeySpec::EcP256)).await.unwrap();
        let begun = begin(&node).await;
        let busy = CommitFault::Before(CommitError::Busy);
        node.faults.fail_commit(nth, busy);
        let view = ended(&node, &begun).await;
        assert_eq!((view.state, &view.error), (JobState::Succeeded, &None), "{nth}: {view:?}");
        let node = node.restart().await;
        let folder = view.folder.unwrap().rsplit_once('/').unwrap().1.to_owned();
        restored(&node, restore(&folder)).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_vault_with_a_damaged_row_is_not_backed_up_and_the_word_says_so() {
    let node = Node::new().await;
    node.run(create("k", KeySpec::EcP256)).await.unwrap();
    let vault = node.vault().info().id;
    let row = node.store.rows(vault, Kind::KeyVersion, None, 1).await.unwrap().remove(0);
    let damaged = Row { counter: row.counter + 1, sealed: vec![0; row.sealed.len()], ..row };
    altered(&node, vault, Changes { puts: vec![damaged], ..Changes::default() }).await;
    let begun = begin(&node).await;
    let view = ended(&node, &begun).await;
    assert_eq!((view.state, view.folder), (JobState::Failed, None));
    assert_eq!(view.error.map(|(word, _)| word), Some("VaultDamaged"));
}

/// The first copy ends and the second begins in one step.
#[tokio::test(flavor = "multi_thread")]
async fn a_key_that_comes_twice_in_one_step_is_restored() {
    for part in ["16384", "32768", "65536", "131072"] {
        let node = Node::new().await;
        for _ in 0..80 {
            node.run(create("many", KeySpec::EcP256)).await.unwrap();
        }
        let begun = begin(&node).await;
        // Two steps, then the beat is over.
        let asked = AtomicUsize::new(0);
        let now = || if asked.fetch_add(1, Ordering::SeqCst) < 4 { T0 } else { Time(T0.0 + 10_000) };
        node.instance.continue_jobs(|| at(now())).await;
        assert_eq!(node.run(ReadBackup { job: begun.id }).await.unwrap().state, JobState::Running);
        node.run(RotateKey { name: name("many") }).await.unwrap();
        let folder = ended(&node, &begun).await.folder.unwrap().rsplit_once('/').unwrap().1.to_owned();
        std::fs::write(node.dir.path().join("part"), part).unwrap();
        let node = node.restart().await;
        restored(&node, StartRestore { rollback: true, ..restore(&folder) }).await;
        let many = node.run(ListVersions { name: name("many"), after: None, limit: 100 }).await.unwrap();
        assert_eq!(many.items.len(), 81);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn work_that_others_always_come_before_is_given_up_after_a_quarter_of_an_hour() {
    let node = Node::new().await;
    node.run(create("k", KeySpec::EcP256)).await.unwrap();
    let begun = begin(&node).await;
    let beat = async |now: Time| {
        // As often as a step is tried.
        for nth in 1..=5 {
            node.faults.fail_commit(nth, CommitFault::Before(CommitError::Conflict));
        }
        node.instance.continue_jobs(|| at(now)).await;
        node.run(ReadBackup { job: begun.id }).await.unwrap()
    };
    assert_eq!(beat(T0).await.state, JobState::Running);
    assert_eq!(beat(Time(T0.0 + 14 * 60_000)).await.state, JobState::Running);
    let view = beat(Time(T0.0 + 16 * 60_000)).await;
    assert_eq!((view.state, view.error.map(|(word, _)| word)), (JobState::Failed, Some("NoProgress")));
    backed_up(&node).await;
    node.stop_and_verify().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_due_does_not_wait_for_a_backup() {
    let node = Node::new().await;
    node.run(create("k", KeySpec::EcP256)).await.unwrap();
    let begun = begin(&node).await;
    node.instance.tick(at(Time(T0.0 + 1_000))).await.unwrap();
    let view = node.run(ReadBackup { job: begun.id }).await.unwrap();
    assert_eq!((view.state, view.details), (JobState::Running, None), "it has a beat of its own");
    assert!(node.instance.continue_jobs(|| at(Time(T0.0 + 1_000))).await > 0);
}
