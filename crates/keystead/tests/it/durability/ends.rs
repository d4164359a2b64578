//! Kills, stops, and a second process.

use super::life::Life;
use crate::support::Place;
use rustix::process::Signal;
use serde_json::Value;
use std::thread::{scope, sleep};
use std::time::Duration;

#[test]
fn nothing_acknowledged_is_lost_when_the_server_is_killed_under_load() {
    let (mut life, mut under_load) = (Life::new(77), 0);
    for _ in 0..10 {
        let before = life.receipts();
        let mut server = life.place.dev();
        let wait = Duration::from_millis(50 + life.dice.below(500));
        life.load(&mut server, |server| {
            sleep(wait);
            server.signal(Signal::KILL);
            false
        });
        assert_eq!(server.wait().code(), None, "killed by the signal");
        under_load += u32::from(life.receipts() > before);
        life.check();
    }
    // The earliest ends may come before a slow machine has done anything.
    assert!(under_load >= 5, "the load was under way in {under_load} of 10 rounds");
}

#[test]
fn a_server_told_to_stop_under_load_ends_well_with_all_it_acknowledged() {
    let mut life = Life::new(78);
    for _ in 0..3 {
        let mut server = life.place.dev();
        life.load(&mut server, |server| {
            sleep(Duration::from_millis(400));
            server.signal(Signal::TERM);
            false
        });
        let status = server.wait();
        assert_eq!(status.code(), Some(0), "{}", server.log());
        assert!(!server.log().contains("still under way"), "{}", server.log());
        life.check();
    }
}

/// Eight keys are being made when the server is told to stop, so long after they were asked for. Of each the modulus,
/// or nothing if the server closed the connection before it read the request.
fn stopped_at_work(place: &Place, wait: Duration) -> Vec<Option<Value>> {
    let mut server = place.dev();
    let vault = server.vault();
    // RSA keys take longest: the last of these waits for the others.
    let made: Vec<_> = scope(|threads| {
        let requests: Vec<_> = (0..8)
            .map(|i| {
                let mut vault = vault.another();
                // Connected before the server stops listening.
                vault.get("none").unwrap();
                threads.spawn(move || vault.create(&format!("rsa-{i}-{}", wait.as_millis()), "RSA"))
            })
            .collect();
        sleep(wait);
        server.signal(Signal::TERM);
        let modulus = |reply: std::io::Result<crate::support::Reply>| Some(reply.ok()?.ok()["key"]["n"].clone());
        requests.into_iter().map(|request| modulus(request.join().unwrap())).collect()
    });
    assert_eq!(server.wait().code(), Some(0), "{}", server.log());
    assert!(!server.log().contains("still under way"), "{}", server.log());
    made
}

#[test]
fn requests_under_way_when_the_server_is_told_to_stop_are_answered_and_kept() {
    let place = Place::new();
    // On a busy machine the first may be told before it has read anything: then it is told later.
    let found = [30, 120, 480, 1_920, 7_680].into_iter().map(Duration::from_millis).find_map(|wait| {
        let made = stopped_at_work(&place, wait);
        made.iter().any(Option::is_some).then_some((wait, made))
    });
    let (wait, made) = found.expect("some request was under way");
    let server = place.dev();
    let mut vault = server.vault();
    for (i, modulus) in made.iter().enumerate() {
        let found = vault.get(&format!("rsa-{i}-{}", wait.as_millis())).unwrap();
        match modulus {
            Some(modulus) => assert_eq!(found.ok()["key"]["n"], *modulus),
            None => assert_eq!(found.status, 404, "what was begun is answered"),
        }
    }
}

#[test]
fn a_second_process_on_the_same_directory_says_so_and_ends() {
    let place = Place::new();
    let server = place.dev();
    let second = place.cli(&["dev", "--data", place.data_str(), "--listen", "127.0.0.1:0"]);
    let text = String::from_utf8_lossy(&second.stderr);
    assert_eq!(second.status.code(), Some(4), "{text}");
    assert!(text.contains("another keystead runs in"), "{text}");
    server.vault().create("still", "EC").unwrap().ok();
    assert!(server.stop().success());
}
