//! A custodian's key in a PKCS#11 token: the token decrypts his share's key and signs his confirmation. Of a token that
//! has the bare RSA operation alone the padding is undone here.

use crate::exit::Failure;
use crate::hsm::owned::{TokenArgs, failure, soon};
use keystead_crypto::rsa::Block;
use keystead_crypto::sha256;
use keystead_hsm::{Client, Decrypted, HsmError, Wanted};
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
            Ok(Decrypted::Plain(plain)) => Ok(Some(plain)),
            Ok(Decrypted::Block(made)) => unpadded(self.public(), cipher, &made),
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

/// What the bare operation made of a ciphertext is believed only if the public half says so, too.
fn unpadded((n, e): (&[u8], &[u8]), cipher: &[u8], made: &[u8]) -> Result<Option<Zeroizing<Vec<u8>>>, Failure> {
    match Block::proven(n, e, cipher, made) {
        Some(block) => Ok(block.oaep_sha256().ok()),
        None => Err(Failure::check(
            "the token decrypted to what its own public key does not confirm: it is defective or lies; use another \
             token, or a key in a file",
        )),
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

#[cfg(test)]
mod tests {
    use super::*;
    use keystead_crypto::rsa::{EXPONENT, PrivateKey, Scheme, Size};

    #[test]
    fn a_token_that_decrypts_to_anything_else_than_its_key_makes_is_named() {
        let key = PrivateKey::generate(Size::Bits2048, EXPONENT).unwrap();
        let cipher = key.encrypt(Scheme::OaepSha256, b"share").unwrap();
        for made in [&[0; 256][..], &[1; 256], &[], &[1; 300], b"share"] {
            let Err(failure) = unpadded(key.public(), &cipher, made) else { panic!("believed") };
            assert_eq!(failure.code(), 1);
            assert!(failure.into_message().contains("its own public key does not confirm"));
        }
    }
}
