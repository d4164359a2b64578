//! Whom an open vault believes now: what its policy says, the keys its issuers published, and the tokens that were
//! verified with both. It is replaced as a whole, so nothing that was verified before a change is remembered after it.

use keystead_access::PolicyDocument;
use keystead_identity::{
    Caller, Callers, Claimed, Client, Identity, NotAuthenticated, Proof, Proven, Published, TrustedIssuer,
};
use keystead_model::{Revision, Time};
use quick_cache::Weighter;
use quick_cache::sync::Cache;
use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, PoisonError};

/// Bound on remembered proofs, per vault: as many that name no groups, or about 8 MiB of those that do.
const REMEMBERED: usize = 4096;

/// What a remembered proof weighs, counted in groups.
#[derive(Clone)]
struct Weigh;

const BARE: u64 = 16;

impl Weighter<[u8; 32], Proven> for Weigh {
    fn weight(&self, _: &[u8; 32], proven: &Proven) -> u64 {
        BARE.saturating_add(u64::try_from(proven.caller.groups().len()).unwrap_or(u64::MAX))
    }
}

fn remembering() -> Cache<[u8; 32], Proven, Weigh> {
    let most = u64::try_from(REMEMBERED).unwrap_or(u64::MAX).saturating_mul(BARE);
    Cache::with_weighter(REMEMBERED, most, Weigh)
}

/// What the policy says about who callers are.
pub(crate) struct Trust {
    issuers: Vec<TrustedIssuer>,
    clients: Vec<Client>,
    callers: Callers,
}

impl Trust {
    /// The vault's own issuer stands first, so that none in the policy can take its name.
    pub(crate) fn new(own: TrustedIssuer, document: &PolicyDocument) -> Self {
        let mut issuers = vec![own];
        issuers.extend(document.issuers.iter().cloned());
        Self { issuers, clients: document.clients.clone(), callers: document.callers.clone() }
    }

    pub(crate) fn own(&self) -> Option<&TrustedIssuer> {
        self.issuers.first()
    }
}

/// An issuer's keys, and where the policy said they were when they were fetched.
#[derive(Clone)]
struct Fetched {
    metadata: Option<String>,
    published: Published,
}

/// One state of it.
pub(crate) struct Believed {
    pub(crate) revision: Revision,
    pub(crate) trust: Arc<Trust>,
    identity: Identity,
    fetched: HashMap<String, Fetched>,
    proven: Cache<[u8; 32], Proven, Weigh>,
}

impl Believed {
    pub(crate) fn new(trust: Arc<Trust>, revision: Revision) -> Self {
        Self::with(trust, revision, HashMap::new())
    }

    fn with(trust: Arc<Trust>, revision: Revision, mut fetched: HashMap<String, Fetched>) -> Self {
        let own = trust.own().map(|own| own.iss.clone()).unwrap_or_default();
        let identity = Identity::new(own, trust.issuers.clone(), trust.clients.clone());
        let mut identity = identity.with_callers(&trust.callers);
        // Keys that were fetched from elsewhere than the policy says now are not believed.
        fetched.retain(|iss, f| {
            f.metadata.is_some() && trust.issuers.iter().any(|i| i.iss == *iss && i.metadata == f.metadata)
        });
        for (iss, f) in &fetched {
            identity = identity.with_keys(iss, f.published.clone());
        }
        Self { revision, trust, identity, fetched, proven: remembering() }
    }

    /// The next state, after the policy changed.
    pub(crate) fn with_trust(&self, trust: Arc<Trust>, revision: Revision) -> Self {
        Self::with(trust, revision, self.fetched.clone())
    }

    /// The next state, after an issuer published keys; none if these are known.
    pub(crate) fn with_published(&self, issuer: &TrustedIssuer, published: &Published) -> Option<Self> {
        if self.fetched.get(&issuer.iss).is_some_and(|known| known.published.at >= published.at) {
            return None;
        }
        let mut fetched = self.fetched.clone();
        let new = Fetched { metadata: issuer.metadata.clone(), published: published.clone() };
        fetched.insert(issuer.iss.clone(), new);
        Some(Self::with(Arc::clone(&self.trust), self.revision, fetched))
    }

