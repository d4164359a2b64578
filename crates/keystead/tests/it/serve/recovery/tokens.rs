//! Keys of an HSM come back in a second, empty token: the wrapping key is in the domain.

use super::super::quorum::{SIGN, good};
use super::super::{said, stop};
use super::{Before, as_client, carry, recovered, site};
use crate::hsm::bed::{Maker, Token};
use serde_json::Value;
use std::fs;

#[test]
fn keys_of_an_hsm_come_back_in_a_second_empty_token_and_in_a_rehearsals_third() {
    [Maker::SoftHsm2, Maker::Kryoptic].into_iter().for_each(come_back);
}

fn come_back(maker: Maker) {
    let tokens = tempfile::tempdir().unwrap();
    let token = |name: &str| {
        let directory = tokens.path().join(name);
        fs::create_dir(&directory).unwrap();
        Token::new(maker, &directory, name).section("wrapped")
    };
    let before = Before::empty(&token("one"), &["--hsm", "one"], "hsm");
    let kinds = [
        ("ec", r#"{"kty":"EC-HSM"}"#),
        ("rsa", r#"{"kty":"RSA-HSM"}"#),
        ("oct", r#"{"kty":"oct-HSM","key_size":256}"#),
    ];
    for (name, body) in kinds {
        let path = format!("/keys/{name}/create");
        before.customer.site.call("pay", &before.token, "POST", &path, body).ok();
    }
    let mut before = before.backed_up();
    let made = before.customer.site.call("pay", &before.token, "GET", "/keys/ec", "").ok();
    before.lose();
    // Without a token the rehearsal says what it needs.
    let without = before.rehearse(&["alice", "bob"], &["--inventory", "inventory.json"]);
    assert!(without.status.code() == Some(2) && said(&without).contains("--hsm FILE"), "{without:?}");
    fs::write(before.customer.file("third.toml"), token("three")).unwrap();
    let more = ["--inventory", "inventory.json", "--hsm", "third.toml", "--output", "json"];
    let report: Value = serde_json::from_str(&good(before.rehearse(&["alice", "bob"], &more))).unwrap();
    assert_eq!((&report["equal"], &report["worked"]), (&true.into(), &3.into()), "{report}");
    let after = site(&token("two"));
    let (running, client) = recovered(&before, &after, "hsm", &["--hsm", "two"]);
    carry(&before, &after);
    good(as_client(&after, &client, &["restore", "start", &before.folder]));
    let token = after.token(&client);
    let again = after.call("other", &token, "GET", "/keys/ec", "").ok();
    assert_eq!(again["key"]["x"], made["key"]["x"]);
    after.call("other", &token, "POST", "/keys/ec/sign", SIGN).ok();
    let sealed = after.call("other", &token, "POST", "/keys/oct/encrypt", r#"{"alg":"A256GCM","value":"AAAA"}"#).ok();
    let open =
        serde_json::json!({ "alg": "A256GCM", "value": sealed["value"], "iv": sealed["iv"], "tag": sealed["tag"] });
    let opened = after.call("other", &token, "POST", "/keys/oct/decrypt", &open.to_string()).ok();
    assert_eq!(opened["value"], "AAAA");
    stop(running);
}
