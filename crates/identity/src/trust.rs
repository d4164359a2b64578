//! Whom a vault believes. Part of its policy, so these are stored as CBOR maps with integer keys, and written in
//! configuration as tables: coordinates in base64url as in a JWK, digests in hex.

use crate::credential::Credential;
use minicbor::{Decode, Encode};
use serde::{Deserialize, Serialize};

/// An issuer of bearer tokens.
#[derive(Debug, Clone, Default, PartialEq, Eq, Encode, Decode, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[cbor(map)]
pub struct TrustedIssuer {
    /// Claim `iss`, compared exactly.
    #[n(0)]
    pub iss: String,
    /// One of them must be in claim `aud`; one slash at the end makes no difference. None listed: no token is good.
    #[n(1)]
    pub audiences: Vec<String>,
    /// If set, claim `tid` must be equal.
    #[n(2)]
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tenant: Option<String>,
    /// The one claim that names the subject: `oid`, `sub`, `appid` or another. A token without it is refused.
    #[n(3)]
    pub subject_claim: String,
    /// Its public keys.
    #[n(4)]
    #[serde(default)]
    pub keys: Vec<IssuerKey>,
    /// Where its metadata is (OpenID Connect Discovery), if its keys are to be fetched: an https URL.
    #[n(5)]
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub metadata: Option<String>,
    /// Public keys of any kind, as the JWK set that the issuer publishes.
    #[n(6)]
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub jwks: Option<String>,
}

/// A public key of an issuer: NIST P-256, for ES256.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[cbor(map)]
pub struct IssuerKey {
    /// Names the key in a token's header; compared exactly.
    #[n(0)]
    pub kid: String,
    /// x, big-endian.
    #[cbor(n(1), with = "minicbor::bytes")]
    #[serde(with = "coordinate")]
    pub x: [u8; 32],
    /// y, big-endian.
    #[cbor(n(2), with = "minicbor::bytes")]
    #[serde(with = "coordinate")]
    pub y: [u8; 32],
}

/// A built-in client: proves itself with one of its credentials and is a principal of the vault's built-in issuer.
#[derive(Debug, Clone, Default, PartialEq, Eq, Encode, Decode, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[cbor(map)]
pub struct Client {
    /// GUID it signs in with; compared without regard to case.
    #[n(0)]
    pub id: String,
    /// Name people read.
    #[n(1)]
    pub name: String,
    /// GUID of its principal: the `oid` of its tokens.
    #[n(2)]
    pub subject: String,
    /// [`secret_digest`] of each secret in force: two while one replaces the other.
    #[cbor(n(3), with = "digests")]
    #[serde(default, with = "digests")]
    pub secrets: Vec<[u8; 32]>,
    /// Credentials with a name and perhaps an end.
    #[cbor(n(4), skip_if = "Vec::is_empty")]
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub credentials: Vec<Credential>,
}

/// What is stored of a client secret: SHA-256. Secrets are random, so they need no slow hash.
pub fn secret_digest(secret: &str) -> [u8; 32] {
    keystead_crypto::sha256(&[secret.as_bytes()])
}

mod coordinate {
    use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
    use serde::{Deserialize, Deserializer, Serializer, de::Error};

    pub(super) fn serialize<S: Serializer>(bytes: &[u8; 32], s: S) -> Result<S::Ok, S::Error> {
        s.serialize_str(&URL_SAFE_NO_PAD.encode(bytes))
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(d: D) -> Result<[u8; 32], D::Error> {
        let bytes = URL_SAFE_NO_PAD.decode(String::deserialize(d)?).ok();
        let whole = bytes.and_then(|b| b.try_into().ok());
        whole.ok_or_else(|| D::Error::custom("a coordinate is 32 bytes in base64url without padding"))
    }
}

pub(crate) mod digests {
    use minicbor::bytes::ByteArray;
    use minicbor::decode::Error as DecodeError;
    use minicbor::encode::{Error as EncodeError, Write};
    use minicbor::{Decoder, Encoder};
    use serde::{Deserialize, Deserializer, Serializer, de::Error};

    pub(crate) fn encode<C, W: Write>(
        digests: &[[u8; 32]],
        e: &mut Encoder<W>,
        _: &mut C,
    ) -> Result<(), EncodeError<W::Error>> {
        e.array(u64::try_from(digests.len()).unwrap_or(u64::MAX))?;
        for digest in digests {
            e.bytes(digest)?;
        }
        Ok(())
    }

