//! What is sealed to the domain, changed by whoever owns the database and has a root of before besides.

use super::*;
use crate::opening;
use crate::records::SecretsRecord;
use crate::room::{Place, seal_row};
use crate::support::*;
use keystead_audit::{Draft, Outcome};
use keystead_custody::Root;
use keystead_model::{Action, OperationId};
use keystead_store::{Changes, Kind, OutboxRow, Row};

/// Another root in the place of the one that is sealed to the vault's domain, together with what the vault kept of it.
async fn swapped(node: &Node) {
    let vault = node.vault();
    let (open, id) = (vault.open().unwrap(), vault.info().id);
    let generation = open.seals().generation();
    let place = wraps::sealed_root_at(generation);
    let stands = wraps::get(&vault, place).await.unwrap();
    let sealed = open.public.unwrap().seal_root(id, &Root::generate(generation)).unwrap();
    let root: Row = wraps::clear(place, stands.as_ref(), sealed);
    let records = &open.seals().records;
    let row = opening::row(&vault, Kind::Secrets).await.unwrap();
    let (mut secrets, _): (SecretsRecord, _) = opening::sealed(&vault, records, Kind::Secrets).await.unwrap();
    secrets.sealed_roots = Some(vec![written_roots::digest(generation, &root.sealed)]);
    let secrets = seal_row(&vault, records, Place::behind(row.key(), Some(&row)), &secrets).unwrap();
    let operation = OperationId::from_bytes(keystead_crypto::random());
    let draft = Draft::vault(Action::UpdateKey, id, Vec::new(), operation, T0);
    let bytes = draft.encode(Outcome::DONE, None, NODE).bytes().to_vec();
    let make = Box::new(move |_| OutboxRow { operation, log: id, position: 0, bytes });
    node.store.commit(id, Changes { puts: vec![root, secrets], ..Changes::default() }, make).await.unwrap();
}

async fn root(node: &Node) -> (Verdict, String) {
    let found = node.instance.doctor(at(T0)).await.into_iter();
    found.filter(|finding| finding.what == "root").map(|finding| (finding.verdict, finding.says)).next().unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_root_that_was_swapped_together_with_what_was_kept_of_it_is_found_by_opening_it() {
    let node = Node::new().await;
    assert_eq!(root(&node).await.0, Verdict::Good);
    swapped(&node).await;
    let look = written_roots::look(&node.vault(), &node.vault().open().unwrap()).await.unwrap();
    assert_eq!(look, [(Generation::FIRST, Written::Unaltered)], "by itself it is consistent");
    let (verdict, says) = root(&node).await;
    assert_eq!(verdict, Verdict::Bad, "{says}");
    assert!(says.starts_with("what is sealed to the vault's domain: "), "{says}");
    // Another generation is sealed and kept anew.
    node.rotated(false).await;
    assert_eq!(root(&node).await.0, Verdict::Good);
}
