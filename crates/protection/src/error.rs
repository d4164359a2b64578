//! What can go wrong with a key.

use crate::BadKey;
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
    /// The token has no mechanism for it.
    #[error("the vault's HSM cannot do {what}: choose another algorithm, or a token that has the mechanism")]
    TokenCannot {
        /// The algorithm or kind of key.
        what: &'static str,
    },
    /// No token of the vault answers.
    #[error("no HSM of the vault answers: try again later, and read the server's log")]
    TokenAway,
    /// No room for another resident key.
    #[error("the HSM has no room for another key: purge resident keys, or use placement `wrapped`")]
    TokenFull,
    /// A resident key that no token of the vault has.
    #[error("no HSM of the vault holds this key: it was resident in another, or was destroyed")]
    NotInToken,
    /// The token was cleared, or is new.
    #[error("the HSM does not hold the vault's wrapping key: give it with `keystead vault enrol`")]
    NoWrappingKey,
    /// A key from outside does not come out of its wrapping.
    #[error("the wrapped key is not one of the kind named, wrapped under this key: wrap it again")]
    BadWrappedKey,
    /// A key exchange key of another level than the key it brings in.
    #[error("the key exchange key must be where the key it brings in is to be: both in the HSM, or neither")]
    KekElsewhere,
    /// The vault has no HSM.
    #[error("the vault has no HSM: ask for a software key, or name an HSM when the vault is made")]
    NoToken,
    /// A resident key is in one token and nowhere else.
    #[error("a resident key never leaves its HSM: it has no backup")]
    Resident,
    /// The work broke off, or the pool is gone.
    #[error("the work broke off: try again, and read the server's log")]
    Stopped,
}

/// Why a key that was made elsewhere was not taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum ImportError {
    /// It is none.
    #[error(transparent)]
    Bad(#[from] BadKey),
    /// It could not be checked now.
    #[error(transparent)]
    Failed(#[from] KeyError),
}

/// How long an input may be, in bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Limit {
    /// So many.
    Exactly(usize),
    /// So many or fewer.
    AtMost(usize),
    /// From so many to so many.
    Between(usize, usize),
    /// Some multiple of a number, from so many to so many.
    Multiple {
        /// Of this number.
        of: usize,
        /// So many or more.
        least: usize,
        /// So many or fewer.
        most: usize,
    },
}

impl Limit {
    /// Whether a length is within the limit.
    pub const fn takes(self, found: usize) -> bool {
        match self {
            Self::Exactly(wanted) => found == wanted,
            Self::AtMost(most) => found <= most,
            Self::Between(least, most) => least <= found && found <= most,
            Self::Multiple { of, least, most } => least <= found && found <= most && found.is_multiple_of(of),
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
            Self::Between(least, most) => write!(f, "{least} to {most}"),
            Self::Multiple { of, least, most } => write!(f, "a multiple of {of} from {least} to {most}"),
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
            // Lengths are checked, and named, before a primitive sees them.
            CryptoError::BadLength | CryptoError::Exhausted => Self::Stopped,
        }
    }
}
