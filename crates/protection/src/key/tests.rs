//! Promises of open keys.

use crate::{Encrypted, KeyError, Limit, OpenKey, Protection};
use keystead_crypto::sealed::{Binding, Sealer, Usage};
use keystead_crypto::{p256, rsa, sha256};
use keystead_model::{CipherAlgorithm, KeySpec, PublicKey, SignAlgorithm};
use std::time::{Duration, Instant};

const PLACE: Binding = Binding { vault: [1; 16], kind: 9, object: [2; 16], version: [3; 16], counter: 1 };

fn soon() -> Instant {
    Instant::now() + Duration::from_secs(30)
}

fn sealer() -> Sealer {
    Sealer::new(&[0x11; 32], Usage::KeyMaterial, 1)
}

async fn new_key(protection: &Protection, spec: KeySpec) -> (PublicKey, OpenKey) {
    let made = protection.generate(&sealer(), &PLACE, spec, soon()).await.unwrap();
    let opened = protection.open(&sealer(), &PLACE, spec, &made.material, soon()).await.unwrap();
    assert_eq!(opened.spec(), spec);
    (made.public, opened)
}

#[tokio::test]
async fn signatures_verify_with_the_public_half() {
    let protection = Protection::software(2);
    let digest = sha256(&[b"message"]);
    let (public, key) = new_key(&protection, KeySpec::EcP256).await;
    let PublicKey::EcP256 { x, y } = public else { panic!("not EC") };
    assert!(p256::verify_digest(&x, &y, &digest, &key.sign(SignAlgorithm::Es256, &digest, soon()).await.unwrap()));

    let (public, key) = new_key(&protection, KeySpec::Rsa2048).await;
    let PublicKey::Rsa { n, e } = public else { panic!("not RSA") };
    for (algorithm, padding) in [(SignAlgorithm::Rs256, rsa::Padding::Pkcs1), (SignAlgorithm::Ps256, rsa::Padding::Pss)]
    {
        let signature = key.sign(algorithm, &digest, soon()).await.unwrap();
        assert!(rsa::verify_digest(&n, &e, padding, &digest, &signature), "{algorithm:?}");
    }
}

#[tokio::test]
async fn a_digest_of_another_length_is_refused() {
    let protection = Protection::software(1);
    for (spec, algorithm) in [(KeySpec::EcP256, SignAlgorithm::Es256), (KeySpec::Rsa2048, SignAlgorithm::Ps256)] {
        let (_, key) = new_key(&protection, spec).await;
        for found in [0, 31, 33, 64] {
            let refused = key.sign(algorithm, &vec![0; found], soon()).await;
            let wanted = Limit::Exactly(32);
            assert_eq!(refused, Err(KeyError::BadLength { what: "digest", found, wanted }));
        }
    }
}

#[tokio::test]
async fn what_was_encrypted_decrypts() {
    let protection = Protection::software(2);
    let (public, key) = new_key(&protection, KeySpec::Oct256).await;
    assert_eq!(public, PublicKey::Symmetric);
    for plain in [vec![], vec![7; 1024]] {
        let Encrypted { value, iv, tag } = key.encrypt(CipherAlgorithm::A256Gcm, &plain, b"aad", soon()).await.unwrap();
        let (iv, tag) = (iv.unwrap(), tag.unwrap());
        let back = key.decrypt(CipherAlgorithm::A256Gcm, &value, Some(&iv), Some(&tag), b"aad", soon()).await.unwrap();
        assert_eq!(*back, plain);
    }
    let (_, key) = new_key(&protection, KeySpec::Rsa2048).await;
    for plain in [vec![], vec![7; 190]] {
        let Encrypted { value, iv, tag } = key.encrypt(CipherAlgorithm::RsaOaep256, &plain, b"", soon()).await.unwrap();
        assert_eq!((value.len(), iv, tag), (256, None, None));
        let back = key.decrypt(CipherAlgorithm::RsaOaep256, &value, None, None, b"", soon()).await.unwrap();
        assert_eq!(*back, plain);
    }
    let wanted = Limit::AtMost(190);
    let refused = key.encrypt(CipherAlgorithm::RsaOaep256, &[7; 300], b"", soon()).await;
    assert_eq!(refused, Err(KeyError::BadLength { what: "plaintext", found: 300, wanted }));
}

#[tokio::test]
async fn what_does_not_decrypt_fails_in_one_way() {
    let protection = Protection::software(1);
    let gcm = CipherAlgorithm::A256Gcm;
    let (_, key) = new_key(&protection, KeySpec::Oct256).await;
    let sealed = key.encrypt(gcm, b"plain", b"aad", soon()).await.unwrap();
    let (value, iv, tag) = (sealed.value, sealed.iv.unwrap(), sealed.tag.unwrap());
    for (value, iv, tag, aad) in [
        (b"other".as_slice(), iv, tag, b"aad".as_slice()),
        (b"", iv, tag, b"aad"),
        (&value, [0; 12], tag, b"aad"),
        (&value, iv, [0; 16], b"aad"),
        (&value, iv, tag, b""),
    ] {
        let failed = key.decrypt(gcm, value, Some(&iv), Some(&tag), aad, soon()).await;
        assert_eq!(failed.err(), Some(KeyError::DecryptFailed));
    }
    let (_, key) = new_key(&protection, KeySpec::Rsa2048).await;
    for value in [vec![], vec![0; 255], vec![0; 256], vec![0xff; 256], vec![1; 257]] {
        let failed = key.decrypt(CipherAlgorithm::RsaOaep256, &value, None, None, b"", soon()).await;
        assert_eq!(failed.err(), Some(KeyError::DecryptFailed));
    }
}

