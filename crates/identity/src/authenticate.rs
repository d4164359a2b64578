//! From a proof to a caller.

use crate::bearer::{Issuer, MAX_LEN, Published, Unproven};
use crate::callers::{Callers, Revoked};
use crate::certificate::Authorities;
use crate::claimed::Claimed;
use crate::principal::Caller;
use crate::trust::{Client, TrustedIssuer};
use keystead_model::Time;
use std::collections::HashMap;
use std::net::IpAddr;
use thiserror::Error;

/// What a request brings to prove who sent it.
#[derive(Clone, Copy)]
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
    /// A built-in client's id and a token that proves it (RFC 7523): signed by itself, or of an issuer it is federated
    /// with.
    ClientAssertion {
        /// GUID of the client.
        client: &'a str,
        /// The signed token.
        assertion: &'a str,
        /// What this endpoint is called: the audience of assertions that the client signs itself.
        endpoint: &'a str,
    },
    /// The certificates of the TLS handshake, the client's own first.
    Certificate(&'a [Vec<u8>]),
}

/// A proof that held.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Proven {
    /// Who it was.
    pub caller: Caller,
    /// From here on the same proof would be refused. Of a client secret: now, since nothing says how long it stays
    /// good.
    pub until: Time,
    /// The proof is good once: what to remember of it until then. The embedder refuses it the second time.
    pub once: Option<[u8; 32]>,
}

/// Why a proof was refused. Nothing of the proof stands in it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Error)]
pub enum NotAuthenticated {
    /// No token, or no client and secret.
    #[error("no token or secret was sent: ask the authority named in the challenge for a token")]
    Missing,
    /// More than 16 KiB.
    #[error("the token or secret has more than 16384 bytes: ask the issuer for a token with fewer claims")]
    TooLarge,
    /// Not a JWT, a claim that is needed is not there or of the wrong type, or a claim stands twice.
    #[error("the token is not a JWT with each of the claims iss, aud, exp and the subject's claim once")]
    Malformed,
    /// The header names an algorithm that is not the key's, or none.
    #[error("the token's algorithm is none of those that its issuer's key is for: RS, PS or ES with 256, 384 or 512")]
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
    /// None of its credentials.
    #[error("the client's secret or assertion is none of its credentials, or has ended")]
    WrongSecret,
    /// Issued before the time that the policy names for its principal or issuer.
    #[error("the vault's policy refuses what was issued to this principal before a later time: ask for a new token")]
    Revoked,
    /// An assertion that was used before, or one that lives too long to be remembered.
    #[error("the client's assertion was used before, or is good for more than 10 minutes: sign a new one each time")]
    Replayed,
    /// No certificate in the policy vouches for it.
    #[error("no certificate in the vault's policy vouches for the client's certificate now")]
    UntrustedCertificate,
}

/// Everything a vault believes about who is who, at one revision of its policy.
pub struct Identity {
    pub(crate) builtin_issuer: String,
    pub(crate) issuers: HashMap<String, Issuer>,
    pub(crate) clients: HashMap<String, Client>,
    pub(crate) most_secrets: usize,
    pub(crate) authorities: Authorities,
    pub(crate) revoked: Revoked,
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
            most_secrets: clients
                .iter()
                .map(|c| c.secrets.len().saturating_add(c.credentials.len()))
                .max()
                .unwrap_or(0),
            authorities: Authorities::default(),
            revoked: Revoked::default(),
        };
        for issuer in issuers.into_iter().map(Issuer::new) {
            identity.issuers.entry(issuer.name().to_owned()).or_insert(issuer);
        }
        for client in clients {
            identity.clients.entry(client.id.to_ascii_lowercase()).or_insert(client);
        }
        identity
    }

    /// With certificates that are believed, and revocations.
    #[must_use]
    pub fn with_callers(self, callers: &Callers) -> Self {
        let (authorities, revoked) = (Authorities::new(&callers.authorities), Revoked::new(&callers.not_before));
        Self { authorities, revoked, ..self }
    }

    /// With the keys that this issuer published. Only an issuer whose metadata the policy names gets any.
    #[must_use]
    pub fn with_keys(mut self, iss: &str, published: Published) -> Self {
        if let Some(issuer) = self.issuers.get_mut(iss).filter(|i| i.trusted.metadata.is_some()) {
            issuer.published = Some(published);
        }
        self
    }

    /// The issuers whose keys are fetched.
    pub fn fetched(&self) -> impl Iterator<Item = &TrustedIssuer> {
        self.issuers.values().map(|i| &i.trusted).filter(|t| t.metadata.is_some())
    }

    /// The issuer that a proof names, if its keys are fetched, and when they last were.
    pub fn fetched_by(&self, proof: Proof<'_>) -> Option<(&TrustedIssuer, Option<Time>)> {
        let (Proof::Bearer(token) | Proof::ClientAssertion { assertion: token, .. }) = proof else { return None };
        let token = Unproven::parse(token).ok()?;
        let issuer = self.issuers.get(token.issuer().ok()?)?;
        issuer.trusted.metadata.as_ref()?;
        Some((&issuer.trusted, issuer.published.as_ref().map(|p| p.at)))
    }

    /// Checks of a proof what can be seen without cryptography. `address` is where it came from, for the caller to
    /// carry.
    pub fn look<'a>(
        &'a self,
        proof: Proof<'a>,
        address: Option<IpAddr>,
        now: Time,
    ) -> Result<Claimed<'a>, NotAuthenticated> {
        Claimed::of(self, proof, address, now)
    }

    /// Checks a proof in full.
    pub fn authenticate(
        &self,
        proof: Proof<'_>,
        address: Option<IpAddr>,
        now: Time,
    ) -> Result<Proven, NotAuthenticated> {
        self.look(proof, address, now)?.prove()
    }
}
