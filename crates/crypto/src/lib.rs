//! Cryptographic primitives over AWS-LC, and the sealed record.
//!
//! The only room where a primitive library is named. Every key is parsed once, can be shared between threads, has no
//! `Debug` and is cleared when dropped. Nothing here reads a clock, a file or the environment.
//!
//! - [`sealed`]: the sealed record, in which everything a vault stores is kept
//! - [`hpke`]: sealing to a public key (RFC 9180)
//! - [`hkdf`], [`kbkdf`]: keys from keys (RFC 5869, NIST SP 800-108)
//! - [`aes`], [`rsa`], [`ec`], [`hmac()`]: the algorithms customers' keys work with
//! - [`jws`]: signatures on tokens of others
//! - [`certificate`]: the RSA key in a certificate
//! - [`ed25519`]: signatures on audit checkpoints; [`signature`]: people's, on texts
//!
//! ```
//! use keystead_crypto::sealed::{Binding, Sealer, Usage};
//! let sealer = Sealer::new(&keystead_crypto::random(), Usage::Records, 1);
//! let place = Binding { vault: [1; 16], kind: 8, object: [2; 16], version: [0; 16], counter: 1 };
//! let sealed = sealer.seal(&place, b"", b"attributes");
//! assert_eq!(sealer.open(&place, b"", &sealed).unwrap().as_slice(), b"attributes");
//! assert!(sealer.open(&Binding { counter: 2, ..place }, b"", &sealed).is_err());
//! ```
#![cfg_attr(test, allow(clippy::arithmetic_side_effects, clippy::disallowed_methods))]

pub mod aes;
pub mod certificate;
mod der;
pub mod ec;
pub mod ed25519;
mod error;
#[doc(hidden)]
pub mod fuzz;
mod hash;
pub mod hkdf;
pub mod hpke;
pub mod jws;
pub mod kbkdf;
mod library;
mod pkcs8;
pub mod rsa;
pub mod sealed;
pub mod signature;
pub mod stack;

pub use error::CryptoError;
pub use hash::{Hash, Hasher, hmac, verify_hmac};

use aws_lc_rs::{constant_time, digest, hmac as aws_hmac, rand};

/// `N` random bytes from the system's generator. Aborts the process if the system has none to give: nothing that
/// could be answered without randomness would be safe.
pub fn random<const N: usize>() -> [u8; N] {
    let mut bytes = [0; N];
    sure(rand::fill(&mut bytes));
    bytes
}

/// So many random bytes from the same generator, cleared when dropped.
pub fn random_bytes(count: usize) -> zeroize::Zeroizing<Vec<u8>> {
    let mut bytes = zeroize::Zeroizing::new(vec![0; count]);
    sure(rand::fill(&mut bytes));
    bytes
}

/// SHA-256 (FIPS 180-4) of the parts, joined. The caller delimits them where that matters.
pub fn sha256(parts: &[&[u8]]) -> [u8; 32] {
    if let [whole] = parts {
        return fixed(digest::digest(&digest::SHA256, whole).as_ref());
    }
    let mut context = digest::Context::new(&digest::SHA256);
    parts.iter().for_each(|part| context.update(part));
    fixed(context.finish().as_ref())
}

/// SHA-256 of what comes piece by piece.
pub struct Sha256(digest::Context);

impl Default for Sha256 {
    fn default() -> Self {
        Self(digest::Context::new(&digest::SHA256))
    }
}

impl Sha256 {
    /// The next piece.
    pub fn update(&mut self, piece: &[u8]) {
        self.0.update(piece);
    }

    /// The digest of all pieces, joined.
    pub fn finish(self) -> [u8; 32] {
        fixed(self.0.finish().as_ref())
    }
}

/// HMAC-SHA-256 (RFC 2104) over the parts, joined. The caller delimits them where that matters.
pub fn hmac_sha256(key: &[u8; 32], parts: &[&[u8]]) -> [u8; 32] {
    hmac_of(key, parts)
}

/// HMAC-SHA-256 with a key that is used again and again.
pub struct Mac(aws_hmac::Key);

impl Mac {
    /// With this key.
    pub fn new(key: &[u8; 32]) -> Self {
        Self(aws_hmac::Key::new(aws_hmac::HMAC_SHA256, key))
    }

    /// The same as [`hmac_sha256`] with this key.
    pub fn of(&self, parts: &[&[u8]]) -> [u8; 32] {
        let mut context = aws_hmac::Context::with_key(&self.0);
        parts.iter().for_each(|part| context.update(part));
        fixed(context.sign().as_ref())
    }
}

/// Whether two byte strings are the same, in a time that depends on their lengths only.
pub fn same(a: &[u8], b: &[u8]) -> bool {
    constant_time::verify_slices_are_equal(a, b).is_ok()
}

/// HMAC-SHA-256 with a key of any length.
fn hmac_of(key: &[u8], parts: &[&[u8]]) -> [u8; 32] {
    Mac(aws_hmac::Key::new(aws_hmac::HMAC_SHA256, key)).of(parts)
}

/// The value of a call that fails only when memory or randomness is exhausted. Carrying on would be unsafe, and
/// unwinding would hide it, so the process ends.
fn sure<T, E>(result: Result<T, E>) -> T {
    match result {
        Ok(value) => value,
        Err(_) => std::process::abort(),
    }
}

/// Bytes whose length the algorithm fixes.
fn fixed<const N: usize>(bytes: &[u8]) -> [u8; N] {
    sure(bytes.try_into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sha256_of_joined_parts_is_that_of_the_whole() {
        // FIPS 180-4, example "abc".
        let abc = hex::decode("ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad").unwrap();
        assert_eq!(sha256(&[b"abc"]).as_slice(), abc);
        assert_eq!(sha256(&[b"a", b"", b"bc"]).as_slice(), abc);
    }

    #[test]
    fn same_compares_length_and_every_byte() {
        assert!(same(b"", b""));
        assert!(same(b"abc", b"abc"));
        assert!(!same(b"abc", b"abd"));
        assert!(!same(b"abc", b"abcd"));
    }

    #[test]
    fn random_bytes_do_not_repeat() {
        assert_ne!(random::<32>(), random::<32>());
    }
}
