//! Promises about keys that were made elsewhere. What RSA numbers must be like is told where they are checked, in
//! `crypto`.

use super::*;
use crate::{ImportError, OpenKey, Protection, fuzz};
use keystead_crypto::sealed::{Binding, Sealer, Usage};
use keystead_model::{ProtectionLevel, PublicKey, SignAlgorithm};
use std::time::{Duration, Instant};

const PLACE: Binding = Binding { vault: [1; 16], kind: 9, object: [2; 16], version: [3; 16], counter: 1 };

fn soon() -> Instant {
    Instant::now() + Duration::from_secs(120)
}

async fn import(key: ImportedKey) -> Result<(PublicKey, OpenKey), ImportError> {
    let (protection, sealer) = (Protection::software(2), Sealer::new(&[0x11; 32], Usage::KeyMaterial, 1));
    let said = key.spec();
    let made = protection.import(&sealer, &PLACE, (key, ProtectionLevel::Software), soon()).await?;
    assert_eq!(Ok(made.spec), said);
    let key = protection.open(&sealer, &PLACE, made.stored(), soon()).await?;
    Ok((made.public, key))
}

fn bad(result: Result<(PublicKey, OpenKey), ImportError>) -> BadKey {
    match result.map(|_| ()) {
        Err(ImportError::Bad(bad)) => bad,
        other => panic!("{other:?}"),
    }
}

fn bytes(hex: &str) -> Vec<u8> {
    hex::decode(hex).unwrap()
}

/// RFC 7515, appendix A.3: a P-256 key.
fn rfc_7515() -> (Vec<u8>, Vec<u8>, Vec<u8>) {
    (
        bytes("7fcdce2770f6c45d4183cbee6fdb4b7b580733357be9ef13bacf6e3c7bd15445"),
        bytes("c7f144cd1bbd9b7e872cdfedb9eeb9f4b3695d6ea90b24ad8a4623288588e5ad"),
        bytes("8e9b109e719098bf980487df1f5d77e9cb29606ebed2263b5f57c213df84f4b2"),
    )
}

fn p256(x: &[u8], y: &[u8], d: &[u8]) -> ImportedKey {
    ImportedKey::Ec { curve: Curve::P256, x: x.to_vec(), y: y.to_vec(), d: d.to_vec().into() }
}

#[tokio::test]
async fn an_elliptic_curve_key_signs_for_the_point_it_came_with() {
    let (x, y, d) = rfc_7515();
    let (public, key) = import(p256(&x, &y, &d)).await.unwrap_or_else(|e| panic!("{e}"));
    assert_eq!(public, PublicKey::Ec { curve: Curve::P256, x: x.clone(), y: y.clone() });
    let signature = key.sign(SignAlgorithm::Es256, &[7; 32], soon()).await.unwrap();
    assert!(crate::work::verify(&public, SignAlgorithm::Es256, &[7; 32], &signature));
    // Leading zeros come and go.
    let zeros = |number: &[u8]| [&[0, 0], number].concat();
    assert!(import(p256(&zeros(&x), &zeros(&y), &zeros(&d))).await.is_ok_and(|(same, _)| same == public));
}

#[tokio::test]
async fn an_elliptic_curve_key_whose_numbers_do_not_belong_together_is_refused() {
    let (x, y, d) = rfc_7515();
    assert_eq!(bad(import(p256(&y, &x, &d)).await), BadKey::OffCurve);
    assert_eq!(bad(import(p256(&[], &[], &d)).await), BadKey::OffCurve);
    assert_eq!(bad(import(p256(&x, &y, &d[1..])).await), BadKey::Mismatch);
    assert_eq!(bad(import(p256(&x, &y, &[])).await), BadKey::Mismatch);
    assert_eq!(bad(import(p256(&x, &y, &[0xff; 32])).await), BadKey::Mismatch);
    assert_eq!(bad(import(p256(&[&[1], &x[..]].concat(), &y, &d)).await), BadKey::CoordinateLength);
    assert_eq!(bad(import(p256(&x, &y, &[0xff; 5000])).await), BadKey::CoordinateLength);
    let elsewhere = ImportedKey::Ec { curve: Curve::P256K, x, y, d: d.into() };
    assert_eq!(bad(import(elsewhere).await), BadKey::OffCurve);
}

