//! The calls of AWS-LC that take a certificate apart, which `aws-lc-rs` does not offer.
#![allow(unsafe_code)]

use aws_lc_sys::{
    EVP_PKEY, EVP_PKEY_free, EVP_PKEY_get1_RSA, OPENSSL_free, RSA, RSA_free, RSA_public_key_to_bytes, X509, X509_free,
    X509_get_pubkey, d2i_X509,
};
use std::ffi::c_long;
use std::ptr::{self, NonNull};

/// The certificate's key as RSAPublicKey (RFC 8017, appendix A.1.1).
pub(super) fn rsa_key(certificate: &[u8]) -> Option<Vec<u8>> {
    let (mut input, length) = (certificate.as_ptr(), c_long::try_from(certificate.len()).ok()?);
    // SAFETY: the input spans a live slice of this length, of which the library reads; the result is null or owned.
    let parsed = Certificate(NonNull::new(unsafe { d2i_X509(ptr::null_mut(), &mut input, length) })?);
    // SAFETY: the certificate is live; the result is null or a reference of its own.
    let key = Key(NonNull::new(unsafe { X509_get_pubkey(parsed.0.as_ptr()) })?);
    // SAFETY: the key is live; the result is null, if it is not RSA, or a reference of its own.
    let rsa = Rsa(NonNull::new(unsafe { EVP_PKEY_get1_RSA(key.0.as_ptr()) })?);
    let (mut bytes, mut length) = (ptr::null_mut(), 0);
    // SAFETY: the key is live; on success the two hold a new allocation of the library and its length.
    let done = unsafe { RSA_public_key_to_bytes(&mut bytes, &mut length, rsa.0.as_ptr()) };
    if done != 1 || bytes.is_null() {
        return None;
    }
    // SAFETY: the allocation has so many bytes, all written, and is not freed before the copy is made.
    let copy = unsafe { std::slice::from_raw_parts(bytes, length) }.to_vec();
    // SAFETY: allocated by the library, freed once, not used afterwards.
    unsafe { OPENSSL_free(bytes.cast()) };
    Some(copy)
}

struct Certificate(NonNull<X509>);

impl Drop for Certificate {
    fn drop(&mut self) {
        // SAFETY: owned by this value alone, freed once.
        unsafe { X509_free(self.0.as_ptr()) }
    }
}

struct Key(NonNull<EVP_PKEY>);

impl Drop for Key {
    fn drop(&mut self) {
        // SAFETY: a reference owned by this value alone, given back once.
        unsafe { EVP_PKEY_free(self.0.as_ptr()) }
    }
}

struct Rsa(NonNull<RSA>);

impl Drop for Rsa {
    fn drop(&mut self) {
        // SAFETY: a reference owned by this value alone, given back once.
        unsafe { RSA_free(self.0.as_ptr()) }
    }
}
