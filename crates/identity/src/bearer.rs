//! A bearer token: a JWT (RFC 7519) signed with ES256 by a trusted issuer, read with the care of RFC 8725.
//!
//! Before the signature is checked, the claims serve one purpose: to find the issuer whose key must have signed.

use crate::authenticate::{NotAuthenticated, Proven};
use crate::object::Object;
use crate::principal::{Caller, Principal};
use crate::trust::{IssuerKey, TrustedIssuer};
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use jsonwebtoken::{Algorithm, DecodingKey};
use keystead_model::Time;
use std::net::IpAddr;

/// Longest token, in bytes.
pub(crate) const MAX_LEN: usize = 8 * 1024;

/// How far the clocks of an issuer and of this node may be apart.
const SKEW_MS: i64 = 60_000;

/// A token that has the form of one. Nothing in it is proven.
pub(crate) struct Unproven<'a> {
    signed: &'a str,
    signature: &'a str,
    kid: String,
    claims: Object,
}

impl<'a> Unproven<'a> {
    pub(crate) fn parse(token: &'a str) -> Result<Self, NotAuthenticated> {
        match token.len() {
            0 => return Err(NotAuthenticated::Missing),
            1..=MAX_LEN => {}
            _ => return Err(NotAuthenticated::TooLarge),
        }
        let (signed, signature) = token.rsplit_once('.').ok_or(NotAuthenticated::Malformed)?;
        let (header, claims) = signed.split_once('.').ok_or(NotAuthenticated::Malformed)?;
        let kid = check_header(&decode(header)?)?;
        Ok(Self { signed, signature, kid, claims: decode(claims)? })
    }

    /// Who says to have issued it.
    pub(crate) fn issuer(&self) -> Result<&str, NotAuthenticated> {
        self.claims.text("iss")?.ok_or(NotAuthenticated::Malformed)
    }

    /// Checks everything else against that issuer.
    pub(crate) fn prove(
        &self,
        issuer: &Issuer,
        address: Option<IpAddr>,
        now: Time,
    ) -> Result<Proven, NotAuthenticated> {
        let key = issuer.key(&self.kid).ok_or(NotAuthenticated::UnknownKey)?;
        if !signed_by(key, self.signed, self.signature) {
            return Err(NotAuthenticated::BadSignature);
        }
        check_claims(&self.claims, &issuer.trusted, address, now)
    }
}

/// A trusted issuer with its keys ready for use.
pub(crate) struct Issuer {
    trusted: TrustedIssuer,
    keys: Vec<(String, DecodingKey)>,
}

impl Issuer {
    pub(crate) fn new(trusted: TrustedIssuer) -> Self {
        let keys = trusted.keys.iter().filter_map(|k| Some((k.kid.clone(), verifier(k)?))).collect();
        Self { trusted, keys }
    }

    pub(crate) fn name(&self) -> &str {
        &self.trusted.iss
    }

    fn key(&self, kid: &str) -> Option<&DecodingKey> {
        self.keys.iter().find(|(k, _)| k == kid).map(|(_, key)| key)
    }
}

fn verifier(key: &IssuerKey) -> Option<DecodingKey> {
    DecodingKey::from_ec_components(&URL_SAFE_NO_PAD.encode(key.x), &URL_SAFE_NO_PAD.encode(key.y)).ok()
}

fn decode(part: &str) -> Result<Object, NotAuthenticated> {
    Object::parse(&URL_SAFE_NO_PAD.decode(part).map_err(|_| NotAuthenticated::Malformed)?)
}

/// The `kid`, if the header is one of a token. Keys inside or named by the header (`jwk`, `jku`, `x5c`) are never used.
fn check_header(header: &Object) -> Result<String, NotAuthenticated> {
    if header.text("alg")? != Some("ES256") {
        return Err(NotAuthenticated::WrongAlgorithm);
    }
    // An extension that must be understood (RFC 7515, section 4.1.11); none is.
    if header.has("crit") {
        return Err(NotAuthenticated::Malformed);
    }
    // What the issuer signs for other purposes (logout tokens, proofs of possession) carries a type of its own.
    let access = ["JWT", "at+jwt", "application/at+jwt"];
    if header.text("typ")?.is_some_and(|typ| !access.iter().any(|a| a.eq_ignore_ascii_case(typ))) {
        return Err(NotAuthenticated::Malformed);
    }
    header.text("kid")?.map(str::to_owned).ok_or(NotAuthenticated::UnknownKey)
}

