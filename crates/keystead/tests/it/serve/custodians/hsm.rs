//! Other custodians for a vault with an HSM: the key that wraps its HSM keys goes into their domain, with the help of
//! those before.

use super::super::quorum::{SIGN, custodian, good};
use super::super::recovery::{as_client, create, site};
use super::super::{private, said, stop};
use super::tokens::Hsm;
use super::{OTHERS, copy, kill, replacing};
use crate::hsm::bed::{Maker, Token};
use serde_json::Value;
use std::fs;
use std::io::{BufRead as _, BufReader};
use std::process::Output;
use std::thread::sleep;
use std::time::Duration;

impl Hsm {
    /// `domain new` for others, with what these custodians of `domain` bring to it.
    fn other_domain(&self, others: &[&str], out: &str, more: &[&str]) -> Output {
        let offer = format!("{out}.offer.json");
        let _ = fs::remove_file(self.customer.file(&offer));
        good(self.customer.site.vault(&["offer", "pay", "--replace", "--out", &offer]));
        let files: Vec<String> = others.iter().map(|name| format!("{name}.pem")).collect();
        let custodians = files.iter().flat_map(|file| ["--custodian", file]);
        let rest = ["--quorum", "2", "--transfer-key", &offer, "--out", out];
        let words: Vec<&str> = ["domain", "new"].into_iter().chain(custodians).chain(rest).collect();
        self.customer.site.place.cli(&[&words[..], more].concat())
    }

    fn taken_over(&self, others: &[&str], out: &str, (before, by): (&str, [&str; 2])) {
        let keys = by.map(|name| format!("{name}.key.pem"));
        good(self.other_domain(others, out, &["--hsm-from", before, "--key", &keys[0], "--key", &keys[1]]));
    }

    fn sign(&self, key: &str) {
        self.customer.site.call("pay", &self.token, "POST", &format!("/keys/{key}/sign"), SIGN).ok();
    }

