//! Keys in requests and answers, as in Azure Key Vault. Members not named here are ignored.

use std::collections::BTreeMap;

use keystead_model::{Curve, KeyOperation, KeyRef, KeySpec, Name, ProtectionLevel, PublicKey, Size, Version};
use serde::{Deserialize, Deserializer, Serialize};

use crate::base64url;

type Tags = BTreeMap<String, String>;

/// A key to be made, or a new version of one.
#[derive(Debug, Clone, Default, Serialize)]
pub struct CreateKey {
    kty: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    key_size: Option<u16>,
    #[serde(skip_serializing_if = "Option::is_none")]
    crv: Option<&'static str>,
    /// The public exponent of an RSA key; none for 65,537.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub public_exponent: Option<u32>,
    /// What it may be used for; none for what its kind is usually for.
    #[serde(skip_serializing_if = "Option::is_none", serialize_with = "operations")]
    pub key_ops: Option<Vec<KeyOperation>>,
    /// Attributes; none for the defaults.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub attributes: Option<SetAttributes>,
    /// Tags.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tags: Option<Tags>,
}

impl CreateKey {
    /// A key of this kind, all else by default.
    pub fn of(spec: KeySpec) -> Self {
        let crv = spec.curve().map(Curve::wire);
        Self { kty: spec.kty(), key_size: spec.bits(), crv, ..Self::default() }
    }

    /// The same in the vault's HSM.
    pub fn in_hsm(spec: KeySpec) -> Self {
        Self { kty: ProtectionLevel::Hsm.kty(spec), ..Self::of(spec) }
    }
}

/// A change of a key version; what is none stays.
#[derive(Debug, Clone, Default, Serialize)]
pub struct UpdateKey {
    /// Replaces what it may be used for.
    #[serde(skip_serializing_if = "Option::is_none", serialize_with = "operations")]
    pub key_ops: Option<Vec<KeyOperation>>,
    /// Changes single attributes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub attributes: Option<SetAttributes>,
    /// Replaces all tags.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tags: Option<Tags>,
}

/// Attributes that a caller sets. Times in seconds since the epoch.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct SetAttributes {
    /// Whether it can be used.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub enabled: Option<bool>,
    /// Not to be used before.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub nbf: Option<i64>,
    /// Not to be used from then on.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub exp: Option<i64>,
}

/// A key version: its public half and what is known about it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct KeyBundle {
    /// The public half.
    pub key: Jwk,
    /// Attributes.
    #[serde(default)]
    pub attributes: KeyAttributes,
    /// Tags; none is as good as empty.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tags: Option<Tags>,
    /// Set for keys that belong to a certificate.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub managed: Option<bool>,
}

impl KeyBundle {
    /// What kind of key it is; none for kinds that this release does not know.
    pub fn spec(&self) -> Option<KeySpec> {
        self.key.spec(self.attributes.key_size)
    }
}

/// A public key (RFC 7517); symmetric keys show nothing but their kind. Numbers are base64url.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Jwk {
    /// URL of the key with its version.
    pub kid: String,
    /// `EC`, `RSA`, `oct`, or one of these with `-HSM`.
    pub kty: String,
    /// What it may be used for.
    #[serde(default)]
    pub key_ops: Vec<String>,
    /// Curve.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub crv: Option<String>,
    /// Coordinate.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub x: Option<String>,
    /// Coordinate.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub y: Option<String>,
    /// Modulus.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub n: Option<String>,
    /// Public exponent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub e: Option<String>,
}

impl Jwk {
    /// What kind of key it is, as far as this shows: a symmetric key shows its size among its attributes only, and its
    /// kind is told by [`KeyBundle::spec`].
    fn spec(&self, secret_bits: Option<u16>) -> Option<KeySpec> {
        KeySpec::of_size(match (self.kty.strip_suffix("-HSM").unwrap_or(&self.kty), self.public()) {
            ("EC", _) => Size::Curve(Curve::from_wire(self.crv.as_deref()?)?),
            ("RSA", Some(PublicKey::Rsa { n, .. })) => Size::Modulus(u16::try_from(n.len().checked_mul(8)?).ok()?),
            ("oct", _) => Size::Secret(secret_bits?),
            _ => return None,
        })
    }

