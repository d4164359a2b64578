//! Signatures on texts by people's keys: Ed25519 (RFC 8032) and ECDSA over P-256 with SHA-256, with keys as OpenSSL and
//! tokens give them.

use crate::ec::{self, Curve};
use crate::{CryptoError, der, ed25519, pkcs8, sha256};

/// SubjectPublicKeyInfo of Ed25519 up to the key (RFC 8410, section 4).
const ED25519_SPKI: &[u8] = &[0x30, 0x2a, 0x30, 5, 0x06, 3, 0x2b, 0x65, 0x70, 0x03, 0x21, 0];

/// A public key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PublicKey {
    /// Ed25519.
    Ed25519([u8; 32]),
    /// P-256: the coordinates of the point.
    P256([u8; 32], [u8; 32]),
}

impl PublicKey {
    /// From DER SubjectPublicKeyInfo, in the one form that [`Self::to_spki`] writes.
    pub fn from_spki(spki: &[u8]) -> Option<Self> {
        let key = match spki.strip_prefix(ED25519_SPKI) {
            Some(key) => Self::Ed25519(key.try_into().ok()?),
            None => {
                let point = der::bits_of_spki(spki)?.strip_prefix(&[4])?;
                let (x, y) = point.split_at_checked(32)?;
                Self::P256(x.try_into().ok()?, y.try_into().ok()?)
            }
        };
        (key.to_spki() == spki && key.is_usable()).then_some(key)
    }

    /// As DER SubjectPublicKeyInfo.
    pub fn to_spki(&self) -> Vec<u8> {
        match self {
            Self::Ed25519(key) => [ED25519_SPKI, key].concat(),
            Self::P256(x, y) => ec::spki_der(Curve::P256, x, y),
        }
    }

    /// What people call it.
    pub const fn kind(&self) -> &'static str {
        match self {
            Self::Ed25519(_) => "Ed25519",
            Self::P256(..) => "P-256",
        }
    }

    /// Whether the signature on the message is the key's: 64 bytes, r|s for P-256. False for anything malformed.
    pub fn verify(&self, message: &[u8], signature: &[u8]) -> bool {
        match self {
            Self::Ed25519(key) => ed25519::verify(key, message, signature),
            Self::P256(x, y) => ec::verify_digest(Curve::P256, x, y, &sha256(&[message]), signature),
        }
    }

    /// A signature in the form that [`Self::verify`] takes: as it is, or r and s out of the DER that OpenSSL writes.
    pub fn plain(&self, signature: &[u8]) -> Option<[u8; 64]> {
        if let Ok(plain) = signature.try_into() {
            return Some(plain);
        }
        let (r, s) = match self {
            Self::Ed25519(_) => return None,
            Self::P256(..) => der::two_unsigned(signature)?,
        };
        let mut plain = [0; 64];
        let (first, second) = plain.split_at_mut(32);
        for (half, number) in [(first, r), (second, s)] {
            let start = half.len().checked_sub(number.len())?;
            half.get_mut(start..)?.copy_from_slice(number);
        }
        Some(plain)
    }

    /// A point off the curve is no key.
    fn is_usable(&self) -> bool {
        match self {
            Self::Ed25519(_) => true,
            Self::P256(x, y) => ec::is_on_curve(Curve::P256, x, y),
        }
    }
}

/// A private key.
pub enum PrivateKey {
    /// Ed25519.
    Ed25519(ed25519::SigningKey),
    /// P-256.
    P256(ec::PrivateKey),
}

impl PrivateKey {
    /// From an unencrypted PKCS#8 document with a key of one of the two kinds.
    pub fn from_pkcs8(document: &[u8]) -> Result<Self, CryptoError> {
        if document.len() > pkcs8::MAX || !der::is_one_sequence(document) {
            return Err(CryptoError::BadKey);
        }
        let ed25519 = || ed25519::SigningKey::from_pkcs8(document).map(Self::Ed25519);
        ec::PrivateKey::from_pkcs8(Curve::P256, document).map(Self::P256).or_else(|_| ed25519())
    }

    /// From EncryptedPrivateKeyInfo (RFC 5958, section 3). [`CryptoError::NotDecrypted`] if the passphrase does not open
    /// it, which nothing tells from a scheme that is not known.
    pub fn from_encrypted_pkcs8(encrypted: &[u8], passphrase: &[u8]) -> Result<Self, CryptoError> {
        Self::from_pkcs8(&pkcs8::decrypted(encrypted, passphrase)?)
    }

    /// Its public half.
    pub fn public(&self) -> Result<PublicKey, CryptoError> {
        match self {
            Self::Ed25519(key) => Ok(PublicKey::Ed25519(key.public())),
            Self::P256(key) => {
                let (x, y) = key.public();
                let half = |n: &[u8]| n.try_into().map_err(|_| CryptoError::BadKey);
                Ok(PublicKey::P256(half(x)?, half(y)?))
            }
        }
    }

    /// Signs a message.
    pub fn sign(&self, message: &[u8]) -> Result<Vec<u8>, CryptoError> {
        match self {
            Self::Ed25519(key) => Ok(key.sign(message).to_vec()),
            Self::P256(key) => key.sign_digest(&sha256(&[message])),
        }
    }
}

#[cfg(test)]
mod tests;
