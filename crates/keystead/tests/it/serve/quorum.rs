//! A vault whose domain its customer makes, and which only his custodians open.

mod card;
mod forgotten;

use super::{Running, Site, private, said, stop};
use crate::hsm::bed::{Maker, Token};
use crate::support::custodians;
use keystead_custody::activation::ActivationRecord;
use keystead_custody::words;
use serde_json::Value;
use std::fs;
use std::process::{Child, Output};
use std::thread::sleep;
use std::time::Duration;

pub(super) const SIGN: &str = r#"{"alg":"ES256","value":"BwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwc"}"#;
const CUSTODIANS: [&str; 3] = ["alice", "bob", "carol"];

pub(super) fn good(output: Output) -> String {
    assert!(output.status.success(), "{output:?}");
    String::from_utf8(output.stdout).unwrap()
}

/// A custodian's key and certificate, beside the site.
pub(super) fn custodian(site: &Site, name: &str) {
    let (key, certificate) = (format!("{name}.key.pem"), format!("{name}.pem"));
    let subject = format!("/CN={name}");
    let words = ["req", "-x509", "-newkey", "rsa:2048", "-nodes", "-subj", &subject, "-days", "30"];
    let files = ["-keyout", &key, "-out", &certificate];
    good(site.place.program("openssl").args(words).args(files).output().unwrap());
    private(&site.place.beside(&key), &fs::read_to_string(site.place.beside(&key)).unwrap());
}

/// An offer of a vault; the words of its node, as the operator reads them to the customer.
pub(super) fn offer(site: &Site, words: &[&str]) -> String {
    let shown = good(site.vault(&[&["offer", "--output", "json"], words].concat()));
    let shown: Value = serde_json::from_str(&shown).unwrap();
    shown["node_words"].as_str().unwrap().to_owned()
}

/// Who makes the vault `pay`, has its custodians' keys, and the secret of its client.
pub(super) struct Customer {
    pub(super) site: Site,
    pub(super) client: Value,
}

impl Customer {
    pub(super) fn new() -> Self {
        Self::of(Site::new())
    }

    pub(super) fn of(site: Site) -> Self {
        for name in CUSTODIANS {
            custodian(&site, name);
        }
        let secret = "correct-horse-battery-staple";
        let policy = format!(
            "[[administrators]]\nissuer = \"built-in\"\nsubject = \"s\"\n\n\
             [[clients]]\nid = \"c1\"\nname = \"c\"\nsubject = \"s\"\nsecrets = [\"{}\"]\n\n\
             [[assignments]]\nscope = \"/\"\nrole = \"Key Vault Crypto Officer\"\n\
             principal = {{ issuer = \"built-in\", subject = \"s\" }}\n",
            hex::encode(keystead_identity::secret_digest(secret))
        );
        fs::write(site.place.beside("policy.toml"), policy).unwrap();
        let client = serde_json::json!({ "name": "pay", "client": { "id": "c1", "secret": secret } });
        Self { site, client }
    }

    pub(super) fn file(&self, name: &str) -> String {
        self.site.place.beside(name).to_str().unwrap().to_owned()
    }

    pub(super) fn create(&self) -> Output {
        let authority = format!("pay.localhost:{}", self.site.place.port);
        let words = ["create", "pay", "--custody", "quorum", "--authority", &authority, "--retention", "7"];
        self.site.vault(&words)
    }

    /// `domain new` with the offer that the server makes now.
    pub(super) fn make_domain(&self, out: &str) {
        self.make_domain_with(out, &[]);
    }

    pub(super) fn make_domain_with(&self, out: &str, more: &[&str]) {
        let file = format!("{out}.offer.json");
        let node = offer(&self.site, &["pay", "--out", &file]);
        let custodians = ["--custodian", "alice.pem", "--custodian", "bob.pem", "--custodian", "carol.pem"];
        let rest = ["--quorum", "2", "--transfer-key", &file, "--policy", "policy.toml", "--out", out, "--node", &node];
        good(self.site.place.cli(&[&["domain", "new"], &custodians[..], &rest, more].concat()));
    }

    pub(super) fn record(&self, domain: &str) -> ActivationRecord {
        ActivationRecord::parse(&fs::read(self.site.place.beside(domain).join("activation.json")).unwrap()).unwrap()
    }

