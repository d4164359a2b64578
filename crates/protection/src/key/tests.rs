//! Promises of open keys.

use crate::{Encrypted, KeyError, Limit, NewKey, OpenKey, Protection, StoredKey};
use keystead_crypto::sealed::{Binding, Sealer, Usage};
use keystead_model::{CipherAlgorithm, CipherMode, KeySpec, PublicExponent, PublicKey, SignAlgorithm};
use std::time::{Duration, Instant};

const PLACE: Binding = Binding { vault: [1; 16], kind: 9, object: [2; 16], version: [3; 16], counter: 1 };
const IV: &[u8] = &[5; 16];

fn soon() -> Instant {
    Instant::now() + Duration::from_secs(120)
}

fn sealer() -> Sealer {
    Sealer::new(&[0x11; 32], Usage::KeyMaterial, 1)
}

async fn new_key(protection: &Protection, key: impl Into<NewKey>) -> (PublicKey, OpenKey) {
    let key = key.into();
    let made = protection.generate(&sealer(), &PLACE, key, soon()).await.unwrap();
    let opened = protection.open(&sealer(), &PLACE, made.stored(), soon()).await.unwrap();
    assert_eq!((opened.spec(), made.spec), (key.spec, key.spec));
    (made.public, opened)
}

/// What the algorithm takes for an initialisation vector.
fn iv_of(algorithm: CipherAlgorithm) -> Option<&'static [u8]> {
    matches!(algorithm.mode(), CipherMode::Cbc | CipherMode::CbcPad).then_some(IV)
}

#[tokio::test]
async fn every_algorithm_of_a_key_signs_what_verifies_and_every_other_is_refused() {
    let protection = Protection::software(2);
    for spec in KeySpec::ALL.iter().copied() {
        let (public, key) = new_key(&protection, spec).await;
        for algorithm in SignAlgorithm::ALL.iter().copied() {
            let digest = vec![7; algorithm.digest_len()];
            let signed = key.sign(algorithm, &digest, soon()).await;
            if !algorithm.fits(spec) {
                assert_eq!(signed, Err(KeyError::WrongAlgorithm), "{spec:?} {algorithm:?}");
                assert_eq!(key.verify(algorithm, &digest, b"", soon()).await, Err(KeyError::WrongAlgorithm));
                assert_eq!(protection.verify(&public, algorithm, &digest, &[0; 64], soon()).await, Ok(false));
                continue;
            }
            let signature = signed.unwrap();
            let mut other = signature.clone();
            other[9] ^= 1;
            for (signature, good) in [(&signature[..], true), (&other, false), (&signature[1..], false), (&[], false)] {
                assert_eq!(key.verify(algorithm, &digest, signature, soon()).await, Ok(good), "{algorithm:?}");
                let by_public = protection.verify(&public, algorithm, &digest, signature, soon()).await;
                assert_eq!(by_public, Ok(good && public != PublicKey::Symmetric), "{algorithm:?}");
            }
            let digest = vec![8; algorithm.digest_len()];
            assert_eq!(key.verify(algorithm, &digest, &signature, soon()).await, Ok(false));
            for found in [0, algorithm.digest_len() - 1, algorithm.digest_len() + 1] {
                let wanted = Limit::Exactly(algorithm.digest_len());
                let refused = KeyError::BadLength { what: "digest", found, wanted };
                assert_eq!(key.sign(algorithm, &vec![7; found], soon()).await, Err(refused));
                assert_eq!(key.verify(algorithm, &vec![7; found], &signature, soon()).await, Err(refused));
            }
        }
    }
}

#[tokio::test]
async fn every_algorithm_of_a_key_decrypts_what_it_encrypted_and_every_other_is_refused() {
    let protection = Protection::software(2);
    for spec in KeySpec::ALL.iter().copied() {
        let (_, key) = new_key(&protection, spec).await;
        for algorithm in CipherAlgorithm::ALL.iter().copied() {
            let plain = [7; 32];
            let sealed = key.encrypt(algorithm, &plain, iv_of(algorithm), b"", soon()).await;
            if !algorithm.fits(spec) {
                assert_eq!(sealed.err(), Some(KeyError::WrongAlgorithm), "{spec:?} {algorithm:?}");
                let refused = key.decrypt(algorithm, &[0; 256], None, None, b"", soon()).await;
                assert_eq!(refused.err(), Some(KeyError::WrongAlgorithm));
                continue;
            }
            let Encrypted { value, iv, tag } = sealed.unwrap();
            assert_eq!(iv.is_some(), iv_of(algorithm).is_some() || algorithm.mode() == CipherMode::Gcm);
            assert_eq!(tag.is_some(), algorithm.mode() == CipherMode::Gcm);
            let tag = tag.as_ref().map(<[u8; 16]>::as_slice);
            let back = key.decrypt(algorithm, &value, iv.as_deref(), tag, b"", soon()).await.unwrap();
            assert_eq!(*back, plain, "{algorithm:?}");
        }
    }
}

