//! The vault's clear row against its sealed copy. The owner of the database can write the row; what the node does by it
//! is done only if the vault itself has sealed the same.

use crate::birth::singleton;
use crate::error::Refusal;
use crate::info::VaultInfo;
use crate::operate::OperateError;
use crate::records::{self, VaultRecord};
use crate::room::{Place, Room, row_binding, seal_row};
use crate::vault::Vault;
use keystead_crypto::sealed::Sealer;
use keystead_model::{Authority, VaultStatus};
use keystead_store::{Changes, Kind, Row};

impl VaultRecord {
    pub(crate) fn of(info: &VaultInfo, status: VaultStatus) -> Self {
        Self {
            name: info.name.clone(),
            kind: info.kind.name().to_owned(),
            status: status.name().to_owned(),
            authorities: info.authorities.iter().map(Authority::to_string).collect(),
            custody: info.custody.clone(),
            created: info.created.0,
            retention_days: info.retention_days,
            tenant: info.tenant.clone(),
        }
    }

    /// The first column that differs in `clear`. A clear row may say `sealed` where the copy does not yet: the operator
    /// can seal while the root is not in memory, and who forges that only closes the vault.
    fn differs(&self, clear: &Self) -> Option<&'static str> {
        let closed = clear.status == VaultStatus::Sealed.name();
        let columns = [
            ("name", self.name == clear.name),
            ("kind", self.kind == clear.kind),
            ("status", self.status == clear.status || closed),
            ("authorities", self.authorities == clear.authorities),
            ("custody", self.custody == clear.custody),
            ("creation time", self.created == clear.created),
            ("retention", self.retention_days == clear.retention_days),
            ("tenant", self.tenant == clear.tenant),
        ];
        columns.into_iter().find(|(_, same)| !same).map(|(what, _)| what)
    }
}

/// Whether the vault is what it sealed. `stored` is the clear row's status.
pub(crate) async fn check(vault: &Vault, sealer: &Sealer, stored: VaultStatus) -> Result<(), OperateError> {
    let (_, copy) = read(vault, sealer).await.map_err(damaged)?;
    match copy.differs(&VaultRecord::of(vault.info(), stored)) {
        None => Ok(()),
        Some(what) => Err(OperateError::Altered { what }),
    }
}

/// The copy's next row, for a vault that gets this status. Where the copy is damaged there is none: a seal must not
/// fail by that, and opening will.
pub(crate) async fn with_status(vault: &Vault, sealer: &Sealer, status: VaultStatus) -> Result<Changes, Refusal> {
    let row = match read(vault, sealer).await {
        Ok((row, _)) => row,
        Err(Refusal::Damaged) => return Ok(Changes::default()),
        Err(other) => return Err(other),
    };
    let next = seal_row(vault, sealer, Place::behind(row.key(), Some(&row)), &VaultRecord::of(vault.info(), status))?;
    Ok(Changes { puts: vec![next], ..Changes::default() })
}

fn damaged(why: Refusal) -> OperateError {
    match why {
        Refusal::Damaged => OperateError::Damaged,
        other => OperateError::Refused(other),
    }
}

/// What the vault sealed of itself.
pub(crate) async fn stored(room: &Room<'_>) -> Result<VaultRecord, Refusal> {
    read(room.vault(), room.records()).await.map(|(_, copy)| copy)
}

async fn read(vault: &Vault, sealer: &Sealer) -> Result<(Row, VaultRecord), Refusal> {
    let at = singleton(Kind::Vault);
    let row = vault.store.get(vault.info().id, at).await?.ok_or(Refusal::Damaged)?;
    let plain = sealer.open(&row_binding(vault, &row), &[], &row.sealed)?;
    let copy = records::decode(&plain)?;
    Ok((row, copy))
}
