//! What each call sends, and what it makes of the answer.

use keystead_client::{
    Client, ClientError, CreateKey, DeletedKeyBundle, ImportKey, PrivateJwk, RotationPolicy, Sealed, SetAttributes,
    Trigger, UpdateKey,
};
use keystead_model::{CipherAlgorithm, IsoDuration, KeyRef, KeySpec, Name, SignAlgorithm};

use crate::support::{RECEIPT, Vault, answer, open_vault};

const VERSION: &str = "0123456789abcdef0123456789abcdef";

fn newest() -> KeyRef {
    KeyRef { name: Name::parse("My-Key").unwrap(), version: None }
}

fn versioned() -> KeyRef {
    KeyRef { version: Some(VERSION.parse().unwrap()), ..newest() }
}

fn bundle() -> String {
    format!(
        r#"{{"key":{{"kid":"https://dev.localhost/keys/My-Key/{VERSION}","kty":"EC","crv":"P-256","key_ops":["sign"],
            "x":"{0}","y":"{0}","later":1}},"attributes":{{"enabled":true,"created":5,"updated":6,
            "recoveryLevel":"Recoverable+Purgeable","recoverableDays":90}},"tags":{{"a":"b"}},
            "recoveryId":"https://dev.localhost/deletedkeys/My-Key","deletedDate":7,"scheduledPurgeDate":8}}"#,
        "A".repeat(43)
    )
}

async fn setup() -> (Vault, Client) {
    let vault = open_vault().await;
    let client = vault.anonymous();
    (vault, client)
}

/// The one request since the last call: its line without the version of the API, and its body.
fn sent(vault: &Vault) -> (String, String) {
    let mut seen = vault.take_seen();
    assert_eq!(seen.len(), 1, "{seen:?}");
    let seen = seen.remove(0);
    (seen.line.strip_suffix("?api-version=2025-07-01").unwrap().to_owned(), seen.body)
}

