//! HKDF with SHA-256 (RFC 5869).

use crate::stack::cleared;
use crate::{CryptoError, hmac_of, sure};
use aws_lc_rs::hkdf::{HKDF_SHA256, KeyType, Prk};
use zeroize::Zeroizing;

/// A pseudorandom key, from which keys for single uses are expanded. Cleared when dropped.
pub struct Extracted(Prk);

impl Extracted {
    /// HKDF-Extract of the input key material under a salt.
    pub fn new(salt: &[u8], input: &[u8]) -> Self {
        // The hash's context has the input in it, and is moved.
        let bytes = cleared(|| Zeroizing::new(hmac_of(salt, &[input])));
        Self(Prk::new_less_safe(HKDF_SHA256, bytes.as_slice()))
    }

    /// HKDF-Expand to a key of 32 bytes. The info's parts are joined.
    pub fn key(&self, info: &[&[u8]]) -> Zeroizing<[u8; 32]> {
        let mut key = Zeroizing::new([0; 32]);
        sure(self.expand(info, key.as_mut_slice()));
        key
    }

    /// HKDF-Expand to any length up to 8,160 bytes; beyond that, [`CryptoError::TooLong`].
    pub fn expand(&self, info: &[&[u8]], out: &mut [u8]) -> Result<(), CryptoError> {
        let bad = CryptoError::TooLong { most: MOST };
        if out.len() > MOST {
            return Err(bad);
        }
        self.0.expand(info, Length(out.len())).and_then(|okm| okm.fill(out)).map_err(|_| bad)
    }
}

/// 255 blocks of the hash.
const MOST: usize = 255 * 32;

struct Length(usize);

impl KeyType for Length {
    fn len(&self) -> usize {
        self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn expands_as_rfc_5869_test_case_1() {
        let prk = Extracted::new(&hex::decode("000102030405060708090a0b0c").unwrap(), &[0x0b; 22]);
        let mut out = [0; 42];
        prk.expand(&[&[0xf0, 0xf1, 0xf2, 0xf3], &[0xf4, 0xf5, 0xf6, 0xf7, 0xf8, 0xf9]], &mut out).unwrap();
        let expected = "3cb25f25faacd57a90434f64d0362f2a2d2d0a90cf1a5a4c5db02d56ecc4c5bf34007208d5b887185865";
        assert_eq!(hex::encode(out), expected);
    }

    #[test]
    fn more_than_255_blocks_are_refused() {
        let prk = Extracted::new(b"", b"key");
        assert!(prk.expand(&[], &mut [0; MOST]).is_ok());
        assert_eq!(prk.expand(&[], &mut [0; MOST + 1]), Err(CryptoError::TooLong { most: MOST }));
    }
}
