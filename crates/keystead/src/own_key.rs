//! Somebody's own private key, as the command line of a custodian or an approver names it: in a file, or in a PKCS#11
//! token that it never leaves.

use crate::exit::Failure;
use crate::hsm::owned::TokenArgs;
use std::path::{Path, PathBuf};

/// Which key, and what opens it.
#[derive(clap::Args)]
#[command(group = clap::ArgGroup::new("own_key").args(["key", "pkcs11"]).required(true))]
pub(crate) struct KeyArgs {
    /// Your private key, PEM; readable by its owner alone
    #[arg(long, value_name = "KEY.pem")]
    key: Option<PathBuf>,
    /// The passphrase of an encrypted key: the first line of this file
    #[arg(long, value_name = "FILE", conflicts_with = "pkcs11")]
    passphrase_file: Option<PathBuf>,
    #[command(flatten)]
    token: TokenArgs,
}

/// Where it is.
pub(crate) enum Place<'a> {
    /// A file, and the one with its passphrase.
    File(&'a Path, Option<&'a Path>),
    /// A token of this library.
    Token(&'a Path, &'a TokenArgs),
}

impl KeyArgs {
    /// The one that was named.
    pub(crate) fn place(&self) -> Result<Place<'_>, Failure> {
        match (self.token.module(), &self.key) {
            (Some(module), _) => Ok(Place::Token(module, &self.token)),
            (None, Some(file)) => Ok(Place::File(file, self.passphrase_file.as_deref())),
            (None, None) => Err(Failure::usage("give --key or --pkcs11")),
        }
    }
}
