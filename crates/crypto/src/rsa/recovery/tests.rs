//! Promises about keys that come without their primes.

use super::*;
use crate::rsa::{BadNumbers, EXPONENT, Padding, PrivateKey, Scheme, Size, ffi};
use crate::{Hash, random};
use proptest::prelude::*;

/// A new key and its private exponent.
fn new(size: Size, exponent: u32) -> (PrivateKey, Vec<u8>) {
    let key = PrivateKey::generate(size, exponent).unwrap();
    let d = ffi::Key::from_pkcs8(&key.to_pkcs8()).unwrap().private_exponent(size).unwrap().to_vec();
    (key, d)
}

fn number(bytes: &[u8]) -> Number {
    Number::of(bytes).unwrap()
}

/// The inverse of an exponent modulo the product of each factor less one.
fn inverse(e: &[u8], factors: &[&Number]) -> Vec<u8> {
    let one = Number::small(1).unwrap();
    let order = factors.iter().fold(number(&[1]), |order, f| order.times(&f.minus(&one).unwrap()).unwrap());
    number(e).inverse(&order).unwrap().to_bytes().unwrap().to_vec()
}

fn refused(n: &[u8], e: &[u8], d: &[u8]) -> Option<BadNumbers> {
    PrivateKey::from_exponents(n, e, d).err()
}

/// Signs and decrypts as the other does.
fn same(key: &PrivateKey, other: &PrivateKey) {
    assert_eq!((key.public(), key.size()), (other.public(), other.size()));
    for hash in [Hash::Sha256, Hash::Sha384, Hash::Sha512] {
        let digest = hash.of(&random::<8>());
        let signed = |key: &PrivateKey| key.sign_digest(Padding::Pkcs1, hash, &digest).unwrap();
        assert_eq!(signed(key), signed(other));
    }
    let sealed = other.encrypt(Scheme::OaepSha256, b"secret").unwrap();
    assert_eq!(*key.decrypt(Scheme::OaepSha256, &sealed).unwrap(), b"secret");
}

#[test]
fn a_key_of_each_size_and_exponent_is_found_from_its_exponents() {
    for size in Size::ALL.iter().copied() {
        for exponent in [3, EXPONENT] {
            let (key, d) = new(size, exponent);
            let (n, e) = key.public();
            same(&PrivateKey::from_exponents(n, e, &d).unwrap(), &key);
            let zeros = |number: &[u8]| [&[0; 3], number].concat();
            same(&PrivateKey::from_exponents(&zeros(n), &zeros(e), &zeros(&d)).unwrap(), &key);
        }
    }
}

#[test]
fn any_private_exponent_of_the_key_is_taken() {
    let (key, d) = new(Size::Bits2048, EXPONENT);
    let (n, e) = key.public();
    let [p, q] = factors(n, e, &d).unwrap().map(|factor| number(&factor));
    assert!(p > q && p.times(&q).unwrap() == number(n));
    // The library gives the smallest; others, computed by Euler's totient, are larger by some of its halves.
    let one = Number::small(1).unwrap();
    let half = p.minus(&one).unwrap().times(&q.minus(&one).unwrap()).unwrap().halved(1).unwrap();
    let larger = number(&d).plus(&half).unwrap().to_bytes().unwrap();
    same(&PrivateKey::from_exponents(n, e, &larger).unwrap(), &key);
}

#[test]
fn a_wrong_private_exponent_is_refused() {
    let (key, d) = new(Size::Bits2048, EXPONENT);
    let (n, e) = key.public();
    let changed = |number: &[u8], bit: u8| {
        let mut number = number.to_vec();
        *number.last_mut().unwrap() ^= bit;
        number
    };
    let other = new(Size::Bits2048, EXPONENT).1;
    for d in [&changed(&d, 1)[..], &changed(&d, 2), &other, &[], &[0], &[1], &[2], &[3], &[0xff; 256], &[7; 257]] {
        assert_eq!(refused(n, e, d), Some(BadNumbers::Inconsistent), "{d:?}");
    }
    assert_eq!(refused(n, &[3], &d), Some(BadNumbers::Inconsistent));
    for n in [changed(n, 1), changed(n, 2)] {
        assert_eq!(refused(&n, e, &d), Some(BadNumbers::Inconsistent));
    }
    assert_eq!(refused(&n[1..], e, &d), Some(BadNumbers::Size));
    assert_eq!(refused(n, &[2], &d), Some(BadNumbers::Exponent));
}

#[test]
fn a_modulus_that_is_not_a_product_of_two_primes_is_refused() {
    let (large, d) = new(Size::Bits4096, EXPONENT);
    let (n, e) = large.public();
    let [prime, _] = factors(n, e, &d).unwrap().map(|factor| number(&factor));
    let bytes = |number: &Number| number.to_bytes().unwrap().to_vec();
    // A prime: only 1 and -1 are roots of 1, as often as one tries.
    assert_eq!(refused(&bytes(&prime), e, &inverse(e, &[&prime])), Some(BadNumbers::Inconsistent));
    let (small, d) = new(Size::Bits2048, EXPONENT);
    let [p, q] = factors(small.public().0, e, &d).unwrap().map(|factor| number(&factor));
    // The square of a prime: the same.
    let (square, order) = (p.times(&p).unwrap(), p.plus(&Number::small(1).unwrap()).unwrap());
    assert_eq!(refused(&bytes(&square), e, &inverse(e, &[&p, &order])), Some(BadNumbers::Inconsistent));
    // Three primes: one of the two factors is a product.
    let twice = prime.times(&p).unwrap();
    let d = inverse(e, &[&prime, &p]);
    match Size::of(&bytes(&twice)) {
        // 3,072 bits, of uneven primes.
        Some(_) => assert_eq!(refused(&bytes(&twice), e, &d), Some(BadNumbers::Weak)),
        None => assert_eq!(refused(&bytes(&twice), e, &d), Some(BadNumbers::Size)),
    }
    let whole = twice.times(&q).unwrap();
    let expected = if Size::of(&bytes(&whole)).is_some() { BadNumbers::NotPrime } else { BadNumbers::Size };
    assert_eq!(refused(&bytes(&whole), e, &inverse(e, &[&prime, &p, &q])), Some(expected));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(12))]

    #[test]
    fn a_recovered_key_signs_like_the_original(exponent in (1..=u32::MAX / 2).prop_map(|half| 2 * half + 1)) {
        let (key, d) = new(Size::Bits2048, exponent);
        let (n, e) = key.public();
        same(&PrivateKey::from_exponents(n, e, &d).unwrap(), &key);
    }
}
