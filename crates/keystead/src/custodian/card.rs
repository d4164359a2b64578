//! A custodian's key in a PKCS#11 token: the token decrypts his share's key and signs his confirmation.

use crate::exit::Failure;
use crate::hsm::owned::{TokenArgs, failure, soon};
use keystead_crypto::sha256;
use keystead_hsm::{Client, HsmError, Wanted};
use keystead_model::PublicKey;
use std::path::Path;
use tokio::runtime::Runtime;
use zeroize::Zeroizing;

/// A token that is open, and which key of it. Its worker ends with this.
pub(crate) struct Card {
    runtime: Runtime,
    client: Client,
    wanted: Wanted,
    n: Vec<u8>,
    e: Vec<u8>,
}

impl Card {
    /// Opens the token and finds the key.
    pub(super) fn open(module: &Path, args: &TokenArgs) -> Result<Self, Failure> {
        let runtime = crate::runtime()?;
        let client = {
            let _inside = runtime.enter();
            args.visit(module, "custodian")?
        };
        let mut card = Self { runtime, client, wanted: args.wanted(), n: Vec::new(), e: Vec::new() };
        let public = card.runtime.block_on(card.client.owned_public(card.wanted.clone(), soon())).map_err(told)?;
        let PublicKey::Rsa { n, e } = public else { return Err(told(HsmError::NotRsa)) };
        (card.n, card.e) = (n, e);
        Ok(card)
    }

    /// Modulus and exponent.
    pub(super) fn public(&self) -> (&[u8], &[u8]) {
        (&self.n, &self.e)
    }

    /// RSA-OAEP with SHA-256; nothing, if it was not encrypted to this key.
    pub(super) fn decrypt(&self, cipher: &[u8]) -> Result<Option<Zeroizing<Vec<u8>>>, Failure> {
        let asked = self.client.owned_decrypt(self.wanted.clone(), cipher.to_vec(), soon());
        match self.runtime.block_on(asked) {
            Ok(plain) => Ok(Some(plain)),
            Err(HsmError::DecryptFailed) => Ok(None),
            Err(e) => Err(told(e)),
        }
    }

    /// RSASSA-PSS with SHA-256.
    pub(super) fn sign(&self, message: &[u8]) -> Result<Vec<u8>, Failure> {
        let asked = self.client.owned_sign(self.wanted.clone(), sha256(&[message]).to_vec(), soon());
        self.runtime.block_on(asked).map_err(told)
    }
}

impl Drop for Card {
    fn drop(&mut self) {
        self.runtime.block_on(self.client.stop());
    }
}

/// What a token cannot is said with what to do about it.
fn told(e: HsmError) -> Failure {
    match e {
        HsmError::NotSupported { what } => Failure::check(format!(
            "the token cannot do {what}, which a custodian's key must: use a token that can, or a key in a file, and \
             have the security domain made for its certificate"
        )),
        other => failure(other),
    }
}
