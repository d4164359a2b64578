//! Power cuts: the server runs under a library that forgets what was not synced (`tests/powerloss`).

use super::life::{Life, start};
use crate::support::Server;
use rustix::process::Signal;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::PathBuf;
use std::thread::sleep;
use std::time::{Duration, Instant};

/// Cuts per test, of which there are two, and cuts that one data directory lives through. In a long life segments of
/// the journal are filled, too.
fn rounds() -> (u64, u64) {
    if std::env::var("KEYSTEAD_TEST_LONG").is_ok_and(|long| !long.is_empty()) { (100, 50) } else { (10, 5) }
}

/// Cargo builds it beside this binary, as a development dependency.
fn library() -> PathBuf {
    let library = std::env::current_exe().unwrap().with_file_name("libkeystead_powerloss.so");
    assert!(library.exists(), "{} is built with these tests", library.display());
    library
}

/// One cut, and the checks after it. `how`: more of the library's settings.
fn round(life: &mut Life, seed: u64, how: (&str, &str), end: impl FnOnce(&mut Server) -> bool) {
    let (library, seed) = (library(), seed.to_string());
    let env = [
        ("LD_PRELOAD", library.to_str().unwrap()),
        ("KEYSTEAD_POWERLOSS_DIR", life.place.data_str()),
        ("KEYSTEAD_POWERLOSS_SEED", &seed),
        how,
    ];
    match start(&life.place, &env) {
        Ok(mut server) => {
            life.load(&mut server, end);
            assert_eq!(server.wait().code(), Some(99), "the power failed: {}", server.log());
        }
        Err(early) => assert_eq!(early.status.code(), Some(99), "the power failed: {}", early.text),
    }
    life.check();
}

fn cut_after(wait: Duration) -> impl FnOnce(&mut Server) -> bool {
    move |server| {
        sleep(wait);
        server.signal(Signal::USR2);
        false
    }
}

/// Waits for the change that was named; a quiet disk is cut off after a while.
fn until_struck(server: &mut Server) -> bool {
    let until = Instant::now() + Duration::from_secs(3);
    while server.ended().is_none() {
        if Instant::now() > until {
            server.signal(Signal::USR2);
            server.wait();
        }
        sleep(Duration::from_millis(2));
    }
    false
}

#[test]
fn nothing_acknowledged_is_lost_when_the_power_fails_at_any_write() {
    let mut life = Life::new(1);
    let (rounds, lives) = rounds();
    let mut receipts = 0;
    for seed in 0..rounds {
        if seed % lives == 0 {
            receipts += life.receipts();
            life = Life::new(seed);
        }
        // The first start writes some hundred times, a later one a few times: cuts there, and far into the load.
        let widest = [60, 400, 4_000][seed as usize % 3];
        let after = (1 + life.dice.below(widest)).to_string();
        round(&mut life, seed, ("KEYSTEAD_POWERLOSS_AFTER", &after), until_struck);
    }
    receipts += life.receipts();
    assert!(receipts as u64 > 10 * rounds, "too little was acknowledged: {receipts}");
}

#[test]
fn nothing_acknowledged_is_lost_when_the_power_fails_at_any_time() {
    let mut life = Life::new(1);
    let ((rounds, lives), mut under_load) = (rounds(), 0);
    for seed in 0..rounds {
        if seed % lives == 0 {
            life = Life::new(1_000 + seed);
        }
        let wait = Duration::from_millis(20 + life.dice.below(900));
        let before = life.receipts();
        round(&mut life, seed, ("KEYSTEAD_POWERLOSS_DEAF", ""), cut_after(wait));
        under_load += u64::from(life.receipts() > before);
    }
    // The earliest cuts may come before a slow machine has done anything.
    assert!(2 * under_load >= rounds, "the load was under way in {under_load} of {rounds} rounds");
}

/// The checks themselves: on a disk that lies they must fail.
#[test]
fn the_loss_is_found_when_a_sync_of_store_or_journal_does_nothing() {
    for liar in ["/store/keystead.db", "/audit/journal/"] {
        let found = (0..20).any(|seed| {
            let lying = AssertUnwindSafe(|| {
                let mut life = Life::new(2_000 + seed);
                round(
                    &mut life,
                    seed,
                    ("KEYSTEAD_POWERLOSS_DEAF", liar),
                    cut_after(Duration::from_millis(400 * (1 + seed))),
                );
            });
            catch_unwind(lying).is_err()
        });
        assert!(found, "syncs under {liar} may be left out without anybody noticing");
    }
}
