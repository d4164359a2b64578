//! Project Wycheproof through whole keys: imported, sealed, opened, used. The primitives have suites of their own.

use crate::vectors::{self, Group, Key, Vector, Work};
use crate::{PLACE, sealer};
use keystead_crypto::Hash;
use keystead_model::{CipherAlgorithm, CipherMode};
use keystead_protection::{ImportedKey, OpenKey, Protection, RsaNumbers, RsaPrimes};
use std::collections::BTreeMap;
use std::time::{Duration, Instant};

/// RSA at 4,096 bits, hundreds of times, on a machine that has other things to do.
fn later() -> Instant {
    Instant::now() + Duration::from_secs(600)
}

async fn open(protection: &Protection, key: &Key) -> Option<OpenKey> {
    let key = match key {
        Key::Oct(bytes) => ImportedKey::Oct(bytes.clone().into()),
        Key::Rsa(numbers) => {
            let [n, e, d, p, q, dp, dq, qi] = numbers.clone();
            let (d, p, q, dp, dq, qi) = (d.into(), p.into(), q.into(), dp.into(), dq.into(), qi.into());
            let primes = Some(RsaPrimes { p, q, dp, dq, qi });
            ImportedKey::Rsa(Box::new(RsaNumbers { n, e, d, primes }))
        }
        Key::Ec(..) | Key::RsaPublic(..) => return None,
    };
    let made = protection.import(&sealer(), &PLACE, key, later()).await.unwrap();
    Some(protection.open(&sealer(), &PLACE, made.spec, &made.material, later()).await.unwrap())
}

/// Whether encrypting the same again gives the same.
fn repeats(algorithm: CipherAlgorithm) -> bool {
    !matches!(algorithm.mode(), CipherMode::Gcm | CipherMode::Pkcs1 | CipherMode::Oaep)
}

async fn comes_out(protection: &Protection, key: &Key, open: Option<&OpenKey>, vector: &Vector) -> bool {
    match &vector.work {
        Work::Decrypt { algorithm, value, iv, tag, aad, plain } => {
            let key = open.unwrap();
            let opened = key.decrypt(*algorithm, value, iv.as_deref(), tag.as_deref(), aad, later()).await;
            if vector.valid && repeats(*algorithm) {
                let again = key.encrypt(*algorithm, plain, iv.as_deref(), aad, later()).await.unwrap();
                assert_eq!(again.value, *value);
            }
            opened.is_ok_and(|opened| *opened == *plain)
        }
        Work::Verify { algorithm, message, signature } => {
            let hash = match algorithm.digest_len() {
                48 => Hash::Sha384,
                64 => Hash::Sha512,
                _ => Hash::Sha256,
            };
            let (public, digest) = (key.public().unwrap(), hash.of(message));
            protection.verify(&public, *algorithm, &digest, signature, later()).await.unwrap()
        }
    }
}

/// Every vector comes out as it must; so many sets are there, none of them small.
async fn all_come_out(groups: Vec<Group>, sets: usize) {
    let protection = Protection::software(2);
    let mut counts: BTreeMap<String, usize> = BTreeMap::new();
    for Group { set, key, vectors } in groups {
        let open = open(&protection, &key).await;
        for vector in &vectors {
            let right = comes_out(&protection, &key, open.as_ref(), vector).await;
            assert_eq!(right, vector.valid, "{set} {}", vector.id);
            *counts.entry(set.clone()).or_default() += 1;
        }
    }
    assert!(counts.len() == sets && counts.values().all(|count| *count > 10), "{counts:#?}");
}

#[tokio::test]
async fn imported_aes_keys_do_what_wycheproof_says() {
    all_come_out(vectors::symmetric(), 4).await;
}

#[tokio::test]
async fn imported_rsa_keys_decrypt_what_wycheproof_says() {
    all_come_out(vectors::rsa_decryption(), 7).await;
}

#[tokio::test]
async fn signatures_are_good_where_wycheproof_says_so() {
    all_come_out(vectors::signatures(), 19).await;
}
