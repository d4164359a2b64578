//! The shim bites what was not synced, and nothing else. And what the store acknowledged outlives the power.
#![allow(
    clippy::arithmetic_side_effects,
    clippy::disallowed_methods,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used
)]

mod victim;

use keystead_model::VaultId;
use keystead_store::{Kind, Store};
use std::collections::BTreeSet;
use std::fs;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;
use tempfile::TempDir;

/// The library under test: beside this binary in `target/<profile>/deps`.
fn library() -> PathBuf {
    let library = std::env::current_exe().unwrap().with_file_name("libkeystead_powerloss.so");
    assert!(library.exists(), "{} is built with these tests", library.display());
    library
}

fn victim(what: &str, dir: &Path, seed: u64, after: Option<u64>) -> Child {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.args(["--exact", "victim::run", "--nocapture"]).env(victim::WHAT, what).stdout(Stdio::piped());
    command.env("LD_PRELOAD", library());
    command.env("KEYSTEAD_POWERLOSS_DIR", dir).env("KEYSTEAD_POWERLOSS_SEED", seed.to_string());
    if let Some(after) = after {
        command.env("KEYSTEAD_POWERLOSS_AFTER", after.to_string());
    }
    command.spawn().unwrap()
}

/// What the process says, in lines.
fn lines(child: &mut Child) -> impl Iterator<Item = String> + use<> {
    let all = BufReader::new(child.stdout.take().unwrap()).lines().map(Result::unwrap);
    all.filter_map(|line| line.split_once(victim::SAYS).map(|(_, said)| said.to_owned()))
}

fn cut_power(child: &Child) {
    let id = child.id().try_into().unwrap();
    // SAFETY: a child of ours that nobody has waited for yet.
    #[allow(unsafe_code)]
    let sent = unsafe { libc::kill(id, libc::SIGUSR2) };
    assert_eq!(sent, 0);
}

fn expect_power_loss(mut child: Child) {
    assert_eq!(child.wait().unwrap().code(), Some(99), "the power failed");
}

/// Runs until the n-th change; what was said, and what is left.
fn lose(what: &str, seed: u64, after: u64) -> (Vec<String>, TempDir) {
    let dir = tempfile::tempdir().unwrap();
    let mut child = victim(what, dir.path(), seed, Some(after));
    let said = lines(&mut child).collect();
    expect_power_loss(child);
    (said, dir)
}

fn last_number(said: &[String]) -> u64 {
    said.last().map_or(0, |n| n.parse().unwrap())
}

#[test]
fn synced_blocks_are_whole_and_unsynced_ones_kept_dropped_or_torn() {
    let (mut kept, mut shorter, mut torn) = (0, 0, 0);
    for seed in 0..40 {
        // The creation and eight blocks, six of them synced.
        let (said, dir) = lose("append", seed, 9);
        assert_eq!(last_number(&said), 6);
        let bytes = fs::read(dir.path().join("file")).unwrap();
        let block = |i: usize| bytes.get(i * 1500..bytes.len().min((i + 1) * 1500)).unwrap_or_default();
        for i in 0..6_u8 {
            assert_eq!(block(i.into()), [i; 1500], "seed {seed}");
        }
        for i in 6..8_u8 {
            match block(i.into()) {
                b if b == [i; 1500] => kept += 1,
                b if b.iter().all(|byte| *byte == 0) => shorter += 1,
                b => {
                    assert!(b.iter().all(|byte| *byte == 0 || *byte == i), "nothing but its own bytes or zeros");
                    torn += 1;
                }
            }
        }
    }
    assert!(kept > 5 && shorter > 5 && torn > 5, "{kept} kept, {shorter} dropped, {torn} torn");
}

#[test]
fn the_same_seed_loses_the_same() {
    let left = |seed| fs::read(lose("append", seed, 9).1.path().join("file")).unwrap();
    let all: Vec<_> = (0..8).map(left).collect();
    assert_eq!(all, (0..8).map(left).collect::<Vec<_>>());
    assert!(all.iter().collect::<BTreeSet<_>>().len() > 3);
}

#[test]
fn overwriting_and_resizing_harm_no_synced_sector_they_did_not_touch() {
    let mut lengths = BTreeSet::new();
    // Create, write | two writes, two resizes, create, write, create, write.
    for (seed, after) in (0..60).flat_map(|seed| [(seed, 3), (seed, 6), (seed, 10)]) {
        let (said, dir) = lose("overwrite", seed, after);
        assert_eq!(said, ["synced"]);
        let bytes = fs::read(dir.path().join("file")).unwrap();
        lengths.insert(bytes.len());
        assert_eq!(bytes[..4096], [0; 4096]);
        for sector in bytes[4096..].chunks(512) {
            assert!(sector.iter().all(|b| *b == sector[0]) || sector.len() < 512, "torn at sectors only");
        }
    }
    assert_eq!(lengths, BTreeSet::from([7168, 8192, 9000]));
}

#[test]
fn a_file_replaced_properly_is_always_whole_and_the_newest_said() {
    for seed in 0..30 {
        let (said, dir) = lose("replace", seed, 10 + seed);
        let bytes = fs::read(dir.path().join("file")).unwrap();
        assert!(u64::from(bytes[0]) >= last_number(&said), "seed {seed}");
        assert_eq!(bytes, [bytes[0]; 3000], "seed {seed}");
    }
}

