//! What a key looks like: created, shown, listed, changed.

use crate::support::{body, client, create, ec, name, oct, rsa, version};
use azure_security_keyvault_keys::ResourceExt as _;
use azure_security_keyvault_keys::models::{
    CurveName, DeletionRecoveryLevel, GetRandomBytesParameters, KeyAttributes, KeyClientGetKeyOptions,
    KeyClientListKeyPropertiesOptions, KeyClientListKeyPropertiesVersionsOptions, KeyClientUpdateKeyPropertiesOptions,
    KeyOperation, KeyType, UpdateKeyPropertiesParameters,
};
use futures::TryStreamExt as _;
use std::collections::HashMap;

fn at(version: &str) -> Option<KeyClientGetKeyOptions<'static>> {
    Some(KeyClientGetKeyOptions { key_version: Some(version.to_owned()), ..Default::default() })
}

#[tokio::test]
async fn a_created_key_of_each_kind_is_shown_with_its_public_parts_alone() {
    let client = client();
    let curves = [(CurveName::P256, 32), (CurveName::P384, 48), (CurveName::P521, 66), (CurveName::P256K, 32)];
    for (curve, width) in curves {
        let key = create(&client, &name("ec"), ec(curve.clone())).await.key.unwrap();
        assert_eq!((key.kty, key.crv), (Some(KeyType::Ec), Some(curve)));
        assert_eq!((key.x.unwrap().len(), key.y.unwrap().len(), key.d), (width, width, None));
        assert_eq!(key.key_ops.unwrap(), ["sign", "verify"]);
    }
    for bits in [2048, 3072, 4096] {
        let key = create(&client, &name("rsa"), rsa(bits)).await.key.unwrap();
        assert_eq!((key.kty, key.e), (Some(KeyType::Rsa), Some(vec![1, 0, 1])));
        assert_eq!(key.n.unwrap().len() * 8, usize::try_from(bits).unwrap());
        assert!([key.d, key.p, key.q, key.dp, key.dq, key.qi].iter().all(Option::is_none));
    }
    for bits in [128, 192, 256] {
        let key = create(&client, &name("oct"), oct(bits, &[KeyOperation::Encrypt])).await.key.unwrap();
        assert_eq!((key.kty, key.k), (Some(KeyType::Oct), None), "a symmetric key never leaves");
    }
}

#[tokio::test]
async fn a_key_is_got_by_name_and_by_version() {
    let (client, name) = (client(), name("get"));
    let mut parameters = ec(CurveName::P256);
    parameters.tags = Some(HashMap::from([("a".to_owned(), "1".to_owned())]));
    let first = create(&client, &name, parameters.clone()).await;
    let second = create(&client, &name, parameters).await;
    let newest = client.get_key(&name, None).await.unwrap().into_model().unwrap();
    let older = client.get_key(&name, at(&version(&first))).await.unwrap().into_model().unwrap();
    assert_eq!((version(&newest), version(&older)), (version(&second), version(&first)));
    assert_eq!(older.key.unwrap().x, first.key.unwrap().x);
    assert_eq!(newest.tags.unwrap()["a"], "1");
    let attributes = newest.attributes.unwrap();
    assert_eq!((attributes.enabled, attributes.recoverable_days), (Some(true), Some(7)));
    assert_eq!(attributes.recovery_level, Some(DeletionRecoveryLevel::CustomizedRecoverablePurgeable));
    assert!(attributes.created.is_some() && attributes.expires.is_none() && attributes.not_before.is_none());
}