#[tokio::test]
async fn keys_are_made_read_changed_deleted_and_recovered() {
    let (vault, client) = setup().await;
    let name = &newest().name;
    for _ in 0..7 {
        vault.then(answer(200, &bundle()));
    }
    vault.then(answer(204, ""));

    let made = client.create_key(name, &CreateKey::of(KeySpec::EcP256)).await.unwrap();
    assert_eq!(made.receipt.as_deref(), Some(RECEIPT));
    assert_eq!(made.value.key.version(), Some(VERSION.parse().unwrap()));
    assert!(made.value.key.public().is_some());
    assert_eq!((made.value.attributes.updated, made.value.attributes.recoverable_days), (Some(6), Some(90)));
    assert_eq!(sent(&vault), ("POST /keys/My-Key/create".into(), r#"{"kty":"EC","crv":"P-256"}"#.into()));

    client.get_key(&newest()).await.unwrap();
    assert_eq!(sent(&vault), ("GET /keys/My-Key/".into(), String::new()));
    client.get_key(&versioned()).await.unwrap();
    assert_eq!(sent(&vault).0, format!("GET /keys/My-Key/{VERSION}"));

    let attributes = Some(SetAttributes { exp: Some(99), ..SetAttributes::default() });
    client.update_key(&newest(), &UpdateKey { attributes, ..UpdateKey::default() }).await.unwrap();
    assert_eq!(sent(&vault), ("PATCH /keys/My-Key/".into(), r#"{"attributes":{"exp":99}}"#.into()));

    let deleted: DeletedKeyBundle = client.delete_key(name).await.unwrap().value;
    assert_eq!((deleted.deleted_date, deleted.scheduled_purge_date), (Some(7), Some(8)));
    assert_eq!(deleted.bundle.tags.unwrap()["a"], "b");
    assert_eq!(sent(&vault).0, "DELETE /keys/My-Key");
    client.get_deleted_key(name).await.unwrap();
    assert_eq!(sent(&vault).0, "GET /deletedkeys/My-Key");
    client.recover_key(name).await.unwrap();
    assert_eq!(sent(&vault), ("POST /deletedkeys/My-Key/recover".into(), String::new()));
    assert_eq!(client.purge_key(name).await.unwrap().receipt.as_deref(), Some(RECEIPT));
    assert_eq!(sent(&vault).0, "DELETE /deletedkeys/My-Key");
}

#[tokio::test]
async fn keys_are_imported_backed_up_restored_and_rotated() {
    let (vault, client) = setup().await;
    let name = &newest().name;
    vault.then(answer(200, &bundle()));
    let import = ImportKey { key: PrivateJwk::symmetric(&[0xff; 3]), hsm: None, attributes: None, tags: None };
    client.import_key(name, &import).await.unwrap();
    assert_eq!(sent(&vault), ("PUT /keys/My-Key".into(), r#"{"key":{"k":"____","kty":"oct"}}"#.into()));
    assert!(PrivateJwk::parse(b"[]").is_none() && PrivateJwk::parse(br#"{"kty":"EC"}"#).is_some());

    vault.then(answer(200, r#"{"value":"__4"}"#));
    assert_eq!(client.backup_key(name).await.unwrap().value, [0xff, 0xfe]);
    assert_eq!(sent(&vault), ("POST /keys/My-Key/backup".into(), String::new()));
    vault.then(answer(200, &bundle()));
    client.restore_key(&[0xff, 0xfe]).await.unwrap();
    assert_eq!(sent(&vault), ("POST /keys/restore".into(), r#"{"value":"__4"}"#.into()));
    vault.then(answer(200, &bundle()));
    client.rotate_key(name).await.unwrap();
    assert_eq!(sent(&vault), ("POST /keys/My-Key/rotate".into(), String::new()));
    vault.then(answer(200, r#"{"value":"AQI"}"#));
    assert_eq!(*client.random_bytes(2).await.unwrap().value, [1, 2]);
    assert_eq!(sent(&vault), ("POST /rng".into(), r#"{"count":2}"#.into()));
}

#[tokio::test]
async fn a_rotation_policy_is_stored_and_read() {
    let (vault, client) = setup().await;
    let name = &newest().name;
    let kept = r#"{"id":"https://h/keys/k/rotationpolicy","lifetimeActions":[{"trigger":{"timeBeforeExpiry":"P30D"},
        "action":{"type":"Notify"}}],"attributes":{"expiryTime":"P90D","created":1,"updated":2}}"#;
    vault.then(answer(200, kept));
    vault.then(answer(200, r#"{"lifetimeActions":[],"attributes":{}}"#));
    let mut policy = RotationPolicy::default().with("Rotate", Trigger::after_create(&IsoDuration::days(60)));
    policy.attributes.expiry_time = Some("P90D".to_owned());
    let stored = client.set_rotation_policy(name, &policy).await.unwrap().value;
    assert_eq!((stored.attributes.updated, stored.lifetime_actions[0].action.kind.as_str()), (Some(2), "Notify"));
    let body = r#"{"lifetimeActions":[{"trigger":{"timeAfterCreate":"P60D"},"action":{"type":"Rotate"}}],"#.to_owned()
        + r#""attributes":{"expiryTime":"P90D"}}"#;
    assert_eq!(sent(&vault), ("PUT /keys/My-Key/rotationpolicy".into(), body));
    assert_eq!(client.rotation_policy(name).await.unwrap().value, RotationPolicy::default());
    assert_eq!(sent(&vault), ("GET /keys/My-Key/rotationpolicy".into(), String::new()));
}

#[tokio::test]
async fn a_digest_is_signed() {
    let (vault, client) = setup().await;
    vault.then(answer(200, r#"{"kid":"https://h/keys/k/v","value":"__4"}"#));
    let signed = client.sign(&newest(), SignAlgorithm::Es256, &[0xff; 3]).await.unwrap();
    assert_eq!((signed.value.value, signed.receipt.as_deref()), (vec![0xff, 0xfe], Some(RECEIPT)));
    assert_eq!(sent(&vault), ("POST /keys/My-Key//sign".into(), r#"{"alg":"ES256","value":"____"}"#.into()));
}

#[tokio::test]
async fn data_are_encrypted_and_decrypted_and_keys_wrapped_and_unwrapped() {
    let (vault, client) = setup().await;
    let result = r#"{"kid":"https://h/keys/k/v","value":"AQ","iv":"Ag","tag":"Aw"}"#;
    for _ in 0..4 {
        vault.then(answer(200, result));
    }
    let key = versioned();
    let gcm = CipherAlgorithm::A256Gcm;
    let done = client
        .encrypt(&key, gcm, &Sealed { value: b"plain", aad: Some(b"more"), ..Sealed::default() })
        .await
        .unwrap()
        .value;
    assert_eq!((done.value, done.iv, done.tag), (vec![1], Some(vec![2]), Some(vec![3])));
    let body = r#"{"alg":"A256GCM","value":"cGxhaW4","aad":"bW9yZQ"}"#;
    assert_eq!(sent(&vault), (format!("POST /keys/My-Key/{VERSION}/encrypt"), body.into()));

    let input = Sealed { value: &[1], iv: Some(&[2]), tag: Some(&[3]), aad: Some(b"more") };
    assert_eq!(*client.decrypt(&key, gcm, &input).await.unwrap().value.value, [1]);
    let body = r#"{"alg":"A256GCM","value":"AQ","iv":"Ag","tag":"Aw","aad":"bW9yZQ"}"#;
    assert_eq!(sent(&vault), (format!("POST /keys/My-Key/{VERSION}/decrypt"), body.into()));

    let oaep = CipherAlgorithm::RsaOaep256;
    client.wrap(&key, oaep, &[0; 3]).await.unwrap();
    let body = r#"{"alg":"RSA-OAEP-256","value":"AAAA"}"#;
    assert_eq!(sent(&vault), (format!("POST /keys/My-Key/{VERSION}/wrapkey"), body.into()));
    client.unwrap(&key, oaep, &Sealed { value: &[0; 3], ..Sealed::default() }).await.unwrap();
    assert_eq!(sent(&vault), (format!("POST /keys/My-Key/{VERSION}/unwrapkey"), body.into()));
}

#[tokio::test]
async fn lists_go_on_where_their_link_says_and_only_in_the_same_vault() {
    let (vault, client) = setup().await;
    let name = &newest().name;
    let page = |link: &str| answer(200, &format!(r#"{{"value":[{{"kid":"https://h/keys/a"}}],"nextLink":"{link}"}}"#));
    vault.then(page(&format!("{}/keys?api-version=2025-07-01&$skiptoken=abc", vault.url())));
    let first = client.list_keys(None).await.unwrap().value;
    assert_eq!(first.value[0].key().unwrap().name.to_string(), "a");
    vault.then(page("https://evil.example/keys?x"));
    let second = client.list_keys(first.next.as_ref()).await.unwrap().value;
    assert_eq!(vault.lines(), ["GET /keys?api-version=2025-07-01", "GET /keys?api-version=2025-07-01&$skiptoken=abc"]);
    assert!(matches!(client.list_keys(second.next.as_ref()).await, Err(ClientError::ForeignLink(_))));
    vault.then(answer(200, r#"{"value":[],"nextLink":null}"#));
    assert_eq!(client.list_key_versions(name, None).await.unwrap().value.next, None);
    vault.then(answer(200, r#"{"value":[{"kid":"https://h/keys/a","recoveryId":"r","deletedDate":1}]}"#));
    assert_eq!(client.list_deleted_keys(None).await.unwrap().value.value[0].deleted_date, Some(1));
    assert_eq!(
        vault.lines(),
        ["GET /keys/My-Key/versions?api-version=2025-07-01", "GET /deletedkeys?api-version=2025-07-01"]
    );
}

#[tokio::test]
async fn a_refusal_is_told_with_its_codes_and_its_receipt() {
    let (vault, client) = setup().await;
    vault.then(answer(403, r#"{"error":{"code":"Forbidden","message":"no","innererror":{"code":"KeyDisabled"}}}"#));
    match client.sign(&newest(), SignAlgorithm::Es256, &[0; 32]).await {
        Err(ClientError::Refused { status: 403, code, inner, message, receipt }) => {
            assert_eq!((code.as_str(), inner.as_deref(), message.as_str()), ("Forbidden", Some("KeyDisabled"), "no"));
            assert_eq!(receipt.as_deref(), Some(RECEIPT));
        }
        other => panic!("{:?}", other.map(|done| done.receipt)),
    }
}

#[tokio::test]
async fn an_answer_that_is_not_the_apis_is_an_error() {
    let (vault, client) = setup().await;
    for body in ["", "nonsense", "{}", r#"{"kid":"k","value":"?"}"#] {
        vault.then(answer(200, body));
        let failed = client.sign(&newest(), SignAlgorithm::Es256, &[0; 32]).await.unwrap_err();
        assert!(matches!(failed, ClientError::BadAnswer(_)), "{failed}");
    }
}
