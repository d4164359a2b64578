//! The calls of AWS-LC that `aws-lc-rs` does not offer: keys with another public exponent, the bare private operation,
//! and whether a number is prime.
#![allow(unsafe_code)]

use super::Size;
use aws_lc_sys::{
    BIGNUM, BN_CTX, BN_CTX_free, BN_CTX_new, BN_bin2bn, BN_bn2bin_padded, BN_clear_free, BN_new, BN_primality_test,
    BN_prime_checks_for_validation, BN_set_u64, CBS, EVP_PKEY, EVP_PKEY_free, EVP_PKEY_get1_RSA, EVP_parse_private_key,
    OPENSSL_free, RSA, RSA_NO_PADDING, RSA_decrypt, RSA_free, RSA_generate_key_ex, RSA_get0_d, RSA_new,
    RSA_private_key_to_bytes,
};
use std::ffi::c_int;
use std::ptr::{self, NonNull};
use zeroize::{Zeroize, Zeroizing};

/// A private key, owned. The library clears it when it is freed.
pub(super) struct Key(NonNull<RSA>);

// SAFETY: after it is parsed the key is only read; the library locks what it caches in it (blinding, Montgomery forms)
// and documents private operations as safe to run concurrently.
unsafe impl Send for Key {}
// SAFETY: as above.
unsafe impl Sync for Key {}

impl Key {
    /// From PKCS#8; the library checks the key.
    pub(super) fn from_pkcs8(pkcs8: &[u8]) -> Option<Self> {
        let mut input = CBS { data: pkcs8.as_ptr(), len: pkcs8.len() };
        // SAFETY: the input spans a live slice; the result is null or owned here.
        let parsed = Parsed(NonNull::new(unsafe { EVP_parse_private_key(&mut input) })?);
        // SAFETY: the parsed key is live; the result is null, if it is not RSA, or a reference of its own.
        NonNull::new(unsafe { EVP_PKEY_get1_RSA(parsed.0.as_ptr()) }).map(Self)
    }

    /// The number to the power of the private exponent, as long as the modulus. None if it is zero or not below the
    /// modulus.
    pub(super) fn decrypt(&self, number: &[u8], size: Size) -> Option<Zeroizing<Vec<u8>>> {
        let (mut out, mut length) = (Zeroizing::new(vec![0; size.modulus_len()]), 0);
        // SAFETY: the key is live; at most `out.len()` bytes are written to `out`, which does not overlap `number`,
        // whose length goes with it.
        let done = unsafe {
            RSA_decrypt(
                self.0.as_ptr(),
                &mut length,
                out.as_mut_ptr(),
                out.len(),
                number.as_ptr(),
                number.len(),
                RSA_NO_PADDING,
            )
        };
        (done == 1 && length == out.len()).then_some(out)
    }

    /// The private exponent, as long as the modulus.
    pub(super) fn private_exponent(&self, size: Size) -> Option<Zeroizing<Vec<u8>>> {
        let mut out = Zeroizing::new(vec![0; size.modulus_len()]);
        // SAFETY: the key is live, and so is its exponent as long as it; exactly `out.len()` bytes are written.
        let done = unsafe { BN_bn2bin_padded(out.as_mut_ptr(), out.len(), RSA_get0_d(self.0.as_ptr())) };
        (done == 1).then_some(out)
    }
}

impl Drop for Key {
    fn drop(&mut self) {
        // SAFETY: a reference owned by this value alone, given back once.
        unsafe { RSA_free(self.0.as_ptr()) }
    }
}

struct Parsed(NonNull<EVP_PKEY>);

impl Drop for Parsed {
    fn drop(&mut self) {
        // SAFETY: owned by this value alone, freed once.
        unsafe { EVP_PKEY_free(self.0.as_ptr()) }
    }
}

struct Number(NonNull<BIGNUM>);

