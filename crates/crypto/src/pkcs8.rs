//! Private keys of any kind that are encrypted under a passphrase: EncryptedPrivateKeyInfo (RFC 5958, section 3).

use crate::{CryptoError, der};
use zeroize::Zeroizing;

mod ffi;

/// Longest private key in a file, in bytes.
pub(crate) const MAX: usize = 16 << 10;

/// The unencrypted PKCS#8 document, as `openssl genpkey -aes256` encrypted it: PBES2 with PBKDF2 (HMAC with SHA-1 or
/// SHA-256) and AES-CBC, or an older scheme. [`CryptoError::NotDecrypted`] if the passphrase does not open it, which
/// nothing tells from a scheme that is not known.
pub(crate) fn decrypted(encrypted: &[u8], passphrase: &[u8]) -> Result<Zeroizing<Vec<u8>>, CryptoError> {
    if encrypted.len() > MAX || !der::is_one_sequence(encrypted) {
        return Err(CryptoError::BadKey);
    }
    ffi::decrypted(encrypted, passphrase).ok_or(CryptoError::NotDecrypted)
}
