//! What custodians agreed to and a passing fault stood in the way of goes on without another answer.

use super::super::quorum::{Customer, custodian, good};
use super::super::{said, stop};
use super::tokens::Hsm;
use super::{CLIENT, OTHERS};
use crate::hsm::bed::Maker;
use rusqlite::Connection;
use std::process::Output;

/// While it is there, nothing is written to the store.
fn in_the_way(customer: &Customer) -> Connection {
    let store = Connection::open(customer.site.place.data.join("store/keystead.db")).unwrap();
    store.execute_batch("BEGIN IMMEDIATE").unwrap();
    store
}

fn kept(done: &Output) {
    let text = said(done);
    assert!(!done.status.success() && text.contains("custodians 1, 2 are kept until"), "{done:?}");
    assert!(text.contains("without an answer"), "{done:?}");
}

/// Of a command that was given no word more: it needs somebody who is asked, and M answers.
fn goes_on_only_with_all(command: &dyn Fn(&[&str]) -> Output, answers: &[String; 2]) {
    let one = good(command(&["--answer", &answers[0]]));
    assert!(one.contains("missing: 1"), "{one}");
    let waits = good(command(&[]));
    assert!(waits.contains("there: 1; missing: 1"), "{waits}");
}

#[test]
fn a_replacement_that_failed_for_a_reason_that_passes_goes_on_without_another_answer() {
    let customer = Customer::new();
    OTHERS.iter().for_each(|name| custodian(&customer.site, name));
    let (running, _) = customer.activated();
    customer.make_other(&OTHERS, "others");
    let replace = |words: &[&str]| customer.replace(words);
    let unasked = replace(&[]);
    assert!(said(&unasked).contains("nobody is asked"), "{unasked:?}");
    let answers = customer.agreed(["alice", "bob"], "domain", "others", "asked");
    goes_on_only_with_all(&replace, &answers);
    let held = in_the_way(&customer);
    kept(&replace(&["--answer", &answers[1]]));
    drop(held);
    let asked = good(replace(&["--domain", "others"]));
    assert!(asked.contains("All answers are there") && asked.ends_with("replace-custodians pay\n"), "{asked}");
    assert_eq!(customer.shown()["root"], 1, "asking alone does nothing");
    let done = good(replace(&[]));
    assert!(done.starts_with("the custodians were replaced"), "{done}");
    let again = replace(&[]);
    assert!(said(&again).contains("nobody is asked"), "{again:?}");
    stop(running);
    let running = customer.site.start();
    customer.opens_by(["dave", "frank"], "others", "start");
    stop(running);
}

#[test]
fn an_appointment_that_failed_for_a_reason_that_passes_goes_on_without_another_answer() {
    let customer = Customer::new();
    let (running, _) = customer.activated();
    let secret = "only-the-customer-has-this-secret";
    let digest = hex::encode(keystead_identity::secret_digest(secret));
    let appoint = |words: &[&str]| customer.appoint(words);
    let unasked = appoint(&[]);
    assert!(said(&unasked).contains("nobody is asked"), "{unasked:?}");
    let alone = appoint(&["--out", "alone"]);
    assert!(alone.status.code() == Some(2), "who is meant must be said: {alone:?}");
    good(appoint(&["--client", CLIENT, "--secret-sha256", &digest, "--out", "asked"]));
    let answers = ["alice", "bob"].map(|name| {
        good(customer.answers(name, "domain", "asked", &["--appoint", "built-in", CLIENT, &digest]));
        format!("{name}.asked.answer")
    });
    goes_on_only_with_all(&appoint, &answers);
    let held = in_the_way(&customer);
    kept(&appoint(&["--answer", &answers[1]]));
    drop(held);
    let done = good(appoint(&[]));
    assert!(done.contains("have appointed an administrator"), "{done}");
    let client = serde_json::json!({ "name": "pay", "client": { "id": CLIENT, "secret": secret } });
    let token = customer.site.token(&client);
    customer.site.call("pay", &token, "GET", "/keystead/v1/policy", "").ok();
    stop(running);
}

#[test]
fn an_enrolment_that_failed_for_a_reason_that_passes_goes_on_without_another_answer() {
    let (hsm, running) = Hsm::new(Maker::SoftHsm2, "hsm");
    let customer = &hsm.customer;
    let enrol = |words: &[&str]| hsm.enrol(words);
    let unasked = enrol(&[]);
    assert!(said(&unasked).contains("nobody is asked"), "{unasked:?}");
    good(enrol(&["--token", "two", "--out", "asked"]));
    let answers = ["alice", "bob"].map(|name| {
        good(customer.answers(name, "domain", "asked", &["--enrol", "two"]));
        format!("{name}.asked.answer")
    });
    goes_on_only_with_all(&enrol, &answers);
    assert_eq!(hsm.second(), (false, false));
    let held = in_the_way(customer);
    kept(&enrol(&["--answer", &answers[1]]));
    drop(held);
    // The token took the key before the store refused that the vault names it.
    assert_eq!(hsm.second(), (true, false));
    let done = good(enrol(&[]));
    assert!(done.contains("the token has the vault's wrapping key"), "{done}");
    assert_eq!(hsm.second(), (true, true));
    hsm.signs();
    stop(running);
}
