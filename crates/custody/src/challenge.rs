//! A quorum acts from different machines: the server shows a challenge, signed by its node; a custodian opens his share
//! and encrypts it to the challenge's single-use key. The share is never in clear on the wire or on a disk. What the
//! shares are for stands in the challenge: an answer to one purpose is worth nothing for another.
//!
//! ```text
//! challenge: version 1 byte (1) | CBOR map | Ed25519 signature 64
//! map:       0 vault id 16, 1 domain public key 32, 2 single-use key 32 (X25519), 3 node id 16, 4 node key 32,
//!            5 until when, ms since the epoch, 6 purpose: 1 unseal, 2 replace, 3 appoint, 4 recover, 5 enrol;
//!            replace: 7 SHA-256 of the new activation record 32;
//!            appoint: 8 issuer, 9 subject, 10 SHA-256 of the secret of a new client 32, if it is one;
//!            enrol: 11 the token's name
//! answer:    version 1 byte (1) | SHA-256 of the challenge 32 | HPKE: encapsulated key 32 | ciphertext 64 | tag 16
//! ```
//!
//! The signature is over a label and what stands before it. HPKE's info is a label and the vault's id; its associated
//! data the whole challenge. Both travel as one line of text: a word, a point, and base64url.

mod answer;
mod purpose;

pub use answer::Answer;
pub use purpose::{Appointee, Purpose, is_name};

use crate::DomainPublic;
use crate::activation::NodeIdentity;
use crate::shares::ShareError;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use keystead_crypto::ed25519::{self, SigningKey};
use keystead_crypto::{hpke, sha256};
use keystead_model::{NodeId, Time, VaultId};
use minicbor::bytes::ByteArray;
use minicbor::{Decode, Encode};
use zeroize::Zeroizing;

/// What a custodian is asked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Challenge {
    /// Which vault asks.
    pub vault: VaultId,
    /// Its domain.
    pub domain: DomainPublic,
    /// To what the share is encrypted.
    pub single_use: [u8; 32],
    /// Who asks.
    pub node: NodeIdentity,
    /// From then on it is not answered, and no answer is taken.
    pub expires: Time,
    /// For what the share is.
    pub purpose: Purpose,
}

/// A challenge with the signature of its node, which holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SignedChallenge {
    challenge: Challenge,
    bytes: Vec<u8>,
}

/// The private half of a challenge's key: in the memory of the node that asks, until it was answered. Cleared when
/// dropped; no Debug.
pub struct SingleUseKey {
    private: Zeroizing<[u8; 32]>,
    public: [u8; 32],
}

/// Why a challenge is not answered, or an answer not taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum BadChallenge {
    /// Not one line of the form.
    #[error("it is not a challenge or an answer: give the whole line, as it was shown")]
    NotOne,
    /// Of a later release.
    #[error("it has another version than 1: use the release that made it")]
    Version,
    /// The signature is not that of the node it names.
    #[error("the challenge was changed on its way: its signature does not hold; ask for another")]
    Signature,
    /// Its purpose is none that this release knows.
    #[error("the challenge has a purpose that this release does not know: do not answer it")]
    Purpose,
    /// It is over.
    #[error("the challenge has expired: ask for another")]
    Expired,
    /// Its key is none to which anything could be encrypted.
    #[error("the challenge has a key that is none: do not answer it")]
    BadKey,
    /// The answer is to another challenge.
    #[error("the answer is to another challenge: answer the one that is shown now")]
    OtherChallenge,
    /// It does not open.
    #[error("the answer does not open: it was changed on its way")]
    NotOpened,
    /// What was opened is no share.
    #[error(transparent)]
    Share(#[from] ShareError),
}

const VERSION: u8 = 1;
const SIGNATURE: usize = 64;
const SIGNED: &[u8] = b"keystead challenge 1";
const CHALLENGE_WORD: &str = "keystead-challenge";
/// Longest line, in bytes.
pub const MAX_TEXT: usize = 4096;

#[derive(Encode, Decode)]
#[cbor(map)]
struct Cbor {
    #[cbor(n(0), with = "minicbor::bytes")]
    vault: [u8; 16],
    #[cbor(n(1), with = "minicbor::bytes")]
    domain: [u8; 32],
    #[cbor(n(2), with = "minicbor::bytes")]
    single_use: [u8; 32],
    #[cbor(n(3), with = "minicbor::bytes")]
    node: [u8; 16],
    #[cbor(n(4), with = "minicbor::bytes")]
    node_key: [u8; 32],
    #[n(5)]
    expires: i64,
    #[n(6)]
    purpose: u8,
    #[n(7)]
    activation: Option<ByteArray<32>>,
    #[n(8)]
    issuer: Option<String>,
    #[n(9)]
    subject: Option<String>,
    #[n(10)]
    secret: Option<ByteArray<32>>,
    #[n(11)]
    token: Option<String>,
}

mod code {
    pub(super) const UNSEAL: u8 = 1;
    pub(super) const REPLACE: u8 = 2;
    pub(super) const APPOINT: u8 = 3;
    pub(super) const RECOVER: u8 = 4;
    pub(super) const ENROL: u8 = 5;
}

