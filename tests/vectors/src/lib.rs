//! Published test vectors in the words of this service: a key, an algorithm, an input, and what must come of it. For
//! tests only; each room that uses keys runs them all.
//!
//! - [`wycheproof`]: Project Wycheproof's, which look for known faults
//! - [`published`]: those of NIST and of RFCs, under `data/`
//!
//! Left out are vectors that are merely "acceptable", and those of algorithms that are not served.
#![allow(
    clippy::arithmetic_side_effects,
    clippy::indexing_slicing,
    clippy::missing_panics_doc,
    clippy::panic,
    clippy::unwrap_used
)]

pub mod published;
pub mod wycheproof;

pub use keystead_model::{CipherAlgorithm, CipherMode, Curve, PublicKey, SignAlgorithm};
use std::collections::BTreeMap;

/// Vectors with one key.
pub struct Group {
    /// The set they are from.
    pub set: String,
    /// Their key.
    pub key: Key,
    /// What is done with it.
    pub vectors: Vec<Vector>,
}

/// A key; the private half as far as it is published.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Key {
    /// The bytes of a symmetric key, of any size.
    Oct(Vec<u8>),
    /// RSA.
    Rsa {
        /// Modulus.
        n: Vec<u8>,
        /// Public exponent.
        e: Vec<u8>,
        /// The rest.
        private: Option<RsaPrivate>,
    },
    /// A key on a curve; numbers as long as its field.
    Ec {
        /// The curve.
        curve: Curve,
        /// Public point.
        x: Vec<u8>,
        /// Public point.
        y: Vec<u8>,
        /// Private number.
        d: Option<Vec<u8>>,
    },
}

/// What an RSA key keeps to itself.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct RsaPrivate {
    /// Private exponent.
    pub d: Vec<u8>,
    /// p, q, dp, dq, qi.
    pub primes: Option<[Vec<u8>; 5]>,
}

/// One vector.
#[derive(Clone)]
pub struct Vector {
    /// Its number in the set.
    pub id: usize,
    /// What is done.
    pub work: Work,
    /// Whether it must come out so; otherwise it must not.
    pub valid: bool,
}

/// What is done with a key.
#[derive(Clone)]
pub enum Work {
    /// Gives `plain`, and where the algorithm is deterministic the reverse gives `value`.
    Decrypt {
        /// How.
        algorithm: CipherAlgorithm,
        /// Ciphertext.
        value: Vec<u8>,
        /// Nonce or initialisation vector.
        iv: Option<Vec<u8>>,
        /// Tag.
        tag: Option<Vec<u8>>,
        /// Associated data.
        aad: Vec<u8>,
        /// Plaintext, if the vector tells one.
        plain: Option<Vec<u8>>,
    },
    /// Finds the signature good, and where the algorithm is deterministic signing gives it.
    Verify {
        /// How.
        algorithm: SignAlgorithm,
        /// The message, not yet hashed. HMAC takes it as it is.
        message: Vec<u8>,
        /// The signature.
        signature: Vec<u8>,
    },
}

impl Key {
    /// The public half.
    pub fn public(&self) -> PublicKey {
        match self {
            Self::Oct(_) => PublicKey::Symmetric,
            Self::Rsa { n, e, .. } => PublicKey::Rsa { n: n.clone(), e: e.clone() },
            Self::Ec { curve, x, y, .. } => PublicKey::Ec { curve: *curve, x: x.clone(), y: y.clone() },
        }
    }

    /// Whether there is a private half, or the key is a secret as a whole.
    pub fn is_whole(&self) -> bool {
        match self {
            Self::Oct(_) => true,
            Self::Rsa { private, .. } => private.is_some(),
            Self::Ec { d, .. } => d.is_some(),
        }
    }
}

impl Work {
    /// The algorithm's name on the wire.
    pub fn algorithm(&self) -> &'static str {
        match self {
            Self::Decrypt { algorithm, .. } => algorithm.wire(),
            Self::Verify { algorithm, .. } => algorithm.wire(),
        }
    }

    /// Whether doing it in reverse always gives the same.
    pub fn repeats(&self) -> bool {
        match self {
            Self::Decrypt { algorithm, .. } => {
                !matches!(algorithm.mode(), CipherMode::Gcm | CipherMode::Pkcs1 | CipherMode::Oaep)
            }
            Self::Verify { algorithm, .. } => !matches!(algorithm.wire().as_bytes()[0], b'E' | b'P'),
        }
    }
}

/// The algorithms for which a whole key is there, by name, with the numbers of vectors that must and that must not come
/// out. For tests that promise to leave none out.
pub fn algorithms(groups: &[Group]) -> BTreeMap<&'static str, (usize, usize)> {
    let mut counts = BTreeMap::new();
    for vector in groups.iter().filter(|group| group.key.is_whole()).flat_map(|group| &group.vectors) {
        let count: &mut (usize, usize) = counts.entry(vector.work.algorithm()).or_default();
        if vector.valid { count.0 += 1 } else { count.1 += 1 }
    }
    counts
}

/// The algorithm of a mode and of a key of this many bits.
fn sized(bits: usize, mode: &str) -> CipherAlgorithm {
    CipherAlgorithm::from_wire(&format!("A{bits}{mode}")).unwrap()
}

/// Vectors that each have a key of their own, by key.
fn by_key(set: &str, vectors: impl Iterator<Item = (Key, Option<Vector>)>) -> Vec<Group> {
    let mut groups: BTreeMap<Key, Vec<Vector>> = BTreeMap::new();
    for (key, vector) in vectors {
        groups.entry(key).or_default().extend(vector);
    }
    groups.into_iter().map(|(key, vectors)| Group { set: set.to_owned(), key, vectors }).collect()
}
