//! Promises of RSA keys.

use super::*;
use crate::random;

const HASHES: [Hash; 3] = [Hash::Sha256, Hash::Sha384, Hash::Sha512];

fn new(size: Size) -> PrivateKey {
    PrivateKey::generate(size, EXPONENT).unwrap()
}

#[test]
fn a_key_survives_pkcs8_and_its_signatures_verify() {
    for size in Size::ALL.iter().copied() {
        let key = new(size);
        let again = PrivateKey::from_pkcs8(&key.to_pkcs8()).unwrap();
        assert_eq!((key.public(), key.size()), (again.public(), size));
        let (n, e) = key.public();
        assert!(n.len() == size.modulus_len() && n[0] >= 0x80 && e == [1, 0, 1]);
        for hash in HASHES {
            let digest = hash.of(b"message");
            for (padding, other) in [(Padding::Pkcs1, Padding::Pss), (Padding::Pss, Padding::Pkcs1)] {
                let signature = again.sign_digest(padding, hash, &digest).unwrap();
                assert!(verify_digest(n, e, padding, hash, &digest, &signature));
                assert!(!verify_digest(n, e, other, hash, &digest, &signature));
                assert!(!verify_digest(n, e, padding, hash, &hash.of(b"other"), &signature));
                assert!(!verify_digest(n, e, padding, hash, &digest, &signature[1..]));
                assert!(!verify_digest(n, e, padding, hash, &digest[1..], &signature));
                assert!(!verify_digest(&[], e, padding, hash, &digest, &signature));
                assert_eq!(key.sign_digest(padding, hash, &digest[1..]).err(), Some(CryptoError::BadLength));
            }
        }
    }
}

#[test]
fn the_public_exponent_is_the_one_that_was_asked_for() {
    for (exponent, bytes) in [(3, &[3][..]), (17, &[17]), (u32::MAX, &[0xff; 4])] {
        let key = PrivateKey::generate(Size::Bits2048, exponent).unwrap();
        let again = PrivateKey::from_pkcs8(&key.to_pkcs8()).unwrap();
        assert_eq!(again.public().1, bytes);
        let digest = random::<32>();
        let signature = again.sign_digest(Padding::Pss, Hash::Sha256, &digest).unwrap();
        assert!(verify_digest(key.public().0, bytes, Padding::Pss, Hash::Sha256, &digest, &signature));
        for scheme in Scheme::ALL.iter().copied() {
            assert_eq!(*again.decrypt(scheme, &key.encrypt(scheme, b"secret").unwrap()).unwrap(), b"secret");
        }
    }
}

#[test]
fn each_scheme_takes_as_much_as_the_modulus_has_room_for_and_not_one_byte_more() {
    for (size, mosts) in [(Size::Bits2048, [245, 214, 190]), (Size::Bits3072, [373, 342, 318])] {
        let key = new(size);
        for (scheme, most) in Scheme::ALL.iter().copied().zip(mosts) {
            for length in [0, 1, most] {
                let sealed = key.encrypt(scheme, &vec![7; length]).unwrap();
                assert_eq!(sealed.len(), size.modulus_len());
                assert_eq!(key.decrypt(scheme, &sealed).unwrap().as_slice(), vec![7; length]);
            }
            assert_eq!(key.encrypt(scheme, &vec![7; most + 1]), Err(CryptoError::TooLong { most }));
        }
    }
}

#[test]
fn what_does_not_decrypt_fails_in_one_way() {
    let key = new(Size::Bits2048);
    for scheme in [Scheme::OaepSha1, Scheme::OaepSha256] {
        let mut changed = key.encrypt(scheme, b"secret").unwrap();
        changed[100] ^= 1;
        for cipher in [vec![], vec![0; 255], vec![0; 256], vec![0xff; 256], vec![0; 257], changed] {
            assert_eq!(key.decrypt(scheme, &cipher).err(), Some(CryptoError::NotDecrypted));
        }
    }
}

#[test]
fn a_wrong_pkcs1_padding_decrypts_to_other_bytes_that_are_always_the_same() {
    let (key, other) = (new(Size::Bits2048), new(Size::Bits2048));
    let again = PrivateKey::from_pkcs8(&key.to_pkcs8()).unwrap();
    let mut lengths = std::collections::BTreeSet::new();
    for seed in 0..20 {
        // Below every modulus; its padding is right with a probability below 2^-15.
        let number = [&[0x40, seed][..], &random::<32>(), &[seed; 222]].concat();
        let plain = key.decrypt(Scheme::Pkcs1, &number).unwrap();
        assert!(plain.len() <= 245);
        assert_eq!(*again.decrypt(Scheme::Pkcs1, &number).unwrap(), *plain);
        assert_ne!((plain.len(), other.decrypt(Scheme::Pkcs1, &number).unwrap()), (0, plain.clone()));
        lengths.insert(plain.len());
    }
    assert!(lengths.len() > 5, "{lengths:?}");
    // What everyone can see to be wrong may be refused.
    for number in [vec![], vec![0; 255], vec![0xff; 256], vec![0; 257]] {
        assert_eq!(key.decrypt(Scheme::Pkcs1, &number).err(), Some(CryptoError::NotDecrypted));
    }
}

#[test]
fn the_spki_is_the_one_the_library_reads() {
    let key = new(Size::Bits2048);
    let (n, e) = key.public();
    let digest = random::<32>();
    let signature = key.sign_digest(Padding::Pkcs1, Hash::Sha256, &digest).unwrap();
    let public = UnparsedPublicKey::new(&RSA_PKCS1_2048_8192_SHA256, spki_der(n, e));
    assert!(public.verify_digest(&Hash::Sha256.import(&digest).unwrap(), &signature).is_ok());
}

#[test]
fn a_key_of_another_size_or_kind_or_with_bytes_after_it_is_refused() {
    let small = hex::decode(include_str!("../../tests/golden/rsa1024.hex").trim()).unwrap();
    assert_eq!(PrivateKey::from_pkcs8(&small).err(), Some(CryptoError::BadKey));
    let odd = hex::decode(include_str!("../../tests/golden/rsa2560.hex").trim()).unwrap();
    assert_eq!(PrivateKey::from_pkcs8(&odd).err(), Some(CryptoError::BadKey));
    let followed = [new(Size::Bits2048).to_pkcs8().as_slice(), &[0]].concat();
    assert_eq!(PrivateKey::from_pkcs8(&followed).err(), Some(CryptoError::BadKey));
    let ec = crate::ec::PrivateKey::generate(crate::ec::Curve::P256);
    assert_eq!(PrivateKey::from_pkcs8(&ec.to_pkcs8()).err(), Some(CryptoError::BadKey));
}

#[test]
fn the_numbers_of_an_spki_are_those_that_it_was_made_of_and_nothing_else_has_any() {
    let key = new(Size::Bits2048);
    let (n, e) = key.public();
    let spki = spki_der(n, e);
    assert_eq!(numbers_of_spki(&spki), Some((n, e)));
    let (ec, small) = (crate::ec::PrivateKey::generate(crate::ec::Curve::P256), spki_der(&n[..128], e));
    let (x, y) = ec.public();
    let mut other = spki.clone();
    // id-RSASSA-PSS instead of rsaEncryption.
    other[16] = 0x0a;
    let longer = [spki.as_slice(), &[0]].concat();
    for bad in [vec![], spki[..100].to_vec(), longer, other, small, crate::ec::spki_der(crate::ec::Curve::P256, x, y)] {
        assert_eq!(numbers_of_spki(&bad), None);
    }
}
