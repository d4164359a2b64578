//! No input panics. The seed is fixed, so a failure comes back.

use crate::support::*;
use keystead_identity::{Client, fuzz, secret_digest};

/// xorshift64*.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_f491_4f6c_dd1d)
    }

    fn below(&mut self, n: usize) -> usize {
        (self.next() % n.max(1) as u64) as usize
    }

    fn bytes(&mut self, most: usize) -> Vec<u8> {
        (0..self.below(most)).map(|_| self.next() as u8).collect()
    }

    /// A few bytes changed, removed, doubled or cut off.
    fn mutate(&mut self, seed: &[u8]) -> Vec<u8> {
        let mut data = seed.to_vec();
        for _ in 0..=self.below(4) {
            let at = self.below(data.len());
            match self.below(5) {
                _ if data.is_empty() => data = self.bytes(64),
                0 => data[at] = self.next() as u8,
                1 => data[at] ^= 1 << self.below(8),
                2 => drop(data.drain(at..(at + 1 + self.below(8)).min(data.len()))),
                3 => data.splice(at..at, seed[at.min(seed.len())..].to_vec()).for_each(drop),
                _ => data.truncate(at),
            }
        }
        data
    }
}

fn smoke(seeds: &[Vec<u8>], target: fn(&[u8])) {
    let mut random = Random(0x6b65_7973_7465_6164);
    for round in 0..4000 {
        target(&random.bytes(300));
        target(&random.mutate(&seeds[round % seeds.len()]));
    }
}

#[test]
fn no_proof_panics() {
    let giant = token(&claims_with("x", "x".repeat(6000).into()));
    smoke(&[token(&claims()).into(), giant.into(), b"c\nright".to_vec(), b"..".to_vec()], fuzz::authenticate);
}

#[test]
fn no_header_panics() {
    let full = r#"{"alg":"ES256","typ":"JWT","kid":"k","crit":["b64"],"jwk":{"kty":"EC"}}"#;
    smoke(&[header().to_string().into(), full.into()], fuzz::header);
}

#[test]
fn no_claims_panic() {
    let good = r#"{"iss":"https://issuer.example","aud":["https://vault.example/"],"tid":"t","oid":"s","exp":1,"nbf":0,
        "groups":["a"],"azp":"b"}"#;
    let odd =
        r#"{"iss":"https://issuer.example","aud":"https://vault.example","tid":"t","oid":7,"exp":1e308,"nbf":-1}"#;
    smoke(&[good.into(), odd.into(), claims().to_string().into()], fuzz::claims);
}

#[test]
fn nothing_published_panics() {
    let metadata = r#"{"issuer":"https://issuer.example","jwks_uri":"https://issuer.example/keys"}"#;
    let keys = r#"{"keys":[{"kty":"RSA","n":"AQAB","e":"AQAB"},{"kty":"EC","crv":"P-256","x":"AA","y":"AA"}]}"#;
    smoke(&[metadata.into(), keys.into()], fuzz::published);
}

#[test]
fn no_certificate_panics() {
    let (own, other) = (crate::callers::ca(), crate::callers::ca());
    smoke(&[own.der.clone(), [own.der, other.der].concat()], fuzz::certificate);
}

#[test]
fn no_stored_issuer_or_client_panics() {
    let (id, name, subject, secrets) = ("c".into(), "n".into(), "s".into(), vec![secret_digest("s")]);
    let client = Client { id, name, subject, secrets, ..Client::default() };
    smoke(&[minicbor::to_vec(issuer()).unwrap(), minicbor::to_vec(client).unwrap()], fuzz::stored);
}
