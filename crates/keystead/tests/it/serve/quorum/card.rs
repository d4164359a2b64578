//! A custodian whose key is in a token, and a server.

use super::{CUSTODIANS, Customer, SIGN, good, stop};
use crate::hsm::bed::{Maker, Token};
use keystead_custody::words;
use std::fs;

/// A key of carol's is born in a token, and her certificate is made for it.
fn carols(customer: &Customer, maker: Maker) -> Token {
    let place = &customer.site.place;
    let token = Token::new(maker, &place.beside("tokens"), "hers");
    let pair = ["--keypairgen", "--key-type", "rsa:3072", "--label", "carol", "--id", "01", "--sensitive"];
    token.with_pin(&[&pair[..], &["--usage-sign", "--usage-decrypt"]].concat());
    token.with_pin(&["--read-object", "--type", "pubkey", "--id", "01", "-o", &customer.file("carol.der")]);
    let signed = ["x509", "-new", "-force_pubkey", "carol.der", "-key", "alice.key.pem", "-subj", "/CN=carol"];
    good(place.program("openssl").args(signed).args(["-out", "carol.pem"]).output().unwrap());
    fs::remove_file(customer.file("carol.key.pem")).unwrap();
    token
}

#[test]
fn a_vault_opens_by_a_custodian_with_a_key_in_a_token_and_one_with_a_key_in_a_file() {
    [Maker::SoftHsm2, Maker::Kryoptic].into_iter().for_each(opens);
}

fn opens(maker: Maker) {
    assert_eq!(CUSTODIANS[2], "carol");
    let customer = Customer::new();
    let token = carols(&customer, maker);
    let site = &customer.site;
    let (module, pin) = (token.module(), token.pin());
    let variable = token.environment();
    let card = |command: &str, words: &[&str]| {
        let [module, pin] = [&module, &pin].map(|path| path.to_str().unwrap());
        let common = ["--pkcs11", module, "--label", "carol", "--pin-file", pin, "--environment", &variable];
        good(site.place.cli(&[&["custodian", command], &common[..], words].concat()))
    };
    let (running, client) = customer.activated();
    let agreed = words(&customer.record("domain").digest());
    card("confirm", &["--record", "domain", "--domain", "domain", "--words", &agreed, "--out", "carol.confirmation"]);
    good(site.vault(&["confirm", "pay", "--confirmation", "carol.confirmation"]));
    assert_eq!(customer.shown()["quorum"]["confirmed"], 1);
    stop(running);

    let running = site.start();
    assert_eq!(site.call("pay", &client, "GET", "/keys", "").code(), "VaultSealed");
    good(customer.unseal(&["--out", "asked"]));
    card("answer", &["--challenge", "asked", "--domain", "domain", "--out", "carol.answer"]);
    let said = good(customer.unseal(&["--answer", "carol.answer"]));
    assert!(said.contains("there: 3; missing: 1"), "{said}");
    let alice = customer.answer("alice", "asked");
    assert_eq!(good(customer.unseal(&["--answer", &alice])).trim(), "pay is open");
    site.call("pay", &client, "POST", "/keys/k/sign", SIGN).ok();
    stop(running);
}