    pub(crate) fn decode<C>(d: &mut Decoder<'_>, _: &mut C) -> Result<Vec<[u8; 32]>, DecodeError> {
        d.array_iter::<ByteArray<32>>()?.map(|digest| digest.map(<[u8; 32]>::from)).collect()
    }

    pub(crate) fn serialize<S: Serializer>(digests: &[[u8; 32]], s: S) -> Result<S::Ok, S::Error> {
        s.collect_seq(digests.iter().map(hex::encode))
    }

    pub(crate) fn deserialize<'de, D: Deserializer<'de>>(d: D) -> Result<Vec<[u8; 32]>, D::Error> {
        let parse = |text: String| -> Result<[u8; 32], D::Error> {
            let mut digest = [0; 32];
            hex::decode_to_slice(text, &mut digest)
                .map_err(|_| D::Error::custom("a secret's digest is SHA-256 in 64 hexadecimal digits"))?;
            Ok(digest)
        };
        Vec::<String>::deserialize(d)?.into_iter().map(parse).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn issuer() -> impl Strategy<Value = TrustedIssuer> {
        let key = (".*", any::<[u8; 32]>(), any::<[u8; 32]>()).prop_map(|(kid, x, y)| IssuerKey { kid, x, y });
        let keys = prop::collection::vec(key, 0..3);
        let fetched = (prop::option::of(".*"), prop::option::of(".*"));
        (".*", prop::collection::vec(".*", 0..3), prop::option::of(".*"), ".*", keys, fetched).prop_map(
            |(iss, audiences, tenant, subject_claim, keys, (metadata, jwks))| TrustedIssuer {
                iss,
                audiences,
                tenant,
                subject_claim,
                keys,
                metadata,
                jwks,
            },
        )
    }

    fn client() -> impl Strategy<Value = Client> {
        (".*", ".*", ".*", prop::collection::vec(any::<[u8; 32]>(), 0..3))
            .prop_map(|(id, name, subject, secrets)| Client { id, name, subject, secrets, credentials: Vec::new() })
    }

    proptest! {
        #[test]
        fn what_is_stored_reads_back(issuer in issuer(), client in client()) {
            let stored = minicbor::to_vec((&issuer, &client)).unwrap();
            prop_assert_eq!(minicbor::decode::<(TrustedIssuer, Client)>(&stored).unwrap(), (issuer, client));
        }

        #[test]
        fn what_is_written_reads_back(issuer in issuer(), client in client()) {
            let written = serde_json::to_string(&(&issuer, &client)).unwrap();
            prop_assert_eq!(serde_json::from_str::<(TrustedIssuer, Client)>(&written).unwrap(), (issuer, client));
        }
    }

    #[test]
    fn a_digest_or_coordinate_of_another_length_is_refused() {
        let short =
            minicbor::to_vec(ShortClient { secrets: vec![minicbor::bytes::ByteVec::from(vec![1; 31])] }).unwrap();
        assert!(minicbor::decode::<Client>(&short).is_err());
        for key in [r#"{"kid":"a","x":"AA","y":"AA"}"#, r#"{"kid":"a","x":"","y":""}"#] {
            assert!(serde_json::from_str::<IssuerKey>(key).is_err());
        }
        let client = r#"{"id":"a","name":"b","subject":"c","secrets":["00"]}"#;
        assert!(serde_json::from_str::<Client>(client).is_err());
    }

    #[derive(Encode)]
    #[cbor(map)]
    struct ShortClient {
        #[n(3)]
        secrets: Vec<minicbor::bytes::ByteVec>,
    }

    #[test]
    fn a_client_stored_without_its_secrets_is_damaged() {
        let bytes = minicbor::to_vec(WithoutSecrets { id: "i".into(), name: "n".into(), subject: "s".into() }).unwrap();
        assert!(minicbor::decode::<Client>(&bytes).is_err());
    }

    #[derive(Encode)]
    #[cbor(map)]
    struct WithoutSecrets {
        #[n(0)]
        id: String,
        #[n(1)]
        name: String,
        #[n(2)]
        subject: String,
    }

    #[test]
    fn a_secret_is_stored_as_its_sha256() {
        let empty = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
        assert_eq!(hex::encode(secret_digest("")), empty);
    }
}
