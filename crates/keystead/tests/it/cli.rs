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
fn a_key_goes_through_import_rotation_backup_and_restore_on_the_command_line() {
    let place = Place::new();
    let server = place.dev();
    let path = |name: &str| place.beside(name).to_str().unwrap().to_owned();
    let random = text(&place.cli(&["key", "random", "32"]));
    assert_eq!(random.trim().len(), 43, "{random}");
    assert!(text(&place.cli(&["key", "random", "32", "--raw", "--out", &path("raw")])).is_empty());
    assert_eq!(fs::read(path("raw")).unwrap().len(), 32);
    assert_eq!(code(&place.cli(&["key", "random", "129"])), Some(2));

    assert!(text(&place.cli(&["key", "import", "archive", "--raw", "--in", &path("raw")])).contains("oct 256"));
    fs::write(path("jwk"), format!(r#"{{"kty":"oct","k":"{}"}}"#, random.trim())).unwrap();
    assert!(text(&place.cli(&["key", "import", "archive", "--in", &path("jwk"), "--tag", "a=b"])).contains("a=b"));
    assert_eq!(code(&place.cli(&["key", "import", "archive", "--in", &path("raw")])), Some(2), "bytes are no JWK");

    assert!(text(&place.cli(&["key", "policy", "archive"])).contains("P30D before expiry"));
    let set = ["key", "policy", "archive", "--rotate-after", "P90D", "--expiry", "P4M"];
    assert!(text(&place.cli(&set)).contains("P90D after creation"));
    assert!(text(&place.cli(&["key", "rotate", "archive"])).contains("a=b"));
    let versions = text(&place.cli(&["key", "versions", "archive"]));

    text(&place.cli(&["key", "backup", "archive", "--out", &path("backup")]));
    assert!(!place.cli(&["key", "restore", "--in", &path("backup")]).status.success(), "the name is taken");
    text(&place.cli(&["key", "delete", "archive"]));
    text(&place.cli(&["key", "purge", "archive", "--yes"]));
    assert!(text(&place.cli(&["key", "restore", "--in", &path("backup")])).contains("archive"));
    assert_eq!(text(&place.cli(&["key", "versions", "archive"])), versions);
    assert!(text(&place.cli(&["key", "policy", "archive"])).contains("P4M"));
    assert!(server.stop().success());
}
