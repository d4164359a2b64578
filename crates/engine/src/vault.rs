//! A vault on this node: what it is, and what exists only while it is open.

use crate::admission::{Admission, WrongProofs};
use crate::backup::Storage;
use crate::believed::{Believed, Seen, Trust, Used};
use crate::cache::KeyCache;
use crate::clock::Clock;
use crate::clock::confirmed::Confirmed;
use crate::error::{Refusal, TurnedAway};
use crate::hsms::Hsms;
use crate::info::{IssuerInfo, VaultInfo};
use crate::issuer::BuiltInIssuer;
use crate::issuers::Issuers;
use crate::node::QuorumView;
use crate::records::HsmRecord;
use crate::room::KeyVersion;
use crate::rotate::Rotation;
use crate::seals::Seals;
use crate::security_domain::transfer::TransferKey;
use crate::sweep::Purged;
use crate::uses::Uses;
use arc_swap::ArcSwap;
use keystead_access::Policy;
use keystead_audit::{Journal, TurnedAwayReason};
use keystead_crypto::Mac;
use keystead_crypto::sealed::Sealer;
use keystead_custody::DomainPublic;
use keystead_custody::UnsealPath;
use keystead_identity::{Caller, NotAuthenticated, Proof, Published, TrustedIssuer};
use keystead_model::{Moment, NodeId, Revision, Time, VaultId};
use keystead_protection::Protection;
use keystead_store::{Store, StoreState};
use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
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
    seals: ArcSwap<Seals>,
    /// Held to read while changes are committed, and to write while another generation of the root begins to seal: no
    /// row that the one before sealed comes after that.
    pub(crate) gate: tokio::sync::RwLock<()>,
    pub(crate) rotation: Mutex<Option<Rotation>>,
    pub(crate) blobs: Sealer,
    /// Makes the check values of symmetric keys, the same in every vault of the domain.
    pub(crate) checks: Mac,
    /// To which backups are bound.
    pub(crate) domain: VaultId,
    /// The public half of its domain, if that is proven.
    pub(crate) public: Option<DomainPublic>,
    /// Whether the row of its unseal paths must be there.
    pub(crate) listed: bool,
    pub(crate) purge_protection: bool,
    /// Where its keys are: here and, if it has one, in its HSM.
    pub(crate) protection: Protection,
    pub(crate) hsm: Option<HsmRecord>,
    pub(crate) confirmed: ArcSwap<Confirmed>,
    pub(crate) index: Mac,
    pub(crate) policy: ArcSwap<Policy>,
    pub(crate) believed: ArcSwap<Believed>,
    pub(crate) issuer: BuiltInIssuer,
    pub(crate) keys: KeyCache<Arc<KeyVersion>>,
    pub(crate) uses: Uses,
    /// What is to leave the tokens.
    pub(crate) purged: Purged,
    /// To which a domain is encrypted that the vault is to adopt.
    pub(crate) transfer: TransferKey,
    used: Used,
}

/// The vault's own random keys, which no root generation changes.
pub(crate) struct VaultKeys {
    pub(crate) index: Mac,
    pub(crate) blobs: Sealer,
    pub(crate) checks: Mac,
    pub(crate) domain: VaultId,
    pub(crate) public: Option<DomainPublic>,
}

/// What the vault's own records say of it, for as long as it is open.
pub(crate) struct Settled {
    pub(crate) listed: bool,
    pub(crate) purge_protection: bool,
    pub(crate) protection: Protection,
    pub(crate) hsm: Option<HsmRecord>,
}

/// Bound on opened keys, per vault.
const CACHED: usize = 4096;

impl Open {
    pub(crate) fn new(
        (seals, rotation): (Seals, Option<Rotation>),
        keys: VaultKeys,
        settled: Settled,
        confirmed: Confirmed,
        policy: Policy,
        trust: Trust,
        issuer: BuiltInIssuer,
    ) -> Self {
        let believed = Believed::new(Arc::new(trust), policy.revision());
        Self {
            seals: ArcSwap::from_pointee(seals),
            gate: tokio::sync::RwLock::default(),
            rotation: Mutex::new(rotation),
            blobs: keys.blobs,
            checks: keys.checks,
            domain: keys.domain,
            public: keys.public,
            listed: settled.listed,
            purge_protection: settled.purge_protection,
            protection: settled.protection,
            hsm: settled.hsm,
            confirmed: ArcSwap::from_pointee(confirmed),
            index: keys.index,
            policy: ArcSwap::from_pointee(policy),
            believed: ArcSwap::from_pointee(believed),
            issuer,
            keys: KeyCache::new(CACHED),
            uses: Uses::default(),
            purged: Purged::default(),
            transfer: TransferKey::default(),
            used: Used::default(),
        }
    }

    /// What seals its rows now.
    pub(crate) fn seals(&self) -> Arc<Seals> {
        self.seals.load_full()
    }

    /// From now on these seal its rows.
    pub(crate) fn seal_with(&self, seals: Seals) {
        self.seals.store(Arc::new(seals));
    }

    /// The rotation that is under way.
    pub(crate) fn rotation(&self) -> MutexGuard<'_, Option<Rotation>> {
        self.rotation.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Opened keys and remembered proofs that are held.
    pub(crate) fn held(&self) -> (usize, usize) {
        (self.keys.len(), self.believed.load().remembered())
    }

    fn authenticate(
        &self,
        proof: Proof<'_>,
        address: Option<IpAddr>,
        now: Time,
        wrong_proofs: &WrongProofs,
    ) -> Result<Seen, NotLetIn> {
        let believed = self.believed.load();
        // What is remembered was right, and costs nothing even where wrong proofs come from.
        if let Some(seen) = believed.seen_before(proof, address, now) {
            return Ok(seen);
        }
        // What fails on sight fails without a charge: a flood of junk takes no examination from those with good proofs.
        let claimed = believed.look(proof, address, now)?;
        let client = claimed.client().map(str::to_owned);
        wrong_proofs.examine(address, client.as_deref(), now, || Ok(believed.prove(claimed, proof, now, &self.used)?))
    }

