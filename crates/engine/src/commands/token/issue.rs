//! A token for a proven built-in client.

use crate::commands::{ask, no_approval};
use crate::error::Refusal;
use crate::room::Room;
use crate::run::{Effect, Execute};
use keystead_access::{Permit, Who};
use keystead_identity::token::Claims;
use keystead_model::{Target, Time};
use zeroize::Zeroizing;

/// Issues a token for the caller himself.
pub struct IssueToken {
    /// `aud`: the resource it is for.
    pub audience: String,
    /// How long it is valid, in seconds; bounded by 24 h.
    pub lifetime_secs: u32,
}
ask!(IssueToken, IssueToken, |c| Target::Vault);

/// A token. Cleared when dropped.
pub struct IssuedToken {
    /// Compact JWT.
    pub jwt: Zeroizing<String>,
    /// `exp`.
    pub expires: Time,
    /// How long it is valid, in seconds.
    pub lifetime_secs: u32,
}

/// Longest audience, in bytes.
const MAX_AUDIENCE: usize = 512;
/// Longest lifetime, in seconds.
const MAX_LIFETIME: u32 = 86_400;

impl Execute for IssueToken {
    type Output = IssuedToken;
    no_approval!();

    async fn execute(permit: &Permit<Self>, room: &Room<'_>) -> Result<Effect<IssuedToken>, Refusal> {
        let ask = permit.ask();
        let Who::Caller(caller) = permit.who() else { return Err(Refusal::Fault) };
        if ask.audience.len() > MAX_AUDIENCE {
            return Err(Refusal::OverBound { what: "the audience has at most 512 bytes" });
        }
        let lifetime_secs = ask.lifetime_secs.min(MAX_LIFETIME);
        let now = room.at.now.secs();
        let expires = now.saturating_add(i64::from(lifetime_secs));
        let issuer = &room.open().issuer;
        let subject = caller.principal().subject().to_owned();
        let claims = Claims {
            iss: issuer.info().iss,
            aud: ask.audience.clone(),
            sub: subject.clone(),
            oid: subject,
            tid: room.vault().info.tenant.clone(),
            appid: caller.application().unwrap_or_default().to_owned(),
            iat: now,
            nbf: now,
            exp: expires,
            ver: "1.0".to_owned(),
        };
        let jwt = issuer.issue(&claims, room.at.deadline).await?;
        Ok(Effect::read(IssuedToken { jwt, expires: Time::from_secs(expires), lifetime_secs }))
    }
}
