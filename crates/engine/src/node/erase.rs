//! Crypto-erase: every wrap of a vault's root is destroyed, with all of its rows and the keys that are the vault's
//! alone. What a copy of the store from before still opens is then tried, by each path, and told: nothing here reaches
//! such a copy.

use super::{Approvable, CUSTODY, Instance, QUORUM, QuorumView};
use crate::approvals::ProposalView;
use crate::birth::singleton;
use crate::error::{Refusal, TurnedAway};
use crate::operate::OperateError;
use crate::records::FormerRecord;
use crate::records::proposal::{ApprovalRecord, ErasedRecord};
use crate::vault::{Open, State, Vault};
use crate::wraps::{self, Stored};
use keystead_access::{Verdict, Vote};
use keystead_crypto::sha256;
use keystead_custody::{UnsealPath, Wraps};
use keystead_model::{Action, Moment, OperationId, Time, VaultId};
use keystead_store::Kind;
use std::sync::{Arc, Mutex, PoisonError};

/// What came of an erasure.
#[derive(Debug, Clone)]
pub struct Erased {
    /// Of which vault.
    pub vault: VaultId,
    /// Keys that went, live and deleted ones.
    pub keys: u64,
    /// By each of its paths: what an older copy of the store is worth now.
    pub copies: Vec<OldCopy>,
    /// Its custodians, who open older copies as before.
    pub custodians: Option<QuorumView>,
    /// What could not be destroyed, and why.
    pub left: Vec<String>,
    /// What was approved, and by which votes: here for the last time.
    pub approved: Option<Box<ProposalView>>,
}

/// An older copy of the store, behind one path.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OldCopy {
    /// The path's name.
    pub path: String,
    /// Its kind.
    pub kind: String,
    /// Whether the path opened what the vault had; none if it is not configured, so that nobody could try.
    pub opens: Option<bool>,
}

/// Vaults whose paths may still have a key of theirs.
#[derive(Default)]
pub(super) struct Leftovers(Mutex<Vec<VaultId>>);

