//! A vault's security domain, given out and taken over REST, as Managed HSM's clients do it.

mod approved;

use super::{Running, Site, stop};
use crate::support::{Reply, custodians};
use keystead_custody::{DomainError, DomainSecrets, send_working_keys};
use serde_json::{Value, json};
use std::fs;
use std::thread::sleep;
use std::time::Duration;

const SIGN: &str = r#"{"alg":"ES256","value":"BwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwc"}"#;
const DOWNLOAD: &str = "/securitydomain/download";
const UPLOAD: &str = "/securitydomain/upload";

/// Two vaults on one server, each with a domain of its own and a client that does everything.
struct Bed {
    site: Site,
    running: Option<Running>,
    clients: [Value; 2],
    tokens: [String; 2],
}

impl Bed {
    fn new() -> Self {
        let site = Site::new();
        let running = site.start();
        let clients = ["one", "two"].map(|name| {
            let authority = format!("{name}.localhost:{}", site.place.port);
            let words = ["create", name, "--authority", &authority, "--retention", "7", "--client", "a"];
            let roles = ["--role", "Key Vault Crypto Officer", "--role", "Managed HSM Administrator"];
            let made = site.vault(&[&words[..], &roles, &["--output", "json"]].concat());
            assert!(made.status.success(), "{made:?}");
            serde_json::from_slice(&made.stdout).unwrap()
        });
        let tokens = clients.each_ref().map(|client| site.token(client));
        Self { site, running: Some(running), clients, tokens }
    }

    fn call(&self, name: &str, method: &str, path: &str, body: &Value) -> Reply {
        let body = if body.is_null() { String::new() } else { body.to_string() };
        self.site.call(name, &self.tokens[usize::from(name == "two")], method, path, &body)
    }

    fn get(&self, name: &str, path: &str) -> Value {
        self.call(name, "GET", path, &Value::Null).ok()
    }

    fn file(&self, name: &str) -> String {
        self.call(name, "POST", DOWNLOAD, &custodians::download()).ok()["value"].as_str().unwrap().to_owned()
    }

    /// What two custodians find in the security domain of a vault.
    fn domain(&self, name: &str) -> DomainSecrets {
        custodians::opened(&self.file(name), &[0, 2]).unwrap()
    }

    /// What is so of a vault's domain and what was sealed under it, whatever it is.
    fn bytes(&self, name: &str) -> Vec<u8> {
        self.domain(name).to_bytes().to_vec()
    }

    fn upload(&self, name: &str, secrets: &DomainSecrets) -> Reply {
        let transfer = self.get(name, UPLOAD);
        self.call(name, "POST", UPLOAD, &custodians::upload(secrets, &transfer))
    }

    /// Another start; what was in memory is gone.
    fn restart(&mut self) {
        stop(self.running.take().unwrap());
        self.running = Some(self.site.start());
        for (token, client) in self.tokens.iter_mut().zip(&self.clients) {
            *token = self.site.token(client);
        }
    }

    fn doctor(&self) {
        let found = self.site.operator("doctor", &[]);
        assert!(found.status.success(), "{}", String::from_utf8_lossy(&found.stdout));
    }

    fn key(&self, name: &str, key: &str) -> Value {
        self.call(name, "POST", &format!("/keys/{key}/create"), &json!({ "kty": "EC" })).ok()
    }
}

/// 409 or 400 with this code inside.
#[track_caller]
fn refused(reply: &Reply, status: u16, inner: &str) {
    assert_eq!(reply.status, status, "{reply:?}");
    assert_eq!(reply.json()["error"]["innererror"]["code"].as_str().unwrap_or_default(), inner, "{reply:?}");
    assert!(reply.receipt().is_some(), "{reply:?}");
}

