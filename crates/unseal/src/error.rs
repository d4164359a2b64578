//! What can stand in the way to a root.

use keystead_custody::CustodyError;
use keystead_hsm::HsmError;
use std::io;
use std::path::PathBuf;

/// Errors of unseal paths, each with its remedy. None carries a secret.
#[derive(Debug, thiserror::Error)]
pub enum UnsealError {
    /// A new key file would overwrite something.
    #[error("{path} exists already: a key file is never overwritten; name another, or open the one that stands there")]
    Exists {
        /// The file.
        path: PathBuf,
    },
    /// There is no such file.
    #[error("the key file {path} does not exist: put it back from its backup, or correct the path")]
    Missing {
        /// The file.
        path: PathBuf,
    },
    /// Neither the shared file nor one of the vault's own.
    #[error(
        "the key file {path} does not exist, nor does {own}, which the vault has of its own since `rotate-root \
         --after-purge`, if that was run: put the one that opened it back from its backup, or correct the path"
    )]
    NoneThere {
        /// The shared file.
        path: PathBuf,
        /// The vault's own.
        own: PathBuf,
    },
    /// The shared file does not open it, and there is none of the vault's own.
    #[error(
        "the vault's own key file {own} does not exist, and {path} does not open the vault: put {own}, which it has \
         since `rotate-root --after-purge`, back from its backup. If that was never run, {path} is not the key of \
         before, or the wrap was changed: restore both from one backup"
    )]
    OwnMissing {
        /// The shared file.
        path: PathBuf,
        /// The vault's own.
        own: PathBuf,
    },
    /// A directory, device, pipe or socket.
    #[error("{path} is not a regular file: name the key file itself")]
    NotAFile {
        /// What was named.
        path: PathBuf,
    },
    /// Others than the owner have some access.
    #[error("the key file {path} has mode {mode:04o}, and only its owner may have access: run `chmod 600` on it")]
    TooOpen {
        /// The file.
        path: PathBuf,
        /// Its permission bits.
        mode: u32,
    },
    /// Not a key of 32 bytes.
    #[error("the key file {path} does not hold exactly 32 bytes: put it back from its backup, byte for byte")]
    WrongLength {
        /// The file.
        path: PathBuf,
    },
    /// The system refused.
    #[error("cannot use the key file {path}: {cause}")]
    Io {
        /// The file.
        path: PathBuf,
        /// What the system said.
        #[source]
        cause: io::Error,
    },
    /// The service manager gave no such credential.
    #[error(
        "there is no credential '{credential}': add `LoadCredential={credential}:FILE` to the service's unit, with a \
         FILE of 32 random bytes, and start it again"
    )]
    NoCredentials {
        /// Its name.
        credential: String,
    },
    /// The token did not do it.
    #[error("token '{token}': {cause}")]
    Token {
        /// Its name in the configuration.
        token: String,
        /// Why not.
        #[source]
        cause: HsmError,
    },
    /// The token can neither AES-GCM nor RSA-OAEP.
    #[error("token '{token}' can neither AES-GCM nor RSA-OAEP: name a token that can one of them")]
    TokenCannot {
        /// Its name in the configuration.
        token: String,
    },
    /// The wrap does not open.
    #[error(transparent)]
    Custody(#[from] CustodyError),
    /// A new wrap opened to something else than was wrapped.
    #[error("a new key wrap did not prove itself and was discarded: the machine's memory or processor may be at fault")]
    NotProven,
}