impl Number {
    fn of(bytes: &[u8]) -> Option<Self> {
        // SAFETY: the pointer and the length are those of a live slice; a null third argument asks for a new number.
        NonNull::new(unsafe { BN_bin2bn(bytes.as_ptr(), bytes.len(), ptr::null_mut()) }).map(Self)
    }

    fn small(value: u32) -> Option<Self> {
        // SAFETY: no arguments; a null result is met by NonNull.
        let number = Self(NonNull::new(unsafe { BN_new() })?);
        // SAFETY: the number is live and owned here.
        let done = unsafe { BN_set_u64(number.0.as_ptr(), value.into()) };
        (done == 1).then_some(number)
    }
}

impl Drop for Number {
    fn drop(&mut self) {
        // SAFETY: owned by this value alone, cleared and freed once.
        unsafe { BN_clear_free(self.0.as_ptr()) }
    }
}

struct Scratch(NonNull<BN_CTX>);

impl Drop for Scratch {
    fn drop(&mut self) {
        // SAFETY: owned by this value alone, freed once.
        unsafe { BN_CTX_free(self.0.as_ptr()) }
    }
}

/// A new random key with this public exponent, as RSAPrivateKey (RFC 8017, appendix A.1.2): secret.
pub(super) fn generate(size: Size, exponent: u32) -> Option<Zeroizing<Vec<u8>>> {
    let exponent = Number::small(exponent)?;
    let bits = c_int::try_from(size.modulus_len().checked_mul(8)?).ok()?;
    // SAFETY: no arguments; a null result is met by NonNull.
    let key = Key(NonNull::new(unsafe { RSA_new() })?);
    // SAFETY: the key is fresh and owned; the exponent is live and only read; a null callback is none.
    let done = unsafe { RSA_generate_key_ex(key.0.as_ptr(), bits, exponent.0.as_ptr(), ptr::null_mut()) };
    if done != 1 {
        return None;
    }
    let (mut bytes, mut length) = (ptr::null_mut(), 0);
    // SAFETY: the key is live; on success the two hold a new allocation of the library and its length.
    let done = unsafe { RSA_private_key_to_bytes(&mut bytes, &mut length, key.0.as_ptr()) };
    if done != 1 || bytes.is_null() {
        return None;
    }
    // SAFETY: the allocation has so many bytes, all written, and nothing else refers to it until it is freed below.
    let written = unsafe { std::slice::from_raw_parts_mut(bytes, length) };
    let copy = Zeroizing::new(written.to_vec());
    written.zeroize();
    // SAFETY: allocated by the library, freed once, not used afterwards.
    unsafe { OPENSSL_free(bytes.cast()) };
    Some(copy)
}

/// Whether the number is prime: 64 rounds of Miller-Rabin with random bases after trial division. False if that could
/// not be found out.
pub(super) fn is_prime(number: &[u8]) -> bool {
    let Some(number) = Number::of(number) else { return false };
    // SAFETY: no arguments; a null result is met by NonNull.
    let Some(scratch) = NonNull::new(unsafe { BN_CTX_new() }).map(Scratch) else { return false };
    let mut prime = 0;
    // SAFETY: number and scratch space are live and owned; one integer is written; a null callback is none.
    let done = unsafe {
        BN_primality_test(
            &mut prime,
            number.0.as_ptr(),
            BN_prime_checks_for_validation,
            scratch.0.as_ptr(),
            1,
            ptr::null_mut(),
        )
    };
    done == 1 && prime == 1
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn primes_are_told_from_composites() {
        // 2^127 - 1 is prime; 2^127 + 1 is a multiple of 3; 561 and 1729 are Carmichael numbers.
        let mersenne = [&[0x7f][..], &[0xff; 15]].concat();
        let above = [&[0x80][..], &[0; 14], &[1]].concat();
        for (number, prime) in [
            (&mersenne[..], true),
            (&above, false),
            (&[2], true),
            (&[1], false),
            (&[0], false),
            (&[], false),
            (&[2, 0x31], false),
            (&[6, 0xc1], false),
        ] {
            assert_eq!(is_prime(number), prime, "{number:?}");
        }
    }
}
