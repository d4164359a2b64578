//! The node: which vaults there are, and what its operator may do *to* them. The operator has no role *in* any. What
//! happens here goes into the node's own log; a change of a vault also into the vault's.

mod activate;
mod appoint;
mod approved;
mod confirm;
mod create;
mod doctor;
mod erase;
mod offer;
mod open;
pub(crate) mod paths;
mod quorum;
mod records;
mod replace;
mod retry;
mod sealed;
mod tokens;

pub use activate::{DomainActivation, DomainFiles, NotActivated, PolicyReader};
pub use approved::{Approvable, Reason};
pub use confirm::QuorumView;
pub use create::NewVault;
pub use doctor::{Finding, Verdict};
pub use erase::{Erased, OldCopy};
pub use offer::Offered;
pub use paths::{PathReport, PathView};
pub use quorum::{ActKind, Answered, Asked};
pub use sealed::{SharesView, StoreSays, Unfinished};
pub use tokens::HsmActivation;

use crate::admission::{Admission, Bounds, WrongProofs};
use crate::backoff::Backoff;
use crate::backup::Storage;
use crate::clear_row;
use crate::clock::Clock;
use crate::error::Refusal;
use crate::gauges::TokenHealth;
use crate::hsms::Hsms;
use crate::info::VaultInfo;
use crate::issuers::Issuers;
use crate::operate::OperateError;
use crate::rotate::{Rotation, RotationView};
use crate::schedule::Schedule;
use crate::sweep::Sweeps;
use crate::vault::{Open, State, Vault};
use arc_swap::ArcSwap;
use keystead_audit::{Journal, JournalHealth, TurnedAwayReason};
use keystead_custody::{DomainId, UnsealPath};
use keystead_model::{Action, Authority, Generation, Moment, NodeId, VaultId, VaultKind, VaultStatus};
use keystead_protection::Protection;
use keystead_store::{Changes, Row, Store, VaultRow};
use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

/// A vault in a listing.
#[derive(Debug, Clone)]
pub struct VaultSummary {
    /// What it is.
    pub info: VaultInfo,
    /// Its state on this node.
    pub state: &'static str,
    /// Whether nobody may purge before the retention has passed; known while it is open.
    pub purge_protection: Option<bool>,
    /// The names of the tokens of its HSM; known while it is open.
    pub tokens: Vec<String>,
    /// Whether the clock is doubted in it; known while it is open.
    pub clock_doubted: Option<bool>,
    /// The generation of its root; known while it is open.
    pub root: Option<Generation>,
    /// The rotation of its root that is under way; known while it is open.
    pub rotation: Option<RotationView>,
    /// What people know its domain by; proven, so known while it is open.
    pub domain: Option<DomainId>,
    /// What can be told of a sealed vault of custodians; only where one vault is shown.
    pub store_says: Option<StoreSays>,
    /// Whose shares of it are there; likewise.
    pub shares: Option<SharesView>,
    /// Its custodians, of a vault in their custody.
    pub quorum: Option<QuorumView>,
    /// Why it did not open, if it was tried.
    pub not_opened: Option<String>,
}