#[test]
fn a_file_replaced_without_sync_is_damaged_for_some_seed() {
    let damaged = (0..30).filter(|seed| {
        let (_, dir) = lose("replace-unsynced", *seed, 12);
        let bytes = fs::read(dir.path().join("file")).unwrap_or_default();
        bytes.len() != 3000 || bytes.iter().any(|b| *b != bytes[0])
    });
    assert!(damaged.count() > 5);
}

#[test]
fn a_removal_is_undone_for_some_seed_unless_its_directory_was_synced() {
    let mut back = 0;
    for seed in 0..20 {
        let dir = tempfile::tempdir().unwrap();
        let mut child = victim("remove", dir.path(), seed, None);
        assert_eq!(lines(&mut child).next().unwrap(), "removed");
        cut_power(&child);
        expect_power_loss(child);
        assert!(!dir.path().join("durably").exists());
        if let Ok(text) = fs::read_to_string(dir.path().join("hastily")) {
            assert_eq!(text, "hastily");
            back += 1;
        }
    }
    assert!(0 < back && back < 20, "{back}");
}

#[test]
fn the_signal_ends_an_idle_process_at_once() {
    let (mut gone, mut whole) = (0, 0);
    for seed in 0..20 {
        let dir = tempfile::tempdir().unwrap();
        let mut child = victim("idle", dir.path(), seed, None);
        assert_eq!(lines(&mut child).next().unwrap(), "idle");
        cut_power(&child);
        expect_power_loss(child);
        match fs::read(dir.path().join("file")) {
            Err(_) => gone += 1,
            Ok(bytes) if bytes == [7; 5000] => whole += 1,
            Ok(bytes) => assert!(bytes.iter().all(|b| matches!(b, 0 | 7))),
        }
    }
    assert!(gone > 0 && whole > 0, "{gone} {whole}");
}

/// How many acknowledged commits are missing, where the database can be read at all.
fn sqlite_lost(what: &str, seed: u64) -> Option<u64> {
    let (said, dir) = lose(what, seed, 150 + 37 * seed);
    let said = last_number(&said);
    let conn = rusqlite::Connection::open(dir.path().join("db")).ok()?;
    let sound: String = conn.query_row("PRAGMA integrity_check", [], |r| r.get(0)).ok()?;
    let count: Option<u64> =
        conn.query_row("SELECT count(*) FROM t", [], |r| r.get::<_, i64>(0)).ok().map(i64::cast_unsigned);
    (sound == "ok").then_some(said.saturating_sub(count?))
}

#[test]
fn sqlite_with_synchronous_full_keeps_every_acknowledged_commit() {
    for seed in 0..20 {
        assert_eq!(sqlite_lost("sqlite-full", seed), Some(0), "seed {seed}");
    }
}

#[test]
fn sqlite_with_synchronous_off_loses_something_for_some_seed() {
    let lost = (0..10).filter(|seed| sqlite_lost("sqlite-off", *seed) != Some(0));
    assert!(lost.count() > 3);
}

/// Opens what is left and checks it against what was said.
async fn check_store(dir: &Path, said: &[String], seed: u64) {
    let store = Store::open(&dir.join("store/keystead.db")).unwrap();
    if said.is_empty() {
        return;
    }
    let mut newest = [(0, 0); 8];
    for line in &said[1..] {
        let numbers: Vec<u64> = line.split(' ').map(|n| n.parse().unwrap()).collect();
        newest[usize::try_from(numbers[0]).unwrap()] = (numbers[1], numbers[2]);
    }
    let rows = store.page(VaultId::from_bytes([1; 16]), Kind::Key, None, 99).await.unwrap();
    for (lookup, (counter, revision)) in (0_u8..).zip(newest).filter(|(_, n)| n.0 > 0) {
        let row =
            rows.iter().find(|row| row.lookup[0] == lookup).unwrap_or_else(|| panic!("row {lookup}, seed {seed}"));
        assert!(row.counter >= counter && row.revision.0 >= revision, "row {lookup}, seed {seed}");
    }
    let revision = store.vaults().await.unwrap()[0].revision.0;
    assert_eq!(rows.iter().map(|row| row.counter).sum::<u64>() + 1, revision, "one revision per change, seed {seed}");
    let outbox: Vec<_> = store.outbox().await.unwrap();
    let revisions: Vec<_> = outbox.iter().map(|r| u64::from_be_bytes(r.bytes[..].try_into().unwrap())).collect();
    assert!(revisions.is_sorted() && revisions.iter().all(|r| *r <= revision));
    for row in rows.iter().filter(|row| row.counter % 5 != 0) {
        assert!(revisions.contains(&row.revision.0), "a change without its record, seed {seed}");
    }
    store.close().await;
}

#[tokio::test]
async fn the_store_keeps_every_acknowledged_commit_with_its_record() {
    for seed in 0..30 {
        // From the first pages of a new database to some checkpoints on.
        let after = if seed < 10 { 1 + 9 * seed } else { 200 * (seed - 9) };
        let (said, dir) = lose("store", seed, after);
        check_store(dir.path(), &said, seed).await;
    }
}

#[tokio::test]
async fn the_store_keeps_every_acknowledged_commit_whenever_the_power_is_cut() {
    for seed in 0..8 {
        let dir = tempfile::tempdir().unwrap();
        let mut child = victim("store", dir.path(), seed, None);
        let mut lines = lines(&mut child);
        let mut said: Vec<_> = lines.by_ref().take(100).collect();
        tokio::time::sleep(Duration::from_millis(20 + 13 * seed)).await;
        cut_power(&child);
        said.extend(lines);
        expect_power_loss(child);
        check_store(dir.path(), &said, seed).await;
    }
}
