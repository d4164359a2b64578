//! What can go wrong with a key.

use crate::BadImport;
use keystead_crypto::CryptoError;
use std::fmt;

/// Errors of making, opening and using keys. None carries a secret.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum KeyError {
    /// The key is of another kind than the algorithm works with.
    #[error("the algorithm does not go with this kind of key: name one that does")]
    WrongAlgorithm,
    /// An input has a length that the algorithm does not take.
    #[error("the {what} has {found} bytes: give {wanted}")]
    BadLength {
        /// Which input: digest, plaintext, nonce, tag, associated data.
        what: &'static str,
        /// Its length in bytes.
        found: usize,
        /// What would have been taken.
        wanted: Limit,
    },
    /// It does not decrypt. Which check failed is not told.
    #[error("does not decrypt: the ciphertext, its parameters or the key is wrong")]
    DecryptFailed,
    /// The pool's queue is full.
    #[error("too much work is waiting: try again later")]
    Busy,
    /// The deadline passed before the work was done.
    #[error("the deadline passed before the work was done: try again later")]
    Deadline,
    /// The stored material does not open.
    #[error("the stored key does not open: restore it from a backup and run verify")]
    Damaged,
    /// A key that was made elsewhere is not taken.
    #[error("the key is not imported: {0}")]
    BadImport(BadImport),
    /// The work broke off, or the pool is gone.
    #[error("the work broke off: try again, and read the server's log")]
    Stopped,
}

/// How long an input may be, in bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Limit {
    /// So many.
    Exactly(usize),
    /// So many or fewer.
    AtMost(usize),
}

impl Limit {
    /// Whether a length is within the limit.
    pub const fn takes(self, found: usize) -> bool {
        match self {
            Self::Exactly(wanted) => found == wanted,
            Self::AtMost(most) => found <= most,
        }
    }

    pub(crate) const fn check(self, what: &'static str, found: usize) -> Result<(), KeyError> {
        if self.takes(found) { Ok(()) } else { Err(KeyError::BadLength { what, found, wanted: self }) }
    }
}

impl fmt::Display for Limit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Exactly(wanted) => write!(f, "{wanted}"),
            Self::AtMost(most) => write!(f, "at most {most}"),
        }
    }
}

impl From<CryptoError> for KeyError {
    fn from(error: CryptoError) -> Self {
        match error {
            CryptoError::BadKey => Self::Damaged,
            CryptoError::TooLong { most } => {
                Self::BadLength { what: "plaintext", found: most.saturating_add(1), wanted: Limit::AtMost(most) }
            }
            CryptoError::NotDecrypted => Self::DecryptFailed,
            CryptoError::Exhausted => Self::Stopped,
        }
    }
}