impl Cbor {
    fn set(&mut self, purpose: &Purpose) {
        match purpose {
            Purpose::Unseal => self.purpose = code::UNSEAL,
            Purpose::Recover => self.purpose = code::RECOVER,
            Purpose::Replace { activation } => {
                (self.purpose, self.activation) = (code::REPLACE, Some((*activation).into()));
            }
            Purpose::Appoint(who) => {
                (self.purpose, self.secret) = (code::APPOINT, who.secret.map(Into::into));
                (self.issuer, self.subject) = (Some(who.issuer.clone()), Some(who.subject.clone()));
            }
            Purpose::Enrol { token } => (self.purpose, self.token) = (code::ENROL, Some(token.clone())),
        }
    }

    /// What stands beside it and does not belong to it is seen when the challenge is written again.
    fn purpose(&self) -> Option<Purpose> {
        match self.purpose {
            code::UNSEAL => Some(Purpose::Unseal),
            code::RECOVER => Some(Purpose::Recover),
            code::REPLACE => Some(Purpose::Replace { activation: *self.activation? }),
            code::APPOINT => {
                let (issuer, subject) = (self.issuer.clone()?, self.subject.clone()?);
                let who = Appointee { issuer, subject, secret: self.secret.map(|secret| *secret) };
                who.is_bounded().then_some(Purpose::Appoint(who))
            }
            code::ENROL => {
                let token = self.token.clone().filter(|token| is_name(token))?;
                Some(Purpose::Enrol { token })
            }
            _ => None,
        }
    }
}

impl SingleUseKey {
    /// A new random key.
    pub fn generate() -> Self {
        let (private, public) = hpke::generate();
        Self { private, public }
    }

    /// What goes into the challenge.
    pub const fn public(&self) -> [u8; 32] {
        self.public
    }
}

impl Challenge {
    /// Signs it with the node's key: that of `node`.
    pub fn sign(&self, key: &SigningKey) -> SignedChallenge {
        let mut bytes = self.signed_part();
        let signature = key.sign(&[SIGNED, &bytes].concat());
        bytes.extend_from_slice(&signature);
        SignedChallenge { challenge: self.clone(), bytes }
    }

    fn signed_part(&self) -> Vec<u8> {
        let mut cbor = Cbor {
            vault: *self.vault.as_bytes(),
            domain: *self.domain.as_bytes(),
            single_use: self.single_use,
            node: *self.node.id.as_bytes(),
            node_key: self.node.key,
            expires: self.expires.0,
            purpose: 0,
            activation: None,
            issuer: None,
            subject: None,
            secret: None,
            token: None,
        };
        cbor.set(&self.purpose);
        let mut bytes = vec![VERSION];
        // Writing into memory does not fail.
        let _ = minicbor::encode(&cbor, &mut bytes);
        bytes
    }
}

impl SignedChallenge {
    /// Reads the bytes of a challenge whose signature is that of the node it names. Whether that is the right node is
    /// for whoever answers.
    pub fn parse(bytes: &[u8]) -> Result<Self, BadChallenge> {
        let (signed, signature) = bytes.split_last_chunk::<SIGNATURE>().ok_or(BadChallenge::NotOne)?;
        let body = match signed.split_first() {
            Some((&VERSION, body)) => body,
            Some(_) => return Err(BadChallenge::Version),
            None => return Err(BadChallenge::NotOne),
        };
        let cbor: Cbor = minicbor::decode(body).map_err(|_| BadChallenge::NotOne)?;
        let challenge = Challenge {
            vault: VaultId::from_bytes(cbor.vault),
            domain: DomainPublic::from_bytes(cbor.domain),
            single_use: cbor.single_use,
            node: NodeIdentity { id: NodeId::from_bytes(cbor.node), key: cbor.node_key },
            expires: Time(cbor.expires),
            purpose: cbor.purpose().ok_or(BadChallenge::Purpose)?,
        };
        if challenge.signed_part() != signed {
            return Err(BadChallenge::NotOne);
        }
        if !ed25519::verify(&cbor.node_key, &[SIGNED, signed].concat(), signature) {
            return Err(BadChallenge::Signature);
        }
        Ok(Self { challenge, bytes: bytes.to_vec() })
    }

    /// What it says.
    pub const fn challenge(&self) -> &Challenge {
        &self.challenge
    }

    /// Its bytes.
    pub fn as_bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// Whether it may still be answered.
    pub fn check_time(&self, now: Time) -> Result<(), BadChallenge> {
        if now < self.challenge.expires { Ok(()) } else { Err(BadChallenge::Expired) }
    }

    /// One line of text.
    pub fn to_text(&self) -> String {
        to_text(CHALLENGE_WORD, &self.bytes)
    }

    /// Reads such a line, blanks around it aside.
    pub fn parse_text(text: &str) -> Result<Self, BadChallenge> {
        Self::parse(&from_text(CHALLENGE_WORD, text)?)
    }

    fn digest(&self) -> [u8; 32] {
        sha256(&[&self.bytes])
    }
}

fn to_text(word: &str, bytes: &[u8]) -> String {
    format!("{word}.{}", URL_SAFE_NO_PAD.encode(bytes))
}

fn from_text(word: &str, text: &str) -> Result<Vec<u8>, BadChallenge> {
    let text = text.trim();
    let encoded = text.strip_prefix(word).and_then(|rest| rest.strip_prefix('.')).ok_or(BadChallenge::NotOne)?;
    if encoded.len() > MAX_TEXT {
        return Err(BadChallenge::NotOne);
    }
    URL_SAFE_NO_PAD.decode(encoded).map_err(|_| BadChallenge::NotOne)
}

#[cfg(test)]
mod tests;
