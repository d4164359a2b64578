//! What is done at a later time, by the real binary under a shifted wall clock: rotation by the stored policy, purge at
//! the end of retention, and no purge while the clock is in doubt.

use super::{DIGEST, operator};
use crate::inside::{Inside, moment, now};
use crate::support::{Place, Server, Vault};
use keystead_engine::{RotateWhen, RotationPolicy, SetRotationPolicy};
use keystead_identity::Proof;
use keystead_model::{IsoDuration, Name};
use serde_json::Value;
use std::thread::sleep;
use std::time::{Duration, Instant};

/// `keystead dev` whose wall clock differs from the machine's by `shift` (`+8d`). Its other clocks run as they are.
fn dev_at(place: &Place, shift: &str) -> Server {
    let mut libraries =
        std::fs::read_dir("/usr/lib").unwrap().flatten().map(|d| d.path().join("faketime/libfaketimeMT.so.1"));
    let library = libraries.find(|file| file.exists()).expect("libfaketime: tests/run/install apt");
    let env = [
        ("LD_PRELOAD", library.to_str().unwrap()),
        ("FAKETIME", shift),
        ("FAKETIME_DONT_FAKE_MONOTONIC", "1"),
        ("FAKETIME_DONT_RESET", "1"),
    ];
    place.dev_with(&env).unwrap_or_else(|e| panic!("{}: {}", e.status, e.text))
}

/// The first record of the vault's log that fits, waited for.
fn record(vault: &mut Vault, fits: impl Fn(&Value) -> bool) -> Value {
    let until = Instant::now() + Duration::from_secs(120);
    loop {
        let records = vault.records(0);
        if let Some(found) = records.iter().find(|r| fits(r)) {
            return found.clone();
        }
        assert!(Instant::now() < until, "no such record: {records:#?}");
        sleep(Duration::from_millis(100));
    }
}

#[test]
fn a_key_with_a_rotation_policy_gets_a_new_version_by_itself_on_its_day() {
    let place = Place::new();
    let server = place.dev();
    let mut vault = server.vault();
    let old = vault.create("turns", "EC").unwrap().ok()["key"]["kid"].as_str().unwrap().to_owned();
    vault.create("stays", "EC").unwrap().ok();
    let (client, secret) = (server.env["AZURE_CLIENT_ID"].clone(), server.env["AZURE_CLIENT_SECRET"].clone());
    assert!(server.stop().success());
    let revision = store_policy(&place, &client, &secret);

    let server = dev_at(&place, "+6d");
    sleep(Duration::from_millis(2_500));
    assert_eq!(server.vault().get("turns").unwrap().ok()["key"]["kid"], *old, "not before its day");
    assert!(server.stop().success());

    let server = dev_at(&place, "+8d");
    let mut vault = server.vault();
    let rotated = record(&mut vault, |r| r["action"] == "keys/rotate");
    assert_eq!((&rotated["outcome"], &rotated["target"]), (&"done".into(), &"/keys/turns".into()), "{rotated}");
    assert_eq!(rotated["ground"], format!("mandate {revision}"), "{rotated}");
    assert!(rotated["subject"].as_str().unwrap().contains('|') && rotated["application"].is_null(), "{rotated}");
    assert!(rotated["version"].is_string() && rotated["revision"].as_u64() > Some(revision), "{rotated}");

    let versions = |vault: &mut Vault, name: &str| {
        let list = vault.call("GET", &format!("/keys/{name}/versions"), None).unwrap().ok();
        list["value"].as_array().unwrap().len()
    };
    sleep(Duration::from_millis(1_500));
    assert_eq!(
        (versions(&mut vault, "turns"), versions(&mut vault, "stays")),
        (2, 1),
        "once, and only where it was stored"
    );
    let new = vault.sign("turns", &DIGEST).unwrap().ok()["kid"].as_str().unwrap().to_owned();
    assert_ne!(new, old);
    assert!(new.ends_with(rotated["version"].as_str().unwrap()), "{new}: {rotated}");
    let attributes = vault.get("turns").unwrap().ok()["attributes"].clone();
    let life = attributes["exp"].as_i64().unwrap() - attributes["created"].as_i64().unwrap();
    assert_eq!(life, 30 * 86_400, "as the policy says");
    vault.sign(&old, &DIGEST).unwrap().ok();
    assert!(server.stop().success());
    let verified = place.cli(&["audit", "verify", "--data", place.data_str()]);
    assert!(verified.status.success(), "{verified:?}");
}

/// Stores a policy of 7 days as the client, between two runs of the binary; the vault's revision after it.
fn store_policy(place: &Place, client: &str, secret: &str) -> u64 {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
    runtime.block_on(async {
        let node = Inside::open(&place.data, &place.data.join("path.key")).await;
        let vault = node.instance.named("dev").unwrap();
        let caller = vault.authenticate(Proof::ClientSecret { client, secret }, None, now()).unwrap();
        let rotate = Some(RotateWhen::AfterCreate(IsoDuration::days(7)));
        let policy = RotationPolicy { rotate, notify: None, expiry: Some(IsoDuration::days(30)) };
        let ask = SetRotationPolicy { name: Name::parse("turns").unwrap(), policy: Some(policy) };
        vault.run(caller, ask, moment(now())).await.unwrap().into_parts().1.unwrap();
        let revision = node.revision("dev").await;
        node.close().await;
        revision
    })
}

#[test]
fn a_deleted_key_is_purged_at_the_end_of_its_retention() {
    let place = Place::new();
    let server = place.dev();
    let mut vault = server.vault();
    vault.create("gone", "EC").unwrap().ok();
    vault.delete("gone").unwrap().ok();
    assert!(server.stop().success());

    let server = dev_at(&place, "+6d");
    sleep(Duration::from_millis(2_500));
    server.vault().get_deleted("gone").unwrap().ok();
    assert!(server.stop().success());

    let server = dev_at(&place, "+8d");
    let mut vault = server.vault();
    let purged = record(&mut vault, |r| r["action"] == "keys/purge");
    assert_eq!((&purged["outcome"], &purged["subject"]), (&"done".into(), &"retention".into()), "{purged}");
    assert!(purged["ground"].as_str().unwrap().starts_with("mandate "), "{purged}");
    assert_eq!(vault.get_deleted("gone").unwrap().status, 404);
    vault.create("gone", "EC").unwrap().ok();
    assert!(server.stop().success());
}

#[test]
fn no_purge_is_done_while_the_clock_is_behind_the_log() {
    let place = Place::new();
    let server = dev_at(&place, "-20d");
    let mut vault = server.vault();
    vault.create("held", "EC").unwrap().ok();
    vault.delete("held").unwrap().ok();
    operator(&place, &["seal", "dev"]);
    assert!(server.stop().success());

    // Eight days ahead, something is recorded; the vault is sealed, so nothing is purged in it.
    let server = dev_at(&place, "+8d");
    let words =
        ["create", "later", "--authority", "later.localhost:1", "--client", "a", "--role", "Key Vault Crypto User"];
    operator(&place, &words);
    assert!(server.stop().success());

    // Due long ago by the clock of today, but the log has seen a later day.
    let server = place.dev();
    operator(&place, &["unseal", "dev"]);
    sleep(Duration::from_millis(3_000));
    let mut vault = server.vault();
    vault.get_deleted("held").unwrap().ok();
    assert!(vault.records(0).iter().all(|r| r["action"] != "keys/purge"));
    vault.recover("held").unwrap().ok();
    vault.sign("held", &DIGEST).unwrap().ok();
    assert!(server.stop().success());
}