#[tokio::test]
async fn parameters_of_a_wrong_length_are_named() {
    let protection = Protection::software(1);
    let (_, key) = new_key(&protection, KeySpec::Oct256).await;
    let gcm = CipherAlgorithm::A256Gcm;
    let name = |error: Option<KeyError>| match error {
        Some(KeyError::BadLength { what, found, .. }) => (what, found),
        other => panic!("{other:?}"),
    };
    let (iv, tag) = ([0; 12], [0; 16]);
    assert_eq!(name(key.decrypt(gcm, b"", None, Some(&tag), b"", soon()).await.err()), ("nonce", 0));
    assert_eq!(name(key.decrypt(gcm, b"", Some(&tag), Some(&tag), b"", soon()).await.err()), ("nonce", 16));
    assert_eq!(name(key.decrypt(gcm, b"", Some(&iv), None, b"", soon()).await.err()), ("tag", 0));
    assert_eq!(name(key.decrypt(gcm, b"", Some(&iv), Some(&iv), b"", soon()).await.err()), ("tag", 12));
    let (_, key) = new_key(&protection, KeySpec::Rsa2048).await;
    let oaep = CipherAlgorithm::RsaOaep256;
    assert_eq!(name(key.decrypt(oaep, &[0; 256], Some(&iv), None, b"", soon()).await.err()), ("nonce", 12));
    assert_eq!(name(key.decrypt(oaep, &[0; 256], None, Some(&tag), b"", soon()).await.err()), ("tag", 16));
    assert_eq!(name(key.decrypt(oaep, &[0; 256], None, None, b"aad", soon()).await.err()), ("associated data", 3));
    assert_eq!(name(key.encrypt(oaep, b"", b"aad", soon()).await.err()), ("associated data", 3));
}

#[tokio::test]
async fn a_key_refuses_every_algorithm_that_is_not_its_own() {
    let protection = Protection::software(2);
    for spec in KeySpec::ALL {
        let (_, key) = new_key(&protection, *spec).await;
        for algorithm in SignAlgorithm::ALL.iter().filter(|algorithm| algorithm.spec() != *spec) {
            assert_eq!(key.sign(*algorithm, &[0; 32], soon()).await, Err(KeyError::WrongAlgorithm));
        }
        for algorithm in CipherAlgorithm::ALL.iter().filter(|algorithm| algorithm.spec() != *spec) {
            let refused = Some(KeyError::WrongAlgorithm);
            assert_eq!(key.encrypt(*algorithm, b"", b"", soon()).await.err(), refused);
            assert_eq!(key.decrypt(*algorithm, b"", None, None, b"", soon()).await.err(), refused);
        }
    }
}

#[tokio::test]
async fn material_from_elsewhere_or_of_another_kind_is_damaged() {
    let protection = Protection::software(1);
    let damaged = Some(KeyError::Damaged);
    for spec in KeySpec::ALL {
        let made = protection.generate(&sealer(), &PLACE, *spec, soon()).await.unwrap();
        let elsewhere = Binding { version: [4; 16], ..PLACE };
        assert_eq!(protection.open(&sealer(), &elsewhere, *spec, &made.material, soon()).await.err(), damaged);
        let records = Sealer::new(&[0x11; 32], Usage::Records, 1);
        assert_eq!(protection.open(&records, &PLACE, *spec, &made.material, soon()).await.err(), damaged);
        for other in KeySpec::ALL.iter().filter(|other| *other != spec) {
            assert_eq!(protection.open(&sealer(), &PLACE, *other, &made.material, soon()).await.err(), damaged);
        }
    }
}

#[tokio::test]
async fn rsa_work_past_its_deadline_is_refused() {
    let protection = Protection::software(1);
    let made = protection.generate(&sealer(), &PLACE, KeySpec::Rsa2048, soon()).await.unwrap();
    let key = protection.open(&sealer(), &PLACE, KeySpec::Rsa2048, &made.material, soon()).await.unwrap();
    let past = Instant::now();
    let late = Some(KeyError::Deadline);
    assert_eq!(protection.generate(&sealer(), &PLACE, KeySpec::Rsa2048, past).await.err(), late);
    assert_eq!(protection.open(&sealer(), &PLACE, KeySpec::Rsa2048, &made.material, past).await.err(), late);
    assert_eq!(key.sign(SignAlgorithm::Rs256, &[0; 32], past).await.err(), late);
    assert_eq!(key.decrypt(CipherAlgorithm::RsaOaep256, &[0; 256], None, None, b"", past).await.err(), late);
}
