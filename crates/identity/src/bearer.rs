//! A signed token: a JWT (RFC 7519) of a trusted issuer, read with the care of RFC 8725.
//!
//! Before the signature is checked, the claims serve two purposes: to find the issuer whose key must have signed, and
//! to refuse what would be no good under any signature. Nothing else is made of them.

use crate::authenticate::{NotAuthenticated, Proven};
use crate::keys::{self, Key};
use crate::object::Object;
use crate::principal::{Caller, Principal};
use crate::trust::TrustedIssuer;
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use keystead_crypto::jws::Scheme;
use keystead_model::Time;
use std::net::IpAddr;
use std::sync::Arc;

/// Longest token, in bytes: one that names 256 groups by GUID has about 14 KiB.
pub(crate) const MAX_LEN: usize = 16 * 1024;

/// How far the clocks of an issuer and of this node may be apart.
pub(crate) const SKEW_MS: i64 = 60_000;

/// Most groups of a token, and the longest of their ids in bytes.
const MAX_GROUPS: usize = 256;
const MAX_GROUP: usize = 256;

/// A token that has the form of one. Nothing in it is proven.
pub(crate) struct Unproven<'a> {
    signed: &'a str,
    signature: &'a str,
    scheme: Scheme,
    kid: Option<String>,
    pub(crate) claims: Object,
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
        let (scheme, kid) = check_header(&decode(header)?)?;
        Ok(Self { signed, signature, scheme, kid, claims: decode(claims)? })
    }

    /// Who says to have issued it.
    pub(crate) fn issuer(&self) -> Result<&str, NotAuthenticated> {
        self.claims.text("iss")?.ok_or(NotAuthenticated::Malformed)
    }

    /// The key of that issuer that must have signed it: the one that its header names.
    pub(crate) fn key<'i>(&self, issuer: &'i Issuer, now: Time) -> Result<&'i Key, NotAuthenticated> {
        let kid = self.kid.as_deref().ok_or(NotAuthenticated::UnknownKey)?;
        let mut named = issuer.keys(now).filter(|key| key.kid() == Some(kid)).peekable();
        if named.peek().is_none() {
            return Err(NotAuthenticated::UnknownKey);
        }
        named.find(|key| key.takes(self.scheme)).ok_or(NotAuthenticated::WrongAlgorithm)
    }

    /// Whether this key signed it. The signature is in base64url; of ECDSA it is raw r|s.
    pub(crate) fn is_of(&self, key: &Key) -> bool {
        let signature = URL_SAFE_NO_PAD.decode(self.signature);
        signature.is_ok_and(|signature| key.verifies(self.scheme, self.signed.as_bytes(), &signature))
    }
}

/// Keys that an issuer published.
#[derive(Debug, Clone)]
pub struct Published {
    /// The keys.
    pub keys: Arc<Vec<Key>>,
    /// When they were fetched.
    pub at: Time,
}

impl Published {
    /// How long they are used without a look at the issuer, ms: a key that the issuer has withdrawn ends then.
    pub const FRESH_MS: i64 = 3_600_000;
    /// How long they are used at all while the issuer cannot be reached, ms.
    pub const GOOD_MS: i64 = 24 * 3_600_000;

    /// Whether the issuer should be asked again.
    pub fn is_stale(&self, now: Time) -> bool {
        now >= self.at.plus_millis(Self::FRESH_MS)
    }

    /// Whether they may still be used.
    pub fn is_good(&self, now: Time) -> bool {
        now < self.at.plus_millis(Self::GOOD_MS)
    }
}

/// A trusted issuer with its keys ready for use.
pub(crate) struct Issuer {
    pub(crate) trusted: TrustedIssuer,
    stated: Vec<Key>,
    pub(crate) published: Option<Published>,
}

impl Issuer {
    pub(crate) fn new(trusted: TrustedIssuer) -> Self {
        let mut stated: Vec<Key> = trusted.keys.iter().filter_map(Key::of).collect();
        stated.extend(trusted.jwks.as_ref().and_then(|set| keys::parse(set.as_bytes()).ok()).unwrap_or_default());
        Self { trusted, stated, published: None }
    }

    pub(crate) fn name(&self) -> &str {
        &self.trusted.iss
    }

    fn keys(&self, now: Time) -> impl Iterator<Item = &Key> {
        let published = self.published.iter().filter(move |p| p.is_good(now));
        self.stated.iter().chain(published.flat_map(|p| p.keys.iter()))
    }

    /// When what was verified with published keys must be verified again.
    pub(crate) fn look_again(&self, now: Time) -> Option<Time> {
        let published = self.published.as_ref()?;
        Some(published.at.plus_millis(Published::FRESH_MS).max(now.plus_millis(60_000)))
    }
}

