//! What custodians agreed to is done at last: no fault of the store, the log or a path loses their answers.

use super::{HELD, Made, answers, held, held_by, id_of, made_in_its_place, replaced};
use crate::support::*;
use keystead_engine::{ActKind, Answered, Appointee, NODE_LOG, OperateError, Refusal, TurnedAway};
use keystead_model::Action;
use keystead_store::fault::CommitFault;
use keystead_store::{CommitError, Kind, Unavailable};
use std::fs;
use std::time::Duration;

const DISK: Unavailable = Unavailable::Disk { code: 10 };

async fn answer(node: &Node, kind: ActKind, given: &[String]) -> Result<Answered, OperateError> {
    node.instance.answer_quorum(HELD, kind, given, at(T0)).await
}

/// Sealed, with what two custodians answer.
async fn sealed(node: &Node, made: &Made) -> Vec<String> {
    node.instance.seal(HELD, at(T0)).await.unwrap();
    answers(made, &node.instance.ask_quorum(HELD, at(T0)).await.unwrap().challenge)
}

/// Why it was not done, of answers that were kept.
fn kept(came: Result<Answered, OperateError>) -> OperateError {
    match came {
        Err(OperateError::Kept { shares, expires, why }) => {
            assert_eq!((shares, expires), (vec![1, 2], T0.plus_millis(3_600_000)));
            *why
        }
        other => panic!("{other:?}"),
    }
}

async fn opens(node: &Node, given: &[String]) {
    let done = answer(node, ActKind::Unseal, given).await.unwrap();
    assert_eq!((done.vault.state, done.asked), ("open", None));
    assert!(done.answers.iter().all(Result::is_ok), "{:?}", done.answers);
}

