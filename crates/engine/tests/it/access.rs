//! Who may: deny by default, a receipt for every decision, and what the records say.

use crate::support::*;
use keystead_audit::Outcome;
use keystead_engine::{
    AuditEntry, CreateKey, DeleteKey, GetDeletedKey, GetKey, IssueToken, ListDeletedKeys, ListKeys, ListVersions,
    PurgeKey, ReadAudit, RecoverKey, Refusal, RotateKey, SealVault, SetAttributes, SetRotationPolicy, Sign, UpdateKey,
};
use keystead_model::{Action, KeySpec, SignAlgorithm};

fn sign(named: &str) -> Sign {
    Sign { key: key(named), algorithm: SignAlgorithm::Es256, digest: vec![7; 32] }
}

/// Every command a caller could send that needs a role, and its action.
macro_rules! each_as {
    ($node:expr, $who:expr, $named:expr) => {{
        let (node, who, n) = (&$node, $who, $named);
        let policy = Some(after_create(30, None));
        let update =
            UpdateKey { key: key(n), ops: None, attributes: SetAttributes::default(), tags: None, release: None };
        [
            (Action::CreateKey, node.run_as(who, create(n, KeySpec::EcP256), T0).await.err()),
            (Action::GetKey, node.run_as(who, GetKey { key: key(n) }, T0).await.err()),
            (Action::ListKeys, node.run_as(who, ListVersions { name: name(n), after: None, limit: 5 }, T0).await.err()),
            (Action::UpdateKey, node.run_as(who, update, T0).await.err()),
            (Action::Sign, node.run_as(who, sign(n), T0).await.err()),
            (Action::RotateKey, node.run_as(who, RotateKey { name: name(n) }, T0).await.err()),
            (
                Action::SetRotationPolicy,
                node.run_as(who, SetRotationPolicy { name: name(n), policy: policy.clone() }, T0).await.err(),
            ),
            (Action::DeleteKey, node.run_as(who, DeleteKey { name: name(n) }, T0).await.err()),
            (Action::ReadDeletedKeys, node.run_as(who, GetDeletedKey { name: name(n) }, T0).await.err()),
            (Action::RecoverKey, node.run_as(who, RecoverKey { name: name(n) }, T0).await.err()),
            (Action::PurgeKey, node.run_as(who, PurgeKey { name: name(n) }, T0).await.err()),
            (Action::ReadAudit, node.run_as(who, ReadAudit { log: None, from: None, limit: 5 }, T0).await.err()),
            (Action::SealVault, node.run_as(who, SealVault, T0).await.err()),
        ]
    }};
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_has_no_role_is_denied_everything_gets_receipts_and_changes_nothing() {
    let node = Node::new().await;
    let made = node.run(create("k", KeySpec::EcP256)).await.unwrap();
    let (before, records) = (node.revision().await, node.records().len());
    for (action, refusal) in each_as!(node, STRANGER, "k") {
        match refusal {
            Some(Refusal::Denied(denial)) => assert_eq!(denial.action, action),
            other => panic!("{action}: {other:?}"),
        }
    }
    let lists = [
        node.run_as(STRANGER, ListKeys { after: None, limit: 5 }, T0).await.err(),
        node.run_as(STRANGER, ListDeletedKeys { after: None, limit: 5 }, T0).await.err(),
    ];
    assert!(lists.iter().all(|r| matches!(r, Some(Refusal::Denied(_)))));
    let denied = node.records().split_off(records);
    assert_eq!(denied.len(), 15, "one record for each");
    assert!(denied.iter().all(|r| r.outcome() == Outcome::DENIED && r.revision().is_none() && r.digest().is_none()));
    assert_eq!(node.revision().await, before);
    assert_eq!(node.run(GetKey { key: key("k") }).await.unwrap(), made);
    node.stop_and_verify().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_denial_does_not_tell_whether_the_key_exists() {
    let node = Node::new().await;
    node.run(create("here", KeySpec::EcP256)).await.unwrap();
    for (there, not_there) in each_as!(node, STRANGER, "here").iter().zip(&each_as!(node, STRANGER, "nowhere")) {
        let text = |r: &Option<Refusal>| r.as_ref().map(ToString::to_string);
        assert_eq!(text(&there.1), text(&not_there.1));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_role_at_one_key_reaches_that_key_and_no_other() {
    let node = Node::new().await;
    node.run(create("narrow", KeySpec::EcP256)).await.unwrap();
    node.run(create("wide", KeySpec::EcP256)).await.unwrap();
    let denied = |r: Option<Refusal>| matches!(r, Some(Refusal::Denied(_)));
    assert!(node.run_as(NARROW, sign("NARROW"), T0).await.is_ok(), "names have no case here either");
    assert!(denied(node.run_as(NARROW, sign("wide"), T0).await.err()));
    assert!(denied(node.run_as(NARROW, ListKeys { after: None, limit: 5 }, T0).await.err()));
    assert!(node.run_as(NARROW, ListVersions { name: name("narrow"), after: None, limit: 5 }, T0).await.is_ok());
    assert!(node.run_as(USER, sign("wide"), T0).await.is_ok());
    assert!(denied(node.run_as(USER, create("new", KeySpec::EcP256), T0).await.err()));
    assert!(denied(node.run_as(USER, DeleteKey { name: name("wide") }, T0).await.err()));
}

#[tokio::test(flavor = "multi_thread")]
async fn records_say_who_did_what_to_what_from_where_why_and_with_which_outcome() {
    let node = Node::new().await;
    let ask = CreateKey { tags: tags(&[("a", "b")]), ..create("k", KeySpec::EcP256) };
    let made = node.run(ask).await.unwrap();
    let signed = node.run_as(USER, sign("k"), T0).await.unwrap_or_else(|e| panic!("{e}"));
    node.run_as(STRANGER, sign("k"), T0).await.map(|_| ()).unwrap_err();
    node.run_as(USER, sign("nowhere"), T0).await.map(|_| ()).unwrap_err();
    let read = node.run(ReadAudit { log: None, from: None, limit: 500 }).await.unwrap();
    let [created, key_created, use_of_key, denial, failure] = read.as_slice() else { panic!("{read:?}") };
    assert_eq!((created.action, created.revision.map(|r| r.0)), ("vault/created", Some(1)));
    let said = |e: &AuditEntry| {
        let d = e.detail.clone();
        assert_eq!((d.address.as_deref(), d.issuer.is_some(), e.time), (Some("127.0.0.1"), true, T0));
        (e.action, e.outcome.0, d.subject.unwrap(), d.target.unwrap(), d.ground.is_some(), d.reason.is_some())
    };
    let key_target = || "/keys/k".to_owned();
    assert_eq!(said(key_created), ("keys/create", 0, subject(OFFICER), key_target(), true, false));
    assert_eq!((key_created.version, key_created.revision.map(|r| r.0)), (Some(made.version), Some(2)));
    assert_eq!(said(use_of_key), ("keys/sign", 0, subject(USER), key_target(), true, false));
    assert_eq!((use_of_key.version, use_of_key.object), (Some(signed.version), key_created.object));
    assert_eq!(said(denial), ("keys/sign", 1, subject(STRANGER), key_target(), false, false));
    assert_eq!(said(failure), ("keys/sign", 2, subject(USER), "/keys/nowhere".to_owned(), true, true));
    let page = node.run(ReadAudit { log: None, from: Some(1), limit: 2 }).await.unwrap();
    assert_eq!(page.as_slice(), &read[1..3]);
    assert!(node.run(ReadAudit { log: None, from: Some(1_000), limit: 2 }).await.unwrap().is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_is_for_built_in_clients_alone() {
    let node = Node::new().await;
    let ask = || IssueToken { audience: "https://localhost:8443".to_owned(), lifetime_secs: 600 };
    let issued = node.run_as(STRANGER, ask(), T0).await.unwrap_or_else(|e| panic!("{e}"));
    let proof = keystead_identity::Proof::Bearer(&issued.jwt);
    let by_token = node.vault().authenticate(proof, None, T0).unwrap();
    let (_, result) = node.vault().run(by_token, ask(), at(T0)).await.unwrap().into_parts();
    assert!(matches!(result.err(), Some(Refusal::Denied(_))), "no token for a token");
}

#[tokio::test(flavor = "multi_thread")]
async fn another_log_than_the_vaults_own_is_not_read_in_its_place() {
    let node = Node::new().await;
    let own = node.vault().log();
    assert_eq!(own.size, 1);
    let read = async |log: &str| node.run(ReadAudit { log: Some(log.to_owned()), from: Some(0), limit: 1 }).await;
    assert_eq!(read(&own.id).await.unwrap().len(), 1);
    for other in ["", "00", &"0".repeat(32), &own.id.to_uppercase()] {
        // An id of digits alone has no upper case.
        assert!(*other == own.id || matches!(read(other).await, Err(Refusal::UnknownLog)), "{other}");
    }
}
