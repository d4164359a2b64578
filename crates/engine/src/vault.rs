//! A vault on this node: what it is, and what exists only while it is open.

use crate::cache::KeyCache;
use crate::error::TurnedAway;
use crate::info::{IssuerInfo, VaultInfo};
use crate::issuer::BuiltInIssuer;
use crate::room::KeyVersion;
use crate::uses::Uses;
use arc_swap::ArcSwap;
use keystead_access::Policy;
use keystead_audit::{Journal, TurnedAwayReason};
use keystead_crypto::Mac;
use keystead_crypto::sealed::{Sealer, Usage};
use keystead_custody::Root;
use keystead_identity::{Caller, Identity, NotAuthenticated, Proof, Proven};
use keystead_model::{NodeId, Time};
use keystead_protection::Protection;
use keystead_store::Store;
use quick_cache::sync::Cache;
use std::net::IpAddr;
use std::sync::Arc;
use thiserror::Error;

/// A vault's state on this node.
#[derive(Clone)]
pub enum State {
    /// Not activated; names the setting that is missing.
    Inactive {
        /// The configuration setting.
        setting: &'static str,
    },
    /// Sealed.
    Sealed,
    /// Open: everything that needs the root hangs on this one `Arc`.
    Open(Arc<Open>),
    /// Deleted, recoverable for a while.
    Deleted,
}

impl State {
    /// The word in listings and health.
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Inactive { .. } => "inactive",
            Self::Sealed => "sealed",
            Self::Open(_) => "open",
            Self::Deleted => "deleted",
        }
    }
}

/// Everything that exists only while a vault is open. Dropped by sealing.
pub struct Open {
    pub(crate) records: Sealer,
    pub(crate) material: Sealer,
    pub(crate) details: Sealer,
    pub(crate) blobs: Sealer,
    pub(crate) purge_protection: bool,
    pub(crate) index: Mac,
    pub(crate) policy: ArcSwap<Policy>,
    pub(crate) identity: Identity,
    pub(crate) issuer: BuiltInIssuer,
    pub(crate) keys: KeyCache<Arc<KeyVersion>>,
    pub(crate) uses: Uses,
    proven: Cache<[u8; 32], Proven>,
}

/// The vault's own random keys, which no root generation changes.
pub(crate) struct VaultKeys {
    pub(crate) details: Sealer,
    pub(crate) index: Mac,
    pub(crate) blobs: Sealer,
}

/// Bound on opened keys and on remembered tokens, each, per vault.
const CACHED: usize = 4096;

impl Open {
    pub(crate) fn new(
        root: &Root,
        keys: VaultKeys,
        purge_protection: bool,
        policy: Policy,
        identity: Identity,
        issuer: BuiltInIssuer,
    ) -> Self {
        Self {
            records: root.sealer(Usage::Records),
            material: root.sealer(Usage::KeyMaterial),
            details: keys.details,
            blobs: keys.blobs,
            purge_protection,
            index: keys.index,
            policy: ArcSwap::from_pointee(policy),
            identity,
            issuer,
            keys: KeyCache::new(CACHED),
            uses: Uses::default(),
            proven: Cache::new(CACHED),
        }
    }

    /// Verifies a proof, once per token until it expires. Rights are never part of what is remembered.
    fn authenticate(&self, proof: Proof<'_>, address: Option<IpAddr>, now: Time) -> Result<Caller, NotAuthenticated> {
        let Proof::Bearer(token) = proof else {
            return self.identity.authenticate(proof, address, now).map(|p| p.caller);
        };
        let digest = keystead_crypto::sha256(&[token.as_bytes()]);
        if let Some(p) = self.proven.get(&digest) {
            if now < p.until {
                return Ok(p.caller.at(address));
            }
            self.proven.remove(&digest);
        }
        let proven = self.identity.authenticate(proof, address, now)?;
        self.proven.insert(digest, proven.clone());
        Ok(proven.caller)
    }
}

/// Why a caller was not let in.
#[derive(Debug, Error)]
pub enum NotLetIn {
    /// The vault's state: no challenge helps.
    #[error(transparent)]
    TurnedAway(#[from] TurnedAway),
    /// No valid proof: answered with a challenge.
    #[error(transparent)]
    NotAuthenticated(#[from] NotAuthenticated),
}

/// One vault on this node. The only way to do anything in it is `run`.
pub struct Vault {
    pub(crate) info: VaultInfo,
    pub(crate) node: NodeId,
    pub(crate) store: Store,
    pub(crate) journal: Journal,
    pub(crate) protection: Protection,
    pub(crate) state: ArcSwap<State>,
}

impl Vault {
    /// What it is.
    pub fn info(&self) -> &VaultInfo {
        &self.info
    }

    /// Its state now.
    pub fn state(&self) -> State {
        State::clone(&self.state.load())
    }

    /// The open part, or why there is none.
    pub(crate) fn open(&self) -> Result<Arc<Open>, TurnedAway> {
        match &**self.state.load() {
            State::Open(open) => Ok(Arc::clone(open)),
            State::Sealed => Err(TurnedAway::Sealed),
            State::Inactive { setting } => Err(TurnedAway::Inactive { setting }),
            State::Deleted => Err(TurnedAway::Deleted),
        }
    }

    /// Whether the vault is still open, and as the same `Open`.
    pub(crate) fn still_open(&self, open: &Arc<Open>) -> bool {
        matches!(&**self.state.load(), State::Open(now) if Arc::ptr_eq(now, open))
    }

    /// Proof to caller. The vault's state is looked at first: a sealed vault challenges nobody.
    pub fn authenticate(&self, proof: Proof<'_>, address: Option<IpAddr>, now: Time) -> Result<Caller, NotLetIn> {
        Ok(self.open()?.authenticate(proof, address, now)?)
    }

    /// Whether it lets anybody in now.
    pub fn ready(&self) -> Result<(), TurnedAway> {
        self.open().map(drop)
    }

    /// The built-in issuer, while open.
    pub fn issuer(&self) -> Result<IssuerInfo, TurnedAway> {
        Ok(self.open()?.issuer.info())
    }

    /// Counts a request that was turned away before a decision.
    pub fn turned_away(&self, why: TurnedAwayReason) {
        self.journal.turned_away(Some(self.info.id), why);
    }

    /// The journal that keeps its log.
    pub fn journal(&self) -> &Journal {
        &self.journal
    }
}
