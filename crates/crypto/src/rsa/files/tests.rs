//! Files that OpenSSL 3.0 wrote of one key.

use super::*;
use crate::rsa::{Padding, Size};
use crate::{Hash, certificate};

const PKCS1: &[u8] = include_bytes!("../../../tests/golden/owners/pkcs1.der");
const CERTIFICATE: &[u8] = include_bytes!("../../../tests/golden/owners/certificate.der");
const PASSPHRASE: &[u8] = b"correct horse";

/// As `openssl pkcs8 -topk8` wrote it: by default, and in the old way.
const ENCRYPTED: [&[u8]; 2] = [
    include_bytes!("../../../tests/golden/owners/pbes2.der"),
    include_bytes!("../../../tests/golden/owners/pbes1.der"),
];

/// With a hash that the library does not know here.
const UNKNOWN: &[u8] = include_bytes!("../../../tests/golden/owners/pbes2-sha512.der");

#[test]
fn a_key_is_the_same_in_each_of_its_forms() {
    let key = PrivateKey::from_pkcs1(PKCS1).unwrap();
    assert_eq!(key.size(), Size::Bits2048);
    let (n, e) = certificate::rsa_key(CERTIFICATE).unwrap();
    assert_eq!(key.public(), (n.as_slice(), e.as_slice()));
    for encrypted in ENCRYPTED {
        let again = PrivateKey::from_encrypted_pkcs8(encrypted, PASSPHRASE).unwrap();
        assert_eq!(again.public(), key.public());
    }
    let digest = Hash::Sha256.of(b"message");
    let signature = key.sign_digest(Padding::Pss, Hash::Sha256, &digest).unwrap();
    assert!(super::super::verify_digest(&n, &e, Padding::Pss, Hash::Sha256, &digest, &signature));
}

#[test]
fn a_wrong_passphrase_opens_nothing() {
    for encrypted in ENCRYPTED {
        for wrong in [&b""[..], b"Correct horse", b"correct horse "] {
            let refused = PrivateKey::from_encrypted_pkcs8(encrypted, wrong).err();
            // Behind a wrong passphrase there is no padding, or, rarely, no key.
            assert!(matches!(refused, Some(CryptoError::NotDecrypted | CryptoError::BadKey)), "{refused:?}");
        }
    }
    let refused = PrivateKey::from_encrypted_pkcs8(UNKNOWN, PASSPHRASE).err();
    assert_eq!(refused, Some(CryptoError::NotDecrypted));
}

#[test]
fn what_is_no_key_or_more_than_one_is_refused() {
    let refused = Some(CryptoError::BadKey);
    let longer = |bytes: &[u8]| [bytes, &[0]].concat();
    assert_eq!(PrivateKey::from_pkcs1(&longer(PKCS1)).err(), refused);
    assert_eq!(PrivateKey::from_pkcs1(&PKCS1[..PKCS1.len() - 1]).err(), refused);
    assert_eq!(PrivateKey::from_pkcs1(ENCRYPTED[0]).err(), refused);
    assert_eq!(PrivateKey::from_encrypted_pkcs8(&longer(ENCRYPTED[0]), PASSPHRASE).err(), refused);
    let mut changed = PKCS1.to_vec();
    changed[200] ^= 1;
    assert_eq!(PrivateKey::from_pkcs1(&changed).err(), refused);
}
