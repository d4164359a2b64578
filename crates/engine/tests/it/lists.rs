//! Lists, page by page.

use crate::support::*;
use keystead_engine::{
    DeleteKey, GetKey, ListDeletedKeys, ListKeys, ListVersions, PageToken, PurgeKey, RecoverKey, Refusal,
};
use keystead_model::KeySpec;
use proptest::prelude::*;
use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// Every name on the pages of live keys.
async fn live(node: &Node, limit: u8) -> Vec<String> {
    let (mut names, mut after) = (Vec::new(), None);
    loop {
        let page = node.run_as(USER, ListKeys { after, limit }, T0).await.unwrap();
        assert!(page.items.len() <= usize::from(limit));
        names.extend(page.items.iter().map(|k| k.name.to_string()));
        match page.next {
            Some(next) => after = Some(PageToken::parse(&next.encode()).unwrap()),
            None => return names,
        }
    }
}

/// Every name on the pages of deleted keys.
async fn deleted(node: &Node, limit: u8) -> Vec<String> {
    let (mut names, mut after) = (Vec::new(), None);
    loop {
        let page = node.run(ListDeletedKeys { after, limit }).await.unwrap();
        names.extend(page.items.iter().map(|k| k.key.name.to_string()));
        match page.next {
            Some(next) => after = Some(next),
            None => return names,
        }
    }
}

fn sorted(mut names: Vec<String>) -> Vec<String> {
    names.sort();
    names
}

/// Creates, deletes, recovers and purges keys of its own until told to stop.
async fn churn(node: Arc<Node>, worker: usize, stop: Arc<AtomicBool>) -> usize {
    let mut rounds = 0;
    while !stop.load(Ordering::SeqCst) {
        let own = format!("churn-{worker}-{}", rounds % 7);
        node.run(create(&own, KeySpec::Oct256)).await.unwrap();
        node.run(DeleteKey { name: name(&own) }).await.unwrap();
        if rounds % 3 == 0 {
            node.run(RecoverKey { name: name(&own) }).await.unwrap();
            node.run(DeleteKey { name: name(&own) }).await.unwrap();
        }
        node.run(PurgeKey { name: name(&own) }).await.unwrap();
        rounds += 1;
    }
    rounds
}

#[test]
fn every_key_that_exists_throughout_is_listed_exactly_once_whatever_comes_and_goes_meanwhile() {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let (node, stays, stays_deleted) = runtime.block_on(async {
        let node = Arc::new(Node::new().await);
        let stays: Vec<_> = (0..30).map(|n| format!("stays-{n:02}")).collect();
        let gone: Vec<_> = (0..12).map(|n| format!("deleted-{n:02}")).collect();
        for named in stays.iter().chain(&gone) {
            node.run(create(named, KeySpec::Oct256)).await.unwrap();
        }
        for named in &gone {
            node.run(DeleteKey { name: name(named) }).await.unwrap();
        }
        (node, stays, gone)
    });
    let stop = Arc::new(AtomicBool::new(false));
    let workers: Vec<_> = (0..3).map(|w| runtime.spawn(churn(Arc::clone(&node), w, Arc::clone(&stop)))).collect();
    let list = |limit| {
        runtime.block_on(async {
            let (live, deleted) = (live(&node, limit).await, deleted(&node, limit).await);
            for (found, stays) in [(&live, &stays), (&deleted, &stays_deleted)] {
                let unique: BTreeSet<_> = found.iter().collect();
                assert_eq!(unique.len(), found.len(), "listed twice: {found:?}");
                assert!(stays.iter().all(|s| unique.contains(s)), "missing in {found:?}");
                assert!(found.iter().all(|f| stays.contains(f) || f.starts_with("churn-")));
            }
        });
    };
    let config = ProptestConfig { cases: 24, failure_persistence: None, ..ProptestConfig::default() };
    let outcome = proptest::test_runner::TestRunner::new(config).run(&(1_u8..=25), |limit| {
        list(limit);
        Ok(())
    });
    stop.store(true, Ordering::SeqCst);
    let rounds: usize = workers.into_iter().map(|w| runtime.block_on(w).unwrap()).sum();
    outcome.unwrap();
    assert!(rounds > 3, "keys came and went meanwhile: {rounds}");
    assert_eq!(sorted(runtime.block_on(live(&node, 25))), stays);
    assert_eq!(sorted(runtime.block_on(deleted(&node, 5))), stays_deleted);
    let node = Arc::into_inner(node).unwrap();
    runtime.block_on(node.stop_and_verify());
}

#[tokio::test(flavor = "multi_thread")]
async fn the_order_of_a_list_does_not_move_when_a_key_changes() {
    let node = Node::new().await;
    for n in 0..8 {
        node.run(create(&format!("k{n}"), KeySpec::Oct256)).await.unwrap();
    }
    let before = live(&node, 3).await;
    node.run(create("k3", KeySpec::EcP256)).await.unwrap();
    node.run(DeleteKey { name: name("k5") }).await.unwrap();
    node.run(RecoverKey { name: name("k5") }).await.unwrap();
    assert_eq!(live(&node, 2).await, before);
    assert_eq!(live(&node.restart().await, 25).await, before);
}

#[tokio::test(flavor = "multi_thread")]
async fn every_version_is_listed_exactly_once() {
    let node = Node::new().await;
    let mut made = BTreeSet::new();
    for _ in 0..11 {
        made.insert(node.run(create("k", KeySpec::Oct256)).await.unwrap().version);
    }
    node.run(create("other", KeySpec::Oct256)).await.unwrap();
    for limit in [1, 2, 5, 11, 25] {
        let (mut listed, mut after) = (Vec::new(), None);
        loop {
            let page = node.run(ListVersions { name: name("K"), after, limit }).await.unwrap();
            listed.extend(page.items.iter().map(|v| v.version));
            after = page.next;
            if after.is_none() {
                break;
            }
        }
        assert!(listed.is_sorted(), "in the order of their ids");
        assert_eq!(listed.iter().copied().collect::<BTreeSet<_>>(), made);
        assert_eq!(listed.len(), made.len());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_paging_token_of_another_list_is_refused() {
    let node = Node::new().await;
    let made = node.run(create("k", KeySpec::Oct256)).await.unwrap();
    let of_versions = Some(PageToken::Version(made.version));
    let of_keys = Some(PageToken::Key([1; 32]));
    let refused = |e| matches!(e, Refusal::BadPageToken);
    assert!(refused(node.run(ListKeys { after: of_versions, limit: 5 }).await.unwrap_err()));
    assert!(refused(node.run(ListDeletedKeys { after: of_versions, limit: 5 }).await.unwrap_err()));
    assert!(refused(node.run(ListVersions { name: name("k"), after: of_keys, limit: 5 }).await.unwrap_err()));
    for text in ["", "AA", "not base64!", &"A".repeat(65), &PageToken::Key([1; 32]).encode()[1..]] {
        assert!(PageToken::parse(text).is_err(), "{text}");
    }
    assert_eq!(node.run(GetKey { key: key("k") }).await.unwrap(), made);
}
