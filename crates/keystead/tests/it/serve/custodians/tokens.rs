//! Vaults of custodians with keys in an HSM: another token gets the wrapping key by their agreement alone.

use super::super::quorum::{Customer, SIGN, good};
use super::super::recovery::{create, site};
use super::super::{Running, private, said, stop};
use crate::hsm::bed::{Maker, Token};
use std::fs;
use std::process::Output;

const WRAPPING: &str = "keystead wrapping key";

/// A vault before the token `one`, with a key in it; `two` is configured, and empty.
pub(super) struct Hsm {
    pub(super) customer: Customer,
    pub(super) tokens: [Token; 2],
    pub(super) token: String,
}

impl Hsm {
    pub(super) fn new(maker: Maker, kind: &str) -> (Self, Running) {
        let site = site("");
        let directory = site.place.beside("tokens");
        let tokens = ["one", "two"].map(|label| Token::new(maker, &directory, label));
        let sections = tokens.each_ref().map(|token| token.section("wrapped"));
        private(&site.config, &format!("{}\n{}", fs::read_to_string(&site.config).unwrap(), sections.concat()));
        let customer = Customer::of(site);
        let site = &customer.site;
        let running = site.start();
        create(site, "pay", kind);
        customer.make_domain_with("domain", &["--hsm"]);
        good(site.vault(&["activate", "pay", "--domain", "domain", "--hsm", "one"]));
        let token = site.token(&customer.client);
        site.call("pay", &token, "POST", "/keys/k/create", r#"{"kty":"EC-HSM"}"#).ok();
        (Self { customer, tokens, token }, running)
    }

    pub(super) fn enrol(&self, words: &[&str]) -> Output {
        self.customer.site.vault(&[&["enrol", "pay"], words].concat())
    }

    pub(super) fn signs(&self) {
        self.customer.site.call("pay", &self.token, "POST", "/keys/k/sign", SIGN).ok();
    }

    /// Whether the second token has a wrapping key, and the vault names it.
    pub(super) fn second(&self) -> (bool, bool) {
        let shown = self.customer.shown();
        let named = shown["tokens"].as_array().unwrap().contains(&"two".into());
        (self.tokens[1].labels().iter().any(|label| label == WRAPPING), named)
    }
}

#[test]
fn a_second_token_that_m_custodians_agreed_on_serves_alone_after_the_first_is_gone() {
    [Maker::SoftHsm2, Maker::Kryoptic].into_iter().for_each(serves_alone);
}

fn serves_alone(maker: Maker) {
    let (hsm, running) = Hsm::new(maker, "hsm");
    let (customer, site) = (&hsm.customer, &hsm.customer.site);
    let unknown = hsm.enrol(&["--token", "three", "--out", "unknown"]);
    assert!(unknown.status.code() == Some(3) && said(&unknown).contains("no token 'three'"), "{unknown:?}");
    let unasked = hsm.enrol(&["--answer", "domain.offer.json"]);
    assert!(said(&unasked).contains("nobody is asked: `keystead vault enrol"), "{unasked:?}");
    let asked = good(hsm.enrol(&["--token", "two", "--out", "asked"]));
    assert!(asked.contains("2 of 3 custodians") && asked.contains("vault enrol pay --answer"), "{asked}");
    assert_eq!(hsm.second(), (false, false));
    let else_asked = hsm.enrol(&["--token", "one", "--out", "other"]);
    assert!(else_asked.status.code() == Some(3) && said(&else_asked).contains("--again"), "{else_asked:?}");
    let unseen = customer.answers("alice", "domain", "asked", &[]);
    assert!(unseen.status.code() == Some(2) && said(&unseen).contains("it opens them all"), "{unseen:?}");
    let other = customer.answers("alice", "domain", "asked", &["--enrol", "three"]);
    assert!(other.status.code() == Some(1), "{other:?}");
    good(customer.answers("alice", "domain", "asked", &["--enrol", "two"]));
    let one = good(hsm.enrol(&["--answer", "alice.asked.answer"]));
    assert!(one.contains("there: 1; missing: 1"), "{one}");
    assert_eq!(hsm.second(), (false, false), "one custodian less than the quorum");
    good(customer.answers("carol", "domain", "asked", &["--enrol", "two"]));
    let done = good(hsm.enrol(&["--answer", "carol.asked.answer"]));
    assert!(done.contains("the token has the vault's wrapping key"), "{done}");
    assert_eq!(hsm.second(), (true, true));
    hsm.signs();
    let again = hsm.enrol(&["--answer", "carol.asked.answer"]);
    assert!(said(&again).contains("nobody is asked"), "{again:?}");
    stop(running);
    fs::remove_dir_all(hsm.tokens[0].objects()).unwrap();
    let running = site.start();
    customer.opens_by(["alice", "bob"], "domain", "start");
    hsm.signs();
    site.call("pay", &hsm.token, "POST", "/keys/new/create", r#"{"kty":"RSA-HSM"}"#).ok();
    stop(running);
    let verified = site.place.cli(&["audit", "verify", "--data", site.place.data_str()]);
    assert!(verified.status.success(), "{verified:?}");
}

#[test]
fn what_custodians_answered_to_an_unseal_or_for_another_token_enrols_none() {
    let (hsm, running) = Hsm::new(Maker::SoftHsm2, "hsm");
    let customer = &hsm.customer;
    stop(running);
    let running = customer.site.start();
    good(customer.unseal(&["--out", "start"]));
    let sealed = hsm.enrol(&["--token", "two", "--out", "sealed"]);
    assert!(said(&sealed).contains("needs it to be open"), "{sealed:?}");
    for name in ["alice", "bob"] {
        good(customer.answers(name, "domain", "start", &[]));
    }
    good(customer.unseal(&["--answer", "alice.start.answer", "--answer", "bob.start.answer"]));
    good(hsm.enrol(&["--token", "one", "--out", "first"]));
    for name in ["alice", "bob"] {
        good(customer.answers(name, "domain", "first", &["--enrol", "one"]));
    }
    good(hsm.enrol(&["--token", "two", "--again", "--out", "second"]));
    for challenge in ["start", "first"] {
        let answers = ["alice", "bob"].map(|name| format!("{name}.{challenge}.answer"));
        let refused = hsm.enrol(&["--answer", &answers[0], "--answer", &answers[1]]);
        assert!(refused.status.code() == Some(1) && said(&refused).contains("another challenge"), "{refused:?}");
        assert_eq!(hsm.second(), (false, false), "{challenge}");
    }
    // The token that has the key already may be asked for, too: one that was cleared is given it again.
    good(hsm.enrol(&["--token", "one", "--again", "--out", "third"]));
    for name in ["bob", "carol"] {
        good(customer.answers(name, "domain", "third", &["--enrol", "one"]));
        good(hsm.enrol(&["--answer", &format!("{name}.third.answer")]));
    }
    hsm.signs();
    stop(running);
}
