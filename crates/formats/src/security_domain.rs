//! Managed HSM's security domain: data encrypted under keys that come of one master key, and that key in shares, each
//! encrypted to a custodian. And the blob in which the data are restored, where the master key is a new one, encrypted
//! to the service that restores.
//!
//! ```text
//! {"EncData": {"data": [{"compact_jwe": JWE, "tag": text}], "kdf": "sp108_kdf"},
//!  "SharedKeys": {"enc_shares": [{"enc_key": JWE, "x5t_256": base64url}], "key_algorithm": "shamir_share",
//!                 "required": M},
//!  "version": 2}
//!
//! {"EncData": as above, "WrappedKey": {"enc_key": JWE, "x5t_256": base64url}}
//! ```

use crate::jwe::{Alg, BadJwe, Jwe};
use base64::Engine as _;
use base64::alphabet::URL_SAFE;
use base64::engine::DecodePaddingMode;
use base64::engine::general_purpose::{GeneralPurpose, GeneralPurposeConfig, URL_SAFE_NO_PAD};
use serde::{Deserialize, Serialize};

/// A security domain.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SecurityDomain {
    /// What is kept in it.
    pub data: Vec<Datum>,
    /// The shares of the master key, one for each custodian.
    pub shares: Vec<WrappedKey>,
    /// How many of them open it.
    pub required: u8,
}

/// What is sent to be restored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RestoreBlob {
    /// What is to be restored.
    pub data: Vec<Datum>,
    /// The master key.
    pub key: WrappedKey,
}

/// One thing that is kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Datum {
    /// What it is; its key is derived with this word.
    pub tag: String,
    /// Encrypted, with [`Alg::Dir`].
    pub value: Jwe,
}

/// A key or a share for the owner of a certificate.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WrappedKey {
    /// SHA-256 of the certificate, DER.
    pub thumbprint: [u8; 32],
    /// Encrypted, with [`Alg::RsaOaep256`].
    pub value: Jwe,
}

/// Why a file is none of these.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum BadSecurityDomain {
    /// Over the bound.
    #[error("a security domain has at most 262,144 bytes")]
    TooLarge,
    /// Not JSON, or a member is missing or of another type.
    #[error("it is not a security domain: give the whole JSON file, as it was made")]
    NotOne,
    /// Another version, or another way of deriving or sharing.
    #[error(
        "its version is not 2, its kdf not sp108_kdf or its key_algorithm not shamir_share: it was made by another \
             release of its format"
    )]
    Unknown,
    /// The custodians are too few or too many, or stand in it twice.
    #[error("it has not 3 to 10 custodians, each once, of whom 2 or more are required: it was changed")]
    Custodians,
    /// There is nothing in it, too much, or one thing twice.
    #[error("it has not 1 to 16 data, each with a tag of its own: it was changed")]
    Data,
    /// An encrypted value is none, or of the wrong kind for its place.
    #[error("an encrypted value in it cannot be read: {0}")]
    Value(BadJwe),
    /// A value is encrypted in the way of the other place.
    #[error("an encrypted value in it stands in the wrong place: it was changed")]
    Place,
    /// A thumbprint is not 32 bytes of base64url.
    #[error("an x5t_256 in it is not the SHA-256 of a certificate in base64url")]
    Thumbprint,
}

/// Longest file, in bytes.
pub const MAX_SECURITY_DOMAIN: usize = 256 << 10;
/// How many custodians there may be.
pub const CUSTODIANS: std::ops::RangeInclusive<usize> = 3..=10;
/// Fewest custodians that may be required.
pub const MIN_REQUIRED: u8 = 2;
const MAX_DATA: usize = 16;
const MAX_TAG: usize = 64;
const KDF: &str = "sp108_kdf";
const SHARING: &str = "shamir_share";
const VERSION: u32 = 2;

#[derive(Serialize, Deserialize)]
struct DomainJson {
    #[serde(rename = "EncData")]
    data: DataJson,
    #[serde(rename = "SharedKeys")]
    shares: SharesJson,
    version: u32,
}

#[derive(Serialize, Deserialize)]
struct RestoreJson {
    #[serde(rename = "EncData")]
    data: DataJson,
    #[serde(rename = "WrappedKey")]
    key: KeyJson,
}

#[derive(Serialize, Deserialize)]
struct DataJson {
    data: Vec<DatumJson>,
    kdf: String,
}

#[derive(Serialize, Deserialize)]
struct DatumJson {
    compact_jwe: String,
    tag: String,
}

#[derive(Serialize, Deserialize)]
struct SharesJson {
    enc_shares: Vec<KeyJson>,
    key_algorithm: String,
    required: u8,
}

#[derive(Serialize, Deserialize)]
struct KeyJson {
    enc_key: String,
    x5t_256: String,
}

