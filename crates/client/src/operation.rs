//! What goes into a key and comes out of it.

use keystead_model::{CipherAlgorithm, SignAlgorithm};
use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use crate::base64url;

/// A signature and the version that made it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Signature {
    /// URL of the key with its version.
    pub kid: String,
    /// The signature; r and s side by side for ECDSA.
    pub value: Vec<u8>,
}

/// What was encrypted or wrapped, and the version that can undo it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ciphertext {
    /// URL of the key with its version.
    pub kid: String,
    /// The ciphertext.
    pub value: Vec<u8>,
    /// Nonce of an AES-GCM encryption, or initialisation vector of an AES-CBC one.
    pub iv: Option<Vec<u8>>,
    /// Tag of an AES-GCM encryption.
    pub tag: Option<Vec<u8>>,
}

/// What is to be encrypted, or decrypted or unwrapped.
#[derive(Debug, Clone, Copy, Default)]
pub struct Sealed<'a> {
    /// The plaintext or ciphertext.
    pub value: &'a [u8],
    /// Nonce of an AES-GCM encryption, or initialisation vector of an AES-CBC one.
    pub iv: Option<&'a [u8]>,
    /// Tag of an AES-GCM encryption.
    pub tag: Option<&'a [u8]>,
    /// What was authenticated besides.
    pub aad: Option<&'a [u8]>,
}

/// What was decrypted or unwrapped. No Debug.
pub struct Plaintext {
    /// URL of the key with its version.
    pub kid: String,
    /// The plaintext; wiped when dropped.
    pub value: Zeroizing<Vec<u8>>,
}

/// A request to sign.
#[derive(Serialize)]
pub(crate) struct SignRequest {
    alg: &'static str,
    value: String,
}

impl SignRequest {
    pub(crate) fn new(alg: SignAlgorithm, digest: &[u8]) -> Self {
        Self { alg: alg.wire(), value: base64url::encode(digest) }
    }
}

/// A request to encrypt, decrypt, wrap or unwrap.
#[derive(Serialize)]
pub(crate) struct CipherRequest<'a> {
    alg: &'static str,
    value: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    iv: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    tag: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    aad: Option<String>,
}

impl<'a> CipherRequest<'a> {
    /// `value` is the input's value in base64url: the caller keeps it, and wipes it if it is a secret.
    pub(crate) fn new(alg: CipherAlgorithm, value: &'a str, input: &Sealed<'_>) -> Self {
        let text = |bytes: Option<&[u8]>| bytes.map(base64url::encode);
        Self { alg: alg.wire(), value, iv: text(input.iv), tag: text(input.tag), aad: text(input.aad) }
    }
}

/// The answer to all of them. No Debug: it may hold a plaintext.
#[derive(Deserialize)]
pub(crate) struct OperationResult {
    pub(crate) kid: String,
    #[serde(deserialize_with = "base64url::read")]
    pub(crate) value: Zeroizing<Vec<u8>>,
    #[serde(default, deserialize_with = "base64url::read_optional")]
    pub(crate) iv: Option<Vec<u8>>,
    #[serde(default, deserialize_with = "base64url::read_optional")]
    pub(crate) tag: Option<Vec<u8>>,
}
