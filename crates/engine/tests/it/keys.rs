//! Keys through their life: created, read, changed, deleted, recovered, purged.

use crate::support::*;
use keystead_engine::{
    CreateKey, DeleteKey, GetDeletedKey, GetKey, ListDeletedKeys, ListKeys, ListVersions, PurgeKey, RecoverKey,
    Refusal, RotateKey, SetAttributes, UpdateKey,
};
use keystead_model::{KeyOperation, KeyRef, KeySpec, PublicKey, Time, Version};

fn update(key: KeyRef) -> UpdateKey {
    UpdateKey { key, ops: None, attributes: SetAttributes::default(), tags: None, release: None }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_created_key_is_read_back_as_it_was_answered() {
    let node = Node::new().await;
    for spec in KeySpec::ALL {
        let ask = CreateKey {
            attributes: SetAttributes {
                enabled: Some(false),
                not_before: Some(Time(T0.0 - 5)),
                expires: Some(Time(T0.0 + 5)),
                exportable: None,
            },
            tags: tags(&[("team", "pay"), ("", "")]),
            ..create(&format!("K-{spec:?}"), *spec)
        };
        let made = node.run(ask).await.unwrap();
        assert_eq!((made.spec, made.enabled, made.created, made.updated), (*spec, false, T0, T0));
        assert_eq!((made.ops.as_slice(), made.recovery.days, made.tags.len()), (spec.usual(), 7, 2));
        assert_eq!(made.public == PublicKey::Symmetric, spec.kty() == "oct");
        let named = &made.name;
        assert_eq!(node.run(GetKey { key: KeyRef { name: named.clone(), version: None } }).await.unwrap(), made);
        let exact = KeyRef { name: named.clone(), version: Some(made.version) };
        assert_eq!(node.run(GetKey { key: exact }).await.unwrap(), made);
        let node_again = node.vault().info().retention_days;
        assert_eq!(node_again, made.recovery.days);
    }
    let node = node.restart().await;
    assert!(!node.run(GetKey { key: key("K-EcP256") }).await.unwrap().enabled, "a restart changes nothing");
    node.stop_and_verify().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn names_are_one_whatever_their_case_and_shown_as_first_given() {
    let node = Node::new().await;
    let first = node.run(create("Payments", KeySpec::EcP256)).await.unwrap();
    let second = node.run(create("PAYMENTS", KeySpec::EcP256)).await.unwrap();
    assert_eq!((first.name.as_str(), second.name.as_str()), ("Payments", "Payments"));
    let read = node.run(GetKey { key: key("payMENTS") }).await.unwrap();
    assert_eq!((read.version, read.name.as_str()), (second.version, "Payments"));
    assert_eq!(node.run(ListKeys { after: None, limit: 25 }).await.unwrap().items.len(), 1);
    node.run(DeleteKey { name: name("PAYments") }).await.unwrap();
    assert!(matches!(node.run(create("payments", KeySpec::EcP256)).await, Err(Refusal::NameReserved { .. })));
    node.run(PurgeKey { name: name("paymentS") }).await.unwrap();
    let anew = node.run(create("payments", KeySpec::EcP256)).await.unwrap();
    assert_eq!(anew.name.as_str(), "payments");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_new_version_becomes_the_newest_and_the_old_ones_stay() {
    let node = Node::new().await;
    let old = node.run(create("k", KeySpec::EcP256)).await.unwrap();
    let new = node.run(create("k", KeySpec::Oct256)).await.unwrap();
    assert_ne!(old.version, new.version);
    assert_eq!(node.run(GetKey { key: key("k") }).await.unwrap(), new);
    assert_eq!(node.run(GetKey { key: version("k", old.version) }).await.unwrap(), old);
    let mut listed = node.run(ListVersions { name: name("k"), after: None, limit: 25 }).await.unwrap().items;
    listed.sort_by_key(|v| v.version != old.version);
    assert_eq!(listed, [old, new.clone()]);
    let rotated = node.run(RotateKey { name: name("K") }).await.unwrap();
    assert_eq!((rotated.spec, rotated.ops, rotated.tags), (new.spec, new.ops, new.tags));
    assert_ne!(rotated.version, new.version);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_does_not_exist_is_not_found() {
    let node = Node::new().await;
    node.run(create("here", KeySpec::EcP256)).await.unwrap();
    let unknown = Version::from_bytes([9; 16]);
    for key in [key("nowhere"), version("nowhere", unknown), version("here", unknown)] {
        let wanted = (key.name.clone(), key.version);
        match node.run(GetKey { key: key.clone() }).await {
            Err(Refusal::KeyNotFound { name, version }) => assert_eq!((name, version), wanted),
            other => panic!("{other:?}"),
        }
        assert!(matches!(node.run(update(key)).await, Err(Refusal::KeyNotFound { .. })));
    }
    let gone = || name("nowhere");
    assert!(matches!(node.run(DeleteKey { name: gone() }).await, Err(Refusal::KeyNotFound { .. })));
    assert!(matches!(node.run(RotateKey { name: gone() }).await, Err(Refusal::KeyNotFound { .. })));
    let versions = ListVersions { name: gone(), after: None, limit: 5 };
    assert!(node.run(versions).await.unwrap().items.is_empty(), "a list says nothing of what is not there");
    for named in ["nowhere", "here"] {
        let deleted = GetDeletedKey { name: name(named) };
        assert!(matches!(node.run(deleted).await, Err(Refusal::DeletedKeyNotFound { .. })));
        assert!(matches!(node.run(RecoverKey { name: name(named) }).await, Err(Refusal::DeletedKeyNotFound { .. })));
        assert!(matches!(node.run(PurgeKey { name: name(named) }).await, Err(Refusal::DeletedKeyNotFound { .. })));
    }
    node.stop_and_verify().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_update_changes_what_it_names_and_leaves_the_rest() {
    let node = Node::new().await;
    let ask = CreateKey { tags: tags(&[("a", "1")]), ..create("k", KeySpec::EcP256) };
    let made = node.run(ask).await.unwrap();
    let set = SetAttributes { enabled: Some(false), ..SetAttributes::default() };
    let changed = node.run(UpdateKey { attributes: set, ..update(key("k")) }).await.unwrap();
    assert!(!changed.enabled && changed.updated.secs() > made.updated.secs());
    assert_eq!((changed.version, &changed.tags, &changed.ops), (made.version, &made.tags, &made.ops));
    let later = Time(T0.0 + 10_000);
    let ask = UpdateKey {
        ops: Some(vec![KeyOperation::Sign, KeyOperation::Sign]),
        attributes: SetAttributes { expires: Some(Time(T0.0 + DAY)), ..SetAttributes::default() },
        tags: Some(tags(&[("b", "2")])),
        ..update(version("k", made.version))
    };
    let changed = node.run_as(OFFICER, ask, later).await.unwrap();
    assert_eq!((changed.ops.as_slice(), changed.updated, changed.enabled), (&[KeyOperation::Sign][..], later, false));
    assert_eq!((changed.tags.clone(), changed.created), (tags(&[("b", "2")]), T0));
    assert_eq!(node.run(GetKey { key: key("k") }).await.unwrap(), changed);
    let none = node.run(UpdateKey { ops: Some(vec![]), ..update(key("k")) }).await.unwrap();
    assert!(none.ops.is_empty(), "an empty list permits nothing");
}

#[tokio::test(flavor = "multi_thread")]
async fn attributes_out_of_bounds_are_refused_and_change_nothing() {
    let node = Node::new().await;
    let made = node.run(create("k", KeySpec::EcP256)).await.unwrap();
    let before = node.revision().await;
    let backwards = SetAttributes {
        enabled: None,
        not_before: Some(Time(T0.0 + 5)),
        expires: Some(Time(T0.0 + 5)),
        exportable: None,
    };
    let many: Vec<String> = (0..16).map(|n| n.to_string()).collect();
    let many: Vec<_> = many.iter().map(|n| (n.as_str(), "")).collect();
    let long = "é".repeat(257);
    let refused = [
        CreateKey { attributes: backwards.clone(), ..create("new", KeySpec::EcP256) },
        CreateKey { tags: tags(&many), ..create("new", KeySpec::EcP256) },
        CreateKey { tags: tags(&[(&long, "")]), ..create("new", KeySpec::EcP256) },
        CreateKey { tags: tags(&[("", &long)]), ..create("new", KeySpec::EcP256) },
        create_for("new", KeySpec::EcP256, &[KeyOperation::Encrypt]),
        create_for("new", KeySpec::EcP521, &[KeyOperation::Sign, KeyOperation::WrapKey]),
    ];
    let mut codes = Vec::new();
    for ask in refused {
        codes.push(node.run(ask).await.unwrap_err().outcome().0);
    }
    assert_eq!(codes, [14, 15, 15, 15, 13, 13]);
    let asks = [
        UpdateKey { attributes: backwards, ..update(key("k")) },
        UpdateKey { tags: Some(tags(&many)), ..update(key("k")) },
        UpdateKey { ops: Some(vec![KeyOperation::WrapKey]), ..update(key("k")) },
    ];
    for ask in asks {
        assert!(matches!(
            node.run(ask).await,
            Err(Refusal::BadDates | Refusal::OverBound { .. } | Refusal::BadOperations { .. })
        ));
    }
    assert_eq!(node.run(GetKey { key: key("k") }).await.unwrap(), made);
    assert_eq!(node.revision().await, before);
    assert!(matches!(node.run(GetKey { key: key("new") }).await, Err(Refusal::KeyNotFound { .. })));
    node.stop_and_verify().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_exchange_key_stays_one_and_no_other_key_becomes_one() {
    let node = Node::new().await;
    let import = || Some(vec![KeyOperation::Import]);
    node.run(CreateKey { ops: import(), ..create("kek", KeySpec::Rsa2048) }).await.unwrap();
    node.run(create("k", KeySpec::Rsa2048)).await.unwrap();
    for ops in [vec![KeyOperation::Decrypt], vec![KeyOperation::UnwrapKey], Vec::new()] {
        let changed = node.run(UpdateKey { ops: Some(ops), ..update(key("kek")) }).await;
        assert!(matches!(changed, Err(Refusal::ImportSettled)), "{changed:?}");
    }
    let changed = node.run(UpdateKey { ops: import(), ..update(key("k")) }).await;
    assert!(matches!(changed, Err(Refusal::ImportSettled)), "{changed:?}");
    let same = node.run(UpdateKey { ops: import(), ..update(key("kek")) }).await.unwrap();
    assert_eq!(same.ops, [KeyOperation::Import]);
    node.stop_and_verify().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_deleted_key_is_out_of_reach_until_it_is_recovered_as_it_was() {
    let node = Node::new().await;
    let old = node.run(create("k", KeySpec::EcP256)).await.unwrap();
    let new = node.run(create("k", KeySpec::EcP256)).await.unwrap();
    let deleted = node.run(DeleteKey { name: name("k") }).await.unwrap();
    assert_eq!((&deleted.key, deleted.deleted, deleted.purge_at), (&new, T0, Time(T0.0 + 7 * DAY)));
    assert_eq!(node.run(GetDeletedKey { name: name("K") }).await.unwrap(), deleted);
    assert_eq!(node.run(ListDeletedKeys { after: None, limit: 25 }).await.unwrap().items, [deleted]);
    assert!(node.run(ListKeys { after: None, limit: 25 }).await.unwrap().items.is_empty());
    for key in [key("k"), version("k", old.version), version("k", new.version)] {
        assert!(matches!(node.run(GetKey { key: key.clone() }).await, Err(Refusal::KeyNotFound { .. })));
        assert!(matches!(node.run(update(key)).await, Err(Refusal::KeyNotFound { .. })));
    }
    assert!(matches!(node.run(create("K", KeySpec::EcP256)).await, Err(Refusal::NameReserved { .. })));
    assert!(matches!(node.run(DeleteKey { name: name("k") }).await, Err(Refusal::KeyNotFound { .. })));
    let node = node.restart().await;
    assert_eq!(node.run(RecoverKey { name: name("k") }).await.unwrap(), new);
    assert_eq!(node.run(GetKey { key: key("k") }).await.unwrap(), new);
    assert_eq!(node.run(GetKey { key: version("k", old.version) }).await.unwrap(), old);
    assert!(matches!(node.run(RecoverKey { name: name("k") }).await, Err(Refusal::DeletedKeyNotFound { .. })));
    node.stop_and_verify().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_purged_key_is_gone_with_every_version_and_its_name_is_free() {
    let node = Node::new().await;
    let mut versions = Vec::new();
    for _ in 0..3 {
        versions.push(node.run(create("k", KeySpec::EcP256)).await.unwrap().version);
    }
    assert!(matches!(node.run(PurgeKey { name: name("k") }).await, Err(Refusal::DeletedKeyNotFound { .. })));
    node.run(DeleteKey { name: name("k") }).await.unwrap();
    node.run(PurgeKey { name: name("k") }).await.unwrap();
    assert!(node.run(ListDeletedKeys { after: None, limit: 25 }).await.unwrap().items.is_empty());
    assert!(matches!(node.run(RecoverKey { name: name("k") }).await, Err(Refusal::DeletedKeyNotFound { .. })));
    let anew = node.run(create("k", KeySpec::EcP256)).await.unwrap();
    let listed = node.run(ListVersions { name: name("k"), after: None, limit: 25 }).await.unwrap().items;
    assert_eq!(listed, [anew]);
    for gone in versions {
        assert!(matches!(node.run(GetKey { key: version("k", gone) }).await, Err(Refusal::KeyNotFound { .. })));
    }
    node.stop_and_verify().await;
}
