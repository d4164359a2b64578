//! A server that is killed while it rotates a root: the next one goes on, and every key signs as before.

use super::steps::{STEPS, TRIES, kill, killed_at};
use super::{Running, Site, said, stop};
use crate::support::b64;
use serde_json::Value;
use std::fs;
use std::io::{BufRead as _, BufReader};
use std::process::{Child, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

/// More rows than a few batches.
const KEYS: usize = 400;

/// A vault with keys, and what is known of some.
struct Vault<'a> {
    site: &'a Site,
    token: String,
    kids: Vec<String>,
}

impl<'a> Vault<'a> {
    fn new(site: &'a Site) -> Self {
        let token = site.token(&site.create("one"));
        let create = |n| {
            let made = site.call("one", &token, "POST", &format!("/keys/k{n}/create"), r#"{"kty":"EC"}"#).ok();
            made["key"]["kid"].as_str().unwrap().to_owned()
        };
        let kids = (0..KEYS).map(create).collect();
        Self { site, token, kids }
    }

    /// Some of the keys sign, each as the version it was.
    fn signs_as_before(&self, step: usize) {
        for kid in self.kids.iter().step_by(step) {
            let (_, path) = kid.split_once("/keys/").unwrap();
            let body = format!(r#"{{"alg":"ES256","value":"{}"}}"#, b64(&[7; 32]));
            let signed = self.site.call("one", &self.token, "POST", &format!("/keys/{path}/sign"), &body).ok();
            assert_eq!(signed["kid"], *kid);
            let check = format!(r#"{{"alg":"ES256","digest":"{}","value":{}}}"#, b64(&[7; 32]), signed["value"]);
            let verified = self.site.call("one", &self.token, "POST", &format!("/keys/{path}/verify"), &check).ok();
            assert_eq!(verified["value"], true);
        }
    }

    fn shown(&self) -> Value {
        let shown = self.site.vault(&["show", "one", "--output", "json"]);
        assert!(shown.status.success(), "{shown:?}");
        serde_json::from_slice(&shown.stdout).unwrap()
    }

    fn ends(&self) {
        let until = Instant::now() + Duration::from_secs(120);
        while self.shown().get("rotation").is_some() {
            assert!(Instant::now() < until, "{}", self.shown());
            sleep(Duration::from_millis(20));
        }
    }

    /// Healthy, and if a rotation is under way its step is named.
    fn is_healthy(&self) {
        let doctor = self.site.operator("doctor", &["--output", "json"]);
        assert!(doctor.status.success(), "{doctor:?}");
        let found: Value = serde_json::from_slice(&doctor.stdout).unwrap();
        let roots = found["findings"].as_array().unwrap().iter().filter(|f| f["what"] == "root");
        let says: Vec<_> = roots.map(|f| f["says"].as_str().unwrap().to_owned()).collect();
        assert!(says.iter().all(|s| s.starts_with("sealed to") || s.starts_with("rotating root")), "{says:?}");
    }
}

fn rotate(site: &Site, more: &[&str]) -> Child {
    let socket = site.place.data.join("operator.sock");
    let words = [&["vault", "--socket", socket.to_str().unwrap(), "rotate-root", "one"], more].concat();
    site.place.command(&words).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()
}

impl Vault<'_> {
    /// A server that goes on, however far it had come.
    fn goes_on(&self, before: u64) -> Running {
        let running = self.site.start();
        self.is_healthy();
        self.signs_as_before(40);
        self.ends();
        assert_eq!(self.root(), before + 1);
        self.is_healthy();
        self.signs_as_before(25);
        running
    }

    fn root(&self) -> u64 {
        self.shown()["root"].as_u64().unwrap()
    }

    /// Rotates until the server was killed at this step.
    fn killed_at(&self, step: &str, more: &[&str], mut running: Running) -> Running {
        for _ in 0..TRIES {
            let before = self.root();
            let begun = rotate(self.site, &[more, &["--no-wait"]].concat()).wait_with_output().unwrap();
            assert!(begun.status.success(), "{begun:?}");
            running = match killed_at(self.site, running, "one", (step, before + 1)) {
                None => return self.goes_on(before),
                Some(running) => running,
            };
        }
        panic!("no rotation was met while {step}");
    }
}

#[test]
fn a_server_that_is_killed_at_any_printed_step_of_a_rotation_goes_on_with_it() {
    let site = Site::new();
    let mut running = site.start();
    let vault = Vault::new(&site);
    for more in [&[][..], &["--after-purge"]] {
        // When the first line is printed.
        let before = vault.root();
        let mut rotating = rotate(&site, more);
        let first = BufReader::new(rotating.stdout.take().unwrap()).lines().next().unwrap().unwrap();
        kill(running);
        assert!(first.starts_with("root ") && first.contains("was made"), "{first}");
        rotating.wait().unwrap();
        running = vault.goes_on(before);
        for step in STEPS {
            running = vault.killed_at(step, more, running);
        }
    }
    vault.signs_as_before(1);
    stop(running);
    let verified = site.place.cli(&["audit", "verify", "--data", site.place.data_str()]);
    assert!(verified.status.success(), "{verified:?}");
}

#[test]
fn the_command_follows_a_rotation_to_its_end_and_after_a_purge_the_key_file_is_the_vaults_own() {
    let site = Site::new();
    let running = site.start();
    let vault = Vault::new(&site);
    let done = rotate(&site, &[]).wait_with_output().unwrap();
    let text = String::from_utf8(done.stdout.clone()).unwrap();
    assert!(done.status.success(), "{done:?}");
    let lines: Vec<&str> = text.lines().collect();
    assert!(
        lines[0].starts_with("root 2 was made") && lines.iter().any(|l| l.contains("rotating root 1 -> 2")),
        "{text}"
    );
    assert!(lines.last().unwrap().starts_with("done: root 2"), "{text}");
    let again = rotate(&site, &["--no-wait"]).wait_with_output().unwrap();
    assert!(again.status.success(), "{again:?}");
    let refused = rotate(&site, &[]).wait_with_output().unwrap();
    assert!(refused.status.code() == Some(3) && said(&refused).contains("being rotated"), "{refused:?}");
    vault.ends();
    let purged = rotate(&site, &["--after-purge", "--output", "json"]).wait_with_output().unwrap();
    assert!(purged.status.success(), "{purged:?}");
    let shown: Value = serde_json::from_slice(&purged.stdout).unwrap();
    assert_eq!((&shown["root"], shown.get("rotation")), (&Value::from(4), None));
    let own = format!("{}.{}", site.key_file.display(), shown["id"].as_str().unwrap());
    assert_eq!(fs::read(own).unwrap().len(), 32);
    vault.signs_as_before(50);
    stop(running);
    let running = site.start();
    vault.signs_as_before(50);
    vault.is_healthy();
    stop(running);
}
