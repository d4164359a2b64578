//! What a restore takes back, and what it says before it does: changes while it runs, purges, what is settled for good.

use super::{CONTAINER, backed_up, ended, filled, restore, restored};
use crate::support::*;
use futures_util::future::join_all;
use keystead_engine::{
    BackupError, BackupPlace, CreateKey, DeleteKey, Encrypt, GetDeletedKey, GetKey, JobState, JobView, PurgeKey,
    ReadAudit, ReadRestore, Refusal, ReleasePolicy, RotateKey, SetAttributes, StartBackup, StartRestore, UpdateKey,
};
use keystead_model::{Action, CipherAlgorithm, KeySpec, Time};

async fn enable(node: &Node, named: &str, enabled: bool) {
    let attributes = SetAttributes { enabled: Some(enabled), ..SetAttributes::default() };
    let update = UpdateKey { key: key(named), ops: None, attributes, tags: None, release: None };
    node.run(update).await.unwrap();
}

async fn is_enabled(node: &Node, named: &str) -> bool {
    node.run(GetKey { key: key(named) }).await.unwrap().enabled
}

/// Beats until the restore has begun to write.
pub(crate) async fn writing(node: &Node, job: &JobView) {
    for second in 1..100 {
        node.instance.continue_jobs(|| at(Time(T0.0 + second * 1_000))).await;
        let view = node.run(ReadRestore { job: job.id }).await.unwrap();
        assert_eq!(view.state, JobState::Running, "{view:?}");
        if view.details.is_some_and(|said| said.contains("versions restored: ") && !said.contains("restored: 0,")) {
            return;
        }
    }
    panic!("it does not write");
}

