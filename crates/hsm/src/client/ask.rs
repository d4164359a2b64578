//! A method for each call, with what its answer holds.

use super::Client;
use crate::call::{Call, Destination, Held, KeyId, Owner, Parts, Reply, Stored};
use crate::describe::Description;
use crate::error::HsmError;
use crate::export::{Recipe, Subject, Wanted};
use keystead_model::{CipherAlgorithm, KeySpec, PublicExponent, PublicKey, SignAlgorithm};
use std::time::Instant;
use zeroize::Zeroizing;

/// A key that was made or brought in.
#[derive(Clone, PartialEq, Eq)]
pub struct Made {
    /// The public half.
    pub public: PublicKey,
    /// What is to be kept.
    pub stored: Stored,
}

/// What [`Client::encrypt`] gives.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Encrypted {
    /// The ciphertext.
    pub value: Vec<u8>,
    /// The nonce, if one was made.
    pub iv: Option<Vec<u8>>,
    /// The tag, if the algorithm has one.
    pub tag: Option<Vec<u8>>,
}

/// Takes the reply to a call apart; any other kind is the worker's fault.
macro_rules! expect {
    ($reply:expr, $pattern:pat => $value:expr) => {
        match $reply {
            $pattern => Ok($value),
            _ => Err(HsmError::Failed { code: "an answer to another question".to_owned() }),
        }
    };
}

/// See [`Call`] for what each means.
impl Client {
    /// What the token is and can.
    pub async fn describe(&self, by: Instant) -> Result<Description, HsmError> {
        expect!(self.call(Call::Describe, by).await?, Reply::Description(it) => *it)
    }

    /// Whether the token still answers and has its canary.
    pub async fn check(&self, by: Instant) -> Result<(), HsmError> {
        expect!(self.call(Call::Check, by).await?, Reply::Done => ())
    }

    /// Whether the token holds this wrapping key.
    pub async fn holds_wrapping(&self, id: KeyId, by: Instant) -> Result<bool, HsmError> {
        expect!(self.call(Call::HoldsWrapping(id), by).await?, Reply::Holds(holds) => holds)
    }

    /// The public half of a new transfer key, and whether OAEP under it is with SHA-256 (with SHA-1 if not).
    pub async fn transfer_key(&self, by: Instant) -> Result<(PublicKey, bool), HsmError> {
        expect!(self.call(Call::TransferKey, by).await?, Reply::Transfer { public, sha256 } => (public, sha256))
    }

    /// Brings in a wrapping key under the transfer key.
    pub async fn install_wrapping(&self, id: KeyId, wrapped: Vec<u8>, by: Instant) -> Result<(), HsmError> {
        expect!(self.call(Call::InstallWrapping { id, wrapped }, by).await?, Reply::Done => ())
    }

    /// Makes a key.
    pub async fn generate(
        &self,
        id: KeyId,
        spec: KeySpec,
        exponent: PublicExponent,
        to: Destination,
        by: Instant,
    ) -> Result<Made, HsmError> {
        self.make(Call::Generate { id, spec, exponent, to }, by).await
    }

    /// Takes a key from outside, in clear.
    pub async fn import(
        &self,
        id: KeyId,
        spec: KeySpec,
        parts: Parts,
        to: Destination,
        by: Instant,
    ) -> Result<Made, HsmError> {
        self.make(Call::Import { id, spec, parts, to }, by).await
    }

    /// Takes a key from outside, wrapped under a key exchange key.
    pub async fn import_wrapped(
        &self,
        id: KeyId,
        spec: KeySpec,
        kek: Held,
        wrapped: Vec<u8>,
        to: Destination,
        by: Instant,
    ) -> Result<Made, HsmError> {
        self.make(Call::ImportWrapped { id, spec, kek, wrapped, to }, by).await
    }

    async fn make(&self, call: Call, by: Instant) -> Result<Made, HsmError> {
        expect!(self.call(call, by).await?, Reply::Made { public, stored } => Made { public, stored })
    }

    /// Signs a digest.
    pub async fn sign(
        &self,
        key: Held,
        algorithm: SignAlgorithm,
        digest: Vec<u8>,
        by: Instant,
    ) -> Result<Vec<u8>, HsmError> {
        expect!(self.call(Call::Sign { key, algorithm, digest }, by).await?, Reply::Bytes(signature) => signature)
    }

    /// Encrypts with a symmetric key.
    pub async fn encrypt(
        &self,
        key: Held,
        algorithm: CipherAlgorithm,
        data: Zeroizing<Vec<u8>>,
        iv: Vec<u8>,
        aad: Vec<u8>,
        by: Instant,
    ) -> Result<Encrypted, HsmError> {
        let reply = self.call(Call::Encrypt { key, algorithm, data, iv, aad }, by).await?;
        expect!(reply, Reply::Encrypted { value, iv, tag } => Encrypted { value, iv, tag })
    }

    /// Decrypts. The call says all: key, algorithm, ciphertext, IV, tag, associated data.
    pub async fn decrypt(&self, call: Ciphertext, by: Instant) -> Result<Zeroizing<Vec<u8>>, HsmError> {
        let Ciphertext { key, algorithm, data, iv, tag, aad } = call;
        let reply = self.call(Call::Decrypt { key, algorithm, data, iv, tag, aad }, by).await?;
        expect!(reply, Reply::Plain(plain) => plain)
    }

