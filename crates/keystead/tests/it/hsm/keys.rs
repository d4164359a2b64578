//! Keys of an HSM through the API.

use super::{pkcs11_tool, start, vault};
use crate::support::{Place, Vault, b64, unb64};
use serde_json::{Value, json};

fn create(vault: &mut Vault, name: &str, body: &Value) -> Value {
    vault.call("POST", &format!("/keys/{name}/create"), Some(body)).unwrap().ok()
}

fn use_key(vault: &mut Vault, key: &str, op: &str, body: &Value) -> Value {
    let reply = vault.call("POST", &format!("/keys/{key}/{op}"), Some(body)).unwrap();
    assert!(reply.receipt().is_some());
    reply.ok()
}

#[test]
fn keys_of_an_hsm_vault_are_the_hsms_whatever_was_asked_and_do_all_that_the_token_can() {
    let place = Place::new();
    let server = start(&place);
    let mut vault = vault(&place, &server);
    for (name, asked, shown) in [
        ("ec", json!({"kty": "EC-HSM", "crv": "P-256"}), "EC-HSM"),
        ("ec384", json!({"kty": "EC", "crv": "P-384"}), "EC-HSM"),
        ("rsa", json!({"kty": "RSA", "key_size": 2048}), "RSA-HSM"),
        ("oct", json!({"kty": "oct-HSM", "key_size": 256}), "oct-HSM"),
    ] {
        assert_eq!(create(&mut vault, name, &asked)["key"]["kty"], shown, "{name}");
    }
    for (key, alg, length) in [("ec", "ES256", 32), ("ec384", "ES384", 48), ("rsa", "PS256", 32), ("rsa", "RS512", 64)]
    {
        let digest = b64(&vec![7; length]);
        let signed = use_key(&mut vault, key, "sign", &json!({"alg": alg, "value": digest}));
        let check = json!({"alg": alg, "digest": digest, "value": signed["value"]});
        assert_eq!(use_key(&mut vault, key, "verify", &check)["value"], true, "{alg}");
    }
    for (key, alg) in [("rsa", "RSA-OAEP"), ("oct", "A256GCM")] {
        let sealed = use_key(&mut vault, key, "encrypt", &json!({"alg": alg, "value": b64(b"plain")}));
        let open = json!({"alg": alg, "value": sealed["value"], "iv": sealed["iv"], "tag": sealed["tag"]});
        let plain = use_key(&mut vault, key, "decrypt", &open);
        assert_eq!(unb64(plain["value"].as_str().unwrap()), b"plain", "{alg}");
    }
    let wrapped = use_key(&mut vault, "oct", "wrapkey", &json!({"alg": "A256KW", "value": b64(&[9; 32])}));
    let back = use_key(&mut vault, "oct", "unwrapkey", &json!({"alg": "A256KW", "value": wrapped["value"]}));
    assert_eq!(unb64(back["value"].as_str().unwrap()), [9; 32]);
    let random = vault.call("POST", "/rng", Some(&json!({"count": 32}))).unwrap().ok();
    assert_eq!(unb64(random["value"].as_str().unwrap()).len(), 32);
    let attested = vault.call("GET", "/keys/rsa//attestation", None).unwrap().ok();
    let statement = unb64(attested["attributes"]["attestation"]["privateKeyAttestation"].as_str().unwrap());
    let statement: Value = serde_json::from_slice(&statement).unwrap();
    assert_eq!((&statement["protection"], &statement["placement"]), (&json!("hsm"), &json!("wrapped")));
    assert!(statement["statement"].as_str().unwrap().contains("no device signed it"));
    assert!(server.stop().success());
}

#[test]
fn what_a_token_cannot_is_refused_by_name_and_a_vault_without_an_hsm_has_no_hsm_keys() {
    let place = Place::new();
    let server = start(&place);
    let mut vault = vault(&place, &server);
    create(&mut vault, "rsa", &json!({"kty": "RSA-HSM", "key_size": 2048}));
    // SoftHSM2 has OAEP with SHA-1 only. Encryption needs the public half alone.
    let sealed = use_key(&mut vault, "rsa", "encrypt", &json!({"alg": "RSA-OAEP-256", "value": b64(b"x")}));
    let open = json!({"alg": "RSA-OAEP-256", "value": sealed["value"]});
    let refused = vault.call("POST", "/keys/rsa/decrypt", Some(&open)).unwrap();
    assert_eq!((refused.status, refused.code().as_str()), (400, "NotSupported"));
    assert!(refused.message().contains("RSA-OAEP-256") && refused.receipt().is_some());
    let mut software = server.vault();
    let refused = software.call("POST", "/keys/k/create", Some(&json!({"kty": "EC-HSM"}))).unwrap();
    assert_eq!((refused.status, refused.code().as_str()), (400, "BadParameter"));
    assert!(refused.message().contains("no HSM"), "{}", refused.message());
    assert_eq!(software.get("k").unwrap().status, 404);
}

#[test]
fn with_the_pin_nobody_sees_more_than_the_wrapping_key_and_the_canary_after_a_hundred_keys() {
    let place = Place::new();
    let server = start(&place);
    let mut vault = vault(&place, &server);
    for n in 0..100 {
        let kind = if n % 2 == 0 { json!({"kty": "EC-HSM"}) } else { json!({"kty": "oct-HSM"}) };
        create(&mut vault, &format!("k{n}"), &kind);
        vault.sign(&format!("k{n}"), &[7; 32]).unwrap();
    }
    let (listed, text) = pkcs11_tool(&place, &["--list-objects"]);
    assert!(listed, "{text}");
    let objects = text.lines().filter(|line| line.contains("Object;") || line.contains("Data object")).count();
    assert_eq!(objects, 2, "{text}");
    assert!(server.stop().success());
}

#[test]
fn keys_of_an_hsm_are_backed_up_restored_rotated_and_kept_over_a_restart() {
    let place = Place::new();
    let server = start(&place);
    let mut first = vault(&place, &server);
    let made = create(&mut first, "pay", &json!({"kty": "EC-HSM"}));
    let backup = first.call("POST", "/keys/pay/backup", None).unwrap().ok();
    let rotated = first.call("POST", "/keys/pay/rotate", None).unwrap().ok();
    assert_eq!(rotated["key"]["kty"], "EC-HSM");
    assert!(server.stop().success());
    let server = start(&place);
    let mut again = vault(&place, &server);
    let old = made["key"]["kid"].as_str().unwrap().to_owned();
    let signed = again.sign(&old, &[7; 32]).unwrap().ok();
    assert_eq!(signed["kid"], old.as_str());
    again.delete("pay").unwrap();
    assert_eq!(again.purge("pay").unwrap().status, 204);
    let restored = again.call("POST", "/keys/restore", Some(&json!({"value": backup["value"]}))).unwrap().ok();
    assert_eq!(restored["key"], made["key"]);
    let signed = again.sign(&old, &[7; 32]).unwrap().ok();
    let check = json!({"alg": "ES256", "digest": b64(&[7; 32]), "value": signed["value"]});
    assert_eq!(use_key(&mut again, "pay", "verify", &check)["value"], true);
}
