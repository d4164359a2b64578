//! What a built-in client proves itself with. Each has an id of its own, so that it can be removed alone.

use keystead_model::Time;
use minicbor::{Decode, Encode};
use serde::{Deserialize, Serialize};

/// A credential of a built-in client.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[cbor(map)]
pub struct Credential {
    /// Names it among the client's.
    #[n(0)]
    pub id: String,
    /// Good until then, ms since the epoch; for ever if absent.
    #[n(1)]
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires: Option<i64>,
    /// What proves.
    #[n(2)]
    pub by: By,
}

impl Credential {
    /// Whether it has not ended.
    pub fn is_good(&self, now: Time) -> bool {
        self.expires.is_none_or(|end| now.0 < end)
    }
}

/// The proof itself.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum By {
    /// Knowing the secret of this digest, [`crate::secret_digest`].
    #[n(0)]
    Secret(
        #[cbor(n(0), with = "minicbor::bytes")]
        #[serde(with = "hex_digest")]
        [u8; 32],
    ),
    /// Signing assertions with the private half of this JWK (RFC 7523).
    #[n(1)]
    Key(#[n(0)] String),
    /// A token of another issuer that the vault trusts.
    #[n(2)]
    Federated(#[n(0)] Federation),
}

/// A token of this issuer, about this subject, for this audience, each compared exactly.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[cbor(map)]
pub struct Federation {
    /// Claim `iss`.
    #[n(0)]
    pub iss: String,
    /// Claim `sub`.
    #[n(1)]
    pub sub: String,
    /// Claim `aud`.
    #[n(2)]
    pub aud: String,
}

pub(crate) mod hex_digest {
    use serde::{Deserialize, Deserializer, Serializer, de::Error};

    pub(crate) fn serialize<S: Serializer>(digest: &[u8; 32], s: S) -> Result<S::Ok, S::Error> {
        s.serialize_str(&hex::encode(digest))
    }

    pub(crate) fn deserialize<'de, D: Deserializer<'de>>(d: D) -> Result<[u8; 32], D::Error> {
        let mut digest = [0; 32];
        hex::decode_to_slice(String::deserialize(d)?, &mut digest)
            .map_err(|_| D::Error::custom("a digest is SHA-256 in 64 hexadecimal digits"))?;
        Ok(digest)
    }
}