    /// The public half as bytes; none for symmetric keys, other curves and damaged numbers.
    pub fn public(&self) -> Option<PublicKey> {
        let number = |text: &Option<String>| base64url::decode(text.as_deref()?);
        match (self.kty.as_str(), self.crv.as_deref()) {
            ("EC" | "EC-HSM", Some(crv)) => {
                let (curve, x, y) = (Curve::from_wire(crv)?, number(&self.x)?, number(&self.y)?);
                let whole = [&x, &y].iter().all(|coordinate| coordinate.len() == curve.field_len());
                whole.then_some(PublicKey::Ec { curve, x, y })
            }
            ("RSA" | "RSA-HSM", _) => {
                let strip = |bytes: Vec<u8>| bytes.into_iter().skip_while(|b| *b == 0).collect();
                Some(PublicKey::Rsa { n: strip(number(&self.n)?), e: strip(number(&self.e)?) })
            }
            _ => None,
        }
    }

    /// The version that stands last in the kid.
    pub fn version(&self) -> Option<Version> {
        split_kid(&self.kid)?.1
    }
}

/// Name and version in `https://host/keys/name[/version]`.
fn split_kid(kid: &str) -> Option<(Name, Option<Version>)> {
    let path = kid.strip_prefix("https://")?.split_once('/')?.1;
    let mut parts = path.trim_end_matches('/').split('/');
    parts.next()?;
    let name = Name::parse(parts.next()?).ok()?;
    let version = parts.next().map(str::parse).transpose().ok()?;
    parts.next().is_none().then_some((name, version))
}

/// What the server says about a key version. Times in seconds since the epoch.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct KeyAttributes {
    /// Whether it can be used.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub enabled: Option<bool>,
    /// Not to be used before.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub nbf: Option<i64>,
    /// Not to be used from then on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub exp: Option<i64>,
    /// Made.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub created: Option<i64>,
    /// Changed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub updated: Option<i64>,
    /// What deletion means in this vault.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub recovery_level: Option<String>,
    /// Days for which a deleted key can be recovered.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub recoverable_days: Option<u32>,
    /// Bits of a symmetric key.
    #[serde(rename = "key_size", default, skip_serializing_if = "Option::is_none")]
    pub key_size: Option<u16>,
    /// Whether it may be released.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub exportable: Option<bool>,
}

/// A deleted key: its newest version, and until when it can be recovered.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct DeletedKeyBundle {
    /// The newest version.
    #[serde(flatten)]
    pub bundle: KeyBundle,
    /// URL of the deleted key.
    pub recovery_id: Option<String>,
    /// When it was deleted.
    pub deleted_date: Option<i64>,
    /// When it will be purged.
    pub scheduled_purge_date: Option<i64>,
}

/// A line of a list: of keys (kid without version) or of a key's versions (kid with version).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct KeyItem {
    /// URL.
    pub kid: String,
    /// Attributes.
    #[serde(default)]
    pub attributes: KeyAttributes,
    /// Tags.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tags: Option<Tags>,
    /// Set for keys that belong to a certificate.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub managed: Option<bool>,
}

impl KeyItem {
    /// Name and version that stand in the kid.
    pub fn key(&self) -> Option<KeyRef> {
        split_kid(&self.kid).map(|(name, version)| KeyRef { name, version })
    }
}

/// A line of the list of deleted keys.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct DeletedKeyItem {
    /// The key.
    #[serde(flatten)]
    pub item: KeyItem,
    /// URL of the deleted key.
    pub recovery_id: Option<String>,
    /// When it was deleted.
    pub deleted_date: Option<i64>,
    /// When it will be purged.
    pub scheduled_purge_date: Option<i64>,
}

/// Part of a list.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(bound(deserialize = "T: Deserialize<'de>"))]
pub struct Page<T> {
    /// What it holds; may be empty although more follow.
    #[serde(default = "Vec::new", deserialize_with = "null_as_empty")]
    pub value: Vec<T>,
    /// Where it goes on.
    #[serde(rename = "nextLink", default)]
    pub next: Option<NextLink>,
}

/// Where a list goes on; to be given back to the call that brought it.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(transparent)]
pub struct NextLink(pub(crate) String);

fn operations<S: serde::Serializer>(list: &Option<Vec<KeyOperation>>, to: S) -> Result<S::Ok, S::Error> {
    to.collect_seq(list.iter().flatten().map(|operation| operation.wire()))
}

