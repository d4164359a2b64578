//! What one client was told about its keys, and whether a server still says the same.

use crate::support::{Reply, Vault, unb64};
use aws_lc_rs::digest::{SHA256, digest};
use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_FIXED, RSA_PKCS1_2048_8192_SHA256, RsaPublicKeyComponents, UnparsedPublicKey,
};
use serde_json::Value;
use std::collections::BTreeMap;

/// One key version, as its creation was answered and later changes were.
#[derive(Debug, Clone)]
pub(super) struct Version {
    pub(super) kid: String,
    pub(super) kty: &'static str,
    created: i64,
    /// The public half; only the kind for symmetric keys.
    jwk: Value,
    /// The tag `n`, once set.
    pub(super) tag: Option<String>,
    /// Plaintexts and the answers to their encryption.
    pub(super) sealed: Vec<(Vec<u8>, Value)>,
}

/// A key that is not there was never made, or purged.
#[derive(Debug, Clone)]
pub(super) enum State {
    Live,
    Deleted,
}

#[derive(Debug, Clone)]
pub(super) struct Key {
    pub(super) state: State,
    /// Oldest first, never empty.
    pub(super) versions: Vec<Version>,
}

/// A change that was sent and not answered: it happened, or not.
#[derive(Debug, Clone)]
pub(super) enum Change {
    Create(&'static str),
    /// Of the newest version's tag.
    Tag(String),
    Delete,
    Recover,
    Purge,
}

/// A receipt, and whether it came with a change.
pub(super) struct Receipt {
    pub(super) text: String,
    pub(super) change: bool,
}

/// Everything one client was told.
#[derive(Default)]
pub(super) struct Ledger {
    pub(super) keys: BTreeMap<String, Key>,
    pub(super) open: Option<(String, Change)>,
    pub(super) receipts: Vec<Receipt>,
}

impl Version {
    /// From the answer to its creation.
    pub(super) fn made(kty: &'static str, bundle: &Value) -> Self {
        let kid = bundle["key"]["kid"].as_str().unwrap().to_owned();
        let created = bundle["attributes"]["created"].as_i64().unwrap();
        Self { kid, kty, created, jwk: bundle["key"].clone(), tag: None, sealed: Vec::new() }
    }

    /// Whether this is the same version, public half and time of creation included, with the tag it was given.
    fn check(&self, bundle: &Value) {
        assert_eq!(bundle["key"], self.jwk, "the key is another");
        assert_eq!(bundle["attributes"]["created"].as_i64(), Some(self.created), "{}", self.kid);
        assert_eq!(bundle["tags"]["n"].as_str(), self.tag.as_deref(), "{}", self.kid);
    }

    /// Signs, or opens what was encrypted before.
    fn check_use(&self, vault: &mut Vault) {
        let message = self.kid.as_bytes();
        let mut sign = |algorithm| {
            let signed = vault.sign_by(algorithm, &self.kid, digest(&SHA256, message).as_ref()).unwrap().ok();
            unb64(signed["value"].as_str().unwrap())
        };
        let number = |name: &str| unb64(self.jwk[name].as_str().unwrap());
        if self.kty == "EC" {
            let public = [vec![4], number("x"), number("y")].concat();
            UnparsedPublicKey::new(&ECDSA_P256_SHA256_FIXED, public).verify(message, &sign("ES256")).unwrap();
        } else if self.kty == "RSA" {
            let public = RsaPublicKeyComponents { n: number("n"), e: number("e") };
            public.verify(&RSA_PKCS1_2048_8192_SHA256, message, &sign("RS256")).unwrap();
        }
        for (plain, sealed) in self.sealed.iter().rev().take(3) {
            let opened = vault.decrypt(&self.kid, sealed).unwrap();
            assert_eq!(Vault::plain(&opened), *plain, "{}", self.kid);
        }
    }
}

impl Ledger {
    /// Notes a reply's receipt; every success must have one.
    pub(super) fn note(&mut self, reply: &Reply, change: bool) {
        let done = (200..300).contains(&reply.status);
        assert!(!done || reply.receipt().is_some(), "a success without a receipt: {reply:?}");
        let receipts = reply.receipt().map(|text| Receipt { text: text.to_owned(), change: change && done });
        self.receipts.extend(receipts);
    }

    /// Notes that a change was acknowledged.
    pub(super) fn acknowledge(&mut self, name: &str, change: &Change, answer: &Value) {
        let key = self.keys.get_mut(name);
        match (change, key) {
            (Change::Create(kty), Some(key)) => key.versions.push(Version::made(kty, answer)),
            (Change::Create(kty), None) => {
                let versions = vec![Version::made(kty, answer)];
                self.keys.insert(name.to_owned(), Key { state: State::Live, versions });
            }
            (Change::Tag(n), Some(key)) => key.versions.last_mut().unwrap().tag = Some(n.clone()),
            (Change::Delete, Some(key)) => key.state = State::Deleted,
            (Change::Recover, Some(key)) => key.state = State::Live,
            (Change::Purge, _) => _ = self.keys.remove(name),
            (_, None) => panic!("{change:?} of {name}, which is not there"),
        }
    }

    /// Compares everything with what the server says now. The one change that was not answered may have happened.
    pub(super) fn check(&mut self, vault: &mut Vault, names: &[String]) {
        self.settle(vault);
        for name in names {
            let (live, deleted) = (vault.get(name).unwrap(), vault.get_deleted(name).unwrap());
            match self.keys.get(name) {
                None => assert_eq!((live.status, deleted.status), (404, 404), "{name} is not there"),
                Some(key) => key.check(name, vault, &live, &deleted),
            }
        }
    }

    /// Finds out what came of the change that was not answered.
    fn settle(&mut self, vault: &mut Vault) {
        let Some((name, change)) = self.open.take() else { return };
        let (live, deleted) = (vault.get(&name).unwrap(), vault.get_deleted(&name).unwrap());
        let happened = match &change {
            Change::Create(_) => {
                let newest = self.keys.get(&name).and_then(|key| key.versions.last());
                live.status == 200 && live.json()["key"]["kid"].as_str() != newest.map(|v| v.kid.as_str())
            }
            Change::Tag(n) => live.ok()["tags"]["n"].as_str() == Some(n),
            Change::Delete => deleted.status == 200,
            Change::Recover => live.status == 200,
            Change::Purge => deleted.status == 404,
        };
        if happened {
            let answer = if live.status == 200 { live.json() } else { Value::Null };
            self.acknowledge(&name, &change, &answer);
        }
    }
}

impl Key {
    fn check(&self, name: &str, vault: &mut Vault, live: &Reply, deleted: &Reply) {
        let newest = self.versions.last().unwrap();
        match self.state {
            State::Deleted => {
                assert_eq!(live.status, 404, "{name} was deleted");
                newest.check(&deleted.ok());
            }
            State::Live => {
                assert_eq!(deleted.status, 404, "{name} is live");
                newest.check(&live.ok());
                for version in &self.versions {
                    version.check(&vault.get(&version.kid).unwrap().ok());
                    version.check_use(vault);
                }
                let listed = vault.call("GET", &format!("/keys/{name}/versions"), None).unwrap().ok();
                assert_eq!(listed["value"].as_array().unwrap().len(), self.versions.len().min(25), "{name}");
            }
        }
    }
}
