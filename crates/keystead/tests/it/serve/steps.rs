//! A server that is killed at a step of its own: seen as `keystead vault show` would print it, as often as the server
//! answers, since most steps last no longer than a few milliseconds.

use super::{Running, Site};
use crate::support::http::read_reply;
use serde_json::Value;
use std::io::Write as _;
use std::os::unix::net::UnixStream;
use std::time::{Duration, Instant};

/// What `vault rotate-root` and `replace-custodians` print after their first line.
pub(super) const STEPS: [&str; 3] = ["resealing", "proving", "destroying keys"];

/// A step that was not met in so many rotations is a step that nobody can meet.
pub(super) const TRIES: usize = 40;

pub(super) fn kill(mut running: Running) {
    running.0.kill().unwrap();
    running.0.wait().unwrap();
}

/// Kills the server once the rotation to this generation is at this step. Gives it back if the rotation ended unmet.
pub(super) fn killed_at(site: &Site, running: Running, vault: &str, (step, root): (&str, u64)) -> Option<Running> {
    let mut socket = UnixStream::connect(site.place.data.join("operator.sock")).unwrap();
    socket.set_read_timeout(Some(Duration::from_secs(60))).unwrap();
    let asked = format!("GET /keystead/v1/operator/vaults/{vault} HTTP/1.1\r\nhost: localhost\r\n\r\n");
    let until = Instant::now() + Duration::from_secs(120);
    loop {
        socket.write_all(asked.as_bytes()).unwrap();
        let shown: Value = serde_json::from_slice(&read_reply(&mut socket, false).unwrap().body).unwrap();
        match shown.get("rotation") {
            Some(rotation) if rotation["step"] == step => {
                kill(running);
                return None;
            }
            None if shown["root"] == root => return Some(running),
            _ => assert!(Instant::now() < until, "{shown}"),
        }
    }
}
