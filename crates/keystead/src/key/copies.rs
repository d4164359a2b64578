//! `keystead key import`, `backup` and `restore`: keys from elsewhere, and sealed copies of keys.

use super::files::{InputArgs, OutArgs};
use super::words::Kty;
use super::{Session, view, words};
use crate::exit::Failure;
use crate::output;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use keystead_client::{ImportKey, PrivateJwk, SetAttributes};
use keystead_model::{Curve, Name, ProtectionLevel};

/// Most bytes of a key to be imported.
const MAX_KEY: u64 = 64 << 10;
/// Most bytes of a backup.
const MAX_BACKUP: u64 = 704 << 10;

#[derive(clap::Args)]
#[command(after_help = "\
Examples:
  keystead key import payments --in payments.jwk
  head -c 32 /dev/urandom | keystead key import archive --raw
  keystead key import signing --byok RSA --in signing.byok

A name that exists gets a new version. The key is a private JWK (RFC 7517) of
type EC, RSA or oct, with all its numbers; with --raw it is the bytes of a
symmetric key. With --byok it is a key transfer blob, wrapped for a key of the
vault that has the operation import (`keystead byok wrap` makes one).")]
pub(crate) struct Import {
    /// 1 to 127 characters of 0-9, a-z, A-Z and -
    #[arg(value_parser = words::name)]
    name: Name,
    /// What is read is the bytes of a symmetric key
    #[arg(long, conflicts_with = "byok")]
    raw: bool,
    /// What is read is a key transfer blob (.byok) with a key of this kind
    #[arg(long, value_name = "KTY", value_enum, ignore_case = true)]
    byok: Option<Kty>,
    /// Curve of an EC key in a key transfer blob
    #[arg(long, value_name = "CURVE", value_parser = words::curve, requires = "byok")]
    curve: Option<Curve>,
    /// Into the vault's HSM
    #[arg(long)]
    hsm: bool,
    /// A tag; repeat for more
    #[arg(long = "tag", value_name = "NAME=VALUE", value_parser = words::tag)]
    tags: Vec<(String, String)>,
    /// Not usable until it is enabled
    #[arg(long)]
    disabled: bool,
    #[command(flatten)]
    input: InputArgs,
}

impl Import {
    pub(crate) async fn run(self, session: &Session) -> Result<(), Failure> {
        let bytes = self.input.read(MAX_KEY)?;
        let key = match self.byok {
            Some(kty) => {
                let level = if self.hsm { ProtectionLevel::Hsm } else { ProtectionLevel::Software };
                let spec = kty.spec(self.curve, None).map_err(Failure::usage)?;
                Some(PrivateJwk::transfer_blob(level.kty(spec), spec.curve(), &bytes))
            }
            None if self.raw => Some(PrivateJwk::symmetric(&bytes)),
            None => PrivateJwk::parse(&bytes),
        };
        let key = key.ok_or_else(|| Failure::usage("what was read is not a JWK: give one, or --raw"))?;
        let attributes = self.disabled.then(|| SetAttributes { enabled: Some(false), ..SetAttributes::default() });
        let tags = (!self.tags.is_empty()).then(|| self.tags.into_iter().collect());
        let import = ImportKey { key, hsm: self.hsm.then_some(true), attributes, tags };
        let done = session.client.import_key(&self.name, &import).await.map_err(|e| session.shown.failure(&e))?;
        view::key(session, &done)
    }
}

#[derive(clap::Args)]
#[command(after_help = "\
Example:
  keystead key backup payments --out payments.backup

The backup holds all versions, sealed: it is restored in this vault only.")]
pub(crate) struct Backup {
    /// Which key
    #[arg(value_parser = words::name)]
    name: Name,
    #[command(flatten)]
    out: OutArgs,
}

impl Backup {
    pub(crate) async fn run(self, session: &Session) -> Result<(), Failure> {
        let done = session.client.backup_key(&self.name).await.map_err(|e| session.shown.failure(&e))?;
        if session.shown.is_json() {
            let backup = URL_SAFE_NO_PAD.encode(&done.value);
            let json = serde_json::json!({ "value": backup, "receipt": done.receipt });
            return self.out.write(&output::json_bytes(&json)?);
        }
        self.out.write(&done.value)?;
        session.shown.receipt(done.receipt.as_deref());
        Ok(())
    }
}

#[derive(clap::Args)]
#[command(after_help = "\
Example:
  keystead key restore --in payments.backup

The key gets the name it had, which must be free: delete and purge the key
that has it first.")]
pub(crate) struct Restore {
    #[command(flatten)]
    input: InputArgs,
}

impl Restore {
    pub(crate) async fn run(self, session: &Session) -> Result<(), Failure> {
        let backup = self.input.read(MAX_BACKUP)?;
        let done = session.client.restore_key(&backup).await.map_err(|e| session.shown.failure(&e))?;
        view::key(session, &done)
    }
}
