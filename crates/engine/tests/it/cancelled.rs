//! Callers who hang up.

use crate::support::*;
use keystead_engine::{DeleteKey, GetKey, ListKeys, Sign};
use keystead_model::{Action, KeySpec, SignAlgorithm};
use proptest::prelude::*;
use std::collections::BTreeSet;
use std::time::Duration;

/// Starts the work and hangs up after so many microseconds.
async fn hang_up<F: Future>(work: F, micros: u64) {
    let _ = tokio::time::timeout(Duration::from_micros(micros), work).await;
}

async fn the_work_ends(waits: Vec<u64>) {
    let node = Node::new().await;
    let (vault, log) = (node.vault(), node.vault().info().id);
    let before = node.journal.size(log);
    for (n, micros) in waits.iter().enumerate() {
        let ask = create(&format!("k{n}"), KeySpec::EcP256);
        hang_up(vault.run(node.caller(OFFICER), ask, at(T0)), *micros).await;
    }
    let wanted = before + waits.len() as u64;
    until("a record of each", async || node.journal.size(log) == wanted).await;
    // Each was carried out: the key stands, and its record says so.
    for n in 0..waits.len() {
        assert!(node.run(GetKey { key: key(&format!("k{n}")) }).await.is_ok());
    }
    let created = node.records().iter().filter(|r| r.action() == Some(Action::CreateKey)).count();
    assert_eq!(created, waits.len());
    node.stop_and_verify().await;
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 6, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_caller_who_hangs_up_at_any_point_does_not_stop_the_work_or_its_record(
        waits in prop::collection::vec(prop_oneof![0_u64..300, 300_u64..12_000], 1..20),
    ) {
        tokio::runtime::Runtime::new().unwrap().block_on(the_work_ends(waits));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn work_that_nobody_waits_for_any_more_is_in_the_log_in_full() {
    let node = Node::new().await;
    node.run(create("k", KeySpec::EcP256)).await.unwrap();
    let (vault, log) = (node.vault(), node.vault().info().id);
    let before = node.journal.size(log);
    let sign = || Sign { key: key("k"), algorithm: SignAlgorithm::Es256, digest: vec![1; 32] };
    for who in [OFFICER, STRANGER] {
        hang_up(vault.run(node.caller(who), sign(), at(T0)), 0).await;
    }
    hang_up(vault.run(node.caller(OFFICER), DeleteKey { name: name("k") }, at(T0)), 0).await;
    until("three records", async || node.journal.size(log) == before + 3).await;
    let actions: BTreeSet<_> = node.records().iter().rev().take(3).map(|r| r.action().unwrap()).collect();
    assert_eq!(actions, [Action::Sign, Action::DeleteKey].into());
    assert!(node.run(ListKeys { after: None, limit: 5 }).await.unwrap().items.is_empty());
    node.stop_and_verify().await;
}
