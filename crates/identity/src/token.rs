//! How a built-in issuer writes its tokens (RFC 7519, ES256 of RFC 7518) and shows its keys (RFC 7517).

use crate::trust::IssuerKey;
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

/// What a built-in issuer says in a token. Times are whole seconds since the epoch.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Claims {
    /// For which service.
    pub aud: String,
    /// By which issuer.
    pub iss: String,
    /// About whom; the same as `oid`.
    pub sub: String,
    /// About whom: the principal's GUID.
    pub oid: String,
    /// Tenant.
    pub tid: String,
    /// GUID of the client that asked.
    pub appid: String,
    /// When it was issued.
    pub iat: i64,
    /// From when it is good.
    pub nbf: i64,
    /// Until when it is good.
    pub exp: i64,
    /// Version of the claims: `1.0`.
    pub ver: String,
}

/// What is to be signed: header and claims, each in base64url, with a dot between.
pub fn signing_input(kid: &str, claims: &Claims) -> String {
    let header = json!({ "alg": "ES256", "typ": "JWT", "kid": kid });
    let claims = json!({
        "aud": claims.aud,
        "iss": claims.iss,
        "sub": claims.sub,
        "oid": claims.oid,
        "tid": claims.tid,
        "appid": claims.appid,
        "iat": claims.iat,
        "nbf": claims.nbf,
        "exp": claims.exp,
        "ver": claims.ver,
    });
    format!("{}.{}", URL_SAFE_NO_PAD.encode(header.to_string()), URL_SAFE_NO_PAD.encode(claims.to_string()))
}

/// The token: what was signed, and its signature as raw r|s.
pub fn finish(signing_input: String, signature: &[u8; 64]) -> String {
    let mut token = signing_input;
    token.push('.');
    URL_SAFE_NO_PAD.encode_string(signature, &mut token);
    token
}

/// The key as it stands in a JWK set.
pub fn jwk(key: &IssuerKey) -> Value {
    json!({
        "kty": "EC",
        "crv": "P-256",
        "use": "sig",
        "alg": "ES256",
        "kid": key.kid,
        "x": URL_SAFE_NO_PAD.encode(key.x),
        "y": URL_SAFE_NO_PAD.encode(key.y),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn part(text: &str) -> Vec<u8> {
        URL_SAFE_NO_PAD.decode(text).unwrap()
    }

    #[test]
    fn every_claim_stands_in_the_token_under_its_own_name() {
        let claims = Claims {
            aud: "a".into(),
            iss: "b".into(),
            sub: "c".into(),
            oid: "d".into(),
            tid: "e".into(),
            appid: "f".into(),
            iat: 1,
            nbf: 2,
            exp: 3,
            ver: "1.0".into(),
        };
        let token = finish(signing_input("k\"1", &claims), &[7; 64]);
        let parts: Vec<_> = token.split('.').collect();
        let header: Value = serde_json::from_slice(&part(parts[0])).unwrap();
        assert_eq!(header, json!({ "alg": "ES256", "typ": "JWT", "kid": "k\"1" }));
        let read: Value = serde_json::from_slice(&part(parts[1])).unwrap();
        assert_eq!(read, serde_json::to_value(&claims).unwrap());
        assert_eq!(serde_json::from_value::<Claims>(read).unwrap(), claims);
        assert_eq!(part(parts[2]), [7; 64]);
        assert_eq!(parts.len(), 3);
    }

    #[test]
    fn a_jwk_has_the_members_of_rfc_7518_with_coordinates_of_full_length() {
        let jwk = jwk(&IssuerKey { kid: "k".into(), x: [0; 32], y: [0xff; 32] });
        assert_eq!(jwk["kty"], "EC");
        assert_eq!(jwk["crv"], "P-256");
        assert_eq!(jwk["x"], "A".repeat(43));
        assert_eq!(part(jwk["y"].as_str().unwrap()), [0xff; 32]);
        assert!(jwk.get("d").is_none());
    }
}
