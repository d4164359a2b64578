//! What a command may touch: it reads rows, uses opened keys, and returns changes. It cannot write.
//!
//! - `keys`: keys and their versions; `used`: those that were used, looked at again before the answer
//! - `row`: where a row stands and what it is bound to

mod keys;
mod row;
mod used;

pub(crate) use keys::{Key, KeyVersion, Usable};
pub(crate) use row::{Place, binding, digest, row_binding, seal_row};
pub(crate) use used::Used;

use crate::error::Refusal;
use crate::seals::Seals;
use crate::vault::{Open, Vault};
use crate::view::Recovery;
use keystead_crypto::sealed::Sealer;
use keystead_custody::Root;
use keystead_model::{Moment, Revision, VaultId};
use keystead_protection::{Lane, Protection};
use keystead_store::{Row, RowKey};
use minicbor::Encode;
use serde_json::Value;
use std::sync::{Arc, Mutex, OnceLock};

/// What a command sees of its vault.
pub struct Room<'a> {
    vault: &'a Vault,
    open: &'a Arc<Open>,
    /// As they were when the work began: what it makes is of one generation.
    seals: Arc<Seals>,
    lane: Lane,
    /// When the work entered.
    pub(crate) at: Moment,
    used: Mutex<Vec<Used>>,
    /// What approvers signed that it falls on.
    approved: OnceLock<Value>,
}

impl<'a> Room<'a> {
    pub(crate) fn new(vault: &'a Vault, open: &'a Arc<Open>, at: Moment) -> Self {
        Self {
            vault,
            open,
            seals: open.seals(),
            lane: Lane::default(),
            at,
            used: Mutex::default(),
            approved: OnceLock::new(),
        }
    }

    /// For one caller, whose work takes turns with others'.
    pub(crate) fn in_lane(self, lane: Lane) -> Self {
        Self { lane, ..self }
    }

    /// Approvers signed that it falls on this.
    pub(crate) fn approved(&self, found: Option<Value>) {
        if let Some(found) = found {
            let _ = self.approved.set(found);
        }
    }

    /// Refused where approvers signed that it falls on something else: that was changed since the gate looked.
    pub(crate) fn still_approved(&self, found: &Value) -> Result<(), Refusal> {
        if self.approved.get().is_none_or(|approved| approved == found) { Ok(()) } else { Err(Refusal::Conflict) }
    }

    /// Where keys are made and opened for this command.
    pub(crate) fn protection(&self) -> Protection {
        self.open.protection.in_lane(self.lane)
    }

    pub(crate) fn vault(&self) -> &Vault {
        self.vault
    }

    pub(crate) fn open(&self) -> &Arc<Open> {
        self.open
    }

    /// What seals and opens its rows.
    pub(crate) fn records(&self) -> &Sealer {
        &self.seals.records
    }

    /// The root, to be sealed to another domain.
    pub(crate) fn root(&self) -> &Root {
        &self.seals.root
    }

    /// What seals and opens its key material.
    pub(crate) fn material(&self) -> &Sealer {
        &self.seals.material
    }

    /// What becomes of deleted keys here.
    pub(crate) fn recovery(&self) -> Recovery {
        Recovery { days: self.vault.info.retention_days, purge_protection: self.open.purge_protection }
    }

    /// The security domain, to which what leaves the vault is bound.
    pub(crate) fn domain(&self) -> VaultId {
        self.open.domain
    }

    /// The vault's revision in the store.
    pub(crate) async fn revision(&self) -> Result<Revision, Refusal> {
        self.vault.revision().await
    }

    /// The newest checkpoint of the vault's log on this node; empty before there is one.
    pub(crate) async fn checkpoint(&self) -> String {
        let file = self.vault.log_file("checkpoint").await.unwrap_or_default();
        String::from_utf8(file).unwrap_or_default()
    }

    /// Whether another generation of the root seals since: what it sealed, this room does not open.
    pub(crate) fn is_overtaken(&self) -> bool {
        self.open.seals().generation() != self.seals.generation()
    }

    /// A row as it stands in the store.
    pub(crate) async fn row_at(&self, at: RowKey) -> Result<Option<Row>, Refusal> {
        Ok(self.vault.store.get(self.vault.info.id, at).await?)
    }

    /// A row that holds `record`, to be put into the changes of the command.
    pub(crate) fn row<T: Encode<()>>(&self, place: Place, record: &T) -> Result<Row, Refusal> {
        seal_row(self.vault, self.records(), place, record)
    }
}

#[cfg(test)]
mod tests;
