//! The wrapping key: a datum of the vault's domain, which any token can be given.

use super::{start, vault};
use crate::support::{Place, Vault, b64};
use serde_json::json;
use std::fs;
use std::path::PathBuf;
use std::time::{Duration, Instant};

fn enrol(place: &Place) -> std::process::Output {
    let socket = place.data.join("operator.sock");
    place.cli(&["vault", "--socket", socket.to_str().unwrap(), "enrol", "dev-hsm", "--token", "softhsm"])
}

#[test]
fn a_new_token_that_was_given_the_wrapping_key_signs_with_the_old_keys() {
    let place = Place::new();
    let server = start(&place);
    let mut before = vault(&place, &server);
    let made = before.call("POST", "/keys/pay/create", Some(&json!({"kty": "RSA-HSM"}))).unwrap().ok();
    assert!(server.stop().success());
    fs::remove_dir_all(place.data.join("softhsm")).unwrap();
    let server = start(&place);
    let mut after = vault(&place, &server);
    let body = json!({"alg": "PS256", "value": b64(&[7; 32])});
    let refused = after.call("POST", "/keys/pay/sign", Some(&body)).unwrap();
    assert_eq!(refused.status, 503, "an empty token has no wrapping key");
    assert!(refused.message().contains("wrapping key"), "{}", refused.message());
    let done = enrol(&place);
    assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
    let signed = after.call("POST", "/keys/pay/sign", Some(&body)).unwrap().ok();
    assert_eq!(signed["kid"], made["key"]["kid"]);
    let check = json!({"alg": "PS256", "digest": b64(&[7; 32]), "value": signed["value"]});
    assert_eq!(after.call("POST", "/keys/pay/verify", Some(&check)).unwrap().ok()["value"], true);
    assert_eq!(after.get("pay").unwrap().ok()["key"]["n"], made["key"]["n"]);
    assert!(server.stop().success());
}

#[test]
fn a_token_that_goes_away_and_comes_back_costs_other_vaults_nothing() {
    let place = Place::new();
    let server = start(&place);
    let mut hsm = vault(&place, &server);
    let mut software = server.vault();
    hsm.call("POST", "/keys/pay/create", Some(&json!({"kty": "EC-HSM"}))).unwrap().ok();
    software.create("pay", "EC").unwrap().ok();
    let (tokens, aside) = away(&place, &mut hsm);
    software.sign("pay", &[7; 32]).unwrap().ok();
    fs::remove_dir(&tokens).unwrap();
    fs::rename(&aside, &tokens).unwrap();
    let until = Instant::now() + Duration::from_secs(60);
    while hsm.sign("pay", &[7; 32]).unwrap().status != 200 {
        assert!(Instant::now() < until, "it is found again");
        std::thread::sleep(Duration::from_millis(100));
    }
    assert!(server.stop().success());
}

#[test]
fn an_administrator_who_seals_while_a_token_is_enrolled_wins() {
    let place = Place::new();
    let server = start(&place);
    let mut hsm = vault(&place, &server);
    hsm.call("POST", "/keys/pay/create", Some(&json!({"kty": "EC-HSM"}))).unwrap().ok();
    let socket = place.data.join("operator.sock");
    for after in [0, 20, 60, 120, 250] {
        std::thread::scope(|scope| {
            let enrolling = scope.spawn(|| enrol(&place));
            std::thread::sleep(Duration::from_millis(after));
            let sealed = hsm.call("POST", "/keystead/v1/vault/seal", None).unwrap();
            assert_eq!(sealed.status, 204, "{}", sealed.message());
            let _whatever_came_of_it = enrolling.join().unwrap();
        });
        let answer = hsm.sign("pay", &[7; 32]).unwrap();
        assert_eq!(answer.code(), "VaultSealed", "{after} ms");
        let done = place.cli(&["vault", "--socket", socket.to_str().unwrap(), "unseal", "dev-hsm"]);
        assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
        hsm.sign("pay", &[7; 32]).unwrap().ok();
    }
    assert!(server.stop().success());
}

#[test]
fn what_an_erasure_leaves_in_tokens_is_told() {
    let place = Place::new();
    let server = start(&place);
    let mut hsm = vault(&place, &server);
    hsm.call("POST", "/keys/pay/create", Some(&json!({"kty": "EC-HSM"}))).unwrap().ok();
    away(&place, &mut hsm);
    let socket = place.data.join("operator.sock");
    let words = ["vault", "--socket", socket.to_str().unwrap(), "erase", "dev-hsm", "--confirm", "dev-hsm"];
    let done = place.cli(&words);
    let told = String::from_utf8_lossy(&done.stdout).into_owned();
    assert!(done.status.success(), "{told}");
    assert!(told.contains("left: the wrapping key in token 'softhsm'"), "{told}");
    assert!(told.contains("left: resident keys of vault"), "a token that is away may have some: {told}");
    assert!(server.stop().success());
}

/// Takes the token away, and waits until that is noticed: where it was, and where it is.
fn away(place: &Place, hsm: &mut Vault) -> (PathBuf, PathBuf) {
    let (tokens, aside) = (place.data.join("softhsm/tokens"), place.data.join("softhsm/aside"));
    fs::rename(&tokens, &aside).unwrap();
    fs::create_dir(&tokens).unwrap();
    let until = Instant::now() + Duration::from_secs(60);
    while hsm.sign("pay", &[7; 32]).unwrap().status != 503 {
        assert!(Instant::now() < until, "the loss is noticed");
        std::thread::sleep(Duration::from_millis(100));
    }
    (tokens, aside)
}
