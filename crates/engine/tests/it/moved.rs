//! Rows that somebody moved: the clear columns select, the sealed record decides.

use crate::support::*;
use keystead_engine::{GetKey, Refusal, Sign};
use keystead_model::{KeyRef, KeySpec, OperationId, SignAlgorithm, VaultId};
use keystead_store::{Changes, Kind, MakeRecord, OutboxRow, Row, RowKey};

/// A commit that the owner of the database makes for himself.
fn unrecorded() -> MakeRecord {
    Box::new(|_| OutboxRow {
        operation: OperationId::from_bytes(keystead_crypto::random()),
        log: VaultId::from_bytes([0xee; 16]),
        position: 0,
        bytes: Vec::new(),
    })
}

async fn head_and_version(node: &Node, vault: VaultId, text: &str) -> (Row, Row) {
    let id = node.run(GetKey { key: key(text) }).await.unwrap().version;
    for head in node.store.page(vault, Kind::Key, None, 10).await.unwrap() {
        let versions = node.store.versions(vault, Kind::KeyVersion, head.lookup, None, 10).await.unwrap();
        if let Some(version) = versions.into_iter().find(|row| row.version == Some(id)) {
            return (head, version);
        }
    }
    panic!("{text} has rows");
}

fn sign(key: KeyRef) -> Sign {
    Sign { key, algorithm: SignAlgorithm::Es256, digest: vec![7; 32] }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_row_moved_under_another_name_or_key_is_not_that_keys() {
    let node = Node::new().await;
    for text in ["a", "payroll"] {
        node.run(create(text, KeySpec::EcP256)).await.unwrap();
    }
    let vault = node.vault().info().id;
    let (a, _) = head_and_version(&node, vault, "a").await;
    let (payroll, secret) = head_and_version(&node, vault, "payroll").await;

    let moved = Row { lookup: a.lookup, ..secret.clone() };
    let changes = Changes { puts: vec![moved], ..Changes::default() };
    node.store.commit(vault, changes, unrecorded()).await.unwrap();
    let under_a = version("a", secret.version.unwrap());
    assert!(matches!(node.run(sign(under_a)).await, Err(Refusal::KeyNotFound { .. })));
    assert!(node.run(sign(key("a"))).await.is_ok());

    let at = |row: &Row| RowKey { kind: Kind::Key, lookup: row.lookup, version: None };
    let removes = vec![(at(&a), a.counter)];
    let changes = Changes { puts: vec![Row { lookup: a.lookup, ..payroll.clone() }], removes, ..Changes::default() };
    node.store.commit(vault, changes, unrecorded()).await.unwrap();
    assert!(matches!(node.run(GetKey { key: version("a", secret.version.unwrap()) }).await, Err(Refusal::Damaged)));
}
