//! Certificate and key are read again when their files change.

use super::{Site, stop};
use crate::support::Http;
use rustix::process::{Pid, Signal, kill_process};
use std::fs;
use std::io::{Read as _, Write as _};
use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::thread::sleep;
use std::time::{Duration, Instant};

const PATIENCE: Duration = Duration::from_secs(30);

/// Waits until it holds.
#[track_caller]
fn until(site: &Site, what: &str, mut holds: impl FnMut() -> bool) {
    let end = Instant::now() + PATIENCE;
    while !holds() {
        assert!(Instant::now() < end, "{what}: {}", site.log());
        sleep(Duration::from_millis(50));
    }
}

/// What the operator's health says.
fn health(site: &Site) -> String {
    let mut socket = UnixStream::connect(site.place.data.join("operator.sock")).unwrap();
    let request = "GET /keystead/v1/operator/health HTTP/1.1\r\nhost: operator\r\nconnection: close\r\n\r\n";
    socket.write_all(request.as_bytes()).unwrap();
    let mut said = String::new();
    socket.read_to_string(&mut said).unwrap();
    said
}

/// Replaces the server's pair by a new one, and gives a file to trust it by.
fn renew(site: &Site, name: &str) -> PathBuf {
    let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    let trusted = site.place.beside(name);
    fs::write(&trusted, made.cert.pem()).unwrap();
    fs::write(site.place.beside("key.pem"), made.signing_key.serialize_pem()).unwrap();
    fs::write(site.place.beside("chain.pem"), made.cert.pem()).unwrap();
    trusted
}

#[test]
fn a_renewed_certificate_is_used_without_a_restart_and_a_broken_one_never() {
    let site = Site::new();
    let running = site.start();
    let mut open = site.http();
    open.get("/keystead/v1/health").unwrap();
    let answers = |trusted: &PathBuf| Http::new(trusted, site.place.port).get("/keystead/v1/health").is_ok();

    let second = renew(&site, "second.pem");
    until(&site, "the new certificate is used", || answers(&second));
    open.get("/keystead/v1/health").unwrap();
    assert!(!health(&site).contains("troubles"));

    // A key that belongs to nothing: the pair in use stays, and everybody is told.
    let other = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    fs::write(site.place.beside("key.pem"), other.signing_key.serialize_pem()).unwrap();
    until(&site, "health tells of the broken pair", || health(&site).contains("does not belong"));
    assert!(site.log().contains("does not belong") && answers(&second), "{}", site.log());
    assert!(!health(&site).contains("PRIVATE") && !site.log().contains("PRIVATE"));

    fs::remove_file(site.place.beside("chain.pem")).unwrap();
    until(&site, "health tells of the missing file", || health(&site).contains("cannot read"));
    assert!(answers(&second));

    let third = renew(&site, "third.pem");
    kill_process(Pid::from_raw(running.0.id().try_into().unwrap()).unwrap(), Signal::HUP).unwrap();
    until(&site, "the third certificate is used", || answers(&third));
    until(&site, "health is well again", || !health(&site).contains("troubles"));
    assert!(!answers(&second));
    stop(running);
}