fn null_as_empty<'de, D: Deserializer<'de>, T: Deserialize<'de>>(from: D) -> Result<Vec<T>, D::Error> {
    Ok(Option::deserialize(from)?.unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn requests_name_only_what_is_set() {
        let text = |value: &CreateKey| serde_json::to_string(value).unwrap();
        assert_eq!(text(&CreateKey::of(KeySpec::EcP256)), r#"{"kty":"EC","crv":"P-256"}"#);
        assert_eq!(text(&CreateKey::in_hsm(KeySpec::Oct128)), r#"{"kty":"oct-HSM","key_size":128}"#);
        let key_ops = Some(vec![KeyOperation::WrapKey, KeyOperation::UnwrapKey]);
        let attributes = Some(SetAttributes { enabled: Some(false), ..SetAttributes::default() });
        assert_eq!(
            text(&CreateKey { key_ops, attributes, ..CreateKey::of(KeySpec::Oct256) }),
            r#"{"kty":"oct","key_size":256,"key_ops":["wrapKey","unwrapKey"],"attributes":{"enabled":false}}"#
        );
        let exponent = CreateKey { public_exponent: Some(17), ..CreateKey::of(KeySpec::Rsa3072) };
        assert_eq!(text(&exponent), r#"{"kty":"RSA","key_size":3072,"public_exponent":17}"#);
        let clear = UpdateKey { tags: Some(Tags::new()), ..UpdateKey::default() };
        assert_eq!(serde_json::to_string(&clear).unwrap(), r#"{"tags":{}}"#);
    }

    #[test]
    fn a_kid_gives_name_and_version() {
        let version = "0123456789abcdef0123456789abcdef";
        let (name, found) = split_kid(&format!("https://h:1/keys/My-Key/{version}")).unwrap();
        assert_eq!((name.to_string().as_str(), found), ("My-Key", version.parse().ok()));
        assert_eq!(split_kid("https://h/keys/n").unwrap().1, None);
        for bad in ["", "https://h", "https://h/keys", "https://h/keys/n/x", "https://h/keys/a/b/c/d", "h/keys/n"] {
            assert!(split_kid(bad).is_none(), "{bad}");
        }
    }

    #[test]
    fn public_numbers_are_read_leniently() {
        let jwk = |text: &str| serde_json::from_str::<Jwk>(text).unwrap().public();
        let rsa = jwk(r#"{"kid":"k","kty":"RSA-HSM","n":"AMAB","e":"AAEAAQ","key_ops":[]}"#);
        assert_eq!(rsa, Some(PublicKey::Rsa { n: vec![0xc0, 1], e: vec![1, 0, 1] }));
        assert_eq!(jwk(r#"{"kid":"k","kty":"EC","crv":"P-256","x":"AA","y":"AA"}"#), None);
        assert_eq!(jwk(r#"{"kid":"k","kty":"oct"}"#), None);
    }

    #[test]
    fn a_bundle_tells_what_kind_of_key_it_is() {
        let bundle = |key: &str| {
            let text = format!(r#"{{"key":{{"kid":"k",{key}}},"attributes":{{"key_size":192}}}}"#);
            serde_json::from_str::<KeyBundle>(&text).unwrap().spec()
        };
        let modulus = base64url::encode(&[0xc1; 384]);
        assert_eq!(bundle(&format!(r#""kty":"RSA","n":"{modulus}","e":"AQAB""#)), Some(KeySpec::Rsa3072));
        assert_eq!(bundle(r#""kty":"RSA","n":"AQAB","e":"AQAB""#), None);
        assert_eq!(bundle(r#""kty":"EC-HSM","crv":"P-521""#), Some(KeySpec::EcP521));
        assert_eq!(bundle(r#""kty":"EC","crv":"P-192""#), None);
        assert_eq!(bundle(r#""kty":"oct""#), Some(KeySpec::Oct192));
        assert_eq!(bundle(r#""kty":"AKP""#), None);
    }

    #[test]
    fn odd_lists_are_still_lists() {
        let page = |text: &str| serde_json::from_str::<Page<KeyItem>>(text).unwrap();
        assert_eq!(page(r#"{"value":null,"nextLink":null}"#), Page { value: vec![], next: None });
        assert_eq!(page("{}").value, []);
        let one = page(r#"{"value":[{"kid":"https://h/keys/a","tags":null}],"nextLink":"https://h/x"}"#);
        assert_eq!(one.next, Some(NextLink("https://h/x".to_owned())));
        assert_eq!(one.value[0].key().unwrap().name.to_string(), "a");
    }
}