#[test]
fn a_key_of_one_vault_signs_in_another_that_took_its_domain() {
    let mut bed = Bed::new();
    let made = bed.key("one", "pay");
    let backup = bed.call("one", "POST", "/keys/pay/backup", &Value::Null).ok();
    let foreign = bed.call("two", "POST", "/keys/restore", &backup);
    assert_eq!(foreign.status, 400, "{foreign:?}");
    assert_eq!(bed.call("one", "GET", "/securitydomain/download/pending", &Value::Null).status, 404);
    let answer = bed.call("one", "POST", DOWNLOAD, &custodians::download());
    assert_eq!((answer.status, answer.header("retry-after")), (202, Some("1")));
    let pending = answer.header("azure-asyncoperation").unwrap();
    let host = format!("one.localhost:{}", bed.site.place.port);
    assert_eq!(pending, format!("https://{host}{DOWNLOAD}/pending?api-version=7.6"));
    assert_eq!(bed.get("one", "/securitydomain/download/pending")["status"], "Success");
    let domain = custodians::opened(answer.ok()["value"].as_str().unwrap(), &[1, 2]).unwrap();

    let before = bed.bytes("two");
    let taken = bed.upload("two", &domain);
    assert_eq!((taken.status, &taken.json()["status"]), (202, &"Success".into()), "{taken:?}");
    let told = bed.get("two", "/securitydomain/upload/pending");
    assert_eq!(told["status"], "Success");
    let id = domain.working.domain.to_string();
    assert!(told["status_details"].as_str().unwrap().contains(&format!("{id}, which was uploaded")), "{told}");
    // A file of the domain before is no file of this one.
    assert_eq!(bed.call("two", "GET", "/securitydomain/download/pending", &Value::Null).status, 404);
    assert!(bed.bytes("two") == bed.bytes("one") && bed.bytes("two") != before);
    let restored = bed.call("two", "POST", "/keys/restore", &backup).ok();
    assert_eq!(restored["key"]["x"], made["key"]["x"]);
    let signed = bed.call("two", "POST", "/keys/pay/sign", &serde_json::from_str(SIGN).unwrap()).ok();
    let check =
        json!({ "alg": "ES256", "digest": "BwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwc", "value": signed["value"] });
    assert_eq!(bed.call("one", "POST", "/keys/pay/verify", &check).ok()["value"], true);
    bed.doctor();

    // It opens as before, by its path and by what is sealed to its new domain.
    bed.restart();
    bed.call("two", "POST", "/keys/pay/sign", &serde_json::from_str(SIGN).unwrap()).ok();
    assert!(bed.bytes("two") == bed.bytes("one"));
    bed.doctor();
    assert!(bed.site.vault(&["rotate-root", "two"]).status.success());
    let shown =
        || -> Value { serde_json::from_slice(&bed.site.vault(&["show", "two", "--output", "json"]).stdout).unwrap() };
    while shown()["rotation"].is_object() {
        sleep(Duration::from_millis(20));
    }
    assert_eq!((&shown()["root"], &shown()["custody"]), (&2.into(), &"file".into()));
    assert!(bed.bytes("two") == bed.bytes("one"));
    bed.doctor();
    // What it has already is no other, and its keys stay.
    let again = bed.upload("two", &domain);
    assert!(again.status == 202 && again.json()["status_details"].as_str().unwrap().contains("already"), "{again:?}");
    bed.call("two", "POST", "/keys/pay/sign", &serde_json::from_str(SIGN).unwrap()).ok();
}

#[test]
fn every_two_custodians_open_what_was_downloaded_and_one_or_a_stranger_does_not() {
    let bed = Bed::new();
    let (first, second) = (bed.file("one"), bed.file("one"));
    assert_ne!(first, second, "another master key each time");
    let bytes = |file: &str, which: &[usize]| custodians::opened(file, which).unwrap().to_bytes().to_vec();
    let domain = bytes(&first, &[0, 1]);
    for file in [&first, &second] {
        for which in [[0, 1], [1, 0], [0, 2], [2, 1]] {
            assert!(bytes(file, &which) == domain);
        }
        assert!(matches!(custodians::opened(file, &[1]).err(), Some(DomainError::Share(_))), "one share short");
        assert!(matches!(custodians::opened(file, &[0, 3]).err(), Some(DomainError::ShareNotOpened)));
    }
    let file = bed.site.place.beside("security-domain.json");
    fs::write(&file, first).unwrap();
    let shown = bed.site.place.cli(&["domain", "show", file.to_str().unwrap()]);
    assert!(shown.status.success(), "{shown:?}");
    assert!(String::from_utf8_lossy(&shown.stdout).contains("2 of 3"), "{shown:?}");
}

