//! What can go wrong with a token. Every CKR code is one of these (`worker/rv.rs`).

use crate::export::NotExported;
use minicbor::{Decode, Encode};

/// Errors of tokens and their workers. None carries a secret.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error, Encode, Decode)]
pub enum HsmError {
    /// The bounded queue before the token is full.
    #[error("too much work waits for the token: try again later")]
    #[n(0)]
    Busy,
    /// The deadline passed. The worker was killed if it held the call.
    #[error("the token did not answer in time: try again later")]
    #[n(1)]
    Deadline,
    /// There is no worker now: it ended, or its token is away. It is started again by itself.
    #[error("the token is not there: {why}")]
    #[n(2)]
    Down {
        /// What was seen: which library, which code.
        #[n(0)]
        why: String,
    },
    /// The token has no wrapping key of this id: it is new, or was cleared.
    #[error("the token does not hold the vault's wrapping key: give it with `keystead vault enrol`")]
    #[n(3)]
    NoWrappingKey,
    /// A resident key is not in the token any more.
    #[error("the token does not hold the key: it was in another token, or was destroyed")]
    #[n(4)]
    NoSuchKey,
    /// The token has no mechanism for this, and it cannot be composed inside it.
    #[error("the token cannot do {what}: choose another algorithm, or a token that has the mechanism")]
    #[n(5)]
    NotSupported {
        /// The algorithm, kind of key or mechanism.
        #[n(0)]
        what: String,
    },
    /// It does not decrypt or unwrap. Which check failed is not told.
    #[error("does not decrypt: the ciphertext, its parameters or the key is wrong")]
    #[n(6)]
    DecryptFailed,
    /// What a row keeps of a key is not what the token made.
    #[error("the stored key does not open in the token: restore it from a backup and run verify")]
    #[n(7)]
    Damaged,
    /// A key from outside does not come out of its wrapping, or is none.
    #[error("the wrapped key is not one of the kind named under this wrapping key")]
    #[n(8)]
    BadKey,
    /// No room for another object.
    #[error("the token has no room for another key: purge resident keys, or use placement `wrapped`")]
    #[n(9)]
    Full,
    /// The PIN was refused. It is not tried again: tokens lock themselves.
    #[error("the token refused the PIN: correct its file, then start the server again")]
    #[n(10)]
    PinRefused,
    /// The module, the slot or its settings are not what the configuration names.
    #[error("the token cannot be opened: {why}")]
    #[n(11)]
    Setting {
        /// What was found.
        #[n(0)]
        why: String,
    },
    /// A code that says that something is wrong with the token or its library.
    #[error("the token failed with {code}: read the server's log and the vendor's")]
    #[n(12)]
    Failed {
        /// The name of the CKR code.
        #[n(0)]
        code: String,
    },
    /// A key of the token's owner does not leave it.
    #[error(transparent)]
    #[n(13)]
    NotExported(#[n(0)] NotExported),
    /// A key of the token's owner is not what a custodian has.
    #[error(
        "the key is not RSA of 2048, 3072 or 4096 bits, or the token does not show its public half: name another, or \
         make one"
    )]
    #[n(14)]
    NotRsa,
}

impl From<NotExported> for HsmError {
    fn from(why: NotExported) -> Self {
        Self::NotExported(why)
    }
}

impl HsmError {
    /// Whether the worker that met it is of no use any more: a new one loads the library afresh and may find the token.
    pub const fn ends_worker(&self) -> bool {
        matches!(self, Self::Down { .. } | Self::PinRefused)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_without_the_wrapping_key_gets_it_by_a_command_that_there_is() {
        assert!(HsmError::NoWrappingKey.to_string().contains("`keystead vault enrol`"));
    }
}