/// ES256 whatever the header says. The signature is raw r|s in base64url.
fn signed_by(key: &DecodingKey, signed: &str, signature: &str) -> bool {
    jsonwebtoken::crypto::verify(signature, signed.as_bytes(), key, Algorithm::ES256).unwrap_or(false)
}

pub(crate) fn check_claims(
    claims: &Object,
    issuer: &TrustedIssuer,
    address: Option<IpAddr>,
    now: Time,
) -> Result<Proven, NotAuthenticated> {
    if claims.text("iss")? != Some(&issuer.iss) {
        return Err(NotAuthenticated::UnknownIssuer);
    }
    if let Some(tenant) = &issuer.tenant
        && claims.text("tid")? != Some(tenant)
    {
        return Err(NotAuthenticated::WrongTenant);
    }
    let for_us = |aud: &&str| issuer.audiences.iter().any(|ours| without_slash(ours) == without_slash(aud));
    if !claims.texts("aud")?.iter().any(for_us) {
        return Err(NotAuthenticated::WrongAudience);
    }
    let until = check_times(claims, now)?;
    let subject = claims.text(&issuer.subject_claim)?.ok_or(NotAuthenticated::Malformed)?;
    let application = match claims.text("appid")? {
        None => claims.text("azp")?,
        appid => appid,
    };
    let groups = claims.texts("groups")?.into_iter().map(str::to_owned).collect();
    let principal = Principal::new(&issuer.iss, subject);
    Ok(Proven { caller: Caller::by_token(principal, groups, application.map(str::to_owned), address), until })
}

/// When the token stops being good.
fn check_times(claims: &Object, now: Time) -> Result<Time, NotAuthenticated> {
    let until = claims.time("exp")?.ok_or(NotAuthenticated::Malformed)?.plus_millis(SKEW_MS);
    if now >= until {
        return Err(NotAuthenticated::Expired);
    }
    if claims.time("nbf")?.is_some_and(|from| now < from.plus_millis(SKEW_MS.saturating_neg())) {
        return Err(NotAuthenticated::NotYetValid);
    }
    Ok(until)
}

fn without_slash(audience: &str) -> &str {
    audience.strip_suffix('/').unwrap_or(audience)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_example_of_rfc_7515_a_3_verifies_and_a_changed_one_does_not() {
        let coordinate = |text: &str| URL_SAFE_NO_PAD.decode(text).unwrap().try_into().unwrap();
        let key = verifier(&IssuerKey {
            kid: String::new(),
            x: coordinate("f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU"),
            y: coordinate("x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0"),
        })
        .unwrap();
        let signed = "eyJhbGciOiJFUzI1NiJ9.eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvb\
                      S9pc19yb290Ijp0cnVlfQ";
        let signature = "DtEhU3ljbEg8L38VWAfUAqOyKAM6-Xx-F4GawxaepmXFCgfTjDxw5djxLa8ISlSApmWQxfKTUJqPP3-Kg6NU1Q";
        assert!(signed_by(&key, signed, signature));
        assert!(!signed_by(&key, &signed.replace("Lm", "Ln"), signature));
        for bad in ["", "DtEh", "=", &signature.replace("1Q", "1R"), &"A".repeat(86), &format!("{signature}AA")] {
            assert!(!signed_by(&key, signed, bad), "{bad}");
        }
    }

    #[test]
    fn a_point_off_the_curve_verifies_nothing() {
        let key = verifier(&IssuerKey { kid: String::new(), x: [0; 32], y: [0; 32] }).unwrap();
        assert!(!signed_by(&key, "a.b", &"A".repeat(86)));
    }
}