fn why(view: &JobView) -> &'static str {
    view.error.as_ref().map_or("none", |(word, _)| word)
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_disabled_while_a_restore_runs_stays_so_unless_a_rollback_was_said() {
    let node = filled().await;
    let folder = backed_up(&node).await;
    // While it reads.
    let begun = node.run(restore(&folder)).await.unwrap();
    enable(&node, "k3", false).await;
    assert_eq!(why(&ended(&node, &begun).await), "BackupOlder");
    assert!(!is_enabled(&node, "k3").await);
    let rollback = || StartRestore { rollback: true, ..restore(&folder) };
    restored(&node, rollback()).await;
    assert!(is_enabled(&node, "k3").await);
    // While it writes.
    let folder = backed_up(&node).await;
    let begun = node.run(restore(&folder)).await.unwrap();
    writing(&node, &begun).await;
    for n in 0..38 {
        enable(&node, &format!("k{n}"), false).await;
    }
    assert_eq!(why(&ended(&node, &begun).await), "BackupOlder");
    for n in 0..38 {
        assert!(!is_enabled(&node, &format!("k{n}")).await, "k{n}");
    }
    // Said, it is taken back.
    let begun = node.run(StartRestore { rollback: true, ..restore(&folder) }).await.unwrap();
    enable(&node, "k4", false).await;
    let view = ended(&node, &begun).await;
    assert_eq!(why(&view), "none");
    assert!(is_enabled(&node, "k4").await);
    node.stop_and_verify().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_purge_is_undone_only_where_a_rollback_was_said() {
    let node = Node::new().await;
    node.run(create("k", KeySpec::EcP256)).await.unwrap();
    node.run(create("other", KeySpec::EcP256)).await.unwrap();
    node.run(DeleteKey { name: name("k") }).await.unwrap();
    let folder = backed_up(&node).await;
    node.run(PurgeKey { name: name("k") }).await.unwrap();
    let refused = node.run(restore(&folder)).await;
    assert!(matches!(refused, Err(Refusal::Backup(BackupError::Older { .. }))), "{refused:?}");
    assert!(node.run(GetDeletedKey { name: name("k") }).await.is_err());
    restored(&node, StartRestore { rollback: true, ..restore(&folder) }).await;
    node.run(GetDeletedKey { name: name("k") }).await.unwrap();
    node.stop_and_verify().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn many_purges_at_once_do_not_wait_for_each_other() {
    let node = Node::new().await;
    let names: Vec<_> = (0..40).map(|n| name(&format!("k{n}"))).collect();
    for named in &names {
        node.run(create(named.as_str(), KeySpec::Oct256)).await.unwrap();
        node.run(DeleteKey { name: named.clone() }).await.unwrap();
    }
    for purged in join_all(names.iter().map(|named| node.run(PurgeKey { name: named.clone() }))).await {
        purged.unwrap();
    }
    node.stop_and_verify().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_that_is_purged_while_it_is_restored_does_not_come_back_in_part() {
    let node = Node::new().await;
    for _ in 0..80 {
        node.run(create("many", KeySpec::EcP256)).await.unwrap();
    }
    let folder = backed_up(&node).await;
    let begun = node.run(StartRestore { rollback: true, ..restore(&folder) }).await.unwrap();
    writing(&node, &begun).await;
    node.run(DeleteKey { name: name("many") }).await.unwrap();
    node.run(PurgeKey { name: name("many") }).await.unwrap();
    assert_eq!(why(&ended(&node, &begun).await), "KeyPurged");
    assert!(matches!(node.run(GetKey { key: key("many") }).await, Err(Refusal::KeyNotFound { .. })));
    // Begun again, all of it comes back.
    restored(&node, StartRestore { rollback: true, ..restore(&folder) }).await;
    node.run(GetKey { key: key("many") }).await.unwrap();
    node.stop_and_verify().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_failed_restore_left_is_not_backed_up_and_goes_with_the_purge() {
    let node = Node::new().await;
    for _ in 0..80 {
        node.run(create("many", KeySpec::EcP256)).await.unwrap();
    }
    let folder = backed_up(&node).await;
    node.run(DeleteKey { name: name("many") }).await.unwrap();
    node.run(PurgeKey { name: name("many") }).await.unwrap();
    let begun = node.run(StartRestore { rollback: true, ..restore(&folder) }).await.unwrap();
    writing(&node, &begun).await;
    std::fs::remove_file(super::file(&node, &folder)).unwrap();
    assert_eq!(why(&ended(&node, &begun).await), "BackupNotFound");
    let (id, kind) = (node.vault().info().id, keystead_store::Kind::KeyVersion);
    let left = node.store.count(id, &[kind]).await.unwrap();
    assert!(left > 0 && left < 80, "{left}");
    // Another key of the name has versions between them.
    for _ in 0..60 {
        node.run(create("many", KeySpec::EcP256)).await.unwrap();
    }
    let begun = super::begin(&node).await;
    let said = ended(&node, &begun).await.details;
    assert_eq!(said.as_deref(), Some("Number of key versions backed up: 60"));
    node.run(DeleteKey { name: name("many") }).await.unwrap();
    node.run(PurgeKey { name: name("many") }).await.unwrap();
    assert_eq!(node.store.count(id, &[kind]).await.unwrap(), 0);
    node.stop_and_verify().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_new_root_and_a_use_are_no_changes_that_a_restore_takes_back() {
    let node = filled().await;
    node.run(create("gcm", KeySpec::Oct256)).await.unwrap();
    let folder = backed_up(&node).await;
    let (algorithm, plaintext) = (CipherAlgorithm::A256Gcm, vec![1].into());
    node.run(Encrypt { key: key("gcm"), algorithm, plaintext, iv: None, aad: Vec::new() }).await.unwrap();
    node.rotated(false).await;
    restored(&node, restore(&folder)).await;
    // Resealed while a restore runs, a key that the backup has not is still deleted.
    node.run(create("since", KeySpec::EcP256)).await.unwrap();
    let begun = node.run(StartRestore { rollback: true, ..restore(&folder) }).await.unwrap();
    writing(&node, &begun).await;
    node.rotated(false).await;
    let view = ended(&node, &begun).await;
    assert!(view.details.as_ref().is_some_and(|said| said.contains("backup has not: 1")), "{view:?}");
    node.run(GetDeletedKey { name: name("since") }).await.unwrap();
    node.stop_and_verify().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_immutable_release_policy_stays_after_a_rollback() {
    let node = Node::new().await;
    let policy = |data: &str, immutable| ReleasePolicy {
        content_type: "application/json; charset=utf-8".to_owned(),
        data: data.as_bytes().to_vec(),
        immutable,
    };
    let attributes = SetAttributes { exportable: Some(true), ..SetAttributes::default() };
    for named in ["fixed", "free"] {
        let ask = CreateKey {
            attributes: attributes.clone(),
            release: Some(policy("{}", false)),
            ..create(named, KeySpec::EcP256)
        };
        node.run(ask).await.unwrap();
    }
    let folder = backed_up(&node).await;
    for (named, immutable) in [("fixed", true), ("free", false)] {
        let release = Some(policy("{\"since\":1}", immutable));
        let attributes = SetAttributes { enabled: Some(false), ..SetAttributes::default() };
        node.run(UpdateKey { key: key(named), ops: None, attributes, tags: None, release }).await.unwrap();
    }
    restored(&node, StartRestore { rollback: true, ..restore(&folder) }).await;
    let (fixed, free) = (node.run(GetKey { key: key("fixed") }).await, node.run(GetKey { key: key("free") }).await);
    let (fixed, free) = (fixed.unwrap(), free.unwrap());
    assert_eq!((fixed.enabled, fixed.release), (true, Some(policy("{\"since\":1}", true))));
    assert_eq!((free.enabled, free.release), (true, Some(policy("{}", false))));
    node.stop_and_verify().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn whatever_place_a_rollback_is_from_its_record_names_both_checkpoints() {
    let node = Node::new().await;
    node.run(create("k", KeySpec::EcP256)).await.unwrap();
    let checkpoint = node.dir.path().join(format!("audit/logs/{}/checkpoint", node.vault().info().id));
    until("a checkpoint", async || checkpoint.exists()).await;
    let long = || BackupPlace { container: format!("{CONTAINER}/{}", vec!["c".repeat(100); 9].join("/")), token: None };
    let begun = node.run(StartBackup { to: long(), check: false }).await.unwrap();
    let folder = ended(&node, &begun).await.folder.unwrap().rsplit('/').next().unwrap().to_owned();
    node.run(RotateKey { name: name("k") }).await.unwrap();
    restored(&node, StartRestore { from: long(), rollback: true, ..restore(&folder) }).await;
    let entries = node.run(ReadAudit { log: None, from: None, limit: 500 }).await.unwrap();
    let begun = entries.iter().find(|e| e.action == Action::StartRestore.name()).unwrap();
    let reason = begun.detail.reason.as_deref().unwrap();
    assert!(reason.starts_with("a rollback: ") && reason.matches("checkpoint keystead/").count() == 2, "{reason}");
    assert!(reason.ends_with(&folder), "and where from, as there is room for it: {reason}");
}
