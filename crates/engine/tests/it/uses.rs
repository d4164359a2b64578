//! AES-GCM uses, reserved in blocks. (The last block of a version is a unit test beside the rule.)

use crate::support::*;
use keystead_engine::{Encrypt, UpdateKey, WrapKey};
use keystead_model::{CipherAlgorithm, KeySpec};
use std::collections::BTreeSet;
use std::sync::Arc;
use zeroize::Zeroizing;

fn encrypt(named: &str) -> Encrypt {
    let plaintext = Zeroizing::new(b"plain".to_vec());
    Encrypt { key: key(named), algorithm: CipherAlgorithm::A256Gcm, plaintext, iv: None, aad: Vec::new() }
}

#[tokio::test(flavor = "multi_thread")]
async fn of_64_concurrent_first_encryptions_all_succeed_and_one_block_is_reserved() {
    let node = Arc::new(Node::new().await);
    for round in 0..4 {
        let named = format!("k{round}");
        node.run(create(&named, KeySpec::Oct256)).await.unwrap();
        let before = node.revision().await.0;
        let all: Vec<_> = (0..64)
            .map(|_| {
                let (node, named) = (Arc::clone(&node), named.clone());
                tokio::spawn(async move { node.run_as(USER, encrypt(&named), T0).await.map(|r| r.iv.unwrap()) })
            })
            .collect();
        let mut nonces = BTreeSet::new();
        for one in all {
            nonces.insert(one.await.unwrap().unwrap_or_else(|e| panic!("{e}")));
        }
        assert_eq!(nonces.len(), 64);
        assert_eq!(node.revision().await.0, before + 1, "one block, one change");
    }
    Arc::into_inner(node).unwrap().stop_and_verify().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_restart_and_a_seal_forfeit_the_block_and_nothing_else_reserves() {
    let mut node = Node::new().await;
    node.run(create("k", KeySpec::Oct256)).await.unwrap();
    for again in 0..3 {
        let before = node.revision().await.0;
        for _ in 0..5 {
            assert!(node.run(encrypt("k")).await.is_ok());
            let Encrypt { key, algorithm, plaintext, iv, aad } = encrypt("k");
            assert!(node.run(WrapKey { key, algorithm, plaintext, iv, aad }).await.is_ok());
        }
        assert_eq!(node.revision().await.0, before + 1, "the first of ten reserved");
        if again == 0 {
            node.instance.seal("dev", at(T0)).await.unwrap();
            node.instance.unseal("dev", at(T0)).await.unwrap();
        } else {
            node = node.restart().await;
        }
    }
    node.stop_and_verify().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn reserving_and_changing_a_version_at_once_loses_neither() {
    let node = Arc::new(Node::new().await);
    for round in 0..6 {
        let named = format!("k{round}");
        node.run(create(&named, KeySpec::Oct256)).await.unwrap();
        let (n, k) = (Arc::clone(&node), named.clone());
        let encrypted = tokio::spawn(async move { n.run(encrypt(&k)).await.is_ok() });
        let (n, k) = (Arc::clone(&node), named.clone());
        let tagged = UpdateKey {
            key: key(&k),
            ops: None,
            attributes: Default::default(),
            tags: Some(tags(&[("a", "b")])),
            release: None,
        };
        let changed = tokio::spawn(async move { n.run(tagged).await });
        assert!(encrypted.await.unwrap());
        changed.await.unwrap().unwrap();
        let read = node.run(keystead_engine::GetKey { key: key(&named) }).await.unwrap();
        assert_eq!(read.tags, tags(&[("a", "b")]));
    }
    Arc::into_inner(node).unwrap().stop_and_verify().await;
}
