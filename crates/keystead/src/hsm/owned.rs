//! A key in somebody's own PKCS#11 token, as a command line names it: `byok wrap` takes one out of it, a custodian
//! works with one in it. The vendor's library is loaded in a worker's process, as a server's is.

use super::settings::{HsmSection, PlacementSetting};
use crate::exit::Failure;
use crate::setup::moment;
use keystead_hsm::{Client, HsmError, NotExported, Wanted};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Instant;

#[derive(clap::Args)]
#[command(group = clap::ArgGroup::new("which").args(["label", "id"]).multiple(true))]
pub(crate) struct TokenArgs {
    /// The key is in a token of this PKCS#11 library
    #[arg(long, value_name = "MODULE", requires_all = ["pin_file", "which"])]
    pkcs11: Option<PathBuf>,
    /// The label of the key (CKA_LABEL)
    #[arg(long, value_name = "LABEL", requires = "pkcs11")]
    label: Option<String>,
    /// Its id (CKA_ID) in hexadecimal, where several keys have its label
    #[arg(long, value_name = "HEX", requires = "pkcs11", value_parser = id)]
    id: Option<Id>,
    /// The token's label, where the library has several
    #[arg(long, value_name = "LABEL", requires = "pkcs11", conflicts_with = "serial")]
    token: Option<String>,
    /// Or its serial number
    #[arg(long, value_name = "SERIAL", requires = "pkcs11")]
    serial: Option<String>,
    /// The user PIN, in a file for the owner alone
    #[arg(long, value_name = "FILE", requires = "pkcs11")]
    pin_file: Option<PathBuf>,
    /// An environment variable that the library needs; without a value, as it is here
    #[arg(long, value_name = "NAME[=VALUE]", requires = "pkcs11")]
    environment: Vec<String>,
    /// The library reaches its token over the network
    #[arg(long, requires = "pkcs11")]
    network: bool,
    /// The user that the library runs as, if this is root
    #[arg(long, value_name = "USER", requires = "pkcs11")]
    user: Option<String>,
}

/// Bytes.
#[derive(Clone)]
struct Id(Vec<u8>);

fn id(text: &str) -> Result<Id, String> {
    match hex::decode(text) {
        Ok(id) if !id.is_empty() => Ok(Id(id)),
        _ => Err("give pairs of hexadecimal digits, as `pkcs11-tool --list-objects` shows them".to_owned()),
    }
}

impl TokenArgs {
    /// The library, if a token was named.
    pub(crate) fn module(&self) -> Option<&Path> {
        self.pkcs11.as_deref()
    }

    /// Which key of the token.
    pub(crate) fn wanted(&self) -> Wanted {
        Wanted { label: self.label.clone(), id: self.id.clone().map(|id| id.0) }
    }

    /// Starts a worker for the token, under a name for its log. Nothing of ours stays in the token.
    pub(crate) fn visit(&self, module: &Path, name: &str) -> Result<Client, Failure> {
        let section = HsmSection {
            name: name.to_owned(),
            module: module.to_owned(),
            label: self.token.clone(),
            serial: self.serial.clone(),
            pin_file: self.pin_file.clone(),
            pin_credential: None,
            placement: PlacementSetting::Wrapped,
            sessions: Some(1),
            network: self.network,
            user: self.user.clone(),
            environment: self.environment.iter().map(|text| variable(text)).collect::<Result<BTreeMap<_, _>, _>>()?,
        };
        section.visit()
    }
}

fn variable(text: &str) -> Result<(String, String), Failure> {
    if let Some((name, value)) = text.split_once('=') {
        return Ok((name.to_owned(), value.to_owned()));
    }
    let value = std::env::var_os(text).and_then(|value| value.into_string().ok());
    let value =
        value.ok_or_else(|| Failure::usage(format!("--environment: {text} is not set here: give {text}=VALUE")))?;
    Ok((text.to_owned(), value))
}

/// How long a token may take for one call. Making a large RSA key takes some of them minutes.
const PATIENCE: u64 = 240;

/// When a call that begins now is too late.
pub(crate) fn soon() -> Instant {
    moment(PATIENCE).deadline
}

/// What a token's answer is to the one who called.
pub(crate) fn failure(e: HsmError) -> Failure {
    let text = match &e {
        HsmError::PinRefused => "the token refused the PIN: correct its file before you try again, as tokens lock \
                                 themselves"
            .to_owned(),
        other => other.to_string(),
    };
    match e {
        HsmError::NotExported(NotExported::Several { .. } | NotExported::Kind { .. })
        | HsmError::Setting { .. }
        | HsmError::NotRsa => Failure::usage(text),
        HsmError::NotExported(NotExported::Lacks { .. } | NotExported::Step { .. }) => Failure::check(text),
        HsmError::NotExported(_) | HsmError::PinRefused => Failure::refused(text),
        _ => Failure::unavailable(text),
    }
}