impl SecurityDomain {
    /// Parses a file. More members are tolerated, as by Azure's tools.
    pub fn parse(file: &[u8]) -> Result<Self, BadSecurityDomain> {
        let json: DomainJson = read(file)?;
        if json.version != VERSION || json.shares.key_algorithm != SHARING {
            return Err(BadSecurityDomain::Unknown);
        }
        let data = json.data.parse()?;
        let shares = json.shares.enc_shares;
        if !CUSTODIANS.contains(&shares.len()) {
            return Err(BadSecurityDomain::Custodians);
        }
        let shares = shares.into_iter().map(KeyJson::parse).collect::<Result<Vec<_>, _>>()?;
        let required = json.shares.required;
        let enough = required >= MIN_REQUIRED && usize::from(required) <= shares.len();
        if enough && each_once(shares.iter().map(|share| &share.thumbprint)) {
            Ok(Self { data, shares, required })
        } else {
            Err(BadSecurityDomain::Custodians)
        }
    }

    /// The file.
    pub fn to_json(&self) -> String {
        let enc_shares = self.shares.iter().map(KeyJson::of).collect();
        let shares = SharesJson { enc_shares, key_algorithm: SHARING.to_owned(), required: self.required };
        written(&DomainJson { data: DataJson::of(&self.data), shares, version: VERSION })
    }

    /// What is kept under this tag.
    pub fn datum(&self, tag: &str) -> Option<&Jwe> {
        find(&self.data, tag)
    }
}

impl RestoreBlob {
    /// Parses a blob. More members are tolerated.
    pub fn parse(blob: &[u8]) -> Result<Self, BadSecurityDomain> {
        let json: RestoreJson = read(blob)?;
        Ok(Self { data: json.data.parse()?, key: json.key.parse()? })
    }

    /// The blob.
    pub fn to_json(&self) -> String {
        written(&RestoreJson { data: DataJson::of(&self.data), key: KeyJson::of(&self.key) })
    }

    /// What is restored under this tag.
    pub fn datum(&self, tag: &str) -> Option<&Jwe> {
        find(&self.data, tag)
    }
}

impl DataJson {
    fn of(data: &[Datum]) -> Self {
        let json = |datum: &Datum| DatumJson { compact_jwe: datum.value.to_compact(), tag: datum.tag.clone() };
        Self { data: data.iter().map(json).collect(), kdf: KDF.to_owned() }
    }

    fn parse(self) -> Result<Vec<Datum>, BadSecurityDomain> {
        if self.kdf != KDF {
            return Err(BadSecurityDomain::Unknown);
        }
        let named = |datum: &DatumJson| (1..=MAX_TAG).contains(&datum.tag.len());
        let good = (1..=MAX_DATA).contains(&self.data.len()) && self.data.iter().all(named);
        if !good || !each_once(self.data.iter().map(|datum| &datum.tag)) {
            return Err(BadSecurityDomain::Data);
        }
        let parse = |datum: DatumJson| value(&datum.compact_jwe, Alg::Dir).map(|value| Datum { tag: datum.tag, value });
        self.data.into_iter().map(parse).collect()
    }
}

impl KeyJson {
    fn of(key: &WrappedKey) -> Self {
        Self { enc_key: key.value.to_compact(), x5t_256: URL_SAFE_NO_PAD.encode(key.thumbprint) }
    }

    fn parse(self) -> Result<WrappedKey, BadSecurityDomain> {
        let lenient = GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent);
        let thumbprint = GeneralPurpose::new(&URL_SAFE, lenient).decode(&self.x5t_256).ok();
        let thumbprint = thumbprint.and_then(|bytes| bytes.try_into().ok()).ok_or(BadSecurityDomain::Thumbprint)?;
        Ok(WrappedKey { thumbprint, value: value(&self.enc_key, Alg::RsaOaep256)? })
    }
}

fn read<'a, T: Deserialize<'a>>(file: &'a [u8]) -> Result<T, BadSecurityDomain> {
    if file.len() > MAX_SECURITY_DOMAIN {
        return Err(BadSecurityDomain::TooLarge);
    }
    serde_json::from_slice(file).map_err(|_| BadSecurityDomain::NotOne)
}

fn value(text: &str, alg: Alg) -> Result<Jwe, BadSecurityDomain> {
    let value = Jwe::parse(text).map_err(BadSecurityDomain::Value)?;
    if value.alg() == alg { Ok(value) } else { Err(BadSecurityDomain::Place) }
}

fn written(json: &impl Serialize) -> String {
    // Strings and numbers always serialize.
    serde_json::to_string(json).unwrap_or_default()
}

fn find<'a>(data: &'a [Datum], tag: &str) -> Option<&'a Jwe> {
    data.iter().find(|datum| datum.tag == tag).map(|datum| &datum.value)
}

fn each_once<T: Ord>(mut of: impl Iterator<Item = T>) -> bool {
    let mut seen = std::collections::BTreeSet::new();
    of.all(|one| seen.insert(one))
}

#[cfg(test)]
pub(crate) mod tests;
