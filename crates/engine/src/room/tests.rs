//! What a command reads while others change it.

use super::*;
use crate::support::*;
use crate::{DeleteKey, PurgeKey, RecoverKey};
use keystead_audit::{Draft, Outcome};
use keystead_model::{Action, KeySpec, ObjectId, OperationId, Version};
use keystead_store::{Changes, Kind, OutboxRow};

#[tokio::test(flavor = "multi_thread")]
async fn a_key_purged_since_its_row_was_read_has_gone_and_is_not_damaged() {
    let node = Node::new().await;
    node.run(create("k", KeySpec::Oct256)).await.unwrap();
    let (vault, open) = (node.vault(), node.vault().open().unwrap());
    let room = Room::new(&vault, &open, at(T0));
    let live = room.live(&name("k")).await.unwrap();
    node.run(DeleteKey { name: name("k") }).await.unwrap();
    let deleted = room.deleted(&name("k")).await.unwrap();
    assert!(room.newest(&live).await.unwrap().is_some(), "a deleted key still has its versions");
    node.run(PurgeKey { name: name("k") }).await.unwrap();
    for head in [&live, &deleted] {
        assert!(room.newest(head).await.unwrap().is_none());
    }
    // Also if another key has its name by now.
    node.run(create("k", KeySpec::Oct256)).await.unwrap();
    assert!(room.newest(&live).await.unwrap().is_none());
    node.stop_and_verify().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_whose_newest_version_is_missing_is_damaged() {
    let node = Node::new().await;
    node.run(create("k", KeySpec::Oct256)).await.unwrap();
    let (vault, open) = (node.vault(), node.vault().open().unwrap());
    let room = Room::new(&vault, &open, at(T0));
    let head = room.live(&name("k")).await.unwrap();
    let at = RowKey { kind: Kind::KeyVersion, lookup: head.tag, version: Some(head.record.newest()) };
    let (log, operation) = (vault.info().id, OperationId::from_bytes(keystead_crypto::random()));
    let draft = Draft::vault(Action::UpdateKey, log, Vec::new(), operation, T0);
    let bytes = draft.encode(Outcome::DONE, None, NODE).bytes().to_vec();
    let make = Box::new(move |_| OutboxRow { operation, log, position: 0, bytes });
    node.store.commit(log, Changes { removes: vec![(at, 1)], ..Changes::default() }, make).await.unwrap();
    assert!(matches!(room.newest(&head).await.err(), Some(Refusal::Damaged)));
    for refused in [
        node.run(crate::ListKeys { after: None, limit: 5 }).await.err(),
        node.run(DeleteKey { name: name("k") }).await.err(),
    ] {
        assert!(matches!(refused, Some(Refusal::Damaged)), "{refused:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_row_moved_to_another_place_does_not_open() {
    let node = Node::new().await;
    node.run(create("k", KeySpec::Oct256)).await.unwrap();
    node.run(DeleteKey { name: name("k") }).await.unwrap();
    node.run(RecoverKey { name: name("k") }).await.unwrap();
    let (vault, open) = (node.vault(), node.vault().open().unwrap());
    let room = Room::new(&vault, &open, at(T0));
    let here = RowKey { kind: Kind::Key, lookup: room.tag(&name("k")), version: None };
    let row = node.store.get(vault.info().id, here).await.unwrap().unwrap();
    assert!(room.key_of(&row).is_ok());
    for moved in [
        Row { kind: Kind::DeletedKey, ..row.clone() },
        Row { id: ObjectId::from_bytes([9; 16]), ..row.clone() },
        Row { counter: row.counter + 1, ..row.clone() },
        Row { version: Some(Version::from_bytes([1; 16])), ..row.clone() },
    ] {
        assert!(matches!(room.key_of(&moved).err(), Some(Refusal::Damaged)));
    }
}
