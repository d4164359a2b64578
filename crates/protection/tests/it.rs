//! Golden files and vectors: material that the first release sealed is opened and used for ever. They were made by
//! another implementation of the layouts. And: whatever bytes come, the parser returns.
#![allow(clippy::arithmetic_side_effects, clippy::disallowed_methods, clippy::indexing_slicing, clippy::unwrap_used)]

#[path = "it/wycheproof.rs"]
mod through_keys;
#[path = "vectors/mod.rs"]
mod vectors;

use keystead_crypto::sealed::{Binding, Sealer, Usage};
use keystead_model::{CipherAlgorithm, Curve, KeySpec, PublicKey, SignAlgorithm};
use keystead_protection::{OpenKey, Protection, StoredKey, fuzz};
use std::time::{Duration, Instant};

const PLACE: Binding = Binding { vault: [1; 16], kind: 9, object: [2; 16], version: [3; 16], counter: 4 };

fn golden(text: &str) -> Vec<u8> {
    hex::decode(text.split_whitespace().collect::<String>()).unwrap()
}

fn soon() -> Instant {
    Instant::now() + Duration::from_secs(30)
}

fn sealer() -> Sealer {
    Sealer::new(&[0x11; 32], Usage::KeyMaterial, 7)
}

async fn open(spec: KeySpec, sealed: &str) -> OpenKey {
    let protection = Protection::software(1);
    protection
        .open(&sealer(), &PLACE, StoredKey { spec, public: &PublicKey::Symmetric, material: &golden(sealed) }, soon())
        .await
        .unwrap()
}

/// Signs with the key and checks that with its public half.
async fn signs(key: &OpenKey, public: PublicKey, algorithms: &[SignAlgorithm]) {
    for algorithm in algorithms {
        let digest = vec![7; algorithm.digest_len()];
        let signature = key.sign(*algorithm, &digest, soon()).await.unwrap();
        let good = Protection::software(1).verify(&public, *algorithm, &digest, &signature, soon()).await;
        assert_eq!(good, Ok(true), "{algorithm:?}");
    }
}

#[tokio::test]
async fn the_golden_p256_key_signs() {
    let key = open(KeySpec::EcP256, include_str!("golden/p256.hex")).await;
    let public = golden(include_str!("golden/p256-public.hex"));
    let (x, y) = public.split_at(32);
    signs(&key, PublicKey::Ec { curve: Curve::P256, x: x.to_vec(), y: y.to_vec() }, &[SignAlgorithm::Es256]).await;
}

#[tokio::test]
async fn the_golden_rsa_key_signs() {
    let key = open(KeySpec::Rsa2048, include_str!("golden/rsa.hex")).await;
    let n = golden(include_str!("golden/rsa-public.hex"));
    signs(&key, PublicKey::Rsa { n, e: vec![1, 0, 1] }, &[SignAlgorithm::Ps256]).await;
}

#[tokio::test]
async fn golden_keys_of_every_kind_work() {
    let lines = include_str!("golden/materials-v1.txt").lines().filter(|line| !line.starts_with('#'));
    let mut kinds = vec![KeySpec::EcP256];
    for line in lines {
        let mut parts = line.split(' ');
        let spec = KeySpec::from_code(parts.next().unwrap().parse().unwrap()).unwrap();
        let key = open(spec, parts.next().unwrap()).await;
        let (first, second) = (golden(parts.next().unwrap()), parts.next().map(golden));
        let algorithms: Vec<_> = SignAlgorithm::ALL.iter().copied().filter(|a| a.fits(spec)).collect();
        match (spec.curve(), second) {
            (Some(curve), Some(y)) => signs(&key, PublicKey::Ec { curve, x: first, y }, &algorithms).await,
            (None, Some(e)) => signs(&key, PublicKey::Rsa { n: first, e }, &algorithms).await,
            _ => assert_eq!(key.sign(SignAlgorithm::Hs256, &[7; 32], soon()).await.unwrap(), first),
        }
        kinds.push(spec);
    }
    kinds.sort_unstable();
    let mut all = KeySpec::ALL.to_vec();
    all.sort_unstable();
    assert_eq!(kinds, all);
}

#[tokio::test]
async fn the_golden_aes_key_decrypts() {
    let key = open(KeySpec::Oct256, include_str!("golden/aes.hex")).await;
    let text = golden(include_str!("golden/aes-text.hex"));
    let (iv, rest) = text.split_at(12);
    let (value, tag) = rest.split_at(rest.len() - 16);
    let plain = key.decrypt(CipherAlgorithm::A256Gcm, value, Some(iv), Some(tag), b"aad", soon()).await.unwrap();
    assert_eq!(plain.as_slice(), b"golden");
}

#[test]
fn no_bytes_make_the_parser_panic() {
    let files = [include_str!("golden/p256.hex"), include_str!("golden/rsa.hex"), include_str!("golden/aes.hex")];
    let goods = files.map(|file| sealer().open(&PLACE, b"", &golden(file)).unwrap());
    let mut state = 0x4b65_7973_7465_6164_u64;
    let mut below = |bound: usize| {
        state ^= state >> 12;
        state ^= state << 25;
        state ^= state >> 27;
        (state.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 32) as usize % bound
    };
    for round in 0..3000 {
        let mut bytes = goods[round % 3].to_vec();
        for _ in 0..below(4) {
            let at = below(bytes.len());
            bytes[at] = below(256) as u8;
        }
        bytes.truncate(below(bytes.len() * 2));
        fuzz::material(&bytes);
    }
}
