//! Custodians who were replaced: what hangs on a domain is not carried over to the next.

use super::{HELD, Made, answers, held, made_in_its_place, made_in_its_place_as};
use crate::backup::{ended_in, file};
use crate::support::*;
use keystead_engine::{
    Asked, BackupError, BackupPlace, JobState, JobView, NotActivated, OperateError, Refusal, Sort, StartBackup,
    StartRestore,
};
use keystead_formats::backup::Header;
use keystead_model::KeySpec;
use std::fs;

fn place() -> BackupPlace {
    BackupPlace { container: format!("https://{HELD}.localhost:8443/backups"), token: None }
}

fn start() -> StartBackup {
    StartBackup { to: place(), check: false }
}

/// The custodians of `made` agree on others.
async fn replaced(node: &Node, made: &Made) -> Made {
    let (next, sent) = made_in_its_place(node).await;
    let asked = node.instance.ask_replacement(HELD, sent, false, at(T0)).await.unwrap();
    let given = answers(made, &asked.challenge);
    node.instance.answer_quorum(HELD, Sort::Replace, &given, at(T0)).await.unwrap();
    node.turned().await;
    next
}

/// A backup that succeeds: its folder.
async fn backed_up(node: &Node, begun: &JobView) -> String {
    let view = ended_in(HELD, node, begun).await;
    assert_eq!((view.state, &view.error), (JobState::Succeeded, &None), "{view:?}");
    view.folder.unwrap().rsplit_once('/').unwrap().1.to_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_domain_that_the_vault_had_is_not_taken_for_another() {
    let (node, made) = held().await;
    let next = replaced(&node, &made).await;
    for used in [made.record.vault, next.secrets.working.domain] {
        let (_, sent) = made_in_its_place_as(&node, used).await;
        let refused = node.instance.ask_replacement(HELD, sent, false, at(T0)).await.unwrap_err();
        assert!(matches!(refused, OperateError::NotReplaced(NotActivated::UsedDomain)), "{refused}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn custodians_are_not_replaced_while_a_backup_or_a_restore_runs() {
    let (node, made) = held().await;
    let running = |came: &Result<Asked, OperateError>| matches!(came, Err(OperateError::JobsRunning));
    let begun = node.run_in(HELD, OFFICER, start(), T0).await.unwrap();
    let (_, sent) = made_in_its_place(&node).await;
    assert!(running(&node.instance.ask_replacement(HELD, sent, false, at(T0)).await));
    let folder = backed_up(&node, &begun).await;
    // It begins after the custodians were asked: their answers are kept until it has ended.
    let (_, sent) = made_in_its_place(&node).await;
    let asked = node.instance.ask_replacement(HELD, sent, false, at(T0)).await.unwrap();
    let restore = StartRestore { from: place(), folder, check: true, rollback: false };
    let begun = node.run_in(HELD, OFFICER, restore, T0).await.unwrap();
    let given = answers(&made, &asked.challenge);
    let came = node.instance.answer_quorum(HELD, Sort::Replace, &given, at(T0)).await;
    assert!(matches!(came, Err(OperateError::Kept { ref why, .. }) if matches!(**why, OperateError::JobsRunning)));
    ended_in(HELD, &node, &begun).await;
    node.instance.answer_quorum(HELD, Sort::Replace, &[], at(T0)).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_backup_of_the_vault_from_before_opens_to_the_old_domain_and_is_refused_by_the_new_one() {
    let (node, made) = held().await;
    node.run_in(HELD, OFFICER, create("k", KeySpec::EcP256), T0).await.unwrap();
    let begun = node.run_in(HELD, OFFICER, start(), T0).await.unwrap();
    let folder = backed_up(&node, &begun).await;
    let next = replaced(&node, &made).await;
    for (rollback, check) in [(false, false), (true, false), (true, true)] {
        let restore = StartRestore { from: place(), folder: folder.clone(), check, rollback };
        let refused = node.run_in(HELD, OFFICER, restore, T0).await.unwrap_err();
        assert!(matches!(refused, Refusal::Backup(BackupError::Foreign)), "{refused}");
    }
    let bytes = fs::read(file(&node, &folder)).unwrap();
    let (header, _) = Header::parse(&bytes).unwrap();
    let old = made.secrets.key.open_backup(made.secrets.working.domain, &header.said, &header.sealed_key);
    let new = |domain| next.secrets.key.open_backup(domain, &header.said, &header.sealed_key);
    assert!(old.is_ok(), "whoever has the old custodians' shares opens it");
    assert!(new(made.secrets.working.domain).is_err() && new(next.secrets.working.domain).is_err());
}
