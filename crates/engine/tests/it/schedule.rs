//! What the customer stored is carried out in time, by mandate.

use crate::support::*;
use keystead_engine::{
    Beat, DeleteKey, GetDeletedKey, GetKey, ListVersions, ReadAudit, RecoverKey, Refusal, RotationPolicy,
    SetRotationPolicy,
};
use keystead_model::{Action, KeySpec, Time};

fn policy(after_days: u16, expiry_days: Option<u16>) -> Option<RotationPolicy> {
    Some(after_create(after_days, expiry_days))
}

fn days(n: i64) -> Time {
    Time(T0.0 + n * DAY)
}

async fn tick(node: &Node, now: Time) -> Beat {
    node.instance.tick(at(now)).await.unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_is_rotated_when_its_policy_says_so_once_and_by_mandate() {
    let node = Node::new().await;
    let old = node.run(create("k", KeySpec::EcP256)).await.unwrap();
    node.run(create("other", KeySpec::EcP256)).await.unwrap();
    node.run(SetRotationPolicy { name: name("k"), policy: policy(10, Some(30)) }).await.unwrap();
    assert_eq!(tick(&node, Time(days(10).0 - 1)).await, Beat::default(), "not a millisecond early");
    assert_eq!(tick(&node, days(10)).await, Beat { rotated: 1, ..Beat::default() });
    let new = node.run(GetKey { key: key("k") }).await.unwrap();
    assert_ne!(new.version, old.version);
    assert_eq!((new.spec, &new.ops, new.created, new.expires), (old.spec, &old.ops, days(10), Some(days(40))));
    let told = Beat { notified: 1, ..Beat::default() };
    assert_eq!(tick(&node, days(10)).await, told, "a second beat does not rotate: it tells of the end in 30 days");
    assert_eq!(tick(&node, days(10)).await, Beat::default(), "a third does nothing");
    let node = node.restart().await;
    assert_eq!(tick(&node, days(19)).await, Beat::default(), "nor after a restart");
    assert_eq!(tick(&node, days(500)).await, Beat { rotated: 1, ..Beat::default() }, "after a long stop: once");

    let entries = node.run(ReadAudit { log: None, from: None, limit: 500 }).await.unwrap();
    let rotations: Vec<_> = entries.iter().filter(|e| e.action == Action::RotateKey.name()).collect();
    let [first, _] = rotations.as_slice() else { panic!("{rotations:?}") };
    let detail = &first.detail;
    assert!(detail.ground.as_deref().unwrap().starts_with("mandate "), "{detail:?}");
    assert!(detail.subject.as_deref().unwrap().ends_with(&subject(OFFICER)), "who stored it: {detail:?}");
    assert_eq!((detail.target.as_deref(), detail.address.as_deref(), first.time), (Some("/keys/k"), None, days(10)));
    assert!(first.revision.is_some());
    node.stop_and_verify().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_rotation_policy_is_bounded_and_can_be_removed() {
    let node = Node::new().await;
    node.run(create("k", KeySpec::EcP256)).await.unwrap();
    for refused in [policy(6, None), policy(0, None), policy(10, Some(27)), policy(22, Some(28))] {
        let result = node.run(SetRotationPolicy { name: name("k"), policy: refused }).await;
        assert!(matches!(result, Err(Refusal::BadRotationPolicy { .. })), "{result:?}");
    }
    node.run(SetRotationPolicy { name: name("k"), policy: policy(7, Some(28)) }).await.unwrap();
    node.run(SetRotationPolicy { name: name("k"), policy: None }).await.unwrap();
    assert_eq!(tick(&node, days(1_000)).await, Beat::default());
    let missing = node.run(SetRotationPolicy { name: name("nowhere"), policy: None }).await;
    assert!(matches!(missing, Err(Refusal::KeyNotFound { .. })));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_deleted_key_is_purged_when_its_retention_has_passed_and_not_before() {
    let node = Node::new().await;
    for n in ["k", "kept", "back"] {
        node.run(create(n, KeySpec::EcP256)).await.unwrap();
        node.run(create(n, KeySpec::EcP256)).await.unwrap();
    }
    node.run(SetRotationPolicy { name: name("k"), policy: policy(7, None) }).await.unwrap();
    node.run(DeleteKey { name: name("k") }).await.unwrap();
    node.run(DeleteKey { name: name("back") }).await.unwrap();
    node.run(RecoverKey { name: name("back") }).await.unwrap();
    assert_eq!(tick(&node, Time(days(7).0 - 1)).await, Beat::default(), "a deleted key is not rotated either");
    assert!(node.run(GetDeletedKey { name: name("k") }).await.is_ok());
    assert_eq!(tick(&node, days(7)).await, Beat { purged: 1, ..Beat::default() });
    assert!(matches!(node.run(GetDeletedKey { name: name("k") }).await, Err(Refusal::DeletedKeyNotFound { .. })));
    assert_eq!(tick(&node, days(900)).await, Beat::default());
    for n in ["kept", "back"] {
        let all = ListVersions { name: name(n), after: None, limit: 25 };
        assert_eq!(node.run(all).await.unwrap().items.len(), 2);
    }
    let anew = node.run(create("k", KeySpec::EcP256)).await.unwrap();
    let all = node.run(ListVersions { name: name("k"), after: None, limit: 25 }).await.unwrap();
    assert_eq!(all.items, [anew], "no version of the purged key is left");
    let purge = node.records().into_iter().find(|r| r.action() == Some(Action::PurgeKey)).unwrap();
    assert_eq!((purge.outcome().0, purge.at()), (0, days(7)));
    node.stop_and_verify().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_due_in_a_sealed_vault_waits_and_holds_up_no_other() {
    let node = Node::new().await;
    node.instance.create(new_vault("second"), at(T0)).await.unwrap();
    let second = node.instance.named("second").unwrap();
    let (client, secret) = OFFICER;
    let proof = keystead_identity::Proof::ClientSecret { client, secret };
    let officer = second.authenticate(proof, None, T0).unwrap();
    // More than one beat looks at, and due before anything of `dev`.
    for n in 0..70 {
        let named = format!("k{n}");
        let made = second.run(officer.clone(), create(&named, KeySpec::Oct256), at(T0)).await.unwrap();
        made.into_parts().1.unwrap();
        let gone = second.run(officer.clone(), DeleteKey { name: name(&named) }, at(T0)).await.unwrap();
        gone.into_parts().1.unwrap();
    }
    node.instance.seal("second", at(T0)).await.unwrap();
    node.run(create("k", KeySpec::Oct256)).await.unwrap();
    node.run_as(OFFICER, DeleteKey { name: name("k") }, days(1)).await.unwrap();
    assert_eq!(tick(&node, days(9)).await, Beat { purged: 1, ..Beat::default() });
    assert_eq!(tick(&node, days(9)).await, Beat::default());
    node.instance.unseal("second", at(T0)).await.unwrap();
    let (first, then) = (tick(&node, days(9)).await, tick(&node, days(9)).await);
    assert_eq!(first.purged + then.purged, 70, "and are done once it is open");
}

#[tokio::test(flavor = "multi_thread")]
async fn scheduled_work_that_is_refused_is_not_counted_and_comes_again() {
    let node = Node::new().await;
    let old = node.run(create("k", KeySpec::EcP256)).await.unwrap();
    node.run(SetRotationPolicy { name: name("k"), policy: policy(7, None) }).await.unwrap();
    let busy = keystead_store::CommitError::Busy;
    node.faults.fail_commit(1, keystead_store::fault::CommitFault::Before(busy));
    assert_eq!(tick(&node, days(8)).await, Beat::default());
    assert_eq!(node.run(GetKey { key: key("k") }).await.unwrap(), old);
    assert_eq!(tick(&node, days(9)).await, Beat { rotated: 1, ..Beat::default() });
    node.stop_and_verify().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn scheduled_work_that_is_refused_again_and_again_is_tried_ever_more_rarely() {
    let node = Node::new().await;
    for k in ["k", "other"] {
        node.run(create(k, KeySpec::EcP256)).await.unwrap();
    }
    node.run(SetRotationPolicy { name: name("k"), policy: policy(7, None) }).await.unwrap();
    let full = keystead_store::fault::CommitFault::Before(keystead_store::CommitError::DiskFull);
    let (before, records) = (node.faults.commits(), node.records().len());
    (1..=1_000).for_each(|nth| node.faults.fail_commit(nth, full));
    for second in 0..1_000 {
        assert_eq!(tick(&node, Time(days(8).0 + second * 1_000)).await, Beat::default());
    }
    let tries = node.faults.commits() - before;
    assert_eq!(tries, 10, "at 0, 1, 3, 7, ... 511 seconds");
    assert_eq!(node.records().len(), records + 10, "each try is in the log, so they must not fill it");
    (1..=1_000).for_each(|nth| node.faults.unfail_commit(nth));
    assert_eq!(tick(&node, Time(days(8).0 + 1_023_000)).await, Beat { rotated: 1, ..Beat::default() });
    node.stop_and_verify().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn however_much_is_held_back_what_is_due_behind_it_gets_its_turn() {
    use keystead_model::{ObjectId, OperationId, Revision};
    use keystead_store::{Changes, Kind, OutboxRow, Row};

    let node = Node::new().await;
    node.instance.create(new_vault("second"), at(T0)).await.unwrap();
    let second = node.instance.named("second").unwrap().info().id;
    let held = 70_000_u32;
    let row = |n: u32| {
        let mut lookup = [0; 32];
        lookup[..4].copy_from_slice(&n.to_be_bytes());
        let (id, revision) = (ObjectId::from_bytes([1; 16]), Revision(0));
        Row { kind: Kind::Key, lookup, version: None, id, counter: 1, revision, due: Some(T0), sealed: Vec::new() }
    };
    let changes = Changes { puts: (0..held).map(row).collect(), ..Changes::default() };
    let operation = OperationId::from_bytes([8; 16]);
    let record = Box::new(move |_| OutboxRow { operation, log: second, position: 0, bytes: Vec::new() });
    node.store.commit(second, changes, record).await.unwrap();
    node.instance.seal("second", at(T0)).await.unwrap();
    node.run(create("k", KeySpec::Oct256)).await.unwrap();
    node.run(DeleteKey { name: name("k") }).await.unwrap();
    let mut beats = 1;
    while tick(&node, days(9)).await.purged == 0 {
        beats += 1;
        assert!(beats < 30, "it never gets its turn");
    }
    assert!(beats > 1, "a beat is bounded");
}