    /// Takes over what an issuer published.
    fn take(&self, issuer: &TrustedIssuer, published: &Published) {
        self.believed.rcu(|now| match now.with_published(issuer, published) {
            Some(next) => Arc::new(next),
            None => Arc::clone(now),
        });
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
    /// Software keys: the vault's own issuer, before anything else is open.
    pub(crate) protection: Protection,
    /// The tokens that this node is configured with.
    pub(crate) hsms: Hsms,
    /// The unseal paths that it is configured with.
    pub(crate) paths: Arc<[Arc<dyn UnsealPath>]>,
    pub(crate) admission: Admission,
    pub(crate) wrong_proofs: Arc<WrongProofs>,
    pub(crate) issuers: Arc<Issuers>,
    /// Where its backups may be.
    pub(crate) storage: Storage,
    pub(crate) clock: Arc<Clock>,
    pub(crate) state: ArcSwap<State>,
    /// Why it did not open, if it was tried.
    pub(crate) not_opened: ArcSwap<Option<String>>,
    /// Its custodians, of a vault in their custody.
    pub(crate) quorum: ArcSwap<Option<QuorumView>>,
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

    /// Turns away whoever was let in while it was open like this, unless it still is. Opened anew with another domain, it
    /// takes him when he comes again.
    pub(crate) fn open_since(&self, open: &Arc<Open>) -> Result<(), TurnedAway> {
        match &**self.state.load() {
            State::Open(now) if Arc::ptr_eq(now, open) => Ok(()),
            State::Open(_) => Err(TurnedAway::Busy),
            _ => Err(TurnedAway::Sealed),
        }
    }

    /// What it is after it was open like this, unless another change of its state came first.
    pub(crate) fn succeed(&self, before: &Arc<Open>, state: State) {
        let next = Arc::new(state);
        self.state.rcu(|now| match &**now {
            State::Open(open) if Arc::ptr_eq(open, before) => Arc::clone(&next),
            _ => Arc::clone(now),
        });
    }

    /// It is open from now on.
    pub(crate) fn set_open(&self, open: Open, at: Moment) {
        self.state.store(Arc::new(State::Open(Arc::new(open))));
        self.look_at_issuers(at);
    }

    /// It is sealed from now on: everything that exists only while it is open goes with its last user.
    pub(crate) fn set_sealed(&self) {
        self.state.store(Arc::new(State::Sealed));
    }

    /// Its revision in the store.
    pub(crate) async fn revision(&self) -> Result<Revision, Refusal> {
        let rows = self.store.vaults().await?;
        rows.iter().find(|row| row.id == self.info.id).map(|row| row.revision).ok_or(Refusal::Damaged)
    }

    /// Proof to caller. The vault's state is looked at first: a sealed vault challenges nobody. Where too many wrong
    /// signatures or secrets came from, none is examined for a while.
    pub fn authenticate(&self, proof: Proof<'_>, address: Option<IpAddr>, now: Time) -> Result<Caller, NotLetIn> {
        Ok(self.open()?.authenticate(proof, address, now, &self.wrong_proofs)?.caller)
    }

    /// The same; an issuer that signs with a key not known here is asked for its keys first, as often as it may be.
    pub async fn prove(&self, proof: Proof<'_>, address: Option<IpAddr>, at: Moment) -> Result<Caller, NotLetIn> {
        let open = self.open()?;
        match open.authenticate(proof, address, at.now, &self.wrong_proofs) {
            Ok(seen) => {
                if !seen.before
                    && let Some((issuer, fetched)) = open.believed.load().fetched_by(proof)
                    && fetched.is_some_and(|f| at.now >= f.plus_millis(Published::FRESH_MS))
                {
                    self.look_at(&open, issuer, fetched, at);
                }
                Ok(seen.caller)
            }
            Err(NotLetIn::NotAuthenticated(NotAuthenticated::UnknownKey)) => {
                let named = open.believed.load().fetched_by(proof);
                let (issuer, fetched) = named.ok_or(NotAuthenticated::UnknownKey)?;
                let newer = self.issuers.newer(&issuer, fetched, at).await;
                open.take(&issuer, &newer.ok_or(NotAuthenticated::UnknownKey)?);
                // The vault may have been sealed meanwhile.
                Ok(self.open()?.authenticate(proof, address, at.now, &self.wrong_proofs)?.caller)
            }
            Err(why) => Err(why),
        }
    }

    /// Asks every issuer whose keys are fetched, while nobody waits for it. Needs a runtime.
    pub(crate) fn look_at_issuers(&self, at: Moment) {
        let Ok(open) = self.open() else { return };
        let fetched = open.believed.load().fetched();
        for issuer in fetched {
            self.look_at(&open, issuer, None, at);
        }
    }

    fn look_at(&self, open: &Arc<Open>, issuer: TrustedIssuer, seen: Option<Time>, at: Moment) {
        let (issuers, open) = (Arc::clone(&self.issuers), Arc::downgrade(open));
        tokio::spawn(async move {
            let newer = issuers.newer(&issuer, seen, at).await;
            // Sealing must not wait for a distant issuer.
            if let (Some(published), Some(open)) = (newer, open.upgrade()) {
                open.take(&issuer, &published);
            }
        });
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

    /// How the store is that keeps its rows.
    pub fn store_state(&self) -> StoreState {
        self.store.state()
    }

    /// The journal that keeps its log.
    pub fn journal(&self) -> &Journal {
        &self.journal
    }
}
