//! SHA-2 (FIPS 180-4) as other algorithms use it, and HMAC over it (RFC 2104).

use crate::{CryptoError, same};
use aws_lc_rs::digest::{self, Digest};
use aws_lc_rs::hmac;

/// A hash function.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Hash {
    /// SHA-256.
    Sha256,
    /// SHA-384.
    Sha384,
    /// SHA-512.
    Sha512,
}

impl Hash {
    /// Bytes of its digests.
    pub const fn digest_len(self) -> usize {
        match self {
            Self::Sha256 => 32,
            Self::Sha384 => 48,
            Self::Sha512 => 64,
        }
    }

    /// The digest of a message.
    pub fn of(self, message: &[u8]) -> Vec<u8> {
        digest::digest(self.algorithm(), message).as_ref().to_vec()
    }

    /// A digest that the caller computed, if it has this hash's length.
    pub(crate) fn import(self, digest: &[u8]) -> Result<Digest, CryptoError> {
        Digest::import_less_safe(digest, self.algorithm()).map_err(|_| CryptoError::BadLength)
    }

    const fn algorithm(self) -> &'static digest::Algorithm {
        match self {
            Self::Sha256 => &digest::SHA256,
            Self::Sha384 => &digest::SHA384,
            Self::Sha512 => &digest::SHA512,
        }
    }
}

/// HMAC of a message under a key of any length: as many bytes as the hash has.
pub fn hmac(hash: Hash, key: &[u8], message: &[u8]) -> Vec<u8> {
    let algorithm = match hash {
        Hash::Sha256 => hmac::HMAC_SHA256,
        Hash::Sha384 => hmac::HMAC_SHA384,
        Hash::Sha512 => hmac::HMAC_SHA512,
    };
    hmac::sign(&hmac::Key::new(algorithm, key), message).as_ref().to_vec()
}

/// Whether the tag, whole, is the message's. The time does not tell where they differ.
pub fn verify_hmac(hash: Hash, key: &[u8], message: &[u8], tag: &[u8]) -> bool {
    same(&hmac(hash, key, message), tag)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_shortened_or_changed_tag_is_none() {
        for hash in [Hash::Sha256, Hash::Sha384, Hash::Sha512] {
            let mut tag = hmac(hash, b"key", b"message");
            assert_eq!(tag.len(), hash.digest_len());
            assert!(verify_hmac(hash, b"key", b"message", &tag));
            assert!(!verify_hmac(hash, b"other", b"message", &tag));
            assert!(!verify_hmac(hash, b"key", b"message", &tag[1..]));
            assert!(!verify_hmac(hash, b"key", b"message", &[]));
            tag[0] ^= 1;
            assert!(!verify_hmac(hash, b"key", b"message", &tag));
        }
    }
}
