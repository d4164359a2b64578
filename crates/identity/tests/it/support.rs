//! An issuer with a key of its own, as the engine has one.

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use keystead_crypto::ec::{Curve, PrivateKey};
use keystead_crypto::sha256;
use keystead_identity::{Identity, IssuerKey, NotAuthenticated, Proof, Proven, TrustedIssuer};
use keystead_model::Time;
use serde_json::{Value, json};
use std::sync::LazyLock;

pub(crate) const ISS: &str = "https://issuer.example/t1/";
pub(crate) const AUD: &str = "https://vault.azure.net";
pub(crate) const TENANT: &str = "6d0b2a1e-0000-4000-8000-000000000001";
pub(crate) const OID: &str = "6d0b2a1e-0000-4000-8000-00000000000a";
/// Seconds: the time at which all tests take place.
pub(crate) const NOW: i64 = 1_900_000_000;

pub(crate) static KEY: LazyLock<PrivateKey> = LazyLock::new(new_key);
pub(crate) static OTHER_KEY: LazyLock<PrivateKey> = LazyLock::new(new_key);

pub(crate) fn new_key() -> PrivateKey {
    PrivateKey::generate(Curve::P256)
}

pub(crate) fn b64(bytes: impl AsRef<[u8]>) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}

pub(crate) fn public(kid: &str, key: &PrivateKey) -> IssuerKey {
    let (x, y) = key.public();
    IssuerKey { kid: kid.into(), x: x.try_into().unwrap(), y: y.try_into().unwrap() }
}

pub(crate) fn issuer() -> TrustedIssuer {
    TrustedIssuer {
        iss: ISS.into(),
        audiences: vec![AUD.into(), "https://managedhsm.azure.net/".into()],
        tenant: Some(TENANT.into()),
        subject_claim: "oid".into(),
        keys: vec![public("k2", &OTHER_KEY), public("k1", &KEY)],
        ..TrustedIssuer::default()
    }
}

pub(crate) fn trusting(issuers: Vec<TrustedIssuer>) -> Identity {
    Identity::new("https://builtin.example".into(), issuers, Vec::new())
}

pub(crate) fn header() -> Value {
    json!({ "alg": "ES256", "typ": "JWT", "kid": "k1" })
}

pub(crate) fn claims() -> Value {
    json!({
        "aud": AUD, "iss": ISS, "sub": "the-sub", "oid": OID, "tid": TENANT, "appid": "the-app",
        "iat": NOW, "nbf": NOW, "exp": NOW + 3600, "ver": "1.0",
    })
}

/// The standard claims with one changed, or removed if `value` is null.
pub(crate) fn claims_with(name: &str, value: Value) -> Value {
    let mut claims = claims();
    if value.is_null() {
        claims.as_object_mut().unwrap().remove(name);
    } else {
        claims[name] = value;
    }
    claims
}

pub(crate) fn sign(key: &PrivateKey, header: impl AsRef<[u8]>, claims: impl AsRef<[u8]>) -> String {
    let signed = format!("{}.{}", b64(header), b64(claims));
    let signature = key.sign_digest(&sha256(&[signed.as_bytes()])).unwrap();
    format!("{signed}.{}", b64(signature))
}

/// A token of the issuer with these claims.
pub(crate) fn token(claims: &Value) -> String {
    sign(&KEY, header().to_string(), claims.to_string())
}

pub(crate) fn at(identity: &Identity, token: &str, now: Time) -> Result<Proven, NotAuthenticated> {
    identity.authenticate(Proof::Bearer(token), None, now)
}

/// What the issuer above makes of a token at [`NOW`].
pub(crate) fn now(token: &str) -> Result<Proven, NotAuthenticated> {
    at(&trusting(vec![issuer()]), token, Time::from_secs(NOW))
}

pub(crate) fn refusal(token: &str) -> NotAuthenticated {
    now(token).unwrap_err()
}
