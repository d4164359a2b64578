//! Kills, stops, and a second process.

use super::life::Life;
use crate::support::Place;
use rustix::process::Signal;
use std::thread::{scope, sleep};
use std::time::Duration;

#[test]
fn nothing_acknowledged_is_lost_when_the_server_is_killed_under_load() {
    let mut life = Life::new(77);
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
        assert!(life.receipts() > before, "the load was under way");
        life.check();
    }
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

#[test]
fn requests_under_way_when_the_server_is_told_to_stop_are_answered_and_kept() {
    let place = Place::new();
    let mut server = place.dev();
    let vault = server.vault();
    // RSA keys take longest: the last of these waits for the others.
    let kids: Vec<_> = scope(|threads| {
        let requests: Vec<_> = (0..8)
            .map(|i| {
                let mut vault = vault.another();
                // Connected before the server stops listening.
                vault.get("none").unwrap();
                threads.spawn(move || vault.create(&format!("rsa-{i}"), "RSA"))
            })
            .collect();
        sleep(Duration::from_millis(30));
        server.signal(Signal::TERM);
        let made = |reply: std::io::Result<crate::support::Reply>| reply.unwrap().ok()["key"]["n"].clone();
        requests.into_iter().map(|request| made(request.join().unwrap())).collect()
    });
    assert_eq!(server.wait().code(), Some(0), "{}", server.log());
    let server = place.dev();
    let mut vault = server.vault();
    for (i, modulus) in kids.iter().enumerate() {
        assert_eq!(vault.get(&format!("rsa-{i}")).unwrap().ok()["key"]["n"], *modulus);
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
