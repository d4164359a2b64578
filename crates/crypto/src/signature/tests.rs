//! Keys and signatures that OpenSSL 3.0 wrote.

use super::*;

macro_rules! golden {
    ($file:literal) => {
        include_bytes!(concat!("../../tests/golden/people/", $file)).as_slice()
    };
}

const KEYS: [[&[u8]; 4]; 2] = [
    [
        golden!("ed25519.der"),
        golden!("ed25519-pbes2.der"),
        golden!("ed25519-spki.der"),
        golden!("ed25519-signature.bin"),
    ],
    [golden!("p256.der"), golden!("p256-pbes2.der"), golden!("p256-spki.der"), golden!("p256-signature.der")],
];

#[test]
fn keys_and_signatures_of_openssl_are_read() {
    for [pkcs8, encrypted, spki, signature] in KEYS {
        let public = PublicKey::from_spki(spki).unwrap();
        assert_eq!(public.to_spki(), spki);
        assert!(public.verify(b"message", &public.plain(signature).unwrap()), "{}", public.kind());
        for key in [PrivateKey::from_pkcs8(pkcs8), PrivateKey::from_encrypted_pkcs8(encrypted, b"correct horse")] {
            let key = key.ok().unwrap();
            assert_eq!(key.public().ok().unwrap(), public);
            let signature = key.sign(b"another").unwrap();
            assert!(public.verify(b"another", &signature));
            assert!(!public.verify(b"message", &signature));
            assert_eq!(public.plain(&signature).unwrap().as_slice(), signature);
        }
        let refused = PrivateKey::from_encrypted_pkcs8(encrypted, b"correct hors").err();
        assert!(matches!(refused, Some(CryptoError::NotDecrypted | CryptoError::BadKey)), "{refused:?}");
    }
}

#[test]
fn a_public_key_has_one_form() {
    for [.., spki, _] in KEYS {
        for bad in [&spki[1..], &spki[..spki.len() - 1], &[spki, &[0]].concat()] {
            assert_eq!(PublicKey::from_spki(bad), None);
        }
    }
    let mut off = KEYS[1][2].to_vec();
    *off.last_mut().unwrap() ^= 1;
    assert_eq!(PublicKey::from_spki(&off), None, "a point off the curve");
    let other = crate::ec::PrivateKey::generate(Curve::P256K1);
    let (x, y) = other.public();
    assert_eq!(PublicKey::from_spki(&ec::spki_der(Curve::P256K1, x, y)), None, "another curve");
}

#[test]
fn a_signature_of_another_length_is_none() {
    for [.., spki, _] in KEYS {
        let public = PublicKey::from_spki(spki).unwrap();
        for bad in [&[][..], &[0; 63], &[0; 65], &[0x30, 0], &[0x30, 6, 2, 1, 0, 2, 1, 0]] {
            let wrong = public.plain(bad).is_some_and(|plain| public.verify(b"message", &plain));
            assert!(!wrong && !public.verify(b"message", bad), "{bad:?}");
        }
    }
}