#[tokio::test]
async fn what_does_not_decrypt_fails_in_one_way() {
    let protection = Protection::software(1);
    for spec in [KeySpec::Oct128, KeySpec::Oct192, KeySpec::Oct256, KeySpec::Rsa2048] {
        let (_, key) = new_key(&protection, spec).await;
        for algorithm in CipherAlgorithm::ALL.iter().copied().filter(|a| a.fits(spec)) {
            // These two do not tell good from bad: that is the caller's part.
            if matches!(algorithm.mode(), CipherMode::Cbc | CipherMode::Pkcs1) {
                continue;
            }
            let sealed = key.encrypt(algorithm, &[7; 16], iv_of(algorithm), b"", soon()).await.unwrap();
            let (iv, tag) = (sealed.iv.as_deref(), sealed.tag.as_ref().map(<[u8; 16]>::as_slice));
            let mut changed = sealed.value.clone();
            *changed.last_mut().unwrap() ^= 0x80;
            for value in [&changed[..], &sealed.value[1..], &[], &[0; 7], &[0; 24], &[0; 256]] {
                let failed = key.decrypt(algorithm, value, iv, tag, b"", soon()).await;
                assert_eq!(failed.err(), Some(KeyError::DecryptFailed), "{algorithm:?}");
            }
        }
    }
}

#[tokio::test]
async fn gcm_binds_nonce_tag_and_associated_data() {
    let protection = Protection::software(1);
    let gcm = CipherAlgorithm::A256Gcm;
    let (_, key) = new_key(&protection, KeySpec::Oct256).await;
    let sealed = key.encrypt(gcm, b"plain", None, b"aad", soon()).await.unwrap();
    let (value, iv, tag) = (sealed.value, sealed.iv.unwrap(), sealed.tag.unwrap());
    assert_eq!(key.decrypt(gcm, &value, Some(&iv), Some(&tag), b"aad", soon()).await.unwrap().as_slice(), b"plain");
    for (iv, tag, aad) in [(&[0; 12][..], &tag[..], &b"aad"[..]), (&iv, &[0; 16], b"aad"), (&iv, &tag, b"")] {
        let failed = key.decrypt(gcm, &value, Some(iv), Some(tag), aad, soon()).await;
        assert_eq!(failed.err(), Some(KeyError::DecryptFailed));
    }
}

#[tokio::test]
async fn a_wrong_rsa1_5_ciphertext_decrypts_to_something_else_and_never_fails() {
    let protection = Protection::software(1);
    let (_, key) = new_key(&protection, KeySpec::Rsa2048).await;
    for first in 1..9 {
        let value = [&[first; 1][..], &[9; 255]].concat();
        let twice = [
            key.decrypt(CipherAlgorithm::Rsa15, &value, None, None, b"", soon()).await.unwrap(),
            key.decrypt(CipherAlgorithm::Rsa15, &value, None, None, b"", soon()).await.unwrap(),
        ];
        assert_eq!(twice[0], twice[1]);
    }
}

#[tokio::test]
async fn cbc_takes_the_callers_vector_and_fills_the_last_block() {
    let protection = Protection::software(1);
    let (_, key) = new_key(&protection, KeySpec::Oct128).await;
    let bare = key.encrypt(CipherAlgorithm::A128Cbc, b"plain", Some(IV), b"left aside", soon()).await.unwrap();
    assert_eq!((bare.value.len(), bare.iv.as_deref(), bare.tag), (16, Some(IV), None));
    let plain = key.decrypt(CipherAlgorithm::A128Cbc, &bare.value, Some(IV), None, b"", soon()).await.unwrap();
    assert_eq!(plain.as_slice(), b"plain\0\0\0\0\0\0\0\0\0\0\0");
    let padded = key.encrypt(CipherAlgorithm::A128CbcPad, b"plain", Some(IV), b"", soon()).await.unwrap();
    let plain = key.decrypt(CipherAlgorithm::A128CbcPad, &padded.value, Some(IV), None, b"x", soon()).await.unwrap();
    assert_eq!(plain.as_slice(), b"plain");
}

