//! What a vault says it holds: all of it, in pages that fit together, signed, and without material.

use crate::support::*;
use keystead_crypto::ed25519;
use keystead_engine::{DeleteKey, ReadInventory, Refusal, RotateKey, UpdateKey};
use keystead_formats::inventory::{Object, Page, SignedPage};
use keystead_model::KeySpec;
use std::collections::BTreeSet;

/// Every page, each proven.
async fn pages(node: &Node, trial: bool) -> Vec<Page> {
    let (mut all, mut after) = (Vec::<Page>::new(), None);
    loop {
        let made = node.run(ReadInventory { after, trial }).await.unwrap();
        assert_eq!(made.failed, []);
        let (signed, page) = SignedPage::parse(made.line.as_bytes()).unwrap();
        let key = hex::decode(&page.node_key).unwrap().try_into().unwrap();
        assert!(ed25519::verify(&key, &Page::message(&signed.text), &signed.signature));
        assert_eq!(page.after, all.last().and_then(|before| before.next.clone()));
        after = page.next.as_ref().map(|next| next.parse().unwrap());
        all.push(page);
        if after.is_none() {
            return all;
        }
    }
}

fn objects(pages: Vec<Page>) -> Vec<Object> {
    pages.into_iter().flat_map(|page| page.objects).collect()
}

#[tokio::test]
async fn every_version_of_every_key_live_and_deleted_stands_in_it_once_whatever_their_number() {
    let node = Node::new().await;
    for n in 0..70 {
        node.run(create(&format!("key-{n}"), KeySpec::EcP256)).await.unwrap();
    }
    for _ in 0..200 {
        node.run(RotateKey { name: name("key-7") }).await.unwrap();
    }
    for n in 60..70 {
        node.run(DeleteKey { name: name(&format!("key-{n}")) }).await.unwrap();
    }
    let pages = pages(&node, false).await;
    assert!(pages.len() > 1 && pages.iter().all(|page| page.objects.len() <= 300), "{}", pages.len());
    let all = objects(pages);
    let names: BTreeSet<_> = all.iter().map(|object| object.name.clone()).collect();
    assert_eq!(names.len(), 70);
    assert_eq!(all.iter().filter(|object| object.deleted).count(), 10);
    let versions: Vec<_> = all.iter().flat_map(|object| object.versions.iter().map(|v| v.version.clone())).collect();
    assert_eq!((versions.len(), versions.iter().collect::<BTreeSet<_>>().len()), (270, 270));
    node.stop_and_verify().await;
}

#[tokio::test]
async fn what_differs_in_a_key_differs_in_it_and_check_values_tell_copies_of_a_secret_apart_by_version_only() {
    let node = Node::new().await;
    node.run(create("ec", KeySpec::EcP256)).await.unwrap();
    for named in ["one", "two"] {
        node.run(create(named, KeySpec::Oct256)).await.unwrap();
    }
    let before = objects(pages(&node, false).await);
    // Using each key changes nothing of what is said of it.
    assert_eq!(objects(pages(&node, true).await), before);
    let of = |all: &[Object], named: &str| all.iter().find(|object| object.name == named).unwrap().clone();
    let (ec, one, two) = (of(&before, "ec"), of(&before, "one"), of(&before, "two"));
    assert_eq!(ec.versions[0].thumbprint.as_ref().map(String::len), Some(43));
    assert_eq!((&ec.versions[0].check, &one.versions[0].thumbprint), (&None, &None));
    assert_eq!(one.versions[0].check.as_ref().map(String::len), Some(32));
    assert_ne!(one.versions[0].check, two.versions[0].check);
    let attributes = keystead_engine::SetAttributes { enabled: Some(false), ..Default::default() };
    let change = UpdateKey { key: key("ec"), ops: None, attributes, tags: Some(tags(&[("a", "b")])), release: None };
    node.run(change).await.unwrap();
    node.run(keystead_engine::SetRotationPolicy { name: name("one"), policy: Some(after_create(30, None)) })
        .await
        .unwrap();
    let after = objects(pages(&node, false).await);
    let changed = of(&after, "ec").versions[0].clone();
    assert!(!changed.enabled && changed.tags != ec.versions[0].tags);
    assert!(one.rotation.is_none() && of(&after, "one").rotation.is_some());
    assert_eq!((of(&after, "two"), &of(&after, "one").versions), (two, &one.versions));
    node.stop_and_verify().await;
}

#[tokio::test]
async fn only_who_may_back_the_vault_up_reads_it() {
    let node = Node::new().await;
    for who in [USER, NARROW, STRANGER] {
        let denied = node.run_as(who, ReadInventory { after: None, trial: false }, T0).await;
        assert!(matches!(denied, Err(Refusal::Denied(_))));
    }
    node.stop_and_verify().await;
}
