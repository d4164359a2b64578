//! `keystead byok`: keys of one's own on their way into a Key Vault, ours or Azure's.
//!
//! - [`wrap`]: how a key is wrapped; proven on a key exchange key of one's own before the real one is used

mod wrap;

use crate::exit::Failure;
use crate::key::files::{InputArgs, OutArgs};
use keystead_formats::byok::{KekId, TransferBlob};
use rustls_pki_types::pem::PemObject as _;
use rustls_pki_types::{PrivatePkcs8KeyDer, SubjectPublicKeyInfoDer};
use std::path::{Path, PathBuf};
use zeroize::Zeroizing;

#[derive(clap::Args)]
pub(crate) struct Args {
    #[command(subcommand)]
    command: Command,
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

For Azure: `az keyvault key create --kty RSA-HSM --ops import`, download its
public key, and upload with `az keyvault key import --byok-file`.")]
    Wrap(Wrap),
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
    #[arg(long)]
    raw: bool,
    #[command(flatten)]
    input: InputArgs,
    #[command(flatten)]
    out: OutArgs,
}

/// Most bytes of a private key.
const MAX_KEY: u64 = 16 << 10;

pub(crate) fn run(args: Args) -> Result<(), Failure> {
    let Command::Wrap(wrap) = args.command;
    KekId::parse(&wrap.kid).map_err(|e| Failure::usage(format!("--kid: {e}")))?;
    let kek = public(&wrap.kek)?;
    let key = secret(&wrap.input.read(MAX_KEY)?, wrap.raw)?;
    let ciphertext = wrap::wrap(&kek, &key).map_err(|e| Failure::usage(format!("{}: {e}", wrap.kek.display())))?;
    let generator = concat!("keystead ", env!("CARGO_PKG_VERSION")).to_owned();
    let blob = TransferBlob { kid: wrap.kid, ciphertext, generator };
    wrap.out.write(blob.to_json().as_bytes())
}

fn public(file: &Path) -> Result<Vec<u8>, Failure> {
    let spki = SubjectPublicKeyInfoDer::from_pem_file(file);
    let spki = spki.map_err(|e| Failure::usage(format!("cannot read a public key in {}: {e}", file.display())))?;
    Ok(spki.as_ref().to_vec())
}

/// What is wrapped: PKCS#8 in DER, or the bytes of a symmetric key.
fn secret(read: &[u8], raw: bool) -> Result<Zeroizing<Vec<u8>>, Failure> {
    if raw {
        let good = matches!(read.len(), 16 | 24 | 32);
        let bad = || Failure::usage("a symmetric key has 16, 24 or 32 bytes");
        return if good { Ok(Zeroizing::new(read.to_vec())) } else { Err(bad()) };
    }
    let key = match PrivatePkcs8KeyDer::from_pem_slice(read) {
        Ok(pem) => Zeroizing::new(pem.secret_pkcs8_der().to_vec()),
        Err(_) => Zeroizing::new(read.to_vec()),
    };
    if wrap::is_private_key(&key) {
        return Ok(key);
    }
    Err(Failure::usage(
        "what was read is no private key in PKCS#8 of a kind that is served (RSA 2048, 3072, 4096; EC P-256, P-384, \
         P-521, P-256K): `openssl pkcs8 -topk8 -nocrypt` makes one of other formats; a symmetric key needs --raw",
    ))
}
