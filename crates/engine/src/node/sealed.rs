//! What can be told of a vault of custodians while it is sealed, so that the right ones are called: rows that stand in
//! the clear, and the record of its last replacement. It is what the store says, unproven until the vault opens.

use super::confirm::stored_record;
use super::{Instance, NODE_LOG};
use crate::birth::singleton;
use crate::operate::OperateError;
use crate::rotate;
use crate::vault::{Open, State, Vault};
use crate::wraps;
use keystead_audit::{Journal, Record};
use keystead_custody::DomainId;
use keystead_model::{Action, Generation, Revision, Time, VaultId};
use keystead_store::{Kind, Row};
use std::fmt;
use std::sync::Arc;

/// What the store says of a vault's root and custodians.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoreSays {
    /// The domain that the root is sealed to: its custodians open the vault.
    pub domain: DomainId,
    /// The newest generation that is sealed to it.
    pub generation: Generation,
    /// The rotation that is under way, if one is.
    pub rotation: Option<Unfinished>,
    /// Whether the custodians were replaced, and when, if a log still tells.
    pub replaced: Option<Option<Time>>,
}

/// A rotation that goes on as soon as the vault is open.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Unfinished {
    /// The generation that is replaced.
    pub from: Generation,
    /// The generation that seals.
    pub to: Generation,
    /// Whether the vault got other custodians with it.
    pub custodians: bool,
    /// The step, as far as the store shows it.
    pub step: &'static str,
}

/// Shares of a sealed vault's custodians.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SharesView {
    /// How many are needed.
    pub required: u8,
    /// Whose are there.
    pub given: Vec<u8>,
    /// How many are lacking.
    pub missing: u8,
}

impl fmt::Display for SharesView {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let given: Vec<_> = self.given.iter().map(u8::to_string).collect();
        let given = if given.is_empty() { "none".to_owned() } else { format!("of custodian {}", given.join(", ")) };
        write!(f, "{} are needed; there: {given}; missing: {}", self.required, self.missing)
    }
}

impl fmt::Display for StoreSays {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.rotation {
            Some(Unfinished { from, to, custodians, step }) => {
                let what = if *custodians { "replacing custodians, root" } else { "rotating root" };
                write!(f, "{what} {} -> {}: {step}", from.0, to.0)?;
            }
            None => write!(f, "sealed to the vault's domain, root {}", self.generation.0)?,
        }
        write!(f, "; the custodians of the security domain {} open it", self.domain)?;
        match self.replaced {
            Some(Some(at)) => write!(f, ", who took the place of others at {at}")?,
            Some(None) => f.write_str(", who took the place of others")?,
            None => {}
        }
        f.write_str(" (as the store says, unproven until unsealed)")
    }
}

/// Bounds the search for the record of a replacement: pages of so many records, the newest first.
const PAGE: u16 = 500;
const PAGES: usize = 8;

/// Read from rows that whoever owns the database can write.
pub(super) async fn store_says(vault: &Vault) -> Result<StoreSays, OperateError> {
    let public = wraps::stands(vault).await?;
    if stored_record(vault).await?.domain_public != public {
        return Err(OperateError::Altered { what: "domain key" });
    }
    let roots = wraps::sealed_root_rows(vault).await?;
    let newest = roots.first().ok_or(OperateError::Damaged)?;
    let at = singleton(Kind::Activation);
    // The row of the record that the vault was activated with is the first of its place.
    let activation = wraps::get(vault, at).await?.filter(|row| row.counter > 1);
    let replaced = match &activation {
        Some(row) => Some(replaced_at(vault, row.revision).await),
        None => None,
    };
    let under_way = wraps::get(vault, rotate::PLACE).await?.is_some();
    let rotation = under_way.then(|| unfinished(newest, roots.get(1), activation.as_ref()));
    let generation = wraps::generation_at(newest.version);
    Ok(StoreSays { domain: public.id(), generation, rotation, replaced })
}

fn unfinished(newest: &Row, older: Option<&Row>, activation: Option<&Row>) -> Unfinished {
    let to = wraps::generation_at(newest.version);
    let before = || Generation(to.0.saturating_sub(1));
    Unfinished {
        from: older.map_or_else(before, |row| wraps::generation_at(row.version)),
        to,
        // A replacement writes its record and its generation in one commit.
        custodians: activation.is_some_and(|row| row.revision == newest.revision),
        // What tells resealing from proving is sealed.
        step: if older.is_some() { "resealing or proving" } else { "destroying keys" },
    }
}

/// The replacement that wrote this revision in the vault's own log, which a crash does not take; or the newest in the
/// node's.
async fn replaced_at(vault: &Vault, revision: Revision) -> Option<Time> {
    let (journal, id) = (vault.journal.clone(), vault.info.id);
    let search = move || {
        let own = newest(&journal, id, |record| record.revision() == Some(revision));
        own.or_else(|| {
            newest(&journal, NODE_LOG, |record| record.object().is_some_and(|of| of.as_bytes() == id.as_bytes()))
        })
    };
    tokio::task::spawn_blocking(search).await.ok().flatten()
}

fn newest(journal: &Journal, log: VaultId, is_it: impl Fn(&Record) -> bool) -> Option<Time> {
    let mut end = journal.size(log);
    for _ in 0..PAGES {
        let from = end.saturating_sub(u64::from(PAGE));
        let count = u16::try_from(end.saturating_sub(from)).unwrap_or(PAGE);
        let page = journal.read(log, from, count).ok()?;
        let replaced = |record: &Record| record.action() == Some(Action::CustodiansReplaced) && is_it(record);
        if let Some((_, record)) = page.iter().rev().find(|(_, record)| replaced(record)) {
            return Some(record.at());
        }
        if from == 0 {
            break;
        }
        end = from;
    }
    None
}

impl Instance {
    /// Whose shares of a sealed vault are there. None if it has no custodians.
    pub(super) fn shares(&self, vault: &Vault) -> Option<SharesView> {
        let required = Option::clone(&vault.quorum.load())?.required;
        let given = self.given(vault.info.id);
        let there = u8::try_from(given.len()).unwrap_or(u8::MAX);
        Some(SharesView { required, given, missing: required.saturating_sub(there) })
    }

    /// As it stands open at this moment.
    pub(crate) fn now_open(&self, vault: &Vault) -> Result<Arc<Open>, OperateError> {
        match vault.state() {
            State::Open(open) => Ok(open),
            _ => Err(self.not_open(vault)),
        }
    }

    /// Why what needs an open vault is not done: of a sealed one also what opens it.
    pub(crate) fn not_open(&self, vault: &Vault) -> OperateError {
        match vault.state() {
            State::Sealed => OperateError::Closed { name: vault.info.name.clone(), shares: self.shares(vault) },
            state => OperateError::WrongState { state: state.name(), needed: "open" },
        }
    }
}
