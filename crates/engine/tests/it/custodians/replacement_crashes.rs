//! A replacement of custodians that dies at any of its writes: after the next start the vault is wholly of those before
//! or wholly of the new ones, its keys sign, and what was begun goes on to its end.

use super::{HELD, Made, answers, held, id_of, made_in_its_place};
use crate::support::*;
use keystead_custody::challenge::SignedChallenge;
use keystead_engine::{ActKind, Answered, Command, DomainFiles, Refusal, Sign, Verdict};
use keystead_identity::Proof;
use keystead_model::{Generation, KeySpec, SignAlgorithm};
use keystead_store::fault::CommitFault;
use keystead_store::{CommitError, Kind, Unavailable};
use std::future::poll_fn;
use std::pin::pin;
use std::task::Poll;

const DISK: Unavailable = Unavailable::Disk { code: 10 };
const NAMES: [&str; 3] = ["a", "b", "c"];

/// As the officer of the vault of custodians.
async fn run<C: Command>(node: &Node, ask: C) -> Result<C::Output, Refusal> {
    let vault = node.instance.named(HELD).unwrap();
    let (client, secret) = OFFICER;
    let officer = vault.authenticate(Proof::ClientSecret { client, secret }, None, T0).unwrap();
    vault.run(officer, ask, at(T0)).await.unwrap().into_parts().1
}

async fn all_sign(node: &Node) {
    for name in NAMES {
        let ask = Sign { key: key(name), algorithm: SignAlgorithm::Es256, digest: vec![7; 32] };
        run(node, ask).await.unwrap();
    }
}

fn root(node: &Node) -> Option<Generation> {
    node.instance.list().into_iter().find(|vault| vault.info.name == HELD).unwrap().root
}

fn rotates(node: &Node) -> bool {
    node.instance.list().iter().any(|vault| vault.rotation.is_some())
}

/// An open vault with keys, and others who are to have it.
struct Case {
    node: Node,
    before: Made,
    new: Made,
    sent: DomainFiles,
}

impl Case {
    async fn new() -> Self {
        let (node, before) = held().await;
        for name in NAMES {
            run(&node, create(name, KeySpec::EcP256)).await.unwrap();
        }
        let (new, sent) = made_in_its_place(&node).await;
        Self { node, before, new, sent }
    }
}

/// From the question over both answers to the end of the resealing, as long as it goes on.
async fn replaced(node: &Node, before: &Made, sent: DomainFiles, goes_on: impl Fn() -> bool) {
    let Ok(asked) = node.instance.ask_replacement(HELD, sent, false, at(T0)).await else { return };
    for answer in answers(before, &asked.challenge) {
        if node.instance.answer_quorum(HELD, ActKind::Replace, &[answer], at(T0)).await.is_err() {
            return;
        }
    }
    while goes_on() && rotates(node) {
        node.instance.turn(at(T0)).await;
    }
}

async fn answered(node: &Node, made: &Made, challenge: &str) -> Answered {
    node.instance.answer_quorum(HELD, ActKind::Unseal, &answers(made, challenge), at(T0)).await.unwrap()
}

/// Sealed as it is, it opens by one of the two and by nothing of the other. Whether by the new ones.
async fn opens_by_one(node: &Node, before: &Made, new: &Made) -> bool {
    let asked = node.instance.ask_quorum(HELD, at(T0)).await.unwrap();
    let domain = SignedChallenge::parse_text(&asked.challenge).unwrap().challenge().domain;
    let is_new = domain == new.secrets.key.public();
    let (own, other) = if is_new { (new, before) } else { (before, new) };
    assert_eq!(domain, own.secrets.key.public());
    let id = id_of(node, HELD);
    let sealed = node.store.rows(id, Kind::SealedRoot, None, 64).await.unwrap();
    assert!(!sealed.is_empty());
    for row in sealed {
        assert!(own.secrets.key.open_root(id, &row.sealed).is_ok());
        assert!(other.secrets.key.open_root(id, &row.sealed).is_err(), "a generation is sealed to both");
    }
    let refused = answered(node, other, &asked.challenge).await;
    assert!(refused.answers.iter().all(Result::is_err) && refused.vault.state == "sealed", "{refused:?}");
    assert_eq!(answered(node, own, &asked.challenge).await.vault.state, "open");
    is_new
}