    /// Random bytes of the token: 1 to 128.
    pub async fn random(&self, count: u8, by: Instant) -> Result<Vec<u8>, HsmError> {
        expect!(self.call(Call::Random { count }, by).await?, Reply::Bytes(bytes) => bytes)
    }

    /// Destroys a resident key of this owner's.
    pub async fn destroy(&self, owner: Owner, id: KeyId, by: Instant) -> Result<(), HsmError> {
        expect!(self.call(Call::Destroy(owner, id), by).await?, Reply::Done => ())
    }

    /// The ids of all resident keys of this owner's.
    pub async fn residents(&self, owner: Owner, by: Instant) -> Result<Vec<KeyId>, HsmError> {
        expect!(self.call(Call::Residents(owner), by).await?, Reply::Ids(ids) => ids)
    }
}

impl Client {
    /// What a key of the token's owner is, and how it might leave.
    pub async fn locate(&self, wanted: Wanted, by: Instant) -> Result<Located, HsmError> {
        let reply = self.call(Call::Locate(wanted), by).await?;
        expect!(reply, Reply::Located { spec, id, recipes } => Located { spec, id, recipes })
    }

    /// Wraps a key of the token's owner, or one to try it on, for a key exchange key.
    pub async fn wrap_out(
        &self,
        subject: Subject,
        kek: PublicKey,
        recipe: Recipe,
        by: Instant,
    ) -> Result<WrappedOut, HsmError> {
        let reply = self.call(Call::WrapOut { subject, kek, recipe }, by).await?;
        expect!(reply, Reply::WrappedOut { spec, wrapped, public, check } => WrappedOut { spec, wrapped, public, check })
    }
}

/// RSA keys of the token's owner at work.
impl Client {
    /// The public half.
    pub async fn owned_public(&self, key: Wanted, by: Instant) -> Result<PublicKey, HsmError> {
        expect!(self.call(Call::OwnedPublic(key), by).await?, Reply::OwnedPublic(public) => public)
    }

    /// RSASSA-PSS with SHA-256 over a digest.
    pub async fn owned_sign(&self, key: Wanted, digest: Vec<u8>, by: Instant) -> Result<Vec<u8>, HsmError> {
        expect!(self.call(Call::OwnedSign { key, digest }, by).await?, Reply::Bytes(signature) => signature)
    }

    /// RSAES-OAEP with SHA-256, as far as the token goes.
    pub async fn owned_decrypt(&self, key: Wanted, cipher: Vec<u8>, by: Instant) -> Result<Decrypted, HsmError> {
        match self.call(Call::OwnedDecrypt { key, cipher }, by).await? {
            Reply::Block(block) => Ok(Decrypted::Block(block)),
            other => expect!(other, Reply::Plain(plain) => Decrypted::Plain(plain)),
        }
    }
}

/// Keys of the token's owner that sign texts.
impl Client {
    /// The public half: 32 bytes of Ed25519, or an uncompressed point of P-256.
    pub async fn text_key(&self, key: Wanted, by: Instant) -> Result<Vec<u8>, HsmError> {
        expect!(self.call(Call::TextKey(key), by).await?, Reply::Bytes(public) => public)
    }

    /// A signature of 64 bytes: on the text with Ed25519, on its SHA-256 with P-256.
    pub async fn sign_text(&self, key: Wanted, message: Vec<u8>, by: Instant) -> Result<Vec<u8>, HsmError> {
        expect!(self.call(Call::SignText { key, message }, by).await?, Reply::Bytes(signature) => signature)
    }
}

/// What [`Client::owned_decrypt`] gives.
pub enum Decrypted {
    /// The plaintext.
    Plain(Zeroizing<Vec<u8>>),
    /// The ciphertext to the power of the private exponent, perhaps without leading zeros: of a token that has no
    /// RSAES-OAEP with SHA-256. Nothing says yet that it is right.
    Block(Zeroizing<Vec<u8>>),
}

/// What [`Client::locate`] gives.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Located {
    /// What kind of key.
    pub spec: KeySpec,
    /// Its CKA_ID.
    pub id: Vec<u8>,
    /// Ways to be tried in this order.
    pub recipes: Vec<Recipe>,
}

/// What [`Client::wrap_out`] gives.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WrappedOut {
    /// What kind of key.
    pub spec: KeySpec,
    /// The key, wrapped.
    pub wrapped: Vec<u8>,
    /// The public half of a throw-away key.
    pub public: PublicKey,
    /// What a throw-away symmetric key makes of a block of zeros.
    pub check: Vec<u8>,
}

/// What [`Client::decrypt`] takes.
#[derive(Clone, PartialEq, Eq)]
pub struct Ciphertext {
    /// With which key.
    pub key: Held,
    /// How.
    pub algorithm: CipherAlgorithm,
    /// The ciphertext.
    pub data: Vec<u8>,
    /// Initialisation vector or nonce.
    pub iv: Vec<u8>,
    /// Tag.
    pub tag: Vec<u8>,
    /// Associated data.
    pub aad: Vec<u8>,
}
