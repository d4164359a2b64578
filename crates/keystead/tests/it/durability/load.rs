//! A client at work on keys of its own, which writes down what it is told.

use super::ledger::{Change, Ledger, State};
use crate::support::{Reply, Vault};
use serde_json::json;
use std::io;
use std::sync::atomic::{AtomicBool, Ordering};

/// Numbers that look random and are the same for the same seed (SplitMix64).
pub(super) struct Dice(pub(super) u64);

impl Dice {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let z = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    pub(super) fn below(&mut self, n: u64) -> u64 {
        self.next() % n
    }
}

/// Most versions of a key: then it is deleted rather than grown.
const VERSIONS: usize = 4;

/// How the name of each client's one RSA key begins. Making one takes long, so it gets no more versions.
const RSA: &str = "rsa-";

pub(super) struct Client {
    names: Vec<String>,
    pub(super) ledger: Ledger,
    dice: Dice,
    count: u64,
}

impl Client {
    pub(super) fn new(number: u64, seed: u64) -> Self {
        let names = (0..6).map(|i| format!("key-{number}-{i}")).chain([format!("{RSA}{number}")]).collect();
        Self { names, ledger: Ledger::default(), dice: Dice(seed.wrapping_mul(1_000_003) ^ number), count: 0 }
    }

    /// Works until told to stop, or until the server does not answer any more.
    pub(super) fn work(&mut self, vault: &mut Vault, stop: &AtomicBool) {
        while !stop.load(Ordering::Relaxed) && self.step(vault).is_ok() {}
    }

    /// Whether the server still says what it said.
    pub(super) fn check(&mut self, vault: &mut Vault) {
        self.ledger.check(vault, &self.names);
    }

    fn step(&mut self, vault: &mut Vault) -> io::Result<()> {
        let name = self.names[self.dice.below(self.names.len() as u64) as usize].clone();
        let dice = self.dice.below(100);
        let Some(key) = self.ledger.keys.get(&name) else {
            let kty = match dice {
                _ if name.starts_with(RSA) => "RSA",
                0..50 => "EC",
                _ => "oct",
            };
            return self.change(vault, &name, Change::Create(kty));
        };
        let (kty, grown) = (key.versions[0].kty, key.versions.len() >= VERSIONS);
        match key.state {
            State::Deleted if dice < 50 => self.change(vault, &name, Change::Recover),
            State::Deleted => self.change(vault, &name, Change::Purge),
            State::Live if dice < 8 || (grown && dice < 25) => self.change(vault, &name, Change::Delete),
            State::Live if dice < 25 && kty != "RSA" => self.change(vault, &name, Change::Create(kty)),
            State::Live if dice < 40 => {
                self.count += 1;
                self.change(vault, &name, Change::Tag(self.count.to_string()))
            }
            State::Live => self.use_key(vault, &name),
        }
    }

    /// One change: open until it is answered.
    fn change(&mut self, vault: &mut Vault, name: &str, change: Change) -> io::Result<()> {
        self.ledger.open = Some((name.to_owned(), change.clone()));
        let reply = match &change {
            Change::Create(kty) => vault.create(name, kty),
            Change::Tag(n) => vault.update(name, &json!({ "tags": { "n": n } })),
            Change::Delete => vault.delete(name),
            Change::Recover => vault.recover(name),
            Change::Purge => vault.purge(name),
        }?;
        self.ledger.note(&reply, true);
        let answer = answered(&reply)?;
        self.ledger.open = None;
        self.ledger.acknowledge(name, &change, &answer);
        Ok(())
    }

    /// Signs, encrypts or decrypts with a random version.
    fn use_key(&mut self, vault: &mut Vault, name: &str) -> io::Result<()> {
        let versions = &mut self.ledger.keys.get_mut(name).unwrap().versions;
        let at = self.dice.below(versions.len() as u64) as usize;
        let version = &mut versions[at];
        let kid = version.kid.clone();
        let reply = if version.kty == "EC" {
            vault.sign(&kid, &[7; 32])?
        } else if version.kty == "RSA" {
            vault.sign_by("RS256", &kid, &[7; 32])?
        } else if version.sealed.is_empty() || self.dice.below(2) == 0 {
            let plain = self.dice.below(u64::MAX).to_be_bytes();
            let reply = vault.encrypt(&kid, &plain)?;
            version.sealed.push((plain.to_vec(), answered(&reply)?));
            reply
        } else {
            let (plain, sealed) = version.sealed.last().unwrap();
            let reply = vault.decrypt(&kid, sealed)?;
            answered(&reply)?;
            assert_eq!(Vault::plain(&reply), *plain);
            reply
        };
        self.ledger.note(&reply, false);
        answered(&reply).map(drop)
    }
}

/// The body of a success. A server that is going down may say so; nothing else may go wrong.
fn answered(reply: &Reply) -> io::Result<serde_json::Value> {
    if matches!(reply.status, 500..600) {
        return Err(io::Error::other(reply.code()));
    }
    Ok(reply.ok())
}
