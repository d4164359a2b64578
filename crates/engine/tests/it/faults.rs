//! A store that fails now and then: no change without its record, no record without its change.

use crate::support::*;
use keystead_engine::{
    CreateKey, DeleteKey, GetKey, ListVersions, Refusal, SetAttributes, Sign, TurnedAway, UpdateKey,
};
use keystead_model::{Action, KeySpec, SignAlgorithm, Version};
use keystead_store::fault::CommitFault;
use keystead_store::{CommitError, Unavailable};
use proptest::prelude::*;
use std::collections::BTreeSet;

const LOCKED: Unavailable = Unavailable::Locked { code: 5 };
const DISK: Unavailable = Unavailable::Disk { code: 10 };

fn fault() -> impl Strategy<Value = Option<CommitFault>> {
    prop_oneof![
        3 => Just(None),
        1 => Just(Some(CommitFault::Before(CommitError::Busy))),
        1 => Just(Some(CommitFault::Before(CommitError::DiskFull))),
        1 => Just(Some(CommitFault::Before(CommitError::Conflict))),
        1 => Just(Some(CommitFault::Spent(CommitError::DiskFull))),
        1 => Just(Some(CommitFault::Before(CommitError::Unavailable(LOCKED)))),
        2 => Just(Some(CommitFault::After(CommitError::Unavailable(DISK)))),
    ]
}

/// What the callers know of the versions they asked for.
#[derive(Default)]
struct Known {
    made: BTreeSet<Version>,
    unknown: usize,
}

async fn create_with(node: &Node, fault: Option<CommitFault>, known: &mut Known) {
    if let Some(fault) = fault {
        node.faults.fail_commit(1, fault);
    }
    match (node.try_run(OFFICER, create("k", KeySpec::Oct256), T0).await, fault) {
        (Ok(Ok(view)), None | Some(CommitFault::Before(CommitError::Conflict))) => {
            known.made.insert(view.version);
        }
        (Ok(Err(Refusal::Busy)), Some(CommitFault::Before(CommitError::Busy))) => {}
        (
            Ok(Err(Refusal::StoreFull)),
            Some(CommitFault::Before(CommitError::DiskFull) | CommitFault::Spent(CommitError::DiskFull)),
        ) => {}
        (Ok(Err(Refusal::Unavailable)), Some(CommitFault::Before(CommitError::Unavailable(_)))) => {}
        (Err(TurnedAway::OutcomeUnknown), Some(CommitFault::After(_))) => known.unknown += 1,
        (other, fault) => panic!("{fault:?}: {other:?}"),
    }
}

/// The versions of `k` that stand in the store.
async fn stored(node: &Node) -> BTreeSet<Version> {
    let page = node.run(ListVersions { name: name("k"), after: None, limit: 200 }).await.unwrap();
    page.items.iter().map(|v| v.version).collect()
}