async fn is_good(node: &Node) {
    let found = node.instance.doctor(at(T0)).await;
    assert!(found.iter().all(|f| f.verdict == Verdict::Good), "{found:#?}");
}

/// The process is gone; the next one opens the vault and brings what was begun to its end. Whether the new ones have
/// it.
async fn ends_well(node: Node, before: Made, new: Made) -> bool {
    let node = node.restart().await;
    let is_new = opens_by_one(&node, &before, &new).await;
    is_good(&node).await;
    all_sign(&node).await;
    node.turned().await;
    assert_eq!(root(&node), Some(Generation(1 + u32::from(is_new))));
    let (before, new) = if is_new {
        (before, new)
    } else {
        // Nothing is left of it that stands in the way of another.
        let (again, sent) = made_in_its_place(&node).await;
        replaced(&node, &before, sent, || true).await;
        assert_eq!((root(&node), rotates(&node)), (Some(Generation(2)), false));
        (before, again)
    };
    all_sign(&node).await;
    is_good(&node).await;
    let node = node.restart().await;
    assert!(opens_by_one(&node, &before, &new).await);
    all_sign(&node).await;
    node.stop_and_verify().await;
    is_new
}

#[tokio::test(flavor = "multi_thread")]
async fn a_replacement_that_dies_at_any_commit_leaves_the_vault_to_one_quorum_and_goes_on() {
    for fault in [
        CommitFault::Before(CommitError::Unavailable(DISK)),
        CommitFault::After(CommitError::Unavailable(DISK)),
        CommitFault::Spent(CommitError::DiskFull),
    ] {
        let (mut stayed, mut went) = (0, 0);
        for nth in 1.. {
            assert!(nth < 60, "it never ends");
            let Case { node, before, new, sent } = Case::new().await;
            let last = node.faults.commits() + nth;
            node.faults.fail_commit(nth, fault);
            replaced(&node, &before, sent, || node.faults.commits() < last).await;
            let reached = node.faults.commits() >= last;
            node.faults.unfail_commit(last.saturating_sub(node.faults.commits()));
            eprintln!("{fault:?} at commit {nth}");
            if ends_well(node, before, new).await {
                went += 1
            } else {
                stayed += 1
            }
            if !reached {
                break;
            }
        }
        assert!(stayed == usize::from(!matches!(fault, CommitFault::After(_))) && went > 2, "{fault:?}: {went}");
    }
}

/// Drops the work at its wait of this number, as a process does that dies; the waits there were before.
async fn dies<F: Future>(work: F, nth: u64) -> u64 {
    let (mut work, mut waits) = (pin!(work), 0);
    poll_fn(|context| match work.as_mut().poll(context) {
        Poll::Pending if waits < nth => {
            waits += 1;
            Poll::Pending
        }
        _ => Poll::Ready(waits),
    })
    .await
}

/// Every write is waited for: those of the log, of the custodians' answers and of the store.
#[tokio::test(flavor = "multi_thread")]
async fn a_replacement_that_dies_at_any_wait_leaves_the_vault_to_one_quorum_and_goes_on() {
    let Case { node, before, new, sent } = Case::new().await;
    let waits = dies(replaced(&node, &before, sent, || true), u64::MAX).await;
    assert!(waits > 10 && ends_well(node, before, new).await, "{waits}");
    let long = std::env::var("KEYSTEAD_TEST_LONG").is_ok_and(|long| !long.is_empty());
    let (mut stayed, mut went) = (0, 0);
    for nth in (0..waits).step_by(if long { 1 } else { 3 }) {
        eprintln!("at wait {nth} of {waits}");
        let Case { node, before, new, sent } = Case::new().await;
        dies(replaced(&node, &before, sent, || true), nth).await;
        if ends_well(node, before, new).await { went += 1 } else { stayed += 1 }
    }
    assert!(stayed > 0 && went > 1, "{stayed} stayed, {went} went");
}
