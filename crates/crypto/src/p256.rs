//! P-256 with coordinates of a fixed length, as tokens and their issuers have them: [`crate::ec`] on one curve.

use crate::ec::{self, Curve};
use crate::{CryptoError, fixed};
use zeroize::Zeroizing;

/// A private key, kept parsed.
pub struct PrivateKey(ec::PrivateKey);

impl PrivateKey {
    /// A new random key.
    pub fn generate() -> Self {
        Self(ec::PrivateKey::generate(Curve::P256))
    }

    /// From an unencrypted PKCS#8 document (RFC 5958, version 1) with a P-256 key; the key is checked.
    pub fn from_pkcs8(pkcs8: &[u8]) -> Result<Self, CryptoError> {
        ec::PrivateKey::from_pkcs8(Curve::P256, pkcs8).map(Self)
    }

    /// As an unencrypted PKCS#8 document: secret.
    pub fn to_pkcs8(&self) -> Zeroizing<Vec<u8>> {
        self.0.to_pkcs8()
    }

    /// The public point's coordinates, big-endian, 32 bytes each.
    pub fn public(&self) -> ([u8; 32], [u8; 32]) {
        let (x, y) = self.0.public();
        (fixed(x), fixed(y))
    }

    /// Signs a SHA-256 digest: r|s, 32 bytes each (IEEE P1363, RFC 7518 section 3.4).
    pub fn sign_digest(&self, digest: &[u8; 32]) -> Result<[u8; 64], CryptoError> {
        self.0.sign_digest(digest)?.try_into().map_err(|_| CryptoError::Exhausted)
    }
}

/// Whether the signature (r|s, 64 bytes) on the digest is that of the public key (x, y). False for anything malformed,
/// a point off the curve included.
pub fn verify_digest(x: &[u8; 32], y: &[u8; 32], digest: &[u8; 32], signature: &[u8]) -> bool {
    ec::verify_digest(Curve::P256, x, y, digest, signature)
}

/// The public key as DER SubjectPublicKeyInfo (RFC 5480), 91 bytes.
pub fn spki_der(x: &[u8; 32], y: &[u8; 32]) -> Vec<u8> {
    ec::spki_der(Curve::P256, x, y)
}
