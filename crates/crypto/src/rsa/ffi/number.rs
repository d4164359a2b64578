//! Numbers of any size. They are cleared when dropped. Each operation gives none if memory is exhausted or if there is
//! no such number.
//!
//! [`Number::power`], [`Number::common`] and, for an even modulus, [`Number::inverse`] take a time that depends on the
//! lengths of their arguments only.
#![allow(unsafe_code)]

use aws_lc_sys::{
    BIGNUM, BN_CTX, BN_CTX_free, BN_CTX_new, BN_add, BN_bin2bn, BN_bn2bin_padded, BN_clear_free, BN_cmp,
    BN_count_low_zero_bits, BN_gcd, BN_mod_exp_mont_consttime, BN_mod_inverse, BN_mul, BN_new, BN_num_bytes,
    BN_primality_test, BN_prime_checks_for_validation, BN_rand_range_ex, BN_rshift, BN_set_u64, BN_sub,
};
use std::cmp::Ordering;
use std::ffi::c_int;
use std::ptr::{self, NonNull};
use zeroize::Zeroizing;

/// A number, owned.
pub(in crate::rsa) struct Number(NonNull<BIGNUM>);

impl Number {
    /// From its bytes, big-endian.
    pub(in crate::rsa) fn of(bytes: &[u8]) -> Option<Self> {
        // SAFETY: the pointer and the length are those of a live slice; a null third argument asks for a new number.
        NonNull::new(unsafe { BN_bin2bn(bytes.as_ptr(), bytes.len(), ptr::null_mut()) }).map(Self)
    }

    /// From a word.
    pub(in crate::rsa) fn small(value: u32) -> Option<Self> {
        // SAFETY: the number is live and owned by `made`.
        Self::made(|number| unsafe { BN_set_u64(number, value.into()) })
    }

    /// A random one from 2 up to a bound, which is above 2.
    pub(in crate::rsa) fn random_below(bound: &Self) -> Option<Self> {
        // SAFETY: both numbers are live; the first is owned by `made`.
        Self::made(|number| unsafe { BN_rand_range_ex(number, 2, bound.as_ptr()) })
    }

    /// Big-endian, without leading zeros.
    pub(in crate::rsa) fn to_bytes(&self) -> Option<Zeroizing<Vec<u8>>> {
        // SAFETY: the number is live and only read.
        let length = unsafe { BN_num_bytes(self.as_ptr()) };
        let mut out = Zeroizing::new(vec![0; usize::try_from(length).ok()?]);
        // SAFETY: the number is live and only read; exactly `out.len()` bytes are written.
        let done = unsafe { BN_bn2bin_padded(out.as_mut_ptr(), out.len(), self.as_ptr()) };
        (done == 1).then_some(out)
    }

    /// The sum.
    pub(in crate::rsa) fn plus(&self, other: &Self) -> Option<Self> {
        // SAFETY: all three numbers are live; the first is owned by `made`.
        Self::made(|sum| unsafe { BN_add(sum, self.as_ptr(), other.as_ptr()) })
    }

    /// The difference; none if it were negative.
    pub(in crate::rsa) fn minus(&self, other: &Self) -> Option<Self> {
        if *self < *other {
            return None;
        }
        // SAFETY: all three numbers are live; the first is owned by `made`.
        Self::made(|difference| unsafe { BN_sub(difference, self.as_ptr(), other.as_ptr()) })
    }

    /// The product.
    pub(in crate::rsa) fn times(&self, other: &Self) -> Option<Self> {
        let scratch = Scratch::new()?;
        // SAFETY: all three numbers and the scratch space are live; the first is owned by `made`.
        Self::made(|product| unsafe { BN_mul(product, self.as_ptr(), other.as_ptr(), scratch.as_ptr()) })
    }

    /// How many times it can be halved; zero for zero.
    pub(in crate::rsa) fn twos(&self) -> c_int {
        // SAFETY: the number is live and only read.
        unsafe { BN_count_low_zero_bits(self.as_ptr()) }
    }

    /// Halved so many times, rounded down.
    pub(in crate::rsa) fn halved(&self, times: c_int) -> Option<Self> {
        // SAFETY: both numbers are live; the first is owned by `made`. A negative count is refused by the library.
        Self::made(|half| unsafe { BN_rshift(half, self.as_ptr(), times) })
    }

    /// Raised to a power, modulo an odd number that is above it.
    pub(in crate::rsa) fn power(&self, exponent: &Self, modulus: &Self) -> Option<Self> {
        let scratch = Scratch::new()?;
        // SAFETY: all numbers and the scratch space are live; the first is owned by `made`; a null last argument asks
        // for a Montgomery form that the library makes and frees.
        Self::made(|power| unsafe {
            BN_mod_exp_mont_consttime(
                power,
                self.as_ptr(),
                exponent.as_ptr(),
                modulus.as_ptr(),
                scratch.as_ptr(),
                ptr::null(),
            )
        })
    }

    /// The greatest common divisor.
    pub(in crate::rsa) fn common(&self, other: &Self) -> Option<Self> {
        let scratch = Scratch::new()?;
        // SAFETY: all three numbers and the scratch space are live; the first is owned by `made`.
        Self::made(|common| unsafe { BN_gcd(common, self.as_ptr(), other.as_ptr(), scratch.as_ptr()) })
    }

