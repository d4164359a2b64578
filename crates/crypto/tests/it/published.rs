//! Vectors of NIST and of RFCs: each primitive as far as it is used here.

use keystead_crypto::aes::{Gcm, cbc, wrap};
use keystead_crypto::ec::{self, Curve};
use keystead_crypto::rsa::{self, Padding};
use keystead_crypto::{CryptoError, Hash, hmac, verify_hmac};
use keystead_vectors::{CipherMode, Curve as Named, Group, Key, RsaPrivate, SignAlgorithm, Work, published};
use std::collections::BTreeMap;

fn fixed<const N: usize>(bytes: Option<&Vec<u8>>) -> &[u8; N] {
    bytes.unwrap().as_slice().try_into().unwrap()
}

const fn hash(algorithm: SignAlgorithm) -> Hash {
    match algorithm.digest_len() {
        48 => Hash::Sha384,
        64 => Hash::Sha512,
        _ => Hash::Sha256,
    }
}

/// Holds every vector against what the work gives; so many of the name of each algorithm are there at least.
fn check(groups: Vec<Group>, least: usize, names: &[&str], right: impl Fn(&Key, &Work, bool) -> bool) {
    let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
    for Group { set, key, vectors } in &groups {
        for vector in vectors {
            assert_eq!(right(key, &vector.work, vector.valid), vector.valid, "{set} {}", vector.id);
            *counts.entry(vector.work.algorithm()).or_default() += 1;
        }
    }
    assert!(counts.keys().copied().eq(names.iter().copied()), "{counts:?}");
    assert!(counts.values().all(|count| *count >= least), "{counts:?}");
}

#[test]
fn aes_in_all_modes() {
    let names = [
        "A128CBC",
        "A128GCM",
        "A128KW",
        "A192CBC",
        "A192GCM",
        "A192KW",
        "A256CBC",
        "A256GCM",
        "A256KW",
        "CKM_AES_KEY_WRAP",
        "CKM_AES_KEY_WRAP_PAD",
    ];
    check(published::aes(), 11, &names, |key, work, valid| {
        let (Key::Oct(key), Work::Decrypt { algorithm, value, iv, tag, aad, plain }) = (key, work) else { panic!() };
        let (opened, again): (_, Option<Result<Vec<u8>, CryptoError>>) = match algorithm.mode() {
            CipherMode::Gcm => (Gcm::of(key).unwrap().open(fixed(iv.as_ref()), aad, value, fixed(tag.as_ref())), None),
            CipherMode::Cbc => {
                let (iv, fill) = (fixed(iv.as_ref()), cbc::Fill::Zeros);
                (cbc::decrypt(key, iv, fill, value), plain.as_ref().map(|plain| cbc::encrypt(key, iv, fill, plain)))
            }
            CipherMode::KeyWrap => (wrap::unwrap(key, value), plain.as_ref().map(|plain| wrap::wrap(key, plain))),
            _ => (wrap::unwrap_padded(key, value), plain.as_ref().map(|plain| wrap::wrap_padded(key, plain))),
        };
        if let Some(again) = again.filter(|_| valid) {
            assert_eq!(again.unwrap(), *value);
        }
        opened.is_ok_and(|opened| Some(&*opened) == plain.as_ref())
    });
}

#[test]
fn hmac_with_sha_2() {
    for (groups, least) in [(published::hmac(), 6), (published::hmac_as_served(), 9)] {
        check(groups, least, &["HS256", "HS384", "HS512"], |key, work, _| {
            let (Key::Oct(key), Work::Verify { algorithm, message, signature }) = (key, work) else { panic!() };
            assert_eq!(hmac(hash(*algorithm), key, message), *signature);
            verify_hmac(hash(*algorithm), key, message, signature)
        });
    }
}

#[test]
fn ecdsa_with_the_hash_of_the_curve() {
    check(published::ecdsa(), 15, &["ES256", "ES256K", "ES384", "ES512"], |key, work, _| {
        let (Key::Ec { curve, x, y, d }, Work::Verify { algorithm, message, signature }) = (key, work) else {
            panic!()
        };
        let curve = match curve {
            Named::P256 => Curve::P256,
            Named::P384 => Curve::P384,
            Named::P521 => Curve::P521,
            Named::P256K => Curve::P256K1,
        };
        let digest = hash(*algorithm).of(message);
        if let Some(d) = d {
            let signed = ec::PrivateKey::from_numbers(curve, x, y, d).unwrap().sign_digest(&digest).unwrap();
            assert!(ec::verify_digest(curve, x, y, &digest, &signed));
        }
        ec::verify_digest(curve, x, y, &digest, signature)
    });
}

#[test]
fn rsa_signatures_of_keys_without_their_primes() {
    let groups = published::rsa_signatures();
    let keys: BTreeMap<Vec<u8>, rsa::PrivateKey> = groups
        .iter()
        .map(|group| {
            let Key::Rsa { n, e, private: Some(RsaPrivate { d, primes: None }) } = &group.key else { panic!() };
            (n.clone(), rsa::PrivateKey::from_exponents(n, e, d).unwrap())
        })
        .collect();
    assert_eq!(keys.len(), 5);
    let names = ["PS256", "PS384", "PS512", "RS256", "RS384", "RS512"];
    check(groups, 6, &names, |key, work, _| {
        let (Key::Rsa { n, e, .. }, Work::Verify { algorithm, message, signature }) = (key, work) else { panic!() };
        let (hash, pss) = (hash(*algorithm), algorithm.wire().starts_with('P'));
        let (padding, digest) = (if pss { Padding::Pss } else { Padding::Pkcs1 }, hash.of(message));
        let signed = keys[n].sign_digest(padding, hash, &digest).unwrap();
        assert!(rsa::verify_digest(n, e, padding, hash, &digest, &signed) && (pss || signed == *signature));
        rsa::verify_digest(n, e, padding, hash, &digest, signature)
    });
}
