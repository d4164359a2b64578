//! AES (FIPS 197) with keys of 128, 192 and 256 bits: GCM here (NIST SP 800-38D, nonces of 12 random bytes, tags of
//! 16), block chaining in [`cbc`], authenticated in [`cbc_hmac`], key wrap in [`wrap`].

pub mod cbc;
pub mod cbc_hmac;
pub mod wrap;

use crate::{CryptoError, fixed, random, sure};
use aws_lc_rs::aead::{AES_128_GCM, AES_192_GCM, AES_256_GCM, Aad, LessSafeKey, Nonce, UnboundKey};
use zeroize::Zeroizing;

/// Bytes of a block.
pub const BLOCK: usize = 16;

/// An AES key for GCM. Whoever keeps it must bound its uses to 2^32, as the nonces are random.
pub struct Gcm(LessSafeKey);

/// Kept for what is 256 bits long by its layout.
pub type Aes256Gcm = Gcm;

impl Gcm {
    /// From the 32 bytes of an AES-256 key.
    pub fn new(key: &[u8; 32]) -> Self {
        Self(LessSafeKey::new(sure(UnboundKey::new(&AES_256_GCM, key))))
    }

    /// From a key of 16, 24 or 32 bytes.
    pub fn of(key: &[u8]) -> Result<Self, CryptoError> {
        let algorithm = match key.len() {
            16 => &AES_128_GCM,
            24 => &AES_192_GCM,
            32 => &AES_256_GCM,
            _ => return Err(CryptoError::BadKey),
        };
        UnboundKey::new(algorithm, key).map(|key| Self(LessSafeKey::new(key))).map_err(|_| CryptoError::BadKey)
    }

    /// Encrypts under a fresh random nonce: nonce, ciphertext (as long as the plaintext), tag.
    pub fn seal(&self, aad: &[u8], plain: &[u8]) -> ([u8; 12], Vec<u8>, [u8; 16]) {
        let iv = random();
        let mut text = plain.to_vec();
        let tag = self.seal_in_place(iv, aad, &mut text);
        (iv, text, tag)
    }

    /// Decrypts, if nothing was changed; else [`CryptoError::NotDecrypted`].
    pub fn open(
        &self,
        iv: &[u8; 12],
        aad: &[u8],
        cipher: &[u8],
        tag: &[u8; 16],
    ) -> Result<Zeroizing<Vec<u8>>, CryptoError> {
        let mut plain = Zeroizing::new(vec![0; cipher.len()]);
        let nonce = Nonce::assume_unique_for_key(*iv);
        match self.0.open_separate_gather(nonce, Aad::from(aad), cipher, tag, &mut plain) {
            Ok(()) => Ok(plain),
            Err(_) => Err(CryptoError::NotDecrypted),
        }
    }

    /// Encrypts a buffer where it stands. The nonce must never have been used with this key.
    pub(crate) fn seal_in_place(&self, iv: [u8; 12], aad: &[u8], text: &mut [u8]) -> [u8; 16] {
        let nonce = Nonce::assume_unique_for_key(iv);
        fixed(sure(self.0.seal_in_place_separate_tag(nonce, Aad::from(aad), text)).as_ref())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_sealed_opens_and_nothing_else_does() {
        let key = Aes256Gcm::new(&random());
        let (iv, text, tag) = key.seal(b"aad", b"plain");
        assert_eq!(key.open(&iv, b"aad", &text, &tag).unwrap().as_slice(), b"plain");
        let mut other = tag;
        other[0] ^= 1;
        for refused in [
            key.open(&iv, b"aae", &text, &tag),
            key.open(&iv, b"aad", &text[1..], &tag),
            key.open(&[0; 12], b"aad", &text, &tag),
            key.open(&iv, b"aad", &text, &other),
            Aes256Gcm::new(&random()).open(&iv, b"aad", &text, &tag),
        ] {
            assert_eq!(refused.err(), Some(CryptoError::NotDecrypted));
        }
    }

    #[test]
    fn the_same_plaintext_is_never_sealed_under_the_same_nonce() {
        let key = Aes256Gcm::new(&random());
        assert_ne!(key.seal(b"", b"x").0, key.seal(b"", b"x").0);
    }

    #[test]
    fn keys_of_three_sizes_are_taken_and_of_no_other() {
        for length in [16, 24, 32] {
            let key = Gcm::of(&vec![7; length]).unwrap();
            let (iv, text, tag) = key.seal(b"", b"plain");
            assert_eq!(key.open(&iv, b"", &text, &tag).unwrap().as_slice(), b"plain");
        }
        for length in [0, 15, 17, 31, 33, 64] {
            assert_eq!(Gcm::of(&vec![7; length]).err(), Some(CryptoError::BadKey));
        }
    }
}
