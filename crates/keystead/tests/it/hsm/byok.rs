//! Keys of one's own, brought in wrapped.

use super::{start, vault};
use crate::support::{Place, Vault, b64};
use serde_json::{Value, json};
use std::fs;
use std::process::Command;

/// A key exchange key in the vault, its public half in a file, and its id.
fn kek(place: &Place, vault: &mut Vault, kty: &str) -> (String, String) {
    let body = json!({"kty": kty, "key_size": 2048, "key_ops": ["import"]});
    let made = vault.call("POST", "/keys/kek/create", Some(&body)).unwrap().ok();
    let port = vault.http.port();
    let url = format!("https://localhost:{port}");
    let shown = place.cli(&["key", "--vault", &url, "show", "kek", "--pem"]);
    assert!(shown.status.success(), "{}", String::from_utf8_lossy(&shown.stderr));
    let file = place.beside(&format!("kek-{port}.pem"));
    fs::write(&file, shown.stdout).unwrap();
    (file.to_str().unwrap().to_owned(), made["key"]["kid"].as_str().unwrap().to_owned())
}

pub(super) fn openssl(words: &[&str]) {
    let done = Command::new("openssl").args(words).output().unwrap();
    assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
}

/// The file that `keystead byok wrap` makes.
fn wrapped(place: &Place, kek: &(String, String), key: &str, raw: bool) -> Vec<u8> {
    let mut words = vec!["byok", "wrap", "--kek", &kek.0, "--kid", &kek.1, "--in", key];
    if raw {
        words.push("--raw");
    }
    let done = place.cli(&words);
    assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
    done.stdout
}

fn import(vault: &mut Vault, name: &str, kty: &str, crv: Option<&str>, blob: &[u8]) -> crate::support::Reply {
    let mut key = json!({"kty": kty, "key_hsm": b64(blob)});
    if let Some(crv) = crv {
        key["crv"] = crv.into();
    }
    vault.call("PUT", &format!("/keys/{name}"), Some(&json!({ "key": key }))).unwrap()
}

/// RSA, EC and symmetric keys come in under a key exchange key of this vault and are the same keys there.
fn comes_in(place: &Place, vault: &mut Vault, suffix: &str) {
    let kek = kek(place, vault, &format!("RSA{suffix}"));
    let at = |name: &str| place.beside(name).to_str().unwrap().to_owned();
    openssl(&["genpkey", "-algorithm", "RSA", "-pkeyopt", "rsa_keygen_bits:2048", "-out", &at("rsa.pem")]);
    openssl(&["genpkey", "-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-256", "-out", &at("ec.pem")]);
    fs::write(at("oct.bin"), [0x5a; 32]).unwrap();
    for (file, family, crv, alg) in [("rsa.pem", "RSA", None, "RS256"), ("ec.pem", "EC", Some("P-256"), "ES256")] {
        let blob = wrapped(place, &kek, &at(file), false);
        let name = format!("own-{family}");
        let made = import(vault, &name, &format!("{family}{suffix}"), crv, &blob).ok();
        assert_eq!(made["key"]["kty"], format!("{family}{suffix}"));
        let body = json!({"alg": alg, "value": b64(&[7; 32])});
        let signed = vault.call("POST", &format!("/keys/{name}/sign"), Some(&body)).unwrap().ok();
        let check = json!({"alg": alg, "digest": b64(&[7; 32]), "value": signed["value"]});
        assert_eq!(vault.call("POST", &format!("/keys/{name}/verify"), Some(&check)).unwrap().ok()["value"], true);
        refused(vault, &name, &format!("{family}{suffix}"), crv, &blob);
    }
    let blob = wrapped(place, &kek, &at("oct.bin"), true);
    import(vault, "own-oct", &format!("oct{suffix}"), None, &blob).ok();
    let body = json!({"alg": "A256KW", "value": b64(&[9; 32])});
    let got = vault.call("POST", "/keys/own-oct/wrapkey", Some(&body)).unwrap().ok();
    // RFC 3394 under the key that went in: what OpenSSL's command line cannot, the vault of the other kind does.
    let mut same = vault.another();
    let jwk = json!({"key": {"kty": format!("oct{suffix}"), "k": b64(&[0x5a; 32])}});
    same.call("PUT", "/keys/same-oct", Some(&jwk)).unwrap().ok();
    let again = same.call("POST", "/keys/same-oct/wrapkey", Some(&body)).unwrap().ok();
    assert_eq!(got["value"], again["value"]);
}

