//! Whether a restore would take something back that nobody said may be taken back.
//!
//! It is asked when a restore is begun, when it has read the backup and is about to write, and with each step from then
//! on: the vault works meanwhile, and what is disabled, deleted or revoked while it runs is a change like any other.

use crate::backup::BackupError;
use crate::error::Refusal;
use crate::records::job::RestoreWork;
use crate::room::Room;
use keystead_formats::backup::{Header, Said};
use keystead_model::{Revision, VaultId};
use keystead_store::Kind;

/// Whether the vault has anything that a restore would take back.
pub(super) async fn is_older(room: &Room<'_>, said: &Said, policy: bool) -> Result<bool, Refusal> {
    let vault = room.vault();
    // Revisions of another vault say nothing here: there, any key is newer.
    if VaultId::from_bytes(*said.vault) != vault.info().id {
        let kinds = [Kind::Key, Kind::DeletedKey, Kind::Purged];
        return Ok(vault.store.changed_since(vault.info().id, &kinds, Revision(0)).await?);
    }
    Ok(vault.store.changed_since(vault.info().id, &kinds(policy), Revision(said.revision)).await?)
}

fn kinds(policy: bool) -> Vec<Kind> {
    let mut kinds = vec![Kind::Key, Kind::DeletedKey, Kind::KeyVersion, Kind::Purged];
    kinds.extend(policy.then_some(Kind::Policy));
    kinds
}

/// Asked at the end of a step that writes, when it has read all that it goes by: what comes later has another counter
/// than was read, or is found by the next step. `own` is the revision of the step before.
pub(super) async fn still_none(room: &Room<'_>, own: Revision, work: &mut RestoreWork) -> Result<(), Refusal> {
    if work.only.is_some() || work.rollback == Some(true) {
        return Ok(());
    }
    let (vault, now) = (room.vault(), room.revision().await?);
    let (header, _) = Header::parse(&work.header).map_err(|_| Refusal::Damaged)?;
    let said = header.said().ok_or(Refusal::Damaged)?;
    let older = match work.seen {
        Some(seen) => {
            let (id, kinds) = (vault.info().id, kinds(work.policy));
            vault.store.changed_besides(id, &kinds, Revision(seen), own).await?
        }
        None => is_older(room, &said, work.policy).await?,
    };
    work.seen = Some(now.0);
    match older {
        true => Err(BackupError::Older { backup: said.revision, vault: now.0 }.into()),
        false => Ok(()),
    }
}
