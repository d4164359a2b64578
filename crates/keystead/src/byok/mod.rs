//! `keystead byok`: keys of one's own on their way into a Key Vault, ours or Azure's.
//!
//! - [`wrap`]: how a key is wrapped; proven on a key exchange key of one's own before the real one is used
//! - [`token`]: the same inside a PKCS#11 token, which the key leaves only so
//! - [`show`]: what was wrapped, as a table and as JSON

mod show;
mod token;
mod wrap;

use crate::exit::Failure;
use crate::hsm::owned::TokenArgs;
use crate::key::files::{InputArgs, OutArgs};
use crate::output::{self, OutputArgs};
use keystead_formats::byok::{KekId, TransferBlob};
use keystead_model::{KeySpec, Size};
use rustls_pki_types::PrivatePkcs8KeyDer;
use rustls_pki_types::pem::PemObject as _;
use show::Made;
use std::path::PathBuf;
use wrap::Kek;
use zeroize::Zeroizing;

#[derive(clap::Args)]
#[command(after_help = "\
Example:
  keystead byok wrap --kek kek.pem --kid https://localhost:8443/keys/kek/VERSION \\
    --in signing.pem --out signing.byok")]
pub(crate) struct Args {
    #[command(subcommand)]
    command: Command,
    #[command(flatten)]
    output: OutputArgs,
}

#[derive(clap::Subcommand)]
enum Command {
    /// Make a key transfer blob (.byok) for any Key Vault or Managed HSM
    #[command(after_help = "\
Examples:
  keystead key create kek --kty RSA --size 3072 --ops import
  keystead key show kek --pem > kek.pem
  keystead byok wrap --kek kek.pem --kid https://localhost:8443/keys/kek/VERSION \\
    --in signing.pem --out signing.byok
  keystead key import signing --byok RSA --in signing.byok

Straight out of a PKCS#11 token, whose key is never in clear outside it:
  keystead byok wrap --kek kek.pem --kid https://localhost:8443/keys/kek/VERSION \\
    --pkcs11 /usr/lib/softhsm/libsofthsm2.so --label signing --pin-file pin \\
    --environment SOFTHSM2_CONF --out signing.byok

The blob goes to --out, and what was done is shown; without --out the blob goes to
standard output, and `--output json` puts it beside what was done.

For Azure: `az keyvault key create --kty RSA-HSM --ops import`, download its
public key, and upload with `az keyvault key import --byok-file`.")]
    Wrap(Box<Wrap>),
}

#[derive(clap::Args)]
struct Wrap {
    /// The public half of the key exchange key: PEM, RSA of 2048, 3072 or 4096 bits
    #[arg(long, value_name = "PUBLIC.pem")]
    kek: PathBuf,
    /// Its id with its version, as the vault shows it
    #[arg(long, value_name = "ID")]
    kid: String,
    /// What is read is the bytes of a symmetric key; otherwise a private key in PKCS#8, PEM or DER
    #[arg(long, conflicts_with = "pkcs11")]
    raw: bool,
    /// The key is in this file; `-` is standard input
    #[arg(long = "in", visible_alias = "key", value_name = "FILE", default_value = "-", conflicts_with = "pkcs11")]
    input: PathBuf,
    #[command(flatten)]
    token: TokenArgs,
    #[command(flatten)]
    out: OutArgs,
}

/// Most bytes of a private key.
const MAX_KEY: u64 = 16 << 10;

pub(crate) async fn run(args: Args) -> Result<(), Failure> {
    let Command::Wrap(wrap) = args.command;
    KekId::parse(&wrap.kid).map_err(|e| Failure::usage(format!("--kid: {e}")))?;
    let kek = Kek::read(&wrap.kek)?;
    let made = match wrap.token.module() {
        Some(module) => token::wrap(module, &wrap.token, &kek).await?,
        None => of_file(&wrap, &kek)?,
    };
    let generator = [concat!("keystead ", env!("CARGO_PKG_VERSION")), &made.maker].join("");
    let blob = TransferBlob { kid: wrap.kid.clone(), ciphertext: made.wrapped.clone(), generator };
    if made.zeros_behind {
        output::note(show::ZEROS);
    }
    match (wrap.out.is_file(), args.output.is_json()) {
        (false, false) => wrap.out.write(blob.to_json().as_bytes()),
        (false, true) => output::json(&made.json(&kek, &blob, true)),
        (true, json) => {
            wrap.out.write(blob.to_json().as_bytes())?;
            if json { output::json(&made.json(&kek, &blob, false)) } else { output::fields(made.fields(&kek, &blob)) }
        }
    }
}

fn of_file(args: &Wrap, kek: &Kek) -> Result<Made, Failure> {
    let (spec, key) = secret(&InputArgs::from(args.input.clone()).read(MAX_KEY)?, args.raw)?;
    let wrapped = wrap::wrap(kek, &key).map_err(|e| Failure::check(format!("{}: {e}", args.kek.display())))?;
    Ok(Made::of_file(spec, wrapped))
}

/// What is wrapped: PKCS#8 in DER, or the bytes of a symmetric key.
fn secret(read: &[u8], raw: bool) -> Result<(KeySpec, Zeroizing<Vec<u8>>), Failure> {
    if raw {
        let bits = u16::try_from(read.len().saturating_mul(8)).ok();
        let spec = bits.and_then(|bits| KeySpec::of_size(Size::Secret(bits)));
        let bad = || Failure::usage("a symmetric key has 16, 24 or 32 bytes");
        return spec.map(|spec| (spec, Zeroizing::new(read.to_vec()))).ok_or_else(bad);
    }
    let key = match PrivatePkcs8KeyDer::from_pem_slice(read) {
        Ok(pem) => Zeroizing::new(pem.secret_pkcs8_der().to_vec()),
        Err(_) => Zeroizing::new(read.to_vec()),
    };
    if let Some((spec, _)) = wrap::private_key(&key) {
        return Ok((spec, key));
    }
    Err(Failure::usage(
        "what was read is no private key in PKCS#8 of a kind that is served (RSA 2048, 3072, 4096; EC P-256, P-384, \
         P-521, P-256K): `openssl pkcs8 -topk8 -nocrypt` makes one of other formats; a symmetric key needs --raw",
    ))
}
