//! The worker: the only process with the vendor's library, and one without a network.

use super::{pin, start, vault};
use crate::support::{Place, Server};
use serde_json::json;
use std::fs;
use std::time::{Duration, Instant};

/// The worker's process id.
pub(super) fn worker(server: &Server) -> u32 {
    let until = Instant::now() + Duration::from_secs(30);
    loop {
        let children = fs::read_to_string(format!("/proc/{0}/task/{0}/children", server.pid())).unwrap_or_default();
        let all = fs::read_dir(format!("/proc/{}/task", server.pid())).unwrap();
        let of_threads = all.filter_map(|t| fs::read_to_string(t.ok()?.path().join("children")).ok());
        let found = of_threads
            .chain([children])
            .flat_map(|c| c.split_whitespace().filter_map(|p| p.parse::<u32>().ok()).collect::<Vec<_>>());
        let is_worker = |pid: &u32| {
            fs::read(format!("/proc/{pid}/cmdline")).is_ok_and(|line| line.windows(10).any(|w| w == b"hsm-worker"))
        };
        if let Some(pid) = found.into_iter().find(is_worker) {
            return pid;
        }
        assert!(Instant::now() < until, "no worker: {}", server.log());
        std::thread::sleep(Duration::from_millis(20));
    }
}

fn maps_a_module(pid: u32) -> bool {
    fs::read_to_string(format!("/proc/{pid}/maps")).unwrap().contains("softhsm")
}

#[test]
fn the_server_maps_no_module_and_the_worker_that_does_has_no_network_and_no_secret_in_its_arguments() {
    let place = Place::new();
    let server = start(&place);
    let mut hsm = vault(&place, &server);
    hsm.call("POST", "/keys/pay/create", Some(&json!({"kty": "EC-HSM"}))).unwrap().ok();
    let worker = worker(&server);
    assert!(!maps_a_module(server.pid()) && maps_a_module(worker));
    let network = |pid| fs::read_link(format!("/proc/{pid}/ns/net")).unwrap();
    let devices = fs::read_to_string(format!("/proc/{worker}/net/dev")).unwrap();
    let alone = network(worker) != network(server.pid()) && !devices.contains("eth");
    let status = fs::read_to_string(format!("/proc/{worker}/status")).unwrap();
    // Where the kernel gives no network of its own, a filter refuses sockets.
    let filtered = status.lines().any(|l| l.starts_with("Seccomp:") && l.ends_with('2'));
    assert!(alone || filtered, "{status}");
    assert!(status.lines().any(|l| l.starts_with("NoNewPrivs:") && l.ends_with('1')), "{status}");
    let secret = pin(&place);
    for file in ["cmdline", "environ"] {
        let text = String::from_utf8_lossy(&fs::read(format!("/proc/{worker}/{file}")).unwrap()).into_owned();
        assert!(!text.contains(&secret), "{file}");
    }
    assert!(server.stop().success());
}

#[test]
fn a_worker_that_is_killed_under_load_loses_no_key_and_gives_no_wrong_answer() {
    let place = Place::new();
    let server = start(&place);
    let mut hsm = vault(&place, &server);
    hsm.call("POST", "/keys/pay/create", Some(&json!({"kty": "EC-HSM"}))).unwrap().ok();
    let until = Instant::now() + Duration::from_secs(4);
    let load: Vec<_> = (0..4)
        .map(|_| {
            let mut caller = hsm.another();
            std::thread::spawn(move || {
                let (mut good, mut away) = (0, 0);
                while Instant::now() < until {
                    match caller.sign("pay", &[7; 32]).unwrap().status {
                        200 => good += 1,
                        503 => away += 1,
                        other => panic!("{other}"),
                    }
                }
                (good, away)
            })
        })
        .collect();
    for _ in 0..3 {
        std::thread::sleep(Duration::from_millis(900));
        let pid = rustix::process::Pid::from_raw(worker(&server).try_into().unwrap()).unwrap();
        let _ = rustix::process::kill_process(pid, rustix::process::Signal::KILL);
    }
    let done: Vec<(u32, u32)> = load.into_iter().map(|thread| thread.join().unwrap()).collect();
    assert!(done.iter().all(|(good, _)| *good > 0), "{done:?}");
    let until = Instant::now() + Duration::from_secs(30);
    while hsm.sign("pay", &[7; 32]).unwrap().status != 200 {
        assert!(Instant::now() < until, "it comes back");
        std::thread::sleep(Duration::from_millis(50));
    }
    assert!(server.stop().success());
}
