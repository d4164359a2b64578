//! Tokens by which a built-in client proves itself (RFC 7523, section 3): signed with a key of its own, or issued to it
//! by somebody the vault trusts.

use crate::authenticate::NotAuthenticated;
use crate::bearer::{Issuer, SKEW_MS, Unproven, check_tenant, check_times};
use crate::credential::By;
use crate::keys::{self, Key};
use crate::trust::Client;
use keystead_model::Time;
use std::collections::HashMap;

/// How long an assertion may be good, so that those that were used can all be remembered.
const MAX_LIFE_MS: i64 = 600_000;

/// Longest `jti`, in bytes.
const MAX_JTI: usize = 256;

/// What an assertion that the client signs itself must say. Gives until when its use must be remembered, and as what.
pub(crate) fn of_itself(
    token: &Unproven<'_>,
    client: &Client,
    audiences: &[&str],
    now: Time,
) -> Result<(Time, [u8; 32]), NotAuthenticated> {
    let claims = &token.claims;
    if !claims.text("sub")?.is_some_and(|sub| sub.eq_ignore_ascii_case(&client.id)) {
        return Err(NotAuthenticated::WrongSecret);
    }
    match claims.texts("aud")?.as_slice() {
        [aud] if audiences.contains(aud) => {}
        _ => return Err(NotAuthenticated::WrongAudience),
    }
    let until = check_times(claims, now)?;
    let jti = claims.text("jti")?.filter(|jti| jti.len() <= MAX_JTI).ok_or(NotAuthenticated::Malformed)?;
    if until > now.plus_millis(MAX_LIFE_MS).plus_millis(SKEW_MS.saturating_mul(2)) {
        return Err(NotAuthenticated::Replayed);
    }
    Ok((until, keystead_crypto::sha256(&[client.id.to_ascii_lowercase().as_bytes(), &[0], jti.as_bytes()])))
}

/// Whether one of the client's own keys signed it.
pub(crate) fn signed_by(token: &Unproven<'_>, client: &Client, now: Time) -> Result<(), NotAuthenticated> {
    let signed = client.credentials.iter().filter(|c| c.is_good(now)).any(|c| match &c.by {
        By::Key(jwk) => keys::parse_one(jwk.as_bytes()).is_ok_and(|key| token.is_of(&key)),
        By::Secret(_) | By::Federated(_) => false,
    });
    if signed { Ok(()) } else { Err(NotAuthenticated::WrongSecret) }
}

/// What a token that an issuer gave to the client must say. Gives the key that must have signed it.
pub(crate) fn federated<'i>(
    token: &Unproven<'_>,
    client: &Client,
    issuers: &'i HashMap<String, Issuer>,
    now: Time,
) -> Result<&'i Key, NotAuthenticated> {
    let iss = token.issuer()?;
    let issuer = issuers.get(iss).ok_or(NotAuthenticated::UnknownIssuer)?;
    let claims = &token.claims;
    check_tenant(claims, &issuer.trusted)?;
    check_times(claims, now)?;
    let sub = claims.text("sub")?.ok_or(NotAuthenticated::Malformed)?;
    let audiences = claims.texts("aud")?;
    let named = client.credentials.iter().filter(|c| c.is_good(now)).any(|c| match &c.by {
        By::Federated(f) => f.iss == iss && f.sub == sub && audiences.contains(&f.aud.as_str()),
        By::Secret(_) | By::Key(_) => false,
    });
    if named { token.key(issuer, now) } else { Err(NotAuthenticated::WrongSecret) }
}
