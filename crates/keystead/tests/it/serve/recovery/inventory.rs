//! A rehearsal believes an inventory of the backup's own vault only, by a node that the customer knows.

use super::super::quorum::good;
use super::super::said;
use super::{Before, as_client, recovered, site};
use keystead_crypto::ed25519::SigningKey;
use keystead_custody::activation::NodeIdentity;
use keystead_formats::inventory::{Page, SignedPage};
use serde_json::Value;
use std::fs;
use std::process::Output;

/// An inventory as somebody signs it who changed it, and the words of his node.
fn forged(inventory: &str, change: impl Fn(&mut Page)) -> (String, String) {
    let key = SigningKey::from_seed(&[7; 32]);
    let (mut lines, mut words) = (String::new(), String::new());
    for line in inventory.lines() {
        let (_, mut page) = SignedPage::parse(line.as_bytes()).unwrap();
        (page.node, page.node_key) = ("07".repeat(16), hex::encode(key.public()));
        change(&mut page);
        words = NodeIdentity { id: page.node.parse().unwrap(), key: key.public() }.words();
        let text = page.to_text();
        let signature = key.sign(&Page::message(&text));
        lines = format!("{lines}{}\n", SignedPage { text, signature }.to_line());
    }
    (lines, words)
}

fn differences(done: &Output) -> Vec<String> {
    assert_eq!(done.status.code(), Some(1), "{done:?}");
    let report: Value = serde_json::from_slice(&done.stdout).unwrap();
    assert_eq!(report["equal"], false, "{report}");
    report["differences"].as_array().unwrap().iter().map(|d| d["key"].as_str().unwrap().to_owned()).collect()
}

#[test]
fn an_inventory_that_anybody_signed_or_of_another_vault_proves_nothing() {
    let before = Before::empty("", &[], "vault");
    before.customer.site.call("pay", &before.token, "POST", "/keys/sign/create", r#"{"kty":"EC"}"#).ok();
    let mut before = before.backed_up();
    let whole = fs::read_to_string(before.customer.file("inventory.json")).unwrap();
    let rehearse = |text: &str, more: &[&str]| {
        fs::write(before.customer.file("given.json"), text).unwrap();
        before.rehearse(&["alice", "bob"], &[&["--inventory", "given.json"], more].concat())
    };
    // By a key of anybody's, it proves nothing before the words of its node were compared.
    let (own, words) = forged(&whole, |_| ());
    for (more, why) in [(&[][..], "--node"), (&["--node", "some other words"][..], "the words differ")] {
        let done = rehearse(&own, more);
        assert!(done.status.code() == Some(1) && said(&done).contains(why), "{done:?}");
        assert!(!said(&done).contains(&words), "its own words prove nothing: {done:?}");
    }
    let node: &[&str] = &["--node", &words, "--output", "json"];
    assert_eq!(differences(&rehearse(&own, node)), ["(log)"], "the checkpoints are another node's");
    // That it is of another vault does not take the log out of the comparison unseen.
    let (foreign, _) = forged(&whole, |page| page.vault = "07".repeat(16));
    assert_eq!(differences(&rehearse(&foreign, node)), ["(vault)"]);
    let done = rehearse(&foreign, &["--node", &words]);
    assert!(said(&done).contains("two vaults"), "{done:?}");
    // A node that the record does not name, and the customer knows: that of the machine where the vault went on.
    before.lose();
    let after = site("");
    let (_running, client) = recovered(&before, &after, "vault", &[]);
    let token = after.token(&client);
    after.call("other", &token, "POST", "/keys/sign/create", r#"{"kty":"EC"}"#).ok();
    let made: Value = json(as_client(&after, &client, &["backup", "start", "--output", "json"]));
    let folder = made["azureStorageBlobContainerUri"].as_str().unwrap().rsplit('/').next().unwrap().to_owned();
    let backup = after.place.beside(&format!("backups/backups/{folder}/vault.ksbackup"));
    let file = after.place.beside("inventory.json");
    let (backup, file) = (backup.to_str().unwrap(), file.to_str().unwrap());
    let told = json(as_client(&after, &client, &["backup", "inventory", "--out", file, "--output", "json"]));
    let words = told["node_words"].as_str().unwrap();
    let of = |backup: &str, more: &[&str]| {
        let keys = ["--domain", "domain", "--key", "alice.key.pem", "--key", "bob.key.pem"];
        let files = ["--backup", backup, "--inventory", file, "--scratch", "scratch"];
        before.customer.site.place.cli(&[&["rehearse"], &keys[..], &files, more].concat())
    };
    let unknown = of(backup, &[]);
    let why = said(&unknown);
    assert!(unknown.status.code() == Some(1) && why.contains("--node") && !why.contains(words), "{why}");
    let known = good(of(backup, &["--node", words]));
    assert!(known.contains("is there and works") && known.contains("its words were compared"), "{known}");
    let others = differences(&of(&before.backup(), &["--node", words, "--output", "json"]));
    assert!(others.contains(&"(vault)".to_owned()), "{others:?}");
}

fn json(done: Output) -> Value {
    serde_json::from_str(&good(done)).unwrap()
}
