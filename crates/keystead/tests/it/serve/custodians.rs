//! What custodians agree on while their vault is open: others in their place, another administrator.

mod again;
mod hsm;
mod killed;
mod tokens;

use super::quorum::{Customer, SIGN, custodian, good, offer};
use super::{said, stop};
use keystead_custody::words;
use std::fs;
use std::path::Path;
use std::process::{Child, Command, Output, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

const OTHERS: [&str; 3] = ["dave", "erin", "frank"];
const CLIENT: &str = "6f1c2f0e-5d0b-4f0e-9a53-0d7c3f9b2a11";

impl Customer {
    fn replace(&self, words: &[&str]) -> Output {
        self.site.vault(&[&["replace-custodians", "pay"], words].concat())
    }

    fn appoint(&self, words: &[&str]) -> Output {
        self.site.vault(&[&["appoint", "pay"], words].concat())
    }

    /// `domain new` with these custodians and the offer of the open vault.
    fn make_other(&self, custodians: &[&str], out: &str) {
        let file = format!("{out}.offer.json");
        let node = offer(&self.site, &["pay", "--replace", "--out", &file]);
        let files: Vec<String> = custodians.iter().map(|name| format!("{name}.pem")).collect();
        let custodians = files.iter().flat_map(|file| ["--custodian", file]);
        let rest = ["--quorum", "2", "--transfer-key", &file, "--out", out, "--node", &node];
        let words: Vec<&str> = ["domain", "new"].into_iter().chain(custodians).chain(rest).collect();
        good(self.site.place.cli(&words));
    }

    /// What a custodian of `domain` says to a challenge, whatever comes of it.
    fn answers(&self, name: &str, domain: &str, challenge: &str, more: &[&str]) -> Output {
        let (key, out) = (format!("{name}.key.pem"), format!("{name}.{challenge}.answer"));
        let files = ["custodian", "answer", "--challenge", challenge, "--domain", domain, "--key", &key, "--out", &out];
        self.site.place.cli(&[&files[..], more].concat())
    }

    /// The vault is sealed, and two of these open it.
    fn opens_by(&self, custodians: [&str; 2], domain: &str, challenge: &str) {
        good(self.unseal(&["--out", challenge]));
        for name in custodians {
            good(self.answers(name, domain, challenge, &[]));
            good(self.unseal(&["--answer", &format!("{name}.{challenge}.answer")]));
        }
        assert_eq!(self.shown()["status"], "open");
    }

    /// Two custodians of `domain` agree on those of `other`; what the command brings last is left to the caller.
    fn agreed(&self, custodians: [&str; 2], domain: &str, other: &str, challenge: &str) -> [String; 2] {
        good(self.replace(&["--domain", other, "--again", "--out", challenge]));
        let words = words(&self.record(other).digest());
        custodians.map(|name| {
            good(self.answers(name, domain, challenge, &["--words", &words]));
            format!("{name}.{challenge}.answer")
        })
    }

    /// What people call the security domain in this directory.
    fn id(&self, domain: &str) -> String {
        self.record(domain).domain_public.id().to_string()
    }

    fn signs(&self, token: &str) {
        self.site.call("pay", token, "POST", "/keys/k/sign", SIGN).ok();
    }

    fn ends(&self) {
        let until = Instant::now() + Duration::from_secs(120);
        while self.shown().get("rotation").is_some() {
            assert!(Instant::now() < until, "{}", self.shown());
            sleep(Duration::from_millis(20));
        }
    }
}

fn copy(from: &Path, to: &Path) {
    let done = Command::new("cp").arg("-a").arg(from).arg(to).status().unwrap();
    assert!(done.success());
}

#[test]
fn custodians_who_were_replaced_open_only_copies_from_before_and_the_new_ones_only_those_after() {
    let customer = Customer::new();
    OTHERS.iter().for_each(|name| custodian(&customer.site, name));
    let (site, data) = (&customer.site, &customer.site.place.data);
    let (running, token) = customer.activated();
    good(site.vault(&["confirm", "pay", "--confirmation", &customer.confirm("alice", "domain")]));
    let backup = site.call("pay", &token, "POST", "/keys/k/backup", "").ok();
    let made = site.call("pay", &token, "GET", "/keys/k", "").ok();
    stop(running);
    let (before, after) = (site.place.beside("before"), site.place.beside("after"));
    copy(data, &before);

    let running = site.start();
    customer.opens_by(["alice", "bob"], "domain", "start");
    customer.make_other(&OTHERS, "others");
    // The operator alone changes nothing, nor does one custodian, nor an answer to another purpose.
    let asked = good(customer.replace(&["--domain", "others", "--out", "asked"]));
    assert!(asked.contains("2 of 3 custodians") && asked.contains("replace-custodians pay --answer"), "{asked}");
    let stranger = customer.answers("dave", "others", "asked", &["--words", "x"]);
    let (own, asked_of) = (customer.id("others"), customer.id("domain"));
    for named in ["another security domain", "replace-custodians", &own, &asked_of] {
        assert!(said(&stranger).contains(named), "{named}: {stranger:?}");
    }
    let words = words(&customer.record("others").digest());
    let unseen = customer.answers("alice", "domain", "asked", &[]);
    assert!(unseen.status.code() == Some(2), "he must see what he agrees to: {unseen:?}");
    let wrong = customer.answers("alice", "domain", "asked", &["--words", "abandon"]);
    assert!(wrong.status.code() == Some(1), "{wrong:?}");
    assert!(!said(&unseen).contains(&words) && !said(&wrong).contains(&words), "{unseen:?} {wrong:?}");
    assert!(said(&wrong).contains("replace the custodians of a vault: you and the others"), "{wrong:?}");
    let late = customer.replace(&["--answer", "alice.start.answer", "--answer", "bob.start.answer"]);
    assert!(late.status.code() == Some(1) && said(&late).contains("another challenge"), "{late:?}");
    good(customer.answers("carol", "domain", "asked", &["--words", &words]));
    let answer = "carol.asked.answer";
    let one = customer.replace(&["--answer", answer, "--answer", answer]);
    assert!(one.status.code() == Some(1) && said(&one).contains("custodian 3 was given twice"), "{one:?}");
    assert!(String::from_utf8_lossy(&one.stdout).contains("shares there: 3; missing: 1"), "{one:?}");
    assert_eq!((&customer.shown()["root"], &customer.shown()["quorum"]["confirmed"]), (&1.into(), &1.into()));
    good(customer.answers("bob", "domain", "asked", &["--words", &words]));
    let done = good(customer.replace(&["--answer", "bob.asked.answer"]));
    assert!(done.starts_with("the custodians were replaced") && done.trim_end().ends_with("of before"), "{done}");
    let shown = customer.shown();
    assert_eq!((&shown["status"], &shown["root"]), (&"open".into(), &2.into()));
    assert_eq!(shown["quorum"], serde_json::json!({ "required": 2, "custodians": 3, "confirmed": 0 }));
    assert_eq!(site.call("pay", &token, "GET", "/keys/k", "").ok()["key"], made["key"]);
    customer.signs(&token);
    good(site.vault(&["confirm", "pay", "--confirmation", &customer.confirm("erin", "others")]));
    assert_eq!(customer.shown()["quorum"]["confirmed"], 1);
    // What is bound to the domain before is refused by its name.
    site.call("pay", &token, "DELETE", "/keys/k", "").ok();
    assert_eq!(site.call("pay", &token, "DELETE", "/deletedkeys/k", "").status, 204);
    let foreign = site.call("pay", &token, "POST", "/keys/restore", &backup.to_string());
    assert!(foreign.status == 400 && foreign.message().contains("domain"), "{}", foreign.message());
    site.call("pay", &token, "POST", "/keys/k/create", r#"{"kty":"EC"}"#).ok();
    let backup = site.call("pay", &token, "POST", "/keys/k/backup", "").ok();
    stop(running);
    copy(data, &after);

    // The copy after.
    let running = site.start();
    good(customer.unseal(&["--out", "after.challenge"]));
    for name in ["alice", "bob", "carol"] {
        let refused = customer.answers(name, "domain", "after.challenge", &[]);
        assert!(refused.status.code() == Some(1), "{refused:?}");
    }
    customer.opens_by(["dave", "frank"], "others", "after.again");
    customer.signs(&token);
    site.call("pay", &token, "DELETE", "/keys/k", "").ok();
    assert_eq!(site.call("pay", &token, "DELETE", "/deletedkeys/k", "").status, 204);
    site.call("pay", &token, "POST", "/keys/restore", &backup.to_string()).ok();
    stop(running);

    // The copy before.
    fs::rename(data, site.place.beside("set-aside")).unwrap();
    copy(&before, data);
    let running = site.start();
    good(customer.unseal(&["--out", "before.challenge"]));
    for name in OTHERS {
        let refused = customer.answers(name, "others", "before.challenge", &[]);
        assert!(refused.status.code() == Some(1), "{refused:?}");
    }
    customer.opens_by(["alice", "carol"], "domain", "before.again");
    assert_eq!(site.call("pay", &token, "GET", "/keys/k", "").ok()["key"], made["key"]);
    stop(running);

    // Not even with the file of the other domain beside it does the copy after open by those before.
    fs::remove_dir_all(data).unwrap();
    copy(&after, data);
    let running = site.start();
    customer.opens_by(["erin", "dave"], "others", "last");
    stop(running);
}

#[test]
fn what_does_not_replace_custodians_is_refused_and_changes_nothing() {
    let customer = Customer::new();
    OTHERS.iter().for_each(|name| custodian(&customer.site, name));
    let (running, token) = customer.activated();
    customer.make_other(&OTHERS, "others");
    let refused = |words: &[&str], part: &str| {
        let done = customer.replace(words);
        assert!(!done.status.success() && said(&done).contains(part), "{part}: {done:?}");
        assert_eq!(customer.shown()["root"], 1, "{part}");
    };
    refused(&["--answer", "others.offer.json"], "nobody is asked");
    // The domain that the vault was born with, whatever key it is sent with.
    refused(&["--domain", "domain"], "changed: the keys that were sent along");
    let mixed = customer.site.place.beside("mixed");
    copy(&customer.site.place.beside("others"), &mixed);
    fs::copy(customer.file("domain/security-domain.json"), mixed.join("security-domain.json")).unwrap();
    refused(&["--domain", "mixed"], "not the one of which the activation record speaks");
    let mut record = customer.record("others");
    record.policy = serde_json::json!({ "administrators": [] });
    copy(&customer.site.place.beside("others"), &customer.site.place.beside("policy"));
    fs::write(customer.site.place.beside("policy/activation.json"), record.to_bytes()).unwrap();
    refused(&["--domain", "policy"], "the policy in the activation record");
    good(customer.site.vault(&["seal", "pay"]));
    let sealed = customer.replace(&["--domain", "others"]);
    assert!(said(&sealed).contains("needs it to be open"), "{sealed:?}");
    customer.opens_by(["alice", "bob"], "domain", "again");
    customer.signs(&token);
    // Another record takes the place of the one that was asked for before, with its answers, where that is said.
    let [first, _] = customer.agreed(["alice", "bob"], "domain", "others", "one");
    good(customer.replace(&["--answer", &first]));
    customer.make_other(&["alice", "dave", "erin"], "third");
    let [alice, carol] = customer.agreed(["alice", "carol"], "domain", "third", "two");
    let late = customer.replace(&["--answer", "bob.one.answer"]);
    assert!(said(&late).contains("another challenge"), "{late:?}");
    good(customer.replace(&["--answer", &alice, "--answer", &carol]));
    stop(running);
    // One who stays is a custodian of both.
    let running = customer.site.start();
    customer.opens_by(["alice", "erin"], "third", "end");
    customer.signs(&token);
    stop(running);
}

fn replacing(customer: &Customer, answers: &[String; 2]) -> Child {
    let socket = customer.site.place.data.join("operator.sock");
    let head = ["vault", "--socket", socket.to_str().unwrap(), "replace-custodians", "pay"];
    let words = [&head[..], &["--answer", &answers[0], "--answer", &answers[1]]].concat();
    customer.site.place.command(&words).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()
}

#[test]
fn custodians_let_in_an_administrator_where_none_is_left_and_the_operator_alone_does_not() {
    let customer = Customer::new();
    let site = &customer.site;
    // Nobody can sign in as the only administrator.
    let policy = fs::read_to_string(customer.file("policy.toml")).unwrap();
    let gone = policy.replacen("subject = \"s\"\n\n[[clients]]", "subject = \"gone\"\n\n[[clients]]", 1);
    assert_ne!(gone, policy);
    fs::write(customer.file("policy.toml"), gone).unwrap();
    let (running, token) = customer.activated();
    let policy_of = |token: &str| site.call("pay", token, "GET", "/keystead/v1/policy", "");
    assert_eq!(policy_of(&token).status, 403);
    let nobody = customer.appoint(&["--principal", "https://gone.example", "x"]);
    assert!(nobody.status.code() == Some(2) && said(&nobody).contains("--secret-sha256"), "{nobody:?}");
    let nobody = customer.appoint(&["--principal", "built-in", "nobody"]);
    assert!(nobody.status.code() == Some(2), "{nobody:?}");

    let secret = "only-the-customer-has-this-secret";
    let digest = hex::encode(keystead_identity::secret_digest(secret));
    good(customer.appoint(&["--client", CLIENT, "--secret-sha256", &digest, "--out", "asked"]));
    let unseen = customer.answers("alice", "domain", "asked", &[]);
    assert!(unseen.status.code() == Some(2) && said(&unseen).contains("make somebody an administrator"), "{unseen:?}");
    assert!(!said(&unseen).contains(&digest) && !said(&unseen).contains(CLIENT), "{unseen:?}");
    let issuer = format!("https://pay.localhost:{}/{}", site.place.port, customer.record("domain").vault);
    for who in [[&*issuer, "somebody"], [&*format!("{issuer}0"), CLIENT]] {
        let other = customer.answers("alice", "domain", "asked", &["--appoint", who[0], who[1], &digest]);
        assert!(other.status.code() == Some(1), "{other:?}");
    }
    // Whoever knows the secret is the client: another one is agreed to no more than another client.
    let others = hex::encode(keystead_identity::secret_digest("a secret of the operator's"));
    for secret in [&[others.as_str()][..], &[]] {
        let refused = customer.answers("alice", "domain", "asked", &[&["--appoint", &issuer, CLIENT], secret].concat());
        assert!(refused.status.code() == Some(1) && !said(&refused).contains(&digest), "{refused:?}");
    }
    // The vault's own issuer has a short name where the record is there.
    for (name, issuer, state) in [("alice", &*issuer, "missing: 1"), ("carol", "built-in", "have appointed")] {
        assert_eq!(policy_of(&token).status, 403);
        good(customer.answers(name, "domain", "asked", &["--appoint", issuer, CLIENT, &digest]));
        let brought = good(customer.appoint(&["--answer", &format!("{name}.asked.answer")]));
        assert!(brought.contains(state), "{brought}");
    }
    let again = customer.appoint(&["--answer", "alice.asked.answer"]);
    assert!(said(&again).contains("nobody is asked: `keystead vault appoint"), "{again:?}");
    let administrator = serde_json::json!({ "name": "pay", "client": { "id": CLIENT, "secret": secret } });
    let administrator = site.token(&administrator);
    let shown = policy_of(&administrator).ok();
    assert!(shown.to_string().contains("appointed by the custodians"), "{shown}");
    // One who can sign in already needs no client.
    good(customer.appoint(&["--principal", "built-in", "s", "--out", "second"]));
    for name in ["bob", "carol"] {
        good(customer.answers(name, "domain", "second", &["--appoint", &issuer, "s"]));
        good(customer.appoint(&["--answer", &format!("{name}.second.answer")]));
    }
    policy_of(&token).ok();
    stop(running);
    let verified = site.place.cli(&["audit", "verify", "--data", site.place.data_str()]);
    assert!(verified.status.success(), "{verified:?}");
    // It outlives a restart.
    let running = site.start();
    customer.opens_by(["alice", "bob"], "domain", "start");
    policy_of(&administrator).ok();
    stop(running);
}