#[test]
fn custodians_who_cannot_be_are_refused_and_nothing_is_made() {
    let bed = Bed::new();
    let openssl = |name: &str, key: &[&str]| {
        let out = bed.site.place.beside(name);
        let fixed = ["req", "-x509", "-nodes", "-subj", "/CN=c", "-days", "30", "-outform", "DER", "-keyout", "key"];
        let mut command = bed.site.place.program("openssl");
        let done = command.args(fixed).args(key).args(["-out", name]).output().unwrap();
        assert!(done.status.success(), "{done:?}");
        custodians::jwk_of(&fs::read(out).unwrap())
    };
    let small = openssl("small.der", &["-newkey", "rsa:1024"]);
    let curve = openssl("ec.der", &["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256"]);
    let jwk = custodians::jwk;
    let mut other = jwk(2);
    other["n"] = jwk(3)["n"].clone();
    let with = |third: Value| vec![jwk(0), jwk(1), third];
    let eleven: Vec<Value> = (0..11).map(|n| openssl(&format!("{n}.der"), &["-newkey", "rsa:2048"])).collect();
    for (certificates, required, part) in [
        (with(jwk(2)), 1, "2"),
        (with(jwk(2)), 0, "2"),
        (with(jwk(2)), 4, "3"),
        (with(jwk(2)), usize::MAX, "3"),
        (vec![jwk(0), jwk(1)], 2, "3"),
        (vec![], 2, "3"),
        (eleven, 2, "10"),
        (with(jwk(0)), 2, "custodian 3"),
        (with(small), 2, "2048"),
        (with(curve), 2, "RSA key"),
        (with(custodians::jwk_of(b"no certificate")), 2, "not a certificate"),
        (with(other), 2, "certificate 3 are not those"),
        (with(json!({ "kty": "RSA" })), 2, "x5c is missing"),
        (with(json!({ "x5c": ["*"] })), 2, "x5c is not base64url"),
        (with(json!({ "x5c": ["A".repeat(30_000)] })), 2, "x5c is longer"),
    ] {
        let reply = bed.call("one", "POST", DOWNLOAD, &json!({ "certificates": certificates, "required": required }));
        assert_eq!((reply.status, reply.code().as_str()), (400, "BadParameter"), "{part}: {reply:?}");
        assert!(reply.message().contains(part), "{part}: {}", reply.message());
    }
    assert_eq!(bed.call("one", "GET", "/securitydomain/download/pending", &Value::Null).status, 404);
}

#[test]
fn what_was_altered_or_sent_to_another_key_is_not_taken() {
    let mut bed = Bed::new();
    let (domain, own) = (bed.domain("one"), bed.bytes("two"));
    let without = custodians::upload(&domain, &bed.get("one", UPLOAD));
    refused(&bed.call("two", "POST", UPLOAD, &without), 409, "NoTransferKey");
    let transfer = bed.get("two", UPLOAD);
    assert_eq!(bed.get("two", UPLOAD), transfer, "the same until it was used");
    refused(&bed.call("two", "POST", UPLOAD, &without), 409, "NoTransferKey");
    let good = custodians::upload(&domain, &transfer);
    let altered = |part: &str, at: usize| {
        let mut blob: Value = serde_json::from_str(good["value"].as_str().unwrap()).unwrap();
        let value = blob.pointer_mut(part).unwrap();
        let mut text = value.as_str().unwrap().to_owned();
        let at = text.len() - at;
        let other = if text[at..].starts_with('A') { "B" } else { "A" };
        text.replace_range(at..=at, other);
        *value = text.into();
        json!({ "value": blob.to_string() })
    };
    for (part, at) in
        [("/EncData/data/0/compact_jwe", 60), ("/EncData/data/0/compact_jwe", 10), ("/WrappedKey/enc_key", 60)]
    {
        let reply = bed.call("two", "POST", UPLOAD, &altered(part, at));
        assert!([400, 409].contains(&reply.status) && reply.receipt().is_some(), "{part}: {reply:?}");
    }
    let certificate = custodians::transfer_key(&transfer);
    let working = json!({ "value": send_working_keys(&domain.working, &certificate).unwrap().to_json() });
    refused(&bed.call("two", "POST", UPLOAD, &working), 400, "SecurityDomainNotOpened");
    for junk in ["", "{}", "no JSON", r#"{"EncData":{"data":[],"kdf":"sp108_kdf"}}"#] {
        refused(&bed.call("two", "POST", UPLOAD, &json!({ "value": junk })), 400, "NotASecurityDomain");
    }
    let file = json!({ "value": bed.file("one") });
    refused(&bed.call("two", "POST", UPLOAD, &file), 400, "NotASecurityDomain");
    assert!(bed.bytes("two") == own, "nothing of it was taken");
    // A restart forgets the key.
    bed.restart();
    refused(&bed.call("two", "POST", UPLOAD, &good), 409, "NoTransferKey");
    assert_ne!(bed.get("two", UPLOAD), transfer);
    refused(&bed.call("two", "POST", UPLOAD, &good), 409, "NoTransferKey");
    assert!(bed.bytes("two") == own);
}