    pub(super) fn confirm(&self, name: &str, domain: &str) -> String {
        let (key, out) = (format!("{name}.key.pem"), format!("{name}.confirmation"));
        let words = words(&self.record(domain).digest());
        let files = ["--record", domain, "--domain", domain, "--key", &key, "--words", &words, "--out", &out];
        good(self.site.place.cli(&[&["custodian", "confirm"], &files[..]].concat()));
        out
    }

    /// To the challenge in this file; the file with the answer.
    pub(super) fn answer(&self, name: &str, challenge: &str) -> String {
        let (key, out) = (format!("{name}.key.pem"), format!("{name}.{challenge}.answer"));
        let files = ["--challenge", challenge, "--domain", "domain", "--key", &key, "--out", &out];
        good(self.site.place.cli(&[&["custodian", "answer"], &files[..]].concat()));
        out
    }

    pub(super) fn unseal(&self, words: &[&str]) -> Output {
        self.site.operator("unseal", &[&["pay"], words].concat())
    }

    pub(super) fn shown(&self) -> Value {
        serde_json::from_str(&good(self.site.vault(&["show", "pay", "--output", "json"]))).unwrap()
    }

    /// A vault that was activated, with a key.
    pub(super) fn activated(&self) -> (Running, String) {
        let running = self.site.start();
        good(self.create());
        self.make_domain("domain");
        good(self.site.vault(&["activate", "pay", "--domain", "domain"]));
        let token = self.site.token(&self.client);
        self.site.call("pay", &token, "POST", "/keys/k/create", r#"{"kty":"EC"}"#).ok();
        (running, token)
    }
}

#[test]
fn only_a_quorum_of_custodians_opens_a_vault_whose_domain_its_customer_made() {
    let customer = Customer::new();
    let site = &customer.site;
    let running = site.start();
    good(customer.create());
    assert_eq!((&customer.shown()["status"], &customer.shown()["custody"]), (&"inactive".into(), &"quorum".into()));
    assert_eq!(site.call("pay", "t", "GET", "/keys", "").code(), "VaultNotActivated");
    customer.make_domain("domain");
    good(site.vault(&["activate", "pay", "--domain", "domain"]));
    let shown = customer.shown();
    assert_eq!((&shown["status"], &shown["custody"]), (&"open".into(), &"quorum".into()));
    assert_eq!(shown["quorum"], serde_json::json!({ "required": 2, "custodians": 3, "confirmed": 0 }));
    for (name, confirmed) in [("alice", 1), ("bob", 2), ("alice", 2)] {
        let _ = fs::remove_file(customer.file(&format!("{name}.confirmation")));
        good(site.vault(&["confirm", "pay", "--confirmation", &customer.confirm(name, "domain")]));
        assert_eq!(customer.shown()["quorum"]["confirmed"], confirmed);
        let shown = good(customer.site.vault(&["show", "pay"]));
        let state = if confirmed < 2 { "not confirmed yet (1 of 2)" } else { "confirmed by 2" };
        assert!(shown.contains(state), "{shown}");
    }
    let token = site.token(&customer.client);
    site.call("pay", &token, "POST", "/keys/k/create", r#"{"kty":"EC"}"#).ok();
    let made = site.call("pay", &token, "GET", "/keys/k", "").ok();
    site.call("pay", &token, "POST", "/keys/k/sign", SIGN).ok();
    let backup = site.call("pay", &token, "POST", "/keys/k/backup", "").ok();
    assert!(backup["value"].as_str().is_some());
    stop(running);

    // The key file is there, and opens nothing.
    let running = site.start();
    assert_eq!(site.call("pay", &token, "GET", "/keys", "").code(), "VaultSealed");
    let shown = customer.shown();
    assert!(shown["not_opened"].as_str().unwrap().contains("keystead unseal pay"), "{shown}");
    assert_eq!(shown["quorum"]["confirmed"], 2);
    let refused = site.vault(&["unseal", "pay"]);
    assert!(refused.status.code() == Some(3) && said(&refused).contains("its custodians open it"), "{refused:?}");
    let none = customer.unseal(&["--answer", "alice.confirmation"]);
    assert!(none.status.code() == Some(3) && said(&none).contains("nobody is asked"), "{none:?}");

    let asked = good(customer.unseal(&["--out", "first"]));
    assert!(asked.contains("2 of 3 custodians") && asked.contains("missing: 2"), "{asked}");
    let carol = customer.answer("carol", "first");
    let said_once = good(customer.unseal(&["--answer", &carol]));
    assert!(said_once.contains("pay is sealed") && said_once.contains("there: 3; missing: 1"), "{said_once}");
    // The same share again is no second one, and the same challenge is shown on.
    let again = customer.unseal(&["--answer", &carol]);
    assert!(again.status.code() == Some(1) && said(&again).contains("3"), "{again:?}");
    let shown: Value = serde_json::from_str(&good(customer.unseal(&["--output", "json"]))).unwrap();
    assert_eq!((&shown["given"], &shown["missing"]), (&serde_json::json!([3]), &1.into()));
    assert_eq!(site.call("pay", &token, "GET", "/keys", "").code(), "VaultSealed");
    let alice = customer.answer("alice", "first");
    assert_eq!(good(customer.unseal(&["--answer", &alice])).trim(), "pay is open");
    assert_eq!(site.call("pay", &token, "GET", "/keys/k", "").ok()["key"], made["key"]);
    site.call("pay", &token, "POST", "/keys/k/sign", SIGN).ok();
    site.call("pay", &token, "DELETE", "/keys/k", "").ok();
    let restored = site.call("pay", &token, "POST", "/keys/restore", &backup.to_string());
    assert_eq!(restored.status, 409, "the deleted key holds its name");
    assert_eq!(site.call("pay", &token, "DELETE", "/deletedkeys/k", "").status, 204);
    site.call("pay", &token, "POST", "/keys/restore", &backup.to_string()).ok();
    site.call("pay", &token, "POST", "/keys/k/sign", SIGN).ok();
    stop(running);
}

#[test]
fn an_answer_that_is_no_share_of_the_vault_is_named_and_takes_nothing_away() {
    let customer = Customer::new();
    let (running, token) = customer.activated();
    good(customer.site.vault(&["seal", "pay"]));
    good(customer.unseal(&["--out", "first"]));
    let (bob, early) = (customer.answer("bob", "first"), customer.answer("alice", "first"));
    good(customer.unseal(&["--answer", &bob]));
    fs::write(customer.file("junk"), "keystead-answer.AAAA\n").unwrap();
    let mut changed = fs::read_to_string(customer.file(&early)).unwrap();
    changed.replace_range(80..84, "AAAA");
    fs::write(customer.file("changed"), changed).unwrap();
    let refused = customer.unseal(&["--answer", "junk", "--answer", "changed"]);
    assert!(refused.status.code() == Some(1), "{refused:?}");
    assert!(said(&refused).contains("junk: ") && said(&refused).contains("changed: "), "{refused:?}");
    let shown: Value = serde_json::from_str(&good(customer.unseal(&["--output", "json"]))).unwrap();
    assert_eq!((&shown["given"], &shown["missing"]), (&serde_json::json!([2]), &1.into()));
    stop(running);
    // Another start, another challenge: what was answered before is worth nothing.
    let running = customer.site.start();
    good(customer.unseal(&["--out", "second"]));
    let late = customer.unseal(&["--answer", &bob, "--answer", &early]);
    assert!(late.status.code() == Some(1) && said(&late).contains("another challenge"), "{late:?}");
    assert_eq!(customer.site.call("pay", &token, "GET", "/keys", "").code(), "VaultSealed");
    let (bob, carol) = (customer.answer("bob", "second"), customer.answer("carol", "second"));
    good(customer.unseal(&["--answer", &bob, "--answer", &carol]));
    customer.site.call("pay", &token, "POST", "/keys/k/sign", SIGN).ok();
    // Another root is sealed to the domain without its private key, and opens by it.
    good(customer.site.vault(&["rotate-root", "pay"]));
    while customer.shown()["rotation"].is_object() {
        sleep(Duration::from_millis(50));
    }
    assert_eq!(customer.shown()["root"], 2);
    stop(running);
    let running = customer.site.start();
    good(customer.unseal(&["--out", "third"]));
    let (alice, carol) = (customer.answer("alice", "third"), customer.answer("carol", "third"));
    good(customer.unseal(&["--answer", &alice, "--answer", &carol]));
    customer.site.call("pay", &token, "POST", "/keys/k/sign", SIGN).ok();
    // It was unsealed, and yet no other start opens it.
    stop(running);
    let running = customer.site.start();
    assert_eq!(customer.site.call("pay", &token, "GET", "/keys", "").code(), "VaultSealed");
    stop(running);
}

#[test]
fn no_server_gives_out_or_takes_a_domain_that_custodians_have() {
    let customer = Customer::new();
    let (running, token) = customer.activated();
    let download = custodians::download().to_string();
    for (method, path, body) in [
        ("POST", "/securitydomain/download", download.as_str()),
        ("GET", "/securitydomain/download/pending", ""),
        ("GET", "/securitydomain/upload", ""),
        ("POST", "/securitydomain/upload", r#"{"value":"{}"}"#),
        ("GET", "/securitydomain/upload/pending", ""),
    ] {
        let refused = customer.site.call("pay", &token, method, path, body);
        let inner = &refused.json()["error"]["innererror"]["code"];
        assert_eq!((refused.status, inner), (409, &"DomainWithCustodians".into()), "{method} {path}: {refused:?}");
        assert!(refused.message().contains("keystead domain new") && refused.receipt().is_some(), "{refused:?}");
    }
    stop(running);
}

#[test]
fn a_vault_is_activated_with_what_belongs_together_or_not_at_all() {
    let customer = Customer::new();
    let site = &customer.site;
    let running = site.start();
    good(customer.create());
    customer.make_domain("domain");
    customer.make_domain("other");
    let refused = |part: &str| {
        let done = site.vault(&["activate", "pay", "--domain", "mixed"]);
        assert!(!done.status.success() && said(&done).contains(part), "{part}: {done:?}");
        assert_eq!(customer.shown()["status"], "inactive", "{part}");
    };
    let mixed = site.place.beside("mixed");
    fs::create_dir(&mixed).unwrap();
    let put = |name: &str, from: &str| fs::copy(site.place.beside(from).join(name), mixed.join(name)).unwrap();
    for name in ["activation.json", "security-domain.json", "transfer.json"] {
        put(name, "domain");
    }
    put("security-domain.json", "other");
    refused("not the one of which the activation record speaks");
    put("security-domain.json", "domain");
    put("transfer.json", "other");
    refused("not those of which the activation record speaks");
    put("transfer.json", "domain");
    let record = customer.record("domain");
    let write = |record: &ActivationRecord| fs::write(mixed.join("activation.json"), record.to_bytes()).unwrap();
    write(&ActivationRecord { name: "payments".to_owned(), ..record.clone() });
    refused("the name in the activation record");
    write(&ActivationRecord { retention_days: 8, ..record.clone() });
    refused("the retention in the activation record");
    write(&ActivationRecord { authorities: vec!["elsewhere.example".parse().unwrap()], ..record.clone() });
    refused("the list of authorities");
    write(&ActivationRecord { policy: serde_json::json!({ "administrator": [] }), ..record.clone() });
    refused("the policy in the activation record");
    write(&ActivationRecord { policy: serde_json::json!({ "administrators": [] }), ..record.clone() });
    refused("the policy is refused");
    write(&record);
    let policy = site.vault(&["activate", "pay", "--hsm", "one", "--client", "a", "--role", "Key Vault Crypto User"]);
    assert!(!policy.status.success() && said(&policy).contains("domain of its custodians"), "{policy:?}");
    stop(running);
    // The transfer key was in memory.
    let running = site.start();
    refused("no transfer key is there");
    good(site.vault(&["offer", "pay", "--out", "late.offer.json"]));
    refused("another transfer key");
    customer.make_domain("last");
    good(site.vault(&["activate", "pay", "--domain", "last"]));
    let foreign = customer.confirm("carol", "domain");
    let done = site.vault(&["confirm", "pay", "--confirmation", &foreign]);
    assert!(done.status.code() == Some(2) && said(&done).contains("another activation record"), "{done:?}");
    assert_eq!(customer.shown()["quorum"]["confirmed"], 0);
    stop(running);
}

#[test]
fn a_path_that_the_customer_asks_for_opens_his_vault_besides_the_custodians() {
    let customer = Customer::new();
    let running = customer.site.start();
    good(customer.create());
    customer.make_domain("unwanted");
    let refused = customer.site.vault(&["activate", "pay", "--domain", "unwanted", "--path", "file"]);
    assert!(said(&refused).contains("does not allow the unseal path 'file:file'"), "{refused:?}");
    customer.make_domain_with("domain", &["--allow-path", "file:file"]);
    good(customer.site.vault(&["activate", "pay", "--domain", "domain", "--path", "file"]));
    let token = customer.site.token(&customer.client);
    stop(running);
    let running = customer.site.start();
    customer.site.call("pay", &token, "GET", "/keys", "").ok();
    // Without it the custodians are left.
    good(customer.site.operator("path", &["remove", "pay", "file"]));
    good(customer.site.vault(&["seal", "pay"]));
    assert!(said(&customer.site.vault(&["unseal", "pay"])).contains("its custodians open it"));
    good(customer.unseal(&["--out", "first"]));
    let answers = ["alice", "bob"].map(|name| customer.answer(name, "first"));
    good(customer.unseal(&["--answer", &answers[0], "--answer", &answers[1]]));
    customer.site.call("pay", &token, "GET", "/keys", "").ok();
    stop(running);
}

#[test]
fn hsm_keys_of_a_vault_of_custodians_sign_after_each_unseal() {
    let site = Site::new();
    let directory = site.place.beside("tokens");
    let tokens = ["one", "two"].map(|label| Token::new(Maker::SoftHsm2, &directory, label).section("wrapped"));
    private(&site.config, &format!("{}\n{}", site.text(), tokens.concat()));
    let customer = Customer::of(site);
    let site = &customer.site;
    let running = site.start();
    let authority = format!("pay.localhost:{}", site.place.port);
    good(site.vault(&["create", "pay", "--kind", "hsm", "--custody", "quorum", "--authority", &authority]));
    // Nothing but its custodians' domain activates it, also after a restart.
    let plain = || site.vault(&["activate", "pay", "--hsm", "one", "--client", "a", "--role", "Key Vault Crypto User"]);
    let refused = plain();
    assert!(
        !refused.status.success() && said(&refused).contains("waits for the domain of its custodians"),
        "{refused:?}"
    );
    stop(running);
    let running = site.start();
    let refused = plain();
    assert!(
        !refused.status.success() && said(&refused).contains("waits for the domain of its custodians"),
        "{refused:?}"
    );
    assert_eq!((&customer.shown()["status"], &customer.shown()["custody"]), (&"inactive".into(), &"quorum".into()));
    customer.make_domain("domain");
    let without = site.vault(&["activate", "pay", "--domain", "domain"]);
    assert!(!without.status.success() && said(&without).contains("HSM"), "{without:?}");
    good(site.vault(&["activate", "pay", "--domain", "domain", "--hsm", "one"]));
    let token = site.token(&customer.client);
    site.call("pay", &token, "POST", "/keys/k/create", r#"{"kty":"EC-HSM"}"#).ok();
    site.call("pay", &token, "POST", "/keys/k/sign", SIGN).ok();
    stop(running);
    let running = site.start();
    assert_eq!(site.call("pay", &token, "GET", "/keys", "").code(), "VaultSealed");
    good(customer.unseal(&["--out", "first"]));
    let answers = ["bob", "carol"].map(|name| customer.answer(name, "first"));
    good(customer.unseal(&["--answer", &answers[0], "--answer", &answers[1]]));
    site.call("pay", &token, "POST", "/keys/k/sign", SIGN).ok();
    stop(running);
}

/// The words of the node that a command shows which waits for custodians at other machines.
pub(super) fn asks(waiting: &mut Child, told: &dyn Fn() -> String) -> String {
    while !told().contains("KEY.pem") {
        assert!(waiting.try_wait().unwrap().is_none(), "{}", told());
        sleep(Duration::from_millis(20));
    }
    told().lines().find_map(|line| line.strip_prefix("    ")).unwrap().to_owned()
}