fn named(error: Option<KeyError>) -> (&'static str, usize) {
    match error {
        Some(KeyError::BadLength { what, found, .. }) => (what, found),
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn parameters_that_an_algorithm_does_not_take_are_named() {
    let protection = Protection::software(1);
    let (_, key) = new_key(&protection, KeySpec::Oct256).await;
    let (gcm, cbc, kw) = (CipherAlgorithm::A256Gcm, CipherAlgorithm::A256Cbc, CipherAlgorithm::A256Kw);
    let (iv, tag) = (&[0; 12][..], &[0; 16][..]);
    let decrypt = async |algorithm, iv, tag, aad: &[u8]| {
        named(key.decrypt(algorithm, &[0; 24], iv, tag, aad, soon()).await.err())
    };
    assert_eq!(decrypt(gcm, None, Some(tag), b"").await, ("nonce", 0));
    assert_eq!(decrypt(gcm, Some(tag), Some(tag), b"").await, ("nonce", 16));
    assert_eq!(decrypt(gcm, Some(iv), None, b"").await, ("tag", 0));
    assert_eq!(decrypt(gcm, Some(iv), Some(iv), b"").await, ("tag", 12));
    assert_eq!(decrypt(cbc, None, None, b"").await, ("initialisation vector", 0));
    assert_eq!(decrypt(cbc, Some(iv), None, b"").await, ("initialisation vector", 12));
    assert_eq!(decrypt(cbc, Some(tag), Some(tag), b"").await, ("tag", 16));
    assert_eq!(decrypt(kw, Some(tag), None, b"").await, ("nonce", 16));
    assert_eq!(decrypt(kw, None, Some(tag), b"").await, ("tag", 16));
    assert_eq!(decrypt(kw, None, None, b"aad").await, ("associated data", 3));
    let encrypt =
        async |algorithm, iv, aad: &[u8]| named(key.encrypt(algorithm, &[0; 16], iv, aad, soon()).await.err());
    assert_eq!(encrypt(gcm, Some(iv), b"").await, ("nonce", 12));
    assert_eq!(encrypt(cbc, None, b"").await, ("initialisation vector", 0));
    assert_eq!(encrypt(cbc, Some(iv), b"").await, ("initialisation vector", 12));
    assert_eq!(encrypt(kw, None, b"aad").await, ("associated data", 3));
    let (_, key) = new_key(&protection, KeySpec::Rsa2048).await;
    for algorithm in [CipherAlgorithm::RsaOaep, CipherAlgorithm::RsaOaep256, CipherAlgorithm::Rsa15] {
        let decrypt =
            async |iv, tag, aad: &[u8]| named(key.decrypt(algorithm, &[0; 256], iv, tag, aad, soon()).await.err());
        assert_eq!(decrypt(Some(iv), None, b"").await, ("nonce", 12));
        assert_eq!(decrypt(None, Some(tag), b"").await, ("tag", 16));
        assert_eq!(decrypt(None, None, b"aad").await, ("associated data", 3));
        assert_eq!(named(key.encrypt(algorithm, b"", None, b"aad", soon()).await.err()), ("associated data", 3));
    }
}

#[tokio::test]
async fn plaintexts_are_as_long_as_their_algorithm_takes() {
    let protection = Protection::software(1);
    let (_, rsa) = new_key(&protection, KeySpec::Rsa2048).await;
    let (_, oct) = new_key(&protection, KeySpec::Oct192).await;
    let multiple = Limit::Multiple { of: 8, least: 16, most: 4096 };
    for (key, algorithm, wanted, good, bad) in [
        (&rsa, CipherAlgorithm::RsaOaep256, Limit::AtMost(190), &[0, 190][..], &[191, 300][..]),
        (&rsa, CipherAlgorithm::RsaOaep, Limit::AtMost(214), &[0, 214], &[215]),
        (&rsa, CipherAlgorithm::Rsa15, Limit::AtMost(245), &[0, 245], &[246]),
        (&oct, CipherAlgorithm::A192Kw, multiple, &[16, 24, 4096], &[0, 8, 15, 17, 4104]),
        (&oct, CipherAlgorithm::CkmAesKeyWrap, multiple, &[16, 4096], &[0, 17]),
        (&oct, CipherAlgorithm::CkmAesKeyWrapPad, Limit::Between(1, 4096), &[1, 17, 4096], &[0, 4097]),
    ] {
        for length in good.iter().copied() {
            let sealed = key.encrypt(algorithm, &vec![7; length], None, b"", soon()).await.unwrap();
            let back = key.decrypt(algorithm, &sealed.value, None, None, b"", soon()).await.unwrap();
            assert_eq!(*back, vec![7; length], "{algorithm:?}");
        }
        for found in bad.iter().copied() {
            let refused = key.encrypt(algorithm, &vec![7; found], None, b"", soon()).await;
            assert_eq!(refused, Err(KeyError::BadLength { what: "plaintext", found, wanted }), "{algorithm:?}");
        }
    }
}

#[tokio::test]
async fn an_rsa_key_has_the_public_exponent_that_was_asked_for() {
    let protection = Protection::software(2);
    for exponent in [3, 17] {
        let asked = PublicExponent::new(exponent).unwrap();
        let (public, key) = new_key(&protection, NewKey { exponent: asked, ..KeySpec::Rsa2048.into() }).await;
        assert!(matches!(&public, PublicKey::Rsa { e, .. } if *e == [u8::try_from(exponent).unwrap()]));
        let signature = key.sign(SignAlgorithm::Ps512, &[7; 64], soon()).await.unwrap();
        assert_eq!(protection.verify(&public, SignAlgorithm::Ps512, &[7; 64], &signature, soon()).await, Ok(true));
    }
}

#[tokio::test]
async fn material_from_elsewhere_or_of_another_kind_is_damaged() {
    let protection = Protection::software(1);
    let damaged = Some(KeyError::Damaged);
    for spec in KeySpec::ALL.iter().filter(|spec| !matches!(spec, KeySpec::Rsa3072 | KeySpec::Rsa4096)) {
        let made = protection.generate(&sealer(), &PLACE, *spec, soon()).await.unwrap();
        let elsewhere = Binding { version: [4; 16], ..PLACE };
        assert_eq!(protection.open(&sealer(), &elsewhere, made.stored(), soon()).await.err(), damaged);
        let records = Sealer::new(&[0x11; 32], Usage::Records, 1);
        assert_eq!(protection.open(&records, &PLACE, made.stored(), soon()).await.err(), damaged);
        for other in KeySpec::ALL.iter().filter(|other| *other != spec) {
            assert_eq!(
                protection.open(&sealer(), &PLACE, StoredKey { spec: *other, ..made.stored() }, soon()).await.err(),
                damaged
            );
        }
    }
}

#[tokio::test]
async fn work_on_the_pool_past_its_deadline_is_refused() {
    let protection = Protection::software(1);
    let made = protection.generate(&sealer(), &PLACE, KeySpec::Rsa2048, soon()).await.unwrap();
    let key = protection.open(&sealer(), &PLACE, made.stored(), soon()).await.unwrap();
    let past = Instant::now();
    let late = Some(KeyError::Deadline);
    assert_eq!(protection.generate(&sealer(), &PLACE, KeySpec::Rsa2048, past).await.err(), late);
    assert_eq!(protection.generate(&sealer(), &PLACE, KeySpec::EcP521, past).await.err(), late);
    assert_eq!(protection.open(&sealer(), &PLACE, made.stored(), past).await.err(), late);
    assert_eq!(key.sign(SignAlgorithm::Rs256, &[0; 32], past).await.err(), late);
    assert_eq!(key.decrypt(CipherAlgorithm::RsaOaep256, &[0; 256], None, None, b"", past).await.err(), late);
    let (public, key) = new_key(&protection, KeySpec::EcP384).await;
    assert_eq!(key.sign(SignAlgorithm::Es384, &[0; 48], past).await.err(), late);
    assert_eq!(protection.verify(&public, SignAlgorithm::Es384, &[0; 48], &[0; 96], past).await.err(), late);
}
