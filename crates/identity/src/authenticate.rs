//! From a proof to a caller.

use crate::bearer::{Issuer, MAX_LEN, Unproven};
use crate::principal::{Caller, Principal};
use crate::trust::{Client, TrustedIssuer, secret_digest};
use keystead_model::Time;
use std::collections::HashMap;
use std::net::IpAddr;
use thiserror::Error;

/// What a request brings to prove who sent it.
pub enum Proof<'a> {
    /// The token of `Authorization: Bearer`.
    Bearer(&'a str),
    /// A built-in client's id and secret.
    ClientSecret {
        /// GUID of the client.
        client: &'a str,
        /// Its secret.
        secret: &'a str,
    },
}

/// A proof that held.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Proven {
    /// Who it was.
    pub caller: Caller,
    /// From here on the same proof would be refused. Of a client secret: now, since nothing says how long it stays
    /// good.
    pub until: Time,
}

/// Why a proof was refused. Nothing of the proof stands in it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Error)]
pub enum NotAuthenticated {
    /// No token, or no client and secret.
    #[error("no token or secret was sent: ask the authority named in the challenge for a token")]
    Missing,
    /// More than 8 KiB.
    #[error("the token or secret has more than 8192 bytes: ask the issuer for a token with fewer claims")]
    TooLarge,
    /// Not a JWT, a claim that is needed is not there or of the wrong type, or a claim stands twice.
    #[error("the token is not a JWT with each of the claims iss, aud, exp and the subject's claim once")]
    Malformed,
    /// The header names another algorithm, or none.
    #[error("the token is not signed with ES256")]
    WrongAlgorithm,
    /// No such issuer in the vault's policy.
    #[error("the token's issuer is not trusted by this vault: ask for a token at the authority of the challenge")]
    UnknownIssuer,
    /// The issuer has no key of that `kid`, or the token names none.
    #[error("the token names no key that its issuer is known to have: the issuer's keys may have changed")]
    UnknownKey,
    /// Altered, or signed by somebody else.
    #[error("the token's signature does not verify under its issuer's key")]
    BadSignature,
    /// Past `exp`.
    #[error("the token has expired: ask for a new one")]
    Expired,
    /// Before `nbf`.
    #[error("the token is not valid yet: compare the clocks of the issuer and this node")]
    NotYetValid,
    /// Meant for another service.
    #[error("the token's audience is not this service: ask for one with the resource or scope of the challenge")]
    WrongAudience,
    /// Of another tenant of the issuer.
    #[error("the token's tenant is not the one this vault trusts")]
    WrongTenant,
    /// No such built-in client.
    #[error("the vault has no client of this id")]
    UnknownClient,
    /// Not one of its secrets.
    #[error("the client's secret is wrong")]
    WrongSecret,
}

/// Everything a vault believes about who is who, at one revision of its policy.
pub struct Identity {
    builtin_issuer: String,
    issuers: HashMap<String, Issuer>,
    clients: HashMap<String, Client>,
    most_secrets: usize,
}

impl Identity {
    /// Longest token or secret, in bytes.
    pub const MAX_LEN: usize = MAX_LEN;

    /// The built-in issuer's own tokens are believed only if it stands among the issuers too, and it must stand first:
    /// of two issuers or clients with one id the first counts, so that none in the policy can take its name.
    pub fn new(builtin_issuer: String, issuers: Vec<TrustedIssuer>, clients: Vec<Client>) -> Self {
        let mut identity = Self {
            builtin_issuer,
            issuers: HashMap::new(),
            clients: HashMap::new(),
            most_secrets: clients.iter().map(|c| c.secrets.len()).max().unwrap_or(0),
        };
        for issuer in issuers.into_iter().map(Issuer::new) {
            identity.issuers.entry(issuer.name().to_owned()).or_insert(issuer);
        }
        for client in clients {
            identity.clients.entry(client.id.to_ascii_lowercase()).or_insert(client);
        }
        identity
    }

    /// Checks a proof. `address` is where it came from, for the caller to carry.
    pub fn authenticate(
        &self,
        proof: Proof<'_>,
        address: Option<IpAddr>,
        now: Time,
    ) -> Result<Proven, NotAuthenticated> {
        match proof {
            Proof::Bearer(token) => {
                let token = Unproven::parse(token)?;
                let issuer = self.issuers.get(token.issuer()?).ok_or(NotAuthenticated::UnknownIssuer)?;
                token.prove(issuer, address, now)
            }
            Proof::ClientSecret { client, secret } => {
                let client = self.client(client, secret)?;
                let principal = Principal::new(&self.builtin_issuer, &client.subject);
                Ok(Proven { caller: Caller::by_secret(principal, client.id.clone(), address), until: now })
            }
        }
    }

    /// Compares as many digests, each in constant time, for every client, known or not: the time it takes tells
    /// neither which clients there are nor how near a secret came.
    fn client(&self, id: &str, secret: &str) -> Result<&Client, NotAuthenticated> {
        if id.is_empty() || secret.is_empty() {
            return Err(NotAuthenticated::Missing);
        }
        if id.len() > Self::MAX_LEN || secret.len() > Self::MAX_LEN {
            return Err(NotAuthenticated::TooLarge);
        }
        let client = self.clients.get(&id.to_ascii_lowercase());
        let digest = secret_digest(secret);
        let mut right = false;
        for n in 0..self.most_secrets.max(1) {
            let held = client.and_then(|c| c.secrets.get(n));
            let same = keystead_crypto::same(held.unwrap_or(&[0; 32]), &digest);
            right |= same & held.is_some();
        }
        match (client, right) {
            (Some(client), true) => Ok(client),
            (Some(_), false) => Err(NotAuthenticated::WrongSecret),
            (None, _) => Err(NotAuthenticated::UnknownClient),
        }
    }
}