/// A vault's name and state, for health.
#[derive(Debug, Clone)]
pub struct Health {
    /// The journal's.
    pub journal: JournalHealth,
    /// Each vault's state.
    pub vaults: Vec<(String, &'static str)>,
    /// Each configured token.
    pub tokens: Vec<TokenHealth>,
    /// What is amiss around the vaults: a word for what, and a sentence.
    pub troubles: Vec<(&'static str, String)>,
}

#[derive(Clone, Default)]
struct Registry {
    by_id: HashMap<VaultId, Arc<Vault>>,
    by_name: HashMap<String, Arc<Vault>>,
    by_authority: HashMap<Authority, Arc<Vault>>,
}

/// What the node is made of.
pub struct Parts {
    /// Who it is.
    pub node: NodeId,
    /// Where rows are.
    pub store: Store,
    /// Where records are.
    pub journal: Journal,
    /// Where software keys work.
    pub protection: Protection,
    /// The tokens that vaults may name.
    pub hsms: Hsms,
    /// The ways to a root, by kind.
    pub paths: Vec<Arc<dyn UnsealPath>>,
    /// How much is let in.
    pub bounds: Bounds,
    /// The keys of other issuers.
    pub issuers: Arc<Issuers>,
    /// Where backups may be.
    pub storage: Storage,
    /// Its clock, watched.
    pub clock: Arc<Clock>,
}

/// This node.
pub struct Instance {
    parts: Parts,
    vaults: ArcSwap<Registry>,
    wrong_proofs: Arc<WrongProofs>,
    troubles: ArcSwap<BTreeMap<&'static str, String>>,
    pub(crate) operating: tokio::sync::Mutex<()>,
    pub(crate) schedule: tokio::sync::Mutex<Schedule>,
    pub(crate) sweeps: tokio::sync::Mutex<Sweeps>,
    pub(crate) turning: tokio::sync::Mutex<()>,
    pub(crate) jobs: tokio::sync::Mutex<Backoff>,
    transfers: offer::Transfers,
    asking: quorum::Asking,
    leftovers: erase::Leftovers,
}

/// The log of the node itself.
pub const NODE_LOG: VaultId = VaultId::from_bytes([0; 16]);

/// The custody of vaults whose domain key an unseal path on the server wraps.
pub(crate) const CUSTODY: &str = "file";

/// The custody of vaults whose domain key only their custodians have.
pub(crate) const QUORUM: &str = "quorum";

/// What an inactive vault of kind hsm waits for.
const HSM_SETTING: &str = "[[hsm]]";

/// What another waits for.
const DOMAIN_SETTING: &str = "keystead vault activate --domain";

impl Instance {
    /// Brings the journal up to the store, then opens what may be open. A vault that does not open starts sealed.
    pub async fn start(parts: Parts, at: Moment) -> Result<Arc<Self>, OperateError> {
        let wrong_proofs = Arc::new(WrongProofs::new(parts.bounds.wrong_proofs));
        let instance = Self {
            parts,
            vaults: ArcSwap::default(),
            wrong_proofs,
            troubles: ArcSwap::default(),
            operating: Default::default(),
            schedule: Default::default(),
            sweeps: Default::default(),
            turning: Default::default(),
            jobs: Default::default(),
            transfers: Default::default(),
            asking: Default::default(),
            leftovers: Default::default(),
        };
        instance.enrol(at).await?;
        instance.replay().await?;
        instance.record_doubt(at).await;
        for row in instance.parts.store.vaults().await.map_err(Refusal::from)? {
            let vault = instance.vault_of(&row);
            if row.status == VaultStatus::Deleted {
                instance.leftovers.add(row.id);
            }
            instance.look_at_custodians(&vault).await;
            if row.status == VaultStatus::Active
                && let Err(e) = instance.open(&vault, row.status, at).await
            {
                tracing::warn!(vault = %vault.info.name, "starts sealed: {e}");
            }
            instance.register(vault);
        }
        Ok(Arc::new(instance))
    }

    /// The vault that answers at this authority.
    pub fn vault(&self, authority: &Authority) -> Option<Arc<Vault>> {
        self.vaults.load().by_authority.get(authority).cloned()
    }

    /// The vault of this name.
    pub fn named(&self, name: &str) -> Option<Arc<Vault>> {
        self.vaults.load().by_name.get(name).cloned()
    }

    /// The vault of this id.
    pub(crate) fn by_id(&self, id: VaultId) -> Option<Arc<Vault>> {
        self.vaults.load().by_id.get(&id).cloned()
    }

    /// All vaults, by name.
    pub fn list(&self) -> Vec<VaultSummary> {
        let mut all: Vec<_> = self.vaults.load().by_name.values().map(summary).collect();
        all.sort_by(|a, b| a.info.name.cmp(&b.info.name));
        all
    }

    /// One vault; of a sealed one of custodians, what can be told of it.
    pub async fn show(&self, name: &str) -> Result<VaultSummary, OperateError> {
        let vault = self.known(name)?;
        let shown = summary(&vault);
        if vault.info.custody != QUORUM || !matches!(vault.state(), State::Sealed) {
            return Ok(shown);
        }
        // What is altered there the doctor names.
        let store_says = sealed::store_says(&vault).await.ok();
        Ok(VaultSummary { store_says, shares: self.shares(&vault), ..shown })
    }

    /// The journal's and the vaults' states.
    pub fn health(&self) -> Health {
        let vaults = self.list().into_iter().map(|v| (v.info.name, v.state)).collect();
        let troubles = self.troubles.load().iter().map(|(what, why)| (*what, why.clone())).collect();
        Health { journal: self.parts.journal.health(), vaults, tokens: self.tokens(), troubles }
    }

    /// What the embedder found amiss with something of its own, or that it is well again: for health.
    pub fn trouble(&self, what: &'static str, why: Option<String>) {
        self.troubles.rcu(|now| {
            let mut next = BTreeMap::clone(now);
            match &why {
                Some(why) => drop(next.insert(what, why.clone())),
                None => drop(next.remove(what)),
            }
            next
        });
    }

    /// Counts a request that never came as far as a vault.
    pub fn turned_away(&self, why: TurnedAwayReason) {
        self.parts.journal.turned_away(None, why);
    }

    /// The node's journal.
    pub fn journal(&self) -> &Journal {
        &self.parts.journal
    }

    pub(crate) fn hsms(&self) -> &Hsms {
        &self.parts.hsms
    }

    /// The node's clock.
    pub fn clock(&self) -> &Clock {
        &self.parts.clock
    }

    pub(crate) fn protection(&self) -> &Protection {
        &self.parts.protection
    }

    /// Every vault, in no order.
    pub(crate) fn all(&self) -> Vec<Arc<Vault>> {
        self.vaults.load().by_name.values().cloned().collect()
    }

    /// Shows every vault.
    pub(crate) fn each(&self, mut see: impl FnMut(&Vault)) {
        self.vaults.load().by_name.values().for_each(|vault| see(vault));
    }

    /// The store, for the scheduler.
    pub(crate) fn store(&self) -> &Store {
        &self.parts.store
    }

    /// Seals a vault by the operator's command. It stays sealed over a restart. One that only did not open at the start
    /// would open at the next; sealing keeps it from that.
    pub async fn seal(&self, name: &str, at: Moment) -> Result<VaultSummary, OperateError> {
        let _one_at_a_time = self.operating.lock().await;
        let vault = self.known(name)?;
        let changes = match vault.state() {
            State::Open(open) => clear_row::with_status(&vault, &open.seals().records, VaultStatus::Sealed).await?,
            // Without the root there is no sealing the copy, and none is needed to close.
            State::Sealed if self.stored(&vault).await? == VaultStatus::Active => Changes::default(),
            state => return Err(OperateError::WrongState { state: state.name(), needed: "open" }),
        };
        self.set_status(&vault, VaultStatus::Sealed, changes, Action::VaultSealed, at).await?;
        self.note(Action::VaultSealed, vault.info.id, at).await?;
        Ok(summary(&vault))
    }

    /// Opens a sealed vault through its configured path.
    pub async fn unseal(&self, name: &str, at: Moment) -> Result<VaultSummary, OperateError> {
        let _one_at_a_time = self.operating.lock().await;
        let vault = self.known(name)?;
        if !matches!(vault.state(), State::Sealed) {
            return Err(OperateError::WrongState { state: vault.state().name(), needed: "sealed" });
        }
        let (_, open) = self.opened(&vault, self.stored(&vault).await?, at).await?;
        self.unsealed(&vault, open, None, at).await?;
        Ok(summary(&vault))
    }

    /// A vault that was sealed is open from here on, with this row of it.
    async fn unsealed(
        &self,
        vault: &Arc<Vault>,
        open: Open,
        with: Option<Row>,
        at: Moment,
    ) -> Result<(), OperateError> {
        let mut changes = clear_row::with_status(vault, &open.seals().records, VaultStatus::Active).await?;
        changes.puts.extend(with);
        let room = self.room_for_one()?;
        self.set_status(vault, VaultStatus::Active, changes, Action::VaultUnsealed, at).await?;
        vault.set_open(open, at);
        vault.not_opened.store(Arc::default());
        self.no_longer_ask(vault.info.id);
        self.write_in(room, Action::VaultUnsealed, vault.info.id, Vec::new(), at).await
    }

    /// The status in the vault's clear row.
    async fn stored(&self, vault: &Vault) -> Result<VaultStatus, OperateError> {
        let rows = self.parts.store.vaults().await.map_err(Refusal::from)?;
        rows.into_iter().find(|row| row.id == vault.info.id).map(|row| row.status).ok_or(OperateError::Damaged)
    }

    pub(crate) fn known(&self, name: &str) -> Result<Arc<Vault>, OperateError> {
        self.named(name).ok_or_else(|| OperateError::UnknownVault { name: name.to_owned() })
    }

    fn vault_of(&self, row: &VaultRow) -> Arc<Vault> {
        let info = VaultInfo {
            id: row.id,
            name: row.name.clone(),
            kind: row.kind,
            authorities: row.authorities.clone(),
            custody: row.custody.clone(),
            tenant: row.tenant.clone(),
            // A clear column: never less than what could be chosen.
            retention_days: row.retention_days.clamp(7, 90),
            created: row.created,
        };
        let state = match row.status {
            VaultStatus::Inactive if row.kind == VaultKind::Hsm && row.custody != QUORUM => {
                State::Inactive { setting: HSM_SETTING }
            }
            VaultStatus::Inactive => State::Inactive { setting: DOMAIN_SETTING },
            VaultStatus::Deleted => State::Deleted,
            VaultStatus::Active | VaultStatus::Sealed => State::Sealed,
        };
        let Parts { node, store, journal, protection, hsms, paths, bounds, issuers, storage, clock } = &self.parts;
        Arc::new(Vault {
            info,
            node: *node,
            store: store.clone(),
            journal: journal.clone(),
            protection: protection.clone(),
            hsms: hsms.clone(),
            paths: paths.clone().into(),
            admission: Admission::new(*bounds),
            wrong_proofs: Arc::clone(&self.wrong_proofs),
            issuers: Arc::clone(issuers),
            storage: storage.clone(),
            clock: Arc::clone(clock),
            state: ArcSwap::from_pointee(state),
            not_opened: ArcSwap::default(),
            quorum: ArcSwap::default(),
        })
    }

    /// Its names lead nowhere any more.
    fn forget(&self, vault: &Vault) {
        self.vaults.rcu(|now| {
            let mut next = Registry::clone(now);
            next.by_id.remove(&vault.info.id);
            next.by_name.remove(&vault.info.name);
            for authority in &vault.info.authorities {
                next.by_authority.remove(authority);
            }
            next
        });
    }

    fn register(&self, vault: Arc<Vault>) {
        self.vaults.rcu(|now| {
            let mut next = Registry::clone(now);
            next.by_id.insert(vault.info.id, Arc::clone(&vault));
            next.by_name.insert(vault.info.name.clone(), Arc::clone(&vault));
            for authority in &vault.info.authorities {
                next.by_authority.insert(authority.clone(), Arc::clone(&vault));
            }
            next
        });
    }
}

pub(crate) fn summary(vault: &Arc<Vault>) -> VaultSummary {
    let state = vault.state();
    let closed = VaultSummary {
        info: vault.info.clone(),
        state: state.name(),
        purge_protection: None,
        tokens: Vec::new(),
        clock_doubted: None,
        root: None,
        rotation: None,
        domain: None,
        store_says: None,
        shares: None,
        quorum: Option::clone(&vault.quorum.load()),
        not_opened: None,
    };
    let State::Open(open) = &state else {
        return VaultSummary { not_opened: Option::clone(&vault.not_opened.load()), ..closed };
    };
    let tokens = open.protection.tokens().map(|t| t.names().map(str::to_owned).collect());
    VaultSummary {
        purge_protection: Some(open.purge_protection),
        tokens: tokens.unwrap_or_default(),
        clock_doubted: Some(vault.doubt_of(open).is_some()),
        root: Some(open.seals().generation()),
        domain: open.public.map(|public| public.id()),
        rotation: open.rotation().as_ref().map(Rotation::view),
        ..closed
    }
}
