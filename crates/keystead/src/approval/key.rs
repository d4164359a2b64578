//! An approver's private key: in a file, or in a PKCS#11 token that it never leaves.

use crate::exit::Failure;
use crate::hsm::owned::{failure, soon};
use crate::own_key::{KeyArgs, Place};
use crate::pem;
use keystead_crypto::sha256;
use keystead_crypto::signature::{PrivateKey, PublicKey};
use keystead_hsm::{Client, HsmError, Wanted};

/// Signs a text: the public key, and 64 bytes.
pub(super) async fn sign(key: &KeyArgs, text: &str) -> Result<(PublicKey, Vec<u8>), Failure> {
    match key.place()? {
        Place::File(file, passphrase_file) => {
            let key: PrivateKey = pem::read(file, passphrase_file)?;
            let unusable = |e: keystead_crypto::CryptoError| Failure::unavailable(e.to_string());
            Ok((key.public().map_err(unusable)?, key.sign(text.as_bytes()).map_err(unusable)?))
        }
        Place::Token(module, args) => {
            let client = args.visit(module, "approver")?;
            let signed = in_token(&client, &args.wanted(), text).await;
            client.stop().await;
            signed
        }
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