    fn make(&self, key: &str) {
        let path = format!("/keys/{key}/create");
        self.customer.site.call("pay", &self.token, "POST", &path, r#"{"kty":"EC-HSM"}"#).ok();
    }
}

#[test]
fn hsm_keys_sign_after_their_custodians_were_replaced_and_the_new_ones_bring_them_back_in_an_empty_token() {
    [Maker::SoftHsm2, Maker::Kryoptic].into_iter().for_each(replaced);
}

fn replaced(maker: Maker) {
    let (hsm, running) = Hsm::new(maker, "hsm");
    let (customer, site) = (&hsm.customer, &hsm.customer.site);
    OTHERS.iter().for_each(|name| custodian(site, name));
    stop(running);
    let before = site.place.beside("before");
    copy(&site.place.data, &before);
    let running = site.start();
    customer.opens_by(["alice", "bob"], "domain", "start");
    let key = site.call("pay", &hsm.token, "POST", "/keys/k/backup", "").ok();
    hsm.taken_over(&OTHERS, "others", ("domain", ["alice", "carol"]));
    let answers = customer.agreed(["bob", "carol"], "domain", "others", "asked");
    good(customer.replace(&["--answer", &answers[0], "--answer", &answers[1]]));
    customer.ends();
    hsm.sign("k");
    hsm.make("new");
    hsm.sign("new");
    let foreign = site.call("pay", &hsm.token, "POST", "/keys/restore", &key.to_string());
    assert!(foreign.status == 400 && foreign.message().contains("domain"), "{}", foreign.message());
    let made = good(as_client(site, &customer.client, &["backup", "start", "--output", "json"]));
    stop(running);

    // Only the new ones open it from now on.
    let running = site.start();
    good(customer.unseal(&["--out", "again"]));
    let refused = customer.answers("alice", "domain", "again", &[]);
    assert!(refused.status.code() == Some(1), "{refused:?}");
    customer.opens_by(["dave", "frank"], "others", "opened");
    hsm.sign("k");
    hsm.sign("new");
    // They have the wrapping key, too: a second token gets it from them, and serves alone.
    good(hsm.enrol(&["--token", "two", "--out", "two.asked"]));
    for name in ["dave", "erin"] {
        good(customer.answers(name, "others", "two.asked", &["--enrol", "two"]));
        good(hsm.enrol(&["--answer", &format!("{name}.two.asked.answer")]));
    }
    stop(running);
    let gone = hsm.tokens[0].objects();
    fs::rename(&gone, gone.with_extension("aside")).unwrap();
    let running = site.start();
    customer.opens_by(["erin", "frank"], "others", "second");
    hsm.sign("k");
    hsm.sign("new");
    stop(running);
    fs::rename(gone.with_extension("aside"), &gone).unwrap();
    come_back(&hsm, maker, &made);

    // The copy from before.
    fs::rename(&site.place.data, site.place.beside("set-aside")).unwrap();
    copy(&before, &site.place.data);
    let running = site.start();
    good(customer.unseal(&["--out", "old"]));
    let refused = customer.answers("dave", "others", "old", &[]);
    assert!(refused.status.code() == Some(1), "{refused:?}");
    customer.opens_by(["alice", "carol"], "domain", "old.again");
    hsm.sign("k");
    stop(running);
}

/// At another site, with nothing but the new custodians' domain, the backup and an empty token.
fn come_back(hsm: &Hsm, maker: Maker, made: &str) {
    let customer = &hsm.customer;
    let made: Value = serde_json::from_str(made).unwrap();
    let uri = made["azureStorageBlobContainerUri"].as_str().unwrap();
    let folder = uri.rsplit('/').next().unwrap();
    let after = site("");
    let token = Token::new(maker, &after.place.beside("tokens"), "three").section("wrapped");
    private(&after.config, &format!("{}\n{token}", fs::read_to_string(&after.config).unwrap()));
    let running = after.start();
    create(&after, "other", "hsm");
    let offer = after.place.beside("offer.json").to_str().unwrap().to_owned();
    good(after.vault(&["offer", "other", "--out", &offer]));
    let words = ["domain", "recover", "--domain", "others", "--policy", "policy.toml", "--transfer-key", &offer];
    let keys = ["--key", "dave.key.pem", "--key", "erin.key.pem", "--out", "recovered"];
    good(customer.site.place.cli(&[&words[..], &keys].concat()));
    good(after.vault(&["activate", "other", "--domain", &customer.file("recovered"), "--hsm", "three"]));
    let carried = after.place.beside("backups/backups").join(folder);
    fs::create_dir_all(&carried).unwrap();
    let backup = customer.file(&format!("backups/backups/{folder}/vault.ksbackup"));
    fs::copy(backup, carried.join("vault.ksbackup")).unwrap();
    let mut client = customer.client.clone();
    client["name"] = "other".into();
    good(as_client(&after, &client, &["restore", "start", folder]));
    let token = after.token(&client);
    for key in ["k", "new"] {
        after.call("other", &token, "POST", &format!("/keys/{key}/sign"), SIGN).ok();
    }
    stop(running);
}

#[test]
fn a_domain_without_the_key_that_wraps_the_vaults_hsm_keys_replaces_nobody() {
    let (hsm, running) = Hsm::new(Maker::SoftHsm2, "vault");
    let customer = &hsm.customer;
    OTHERS.iter().for_each(|name| custodian(&customer.site, name));
    let key = |name: &str| format!("{name}.key.pem");
    let refused = |more: &[&str], code: i32, part: &str| {
        let done = hsm.other_domain(&OTHERS, "none", more);
        assert!(done.status.code() == Some(code) && said(&done).contains(part), "{part}: {done:?}");
        assert!(!customer.site.place.beside("none").exists());
    };
    refused(&["--hsm"], 2, "--hsm-from");
    refused(&["--hsm-from", "domain"], 2, "--key");
    refused(&["--key", &key("alice")], 2, "--hsm-from");
    refused(&["--hsm-from", "domain", "--key", &key("alice")], 3, "1 of 2 shares are there: 1 more");
    // The server refuses what the tool lets pass, before anybody is asked.
    good(hsm.other_domain(&OTHERS, "software", &[]));
    let done = customer.replace(&["--domain", "software"]);
    assert!(!done.status.success() && said(&done).contains("--hsm-from"), "{done:?}");
    assert_eq!(customer.shown()["root"], 1);
    hsm.sign("k");
    stop(running);
}

#[test]
fn a_server_that_is_killed_while_the_custodians_of_an_hsm_vault_are_replaced_loses_no_key() {
    let (hsm, mut running) = Hsm::new(Maker::SoftHsm2, "hsm");
    let customer = &hsm.customer;
    OTHERS.iter().for_each(|name| custodian(&customer.site, name));
    let keys: Vec<String> = (0..8).map(|n| format!("k{n}")).collect();
    keys.iter().for_each(|key| hsm.make(key));
    let (mut now, mut domain) = (["alice", "bob"], "domain".to_owned());
    for round in 0..4 {
        let others: &[&str] = if round % 2 == 0 { &OTHERS } else { &["alice", "bob", "carol"] };
        let next = format!("domain{round}");
        hsm.taken_over(others, &next, (&domain, now));
        let answers = customer.agreed(now, &domain, &next, &format!("asked{round}"));
        let mut child = replacing(customer, &answers);
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        assert!(lines.next().unwrap().unwrap().starts_with("the custodians were replaced"));
        sleep(Duration::from_millis(7 * round));
        kill(running);
        child.wait().unwrap();
        running = customer.site.start();
        (now, domain) = ([others[0], others[2]], next);
        customer.opens_by(now, &domain, &format!("start{round}"));
        keys.iter().for_each(|key| hsm.sign(key));
        customer.ends();
        keys.iter().for_each(|key| hsm.sign(key));
    }
    stop(running);
}
