//! The calls of AWS-LC's HPKE, which `aws-lc-rs` does not offer.
#![allow(unsafe_code)]

use aws_lc_sys::{
    EVP_HPKE_AEAD, EVP_HPKE_CTX, EVP_HPKE_CTX_free, EVP_HPKE_CTX_new, EVP_HPKE_CTX_open, EVP_HPKE_CTX_seal,
    EVP_HPKE_CTX_setup_recipient, EVP_HPKE_CTX_setup_sender, EVP_HPKE_KDF, EVP_HPKE_KEM, EVP_HPKE_KEY,
    EVP_HPKE_KEY_free, EVP_HPKE_KEY_generate, EVP_HPKE_KEY_init, EVP_HPKE_KEY_new, EVP_HPKE_KEY_private_key,
    EVP_HPKE_KEY_public_key, EVP_hpke_aes_256_gcm, EVP_hpke_hkdf_sha256, EVP_hpke_x25519_hkdf_sha256,
};
use std::ptr::NonNull;
use zeroize::Zeroizing;

const TAG_LEN: usize = 16;

/// A key pair, owned. The library clears it when it is freed.
pub(super) struct Key(NonNull<EVP_HPKE_KEY>);

impl Key {
    pub(super) fn generate() -> Option<Self> {
        let key = Self::empty()?;
        // SAFETY: the key is allocated, holds no material yet and is owned here; the KEM is a constant of the library.
        let done = unsafe { EVP_HPKE_KEY_generate(key.0.as_ptr(), kem()) };
        (done == 1).then_some(key)
    }

    pub(super) fn from_private(private: &[u8; 32]) -> Option<Self> {
        let key = Self::empty()?;
        // SAFETY: as above, and the pointer and the length are those of a live slice, which the library copies.
        let done = unsafe { EVP_HPKE_KEY_init(key.0.as_ptr(), kem(), private.as_ptr(), private.len()) };
        (done == 1).then_some(key)
    }

    pub(super) fn public(&self) -> Option<[u8; 32]> {
        let (mut out, mut length) = ([0u8; 32], 0);
        // SAFETY: the key is live; at most `out.len()` bytes are written to `out`.
        let done = unsafe { EVP_HPKE_KEY_public_key(self.0.as_ptr(), out.as_mut_ptr(), &mut length, out.len()) };
        (done == 1 && length == out.len()).then_some(out)
    }

    pub(super) fn private(&self) -> Option<Zeroizing<[u8; 32]>> {
        let (mut out, mut length) = (Zeroizing::new([0u8; 32]), 0);
        // SAFETY: the key is live; at most `out.len()` bytes are written to `out`.
        let done = unsafe { EVP_HPKE_KEY_private_key(self.0.as_ptr(), out.as_mut_ptr(), &mut length, out.len()) };
        (done == 1 && length == out.len()).then_some(out)
    }

    fn empty() -> Option<Self> {
        // SAFETY: no arguments; a null result is met by NonNull.
        NonNull::new(unsafe { EVP_HPKE_KEY_new() }).map(Self)
    }
}

impl Drop for Key {
    fn drop(&mut self) {
        // SAFETY: allocated by EVP_HPKE_KEY_new, owned by this value alone, freed once.
        unsafe { EVP_HPKE_KEY_free(self.0.as_ptr()) }
    }
}

/// One direction of one exchange, owned.
struct Context(NonNull<EVP_HPKE_CTX>);

impl Context {
    fn empty() -> Option<Self> {
        // SAFETY: no arguments; a null result is met by NonNull.
        NonNull::new(unsafe { EVP_HPKE_CTX_new() }).map(Self)
    }
}

impl Drop for Context {
    fn drop(&mut self) {
        // SAFETY: allocated by EVP_HPKE_CTX_new, owned by this value alone, freed once.
        unsafe { EVP_HPKE_CTX_free(self.0.as_ptr()) }
    }
}

/// Encapsulated key | ciphertext | tag.
pub(super) fn seal(public: &[u8; 32], info: &[u8], aad: &[u8], plain: &[u8]) -> Option<Vec<u8>> {
    let context = Context::empty()?;
    let (mut enc, mut enc_len) = ([0u8; 32], 0);
    // SAFETY: the context is fresh and owned; every pointer goes with the length of the live slice it belongs to; at
    // most `enc.len()` bytes are written to `enc`.
    let done = unsafe {
        EVP_HPKE_CTX_setup_sender(
            context.0.as_ptr(),
            enc.as_mut_ptr(),
            &mut enc_len,
            enc.len(),
            kem(),
            kdf(),
            aead(),
            public.as_ptr(),
            public.len(),
            info.as_ptr(),
            info.len(),
        )
    };
    if done != 1 || enc_len != enc.len() {
        return None;
    }
    let mut cipher = vec![0; plain.len().checked_add(TAG_LEN)?];
    let mut length = 0;
    // SAFETY: the context is set up as a sender; at most `cipher.len()` bytes are written to `cipher`, which does not
    // overlap `plain`; every pointer goes with its slice's length.
    let done = unsafe {
        EVP_HPKE_CTX_seal(
            context.0.as_ptr(),
            cipher.as_mut_ptr(),
            &mut length,
            cipher.len(),
            plain.as_ptr(),
            plain.len(),
            aad.as_ptr(),
            aad.len(),
        )
    };
    (done == 1 && length == cipher.len()).then(|| [enc.as_slice(), &cipher].concat())
}

/// The plaintext, if the ciphertext was sealed to this key with the same info and associated data.
pub(super) fn open(key: &Key, enc: &[u8; 32], info: &[u8], aad: &[u8], cipher: &[u8]) -> Option<Zeroizing<Vec<u8>>> {
    let context = Context::empty()?;
    // SAFETY: the context is fresh and owned; the key is live and set up (both of its constructors do so), and the
    // library copies what it needs of it; every pointer goes with the length of the live slice it belongs to.
    let done = unsafe {
        EVP_HPKE_CTX_setup_recipient(
            context.0.as_ptr(),
            key.0.as_ptr(),
            kdf(),
            aead(),
            enc.as_ptr(),
            enc.len(),
            info.as_ptr(),
            info.len(),
        )
    };
    if done != 1 {
        return None;
    }
    let mut plain = Zeroizing::new(vec![0; cipher.len()]);
    let mut length = 0;
    // SAFETY: the context is set up as a recipient; at most `plain.len()` bytes are written to `plain`, which does not
    // overlap `cipher`; every pointer goes with its slice's length.
    let done = unsafe {
        EVP_HPKE_CTX_open(
            context.0.as_ptr(),
            plain.as_mut_ptr(),
            &mut length,
            plain.len(),
            cipher.as_ptr(),
            cipher.len(),
            aad.as_ptr(),
            aad.len(),
        )
    };
    if done != 1 || length > plain.len() {
        return None;
    }
    plain.truncate(length);
    Some(plain)
}

fn kem() -> *const EVP_HPKE_KEM {
    // SAFETY: returns a pointer to a constant of the library.
    unsafe { EVP_hpke_x25519_hkdf_sha256() }
}

fn kdf() -> *const EVP_HPKE_KDF {
    // SAFETY: returns a pointer to a constant of the library.
    unsafe { EVP_hpke_hkdf_sha256() }
}

fn aead() -> *const EVP_HPKE_AEAD {
    // SAFETY: returns a pointer to a constant of the library.
    unsafe { EVP_hpke_aes_256_gcm() }
}
