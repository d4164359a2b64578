//! Memory that the system does not let the server lock is told, and nothing else fails by it.

use super::{Running, Site, stop};
use std::fs;
use std::process::Stdio;
use std::thread::sleep;
use std::time::Duration;

/// `keystead serve` with a limit of locked memory, which it may not exceed even as root.
fn limited(site: &Site) -> Running {
    let program = env!("CARGO_BIN_EXE_keystead");
    let mut words = vec!["--memlock=65536:65536"];
    if rustix::process::geteuid().is_root() {
        words.extend(["setpriv", "--bounding-set=-ipc_lock"]);
    }
    words.extend([program, "serve", "--config", site.config.to_str().unwrap()]);
    let log = fs::File::create(site.place.beside("serve.log")).unwrap();
    let mut command = site.place.program("prlimit");
    let mut running = Running(command.args(words).stdout(Stdio::null()).stderr(log).spawn().unwrap());
    while site.http().get("/keystead/v1/health").is_err() {
        assert!(running.0.try_wait().unwrap().is_none(), "{}", site.log());
        sleep(Duration::from_millis(10));
    }
    running
}

#[test]
fn memory_that_cannot_be_locked_is_a_warning_in_health_and_of_the_doctor() {
    let site = Site::new();
    let running = limited(&site);
    let token = site.token(&site.create("one"));
    site.call("one", &token, "POST", "/keys/k/create", r#"{"kty":"EC"}"#).ok();
    let doctor = site.operator("doctor", &[]);
    let text = String::from_utf8(doctor.stdout).unwrap();
    assert_eq!(doctor.status.code(), Some(0), "it is no reason to fail: {text}");
    let line = text.lines().find(|line| line.contains("memory")).unwrap_or_else(|| panic!("{text}"));
    assert!(line.starts_with("warning") && line.contains("LimitMEMLOCK"), "{line}");
    assert!(site.log().contains("memory is not locked"), "{}", site.log());
    stop(running);
}
