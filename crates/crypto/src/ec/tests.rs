//! Promises of elliptic-curve keys.

use super::*;

#[test]
fn a_key_survives_pkcs8_and_its_signatures_verify() {
    for curve in Curve::ALL.iter().copied() {
        let key = PrivateKey::generate(curve);
        let again = PrivateKey::from_pkcs8(curve, &key.to_pkcs8()).unwrap();
        assert_eq!(key.public(), again.public());
        let (x, y) = key.public();
        let digest = curve.hash().of(b"message");
        let signature = again.sign_digest(&digest).unwrap();
        assert_eq!(signature.len(), 2 * curve.field_len());
        assert!(verify_digest(curve, x, y, &digest, &signature));
        assert!(!verify_digest(curve, x, y, &curve.hash().of(b"other"), &signature));
        assert!(!verify_digest(curve, y, x, &digest, &signature));
        assert!(!verify_digest(curve, &x[1..], y, &digest, &signature));
        assert!(!verify_digest(curve, x, y, &digest[1..], &signature));
        assert!(!verify_digest(curve, x, y, &digest, &signature[1..]));
        assert!(!verify_digest(curve, x, y, &digest, &[]));
        assert_eq!(key.sign_digest(&digest[1..]), Err(CryptoError::BadLength));
        for other in Curve::ALL.iter().copied().filter(|other| *other != curve) {
            assert!(!verify_digest(other, x, y, &digest, &signature), "{curve:?} is not {other:?}");
            assert_eq!(PrivateKey::from_pkcs8(other, &key.to_pkcs8()).err(), Some(CryptoError::BadKey));
        }
    }
}

#[test]
fn coordinates_with_leading_zeros_keep_their_length() {
    // One key in 128 has one; look until it is found.
    let key = (0..20_000).map(|_| PrivateKey::generate(Curve::P256)).find(|k| k.x[0] == 0 || k.y[0] == 0).unwrap();
    let digest = crate::random::<32>();
    assert!(verify_digest(Curve::P256, &key.x, &key.y, &digest, &key.sign_digest(&digest).unwrap()));
}

#[test]
fn the_spki_is_the_one_the_library_reads() {
    for curve in Curve::ALL.iter().copied() {
        let key = PrivateKey::generate(curve);
        let (x, y) = key.public();
        let digest = curve.hash().of(b"");
        let signature = key.sign_digest(&digest).unwrap();
        let public = UnparsedPublicKey::new(curve.verifying(), spki_der(curve, x, y));
        assert!(public.verify_digest(&curve.hash().import(&digest).unwrap(), &signature).is_ok(), "{curve:?}");
    }
}

#[test]
fn bytes_after_the_key_and_keys_of_another_kind_are_refused() {
    let curve = Curve::P384;
    let pkcs8 = [PrivateKey::generate(curve).to_pkcs8().as_slice(), &[0]].concat();
    let rsa = crate::rsa::PrivateKey::generate(crate::rsa::Size::Bits2048, 65_537).unwrap();
    for bad in [pkcs8.as_slice(), rsa.to_pkcs8().as_slice(), &[]] {
        assert_eq!(PrivateKey::from_pkcs8(curve, bad).err(), Some(CryptoError::BadKey));
    }
}

/// The private number: SEC 1's OCTET STRING is the only one in a PKCS#8 document with this head.
fn number(key: &PrivateKey) -> Vec<u8> {
    let length = key.curve().field_len();
    let pkcs8 = key.to_pkcs8();
    let head = [2, 1, 1, 4, u8::try_from(length).unwrap()];
    let at = pkcs8.windows(head.len()).position(|window| window == head).unwrap() + head.len();
    pkcs8[at..at + length].to_vec()
}

#[test]
fn a_key_is_made_of_its_own_numbers_only() {
    for curve in Curve::ALL.iter().copied() {
        let (key, other) = (PrivateKey::generate(curve), PrivateKey::generate(curve));
        let (x, y) = key.public();
        let d = number(&key);
        let length = curve.field_len();
        let again = PrivateKey::from_numbers(curve, x, y, &d).unwrap();
        assert_eq!((again.public(), again.to_pkcs8()), (key.public(), key.to_pkcs8()));
        let refused = |x: &[u8], y: &[u8], d: &[u8]| PrivateKey::from_numbers(curve, x, y, d).err();
        assert_eq!(refused(x, y, &number(&other)), Some(BadNumbers::Mismatch), "{curve:?}");
        assert_eq!(refused(x, y, &vec![0; length]), Some(BadNumbers::Mismatch));
        assert_eq!(refused(x, y, &vec![0xff; length]), Some(BadNumbers::Mismatch));
        assert_eq!(refused(y, x, &d), Some(BadNumbers::OffCurve));
        assert_eq!(refused(&vec![0; length], &vec![0; length], &d), Some(BadNumbers::OffCurve));
        assert_eq!(refused(&vec![0xff; length], y, &d), Some(BadNumbers::OffCurve));
        assert_eq!(refused(&x[1..], y, &d), Some(BadNumbers::Length));
        assert_eq!(refused(x, y, &d[1..]), Some(BadNumbers::Length));
    }
}