/// Nothing is kept of a blob that is not whole, not this kind, or not for this key exchange key.
fn refused(vault: &mut Vault, good: &str, kty: &str, crv: Option<&str>, blob: &[u8]) {
    let document: Value = serde_json::from_slice(blob).unwrap();
    let with = |change: &dyn Fn(&mut Value)| {
        let mut changed = document.clone();
        change(&mut changed);
        serde_json::to_vec(&changed).unwrap()
    };
    let cipher = crate::support::unb64(document["ciphertext"].as_str().unwrap());
    let mut flipped = cipher.clone();
    flipped[300] ^= 1;
    let kid = document["header"]["kid"].as_str().unwrap().to_owned();
    let other = kid.replace("/kek/", &format!("/{good}/"));
    let current = vault.get(good).unwrap().ok()["key"]["kid"].as_str().unwrap().to_owned();
    for (what, blob, status) in [
        ("altered", with(&|d| d["ciphertext"] = b64(&flipped).into()), 400),
        ("truncated", with(&|d| d["ciphertext"] = b64(&cipher[..cipher.len() - 8]).into()), 400),
        ("wrong alg", with(&|d| d["header"]["alg"] = "RSA-OAEP".into()), 400),
        ("unknown key exchange key", with(&|d| d["header"]["kid"] = other.clone().into()), 404),
        ("one for another purpose", with(&|d| d["header"]["kid"] = current.clone().into()), 403),
        ("no document", b"{}".to_vec(), 400),
    ] {
        let reply = import(vault, "never", kty, crv, &blob);
        assert_eq!(reply.status, status, "{what}: {}", reply.message());
    }
    let (wrong, wrong_crv) = if kty.starts_with("EC") { ("RSA", None) } else { ("EC", Some("P-256")) };
    let suffix = if kty.ends_with("-HSM") { "-HSM" } else { "" };
    assert_eq!(import(vault, "never", &format!("{wrong}{suffix}"), wrong_crv, blob).status, 400, "another kind");
    assert_eq!(vault.get("never").unwrap().status, 404, "nothing is kept");
}

#[test]
fn keys_come_into_a_software_vault_under_its_key_exchange_key_and_nothing_else_does() {
    let place = Place::new();
    let server = place.dev();
    comes_in(&place, &mut server.vault(), "");
}

#[test]
fn keys_come_into_an_hsm_inside_the_token_and_nothing_else_does() {
    let place = Place::new();
    let server = start(&place);
    comes_in(&place, &mut vault(&place, &server), "-HSM");
}

#[test]
fn a_key_exchange_key_does_nothing_else_and_wraps_for_its_own_level_only() {
    let place = Place::new();
    let server = start(&place);
    let mut hsm = vault(&place, &server);
    let both = json!({"kty": "RSA-HSM", "key_ops": ["import", "decrypt"]});
    let reply = hsm.call("POST", "/keys/kek/create", Some(&both)).unwrap();
    assert_eq!((reply.status, reply.code().as_str()), (400, "BadParameter"));
    kek(&place, &mut hsm, "RSA-HSM");
    let body = json!({"alg": "RSA-OAEP", "value": b64(&[1; 256])});
    assert_eq!(hsm.call("POST", "/keys/kek/decrypt", Some(&body)).unwrap().status, 403);
}
