//! Rotation policies: what they keep, what they refuse, and what comes of each of their actions.

use crate::support::*;
use keystead_engine::{
    Beat, DeleteKey, GetKey, GetRotationPolicy, ReadAudit, Refusal, RotateKey, RotateWhen, RotationPolicy,
    SetAttributes, SetRotationPolicy, UpdateKey,
};
use keystead_model::{Action, IsoDuration, KeySpec, Time};

fn span(text: &str) -> IsoDuration {
    text.parse().unwrap()
}

fn days(n: i64) -> Time {
    Time(T0.0 + n * DAY)
}

fn before_expiry(rotate: &str, notify: Option<&str>, expiry: Option<&str>) -> RotationPolicy {
    let rotate = Some(RotateWhen::BeforeExpiry(span(rotate)));
    RotationPolicy { rotate, notify: notify.map(span), expiry: expiry.map(span) }
}

async fn set(node: &Node, policy: RotationPolicy) -> Result<(), Refusal> {
    node.run(SetRotationPolicy { name: name("k"), policy: Some(policy) }).await.map(drop)
}

async fn tick(node: &Node, now: Time) -> Beat {
    node.instance.tick(at(now)).await.unwrap()
}

async fn expires(node: &Node, when: Option<Time>) {
    let attributes = SetAttributes { expires: when, ..SetAttributes::default() };
    node.run(UpdateKey { key: key("k"), ops: None, attributes, tags: None, release: None }).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_policy_is_kept_as_it_was_written_and_replaced_as_a_whole() {
    let node = Node::new().await;
    node.run(create("k", KeySpec::EcP256)).await.unwrap();
    let get = || GetRotationPolicy { name: name("K") };
    let unset = node.run(get()).await.unwrap();
    assert_eq!((unset.policy, unset.created, unset.updated), (RotationPolicy::unset(), None, None));
    let policy = before_expiry("P2M", Some("P4W"), Some("P1Y"));
    let ask = SetRotationPolicy { name: name("k"), policy: Some(policy.clone()) };
    let stored = node.run(ask).await.unwrap();
    assert_eq!((&stored.policy, stored.created, stored.updated), (&policy, Some(T0), Some(T0)));
    let node = node.restart().await;
    assert_eq!(node.run(get()).await.unwrap(), stored);
    let bare = RotationPolicy { rotate: None, notify: None, expiry: None };
    let ask = SetRotationPolicy { name: name("k"), policy: Some(bare) };
    let replaced = node.run_as(OFFICER, ask, days(1)).await.unwrap();
    assert_eq!((replaced.policy, replaced.created, replaced.updated), (unset_policy(), Some(T0), Some(days(1))));
    node.stop_and_verify().await;
}

fn unset_policy() -> RotationPolicy {
    RotationPolicy::unset()
}

#[tokio::test(flavor = "multi_thread")]
async fn no_policy_can_rotate_a_key_over_and_over() {
    let node = Node::new().await;
    node.run(create("k", KeySpec::EcP256)).await.unwrap();
    let notify = |text| RotationPolicy { notify: Some(span(text)), ..RotationPolicy::unset() };
    for refused in [
        before_expiry("P6D", None, None),
        before_expiry("P22D", None, Some("P28D")),
        before_expiry("P90D", None, Some("P90D")),
        before_expiry("P1Y", None, Some("P90D")),
        after_create(6, None),
        after_create(30, Some(28)),
        after_create(7, Some(27)),
        notify("P6D"),
        notify("PT1S"),
    ] {
        let result = set(&node, refused.clone()).await;
        assert!(matches!(result, Err(Refusal::BadRotationPolicy { .. })), "{refused:?} {result:?}");
    }
    for taken in [before_expiry("P21D", None, Some("P28D")), before_expiry("P30D", None, None), notify("P7D")] {
        set(&node, taken).await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_is_rotated_before_its_newest_version_expires() {
    let node = Node::new().await;
    let old = node.run(create("k", KeySpec::EcP256)).await.unwrap();
    set(&node, before_expiry("P10D", Some("P7D"), Some("P40D"))).await.unwrap();
    assert_eq!(tick(&node, days(900)).await, Beat::default(), "a version without an end is never about to expire");
    expires(&node, Some(days(100))).await;
    assert_eq!(tick(&node, Time(days(90).0 - 1)).await, Beat::default());
    assert_eq!(tick(&node, days(90)).await, Beat { rotated: 1, ..Beat::default() });
    let new = node.run(GetKey { key: key("k") }).await.unwrap();
    assert_eq!((new.version == old.version, new.expires), (false, Some(days(130))));
    assert_eq!(tick(&node, Time(days(120).0 - 1)).await, Beat::default(), "its notice is that of the new version");
    assert_eq!(tick(&node, days(120)).await, Beat { rotated: 1, ..Beat::default() });
    node.run_as(OFFICER, DeleteKey { name: name("k") }, days(121)).await.unwrap();
    assert_eq!(tick(&node, days(122)).await, Beat::default(), "a deleted key is left alone");
    node.stop_and_verify().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_end_is_told_once_for_each_version_in_the_log_by_mandate() {
    let node = Node::new().await;
    node.run(create("k", KeySpec::EcP256)).await.unwrap();
    let policy = RotationPolicy { notify: Some(span("P10D")), ..RotationPolicy::unset() };
    set(&node, policy).await.unwrap();
    expires(&node, Some(days(100))).await;
    assert_eq!(tick(&node, Time(days(90).0 - 1)).await, Beat::default());
    let told = Beat { notified: 1, ..Beat::default() };
    assert_eq!(tick(&node, days(90)).await, told);
    let node = node.restart().await;
    assert_eq!(tick(&node, days(99)).await, Beat::default());
    let newer = node.run_as(OFFICER, RotateKey { name: name("k") }, days(99)).await.unwrap();
    assert_eq!(tick(&node, days(500)).await, Beat::default(), "the new version has no end");
    expires(&node, Some(days(501))).await;
    assert_eq!(tick(&node, days(500)).await, told);

    let entries = node.run(ReadAudit { log: None, from: None, limit: 500 }).await.unwrap();
    let notices: Vec<_> = entries.iter().filter(|e| e.action == Action::NotifyExpiry.name()).collect();
    let [first, second] = notices.as_slice() else { panic!("{notices:?}") };
    assert_eq!((first.time, first.detail.target.as_deref()), (days(90), Some("/keys/k")));
    assert!(first.detail.ground.as_deref().unwrap().starts_with("mandate "));
    assert!(first.detail.subject.as_deref().unwrap().ends_with(&subject(OFFICER)));
    assert_eq!((second.version, second.object), (Some(newer.version), first.object));
    node.stop_and_verify().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn without_a_policy_an_end_is_told_thirty_days_before() {
    let node = Node::new().await;
    let attributes = SetAttributes { expires: Some(days(100)), ..SetAttributes::default() };
    node.run(keystead_engine::CreateKey { attributes, ..create("k", KeySpec::EcP256) }).await.unwrap();
    assert_eq!(tick(&node, Time(days(70).0 - 1)).await, Beat::default());
    assert_eq!(tick(&node, days(70)).await, Beat { notified: 1, ..Beat::default() });
    assert_eq!(tick(&node, days(900)).await, Beat::default());
    node.stop_and_verify().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn reading_a_policy_needs_to_read_the_key_and_storing_one_needs_more() {
    let node = Node::new().await;
    node.run(create("narrow", KeySpec::EcP256)).await.unwrap();
    node.run(create("k", KeySpec::EcP256)).await.unwrap();
    let get = |n| GetRotationPolicy { name: name(n) };
    let set = |n| SetRotationPolicy { name: name(n), policy: None };
    assert!(node.run_as(USER, get("k"), T0).await.is_ok());
    assert!(node.run_as(NARROW, get("narrow"), T0).await.is_ok());
    for (who, n) in [(NARROW, "k"), (STRANGER, "k"), (STRANGER, "nowhere")] {
        assert!(matches!(node.run_as(who, get(n), T0).await, Err(Refusal::Denied(_))));
    }
    for who in [USER, NARROW, STRANGER] {
        assert!(matches!(node.run_as(who, set("narrow"), T0).await, Err(Refusal::Denied(_))));
        assert!(matches!(node.run_as(who, RotateKey { name: name("narrow") }, T0).await, Err(Refusal::Denied(_))));
    }
}
