//! Take a sealed copy of a key with all its versions.

use super::as_it_is;
use crate::commands::ask;
use crate::error::Refusal;
use crate::records::key_backup::{self, BackupId, BackupRecord, BackupVersion};
use crate::room::{KeyVersion, Room};
use crate::run::{Effect, Execute};
use keystead_access::{Ask as _, Operation, Permit, Policy, Rule, Who};
use keystead_model::{Name, Target};
use serde_json::{Value, json};

/// Backs a key up: all its versions, their attributes and tags, its rotation policy. The value opens in vaults of
/// the same domain only, and in them also after the key was purged.
pub struct BackupKey {
    /// Which key.
    pub name: Name,
}
ask!(BackupKey, BackupKey, |c| Target::Key(c.name.clone()));

/// Most versions in a backup.
const MAX_VERSIONS: usize = 500;

impl Execute for BackupKey {
    type Output = Vec<u8>;

    fn approval(&self, _: &Who, _: &Policy) -> Option<Operation> {
        Some(Operation::new(
            &[Rule::Export, Rule::Backup],
            Self::ACTION,
            &self.target(),
            &json!({ "name": self.name.as_str() }),
        ))
    }

    async fn found(&self, room: &Room<'_>) -> Result<Option<Value>, Refusal> {
        Ok(Some(as_it_is(&room.live(&self.name).await?)))
    }

    async fn execute(permit: &Permit<Self>, room: &Room<'_>) -> Result<Effect<Vec<u8>>, Refusal> {
        let key = room.live(&permit.ask().name).await?;
        room.still_approved(&as_it_is(&key))?;
        let id = BackupId { vault: room.domain(), id: keystead_crypto::random() };
        let stored = room.all_versions(&key, MAX_VERSIONS).await?;
        let mut versions = Vec::with_capacity(stored.len());
        for version in &stored {
            versions.push(sealed(room, id, version).await?);
        }
        // It was purged, or got a version that nobody approved, while its versions were read.
        if as_it_is(&room.live(&permit.ask().name).await?) != as_it_is(&key) {
            return Err(Refusal::Conflict);
        }
        let record = BackupRecord {
            name: key.record.name.clone(),
            newest: key.record.newest,
            newest_created: key.record.newest_created,
            rotation: key.record.rotation.clone(),
            versions,
            taken: room.at.now.0,
        };
        Ok(Effect::read(key_backup::seal(&room.open().blobs, id, &record)?).about(key.id, None))
    }
}

/// The version with its material sealed to the backup.
async fn sealed(room: &Room<'_>, id: BackupId, v: &KeyVersion) -> Result<BackupVersion, Refusal> {
    let (open, here) = (room.open(), room.material_binding(v.id, v.version));
    let (from, to) = ((room.material(), &here), (&open.blobs, &id.material(v.version)));
    let material = room.protection().reseal(from, to, v.record.stored(), room.at.deadline).await?;
    let mut record = v.record.clone();
    record.material = material;
    Ok(BackupVersion { version: *v.version.as_bytes(), record })
}
