//! Private keys as their owners keep them in files: PKCS#1, and PKCS#8 encrypted under a passphrase.

use super::PrivateKey;
use crate::{CryptoError, der, pkcs8};
use aws_lc_rs::signature::RsaKeyPair;

impl PrivateKey {
    /// From RSAPrivateKey (RFC 8017, appendix A.1.2) with a modulus of a size that is served; the key is checked.
    pub fn from_pkcs1(pkcs1: &[u8]) -> Result<Self, CryptoError> {
        if !der::is_one_sequence(pkcs1) {
            return Err(CryptoError::BadKey);
        }
        RsaKeyPair::from_der(pkcs1).map_err(|_| CryptoError::BadKey).and_then(Self::of)
    }

    /// From EncryptedPrivateKeyInfo (RFC 5958, section 3) with an RSA key, as `openssl genpkey -aes256` writes it.
    /// [`CryptoError::NotDecrypted`] if the passphrase does not open it, which nothing tells from a scheme that is not
    /// known.
    pub fn from_encrypted_pkcs8(encrypted: &[u8], passphrase: &[u8]) -> Result<Self, CryptoError> {
        Self::from_pkcs8(&pkcs8::decrypted(encrypted, passphrase)?)
    }
}

#[cfg(test)]
mod tests;