/// What the log of the node says of a vault, of this action.
fn noted(node: &Node, action: Action) -> usize {
    node.records_of(NODE_LOG).iter().filter(|record| record.action() == Some(action)).count()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_store_that_does_not_answer_loses_no_answer_of_custodians() {
    let (node, made) = held().await;
    let mut faults = 0;
    for nth in 1.. {
        let given = sealed(&node, &made).await;
        node.faults.fail_read(nth, DISK);
        let came = answer(&node, ActKind::Unseal, &given).await;
        if came.as_ref().is_ok_and(|done| done.vault.state == "open") {
            break;
        }
        let why = kept(came);
        assert!(matches!(why, OperateError::Refused(Refusal::Unavailable)), "read {nth}: {why}");
        faults = nth;
        // The operator has no other answer, or brings one of them again.
        opens(&node, if nth % 2 == 0 { &given[..1] } else { &[] }).await;
    }
    assert!(faults > 5, "{faults}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_commit_that_fails_loses_no_answer_of_custodians() {
    let (node, made) = held().await;
    for fault in [
        CommitFault::Before(CommitError::Busy),
        CommitFault::Before(CommitError::DiskFull),
        CommitFault::Spent(CommitError::DiskFull),
        CommitFault::After(CommitError::Unavailable(DISK)),
    ] {
        let given = sealed(&node, &made).await;
        node.faults.fail_commit(1, fault);
        let why = kept(answer(&node, ActKind::Unseal, &given).await);
        assert!(matches!(why, OperateError::Refused(_)), "{fault:?}: {why}");
        opens(&node, &given).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_share_is_in_the_log_once_before_anything_comes_of_it() {
    let (node, made) = held().await;
    let given = sealed(&node, &made).await;
    let held: Vec<_> = std::iter::from_fn(|| node.journal.reserve().ok()).collect();
    let why = kept(answer(&node, ActKind::Unseal, &given).await);
    assert!(matches!(why, OperateError::TurnedAway(TurnedAway::Busy)), "{why}");
    assert_eq!(noted(&node, Action::ShareTaken), 0);
    assert_eq!(node.instance.named(HELD).unwrap().ready(), Err(TurnedAway::Sealed));
    drop(held);
    opens(&node, &given).await;
    assert_eq!((noted(&node, Action::ShareTaken), noted(&node, Action::ShareRefused)), (2, 0));
}

#[tokio::test(flavor = "multi_thread")]
async fn shares_of_a_vault_that_is_damaged_are_forgotten_at_once() {
    for kind in [Kind::SealedRoot, Kind::SecurityDomain] {
        let (node, made) = held().await;
        replaced(&node, id_of(&node, HELD), kind, b"damaged").await;
        let given = sealed(&node, &made).await;
        let refused = answer(&node, ActKind::Unseal, &given).await.unwrap_err();
        assert!(matches!(refused, OperateError::Damaged), "{refused}");
        let refused = answer(&node, ActKind::Unseal, &given).await.unwrap_err();
        assert!(matches!(refused, OperateError::NotAsked { .. }), "{refused}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn shares_are_kept_until_their_challenge_expires_and_no_longer() {
    let (node, made) = held().await;
    let given = sealed(&node, &made).await;
    node.faults.fail_read(1, DISK);
    kept(answer(&node, ActKind::Unseal, &given).await);
    let late = at(T0.plus_millis(3_600_000));
    let refused = node.instance.answer_quorum(HELD, ActKind::Unseal, &[], late).await.unwrap_err();
    assert!(matches!(refused, OperateError::NotAsked { .. }), "{refused}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_custodian_who_answers_twice_at_once_is_named_as_if_one_by_one() {
    let (node, made) = held().await;
    let given = sealed(&node, &made).await;
    let duplicate = |done: &Answered, nth: usize| {
        let why = done.answers[nth].as_ref().unwrap_err().to_string();
        assert!(why.contains("custodian 1 was given twice"), "{why}");
    };
    let done = answer(&node, ActKind::Unseal, &[given[0].clone(), given[0].clone()]).await.unwrap();
    assert_eq!((done.answers[0].as_ref().ok(), done.asked.as_ref().map(|asked| asked.missing)), (Some(&1), Some(1)));
    duplicate(&done, 1);
    duplicate(&answer(&node, ActKind::Unseal, &given[..1]).await.unwrap(), 0);
    assert_eq!((noted(&node, Action::ShareTaken), noted(&node, Action::ShareRefused)), (1, 2));
    // What stood in the way is tried again by each once.
    node.faults.fail_read(1, DISK);
    kept(answer(&node, ActKind::Unseal, &given[1..]).await);
    let again = [given[0].clone(), given[1].clone(), given[0].clone()];
    let done = answer(&node, ActKind::Unseal, &again).await.unwrap();
    assert_eq!(done.vault.state, "open");
    duplicate(&done, 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_custodians_are_asked_gives_way_to_something_else_only_by_a_word() {
    let (node, made) = held().await;
    let who =
        |subject: &str| Appointee { issuer: "built-in".to_owned(), subject: subject.to_owned(), secret: Some([9; 32]) };
    let (first, second) = (who("99999990-9999-4999-8999-999999999999"), who("99999991-9999-4999-8999-999999999999"));
    let ask = |who: &Appointee, again| node.instance.ask_appointment(HELD, who.clone(), again, at(T0));
    let asked = ask(&first, false).await.unwrap();
    let given = answers(&made, &asked.challenge);
    answer(&node, ActKind::Appoint, &given[..1]).await.unwrap();
    // The same is shown on, whoever asks.
    for again in [false, true] {
        let shown = ask(&first, again).await.unwrap();
        assert_eq!((shown.challenge, shown.given), (asked.challenge.clone(), vec![1]));
    }
    let refused = ask(&second, false).await.unwrap_err();
    assert!(matches!(&refused, OperateError::AskedElse { given, .. } if *given == [1]), "{refused}");
    for part in [first.subject.as_str(), "--again", "custodian 1 has answered"] {
        assert!(refused.to_string().contains(part), "{refused}");
    }
    let other = ask(&second, true).await.unwrap();
    assert_eq!((other.given, other.missing), (vec![], 2));
    let done = answer(&node, ActKind::Appoint, &given).await.unwrap();
    assert!(done.answers.iter().all(Result::is_err), "answers to what was discarded: {:?}", done.answers);
}

/// Tried again so much later, whatever the clock says then.
async fn at_another_clock(clock: i64, later: Duration) -> Result<Answered, OperateError> {
    let (node, made) = held().await;
    let given = sealed(&node, &made).await;
    node.faults.fail_read(1, DISK);
    kept(answer(&node, ActKind::Unseal, &given).await);
    let mut then = at(T0.plus_millis(clock));
    then.deadline += later;
    node.instance.answer_quorum(HELD, ActKind::Unseal, &[], then).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_clock_that_is_set_back_keeps_no_shares_longer_and_one_that_is_set_ahead_ends_them() {
    let (hour, minute) = (Duration::from_secs(3600), Duration::from_secs(60));
    for (clock, later) in
        [(-7_200_000, hour + minute), (0, hour + minute), (3_600_000, Duration::ZERO), (7_200_000, minute)]
    {
        let refused = at_another_clock(clock, later).await.unwrap_err();
        assert!(matches!(refused, OperateError::NotAsked { .. }), "{clock} {later:?}: {refused}");
    }
    let in_time = at_another_clock(-7_200_000, hour - minute).await.unwrap();
    assert_eq!(in_time.vault.state, "open");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_appointment_that_failed_is_made_once_by_the_same_answers() {
    let (node, made) = held().await;
    for (n, fault) in [
        CommitFault::Before(CommitError::Busy),
        CommitFault::Before(CommitError::DiskFull),
        CommitFault::After(CommitError::Unavailable(DISK)),
    ]
    .into_iter()
    .enumerate()
    {
        let who = Appointee {
            issuer: "built-in".to_owned(),
            subject: format!("9999999{n}-9999-4999-8999-999999999999"),
            secret: Some([9; 32]),
        };
        let asked = node.instance.ask_appointment(HELD, who, false, at(T0)).await.unwrap();
        let given = answers(&made, &asked.challenge);
        node.faults.fail_commit(1, fault);
        kept(answer(&node, ActKind::Appoint, &given).await);
        let done = answer(&node, ActKind::Appoint, &[]).await.unwrap();
        assert_eq!(done.asked, None);
        assert_eq!(noted(&node, Action::AdministratorAppointed), n + 1);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn custodians_are_replaced_by_the_same_answers_when_a_path_is_back() {
    let (node, made) = held_by(&["file"]).await;
    let (next, sent) = made_in_its_place(&node).await;
    let asked = node.instance.ask_replacement(HELD, sent, false, at(T0)).await.unwrap();
    let given = answers(&made, &asked.challenge);
    let (key, aside) = (node.dir.path().join("path.key"), node.dir.path().join("aside"));
    fs::rename(&key, &aside).unwrap();
    let why = kept(answer(&node, ActKind::Replace, &given).await);
    assert!(matches!(why, OperateError::PathFailed { .. }), "{why}");
    fs::rename(&aside, &key).unwrap();
    answer(&node, ActKind::Replace, &[]).await.unwrap();
    node.turned().await;
    let given = sealed(&node, &next).await;
    opens(&node, &given).await;
}