fn decode(part: &str) -> Result<Object, NotAuthenticated> {
    Object::parse(&URL_SAFE_NO_PAD.decode(part).map_err(|_| NotAuthenticated::Malformed)?)
}

/// Scheme and `kid`, if the header is one of a token. Keys inside or named by the header (`jwk`, `jku`, `x5c`) are
/// never used.
fn check_header(header: &Object) -> Result<(Scheme, Option<String>), NotAuthenticated> {
    let scheme = header.text("alg")?.and_then(Scheme::named).ok_or(NotAuthenticated::WrongAlgorithm)?;
    // An extension that must be understood (RFC 7515, section 4.1.11); none is.
    if header.has("crit") {
        return Err(NotAuthenticated::Malformed);
    }
    // What the issuer signs for other purposes (logout tokens, proofs of possession) carries a type of its own.
    let access = ["JWT", "at+jwt", "application/at+jwt"];
    if header.text("typ")?.is_some_and(|typ| !access.iter().any(|a| a.eq_ignore_ascii_case(typ))) {
        return Err(NotAuthenticated::Malformed);
    }
    Ok((scheme, header.text("kid")?.map(str::to_owned)))
}

/// What a token says of its bearer.
pub(crate) struct Said {
    pub(crate) principal: Principal,
    groups: Vec<String>,
    application: Option<String>,
    until: Time,
}

impl Said {
    /// Who it is, now that the signature has been verified.
    pub(crate) fn proven(self, issuer: &Issuer, address: Option<IpAddr>, now: Time) -> Proven {
        let until = issuer.look_again(now).map_or(self.until, |again| self.until.min(again));
        let caller = Caller::by_token(self.principal, self.groups, self.application, address);
        Proven { caller, until, once: None }
    }
}

/// Everything that can be seen without the issuer's key.
pub(crate) fn check_claims(claims: &Object, issuer: &TrustedIssuer, now: Time) -> Result<Said, NotAuthenticated> {
    if claims.text("iss")? != Some(&issuer.iss) {
        return Err(NotAuthenticated::UnknownIssuer);
    }
    check_tenant(claims, issuer)?;
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
    let application = application.map(str::to_owned);
    Ok(Said { principal: Principal::new(&issuer.iss, subject), groups: groups(claims)?, application, until })
}

pub(crate) fn check_tenant(claims: &Object, issuer: &TrustedIssuer) -> Result<(), NotAuthenticated> {
    match &issuer.tenant {
        Some(tenant) if claims.text("tid")? != Some(tenant) => Err(NotAuthenticated::WrongTenant),
        _ => Ok(()),
    }
}

fn groups(claims: &Object) -> Result<Vec<String>, NotAuthenticated> {
    let groups = claims.texts("groups")?;
    if groups.len() > MAX_GROUPS || groups.iter().any(|g| g.len() > MAX_GROUP) {
        return Err(NotAuthenticated::Malformed);
    }
    Ok(groups.into_iter().map(str::to_owned).collect())
}

/// When the token stops being good.
pub(crate) fn check_times(claims: &Object, now: Time) -> Result<Time, NotAuthenticated> {
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
    use crate::trust::IssuerKey;

    fn key(x: &str, y: &str) -> Key {
        let coordinate = |text: &str| URL_SAFE_NO_PAD.decode(text).unwrap().try_into().unwrap();
        Key::of(&IssuerKey { kid: String::new(), x: coordinate(x), y: coordinate(y) }).unwrap()
    }

    fn signed_by(key: &Key, signed: &str, signature: &str) -> bool {
        Unproven::parse(&format!("{signed}.{signature}")).is_ok_and(|token| token.is_of(key))
    }

    const SIGNED: &str = "eyJhbGciOiJFUzI1NiJ9.eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLm\
                          NvbS9pc19yb290Ijp0cnVlfQ";
    const SIGNATURE: &str = "DtEhU3ljbEg8L38VWAfUAqOyKAM6-Xx-F4GawxaepmXFCgfTjDxw5djxLa8ISlSApmWQxfKTUJqPP3-Kg6NU1Q";

    #[test]
    fn the_example_of_rfc_7515_a_3_verifies_and_a_changed_one_does_not() {
        let key = key("f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU", "x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0");
        assert!(signed_by(&key, SIGNED, SIGNATURE));
        assert!(!signed_by(&key, &SIGNED.replace("MDA4", "MDA5"), SIGNATURE));
        for bad in ["", "DtEh", "=", &SIGNATURE.replace("1Q", "1R"), &"A".repeat(86), &format!("{SIGNATURE}AA")] {
            assert!(!signed_by(&key, SIGNED, bad), "{bad}");
        }
    }

    #[test]
    fn a_point_off_the_curve_verifies_nothing() {
        let zero = URL_SAFE_NO_PAD.encode([0; 32]);
        assert!(!signed_by(&key(&zero, &zero), SIGNED, SIGNATURE));
    }
}
