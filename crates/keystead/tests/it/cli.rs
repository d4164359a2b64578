//! The command line, as README shows it.

use crate::support::Place;
use std::fs;
use std::process::{Command, Output};

fn text(output: &Output) -> String {
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout.clone()).unwrap()
}

fn code(output: &Output) -> Option<i32> {
    output.status.code()
}

#[test]
fn openssl_verifies_what_the_command_line_signs_and_the_receipt_proves() {
    let place = Place::new();
    let server = place.dev();
    let (message, signature, public) = (place.beside("message"), place.beside("sig"), place.beside("p.pem"));
    fs::write(&message, "hello\n").unwrap();
    let path = |p: &std::path::Path| p.to_str().unwrap().to_owned();

    assert!(text(&place.cli(&["key", "create", "payments", "--kty", "EC"])).contains("payments"));
    let sign = ["key", "sign", "payments", "--receipt", "--format", "der"];
    let signed = place.cli(&[&sign[..], &["--in", &path(&message), "--out", &path(&signature)]].concat());
    let shown = String::from_utf8(signed.stderr.clone()).unwrap();
    let receipt = shown.split_whitespace().find(|word| word.starts_with("1.")).unwrap().to_owned();
    fs::write(&public, text(&place.cli(&["key", "show", "payments", "--pem"]))).unwrap();
    let verified = Command::new("openssl")
        .args(["dgst", "-sha256", "-verify", &path(&public), "-signature", &path(&signature), &path(&message)])
        .output()
        .unwrap();
    assert_eq!(text(&verified), "Verified OK\n");

    assert!(text(&place.cli(&["audit", "prove", &receipt])).contains("proven"));
    assert!(text(&place.cli(&["audit", "tail", "-n", "20"])).contains("keys/sign"));
    assert!(text(&place.cli(&["audit", "checkpoint"])).starts_with("keystead/"));
    assert!(text(&place.cli(&["audit", "verify", "--data", place.data_str()])).contains("whole"));
    assert!(server.stop().success());
}

#[test]
fn what_the_command_line_encrypts_and_wraps_it_gives_back() {
    let place = Place::new();
    let _server = place.dev();
    let (plain, sealed, back) = (place.beside("plain"), place.beside("sealed"), place.beside("back"));
    fs::write(&plain, b"thirty-two bytes of key material").unwrap();
    let path = |p: &std::path::Path| p.to_str().unwrap().to_owned();
    for (name, kty, there, again) in [("aes", "oct", "encrypt", "decrypt"), ("rsa", "RSA", "wrap", "unwrap")] {
        text(&place.cli(&["key", "create", name, "--kty", kty]));
        text(&place.cli(&["key", there, name, "--in", &path(&plain), "--out", &path(&sealed)]));
        text(&place.cli(&["key", again, name, "--in", &path(&sealed), "--out", &path(&back)]));
        assert_eq!(fs::read(&plain).unwrap(), fs::read(&back).unwrap(), "{name}");
        assert_ne!(fs::read(&plain).unwrap(), fs::read(&sealed).unwrap(), "{name}");
    }
}

#[test]
fn a_key_is_listed_deleted_recovered_and_purged_and_exit_codes_tell_why_not() {
    let place = Place::new();
    let server = place.dev();
    text(&place.cli(&["key", "create", "k", "--kty", "EC"]));
    assert!(text(&place.cli(&["key", "list"])).contains('k'));
    let json: serde_json::Value =
        serde_json::from_str(&text(&place.cli(&["key", "list", "--output", "json"]))).unwrap();
    assert!(json.to_string().contains("/keys/k"), "{json}");
    text(&place.cli(&["key", "delete", "k"]));
    assert_eq!(code(&place.cli(&["key", "show", "k"])), Some(3));
    text(&place.cli(&["key", "recover", "k"]));
    text(&place.cli(&["key", "show", "k"]));
    text(&place.cli(&["key", "delete", "k"]));
    text(&place.cli(&["key", "purge", "k", "--yes"]));
    assert_eq!(code(&place.cli(&["key", "recover", "k"])), Some(3));
    assert_eq!(code(&place.cli(&["key", "create"])), Some(2));
    assert!(server.stop().success());
    assert_eq!(code(&place.cli(&["key", "list"])), Some(4));
}

#[test]
fn a_role_is_defined_given_listed_and_taken() {
    let place = Place::new();
    let _server = place.dev();
    let who = "6f1c2f0e-5d0b-4f0e-9a53-0d7c3f9b2a11";
    let sign = "Microsoft.KeyVault/managedHsm/keys/sign/action";
    assert!(text(&place.cli(&["role", "list"])).contains("Managed HSM Crypto User"));
    assert!(text(&place.cli(&["role", "show", "Managed HSM Crypto User"])).contains(sign));
    assert!(text(&place.cli(&["role", "define", "Signer", "--allow", sign])).contains(sign));
    assert!(text(&place.cli(&["role", "list", "--custom"])).contains("Signer"));
    let id = "0d7c3f9b-2a11-4f0e-9a53-6f1c2f0e5d0b";
    text(&place.cli(&["role", "assign", "Signer", who, "--scope", "/keys", "--id", id]));
    let shown = text(&place.cli(&["role", "assignments", "--principal", who]));
    assert!(["Signer", "/keys", who, id].iter().all(|word| shown.contains(word)), "{shown}");
    assert_eq!(code(&place.cli(&["role", "remove", "Signer"])), Some(3), "somebody has it");
    assert_eq!(code(&place.cli(&["role", "unassign", id])), Some(3), "it is at another scope");
    text(&place.cli(&["role", "unassign", id, "--scope", "/keys"]));
    text(&place.cli(&["role", "remove", "Signer"]));
    assert_eq!(code(&place.cli(&["role", "show", "Signer"])), Some(3));
    assert_eq!(code(&place.cli(&["role", "assign", "Signer", "nobody"])), Some(2));
    // sha256("a" 00 "b"), marked as version 8.
    let derived = text(&place.cli(&["role", "principal-id", "a", "b"]));
    assert_eq!(derived.trim().len(), 36);
    assert_eq!(derived.as_bytes()[14], b'8');
}
