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

    /// Hashes what comes piece by piece.
    pub fn hasher(self) -> Hasher {
        Hasher(digest::Context::new(self.algorithm()))
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

/// A digest of what comes piece by piece.
pub struct Hasher(digest::Context);

impl Hasher {
    /// The next piece.
    pub fn update(&mut self, piece: &[u8]) {
        self.0.update(piece);
    }

    /// The digest of all pieces, joined.
    pub fn finish(self) -> Vec<u8> {
        self.0.finish().as_ref().to_vec()
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
    fn pieces_hash_as_the_whole() {
        for hash in [Hash::Sha256, Hash::Sha384, Hash::Sha512] {
            let mut hasher = hash.hasher();
            ["", "ab", "c"].iter().for_each(|piece| hasher.update(piece.as_bytes()));
            assert_eq!(hasher.finish(), hash.of(b"abc"));
        }
        // FIPS 180-4, example "abc" of SHA-384.
        assert!(hex::encode(Hash::Sha384.of(b"abc")).starts_with("cb00753f45a35e8bb5a03d699ac65007272c32ab0eded163"));
    }

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
