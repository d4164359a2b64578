//! The server's memory is locked where the system lets it; where not, that is told, and nothing else fails by it.

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

#[test]
fn memory_is_locked_where_the_system_lets_the_server_and_told_where_not() {
    use rustix::process::{Resource, geteuid, getrlimit};
    let site = Site::new();
    let running = site.start();
    let status = fs::read_to_string(format!("/proc/{}/status", running.0.id())).unwrap();
    let locked = status.lines().find_map(|line| line.strip_prefix("VmLck:")).unwrap().trim();
    let let_to = geteuid().is_root() || getrlimit(Resource::Memlock).current.is_none();
    assert_eq!(let_to, locked != "0 kB", "{locked}");
    assert_eq!(let_to, !site.log().contains("memory is not locked"), "{}", site.log());
    stop(running);
}