    /// Its inverse modulo a number; none if there is none.
    pub(in crate::rsa) fn inverse(&self, modulus: &Self) -> Option<Self> {
        let scratch = Scratch::new()?;
        // SAFETY: all three numbers and the scratch space are live; the first is owned by `made`. The result is null or
        // that same first number.
        Self::made(|inverse| {
            let done = unsafe { BN_mod_inverse(inverse, self.as_ptr(), modulus.as_ptr(), scratch.as_ptr()) };
            c_int::from(!done.is_null())
        })
    }

    /// Whether it is prime: 64 rounds of Miller-Rabin with random bases after trial division. False if that could not
    /// be found out.
    pub(in crate::rsa) fn is_prime(&self) -> bool {
        let Some(scratch) = Scratch::new() else { return false };
        let (rounds, mut prime) = (BN_prime_checks_for_validation, 0);
        // SAFETY: number and scratch space are live; one integer is written; a null callback is none.
        let done =
            unsafe { BN_primality_test(&mut prime, self.as_ptr(), rounds, scratch.as_ptr(), 1, ptr::null_mut()) };
        done == 1 && prime == 1
    }

    pub(super) fn as_ptr(&self) -> *mut BIGNUM {
        self.0.as_ptr()
    }

    /// A new number, set by a call that answers 1 if it did.
    fn made(set: impl FnOnce(*mut BIGNUM) -> c_int) -> Option<Self> {
        // SAFETY: no arguments; a null result is met by NonNull.
        let number = Self(NonNull::new(unsafe { BN_new() })?);
        (set(number.as_ptr()) == 1).then_some(number)
    }
}

impl PartialEq for Number {
    fn eq(&self, other: &Self) -> bool {
        self.partial_cmp(other) == Some(Ordering::Equal)
    }
}

impl PartialOrd for Number {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        // SAFETY: both numbers are live and only read.
        Some(unsafe { BN_cmp(self.as_ptr(), other.as_ptr()) }.cmp(&0))
    }
}

impl Drop for Number {
    fn drop(&mut self) {
        // SAFETY: owned by this value alone, cleared and freed once.
        unsafe { BN_clear_free(self.0.as_ptr()) }
    }
}

struct Scratch(NonNull<BN_CTX>);

impl Scratch {
    fn new() -> Option<Self> {
        // SAFETY: no arguments; a null result is met by NonNull.
        NonNull::new(unsafe { BN_CTX_new() }).map(Self)
    }

    fn as_ptr(&self) -> *mut BN_CTX {
        self.0.as_ptr()
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        // SAFETY: owned by this value alone, freed once.
        unsafe { BN_CTX_free(self.0.as_ptr()) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn number(value: u32) -> Number {
        Number::small(value).unwrap()
    }

    fn is(found: Option<Number>, value: u32) -> bool {
        found.is_some_and(|found| found == number(value))
    }

    #[test]
    fn primes_are_told_from_composites() {
        // 2^127 - 1 is prime; 2^127 + 1 is a multiple of 3; 561 and 1729 are Carmichael numbers.
        let mersenne = [&[0x7f][..], &[0xff; 15]].concat();
        let above = [&[0x80][..], &[0; 14], &[1]].concat();
        for (bytes, prime) in [
            (&mersenne[..], true),
            (&above, false),
            (&[2], true),
            (&[1], false),
            (&[0], false),
            (&[], false),
            (&[2, 0x31], false),
            (&[6, 0xc1], false),
        ] {
            assert_eq!(Number::of(bytes).unwrap().is_prime(), prime, "{bytes:?}");
        }
    }

    #[test]
    fn arithmetic_is_that_of_whole_numbers() {
        assert!(is(number(7).plus(&number(8)), 15) && is(number(7).times(&number(8)), 56));
        assert!(is(number(8).minus(&number(8)), 0) && number(7).minus(&number(8)).is_none());
        assert_eq!((number(40).twos(), number(1).twos(), number(0).twos()), (3, 0, 0));
        assert!(is(number(41).halved(3), 5) && number(1).halved(-1).is_none());
        assert!(is(number(3).power(&number(5), &number(7)), 5) && is(number(3).power(&number(0), &number(7)), 1));
        assert!(number(3).power(&number(5), &number(8)).is_none() && number(9).power(&number(5), &number(7)).is_none());
        assert!(is(number(12).common(&number(18)), 6) && is(number(0).common(&number(5)), 5));
        assert!(is(number(3).inverse(&number(10)), 7) && number(4).inverse(&number(10)).is_none());
        assert!(is(number(3).inverse(&number(7)), 5));
    }

    #[test]
    fn bytes_come_back_without_leading_zeros() {
        for (bytes, back) in [(&[][..], &[][..]), (&[0, 0], &[]), (&[0, 1, 0], &[1, 0]), (&[0xff; 300], &[0xff; 300])] {
            assert_eq!(*Number::of(bytes).unwrap().to_bytes().unwrap(), back);
        }
    }

    #[test]
    fn random_numbers_are_from_2_up_to_the_bound() {
        for _ in 0..100 {
            let found = Number::random_below(&number(5)).unwrap();
            assert!(found >= number(2) && found < number(5));
        }
        assert!(Number::random_below(&number(2)).is_none());
    }
}
