//! With all that lies on the server's disk, a backup, and one custodian less than the quorum, nothing opens.

use super::super::quorum::{SIGN, good, offer};
use super::super::{Site, private, said, stop};
use super::{Before, as_client, carry, create, site};
use std::fs;
use std::path::Path;
use std::process::{Command, Output};

/// The data directory at another place, under another configuration.
fn copied(before: &Before) -> Site {
    let site = site("");
    let (from, to) = (&before.customer.site.place.data, &site.place.data);
    let _ = fs::remove_dir_all(to);
    assert!(Command::new("cp").arg("-a").args([from, to]).status().unwrap().success());
    site
}

const ROLE: &str = "Key Vault Crypto Officer";

fn refused(done: &Output, code: i32, part: &str) {
    assert!(done.status.code() == Some(code) && said(done).contains(part), "{code} {part}: {done:?}");
}

/// At the copy, by the name that the vault has.
fn sign(copy: &Site, before: &Before) -> (u16, String) {
    let (host, bearer) = (format!("pay.localhost:{}", before.customer.site.place.port), before.token.clone());
    let headers = [("host", host.as_str()), ("authorization", &format!("Bearer {bearer}"))];
    let reply = copy.http().send("POST", "/keys/sign/sign?api-version=7.6", &headers, SIGN.as_bytes()).unwrap();
    (reply.status, if reply.status == 200 { String::new() } else { reply.code() })
}

#[test]
fn data_directory_backup_and_one_custodian_less_than_the_quorum_open_nothing_and_with_him_all_opens() {
    let mut before = Before::new();
    drop(before.running.take());
    let copy = copied(&before);
    // serve, unseal, doctor.
    let running = copy.start();
    assert_eq!(sign(&copy, &before), (403, "VaultSealed".to_owned()));
    refused(&copy.vault(&["unseal", "pay"]), 3, "its custodians open it");
    refused(&copy.operator("path", &["add", "pay", "file"]), 4, "open");
    let doctor = copy.operator("doctor", &[]);
    let told = String::from_utf8_lossy(&doctor.stdout).into_owned() + &said(&doctor);
    assert!(told.contains("keystead unseal pay"), "{doctor:?}");
    let challenge = copy.place.beside("challenge").to_str().unwrap().to_owned();
    good(copy.operator("unseal", &["pay", "--out", &challenge]));
    let answer = |name: &str| {
        let (key, out) = (format!("{name}.key.pem"), before.customer.file(&format!("{name}.answer")));
        let words = ["custodian", "answer", "--challenge", &challenge, "--domain", "domain", "--key", &key];
        good(before.customer.site.place.cli(&[&words[..], &["--out", &out]].concat()));
        out
    };
    let alice = answer("alice");
    assert!(good(copy.operator("unseal", &["pay", "--answer", &alice])).contains("missing: 1"));
    refused(&copy.operator("unseal", &["pay", "--answer", &alice]), 1, "given twice");
    assert_eq!(sign(&copy, &before), (403, "VaultSealed".to_owned()));
    // domain recover, rehearse; the same custodian twice is no second one, and a stranger none.
    let other = site("");
    let elsewhere = other.start();
    create(&other, "other", "vault");
    let file = other.place.beside("offer.json").to_str().unwrap().to_owned();
    let node = offer(&other, &["other", "--out", &file]);
    refused(&before.recover((&file, "other words"), &["alice", "carol"], "none"), 1, "the words differ");
    let offer = (&*file, &*node);
    refused(&before.recover(offer, &["alice"], "none"), 3, "1 of 2 shares are there: 1 more");
    refused(&before.recover(offer, &["alice", "alice"], "none"), 3, "given twice");
    assert!(!Path::new(&before.customer.file("none")).exists());
    refused(&before.rehearse(&["alice"], &["--inventory", "inventory.json"]), 3, "1 of 2 shares are there: 1 more");
    let stranger = before.customer.file("stranger.key.pem");
    let made = Command::new("openssl").args(["genpkey", "-algorithm", "RSA", "-out", &stranger]).output().unwrap();
    assert!(made.status.success());
    private(Path::new(&stranger), &fs::read_to_string(&stranger).unwrap());
    refused(&before.rehearse(&["alice", "stranger"], &[]), 3, "stranger.key.pem: the key is of nobody");
    let words = ["custodian", "answer", "--challenge", &challenge, "--domain", "domain", "--key", &stranger];
    refused(&before.customer.site.place.cli(&words), 3, "the key is of nobody");
    // The backup in another vault: neither read nor restored.
    stop(elsewhere);
    let own = site("");
    let vault = own.start();
    let authority = format!("localhost:{}", own.place.port);
    let words = ["create", "own", "--authority", &authority, "--client", "c", "--role", ROLE, "--output", "json"];
    let client = serde_json::from_str(&good(own.vault(&words))).unwrap();
    carry(&before, &own);
    for words in [["backup", "verify", &before.folder], ["restore", "start", &before.folder]] {
        let done = as_client(&own, &client, &words);
        assert!(!done.status.success() && said(&done).contains("security domain"), "{done:?}");
    }
    stop(vault);
    // With the second custodian all of it opens.
    let bob = answer("bob");
    assert_eq!(good(copy.operator("unseal", &["pay", "--answer", &bob])).trim(), "pay is open");
    assert_eq!(sign(&copy, &before).0, 200);
    good(copy.operator("doctor", &[]));
    stop(running);
    good(before.recover(offer, &["alice", "bob"], "all"));
    good(before.rehearse(&["alice", "bob"], &["--inventory", "inventory.json"]));
}
