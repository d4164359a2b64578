//! Two at the same key at once: one order, no lost update.

use crate::support::*;
use keystead_engine::{
    CreateKey, DeleteKey, GetDeletedKey, GetKey, ListVersions, PurgeKey, RecoverKey, Refusal, SetAttributes, UpdateKey,
};
use keystead_model::KeySpec;
use std::sync::Arc;

#[tokio::test(flavor = "multi_thread")]
async fn of_concurrent_creates_of_one_name_each_becomes_a_version_of_one_key() {
    let node = Arc::new(Node::new().await);
    for round in 0..8 {
        let named = format!("k{round}");
        let spellings = [named.clone(), named.to_uppercase()];
        let both = spellings.map(|spelling| {
            let node = Arc::clone(&node);
            tokio::spawn(async move { node.run(create(&spelling, KeySpec::EcP256)).await.unwrap() })
        });
        let [a, b] = both;
        let (a, b) = (a.await.unwrap(), b.await.unwrap());
        assert_eq!(a.name.as_str(), b.name.as_str(), "one winner gives the name");
        let listed = node.run(ListVersions { name: name(&named), after: None, limit: 25 }).await.unwrap().items;
        let mut found: Vec<_> = listed.iter().map(|v| v.version).collect();
        let mut made = vec![a.version, b.version];
        found.sort();
        made.sort();
        assert_eq!(found, made);
        let newest = node.run(GetKey { key: key(&named) }).await.unwrap();
        assert!(newest == a || newest == b);
    }
    Arc::into_inner(node).unwrap().stop_and_verify().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn of_a_create_and_a_delete_at_once_either_came_first_and_nothing_is_in_between() {
    let node = Arc::new(Node::new().await);
    let (mut after, mut before) = (0, 0);
    for round in 0..12 {
        let named = format!("k{round}");
        let first = node.run(create(&named, KeySpec::EcP256)).await.unwrap();
        let (n, named_too) = (Arc::clone(&node), named.clone());
        let created = tokio::spawn(async move { n.run(create(&named_too, KeySpec::EcP256)).await });
        let (n, named_too) = (Arc::clone(&node), named.clone());
        let deleted = tokio::spawn(async move { n.run(DeleteKey { name: name(&named_too) }).await });
        let (created, deleted) = (created.await.unwrap(), deleted.await.unwrap().unwrap());
        let newest = match created {
            Ok(second) => (before += 1, second).1,
            Err(Refusal::NameReserved { .. }) => (after += 1, first).1,
            Err(e) => panic!("{e}"),
        };
        assert_eq!(deleted.key, newest, "what was deleted is what stood there");
        assert_eq!(node.run(GetDeletedKey { name: name(&named) }).await.unwrap().key, newest);
        assert!(matches!(node.run(GetKey { key: key(&named) }).await, Err(Refusal::KeyNotFound { .. })));
        assert_eq!(node.run(RecoverKey { name: name(&named) }).await.unwrap(), newest);
    }
    assert_eq!(after + before, 12);
    Arc::into_inner(node).unwrap().stop_and_verify().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn concurrent_updates_are_all_there_or_refused_as_conflicts() {
    let node = Arc::new(Node::new().await);
    node.run(create("k", KeySpec::EcP256)).await.unwrap();
    // Each changes another member, so a lost update would show.
    let disable = SetAttributes { enabled: Some(false), ..SetAttributes::default() };
    let expire = SetAttributes { expires: Some(T0.plus_days(1)), ..SetAttributes::default() };
    let plain =
        || UpdateKey { key: key("k"), ops: None, attributes: SetAttributes::default(), tags: None, release: None };
    let asks = [
        UpdateKey { attributes: disable, ..plain() },
        UpdateKey { attributes: expire, ..plain() },
        UpdateKey { tags: Some(tags(&[("a", "b")])), ..plain() },
    ];
    let all = asks.map(|ask| {
        let node = Arc::clone(&node);
        tokio::spawn(async move { node.run(ask).await })
    });
    for one in all {
        one.await.unwrap().unwrap();
    }
    let now = node.run(GetKey { key: key("k") }).await.unwrap();
    assert_eq!((now.enabled, now.expires, now.tags), (false, Some(T0.plus_days(1)), tags(&[("a", "b")])));
    Arc::into_inner(node).unwrap().stop_and_verify().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_reads_while_keys_are_purged_finds_them_or_does_not_and_never_damage() {
    let node = Arc::new(Node::new().await);
    let (n, rounds) = (Arc::clone(&node), 25);
    let coming_and_going = tokio::spawn(async move {
        for _ in 0..rounds {
            n.run(CreateKey { tags: tags(&[("a", "b")]), ..create("k", KeySpec::Oct256) }).await.unwrap();
            n.run(DeleteKey { name: name("k") }).await.unwrap();
            n.run(PurgeKey { name: name("k") }).await.unwrap();
        }
    });
    while !coming_and_going.is_finished() {
        let found = [
            node.run(GetKey { key: key("k") }).await.err(),
            node.run(GetDeletedKey { name: name("k") }).await.err(),
            node.run(keystead_engine::ListDeletedKeys { after: None, limit: 5 }).await.err(),
            node.run(keystead_engine::ListKeys { after: None, limit: 5 }).await.err(),
        ];
        for refusal in found.into_iter().flatten() {
            let absent = matches!(refusal, Refusal::KeyNotFound { .. } | Refusal::DeletedKeyNotFound { .. });
            assert!(absent, "{refusal}");
        }
    }
    coming_and_going.await.unwrap();
    Arc::into_inner(node).unwrap().stop_and_verify().await;
}
