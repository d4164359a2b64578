//! A proof on its way to a caller: first what can be seen, then what must be computed. Whoever bounds the second needs
//! the first to cost nothing, or a flood of junk would use up what those with good proofs need.

use crate::assertion;
use crate::authenticate::{Identity, NotAuthenticated, Proof, Proven};
use crate::bearer::{Issuer, Said, Unproven, check_claims};
use crate::certificate::Shown;
use crate::credential::By;
use crate::keys::Key;
use crate::principal::{Caller, Principal};
use crate::trust::{Client, secret_digest};
use keystead_model::Time;
use std::net::IpAddr;

/// A proof with nothing wrong to be seen. Who it is from is not proven: that takes a signature or a secret.
pub struct Claimed<'a> {
    identity: &'a Identity,
    address: Option<IpAddr>,
    now: Time,
    rest: Rest<'a>,
}

/// What is left to be computed.
enum Rest<'a> {
    Bearer { token: Unproven<'a>, issuer: &'a Issuer, key: &'a Key, said: Said },
    Secret { client: &'a str, secret: &'a str },
    Own { client: &'a Client, token: Unproven<'a>, used: (Time, [u8; 32]) },
    Federated { client: &'a Client, token: Unproven<'a>, key: &'a Key },
    Certificate(Shown<'a>),
}

impl<'a> Claimed<'a> {
    pub(crate) fn of(
        identity: &'a Identity,
        proof: Proof<'a>,
        address: Option<IpAddr>,
        now: Time,
    ) -> Result<Self, NotAuthenticated> {
        let rest = match proof {
            Proof::Bearer(token) => bearer(identity, token, now)?,
            Proof::ClientSecret { client, secret } => {
                if client.is_empty() || secret.is_empty() {
                    return Err(NotAuthenticated::Missing);
                }
                if client.len() > Identity::MAX_LEN || secret.len() > Identity::MAX_LEN {
                    return Err(NotAuthenticated::TooLarge);
                }
                Rest::Secret { client, secret }
            }
            Proof::ClientAssertion { client, assertion, endpoint } => {
                asserted(identity, client, assertion, endpoint, now)?
            }
            Proof::Certificate(chain) => {
                let shown = Shown::of(chain)?;
                if identity.authorities.is_empty() {
                    return Err(NotAuthenticated::UntrustedCertificate);
                }
                Rest::Certificate(shown)
            }
        };
        Ok(Self { identity, address, now, rest })
    }

    /// The built-in client that it names, if it does. There may be no such client.
    pub fn client(&self) -> Option<&str> {
        match &self.rest {
            Rest::Secret { client, .. } => Some(client),
            Rest::Own { client, .. } | Rest::Federated { client, .. } => Some(&client.id),
            Rest::Bearer { .. } | Rest::Certificate(_) => None,
        }
    }

    /// Verifies the signature, or compares the secret.
    pub fn prove(self) -> Result<Proven, NotAuthenticated> {
        let Self { identity, address, now, rest } = self;
        let by_client = |client: &Client| {
            let principal = Principal::new(&identity.builtin_issuer, &client.subject);
            Caller::by_secret(principal, client.id.clone(), address)
        };
        match rest {
            Rest::Bearer { token, issuer, key, said } => {
                signed(&token, key)?;
                check_revoked(identity, &token, issuer.name(), said.principal.subject())?;
                Ok(said.proven(issuer, address, now))
            }
            Rest::Secret { client, secret } => {
                let client = with_secret(identity, client, secret, now)?;
                Ok(Proven { caller: by_client(client), until: now, once: None })
            }
            Rest::Own { client, token, used: (until, once) } => {
                assertion::signed_by(&token, client, now)?;
                Ok(Proven { caller: by_client(client), until, once: Some(once) })
            }
            Rest::Federated { client, token, key } => {
                signed(&token, key)?;
                let sub = token.claims.text("sub")?.unwrap_or_default();
                check_revoked(identity, &token, token.issuer()?, sub)?;
                Ok(Proven { caller: by_client(client), until: now, once: None })
            }
            Rest::Certificate(shown) => identity.authorities.prove(&shown, &identity.revoked, address, now),
        }
    }
}

fn bearer<'a>(identity: &'a Identity, token: &'a str, now: Time) -> Result<Rest<'a>, NotAuthenticated> {
    let token = Unproven::parse(token)?;
    let issuer = identity.issuers.get(token.issuer()?).ok_or(NotAuthenticated::UnknownIssuer)?;
    let said = check_claims(&token.claims, &issuer.trusted, now)?;
    let key = token.key(issuer, now)?;
    Ok(Rest::Bearer { token, issuer, key, said })
}

fn asserted<'a>(
    identity: &'a Identity,
    client: &str,
    assertion: &'a str,
    endpoint: &str,
    now: Time,
) -> Result<Rest<'a>, NotAuthenticated> {
    if client.len() > Identity::MAX_LEN {
        return Err(NotAuthenticated::TooLarge);
    }
    let client = identity.clients.get(&client.to_ascii_lowercase()).ok_or(NotAuthenticated::UnknownClient)?;
    let token = Unproven::parse(assertion)?;
    if token.issuer()?.eq_ignore_ascii_case(&client.id) {
        let used = assertion::of_itself(&token, client, &[endpoint, identity.builtin_issuer.as_str()], now)?;
        return Ok(Rest::Own { client, token, used });
    }
    let key = assertion::federated(&token, client, &identity.issuers, now)?;
    Ok(Rest::Federated { client, token, key })
}

fn signed(token: &Unproven<'_>, key: &Key) -> Result<(), NotAuthenticated> {
    if token.is_of(key) { Ok(()) } else { Err(NotAuthenticated::BadSignature) }
}

/// A token that does not say when it was issued may have been issued before. Asked only of what is signed: nobody else
/// learns who is revoked.
fn check_revoked(
    identity: &Identity,
    token: &Unproven<'_>,
    issuer: &str,
    subject: &str,
) -> Result<(), NotAuthenticated> {
    match identity.revoked.before(issuer, subject) {
        Some(before) if token.claims.time("iat")?.is_none_or(|issued| issued < before) => {
            Err(NotAuthenticated::Revoked)
        }
        _ => Ok(()),
    }
}

/// Compares as many digests, each in constant time, for every client, known or not: the time it takes tells neither
/// which clients there are nor how near a secret came.
fn with_secret<'a>(identity: &'a Identity, id: &str, secret: &str, now: Time) -> Result<&'a Client, NotAuthenticated> {
    let client = identity.clients.get(&id.to_ascii_lowercase());
    let digest = secret_digest(secret);
    let mut right = false;
    for n in 0..identity.most_secrets.max(1) {
        let held = client.and_then(|c| held(c, n, now));
        let same = keystead_crypto::same(held.unwrap_or(&[0; 32]), &digest);
        right |= same & held.is_some();
    }
    match (client, right) {
        (Some(client), true) => Ok(client),
        (Some(_), false) => Err(NotAuthenticated::WrongSecret),
        (None, _) => Err(NotAuthenticated::UnknownClient),
    }
}

/// The nth secret of a client, if there is one and it has not ended.
fn held(client: &Client, n: usize, now: Time) -> Option<&[u8; 32]> {
    if let Some(digest) = client.secrets.get(n) {
        return Some(digest);
    }
    let credential = client.credentials.get(n.checked_sub(client.secrets.len())?)?;
    match &credential.by {
        By::Secret(digest) if credential.is_good(now) => Some(digest),
        _ => None,
    }
}
