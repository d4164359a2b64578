//! The calls of AWS-LC that `aws-lc-rs` does not offer: keys with another public exponent, the bare private operation,
//! the decoding of what a private key elsewhere made ([`handed`]), and arithmetic ([`number`]).
#![allow(unsafe_code)]

pub(super) mod handed;
pub(super) mod number;

use super::Size;
use crate::library::{Parsed, taken};
use aws_lc_sys::{
    BN_bn2bin_padded, CBS, EVP_PKEY_get1_RSA, EVP_parse_private_key, RSA, RSA_NO_PADDING, RSA_decrypt, RSA_free,
    RSA_generate_key_ex, RSA_get0_d, RSA_new, RSA_private_key_to_bytes,
};
use number::Number;
use std::ffi::c_int;
use std::ptr::{self, NonNull};
use zeroize::Zeroizing;

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
        let parsed = unsafe { Parsed::owned(EVP_parse_private_key(&mut input)) }?;
        // SAFETY: the parsed key is live; the result is null, if it is not RSA, or a reference of its own.
        NonNull::new(unsafe { EVP_PKEY_get1_RSA(parsed.as_ptr()) }).map(Self)
    }

    /// As RSAPrivateKey (RFC 8017, appendix A.1.2): secret.
    pub(super) fn to_pkcs1(&self) -> Option<Zeroizing<Vec<u8>>> {
        let (mut bytes, mut length) = (ptr::null_mut(), 0);
        // SAFETY: the key is live; on success the two hold a new allocation of the library and its length.
        let done = unsafe { RSA_private_key_to_bytes(&mut bytes, &mut length, self.0.as_ptr()) };
        // SAFETY: what the two hold.
        NonNull::new(bytes).filter(|_| done == 1).map(|bytes| unsafe { taken(bytes, length) })
    }

    /// The number to the power of the private exponent, as long as the modulus. None if it is not above 1 and below the
    /// modulus less one (NIST SP 800-56B rev. 2, section 7.1.2).
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

/// A new random key with this public exponent, as RSAPrivateKey: secret.
pub(super) fn generate(size: Size, exponent: u32) -> Option<Zeroizing<Vec<u8>>> {
    let exponent = Number::small(exponent)?;
    let bits = c_int::try_from(size.modulus_len().checked_mul(8)?).ok()?;
    // SAFETY: no arguments; a null result is met by NonNull.
    let key = Key(NonNull::new(unsafe { RSA_new() })?);
    // SAFETY: the key is fresh and owned; the exponent is live and only read; a null callback is none.
    let done = unsafe { RSA_generate_key_ex(key.0.as_ptr(), bits, exponent.as_ptr(), ptr::null_mut()) };
    if done == 1 { key.to_pkcs1() } else { None }
}
