//! Private keys as their owners keep them in files: PKCS#1, and PKCS#8 encrypted under a passphrase.

use super::{PrivateKey, ffi};
use crate::{CryptoError, der};
use aws_lc_rs::signature::RsaKeyPair;

/// Longest encrypted key, in bytes.
const MAX_ENCRYPTED: usize = 16 << 10;

impl PrivateKey {
    /// From RSAPrivateKey (RFC 8017, appendix A.1.2) with a modulus of a size that is served; the key is checked.
    pub fn from_pkcs1(pkcs1: &[u8]) -> Result<Self, CryptoError> {
        if !der::is_one_sequence(pkcs1) {
            return Err(CryptoError::BadKey);
        }
        RsaKeyPair::from_der(pkcs1).map_err(|_| CryptoError::BadKey).and_then(Self::of)
    }

    /// From EncryptedPrivateKeyInfo (RFC 5958, section 3) with an RSA key, as `openssl genpkey -aes256` writes it:
    /// PBES2 with PBKDF2 (HMAC with SHA-1 or SHA-256) and AES-CBC, or an older scheme. [`CryptoError::NotDecrypted`]
    /// if the passphrase does not open it, which nothing tells from a scheme that is not known.
    pub fn from_encrypted_pkcs8(encrypted: &[u8], passphrase: &[u8]) -> Result<Self, CryptoError> {
        if encrypted.len() > MAX_ENCRYPTED || !der::is_one_sequence(encrypted) {
            return Err(CryptoError::BadKey);
        }
        let key = ffi::Key::from_encrypted_pkcs8(encrypted, passphrase).ok_or(CryptoError::NotDecrypted)?;
        Self::from_pkcs1(&key.to_pkcs1().ok_or(CryptoError::Exhausted)?)
    }
}

#[cfg(test)]
mod tests;
