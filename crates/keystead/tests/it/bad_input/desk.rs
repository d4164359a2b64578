//! A server with a few keys, and what every refusal must be like.

use crate::support::{Http, Place, Reply, Server, Vault};
use serde_json::{Value, json};
use std::time::{Duration, Instant};

/// Stands in a key's name, a tag and a plaintext: no answer to somebody who did not write it may hold it.
const HIDDEN: &str = "Hidden-Treasure-77";

pub(crate) struct Desk {
    pub(crate) place: Place,
    pub(crate) server: Server,
    vault: Vault,
    before: Vec<Value>,
    revision: u64,
}

impl Desk {
    /// Keys `ec` (two versions), `rsa`, `oct` and one that must not show; two deleted ones.
    pub(crate) fn new() -> Self {
        let place = Place::new();
        let server = place.dev();
        let mut vault = server.vault();
        for (name, kty) in
            [("ec", "EC"), ("ec", "EC"), ("rsa", "RSA"), ("oct", "oct"), ("gone-1", "EC"), ("gone-2", "EC")]
        {
            vault.create(name, kty).unwrap().ok();
        }
        vault.delete("gone-1").unwrap().ok();
        vault.delete("gone-2").unwrap().ok();
        let hidden = json!({ "kty": "EC", "tags": { HIDDEN: HIDDEN } });
        vault.call("POST", &format!("/keys/{HIDDEN}/create"), Some(&hidden)).unwrap().ok();
        let mut desk = Self { place, server, vault, before: Vec::new(), revision: 0 };
        desk.start_over();
        desk
    }

    /// What is there now is what must still be there at the end.
    pub(crate) fn start_over(&mut self) {
        (self.before, self.revision) = (self.all(), self.newest_revision());
    }

    /// A request that may succeed. A null body is none; a path may have a query.
    pub(crate) fn call(&mut self, method: &str, path: &str, body: &Value) -> Reply {
        let body = if body.is_null() { String::new() } else { body.to_string() };
        self.bytes(method, path, body.as_bytes())
    }

    fn bytes(&mut self, method: &str, path: &str, body: &[u8]) -> Reply {
        let joint = if path.contains('?') { '&' } else { '?' };
        let (target, bearer) = (format!("{path}{joint}api-version=7.6"), self.bearer());
        self.vault.http.send(method, &target, &[("authorization", &bearer)], body).unwrap()
    }

    /// The value of `authorization`.
    pub(crate) fn bearer(&self) -> String {
        format!("Bearer {}", self.vault.token)
    }

    /// A connection of one's own.
    pub(crate) fn another(&self) -> Http {
        self.vault.http.another()
    }

    /// A request that must be refused with this status and code.
    #[track_caller]
    pub(crate) fn refused(&mut self, method: &str, path: &str, body: &[u8], status: u16, code: &str) -> Reply {
        let reply = self.bytes(method, path, body);
        let shown: String = String::from_utf8_lossy(body).chars().take(200).collect();
        self.clear(&reply, status, code, &format!("{method} {path} {shown}"));
        reply
    }

    #[track_caller]
    pub(crate) fn refused_json(&mut self, method: &str, path: &str, body: &Value, status: u16, code: &str) -> Reply {
        self.refused(method, path, body.to_string().as_bytes(), status, code)
    }

    /// The shape of an error: code and message in JSON, perhaps an inner code, and nothing that the caller did not say.
    #[track_caller]
    pub(crate) fn clear(&self, reply: &Reply, status: u16, code: &str, about: &str) {
        let text = String::from_utf8_lossy(&reply.body).into_owned();
        assert_eq!((reply.status, reply.code().as_str()), (status, code), "{about}: {text}");
        let kind = reply.header("content-type").unwrap_or_default();
        assert!(kind.starts_with("application/json"), "{about}: {kind}");
        let error = reply.json()["error"].clone();
        let members: Vec<&String> = error.as_object().unwrap().keys().collect();
        assert!(members.iter().all(|m| ["code", "message", "innererror"].contains(&m.as_str())), "{about}: {text}");
        let message = error["message"].as_str().unwrap();
        assert!((10..1000).contains(&message.len()), "{about}: {text}");
        assert!(reply.header("www-authenticate").is_none(), "{about}: a challenge helps nobody here");
        self.tells_nothing(&text, about);
    }

    /// No name of another key, no path, no secret, no trace of the inside.
    #[track_caller]
    pub(crate) fn tells_nothing(&self, text: &str, about: &str) {
        let lower = text.to_ascii_lowercase();
        let directory = self.place.data_str().to_ascii_lowercase();
        let secret = &self.server.env["AZURE_CLIENT_SECRET"];
        let token = self.vault.token.to_ascii_lowercase();
        for word in [&HIDDEN.to_ascii_lowercase(), &directory, secret, &token, "panicked", ".rs:", "sqlite", "crates/"]
        {
            assert!(!lower.contains(word), "{about}: tells '{word}': {text}");
        }
    }

    /// Nothing was changed since the desk was set, or since [`Self::start_over`]; the server has no complaint.
    #[track_caller]
    pub(crate) fn unchanged(mut self) {
        assert_eq!(self.newest_revision(), self.revision, "something was changed");
        assert_eq!(self.all(), self.before);
        let log = self.server.log();
        assert!(!log.contains("panicked") && !log.contains("ERROR"), "{log}");
        assert!(self.server.stop().success());
    }

    /// Waits for a record of this action.
    pub(crate) fn waits_for(&mut self, action: &str) {
        let until = Instant::now() + Duration::from_secs(60);
        while !self.vault.records(0).iter().any(|record| record["action"] == action) {
            assert!(Instant::now() < until, "no record of {action}");
            std::thread::sleep(Duration::from_millis(50));
        }
    }

    /// The revision of the newest change, from the audit log.
    fn newest_revision(&mut self) -> u64 {
        let (mut from, mut newest) = (0, 0);
        loop {
            let records = self.vault.records(from);
            newest = records.iter().filter_map(|r| r["revision"].as_u64()).fold(newest, u64::max);
            match records.last() {
                Some(last) if records.len() == 500 => from = last["index"].as_u64().unwrap() + 1,
                _ => return newest,
            }
        }
    }

    /// Every key and every deleted key, as listed.
    fn all(&mut self) -> Vec<Value> {
        let list = |desk: &mut Self, path: &str| desk.call("GET", path, &Value::Null).ok()["value"].clone();
        ["/keys", "/deletedkeys", "/keys/ec/versions"].map(|path| list(self, path)).to_vec()
    }
}
