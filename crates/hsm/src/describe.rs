//! What a token is, what it can, and what its self-test found.

use crate::codec::words;
use keystead_model::{CipherAlgorithm, KeySpec, SignAlgorithm};
use minicbor::{Decode, Encode};

/// A token, as its worker found it.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
pub struct Description {
    /// The token's label.
    #[n(0)]
    pub label: String,
    /// Its serial number.
    #[n(1)]
    pub serial: String,
    /// Who made it.
    #[n(2)]
    pub manufacturer: String,
    /// Which model.
    #[n(3)]
    pub model: String,
    /// The token's firmware version.
    #[n(4)]
    pub firmware: String,
    /// The library's description and version.
    #[n(5)]
    pub library: String,
    /// Sessions that the worker works with.
    #[n(6)]
    pub sessions: u16,
    /// All mechanisms it lists.
    #[n(7)]
    pub mechanisms: Vec<Mechanism>,
    /// The names of the rows of the quirks table that are in force.
    #[n(8)]
    pub quirks: Vec<String>,
    /// How it wraps keys with AES.
    #[n(9)]
    pub wrap: WrapClass,
    /// What the attacks of the self-test got.
    #[n(10)]
    pub attacks: Vec<Attack>,
    /// Kinds of key it can make.
    #[cbor(n(11), with = "words::specs")]
    pub keys: Vec<KeySpec>,
    /// How it signs.
    #[cbor(n(12), with = "words::signs")]
    pub signs: Vec<(SignAlgorithm, Native)>,
    /// How it encrypts and decrypts.
    #[cbor(n(13), with = "words::ciphers")]
    pub ciphers: Vec<(CipherAlgorithm, Native)>,
}

/// A line of the mechanism list.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
pub struct Mechanism {
    /// Its name, or its number in hexadecimal.
    #[n(0)]
    pub name: String,
    /// Smallest key, in bits or bytes as the vendor counts.
    #[n(1)]
    pub least: u64,
    /// Largest key.
    #[n(2)]
    pub most: u64,
    /// CKF_ flags: wrap, unwrap, sign and so on.
    #[n(3)]
    pub uses: Vec<String>,
}

/// Whether an algorithm is one mechanism of the token.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Encode, Decode)]
pub enum Native {
    /// It is.
    #[n(0)]
    Mechanism,
    /// Several calls, the key never leaving the token.
    #[n(1)]
    Composed,
    /// Only the public half works, in software: encryption to it.
    #[n(2)]
    PublicOnly,
}

/// How a token wraps a private key with an AES key. Two tokens of one class can stand for each other.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Encode, Decode)]
pub enum WrapClass {
    /// RFC 5649, exactly.
    #[n(0)]
    Kwp,
    /// RFC 5649 over the key with zeros behind it up to eight bytes.
    #[n(1)]
    KwpZeroExtended,
    /// Not at all: placement `resident` only.
    #[n(2)]
    None,
}

/// One attack of the self-test: what somebody with the PIN tries on a stored key.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
pub struct Attack {
    /// What was tried.
    #[n(0)]
    pub name: String,
    /// What came of it.
    #[n(1)]
    pub outcome: Outcome,
    /// The code or the attribute that shows it.
    #[n(2)]
    pub detail: String,
}

/// What came of an attack.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Encode, Decode)]
pub enum Outcome {
    /// The token refused.
    #[n(0)]
    Refused,
    /// It got key bytes, or rights that give them.
    #[n(1)]
    Succeeded,
}

/// What placement `wrapped` is worth against the holder of the PIN.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Assurance {
    /// Every attack was refused.
    Hardware,
    /// An attack succeeded: stored keys are as safe as software keys from the holder of the PIN.
    SoftwareEquivalent,
    /// The token cannot wrap.
    ResidentOnly,
}

impl Description {
    /// What placement `wrapped` is worth here.
    pub fn assurance(&self) -> Assurance {
        match self.wrap {
            WrapClass::None => Assurance::ResidentOnly,
            _ if self.attacks.iter().any(|a| a.outcome == Outcome::Succeeded) => Assurance::SoftwareEquivalent,
            _ => Assurance::Hardware,
        }
    }
}
