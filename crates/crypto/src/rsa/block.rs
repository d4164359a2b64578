//! Decryption with a private key that is elsewhere and does the bare operation alone: a number to the power of the
//! private exponent comes from there, is proven by the public half, and its padding is undone here.

use super::Size;
use super::ffi::handed::Handed;
use crate::{CryptoError, same};
use zeroize::Zeroizing;

/// A number that is the ciphertext to the power of the private exponent.
pub struct Block {
    key: Handed,
    bytes: Zeroizing<Vec<u8>>,
}

impl Block {
    /// What a private key is said to have made of the ciphertext; `n` and `e` are its public half, of a size that is
    /// served. Leading zeros may lack. None if it made something else of it.
    pub fn proven(n: &[u8], e: &[u8], cipher: &[u8], made: &[u8]) -> Option<Self> {
        let size = Size::of(n)?;
        let mut bytes = Zeroizing::new(vec![0; size.modulus_len()]);
        let zeros = bytes.len().checked_sub(made.len())?;
        bytes.get_mut(zeros..)?.copy_from_slice(made);
        let key = Handed::of(n, e, size)?;
        same(&key.encrypted(&bytes)?, cipher).then_some(Self { key, bytes })
    }

    /// What was encrypted by RSAES-OAEP with SHA-256 for hash and MGF1. Whatever is wrong with the padding is the same
    /// [`CryptoError::NotDecrypted`].
    pub fn oaep_sha256(&self) -> Result<Zeroizing<Vec<u8>>, CryptoError> {
        self.key.unpadded(&self.bytes).ok_or(CryptoError::NotDecrypted)
    }
}

#[cfg(test)]
mod tests;
