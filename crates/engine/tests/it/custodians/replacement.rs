//! Custodians who were replaced: what hangs on a domain is not carried over to the next.

use super::{HELD, Made, answers, held, id_of, made_in_its_place, made_in_its_place_as};
use crate::backup::{ended_in, file};
use crate::support::*;
use keystead_engine::{
    ActKind, Asked, BackupError, BackupPlace, JobState, JobView, NODE_LOG, NotActivated, OperateError, Refusal,
    StartBackup, StartRestore,
};
use keystead_formats::backup::Header;
use keystead_model::{Action, Generation, KeySpec};
use std::fs;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

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
    node.instance.answer_quorum(HELD, ActKind::Replace, &given, at(T0)).await.unwrap();
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
    let came = node.instance.answer_quorum(HELD, ActKind::Replace, &given, at(T0)).await;
    assert!(matches!(came, Err(OperateError::Kept { ref why, .. }) if matches!(**why, OperateError::JobsRunning)));
    ended_in(HELD, &node, &begun).await;
    node.instance.answer_quorum(HELD, ActKind::Replace, &[], at(T0)).await.unwrap();
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
        assert!(matches!(refused, Refusal::Backup(BackupError::Foreign { .. })), "{refused}");
    }
    let bytes = fs::read(file(&node, &folder)).unwrap();
    let (header, _) = Header::parse(&bytes).unwrap();
    let old = made.secrets.key.open_backup(made.secrets.working.domain, &header.said, &header.sealed_key);
    let new = |domain| next.secrets.key.open_backup(domain, &header.said, &header.sealed_key);
    assert!(old.is_ok(), "whoever has the old custodians' shares opens it");
    assert!(new(made.secrets.working.domain).is_err() && new(next.secrets.working.domain).is_err());
}

/// What the logs of the vault and of the node say of a replacement.
fn told(node: &Node) -> [usize; 2] {
    [id_of(node, HELD), NODE_LOG].map(|log| {
        let all = node.records_of(log);
        all.iter().filter(|record| record.action() == Some(Action::CustodiansReplaced)).count()
    })
}

fn generation(node: &Node) -> Option<Generation> {
    node.instance.list().into_iter().find(|vault| vault.info.name == HELD).unwrap().root
}

#[tokio::test(flavor = "multi_thread")]
async fn a_full_journal_is_met_before_custodians_are_replaced_and_never_after_it() {
    let (mut kept, mut done) = (0, 0);
    for free in 0..5 {
        let (node, made) = held().await;
        let (_, sent) = made_in_its_place(&node).await;
        let asked = node.instance.ask_replacement(HELD, sent, false, at(T0)).await.unwrap();
        let given = answers(&made, &asked.challenge);
        let mut taken: Vec<_> = std::iter::from_fn(|| node.journal.reserve().ok()).collect();
        taken.truncate(taken.len() - free);
        match node.instance.answer_quorum(HELD, ActKind::Replace, &given, at(T0)).await {
            Ok(_) => done += 1,
            Err(OperateError::Kept { .. }) => {
                kept += 1;
                assert_eq!((generation(&node), told(&node)), (Some(Generation(1)), [0, 0]), "{free}: nothing was done");
                drop(taken);
                node.instance.answer_quorum(HELD, ActKind::Replace, &[], at(T0)).await.unwrap();
            }
            Err(e) => panic!("{free}: {e}"),
        }
        assert_eq!((generation(&node), told(&node)), (Some(Generation(2)), [1, 1]), "{free}");
    }
    assert!(kept > 1 && done > 1, "{kept} kept, {done} done");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_replacement_that_stands_is_recorded_and_told_though_others_fill_the_journal_meanwhile() {
    let (node, made) = held().await;
    let (next, sent) = made_in_its_place(&node).await;
    let asked = node.instance.ask_replacement(HELD, sent, false, at(T0)).await.unwrap();
    let given = answers(&made, &asked.challenge);
    let (instance, journal) = (Arc::clone(&node.instance), node.journal.clone());
    let end = Arc::new(AtomicBool::new(false));
    let ended = Arc::clone(&end);
    let others = std::thread::spawn(move || {
        let ended = || ended.load(Ordering::SeqCst);
        let replaced = || instance.list().iter().any(|vault| vault.root == Some(Generation(2)));
        // From the commit on there is no room for any record more.
        while !replaced() && !ended() {
            std::hint::spin_loop();
        }
        let mut all = Vec::new();
        while !ended() {
            all.extend(std::iter::from_fn(|| journal.reserve().ok()));
        }
    });
    let came = node.instance.answer_quorum(HELD, ActKind::Replace, &given, at(T0)).await;
    end.store(true, Ordering::SeqCst);
    others.join().unwrap();
    came.unwrap();
    assert_eq!((generation(&node), told(&node)), (Some(Generation(2)), [1, 1]));
    node.turned().await;
    node.instance.seal(HELD, at(T0)).await.unwrap();
    let asked = node.instance.ask_quorum(HELD, at(T0)).await.unwrap();
    let given = answers(&next, &asked.challenge);
    let opened = node.instance.answer_quorum(HELD, ActKind::Unseal, &given, at(T0)).await.unwrap();
    assert_eq!(opened.vault.state, "open");
}
