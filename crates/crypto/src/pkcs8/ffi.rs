//! The calls of AWS-LC that `aws-lc-rs` does not offer: private keys of any kind out of encrypted PKCS#8.
#![allow(unsafe_code)]

use crate::library::{Parsed, taken};
use aws_lc_sys::{
    CBB, CBB_cleanup, CBB_finish, CBB_init, CBS, EVP_marshal_private_key, PKCS8_parse_encrypted_private_key,
};
use std::mem::MaybeUninit;
use std::ptr::{self, NonNull};
use zeroize::Zeroizing;

/// The unencrypted PKCS#8 document in an encrypted one: secret.
pub(super) fn decrypted(encrypted: &[u8], passphrase: &[u8]) -> Option<Zeroizing<Vec<u8>>> {
    let mut input = CBS { data: encrypted.as_ptr(), len: encrypted.len() };
    // SAFETY: the input and the passphrase span live slices of the lengths that go with them; the result is null or
    // owned here.
    let parsed = unsafe { PKCS8_parse_encrypted_private_key(&mut input, passphrase.as_ptr().cast(), passphrase.len()) };
    // SAFETY: as above.
    let key = unsafe { Parsed::owned(parsed) }?;
    let mut builder = MaybeUninit::<CBB>::zeroed();
    // SAFETY: the builder is zeroed memory of its type, which is what an initialiser takes.
    if unsafe { CBB_init(builder.as_mut_ptr(), 256) } != 1 {
        return None;
    }
    let (mut bytes, mut length) = (ptr::null_mut(), 0);
    // SAFETY: builder and key are live; on success the two hold an allocation of the library and its length.
    let done = unsafe {
        EVP_marshal_private_key(builder.as_mut_ptr(), key.as_ptr()) == 1
            && CBB_finish(builder.as_mut_ptr(), &mut bytes, &mut length) == 1
    };
    match NonNull::new(bytes) {
        // SAFETY: what the two hold.
        Some(bytes) if done => Some(unsafe { taken(bytes, length) }),
        _ => {
            // SAFETY: initialised above; cleaning up after a failure is what it asks for.
            unsafe { CBB_cleanup(builder.as_mut_ptr()) };
            None
        }
    }
}
