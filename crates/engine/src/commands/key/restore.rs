//! Bring a key back from a backup.

use crate::commands::ask;
use crate::error::Refusal;
use crate::records::KeyRecord;
use crate::records::key_backup::{self, BackupId, BackupRecord, BackupVersion, BadBackup};
use crate::room::{Place, Room};
use crate::run::{Effect, Execute};
use crate::view::KeyView;
use keystead_access::{Ask as _, Operation, Permit, Policy, Rule, Who};
use keystead_model::{Name, ObjectId, Target, Version};
use keystead_store::{Changes, Kind, Row, RowKey};
use serde_json::json;

/// Restores a key under the name it had, which must be free, with all its versions as they were. It is another object
/// from then on: no row of the old one opens in its place.
pub struct RestoreKey {
    /// What [`super::BackupKey`] gave.
    pub backup: Vec<u8>,
}
ask!(RestoreKey, RestoreKey, |c| Target::Keys);

impl Execute for RestoreKey {
    type Output = KeyView;

    fn approval(&self, _: &Who, _: &Policy) -> Option<Operation> {
        let digest = hex::encode(keystead_crypto::sha256(&[&self.backup]));
        Some(Operation::new(&[Rule::Restore], Self::ACTION, &self.target(), &json!({ "backup_sha256": digest })))
    }

    async fn execute(permit: &Permit<Self>, room: &Room<'_>) -> Result<Effect<KeyView>, Refusal> {
        let (from, record) = key_backup::open(&room.open().blobs, room.open().domain, &permit.ask().backup)?;
        let name = Name::parse(&record.name).map_err(|_| BadBackup::Damaged)?;
        if room.key(Kind::Key, &name).await?.is_some() {
            return Err(Refusal::NameTaken { name });
        }
        if room.key(Kind::DeletedKey, &name).await?.is_some() {
            return Err(Refusal::NameReserved { name });
        }
        let id = ObjectId::from_bytes(keystead_crypto::random());
        let newest = Version::from_bytes(record.newest);
        let (view, changes) = rows(room, from, &name, id, record).await?;
        Ok(Effect::change(view, changes).about(id, Some(newest)))
    }
}

async fn rows(
    room: &Room<'_>,
    from: BackupId,
    name: &Name,
    id: ObjectId,
    record: BackupRecord,
) -> Result<(KeyView, Changes), Refusal> {
    let tag = room.tag(name);
    let (mut puts, mut newest) = (Vec::with_capacity(record.versions.len().saturating_add(1)), None);
    for version in record.versions {
        let is_newest = version.version == record.newest;
        let (row, view) = restored(room, from, name, id, version).await?;
        puts.push(row);
        newest = if is_newest { Some(view) } else { newest };
    }
    let newest = newest.ok_or(BadBackup::Damaged)?;
    let key = KeyRecord {
        name: record.name,
        newest: record.newest,
        newest_created: record.newest_created,
        rotation: record.rotation,
        deletion: None,
        newest_expires: newest.expires.map(|t| t.0),
        notified: None,
    };
    let head = Place { kind: Kind::Key, tag, version: None, id, counter: 1, due: key.due() };
    puts.push(room.row(head, &key)?);
    let free = RowKey { kind: Kind::DeletedKey, lookup: tag, version: None };
    Ok((newest, Changes { puts, checks: vec![(free, 0)], ..Changes::default() }))
}

/// The version with its material sealed to this vault's root again.
async fn restored(
    room: &Room<'_>,
    from: BackupId,
    name: &Name,
    id: ObjectId,
    stored: BackupVersion,
) -> Result<(Row, KeyView), Refusal> {
    let version = Version::from_bytes(stored.version);
    let (open, here) = (room.open(), room.material_binding(id, version));
    let (from, to) = ((&open.blobs, &from.material(version)), (room.material(), &here));
    let mut record = stored.record;
    record.material = room.protection().reseal(from, to, record.stored(), room.at.deadline).await?;
    let tag = room.tag(name);
    let place = Place { kind: Kind::KeyVersion, tag, version: Some(version), id, counter: 1, due: None };
    let view = KeyView::new(name.clone(), version, &record, room.recovery());
    Ok((room.row(place, &record)?, view))
}