#[test]
fn a_vault_with_keys_takes_no_other_domain() {
    let bed = Bed::new();
    let (domain, own) = (bed.domain("one"), bed.bytes("two"));
    bed.key("two", "k");
    refused(&bed.upload("two", &domain), 409, "VaultHasKeys");
    bed.call("two", "DELETE", "/keys/k", &Value::Null).ok();
    refused(&bed.upload("two", &domain), 409, "VaultHasKeys");
    assert!(bed.bytes("two") == own);
    let back = bed.domain("two");
    assert_eq!(bed.upload("two", &back).status, 202, "what it has it may be sent");
    assert_eq!(bed.call("two", "DELETE", "/deletedkeys/k", &Value::Null).status, 204);
    assert_eq!(bed.upload("two", &domain).status, 202);
    assert!(bed.bytes("two") == bed.bytes("one"));
    // And back: what it was born with is a domain like any other.
    assert_eq!(bed.upload("two", &back).status, 202);
    assert!(bed.bytes("two") == own);
    bed.doctor();
}

/// The server is killed at some moment of an upload, sooner or later in each round.
#[test]
fn a_kill_leaves_the_domain_before_or_the_one_that_was_uploaded() {
    let mut bed = Bed::new();
    let domains = [bed.domain("one"), bed.domain("two")];
    let bytes = domains.each_ref().map(|domain| domain.to_bytes().to_vec());
    let (mut now, mut took) = (1, 0);
    for round in 0..12 {
        let next = 1 - now;
        let body = custodians::upload(&domains[next], &bed.get("two", UPLOAD));
        std::thread::scope(|threads| {
            let asked = threads.spawn(|| {
                let host = format!("two.localhost:{}", bed.site.place.port);
                let bearer = format!("Bearer {}", bed.tokens[1]);
                let headers = [("host", host.as_str()), ("authorization", &bearer)];
                let path = format!("{UPLOAD}?api-version=7.6");
                bed.site.http().send("POST", &path, &headers, body.to_string().as_bytes()).map(|reply| reply.status)
            });
            sleep(Duration::from_millis(3 * round));
            let running = bed.running.as_ref().unwrap().0.id();
            let killed = std::process::Command::new("kill").args(["-KILL", &running.to_string()]).status().unwrap();
            assert!(killed.success());
            let answered = asked.join().unwrap();
            assert!(answered.as_ref().is_err() || answered.as_ref().is_ok_and(|status| *status == 202), "{answered:?}");
            took += u32::from(answered.is_ok());
        });
        drop(bed.running.take());
        bed.running = Some(bed.site.start());
        bed.doctor();
        // All of one domain: its private key is that of what is public, its blob key the one that belongs to it.
        let found = bed.bytes("two");
        let which = bytes.iter().position(|domain| *domain == found).expect("the one or the other, and no mixture");
        now = which;
        bed.key("two", "k");
        bed.call("two", "POST", "/keys/k/sign", &serde_json::from_str(SIGN).unwrap()).ok();
        bed.call("two", "DELETE", "/keys/k", &Value::Null).ok();
        bed.call("two", "DELETE", "/deletedkeys/k", &Value::Null);
    }
    assert!(took < 12, "some were killed before they were answered");
}
