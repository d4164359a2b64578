//! The end of a vault: nothing is left on the server by which it opens, and what is said of older copies is true.

use super::quorum::{Customer, SIGN, good};
use super::{Running, Site, said, stop};
use serde_json::Value;
use std::fs;
use std::process::Command;

/// A vault with a key, and a copy of its store from then.
struct Copied {
    site: Site,
    running: Running,
    token: String,
}

impl Copied {
    fn new(before_the_copy: &[&[&str]]) -> Self {
        let site = Site::new();
        let running = site.start();
        let token = site.token(&site.create("pay"));
        site.call("pay", &token, "POST", "/keys/k/create", r#"{"kty":"EC"}"#).ok();
        for words in before_the_copy {
            good(site.vault(words));
        }
        stop(running);
        let (data, copy) = (&site.place.data, site.place.beside("copy"));
        assert!(Command::new("cp").arg("-a").arg(data).arg(&copy).status().unwrap().success());
        let running = site.start();
        Self { site, running, token }
    }

    fn erase(&self) -> Value {
        let erased = self.site.vault(&["erase", "pay", "--confirm", "pay", "--output", "json"]);
        serde_json::from_str(&good(erased)).unwrap()
    }

    /// The server stands on the copy from here on.
    fn back(self) -> (Site, Running, String) {
        let Self { site, running, token } = self;
        stop(running);
        fs::rename(&site.place.data, site.place.beside("erased")).unwrap();
        fs::rename(site.place.beside("copy"), &site.place.data).unwrap();
        let running = site.start();
        (site, running, token)
    }
}

#[test]
fn an_erased_vault_is_gone_and_an_older_copy_opens_by_the_shared_key_file_as_was_told() {
    let copied = Copied::new(&[]);
    let erased = copied.erase();
    assert_eq!((&erased["keys"], &erased["left"]), (&1.into(), &serde_json::json!([])), "{erased}");
    assert_eq!(erased["copies"], serde_json::json!([{ "path": "file", "kind": "file", "opens": true }]));
    let site = &copied.site;
    assert_eq!(site.call("pay", &copied.token, "GET", "/keys", "").status, 404);
    let listed = good(site.vault(&["list"]));
    let id = erased["vault"].as_str().unwrap();
    assert!(listed.lines().any(|line| line.starts_with(id) && line.contains("deleted")), "{listed}");
    let again = site.vault(&["erase", id, "--confirm", id]);
    assert!(again.status.code() == Some(3) && said(&again).contains("deleted"), "{again:?}");
    // Name and authority are free, also after a restart.
    let token = site.token(&site.create("pay"));
    site.call("pay", &token, "POST", "/keys/k/create", r#"{"kty":"EC"}"#).ok();
    assert!(!good(site.operator("doctor", &[])).contains("bad"));

    let (site, running, token) = copied.back();
    site.call("pay", &token, "POST", "/keys/k/sign", SIGN).ok();
    stop(running);
}

#[test]
fn an_older_copy_does_not_open_once_the_key_file_that_was_the_vaults_alone_is_destroyed() {
    let copied = Copied::new(&[&["rotate-root", "pay", "--after-purge"]]);
    let erased = copied.erase();
    assert_eq!(erased["copies"], serde_json::json!([{ "path": "file", "kind": "file", "opens": false }]));
    let (site, running, token) = copied.back();
    assert_eq!(site.call("pay", &token, "GET", "/keys", "").code(), "VaultSealed");
    stop(running);
}

#[test]
fn only_who_means_it_erases_an_open_vault_and_purge_protection_holds() {
    let site = Site::new();
    let running = site.start();
    let token = site.token(&site.create("pay"));
    let other = site.vault(&["erase", "pay", "--confirm", "lab"]);
    assert!(other.status.code() == Some(2) && said(&other).contains("nothing was done"), "{other:?}");
    good(site.vault(&["seal", "pay"]));
    let sealed = site.vault(&["erase", "pay", "--confirm", "pay"]);
    assert!(sealed.status.code() == Some(4) && said(&sealed).contains("needs it to be open"), "{sealed:?}");
    good(site.vault(&["unseal", "pay"]));
    site.call("pay", &token, "GET", "/keys", "").ok();

    let authority = format!("kept.localhost:{}", site.place.port);
    let officer = ["--client", "a", "--role", "Key Vault Crypto Officer", "--output", "json"];
    let words = [&["create", "kept", "--authority", &authority, "--purge-protection"], &officer[..]].concat();
    let kept: Value = serde_json::from_str(&good(site.vault(&words))).unwrap();
    let token = site.token(&kept);
    site.call("kept", &token, "POST", "/keys/k/create", r#"{"kty":"EC"}"#).ok();
    site.call("kept", &token, "DELETE", "/keys/k", "").ok();
    let refused = site.vault(&["erase", "kept", "--confirm", "kept"]);
    assert!(refused.status.code() == Some(3) && said(&refused).contains("purge protection and 1 keys"), "{refused:?}");
    site.call("kept", &token, "GET", "/deletedkeys/k", "").ok();
    stop(running);
    let verified = site.place.cli(&["audit", "verify", "--data", site.place.data_str()]);
    assert!(verified.status.success(), "{verified:?}");
}

#[test]
fn of_an_erased_vault_of_custodians_it_is_told_that_they_open_older_copies() {
    let customer = Customer::new();
    let (running, _) = customer.activated();
    let told = good(customer.site.vault(&["erase", "pay", "--confirm", "pay"]));
    assert!(told.contains("its custodians open them") && told.contains("2 of 3"), "{told}");
    stop(running);
    let running = customer.site.start();
    let listed = good(customer.site.vault(&["list"]));
    assert!(listed.contains("deleted") && !listed.contains("pay"), "{listed}");
    good(customer.create());
    stop(running);
    let verified = customer.site.place.cli(&["audit", "verify", "--data", customer.site.place.data_str()]);
    assert!(verified.status.success(), "{verified:?}");
}
