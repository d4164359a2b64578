//! Exportable keys and their release policies: kept, shown, and fixed where they were said to be.

use crate::support::*;
use keystead_engine::{
    BadRelease, CreateKey, GetKey, KeyView, Refusal, ReleasePolicy, RotateKey, SetAttributes, UpdateKey,
};
use keystead_model::{KeyOperation, KeySpec};

fn policy(data: &str, immutable: bool) -> ReleasePolicy {
    let content_type = "application/json; charset=utf-8".to_owned();
    ReleasePolicy { content_type, data: data.as_bytes().to_vec(), immutable }
}

fn ask(exportable: Option<bool>, release: Option<ReleasePolicy>) -> CreateKey {
    let attributes = SetAttributes { exportable, ..SetAttributes::default() };
    CreateKey { attributes, release, ..create("k", KeySpec::EcP256) }
}

async fn update(node: &Node, exportable: Option<bool>, release: Option<ReleasePolicy>) -> Result<KeyView, Refusal> {
    let attributes = SetAttributes { exportable, ..SetAttributes::default() };
    node.run(UpdateKey { key: key("k"), ops: None, attributes, tags: None, release }).await
}

fn is(result: Result<KeyView, Refusal>, why: BadRelease) {
    assert!(matches!(&result, Err(Refusal::BadRelease(found)) if *found == why), "{result:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn only_an_exportable_key_can_have_the_operation_export() {
    let node = Node::new().await;
    let ops = Some(vec![KeyOperation::Sign, KeyOperation::Export]);
    let refused = node.run(CreateKey { ops: ops.clone(), ..ask(None, None) }).await.err();
    assert!(matches!(refused, Some(Refusal::BadRelease(BadRelease::ExportOfNone))));
    let made = node.run(CreateKey { ops: ops.clone(), ..ask(Some(true), Some(policy("{}", false))) }).await.unwrap();
    assert_eq!(Some(made.ops), ops);
    node.run(create("plain", KeySpec::EcP256)).await.unwrap();
    let attributes = SetAttributes::default();
    let change = UpdateKey { key: key("plain"), ops, attributes, tags: None, release: None };
    assert!(matches!(node.run(change).await.err(), Some(Refusal::BadRelease(BadRelease::ExportOfNone))));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_exportable_key_has_a_release_policy_and_no_other_key_has_one() {
    let node = Node::new().await;
    is(node.run(ask(Some(true), None)).await, BadRelease::PolicyNeeded);
    is(node.run(ask(None, Some(policy("{}", false)))).await, BadRelease::NotExportable);
    is(node.run(ask(Some(false), Some(policy("{}", false)))).await, BadRelease::NotExportable);
    let long = policy(&"x".repeat(ReleasePolicy::MAX_DATA + 1), false);
    assert!(matches!(node.run(ask(Some(true), Some(long))).await, Err(Refusal::OverBound { .. })));
    let made = node.run(ask(Some(true), Some(policy("{}", false)))).await.unwrap();
    assert_eq!((made.exportable, made.release), (true, Some(policy("{}", false))));
    let node = node.restart().await;
    let found = node.run(GetKey { key: key("k") }).await.unwrap();
    assert_eq!((found.exportable, found.release), (true, Some(policy("{}", false))));
    let rotated = node.run(RotateKey { name: name("k") }).await.unwrap();
    assert_eq!((rotated.exportable, rotated.release), (true, Some(policy("{}", false))), "rotation keeps it");
    node.stop_and_verify().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_release_policy_can_be_changed_until_it_is_immutable_and_never_after() {
    let node = Node::new().await;
    node.run(ask(Some(true), Some(policy("{}", false)))).await.unwrap();
    is(update(&node, Some(false), None).await, BadRelease::Settled);
    assert!(update(&node, Some(true), None).await.is_ok());
    let changed = update(&node, None, Some(policy("{1}", false))).await.unwrap();
    assert_eq!(changed.release, Some(policy("{1}", false)));
    update(&node, None, Some(policy("{2}", true))).await.unwrap();
    for later in [policy("{3}", true), policy("{2}", false)] {
        is(update(&node, None, Some(later)).await, BadRelease::Immutable);
    }
    let same = update(&node, None, Some(policy("{2}", true))).await.unwrap();
    assert_eq!(same.release, Some(policy("{2}", true)), "asked again as it stands");
    let plain = node.run(create("plain", KeySpec::EcP256)).await.unwrap();
    assert_eq!((plain.exportable, plain.release), (false, None));
    node.stop_and_verify().await;
}