    /// The issuers whose keys are fetched.
    pub(crate) fn fetched(&self) -> Vec<TrustedIssuer> {
        self.identity.fetched().cloned().collect()
    }

    /// The issuer that a proof names, if its keys are fetched, and when they last were.
    pub(crate) fn fetched_by(&self, proof: Proof<'_>) -> Option<(TrustedIssuer, Option<Time>)> {
        self.identity.fetched_by(proof).map(|(issuer, at)| (issuer.clone(), at))
    }

    /// How many proofs are remembered.
    pub(crate) fn remembered(&self) -> usize {
        self.proven.len()
    }

    /// The caller of a token or certificate that was verified before. Rights are never part of what is remembered.
    pub(crate) fn seen_before(&self, proof: Proof<'_>, address: Option<IpAddr>, now: Time) -> Option<Seen> {
        let digest = digest(proof)?;
        let p = self.proven.get(&digest)?;
        if now < p.until {
            return Some(Seen { caller: p.caller.at(address), before: true });
        }
        self.proven.remove(&digest);
        None
    }

    /// Checks of a proof what can be seen without cryptography.
    pub(crate) fn look<'a>(
        &'a self,
        proof: Proof<'a>,
        address: Option<IpAddr>,
        now: Time,
    ) -> Result<Claimed<'a>, NotAuthenticated> {
        self.identity.look(proof, address, now)
    }

    /// Verifies the rest of it; tokens and certificates are remembered until they must be looked at again.
    pub(crate) fn prove(
        &self,
        claimed: Claimed<'_>,
        proof: Proof<'_>,
        now: Time,
        used: &Used,
    ) -> Result<Seen, NotAuthenticated> {
        let proven = claimed.prove()?;
        match digest(proof) {
            Some(digest) => self.proven.insert(digest, proven.clone()),
            None => used.once(&proven, now)?,
        }
        Ok(Seen { caller: proven.caller, before: false })
    }
}

/// A caller, and whether the proof was remembered.
pub(crate) struct Seen {
    pub(crate) caller: Caller,
    pub(crate) before: bool,
}

/// What a proof is remembered by, if it is.
fn digest(proof: Proof<'_>) -> Option<[u8; 32]> {
    match proof {
        Proof::Bearer(token) => Some(keystead_crypto::sha256(&[token.as_bytes()])),
        Proof::Certificate(chain) => Some(chain_digest(chain)),
        Proof::ClientSecret { .. } | Proof::ClientAssertion { .. } => None,
    }
}

fn chain_digest(chain: &[Vec<u8>]) -> [u8; 32] {
    let digests: Vec<[u8; 32]> = chain.iter().map(|c| keystead_crypto::sha256(&[c])).collect();
    let parts: Vec<&[u8]> = std::iter::once(&b"certificates"[..]).chain(digests.iter().map(|d| &d[..])).collect();
    keystead_crypto::sha256(&parts)
}

/// Assertions that were used and are still good. Bounded: when it is full, a new one is refused.
#[derive(Default)]
pub(crate) struct Used(Mutex<HashMap<[u8; 32], Time>>);

/// Assertions are good for ten minutes at most.
const MOST_USED: usize = 65_536;

impl Used {
    fn once(&self, proven: &Proven, now: Time) -> Result<(), NotAuthenticated> {
        let Some(mark) = proven.once else { return Ok(()) };
        let mut used = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if used.len() >= MOST_USED {
            used.retain(|_, until| now < *until);
        }
        if used.len() >= MOST_USED || used.get(&mark).is_some_and(|until| now < *until) {
            return Err(NotAuthenticated::Replayed);
        }
        used.insert(mark, proven.until);
        Ok(())
    }
}