#[tokio::test]
async fn versions_are_listed_page_by_page_each_once() {
    let (client, name) = (client(), name("versions"));
    let mut made = Vec::new();
    for _ in 0..7 {
        made.push(version(&create(&client, &name, ec(CurveName::P256)).await));
    }
    let options = KeyClientListKeyPropertiesVersionsOptions { maxresults: Some(3), ..Default::default() };
    let pages = client.list_key_properties_versions(&name, Some(options)).unwrap().into_pages();
    let pages: Vec<_> = pages.try_collect().await.unwrap();
    let pages: Vec<_> = pages.into_iter().map(|page| page.into_model().unwrap().value).collect();
    assert!(pages.len() >= 3 && pages.iter().all(|page| page.len() <= 3));
    let mut listed: Vec<_> = pages.iter().flatten().map(version).collect();
    made.sort();
    listed.sort();
    assert_eq!(listed, made);
    let all: Vec<_> = client.list_key_properties_versions(&name, None).unwrap().try_collect().await.unwrap();
    assert_eq!(all.len(), 7);
}

#[tokio::test]
async fn pages_of_keys_name_each_key_once() {
    let (client, prefix) = (client(), name("page"));
    let mut names: Vec<_> = (0..28).map(|i| format!("{prefix}-{i:02}")).collect();
    for name in &names {
        create(&client, name, ec(CurveName::P256)).await;
    }
    let options = KeyClientListKeyPropertiesOptions { maxresults: Some(10), ..Default::default() };
    let listed: Vec<_> = client.list_key_properties(Some(options)).unwrap().try_collect().await.unwrap();
    let ids = listed.iter().map(|key| key.resource_id().unwrap());
    let mut found: Vec<_> = ids.filter(|id| id.name.starts_with(&prefix)).collect();
    assert!(found.iter().all(|id| id.version.is_none()));
    found.sort_by(|a, b| a.name.cmp(&b.name));
    names.sort();
    assert_eq!(found.into_iter().map(|id| id.name).collect::<Vec<_>>(), names);
}

#[tokio::test]
async fn an_update_changes_what_it_names_of_the_version_it_names() {
    let (client, name) = (client(), name("update"));
    let first = create(&client, &name, ec(CurveName::P256)).await;
    let second = create(&client, &name, ec(CurveName::P256)).await;
    // What was read goes back as it was, as the SDK's own example does.
    let mut attributes = first.attributes.clone().unwrap();
    let ends = attributes.created.unwrap() + std::time::Duration::from_secs(3600);
    (attributes.enabled, attributes.expires) = (Some(false), Some(ends));
    let change = UpdateKeyPropertiesParameters {
        key_attributes: Some(attributes),
        key_ops: Some(vec![KeyOperation::Verify]),
        tags: Some(HashMap::from([("b".to_owned(), "2".to_owned())])),
        ..Default::default()
    };
    let options = KeyClientUpdateKeyPropertiesOptions { key_version: Some(version(&first)), ..Default::default() };
    let changed = client.update_key_properties(&name, body(change), Some(options)).await.unwrap().into_model().unwrap();
    assert_eq!(version(&changed), version(&first));
    let shown = client.get_key(&name, at(&version(&first))).await.unwrap().into_model().unwrap();
    let attributes = shown.attributes.unwrap();
    assert_eq!((attributes.enabled, attributes.expires), (Some(false), Some(ends)));
    assert_eq!((shown.tags.unwrap()["b"].as_str(), shown.key.unwrap().key_ops.unwrap()), ("2", vec!["verify".into()]));
    // Without a version: the newest, of which the other knows nothing.
    let enabled = KeyAttributes { enabled: Some(true), ..Default::default() };
    let change = UpdateKeyPropertiesParameters { key_attributes: Some(enabled), ..Default::default() };
    let newest = client.update_key_properties(&name, body(change), None).await.unwrap().into_model().unwrap();
    assert_eq!((version(&newest), newest.tags), (version(&second), None));
}

#[tokio::test]
async fn random_bytes_are_as_many_as_asked_for() {
    let client = client();
    for count in [1_u8, 16, 128] {
        let ask = GetRandomBytesParameters { count: Some(i32::from(count)) };
        let given = client.get_random_bytes(body(ask), None).await.unwrap().into_model().unwrap();
        assert_eq!(given.value.unwrap().len(), usize::from(count));
    }
}
