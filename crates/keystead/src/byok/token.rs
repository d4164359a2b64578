//! A key straight out of a PKCS#11 token. The vendor's library is loaded in a worker's process, as a server's is; the
//! key is wrapped inside the token, and only so it leaves.
//!
//! Before the key is touched, each way in which the token might wrap it is tried on a throw-away key of its kind, for a
//! key exchange key of our own: what comes out must be that throw-away key.

use super::show::{Made, Source, kind};
use super::wrap::{Kek, Trial, private_key};
use crate::exit::Failure;
use crate::hsm::settings::{HsmSection, PlacementSetting};
use crate::setup::moment;
use keystead_crypto::aes::cbc::{self, Fill};
use keystead_hsm::client::WrappedOut;
use keystead_hsm::{Client, Description, HsmError, NotExported, Recipe, Subject, Wanted, WrapClass};
use keystead_model::{KeySpec, PublicKey, Size};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Instant;

#[derive(clap::Args)]
#[command(group = clap::ArgGroup::new("which").args(["label", "id"]).multiple(true))]
pub(super) struct TokenArgs {
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
    pub(super) fn module(&self) -> Option<&Path> {
        self.pkcs11.as_deref()
    }

    fn wanted(&self) -> Wanted {
        Wanted { label: self.label.clone(), id: self.id.clone().map(|id| id.0) }
    }

    fn section(&self, module: &Path) -> Result<HsmSection, Failure> {
        Ok(HsmSection {
            name: "byok".to_owned(),
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
        })
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

/// Wraps the key, after a recipe was proven. The worker ends with it, and with the worker whatever is left of it.
pub(super) async fn wrap(module: &Path, args: &TokenArgs, kek: &Kek) -> Result<Made, Failure> {
    let client = args.section(module)?.visit()?;
    let made = wrapped(&client, args.wanted(), kek).await;
    client.stop().await;
    made
}

async fn wrapped(client: &Client, wanted: Wanted, kek: &Kek) -> Result<Made, Failure> {
    let described = client.describe(soon()).await.map_err(failure)?;
    let located = client.locate(wanted.clone(), soon()).await.map_err(failure)?;
    let trial = Trial::like(kek).map_err(|e| Failure::check(e.to_string()))?;
    let (recipe, zeros) = proven(client, located.spec, &located.recipes, &trial).await?;
    let asked = client.wrap_out(Subject::Own(wanted), kek.public(), recipe, soon()).await;
    let out = asked.map_err(failure)?;
    if out.spec != located.spec {
        return Err(Failure::check("the token has another key of that name now: run it again"));
    }
    let spec = spec_of(&out, kek)?;
    let zeros_behind = !matches!(spec.size(), Size::Secret(_)) && (zeros || extends(&described, recipe));
    Ok(Made {
        spec,
        wrapped: out.wrapped,
        recipe: format!("{recipe} in the token"),
        zeros_behind,
        maker: format!("; {} {}, firmware {}", described.manufacturer, described.model, described.firmware),
        source: Source::Token { label: described.label, serial: described.serial, id: hex::encode(located.id) },
    })
}

/// Whether the self-test saw that the token wraps zeros along.
fn extends(described: &Description, recipe: Recipe) -> bool {
    matches!(recipe, Recipe::Composed(_)) && described.wrap == WrapClass::KwpZeroExtended
}

/// The first recipe that gives what it should, and whether zeros were behind it. Otherwise every one is named with the
/// step that failed.
async fn proven(client: &Client, spec: KeySpec, recipes: &[Recipe], trial: &Trial) -> Result<(Recipe, bool), Failure> {
    let mut failed = Vec::new();
    for recipe in recipes {
        let asked = client.wrap_out(Subject::Trial(spec), trial.kek.public(), *recipe, soon()).await;
        match asked {
            Ok(out) => match comes_out(trial, &out) {
                Some(zeros) => return Ok((*recipe, zeros)),
                None => failed.push(format!("{recipe}: what it wrapped does not come out as itself")),
            },
            Err(HsmError::NotExported(why @ NotExported::Step { .. })) => failed.push(format!("{recipe}: {why}")),
            Err(other) => return Err(failure(other)),
        }
    }
    Err(Failure::check(format!(
        "the key was not touched: no way in which the token wraps gave back a throw-away key, {}, as a .byok file must: \
         {}",
        kind(spec),
        failed.join("; ")
    )))
}

/// Whether a throw-away key comes out as itself, and if so whether zeros were behind it.
fn comes_out(trial: &Trial, out: &WrappedOut) -> Option<bool> {
    let key = trial.opened(&out.wrapped)?;
    if let Size::Secret(bits) = out.spec.size() {
        let block = cbc::encrypt(&key, &[0; 16], Fill::Zeros, &[0; 16]).ok()?;
        let same = key.len() == usize::from(bits / 8) && block == out.check && out.public == PublicKey::Symmetric;
        return same.then_some(false);
    }
    (0..8).find_map(|zeros: usize| {
        let (document, behind) = key.split_at_checked(key.len().checked_sub(zeros)?)?;
        let same = private_key(document)? == (out.spec, out.public.clone());
        (same && behind.iter().all(|byte| *byte == 0)).then_some(zeros > 0)
    })
}

/// What was wrapped: the length of a symmetric key shows itself.
fn spec_of(out: &WrappedOut, kek: &Kek) -> Result<KeySpec, Failure> {
    let key = out.wrapped.len().checked_sub(kek.size.modulus_len().saturating_add(8));
    let odd = || Failure::check("the token wrapped something of another length: the blob is not kept");
    let key = key.filter(|key| *key > 0 && key.is_multiple_of(8)).ok_or_else(odd)?;
    match out.spec.size() {
        Size::Secret(_) => {
            let bits = u16::try_from(key.saturating_mul(8)).ok();
            bits.and_then(|bits| KeySpec::of_size(Size::Secret(bits))).ok_or_else(odd)
        }
        _ => Ok(out.spec),
    }
}

fn soon() -> Instant {
    moment(PATIENCE).deadline
}

/// What a token's answer is to the one who called.
fn failure(e: HsmError) -> Failure {
    let text = match &e {
        HsmError::PinRefused => "the token refused the PIN: correct its file before you try again, as tokens lock \
                                 themselves"
            .to_owned(),
        other => other.to_string(),
    };
    match e {
        HsmError::NotExported(NotExported::Several { .. } | NotExported::Kind { .. }) | HsmError::Setting { .. } => {
            Failure::usage(text)
        }
        HsmError::NotExported(NotExported::Lacks { .. } | NotExported::Step { .. }) => Failure::check(text),
        HsmError::NotExported(_) | HsmError::PinRefused => Failure::denied(text),
        _ => Failure::unavailable(text),
    }
}
