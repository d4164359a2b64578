//! Other custodians for a vault with an HSM: the key that wraps its HSM keys goes into their domain, with the help of
//! those before.

use super::super::quorum::{SIGN, asks, custodian, good, offer};
use super::super::recovery::{as_client, create, site};
use super::super::steps::kill;
use super::super::{private, said, stop};
use super::tokens::Hsm;
use super::{OTHERS, copy, replacing};
use crate::hsm::bed::{Maker, Token};
use keystead_crypto::sha256;
use keystead_custody::activation::{ActivationRecord, Custodian};
use keystead_custody::offer::TransferOffer;
use keystead_custody::{DomainSecrets, make_domain, send_working_keys};
use keystead_model::VaultId;
use serde_json::Value;
use std::fs;
use std::io::{BufRead as _, BufReader};
use std::process::{Command, Stdio};
use std::thread::sleep;
use std::time::Duration;

impl Hsm {
    /// `domain new` for others.
    fn other_domain(&self, others: &[&str], out: &str, more: &[&str]) -> Command {
        let file = format!("{out}.offer.json");
        let _ = fs::remove_file(self.customer.file(&file));
        let node = offer(&self.customer.site, &["pay", "--replace", "--out", &file]);
        let files: Vec<String> = others.iter().map(|name| format!("{name}.pem")).collect();
        let custodians = files.iter().flat_map(|file| ["--custodian", file]);
        let rest = ["--quorum", "2", "--transfer-key", &file, "--node", &node, "--out", out];
        let words: Vec<&str> = ["domain", "new"].into_iter().chain(custodians).chain(rest).collect();
        self.customer.site.place.command(&[&words[..], more].concat())
    }

    fn taken_over(&self, others: &[&str], out: &str, (before, by): (&str, [&str; 2])) {
        let keys = by.map(|name| format!("{name}.key.pem"));
        let more = ["--hsm-from", before, "--key", &keys[0], "--key", &keys[1]];
        good(self.other_domain(others, out, &more).output().unwrap());
    }

    /// A domain of the same custodians and for the same offer as `of`, which does not take over the wrapping key.
    fn forged(&self, of: &str, with_key: bool, out: &str) {
        let (record, customer) = (self.customer.record(of), &self.customer);
        let certificates: Vec<_> = record.custodians.iter().map(|one| one.certificate.clone()).collect();
        let secrets = DomainSecrets::generate(VaultId::from_bytes([9; 16]), with_key);
        let made = make_domain(&secrets, &certificates, 2).unwrap();
        let file = made.file.to_json().into_bytes();
        let shares = certificates.into_iter().zip(made.share_digests.iter().copied());
        let record = ActivationRecord {
            domain_public: secrets.key.public(),
            working_keys: secrets.working.digest(),
            security_domain: sha256(&[&file]),
            custodians: shares.map(|(certificate, share)| Custodian { certificate, share }).collect(),
            ..record
        };
        let offer = TransferOffer::parse(&fs::read(customer.file(&format!("{of}.offer.json"))).unwrap()).unwrap();
        let transfer = send_working_keys(&secrets.working, &offer.transfer_key).unwrap().to_json();
        let directory = customer.site.place.beside(out);
        fs::create_dir(&directory).unwrap();
        fs::write(directory.join("security-domain.json"), file).unwrap();
        fs::write(directory.join("activation.json"), record.to_bytes()).unwrap();
        fs::write(directory.join("transfer.json"), transfer).unwrap();
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
    let file = after.place.beside("offer.json").to_str().unwrap().to_owned();
    let node = offer(&after, &["other", "--out", &file]);
    let words = ["domain", "recover", "--domain", "others", "--policy", "policy.toml", "--transfer-key", &file];
    let words = [&words[..], &["--without-approvals"]].concat();
    let keys = ["--key", "dave.key.pem", "--key", "erin.key.pem", "--node", &node, "--out", "recovered"];
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
        let done = hsm.other_domain(&OTHERS, "none", more).output().unwrap();
        assert!(done.status.code() == Some(code) && said(&done).contains(part), "{part}: {done:?}");
        assert!(!customer.site.place.beside("none").exists());
    };
    refused(&["--hsm"], 2, "--hsm-from");
    refused(&["--hsm-from", "domain"], 2, "--key");
    refused(&["--key", &key("alice")], 2, "--hsm-from");
    refused(&["--hsm-from", "domain", "--key", &key("alice")], 3, "1 of 2 shares are there: 1 more");
    // The server refuses what the tool does not make, before anybody is asked.
    hsm.taken_over(&OTHERS, "others", ("domain", ["bob", "carol"]));
    for (with_key, out) in [(true, "another-key"), (false, "no-key")] {
        hsm.forged("others", with_key, out);
        let done = customer.replace(&["--domain", out]);
        assert!(!done.status.success() && said(&done).contains("--hsm-from"), "{done:?}");
    }
    let none = customer.replace(&["--answer", "domain.offer.json"]);
    assert!(said(&none).contains("nobody is asked"), "{none:?}");
    assert_eq!(customer.shown()["root"], 1);
    good(customer.replace(&["--domain", "others", "--out", "asked"]));
    hsm.sign("k");
    stop(running);
}

#[test]
fn custodians_at_other_machines_give_the_key_of_their_vaults_hsm_to_the_others() {
    let (hsm, running) = Hsm::new(Maker::SoftHsm2, "hsm");
    let place = &hsm.customer.site.place;
    OTHERS.iter().for_each(|name| custodian(&hsm.customer.site, name));
    fs::create_dir(place.beside("answers")).unwrap();
    let from = ["--hsm-from", "domain", "--key", "alice.key.pem", "--challenge", "asked.txt", "--answers", "answers"];
    let log = fs::File::create(place.beside("new.log")).unwrap();
    let mut waiting = hsm.other_domain(&OTHERS, "others", &from).stderr(log).stdout(Stdio::null()).spawn().unwrap();
    let told = || fs::read_to_string(place.beside("new.log")).unwrap();
    let node = &asks(&mut waiting, &told);
    let words = ["custodian", "answer", "--challenge", "asked.txt", "--domain", "domain", "--key", "carol.key.pem"];
    let answered = place.cli(&[&words[..], &["--node", node, "--out", "answers/carol"]].concat());
    assert!(said(&answered).contains("give others its key for HSMs"), "{answered:?}");
    good(answered);
    assert!(waiting.wait().unwrap().success(), "{}", told());
    good(hsm.customer.replace(&["--domain", "others", "--out", "replace"]));
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
