//! The calls of AWS-LC that `aws-lc-rs` does not offer: private keys of any kind out of encrypted PKCS#8.
#![allow(unsafe_code)]

use aws_lc_sys::{
    CBB, CBB_cleanup, CBB_finish, CBB_init, CBS, EVP_PKEY, EVP_PKEY_free, EVP_marshal_private_key, OPENSSL_free,
    PKCS8_parse_encrypted_private_key,
};
use std::mem::MaybeUninit;
use std::ptr::{self, NonNull};
use zeroize::{Zeroize, Zeroizing};

/// A key of the library, freed when dropped.
struct Parsed(NonNull<EVP_PKEY>);

impl Drop for Parsed {
    fn drop(&mut self) {
        // SAFETY: owned here, freed once. The library clears it.
        unsafe { EVP_PKEY_free(self.0.as_ptr()) };
    }
}

/// The unencrypted PKCS#8 document in an encrypted one: secret.
pub(super) fn decrypted(encrypted: &[u8], passphrase: &[u8]) -> Option<Zeroizing<Vec<u8>>> {
    let mut input = CBS { data: encrypted.as_ptr(), len: encrypted.len() };
    // SAFETY: the input and the passphrase span live slices of the lengths that go with them; the result is null or
    // owned here.
    let parsed = unsafe { PKCS8_parse_encrypted_private_key(&mut input, passphrase.as_ptr().cast(), passphrase.len()) };
    let key = Parsed(NonNull::new(parsed)?);
    let mut builder = MaybeUninit::<CBB>::zeroed();
    // SAFETY: the builder is zeroed memory of its type, which is what an initialiser takes.
    if unsafe { CBB_init(builder.as_mut_ptr(), 256) } != 1 {
        return None;
    }
    let (mut bytes, mut length) = (ptr::null_mut(), 0);
    // SAFETY: builder and key are live; on success the two hold an allocation of the library and its length.
    let done = unsafe {
        EVP_marshal_private_key(builder.as_mut_ptr(), key.0.as_ptr()) == 1
            && CBB_finish(builder.as_mut_ptr(), &mut bytes, &mut length) == 1
    };
    if !done || bytes.is_null() {
        // SAFETY: initialised above; cleaning up after a failure is what it asks for.
        unsafe { CBB_cleanup(builder.as_mut_ptr()) };
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
