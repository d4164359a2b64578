//! An activation that was broken off: the vault waits on, or it is activated. There is nothing in between.

use super::super::quorum::{Customer, SIGN, good};
use super::super::{said, stop};
use super::{create, site};
use std::fs;
use std::process::Stdio;
use std::thread::sleep;
use std::time::Duration;

#[test]
fn a_kill_between_offer_and_activation_costs_another_offer() {
    let customer = Customer::of(site(""));
    let running = customer.site.start();
    create(&customer.site, "pay", "vault");
    customer.make_domain("domain");
    drop(running);
    let running = customer.site.start();
    assert_eq!(customer.shown()["status"], "inactive");
    let late = customer.site.vault(&["activate", "pay", "--domain", "domain"]);
    assert!(!late.status.success() && said(&late).contains("no transfer key is there"), "{late:?}");
    customer.make_domain("again");
    good(customer.site.vault(&["activate", "pay", "--domain", "again"]));
    assert_eq!(customer.shown()["status"], "open");
    stop(running);
}

#[test]
fn a_kill_during_the_activation_leaves_a_vault_that_waits_or_one_that_its_custodians_open() {
    let (mut waited, mut stood) = (0, 0);
    for pause in [0, 5, 15, 30, 60, 120, 400] {
        let customer = Customer::of(site(""));
        let running = customer.site.start();
        create(&customer.site, "pay", "vault");
        customer.make_domain("domain");
        let socket = customer.site.place.data.join("operator.sock");
        let words = ["vault", "--socket", socket.to_str().unwrap(), "activate", "pay", "--domain", "domain"];
        let mut command = customer.site.place.command(&words);
        let mut activate = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
        sleep(Duration::from_millis(pause));
        drop(running);
        activate.wait().unwrap();
        let running = customer.site.start();
        let mut domain = "domain";
        if customer.shown()["status"] == "inactive" {
            waited += 1;
            customer.make_domain("again");
            good(customer.site.vault(&["activate", "pay", "--domain", "again"]));
            domain = "again";
        } else {
            stood += 1;
            assert_eq!(customer.shown()["status"], "sealed", "after {pause} ms");
            good(customer.unseal(&["--out", "first"]));
            for name in ["alice", "carol"] {
                let answer = customer.answer(name, "first");
                good(customer.unseal(&["--answer", &answer]));
            }
        }
        assert_eq!(customer.shown()["status"], "open", "after {pause} ms");
        good(customer.site.vault(&["confirm", "pay", "--confirmation", &customer.confirm("bob", domain)]));
        let token = customer.site.token(&customer.client);
        customer.site.call("pay", &token, "POST", "/keys/k/create", r#"{"kty":"EC"}"#).ok();
        customer.site.call("pay", &token, "POST", "/keys/k/sign", SIGN).ok();
        assert!(fs::metadata(&socket).is_ok());
        stop(running);
    }
    assert_eq!(waited + stood, 7);
}
