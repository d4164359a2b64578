//! What is done at a later time, by the real binary under a shifted wall clock: rotation by the stored policy, and
//! purge at the end of retention once an administrator has confirmed a clock that is doubted.

use super::{DIGEST, operator};
use crate::inside::{Inside, moment, now};
use crate::support::{Place, Reply, Server, Vault};
use keystead_engine::{RotateWhen, RotationPolicy, SetRotationPolicy};
use keystead_identity::Proof;
use keystead_model::{IsoDuration, Name};
use serde_json::{Value, json};
use std::fs;
use std::path::Path;
use std::thread::sleep;
use std::time::{Duration, Instant};

/// `keystead dev` whose wall clock differs from the machine's by `shift` (`+8d`). Its other clocks run as they are.
fn dev_at(place: &Place, shift: &str) -> Server {
    shifted(place, ("FAKETIME", shift))
}

/// The same, and the clock is set whenever another shift is written into the file.
fn dev_set_by(place: &Place, file: &Path) -> Server {
    shifted(place, ("FAKETIME_TIMESTAMP_FILE", file.to_str().unwrap()))
}

fn shifted(place: &Place, by: (&str, &str)) -> Server {
    let mut libraries =
        std::fs::read_dir("/usr/lib").unwrap().flatten().map(|d| d.path().join("faketime/libfaketimeMT.so.1"));
    let library = libraries.find(|file| file.exists()).expect("libfaketime: tests/run/install apt");
    let env = [
        ("LD_PRELOAD", library.to_str().unwrap()),
        by,
        ("FAKETIME_NO_CACHE", "1"),
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

const CLOCK: &str = "/keystead/v1/clock";

/// What the vault says of the clock.
fn clock(vault: &mut Vault) -> Value {
    vault.call("GET", CLOCK, None).unwrap().ok()
}

fn confirm(vault: &mut Vault, time: &Value) -> Reply {
    vault.call("POST", &format!("{CLOCK}/confirm"), Some(&json!({ "time": time }))).unwrap()
}

/// Several beats of the scheduler have gone by, and the key is still there.
fn not_purged(vault: &mut Vault, name: &str) {
    sleep(Duration::from_millis(3_000));
    vault.get_deleted(name).unwrap().ok();
    assert!(vault.records(0).iter().all(|r| r["action"] != "keys/purge"));
}

#[test]
fn a_retention_that_ends_by_a_clock_that_is_ahead_purges_when_an_administrator_has_confirmed_it_and_not_before() {
    let place = Place::new();
    let server = dev_at(&place, "-156h");
    let mut vault = server.vault();
    vault.create("gone", "EC").unwrap().ok();
    vault.delete("gone").unwrap().ok();
    assert_eq!(clock(&mut vault)["doubted"], false, "a first start is believed");
    assert!(server.stop().success());

    // Six and a half days later, in order; then a day ahead, past the end of the retention.
    let server = place.dev();
    let mut vault = server.vault();
    let now = clock(&mut vault)["time"].clone();
    assert_eq!(confirm(&mut vault, &now).ok()["doubted"], false);
    assert!(server.stop().success());

    let server = dev_at(&place, "+24h");
    let mut vault = server.vault();
    let shown = clock(&mut vault);
    assert_eq!((&shown["doubted"], &shown["doubt"]["why"]), (&json!(true), &json!("start")), "{shown}");
    not_purged(&mut vault, "gone");
    assert!(server.log().contains("the clock is doubted") && server.log().contains("keystead clock show"));
    assert_eq!(server.log().matches("the clock is doubted").count(), 1, "{}", server.log());
    vault.create("other", "EC").unwrap().ok();
    vault.sign("other", &DIGEST).unwrap().ok();
    assert_eq!(confirm(&mut vault, &now).code(), "ClockMoved", "that was yesterday");
    assert!(server.stop().success());

    let server = dev_at(&place, "+24h");
    let mut vault = server.vault();
    assert_eq!(clock(&mut vault)["doubt"], shown["doubt"], "a restart keeps the doubt");
    not_purged(&mut vault, "gone");
    let now = clock(&mut vault)["time"].clone();
    let confirmed = confirm(&mut vault, &now);
    assert!(confirmed.ok()["doubted"] == false && confirmed.receipt().is_some(), "{confirmed:?}");
    let purged = record(&mut vault, |r| r["action"] == "keys/purge");
    assert_eq!((&purged["outcome"], &purged["subject"]), (&"done".into(), &"retention".into()), "{purged}");
    assert!(purged["ground"].as_str().unwrap().starts_with("mandate "), "{purged}");
    assert_eq!(vault.get_deleted("gone").unwrap().status, 404);
    vault.create("gone", "EC").unwrap().ok();
    assert!(server.log().contains("the clock is confirmed"), "{}", server.log());
    assert!(server.stop().success());
    let verified = place.cli(&["audit", "verify", "--data", place.data_str()]);
    assert!(verified.status.success(), "{verified:?}");
}

#[test]
fn a_clock_that_is_set_while_the_server_runs_is_doubted_within_seconds_and_after_a_kill() {
    let place = Place::new();
    let shift = place.beside("shift");
    fs::write(&shift, "+0").unwrap();
    let server = dev_set_by(&place, &shift);
    let mut vault = server.vault();
    vault.create("gone", "EC").unwrap().ok();
    vault.delete("gone").unwrap().ok();
    assert_eq!(clock(&mut vault)["doubted"], false);
    fs::write(&shift, "+8d").unwrap();
    let until = Instant::now() + Duration::from_secs(60);
    let shown = loop {
        // The token of before has expired by this clock.
        let shown = clock(&mut server.vault());
        if shown["doubted"] == true {
            break shown;
        }
        assert!(Instant::now() < until, "{shown}");
        sleep(Duration::from_millis(100));
    };
    assert_eq!(shown["doubt"]["why"], "step", "{shown}");
    not_purged(&mut server.vault(), "gone");
    server.kill();

    let server = dev_at(&place, "+8d");
    let mut vault = server.vault();
    assert_eq!(clock(&mut vault)["doubt"], shown["doubt"]);
    not_purged(&mut vault, "gone");
    assert!(server.stop().success());
}

#[test]
fn no_purge_is_done_while_the_clock_is_behind_what_was_noted() {
    let place = Place::new();
    let server = dev_at(&place, "-20d");
    let mut vault = server.vault();
    vault.create("held", "EC").unwrap().ok();
    vault.delete("held").unwrap().ok();
    assert!(server.stop().success());
    assert!(dev_at(&place, "+8d").stop().success());

    // Due long ago by the clock of today, but the server has seen a later day.
    let server = place.dev();
    let mut vault = server.vault();
    assert_eq!(clock(&mut vault)["doubted"], true);
    not_purged(&mut vault, "held");
    vault.recover("held").unwrap().ok();
    vault.sign("held", &DIGEST).unwrap().ok();
    assert!(server.stop().success());
}

#[test]
fn a_stop_for_a_while_and_a_kill_are_no_doubt() {
    let place = Place::new();
    let server = place.dev();
    assert_eq!(clock(&mut server.vault())["doubted"], false);
    assert!(server.stop().success());
    let server = dev_at(&place, "+50m");
    assert_eq!(clock(&mut server.vault())["doubted"], false);
    server.kill();
    let server = dev_at(&place, "+90m");
    assert_eq!(clock(&mut server.vault())["doubted"], false);
    assert!(server.stop().success());
}

#[test]
fn a_doubted_clock_is_shown_to_whoever_looks_and_the_command_line_confirms_it() {
    let place = Place::new();
    assert!(dev_at(&place, "-3d").stop().success());
    let server = place.dev();
    let mut http = server.http();
    let health = http.get("/keystead/v1/health").unwrap();
    assert_eq!((health.status, &health.json()["clock"]), (200, &json!("doubted")));
    let ready = http.get("/keystead/v1/ready").unwrap();
    let answer = ready.json();
    assert_eq!((ready.status, &answer["ready"], &answer["reasons"]), (200, &json!(true), &json!([])));
    assert_eq!(answer["warnings"][0]["code"], "clock");
    let listed: Value = serde_json::from_str(&operator(&place, &["show", "dev", "--output", "json"])).unwrap();
    assert_eq!(listed["clock"], "doubted");

    let shown = place.cli(&["clock", "show"]);
    let text = String::from_utf8(shown.stdout).unwrap();
    assert!(shown.status.success() && text.contains("doubted: the server last ran at"), "{text}");
    let words = text.split_once("keystead clock confirm ").unwrap().1.trim().to_owned();
    let refused = place.cli(&["clock", "confirm", "2001-01-31T12:00:00Z"]);
    assert_eq!(refused.status.code(), Some(3), "{refused:?}");
    assert!(String::from_utf8_lossy(&refused.stderr).contains("more than an hour"), "{refused:?}");
    assert_eq!(place.cli(&["clock", "confirm"]).status.code(), Some(2));
    let confirmed = place.cli(&["clock", "confirm", &words, "--output", "json"]);
    let answer: Value = serde_json::from_slice(&confirmed.stdout).unwrap();
    assert!(answer["doubted"] == false && answer["receipt"].is_string(), "{answer}");
    assert_eq!(http.get("/keystead/v1/health").unwrap().ok()["clock"], "ok");
    assert_eq!(http.get("/keystead/v1/ready").unwrap().ok(), json!({ "ready": true, "reasons": [] }));
    assert!(server.stop().success());
}
