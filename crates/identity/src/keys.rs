//! Public keys of issuers and clients: a JWK set (RFC 7517), read with suspicion.

use crate::trust::IssuerKey;
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use keystead_crypto::ec::Curve;
use keystead_crypto::jws::{PublicKey, Scheme};
use serde::Deserialize;
use thiserror::Error;

/// A key that tokens can be verified with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Key {
    kid: Option<String>,
    alg: Option<Scheme>,
    key: PublicKey,
}

/// A set that is none.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum BadKeys {
    /// Not JSON of this form, or over a bound.
    #[error("not a JWK set of at most {MAX_KEYS} keys: {{\"keys\":[...]}} is expected")]
    Malformed,
    /// None of its keys can be used.
    #[error("the JWK set has no usable key: RSA of at least 2048 bits or P-256, P-384, P-521, for signatures")]
    NoKey,
}

/// Most keys of a set.
pub const MAX_KEYS: usize = 64;
/// Longest `kid`, in bytes.
const MAX_KID: usize = 512;

#[derive(Deserialize)]
struct Set {
    keys: Vec<serde_json::Value>,
}

#[derive(Deserialize)]
struct Jwk {
    kty: String,
    kid: Option<String>,
    alg: Option<String>,
    #[serde(rename = "use")]
    purpose: Option<String>,
    key_ops: Option<Vec<String>>,
    crv: Option<String>,
    x: Option<String>,
    y: Option<String>,
    n: Option<String>,
    e: Option<String>,
}

/// The usable keys of a set. Keys of other kinds and purposes are passed over, as RFC 7517, section 5, wants it.
pub fn parse(json: &[u8]) -> Result<Vec<Key>, BadKeys> {
    let set: Set = serde_json::from_slice(json).map_err(|_| BadKeys::Malformed)?;
    if set.keys.len() > MAX_KEYS {
        return Err(BadKeys::Malformed);
    }
    let keys: Vec<Key> =
        set.keys.into_iter().filter_map(|k| serde_json::from_value::<Jwk>(k).ok()).filter_map(usable).collect();
    if keys.is_empty() { Err(BadKeys::NoKey) } else { Ok(keys) }
}

/// One key as a JWK of its own.
pub fn parse_one(json: &[u8]) -> Result<Key, BadKeys> {
    let jwk: Jwk = serde_json::from_slice(json).map_err(|_| BadKeys::Malformed)?;
    usable(jwk).ok_or(BadKeys::NoKey)
}

fn usable(jwk: Jwk) -> Option<Key> {
    let for_signatures = jwk.purpose.as_deref().is_none_or(|p| p == "sig")
        && jwk.key_ops.as_ref().is_none_or(|ops| ops.iter().any(|op| op == "verify"));
    if !for_signatures || jwk.kid.as_ref().is_some_and(|kid| kid.len() > MAX_KID) {
        return None;
    }
    let alg = match jwk.alg.as_deref() {
        None => None,
        Some(name) => Some(Scheme::named(name)?),
    };
    let part = |text: &Option<String>| URL_SAFE_NO_PAD.decode(text.as_deref()?).ok();
    let key = match (jwk.kty.as_str(), jwk.crv.as_deref()) {
        ("RSA", _) => PublicKey::rsa(&part(&jwk.n)?, &part(&jwk.e)?)?,
        ("EC", Some(name)) => PublicKey::ec(curve(name)?, &part(&jwk.x)?, &part(&jwk.y)?)?,
        _ => return None,
    };
    if alg.is_some_and(|alg| !key.takes(alg)) {
        return None;
    }
    Some(Key { kid: jwk.kid, alg, key })
}

fn curve(name: &str) -> Option<Curve> {
    match name {
        "P-256" => Some(Curve::P256),
        "P-384" => Some(Curve::P384),
        "P-521" => Some(Curve::P521),
        _ => None,
    }
}

impl Key {
    /// A key that stands in the policy.
    pub(crate) fn of(stated: &IssuerKey) -> Option<Self> {
        let key = PublicKey::ec(Curve::P256, &stated.x, &stated.y)?;
        Some(Self { kid: Some(stated.kid.clone()), alg: Some(Scheme::Es256), key })
    }

    /// What tokens call it.
    pub fn kid(&self) -> Option<&str> {
        self.kid.as_deref()
    }

    /// Whether it may be used with a scheme: its kind and its own `alg` allow it.
    pub(crate) fn takes(&self, scheme: Scheme) -> bool {
        self.alg.is_none_or(|alg| alg == scheme) && self.key.takes(scheme)
    }

    pub(crate) fn verifies(&self, scheme: Scheme, message: &[u8], signature: &[u8]) -> bool {
        self.takes(scheme) && self.key.verifies(scheme, message, signature)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_for_other_purposes_and_of_other_kinds_are_passed_over() {
        let (x, n) = (URL_SAFE_NO_PAD.encode([1; 32]), URL_SAFE_NO_PAD.encode([0xff; 256]));
        let good = format!(r#"{{"kty":"EC","crv":"P-256","kid":"a","x":"{x}","y":"{x}"}}"#);
        let rsa = format!(r#"{{"kty":"RSA","kid":"r","use":"sig","n":"{n}","e":"AQAB","x5c":["ignored"]}}"#);
        for other in [
            r#"{"kty":"oct","kid":"s","k":"AAAA"}"#.to_owned(),
            good.replace("\"kid\"", "\"use\":\"enc\",\"kid\""),
            good.replace("\"kid\"", "\"key_ops\":[\"sign\"],\"kid\""),
            good.replace("\"kid\"", "\"alg\":\"HS256\",\"kid\""),
            good.replace("\"kid\"", "\"alg\":\"RS256\",\"kid\""),
            good.replace("P-256", "P-384"),
            good.replace("P-256", "secp256k1"),
            rsa.replace("\"sig\"", "\"enc\""),
            rsa.replace("AQAB", "Ag"),
            r#"{"kty":7}"#.to_owned(),
            "7".to_owned(),
        ] {
            let set = format!(r#"{{"keys":[{other},{good},{rsa}]}}"#);
            let kids: Vec<_> = parse(set.as_bytes()).unwrap().into_iter().map(|k| k.kid.unwrap()).collect();
            assert_eq!(kids, ["a", "r"], "{other}");
            assert_eq!(parse(format!(r#"{{"keys":[{other}]}}"#).as_bytes()), Err(BadKeys::NoKey), "{other}");
        }
    }

    #[test]
    fn a_set_is_bounded() {
        let many = |n: usize| format!(r#"{{"keys":[{}]}}"#, vec!["{}"; n].join(","));
        assert_eq!(parse(many(MAX_KEYS).as_bytes()), Err(BadKeys::NoKey));
        assert_eq!(parse(many(MAX_KEYS + 1).as_bytes()), Err(BadKeys::Malformed));
        for bad in ["", "[]", "{}", r#"{"keys":{}}"#] {
            assert_eq!(parse(bad.as_bytes()), Err(BadKeys::Malformed), "{bad}");
        }
    }
}