impl Leftovers {
    pub(super) fn add(&self, vault: VaultId) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).push(vault);
    }

    fn take(&self) -> Vec<VaultId> {
        std::mem::take(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

/// What a path had wrapped.
struct Copy {
    name: String,
    kind: String,
    wraps: Wraps,
}

impl Instance {
    /// Destroys a vault that is open, or never was. With purge protection, only one without keys. Where the policy asks
    /// for it, approvers have approved.
    pub async fn erase(&self, name: &str, at: Moment) -> Result<Erased, OperateError> {
        let _one_at_a_time = self.operating.lock().await;
        let vault = self.known(name)?;
        let (id, state) = (vault.info.id, vault.state());
        // From the count of its keys to its end no key is made, and its policy stays as it is.
        let alone = match &state {
            State::Open(open) => Some(open.gate.write().await),
            _ => None,
        };
        let keys = vault.store.count(id, &[Kind::Key, Kind::DeletedKey]).await.map_err(Refusal::from)?;
        let (copies, open) = match &state {
            State::Open(open) if !vault.still_open(open) => return Err(Refusal::Conflict.into()),
            State::Open(open) if open.purge_protection && keys > 0 => {
                return Err(OperateError::PurgeProtected { keys });
            }
            State::Open(open) => (self.copies(&vault, open).await?, Some(open)),
            State::Inactive { .. } => (Vec::new(), None),
            _ => return Err(self.not_open(&vault)),
        };
        let mut left = match open {
            Some(open) => outside(&vault, open).await?,
            None => Vec::new(),
        };
        let custodians = Option::clone(&vault.quorum.load());
        let operation = OperationId::from_bytes(keystead_crypto::random());
        let approved = match open {
            Some(open) => self.approved((&vault, open), Approvable::Erasure, operation, at).await?.approved,
            None => None,
        };
        let clear = said(keys, approved.as_deref())?;
        let room = self.room_for_one()?;
        self.erase_rows(&vault, operation, clear.clone(), at).await?;
        self.store().scrub();
        drop(alone);
        left.extend(open.into_iter().flat_map(|open| wrapping_keys(open)));
        drop(state);
        self.leftovers.add(id);
        left.extend(self.clear_leftovers(at).await);
        let copies = self.tried_copies(id, copies).await;
        self.write_in(room, Action::VaultErased, id, clear, at).await?;
        Ok(Erased { vault: id, keys, copies, custodians, left, approved })
    }

    async fn copies(&self, vault: &Vault, open: &Open) -> Result<Vec<Copy>, OperateError> {
        let (_, listed) = wraps::paths(vault, open, &open.seals().records).await?;
        let mut copies = Vec::with_capacity(listed.paths.len());
        for path in listed.paths {
            let wraps = Stored::of(vault, &path.name).await?.wraps();
            copies.push(Copy { name: path.name, kind: path.kind, wraps });
        }
        Ok(copies)
    }

    /// From here on nothing is left by which this server could open it.
    async fn erase_rows(
        &self,
        vault: &Arc<Vault>,
        operation: OperationId,
        clear: Vec<u8>,
        at: Moment,
    ) -> Result<(), OperateError> {
        let make = self.record_of(operation, vault, (Action::VaultErased, clear), at, [0; 32]);
        let slot = self.parts.journal.reserve()?;
        let committed = match self.parts.store.erase(vault.info.id, make).await {
            Ok(committed) => committed,
            Err(e) if e.is_undone() => return Err(e.into()),
            Err(_) => {
                vault.set_sealed();
                return Err(TurnedAway::OutcomeUnknown.into());
            }
        };
        vault.state.store(Arc::new(State::Deleted));
        self.transfers.forget(vault.info.id);
        self.forget(vault);
        self.append(slot, operation, &committed.record).await?;
        let rows = self.parts.store.vaults().await.map_err(Refusal::from)?;
        if let Some(row) = rows.iter().find(|row| row.id == vault.info.id) {
            self.register(self.vault_of(row));
        }
        Ok(())
    }

    /// Destroys the paths' keys of erased vaults and their resident keys in every token, those that an interruption
    /// left too. Why, where that failed.
    pub(crate) async fn clear_leftovers(&self, at: Moment) -> Vec<String> {
        let mut failed = Vec::new();
        for vault in self.leftovers.take() {
            let before = failed.len();
            self.destroy_residents(vault, at, &mut failed).await;
            for path in &self.parts.paths {
                if let Err(e) = path.destroy_others(vault, &Wraps::default()).await {
                    failed.push(format!("the key of vault {vault} in the unseal path '{}': {e}", path.name()));
                }
            }
            if failed.len() > before {
                self.leftovers.add(vault);
            }
        }
        failed
    }

    async fn destroy_residents(&self, vault: VaultId, at: Moment, failed: &mut Vec<String>) {
        let Some(tokens) = self.parts.hsms.of_erased(vault) else { return };
        for token in tokens.names() {
            match tokens.residents(token, at.deadline).await {
                Ok(ids) => {
                    for id in ids {
                        if let Err(e) = tokens.destroy(token, id, at.deadline).await {
                            failed.push(format!("the resident key {} in token '{token}': {e}", hex::encode(id)));
                        }
                    }
                }
                Err(e) => failed.push(format!("resident keys of vault {vault} in token '{token}': {e}")),
            }
        }
    }

    async fn tried_copies(&self, vault: VaultId, copies: Vec<Copy>) -> Vec<OldCopy> {
        let mut tried = Vec::with_capacity(copies.len());
        for Copy { name, kind, wraps } in copies {
            let opens = match self.its_path(&name) {
                Ok(path) => Some(any_opens(path, vault, &wraps).await),
                Err(_) => None,
            };
            tried.push(OldCopy { path: name, kind, opens });
        }
        tried
    }
}

/// What the record of an erasure says, in the clear: the key that seals names goes with the vault, and the proposal
/// with its signatures, too.
fn said(keys: u64, approved: Option<&ProposalView>) -> Result<Vec<u8>, Refusal> {
    let clear = match approved {
        None => minicbor::to_vec(keys),
        Some(approved) => minicbor::to_vec(recorded(keys, approved)),
    };
    clear.map_err(|_| Refusal::Fault)
}

async fn any_opens(path: &dyn UnsealPath, vault: VaultId, wraps: &Wraps) -> bool {
    for wrap in &wraps.roots {
        if path.unwrap_root(vault, wrap).await.is_ok() {
            return true;
        }
    }
    match &wraps.domain {
        Some(domain) => path.unwrap_domain(vault, domain).await.is_ok(),
        None => false,
    }
}

fn recorded(keys: u64, approved: &ProposalView) -> ErasedRecord {
    let one = |vote: &Vote| ApprovalRecord { key: sha256(&[&vote.key]).into(), signature: vote.signature.clone() };
    ErasedRecord {
        keys,
        proposal: approved.proposal.id.clone(),
        text: sha256(&[approved.proposal.text(Verdict::Approve).as_bytes()]).into(),
        votes: approved.votes.iter().map(one).collect(),
    }
}

/// Who besides the vault's paths and custodians opens an older copy: those that it had before, and the domain of a
/// vault with custody `file`, where it went out.
async fn outside(vault: &Vault, open: &Open) -> Result<Vec<String>, OperateError> {
    let (_, listed) = wraps::paths(vault, open, &open.seals().records).await?;
    let mut told: Vec<_> = listed.former.iter().flatten().map(before).collect();
    let at = singleton(Kind::SecurityDomain);
    let given = wraps::get(vault, at).await?.is_some();
    let adopted = open.domain != vault.info.id;
    let whose = "whose custodians open older copies of the store as before";
    told.extend(match vault.info.custody == CUSTODY {
        true if given => Some(format!("the security domain that was downloaded, {whose}")),
        true if adopted => Some(format!("the security domain of another vault, which was uploaded, {whose}")),
        _ => None,
    });
    Ok(told)
}

fn before(former: &FormerRecord) -> String {
    let FormerRecord { name, kind, until } = former;
    let until = Time(*until);
    match kind.as_str() {
        QUORUM => format!("copies of the store and backups from before {until}, which the custodians of then open"),
        _ => format!(
            "copies of the store from before {until}, which the key of then of the unseal path '{name}' ({kind}) opens, \
             unless it is destroyed"
        ),
    }
}

/// Resident keys go with the leftovers. A wrapping key stays: another vault of the domain may work with it.
fn wrapping_keys(open: &Open) -> Vec<String> {
    let Ok(tokens) = open.protection.tokens() else { return Vec::new() };
    let told = |token| format!("the wrapping key in token '{token}', which other vaults of the domain may need");
    tokens.names().map(told).collect()
}
