//! What can go wrong with a primitive.

/// Errors of keys and ciphers. None carries a secret, and none tells an attacker which check failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum CryptoError {
    /// The bytes are not a private key of this kind and size.
    #[error("not a private key of this kind and size: give an unencrypted PKCS#8 key")]
    BadKey,
    /// The plaintext is longer than the algorithm takes.
    #[error("the plaintext is too long for the algorithm: at most {most} bytes")]
    TooLong {
        /// The longest that would have been taken, in bytes.
        most: usize,
    },
    /// An input has a length that the algorithm does not take.
    #[error("an input has a length that the algorithm does not take")]
    BadLength,
    /// The ciphertext does not decrypt: it, its tag, its nonce, its associated data or the key is wrong.
    #[error("does not decrypt: the ciphertext, its parameters or the key is wrong")]
    NotDecrypted,
    /// The library failed for want of memory or randomness.
    #[error("the cryptographic library failed: memory or randomness is exhausted")]
    Exhausted,
}
