//! An approver's private key: in a file, or in a PKCS#11 token that it never leaves.

use crate::exit::Failure;
use crate::hsm::owned::{TokenArgs, failure, soon};
use crate::pem;
use keystead_crypto::sha256;
use keystead_crypto::signature::{PrivateKey, PublicKey};
use keystead_hsm::{Client, HsmError, Wanted};
use std::path::PathBuf;

/// Which key, and what opens it.
#[derive(clap::Args)]
#[command(group = clap::ArgGroup::new("approver_key").args(["key", "pkcs11"]).required(true))]
pub(super) struct KeyArgs {
    /// The approver's private key, PEM; readable by its owner alone
    #[arg(long, value_name = "KEY.pem")]
    key: Option<PathBuf>,
    /// The passphrase of an encrypted key: the first line of this file
    #[arg(long, value_name = "FILE", conflicts_with = "pkcs11")]
    passphrase_file: Option<PathBuf>,
    #[command(flatten)]
    token: TokenArgs,
}

impl KeyArgs {
    /// Signs a text: the public key, and 64 bytes.
    pub(super) async fn sign(&self, text: &str) -> Result<(PublicKey, Vec<u8>), Failure> {
        let Some(module) = self.token.module() else {
            let file = self.key.as_deref().ok_or_else(|| Failure::usage("give --key or --pkcs11"))?;
            let key: PrivateKey = pem::read(file, self.passphrase_file.as_deref())?;
            let unusable = |e: keystead_crypto::CryptoError| Failure::unavailable(e.to_string());
            return Ok((key.public().map_err(unusable)?, key.sign(text.as_bytes()).map_err(unusable)?));
        };
        let client = self.token.visit(module, "approver")?;
        let signed = in_token(&client, &self.token.wanted(), text).await;
        client.stop().await;
        signed
    }
}

async fn in_token(client: &Client, wanted: &Wanted, text: &str) -> Result<(PublicKey, Vec<u8>), Failure> {
    let point = client.text_key(wanted.clone(), soon()).await.map_err(told)?;
    let public = public(&point).ok_or_else(|| Failure::check("the token tells no public half of the key"))?;
    let message = match &public {
        PublicKey::Ed25519(_) => text.as_bytes().to_vec(),
        PublicKey::P256(..) => sha256(&[text.as_bytes()]).to_vec(),
    };
    let signature = client.sign_text(wanted.clone(), message, soon()).await.map_err(told)?;
    match public.verify(text.as_bytes(), &signature) {
        true => Ok((public, signature)),
        false => Err(Failure::check(
            "what the token signed does not count under the public key that it has by the same label and id",
        )),
    }
}

/// 32 bytes are Ed25519's; another point is one of P-256.
fn public(point: &[u8]) -> Option<PublicKey> {
    if let Ok(key) = point.try_into() {
        return Some(PublicKey::Ed25519(key));
    }
    let (x, y) = point.strip_prefix(&[4])?.split_at_checked(32)?;
    let public = PublicKey::P256(x.try_into().ok()?, y.try_into().ok()?);
    // A point off the curve is none.
    PublicKey::from_spki(&public.to_spki())
}

/// What a token cannot is said with what to do about it.
fn told(e: HsmError) -> Failure {
    match e {
        HsmError::NotSupported { what } => Failure::check(format!(
            "the token cannot do {what}: an approver's key is one of Ed25519 or P-256, in a token that signs with it, or \
             in a file"
        )),
        other => failure(other),
    }
}