#[tokio::test]
async fn a_secret_has_one_of_three_lengths() {
    for (length, spec) in [(16, KeySpec::Oct128), (24, KeySpec::Oct192), (32, KeySpec::Oct256)] {
        let (public, key) = import(ImportedKey::Oct(vec![7; length].into())).await.unwrap_or_else(|e| panic!("{e}"));
        assert_eq!((public, key.spec()), (PublicKey::Symmetric, spec));
        let tag = key.sign(SignAlgorithm::Hs512, &[9; 64], soon()).await.unwrap();
        assert_eq!(tag, keystead_crypto::hmac(keystead_crypto::Hash::Sha512, &vec![7; length], &[9; 64]));
    }
    for length in [0, 8, 15, 17, 33, 64, 10_000] {
        assert_eq!(bad(import(ImportedKey::Oct(vec![7; length].into())).await), BadKey::SecretSize);
    }
}

#[tokio::test]
async fn an_rsa_key_is_taken_whole_or_not_at_all() {
    let text = include_str!("../../tests/golden/rsa-numbers.txt");
    let parts: Vec<Vec<u8>> = text.split_whitespace().map(bytes).collect();
    let numbers = |changed: Option<usize>| {
        let part = |at: usize| if changed == Some(at) { Vec::new() } else { parts[at].clone() };
        let (n, e, d) = (part(0), part(1), part(2).into());
        let (p, q, dp, dq, qi) = (part(3).into(), part(4).into(), part(5).into(), part(6).into(), part(7).into());
        let primes = Some(RsaPrimes { p, q, dp, dq, qi });
        ImportedKey::Rsa(Box::new(RsaNumbers { n, e, d, primes }))
    };
    let (public, key) = import(numbers(None)).await.unwrap_or_else(|e| panic!("{e}"));
    assert_eq!(public, PublicKey::Rsa { n: parts[0].clone(), e: parts[1].clone() });
    let signature = key.sign(SignAlgorithm::Ps384, &[7; 48], soon()).await.unwrap();
    assert!(crate::work::verify(&public, SignAlgorithm::Ps384, &[7; 48], &signature));
    let expected = [BadKey::ModulusSize, BadKey::Exponent, BadKey::Inconsistent, BadKey::NotPrime, BadKey::NotPrime];
    for (at, expected) in expected.into_iter().chain([BadKey::Inconsistent; 3]).enumerate() {
        assert_eq!(bad(import(numbers(Some(at))).await), expected, "{at}");
    }
}

#[tokio::test]
async fn an_rsa_key_without_its_primes_is_the_key_that_it_is_with_them() {
    let text = include_str!("../../tests/golden/rsa-numbers.txt");
    let parts: Vec<Vec<u8>> = text.split_whitespace().map(bytes).collect();
    let numbers = |d: &[u8]| {
        let (n, e, d) = (parts[0].clone(), parts[1].clone(), d.to_vec().into());
        ImportedKey::Rsa(Box::new(RsaNumbers { n, e, d, primes: None }))
    };
    let (public, key) = import(numbers(&parts[2])).await.unwrap_or_else(|e| panic!("{e}"));
    assert_eq!(public, PublicKey::Rsa { n: parts[0].clone(), e: parts[1].clone() });
    let signature = key.sign(SignAlgorithm::Rs256, &[7; 32], soon()).await.unwrap();
    assert!(crate::work::verify(&public, SignAlgorithm::Rs256, &[7; 32], &signature));
    let mut wrong = parts[2].clone();
    wrong[9] ^= 2;
    for d in [&wrong[..], &[], &[3], &[0xff; 600]] {
        assert_eq!(bad(import(numbers(d)).await), BadKey::Inconsistent);
    }
}

#[test]
fn no_bytes_make_an_import_panic() {
    let mut state = 0x4b65_7973_7465_6164_u64;
    for length in (0..900).step_by(7) {
        let bytes: Vec<u8> = (0..length)
            .map(|_| {
                state ^= state << 13;
                state ^= state >> 7;
                state ^= state << 17;
                state.to_le_bytes()[3]
            })
            .collect();
        fuzz::imported(&bytes);
    }
}