async fn no_change_without_its_record(faults: Vec<Option<CommitFault>>) {
    let node = Node::new().await;
    let mut known = Known::default();
    for fault in faults {
        create_with(&node, fault, &mut known).await;
    }
    let node = node.restart().await;
    let stored = stored(&node).await;
    assert!(known.made.is_subset(&stored), "what was answered stands");
    assert_eq!(stored.len(), known.made.len() + known.unknown, "and what was refused does not");
    let done = |r: &&keystead_audit::Record| r.action() == Some(Action::CreateKey) && r.revision().is_some();
    let records = node.records();
    let recorded: Vec<_> = records.iter().filter(done).filter_map(keystead_audit::Record::version).collect();
    assert_eq!(recorded.iter().copied().collect::<BTreeSet<_>>(), stored);
    assert_eq!(recorded.len(), stored.len(), "each once");
    node.stop_and_verify().await;
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 16, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn no_change_is_without_its_record_and_no_record_without_its_change(faults in prop::collection::vec(fault(), 1..12)) {
        tokio::runtime::Runtime::new().unwrap().block_on(no_change_without_its_record(faults));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_conflict_is_tried_again_and_at_last_refused() {
    let node = Node::new().await;
    let conflict = CommitFault::Before(CommitError::Conflict);
    (1..=4).for_each(|nth| node.faults.fail_commit(nth, conflict));
    let made = node.run(create("k", KeySpec::EcP256)).await.unwrap();
    (1..=5).for_each(|nth| node.faults.fail_commit(nth, conflict));
    let refused = node.run(create("k", KeySpec::EcP256)).await.unwrap_err();
    assert!(matches!(refused, Refusal::Conflict), "{refused}");
    assert_eq!(node.run(GetKey { key: key("k") }).await.unwrap(), made);
    node.stop_and_verify().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_read_that_fails_is_refused_with_a_receipt_and_changes_nothing() {
    let node = Node::new().await;
    node.run(create("k", KeySpec::EcP256)).await.unwrap();
    let before = node.revision().await;
    for nth in 1..=2 {
        node.faults.fail_read(nth, DISK);
        let refused = node.run(DeleteKey { name: name("k") }).await.unwrap_err();
        assert!(matches!(refused, Refusal::Unavailable), "{refused}");
    }
    assert_eq!(node.revision().await, before);
    node.run(DeleteKey { name: name("k") }).await.unwrap();
    node.stop_and_verify().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_change_that_finds_the_disk_full_at_the_last_step_is_refused_with_a_record_of_that() {
    let node = Node::new().await;
    let (before, records) = (node.revision().await, node.records().len());
    node.faults.fail_commit(1, CommitFault::Spent(CommitError::DiskFull));
    // The support holds the receipt against the record, and its outcome against the refusal.
    let refused = node.run(create("k", KeySpec::EcP256)).await.unwrap_err();
    assert!(matches!(refused, Refusal::StoreFull), "{refused}");
    assert_eq!((node.revision().await, node.records().len()), (before, records + 1));
    let last = node.records().pop().unwrap();
    assert_eq!((last.revision(), last.digest()), (None, None), "it changed nothing");
    assert!(matches!(node.run(GetKey { key: key("k") }).await, Err(Refusal::KeyNotFound { .. })));
    assert!(node.run(create("k", KeySpec::EcP256)).await.is_ok());
    node.restart().await.stop_and_verify().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_change_of_which_nobody_knows_whether_it_stands_is_not_hidden_by_what_was_remembered() {
    let node = Node::new().await;
    node.run(create("k", KeySpec::EcP256)).await.unwrap();
    let sign = || Sign { key: key("k"), algorithm: SignAlgorithm::Es256, digest: vec![1; 32] };
    assert!(node.run(sign()).await.is_ok());
    node.faults.fail_commit(1, CommitFault::After(CommitError::Unavailable(DISK)));
    let disable = SetAttributes { enabled: Some(false), ..SetAttributes::default() };
    let ask = UpdateKey { key: key("k"), ops: None, attributes: disable, tags: None, release: None };
    assert_eq!(node.try_run(OFFICER, ask, T0).await.unwrap_err(), TurnedAway::OutcomeUnknown);
    assert!(matches!(node.run(sign()).await.err(), Some(Refusal::KeyDisabled { .. })));
    node.restart().await.stop_and_verify().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn past_its_deadline_a_command_changes_nothing_and_says_so() {
    let node = Node::new().await;
    let before = node.revision().await;
    let soon =
        keystead_model::Moment { now: T0, deadline: std::time::Instant::now() + std::time::Duration::from_millis(1) };
    let ask = CreateKey { tags: tags(&[("a", "b")]), ..create("k", KeySpec::Rsa2048) };
    let answer = node.vault().run(node.caller(OFFICER), ask, soon).await.unwrap();
    let (receipt, result) = answer.into_parts();
    assert!(matches!(result, Err(Refusal::Deadline)), "{result:?}");
    assert_eq!(node.record(&receipt).outcome(), Refusal::Deadline.outcome());
    assert_eq!(node.revision().await, before);
    assert!(matches!(node.run(GetKey { key: key("k") }).await, Err(Refusal::KeyNotFound { .. })));
}
