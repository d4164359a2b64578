//! The last block of AES-GCM uses.

use super::*;
use crate::support::*;
use crate::{GetKey, RotateKey};
use keystead_audit::{Draft, Outcome};
use keystead_model::{Action, KeySpec, OperationId};
use keystead_store::OutboxRow;
use std::sync::Arc;
use std::time::Duration;

fn encrypt() -> Encrypt {
    let plaintext = Zeroizing::new(b"plain".to_vec());
    Encrypt { key: key("k"), algorithm: CipherAlgorithm::A256Gcm, plaintext, iv: None, aad: Vec::new() }
}

/// Writes so many reserved uses into the newest version of `k`.
async fn reserve(node: &Node, uses: u64) {
    let (vault, open) = (node.vault(), node.vault().open().unwrap());
    let room = Room::new(&vault, &open, at(T0));
    let found = room.version(&key("k")).await.unwrap();
    let mut record = found.record.clone();
    record.uses_reserved = uses;
    let changes = Changes { puts: vec![room.row(Place::next_version(&found), &record).unwrap()], ..Changes::default() };
    let (log, operation) = (vault.info().id, OperationId::from_bytes(keystead_crypto::random()));
    let (journal, position) = (node.journal.clone(), node.journal.position());
    let make = Box::new(move |revision| {
        let draft = Draft::vault(Action::UpdateKey, log, Vec::new(), operation, T0);
        let mut record = draft.encode(Outcome::DONE, None, NODE);
        record.set_revision(revision);
        OutboxRow { operation, log, position, bytes: journal.vouch(position, &record) }
    });
    node.store.commit(log, changes, make).await.unwrap();
    open.keys.forget(&found.tag);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_version_refuses_to_encrypt_at_2_to_the_32_uses_and_still_decrypts() {
    let node = Node::new().await;
    node.run(create("k", KeySpec::Oct256)).await.unwrap();
    reserve(&node, uses::LIMIT - uses::BLOCK).await;
    let sealed = node.run(encrypt()).await.unwrap_or_else(|e| panic!("{e}"));
    assert!(node.run(encrypt()).await.is_ok(), "the last block is used");
    // A restart forfeits what is left of it.
    let node = node.restart().await;
    let before = node.revision().await;
    for _ in 0..2 {
        assert!(matches!(node.run(encrypt()).await.err(), Some(Refusal::UsesExhausted)));
        let Encrypt { key, algorithm, plaintext, iv, aad } = encrypt();
        let wrap = WrapKey { key, algorithm, plaintext, iv, aad };
        assert!(matches!(node.run(wrap).await.err(), Some(Refusal::UsesExhausted)));
    }
    assert_eq!(node.revision().await, before, "a refusal reserves nothing");
    let decrypt = Decrypt {
        key: key("k"),
        algorithm: CipherAlgorithm::A256Gcm,
        ciphertext: sealed.value.to_vec(),
        iv: sealed.iv.clone(),
        tag: sealed.tag.map(Into::into),
        aad: Vec::new(),
    };
    assert!(node.run(decrypt).await.is_ok());
    node.run(RotateKey { name: name("k") }).await.unwrap();
    assert!(node.run(encrypt()).await.is_ok(), "a new version starts anew");
    node.stop_and_verify().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_block_that_would_pass_the_limit_is_not_reserved() {
    let node = Node::new().await;
    node.run(create("k", KeySpec::Oct256)).await.unwrap();
    for (uses, works) in [(uses::WARNING, true), (uses::LIMIT - uses::BLOCK + 1, false), (u64::MAX, false)] {
        // Sealing forfeits what an earlier round reserved.
        node.instance.seal("dev", at(T0)).await.unwrap();
        node.instance.unseal("dev", at(T0)).await.unwrap();
        reserve(&node, uses).await;
        assert_eq!(node.run(encrypt()).await.is_ok(), works, "{uses}");
    }
    assert!(node.run(GetKey { key: key("k") }).await.is_ok());
}

#[tokio::test(flavor = "multi_thread")]
async fn who_finds_nothing_left_while_another_reserves_waits_and_uses_what_the_other_reserved() {
    let node = Arc::new(Node::new().await);
    let version = node.run(create("k", KeySpec::Oct256)).await.unwrap().version;
    let (before, open) = (node.revision().await, node.vault().open().unwrap());
    let turn = open.uses.turn(version).await;
    let waiting: Vec<_> = (0..3)
        .map(|_| {
            let node = Arc::clone(&node);
            tokio::spawn(async move { node.run(encrypt()).await.is_ok() })
        })
        .collect();
    tokio::time::sleep(Duration::from_millis(50)).await;
    assert!(waiting.iter().all(|w| !w.is_finished()));
    open.uses.add(version, 3);
    drop(turn);
    for one in waiting {
        assert!(one.await.unwrap());
    }
    assert_eq!(node.revision().await, before, "nobody else reserved");
    assert!(!open.uses.take(version), "and each took one");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_that_is_deleted_meanwhile_reserves_no_uses() {
    let node = Node::new().await;
    node.run(create("k", KeySpec::Oct256)).await.unwrap();
    let (vault, open) = (node.vault(), node.vault().open().unwrap());
    let room = Room::new(&vault, &open, at(T0));
    let ask = encrypt();
    let permit = open.policy.load().decide(keystead_access::Who::Caller(node.caller(OFFICER)), ask).unwrap();
    let used = room.usable(&permit, &key("k"), KeyOperation::Encrypt).await.unwrap();
    let (changes, _turn) = take_use(&room, &used).await.unwrap().expect("nothing is reserved yet");
    node.run(crate::DeleteKey { name: name("k") }).await.unwrap();
    let log = vault.info().id;
    let operation = OperationId::from_bytes([7; 16]);
    let make = Box::new(move |_| OutboxRow { operation, log, position: 0, bytes: Vec::new() });
    let refused = node.store.commit(log, changes, make).await.unwrap_err();
    assert_eq!(refused, keystead_store::CommitError::Conflict);
    node.stop_and_verify().await;
}
