//! The custodians of a vault, and their confirmations of its activation record. A confirmation opens nothing; it shows
//! that those who can open the vault agree on what it is.

use super::{Instance, QUORUM, VaultSummary, summary};
use crate::birth::singleton;
use crate::error::Refusal;
use crate::operate::OperateError;
use crate::vault::{State, Vault};
use crate::wraps;
use keystead_custody::activation::{ActivationRecord, Custodian};
use keystead_custody::confirmation::Confirmation;
use keystead_model::{Action, Moment};
use keystead_store::{Changes, Kind, Row, RowKey};
use std::collections::BTreeMap;
use std::sync::Arc;

/// The custodians of a vault.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct QuorumView {
    /// How many open it.
    pub required: u8,
    /// How many there are.
    pub custodians: u8,
    /// How many confirmed its activation record.
    pub confirmed: u8,
}

impl Instance {
    /// Stores custodians' confirmations, all or none. One that is stored already is no error, and one that was altered is
    /// replaced.
    pub async fn confirm(&self, name: &str, files: &[Vec<u8>], at: Moment) -> Result<VaultSummary, OperateError> {
        let _one_at_a_time = self.operating.lock().await;
        let vault = self.of_custodians(name)?;
        let record = stored_record(&vault).await?;
        let (mut puts, mut numbers) = (BTreeMap::new(), Vec::new());
        for (file, at) in files.iter().zip(1..) {
            let refused = |why| OperateError::Confirmation { at, why };
            let confirmation = Confirmation::parse(file).map_err(refused)?;
            let number = confirmation.verify(&record).map_err(refused)?;
            let place = RowKey { kind: Kind::Confirmation, lookup: confirmation.certificate, version: None };
            let stored = wraps::get(&vault, place).await?;
            if !stored.as_ref().is_some_and(|row| holds(row, &record))
                && puts.insert(number, wraps::clear(place, stored.as_ref(), file.clone())).is_none()
            {
                numbers.push(number);
            }
        }
        if !puts.is_empty() {
            let clear = minicbor::to_vec(&numbers).map_err(|_| Refusal::Fault)?;
            let changes = Changes { puts: puts.into_values().collect(), ..Changes::default() };
            self.commit(&vault, changes, (Action::DomainConfirmed, clear), at, || ()).await?;
            self.look_at_custodians(&vault).await;
            self.note(Action::DomainConfirmed, vault.info.id, at).await?;
        }
        Ok(summary(&vault))
    }

    /// A vault that was activated into the custody of a quorum.
    pub(super) fn of_custodians(&self, name: &str) -> Result<Arc<Vault>, OperateError> {
        let vault = self.known(name)?;
        match vault.state() {
            State::Open(_) | State::Sealed if vault.info.custody == QUORUM => Ok(vault),
            State::Open(_) | State::Sealed => Err(OperateError::NoCustodians { custody: vault.info.custody.clone() }),
            state => Err(OperateError::WrongState { state: state.name(), needed: "activated" }),
        }
    }

    /// Who its custodians are and how many confirmed, for listings. Each confirmation is verified again: its row is
    /// clear.
    pub(super) async fn look_at_custodians(&self, vault: &Vault) {
        if vault.info.custody != QUORUM || matches!(vault.state(), State::Inactive { .. }) {
            return;
        }
        match counted(vault).await {
            Ok(view) => vault.quorum.store(Arc::new(Some(view))),
            Err(e) => tracing::warn!(vault = %vault.info.name, "its custodians are not known: {e}"),
        }
    }
}

async fn counted(vault: &Vault) -> Result<QuorumView, OperateError> {
    let record = stored_record(vault).await?;
    let mut confirmed = 0_u8;
    for custodian in &record.custodians {
        if confirmation(vault, &record, custodian).await? == Some(true) {
            confirmed = confirmed.saturating_add(1);
        }
    }
    Ok(QuorumView { required: record.quorum.required(), custodians: record.quorum.custodians(), confirmed })
}

/// Whether the confirmation of a custodian holds that is stored, if one is.
pub(super) async fn confirmation(
    vault: &Vault,
    record: &ActivationRecord,
    custodian: &Custodian,
) -> Result<Option<bool>, OperateError> {
    let lookup = custodian.certificate.thumbprint();
    let row = wraps::get(vault, RowKey { kind: Kind::Confirmation, lookup, version: None }).await?;
    Ok(row.map(|row| holds(&row, record)))
}

fn holds(row: &Row, record: &ActivationRecord) -> bool {
    let found = Confirmation::parse(&row.sealed);
    found.is_ok_and(|found| found.certificate == row.lookup && found.verify(record).is_ok())
}

/// The activation record, as it stands in the clear: whoever opens the vault holds it against what the vault sealed.
pub(super) async fn stored_record(vault: &Vault) -> Result<ActivationRecord, OperateError> {
    let at = singleton(Kind::Activation);
    let row = wraps::get(vault, at).await?.ok_or(OperateError::Damaged)?;
    let record = ActivationRecord::parse(&row.sealed).map_err(|_| OperateError::Damaged)?;
    if record.vault == vault.info.id { Ok(record) } else { Err(OperateError::Damaged) }
}
