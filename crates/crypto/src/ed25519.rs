//! Ed25519 signatures (RFC 8032, pure).

use crate::hkdf::Extracted;
use crate::{CryptoError, fixed, sure};
use aws_lc_rs::encoding::AsBigEndian as _;
use aws_lc_rs::signature::{ED25519, Ed25519KeyPair, KeyPair, UnparsedPublicKey};
use std::sync::Arc;
use zeroize::Zeroizing;

const SALT: &[u8] = b"keystead node key 1";

/// A signing key, kept parsed. Cheap to clone: clones are the same key in memory.
#[derive(Clone)]
pub struct SigningKey(Arc<Parsed>);

struct Parsed {
    pair: Ed25519KeyPair,
    /// Of the seed, for keys of other purposes.
    extracted: Extracted,
}

impl SigningKey {
    /// From the 32-byte seed (RFC 8032's private key).
    pub fn from_seed(seed: &[u8; 32]) -> Self {
        let pair = sure(Ed25519KeyPair::from_seed_unchecked(seed));
        Self(Arc::new(Parsed { pair, extracted: Extracted::new(SALT, seed) }))
    }

    /// From an unencrypted PKCS#8 document (RFC 8410), with its public key or without.
    pub fn from_pkcs8(pkcs8: &[u8]) -> Result<Self, CryptoError> {
        let pair = Ed25519KeyPair::from_pkcs8_maybe_unchecked(pkcs8).map_err(|_| CryptoError::BadKey)?;
        let seed = pair.seed().and_then(|seed| seed.as_be_bytes()).map_err(|_| CryptoError::BadKey)?;
        let seed: &[u8; 32] = seed.as_ref().try_into().map_err(|_| CryptoError::BadKey)?;
        Ok(Self::from_seed(seed))
    }

    /// The public key, encoded as in RFC 8032.
    pub fn public(&self) -> [u8; 32] {
        fixed(self.0.pair.public_key().as_ref())
    }

    /// Signs a message.
    pub fn sign(&self, message: &[u8]) -> [u8; 64] {
        fixed(sure(self.0.pair.try_sign(message)).as_ref())
    }

    /// A key for another purpose, which tells nothing about this one (HKDF-SHA-256 of the seed).
    pub fn derived(&self, purpose: &[u8]) -> Zeroizing<[u8; 32]> {
        self.0.extracted.key(&[purpose])
    }
}

/// Whether the signature on the message is the public key's. False for anything malformed.
pub fn verify(public: &[u8; 32], message: &[u8], signature: &[u8]) -> bool {
    UnparsedPublicKey::new(&ED25519, public).verify(message, signature).is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn signs_as_rfc_8032_test_2() {
        let seed = hex::decode("4ccd089b28ff96da9db6c346ec114e0f5b8a319f35aba624da8cf6ed4fb8a6fb").unwrap();
        let key = SigningKey::from_seed(&seed.try_into().unwrap());
        let public = "3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c";
        assert_eq!(hex::encode(key.public()), public);
        let signature = "92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da\
                         085ac1e43e15996e458f3613d0f11d8c387b2eaeb4302aeeb00d291612bb0c00";
        assert_eq!(hex::encode(key.sign(&[0x72])), signature);
        assert!(verify(&key.public(), &[0x72], &key.sign(&[0x72])));
        assert!(!verify(&key.public(), &[0x73], &key.sign(&[0x72])));
        assert!(!verify(&key.public(), &[0x72], &key.sign(&[0x72])[..63]));
    }
}
