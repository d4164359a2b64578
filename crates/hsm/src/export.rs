//! Keys on their way out of a token, wrapped for a key exchange key of a vault: what is asked, and why it is refused.
//! Nothing here is of our own keys, which never leave.

use crate::codec::words;
use keystead_model::KeySpec;
use minicbor::{Decode, Encode};
use std::fmt;

/// Which key of the token: by label, id or both.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
pub struct Wanted {
    /// Its CKA_LABEL.
    #[n(0)]
    pub label: Option<String>,
    /// Its CKA_ID.
    #[cbor(n(1), with = "minicbor::bytes")]
    pub id: Option<Vec<u8>>,
}

impl fmt::Display for Wanted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (&self.label, &self.id) {
            (Some(label), None) => write!(f, "the label \"{label}\""),
            (label, id) => {
                if let Some(label) = label {
                    write!(f, "the label \"{label}\" and ")?;
                }
                write!(f, "the id {}", hexadecimal(id.as_deref().unwrap_or_default()))
            }
        }
    }
}

/// How an id is written.
pub(crate) fn hexadecimal(id: &[u8]) -> String {
    id.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// What is wrapped.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
pub enum Subject {
    /// A key of this kind that is made for it and destroyed at once: to try the recipe on.
    #[n(0)]
    Trial(#[cbor(n(0), with = "words::spec")] KeySpec),
    /// A key of the token's owner.
    #[n(1)]
    Own(#[n(0)] Wanted),
}

/// A way to what CKM_RSA_AES_KEY_WRAP with SHA-1 makes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Encode, Decode)]
pub enum Recipe {
    /// That mechanism.
    #[n(0)]
    Whole,
    /// An AES key of the token's under RSAES-OAEP, and the key under that by one that may be RFC 5649.
    #[n(1)]
    Composed(#[n(0)] Padded),
}

/// A mechanism that may be RFC 5649.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Encode, Decode)]
pub enum Padded {
    /// PKCS#11 3.0.
    #[n(0)]
    Kwp,
    /// PKCS#11 2.40, which vendors read differently.
    #[n(1)]
    Pad,
    /// The vendor's own.
    #[n(2)]
    Vendor,
}

impl fmt::Display for Recipe {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Whole => f.write_str("CKM_RSA_AES_KEY_WRAP"),
            Self::Composed(padded) => write!(f, "CKM_RSA_PKCS_OAEP and {padded}"),
        }
    }
}

impl fmt::Display for Padded {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Kwp => "CKM_AES_KEY_WRAP_KWP",
            Self::Pad => "CKM_AES_KEY_WRAP_PAD",
            Self::Vendor => "the vendor's own AES key wrap with padding",
        })
    }
}

/// A step of a recipe.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Encode, Decode)]
pub enum Step {
    /// The key to try it on.
    #[n(0)]
    Trial,
    /// The public half that it is wrapped for.
    #[n(1)]
    Kek,
    /// All in one.
    #[n(2)]
    Whole,
    /// The AES key between.
    #[n(3)]
    Between,
    /// The key under that.
    #[n(4)]
    Key(#[n(0)] Padded),
    /// The AES key under the key exchange key.
    #[n(5)]
    Oaep,
    /// The end of whatever was made for it.
    #[n(6)]
    Destroy,
}

impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Trial => f.write_str("making a throw-away key of the same kind"),
            Self::Kek => f.write_str("taking in the public key exchange key"),
            Self::Whole => f.write_str("CKM_RSA_AES_KEY_WRAP with SHA-1"),
            Self::Between => f.write_str("making an AES key that may leave"),
            Self::Key(padded) => write!(f, "wrapping the key with {padded}"),
            Self::Oaep => f.write_str("wrapping the AES key with CKM_RSA_PKCS_OAEP, SHA-1 and its MGF1"),
            Self::Destroy => f.write_str("destroying what was made for it"),
        }
    }
}

/// Why a key does not leave.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error, Encode, Decode)]
pub enum NotExported {
    /// There is none.
    #[error("the token has no private or secret key with {wanted}: list what it has with the vendor's tool")]
    #[n(0)]
    NotFound {
        /// Which was asked for.
        #[n(0)]
        wanted: String,
    },
    /// CKA_LABEL need not be unique, nor need CKA_ID.
    #[error("several keys of the token have {wanted}; their ids are {ids}: name one with --id")]
    #[n(1)]
    Several {
        /// Which was asked for.
        #[n(0)]
        wanted: String,
        /// Of those that were found, in hexadecimal.
        #[n(1)]
        ids: String,
    },
    /// CKA_EXTRACTABLE is false.
    #[error("the key may not leave its token (CKA_EXTRACTABLE is false), and nothing changes that: make a new key")]
    #[n(2)]
    NotExtractable,
    /// CKA_WRAP_WITH_TRUSTED is true.
    #[error(
        "the key leaves its token under trusted keys only (CKA_WRAP_WITH_TRUSTED), and a vault's key exchange key is \
         none: make a new key"
    )]
    #[n(3)]
    TrustedOnly,
    /// A kind that no vault has.
    #[error(
        "the key is {kind}: RSA keys of 2048, 3072 and 4096 bits, EC keys on P-256, P-384, P-521 and P-256K, and AES \
         keys are what a vault takes"
    )]
    #[n(4)]
    Kind {
        /// What it is.
        #[n(0)]
        kind: String,
    },
    /// No recipe.
    #[error("the token cannot make a .byok file, as it does not wrap with {lacks}, and no weaker way is gone")]
    #[n(5)]
    Lacks {
        /// Mechanisms.
        #[n(0)]
        lacks: String,
    },
    /// The token failed, or refused.
    #[error("{step} failed: {why}")]
    #[n(6)]
    Step {
        /// Where.
        #[n(0)]
        step: Step,
        /// The code.
        #[n(1)]
        why: String,
    },
}
