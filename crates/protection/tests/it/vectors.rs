//! Published vectors through whole keys: imported, sealed, opened, used. The primitives have suites of their own.

use crate::{PLACE, sealer};
use keystead_crypto::Hash;
use keystead_model::{CipherAlgorithm, ProtectionLevel, PublicKey, SignAlgorithm};
use keystead_protection::{ImportedKey, OpenKey, Protection, RsaNumbers, RsaPrimes};
use keystead_vectors::{Group, Key, Vector, Work, algorithms, published, wycheproof};
use std::collections::BTreeMap;
use std::time::{Duration, Instant};

/// RSA at 4,096 bits, hundreds of times, on a machine that has other things to do.
fn later() -> Instant {
    Instant::now() + Duration::from_secs(600)
}

fn imported(key: &Key) -> Option<ImportedKey> {
    Some(match key.clone() {
        Key::Oct(bytes) => ImportedKey::Oct(bytes.into()),
        Key::Rsa { n, e, private } => {
            let private = private?;
            let primes = private.primes.map(|[p, q, dp, dq, qi]| RsaPrimes {
                p: p.into(),
                q: q.into(),
                dp: dp.into(),
                dq: dq.into(),
                qi: qi.into(),
            });
            ImportedKey::Rsa(Box::new(RsaNumbers { n, e, d: private.d.into(), primes }))
        }
        Key::Ec { curve, x, y, d } => ImportedKey::Ec { curve, x, y, d: d?.into() },
    })
}

async fn open(protection: &Protection, key: &Key) -> Option<OpenKey> {
    let made =
        protection.import(&sealer(), &PLACE, (imported(key)?, ProtectionLevel::Software), later()).await.unwrap();
    Some(protection.open(&sealer(), &PLACE, made.stored(), later()).await.unwrap())
}

async fn comes_out(protection: &Protection, public: &PublicKey, open: Option<&OpenKey>, vector: &Vector) -> bool {
    let in_reverse = vector.valid && vector.work.repeats();
    match &vector.work {
        Work::Decrypt { algorithm, value, iv, tag, aad, plain } => {
            let key = open.unwrap();
            if in_reverse {
                let plain = plain.as_ref().unwrap();
                let again = key.encrypt(*algorithm, plain, iv.as_deref(), aad, later()).await.unwrap();
                assert_eq!(again.value, *value);
            }
            let opened = key.decrypt(*algorithm, value, iv.as_deref(), tag.as_deref(), aad, later()).await;
            opened.is_ok_and(|opened| Some(&*opened) == plain.as_ref())
        }
        Work::Verify { algorithm, message, signature } => {
            let hash = match algorithm.digest_len() {
                48 => Hash::Sha384,
                64 => Hash::Sha512,
                _ => Hash::Sha256,
            };
            let secret = *public == PublicKey::Symmetric;
            let digest = if secret { message.clone() } else { hash.of(message) };
            if let Some(key) = open.filter(|_| in_reverse) {
                assert_eq!(key.sign(*algorithm, &digest, later()).await.unwrap(), *signature);
            }
            match open.filter(|_| secret) {
                Some(key) => key.verify(*algorithm, &digest, signature, later()).await.unwrap(),
                None => protection.verify(public, *algorithm, &digest, signature, later()).await.unwrap(),
            }
        }
    }
}

/// Every vector comes out as it must; so many sets are there, none of them small.
async fn all_come_out(groups: Vec<Group>, sets: usize) {
    let protection = Protection::software(2);
    let mut counts: BTreeMap<String, usize> = BTreeMap::new();
    for Group { set, key, vectors } in groups {
        let (public, open) = (key.public(), open(&protection, &key).await);
        for vector in &vectors {
            let right = comes_out(&protection, &public, open.as_ref(), vector).await;
            assert_eq!(right, vector.valid, "{set} {}", vector.id);
            *counts.entry(set.clone()).or_default() += 1;
        }
    }
    assert!(counts.len() == sets && counts.values().all(|count| *count > 10), "{counts:#?}");
}

#[tokio::test]
async fn imported_aes_keys_do_what_wycheproof_and_nist_say() {
    all_come_out(wycheproof::aes(), 4).await;
    all_come_out(published::aes(), 5).await;
}

#[tokio::test]
async fn imported_rsa_keys_decrypt_what_wycheproof_says() {
    all_come_out(wycheproof::rsa_decryption(), 7).await;
}

#[tokio::test]
async fn signatures_are_good_where_wycheproof_and_nist_say_so() {
    all_come_out(wycheproof::ecdsa(), 4).await;
    all_come_out(published::ecdsa(), 2).await;
    all_come_out(wycheproof::rsa_signatures(), 15).await;
    all_come_out(published::rsa_signatures(), 1).await;
    all_come_out(published::hmac_as_served(), 1).await;
}

#[test]
fn no_algorithm_is_without_vectors_of_a_whole_key() {
    let all: Vec<Group> = [
        wycheproof::aes(),
        wycheproof::rsa_decryption(),
        wycheproof::rsa_signatures(),
        wycheproof::ecdsa(),
        published::aes(),
        published::ecdsa(),
        published::rsa_signatures(),
        published::hmac_as_served(),
    ]
    .into_iter()
    .flatten()
    .collect();
    let counts = algorithms(&all);
    let names = CipherAlgorithm::ALL.iter().map(|a| a.wire()).chain(SignAlgorithm::ALL.iter().map(|a| a.wire()));
    for name in names {
        assert!(counts.get(name).is_some_and(|(valid, _)| *valid >= 9), "{name}: {counts:#?}");
    }
}
