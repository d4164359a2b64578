//! What a token is, what it can, and what its self-test found.

use keystead_model::{CipherAlgorithm, KeySpec, SignAlgorithm};

/// A token, as its worker found it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Description {
    /// The token's label.
    pub label: String,
    /// Its serial number.
    pub serial: String,
    /// Who made it.
    pub manufacturer: String,
    /// Which model.
    pub model: String,
    /// The token's firmware version.
    pub firmware: String,
    /// The library's description and version.
    pub library: String,
    /// Sessions that the worker works with.
    pub sessions: u16,
    /// All mechanisms it lists.
    pub mechanisms: Vec<Mechanism>,
    /// The names of the rows of the quirks table that are in force.
    pub quirks: Vec<String>,
    /// How it wraps keys with AES.
    pub wrap: WrapClass,
    /// What the attacks of the self-test got.
    pub attacks: Vec<Attack>,
    /// Kinds of key it can make.
    pub keys: Vec<KeySpec>,
    /// How it signs.
    pub signs: Vec<(SignAlgorithm, Native)>,
    /// How it encrypts and decrypts.
    pub ciphers: Vec<(CipherAlgorithm, Native)>,
}

/// A line of the mechanism list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mechanism {
    /// Its name, or its number in hexadecimal.
    pub name: String,
    /// Smallest key, in bits or bytes as the vendor counts.
    pub least: u64,
    /// Largest key.
    pub most: u64,
    /// CKF_ flags: wrap, unwrap, sign and so on.
    pub uses: Vec<String>,
}

/// Whether an algorithm is one mechanism of the token.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Native {
    /// It is.
    Mechanism,
    /// Several calls, the key never leaving the token.
    Composed,
    /// Only the public half works, in software: encryption to it.
    PublicOnly,
}

/// How a token wraps a private key with an AES key. Two tokens of one class can stand for each other.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum WrapClass {
    /// RFC 5649, exactly.
    Kwp,
    /// RFC 5649 over the key with zeros behind it up to eight bytes.
    KwpZeroExtended,
    /// Not at all: placement `resident` only.
    None,
}

/// One attack of the self-test: what somebody with the PIN tries on a stored key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Attack {
    /// What was tried.
    pub name: String,
    /// What came of it.
    pub outcome: Outcome,
    /// The code or the attribute that shows it.
    pub detail: String,
}

/// What came of an attack.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// The token refused.
    Refused,
    /// It got key bytes, or rights that give them.
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
