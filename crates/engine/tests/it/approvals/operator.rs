//! What the operator does of it: he has no principal, and needs approvals like anybody.

use super::{People, approve, node, state};
use crate::support::*;
use keystead_access::{Proposal, Rule, Verdict};
use keystead_engine::{
    Approvable, ApprovalError, OperateError, ProposalState, ProposalView, ReadAudit, Reason, Refusal,
};
use keystead_model::Action;
use keystead_unseal::{KeyFile, UnsealPath};
use std::sync::Arc;

#[tokio::test(flavor = "multi_thread")]
async fn the_operator_removes_a_path_once_it_was_approved() {
    let people = People::new();
    let node = node(&people, &[(Rule::PathRemoval, 2)]).await;
    let dir = node.stop().await;
    KeyFile::create(&dir.path().join("second.key")).unwrap();
    let path = |file: &str| Arc::new(KeyFile::at(&dir.path().join(file)));
    let first: Arc<dyn UnsealPath> = path("path.key");
    let second: Arc<dyn UnsealPath> = Arc::new(KeyFile::at(&dir.path().join("second.key")).named("second"));
    let node = Node::open_by(dir, vec![first, second]).await;
    node.instance.add_path("dev", "second", at(T0)).await.unwrap();
    let remove = async || node.instance.remove_path("dev", "second", at(T0)).await;
    let required = |answer: &Result<(), OperateError>| {
        matches!(answer, Err(OperateError::Refused(Refusal::Approval(ApprovalError::Required { .. }))))
    };
    assert!(required(&remove().await));
    let reason = || Reason { text: "the disk is replaced".to_owned(), hours: None };
    let view = node.instance.propose("dev", Approvable::PathRemoval("second"), reason(), at(T0)).await.unwrap();
    let Proposal { proposer, operation, parameters, .. } = &view.proposal;
    assert_eq!((proposer.as_str(), operation.as_str()), (Proposal::OPERATOR, "vault/path/remove"));
    let parameters: serde_json::Value = serde_json::from_str(parameters).unwrap();
    assert_eq!(parameters["path"], "second");
    assert_eq!(
        (&parameters["found"]["kind"], parameters["found"]["wraps_sha256"].as_str().unwrap().len()),
        (&"file".into(), 64)
    );
    approve(&node, &view, &[&people.bob]).await;
    assert!(required(&remove().await));
    approve(&node, &view, &[&people.carol]).await;
    remove().await.unwrap();
    assert_eq!(state(&node, &view).await, ProposalState::Executed);
    let expected = format!("proposal {}, approved by bob, carol", view.proposal.id);
    assert_eq!(noted(&node, Action::PathRemoved).await, expected);
    node.instance.add_path("dev", "second", at(T0)).await.unwrap();
    assert!(required(&remove().await), "once");
    let actions: Vec<_> = node.records().iter().filter_map(|r| r.action()).collect();
    assert!(actions.contains(&Action::PathRemovalProposed) && actions.contains(&Action::PathRemoved));
    node.stop_and_verify().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_operator_adds_a_path_once_for_each_approval() {
    let people = People::new();
    let node = node(&people, &[(Rule::PathAddition, 2)]).await;
    let dir = node.stop().await;
    let path = |name: &'static str| {
        let file = dir.path().join(name);
        KeyFile::create(&file).unwrap();
        Arc::new(KeyFile::at(&file).named(name)) as Arc<dyn UnsealPath>
    };
    let (second, third) = (path("second"), path("third"));
    let first: Arc<dyn UnsealPath> = Arc::new(KeyFile::at(&dir.path().join("path.key")));
    let node = Node::open_by(dir, vec![first, second, third]).await;
    let add = async |path: &str| node.instance.add_path("dev", path, at(T0)).await;
    let required = |answer: Result<(), OperateError>| {
        matches!(answer, Err(OperateError::Refused(Refusal::Approval(ApprovalError::Required { .. }))))
    };
    assert!(required(add("second").await));
    let reason = || Reason { text: "the machine starts by itself".to_owned(), hours: None };
    let view = node.instance.propose("dev", Approvable::PathAddition("second"), reason(), at(T0)).await.unwrap();
    assert_eq!(view.proposal.operation, "vault/path/add");
    approve(&node, &view, &[&people.alice]).await;
    assert!(required(add("second").await), "one of two");
    approve(&node, &view, &[&people.bob]).await;
    assert!(required(add("third").await), "another path than was approved");
    add("second").await.unwrap();
    assert_eq!(state(&node, &view).await, ProposalState::Executed);
    let expected = format!("proposal {}, approved by alice, bob", view.proposal.id);
    assert_eq!(noted(&node, Action::PathAdded).await, expected);
    node.instance.remove_path("dev", "second", at(T0)).await.unwrap();
    assert!(required(add("second").await), "once");
    node.stop_and_verify().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_vault_is_erased_once_that_was_approved() {
    let people = People::new();
    let node = node(&people, &[(Rule::Erase, 1)]).await;
    let erase = async || node.instance.erase("dev", at(T0)).await;
    let needs =
        |answer| matches!(answer, Err(OperateError::Refused(Refusal::Approval(ApprovalError::Required { .. }))));
    assert!(needs(erase().await));
    let reason = Reason { text: "the customer left".to_owned(), hours: None };
    let view = node.instance.propose("dev", Approvable::Erasure, reason, at(T0)).await.unwrap();
    assert!(needs(erase().await));
    approve(&node, &view, &[&people.bob]).await;
    let erased = erase().await.unwrap();
    assert!(node.instance.named("dev").is_none(), "{erased:?}");
    let record = node.records_of(erased.vault).into_iter().rfind(|r| r.action() == Some(Action::VaultErased)).unwrap();
    let recorded: InRecord = minicbor::decode(record.clear()).unwrap();
    assert_eq!((recorded.keys, &recorded.proposal), (1, &view.proposal.id));
    // What is left of it proves who approved what: the record with the exported text, and the answer alone.
    let text = view.proposal.text(Verdict::Approve);
    assert_eq!(recorded.text[..], keystead_crypto::sha256(&[text.as_bytes()]));
    let bob = people.bob.public().unwrap();
    let [vote] = recorded.votes.as_slice() else { panic!("{} votes", recorded.votes.len()) };
    assert_eq!(vote.key[..], keystead_crypto::sha256(&[&bob.to_spki()]));
    assert!(bob.verify(text.as_bytes(), &vote.signature));
    let approved = erased.approved.unwrap();
    assert_eq!((&approved.proposal, approved.votes.len()), (&view.proposal, 1));
    assert!(approved.votes[0].is_proven(&approved.proposal));
}

/// What the record of an erasure says.
#[derive(minicbor::Decode)]
#[cbor(map)]
struct InRecord {
    #[n(0)]
    keys: u64,
    #[n(1)]
    proposal: String,
    #[n(2)]
    text: minicbor::bytes::ByteArray<32>,
    #[n(3)]
    votes: Vec<VoteInRecord>,
}

#[derive(minicbor::Decode)]
#[cbor(map)]
struct VoteInRecord {
    #[n(0)]
    key: minicbor::bytes::ByteArray<32>,
    #[cbor(n(1), with = "minicbor::bytes")]
    signature: Vec<u8>,
}

/// The reason in the newest record of this action in the vault's log.
async fn noted(node: &Node, action: Action) -> String {
    let entries = node.run(ReadAudit { log: None, from: None, limit: 500 }).await.unwrap();
    entries.into_iter().rfind(|e| e.action == action.name()).unwrap().detail.reason.unwrap()
}

/// Refused, as what one of these approved is another by now.
fn changed<T: std::fmt::Debug>(answer: Result<T, OperateError>, of: &[&ProposalView]) -> bool {
    match answer {
        Err(OperateError::Refused(Refusal::Approval(ApprovalError::Changed { id }))) => {
            of.iter().any(|view| view.proposal.id() == Some(id))
        }
        other => panic!("{other:?}"),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_path_that_was_added_anew_is_not_the_one_whose_removal_was_approved() {
    let people = People::new();
    let node = node(&people, &[(Rule::PathRemoval, 1)]).await;
    let dir = node.stop().await;
    KeyFile::create(&dir.path().join("second.key")).unwrap();
    let first: Arc<dyn UnsealPath> = Arc::new(KeyFile::at(&dir.path().join("path.key")));
    let second: Arc<dyn UnsealPath> = Arc::new(KeyFile::at(&dir.path().join("second.key")).named("second"));
    let node = Node::open_by(dir, vec![first, second]).await;
    let remove = async || node.instance.remove_path("dev", "second", at(T0)).await;
    let propose = async |hours| {
        let reason = Reason { text: "the disk is replaced".to_owned(), hours: Some(hours) };
        node.instance.propose("dev", Approvable::PathRemoval("second"), reason, at(T0)).await.unwrap()
    };
    let before = propose(4).await;
    assert!(before.proposal.parameters.contains(r#""found":null"#), "{}", before.proposal.parameters);
    approve(&node, &before, &[&people.alice]).await;
    node.instance.add_path("dev", "second", at(T0)).await.unwrap();
    assert!(changed(remove().await, &[&before]), "there was none");
    let used = propose(1).await;
    approve(&node, &used, &[&people.alice]).await;
    remove().await.unwrap();
    node.instance.add_path("dev", "second", at(T0)).await.unwrap();
    // The same name, kind and moment, and another wrap.
    let again = propose(2).await;
    approve(&node, &again, &[&people.alice]).await;
    node.rotated(false).await;
    assert!(changed(remove().await, &[&before, &again]), "another root is behind it");
    let now = propose(3).await;
    assert_ne!(now.proposal.parameters, again.proposal.parameters);
    assert_ne!(again.proposal.parameters, used.proposal.parameters);
    approve(&node, &now, &[&people.alice]).await;
    remove().await.unwrap();
    node.stop_and_verify().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_erasure_is_of_the_vault_domain_and_root_that_were_approved_however_many_keys_come_and_go() {
    let people = People::new();
    let node = node(&people, &[(Rule::Erase, 1)]).await;
    let propose = async |hours| {
        let reason = Reason { text: "the customer left".to_owned(), hours: Some(hours) };
        node.instance.propose("dev", Approvable::Erasure, reason, at(T0)).await.unwrap()
    };
    let view = propose(1).await;
    let parameters: serde_json::Value = serde_json::from_str(&view.proposal.parameters).unwrap();
    let vault = node.vault().info().id.to_string();
    let found = serde_json::json!({ "vault": vault, "domain": vault, "root_generation": 1 });
    assert_eq!(parameters["found"], found);
    let told = serde_json::json!({ "keys": 0, "deleted_keys": 1, "key_versions": 1 });
    assert_eq!(parameters["when_proposed"], told);
    approve(&node, &view, &[&people.bob]).await;
    node.rotated(false).await;
    assert!(changed(node.instance.erase("dev", at(T0)).await, &[&view]));
    let view = propose(2).await;
    approve(&node, &view, &[&people.bob]).await;
    node.run(create("later", keystead_model::KeySpec::EcP256)).await.unwrap();
    let again = Reason { text: "again".to_owned(), hours: None };
    let again = node.instance.propose("dev", Approvable::Erasure, again, at(T0)).await;
    assert!(matches!(again, Err(OperateError::Refused(Refusal::Approval(ApprovalError::Exists { .. })))), "the same");
    node.instance.erase("dev", at(T0)).await.unwrap();
}
