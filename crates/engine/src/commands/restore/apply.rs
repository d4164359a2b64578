//! From the frames of a backup to the vault's rows.
//!
//! Versions are written first and the key's own row last, so that a key is seen once it is whole. Of a restore of the
//! whole vault, what the backup says counts; of one key, what there is stays, and only what is missing comes back.

use crate::backup::BackupError;
use crate::backup::stream::Opened;
use crate::commands::key::moved;
use crate::error::Refusal;
use crate::records::backup::{Item, KeyEnd};
use crate::records::job::{RestoreWork, RestoredKey};
use crate::records::key_backup::{BackupId, BackupVersion};
use crate::records::{DeletionRecord, KeyRecord, VersionRecord};
use crate::room::{Key, Place, Room};
use keystead_crypto::sealed::Sealer;
use keystead_custody::BackupKey;
use keystead_model::{Name, ObjectId, Version};
use keystead_store::{Changes, Kind, Row, RowKey};
use std::collections::BTreeSet;

/// One step on its way.
pub(super) struct Applying<'a, 'r> {
    room: &'a Room<'r>,
    id: BackupId,
    material: Sealer,
    work: &'a mut RestoreWork,
    changes: Changes,
    touched: BTreeSet<[u8; 32]>,
}

impl<'a, 'r> Applying<'a, 'r> {
    pub(super) fn new(room: &'a Room<'r>, work: &'a mut RestoreWork) -> Result<Self, Refusal> {
        let material = BackupKey::from_bytes(&work.key.0).material();
        let id = BackupId { vault: room.domain(), id: *work.backup };
        // The key that this step goes on with is one that it writes.
        let mut touched = BTreeSet::new();
        if let Some(inside) = &work.inside {
            touched.insert(room.tag(&inside.head.name()?));
        }
        Ok(Self { room, id, material, work, changes: Changes::default(), touched })
    }

    /// What it changes, and whether the whole vault is restored.
    pub(super) fn into_changes(self) -> (Changes, bool) {
        (self.changes, self.work.only.is_none())
    }

    /// Whether the frame begins no key that this step wrote.
    pub(super) fn takes(&mut self, opened: &Opened, frame: u64) -> Result<bool, Refusal> {
        let mut begun = BTreeSet::new();
        for item in &opened.items {
            let Item::Key(key) = item else { continue };
            let tag = self.room.tag(&key.record.name().map_err(|_| BackupError::Altered { frame })?);
            if self.touched.contains(&tag) {
                return Ok(false);
            }
            if !begun.insert(tag) {
                return Err(BackupError::Altered { frame }.into());
            }
        }
        self.touched.extend(begun);
        Ok(true)
    }

    pub(super) async fn apply(&mut self, opened: &Opened, frame: u64) -> Result<(), Refusal> {
        let altered = || BackupError::Altered { frame };
        for item in &opened.items {
            match item {
                Item::Key(_) if self.work.inside.is_some() => return Err(altered().into()),
                Item::Key(key) => self.begin(&key.record).await?,
                Item::Version(version) => {
                    let inside = self.work.inside.clone().ok_or_else(altered)?;
                    self.version(&inside, version).await?;
                }
                Item::End(end) => {
                    let inside = self.work.inside.take().ok_or_else(altered)?;
                    self.end(inside, *end).await?;
                }
                Item::Vault(_) | Item::Trailer(_) => {}
            }
        }
        Ok(())
    }

    /// The key that stands under this name, live or deleted.
    async fn existing(&self, name: &Name) -> Result<Option<Key>, Refusal> {
        match self.room.key(Kind::Key, name).await? {
            Some(live) => Ok(Some(live)),
            None => self.room.key(Kind::DeletedKey, name).await,
        }
    }

    async fn begin(&mut self, head: &KeyRecord) -> Result<(), Refusal> {
        let name = head.name()?;
        let wanted = self.work.only.as_deref().map(Name::parse).is_none_or(|only| only.as_ref() == Ok(&name));
        let existing = if wanted { self.existing(&name).await? } else { None };
        let id = wanted.then(|| match &existing {
            Some(key) => *key.id.as_bytes(),
            None => keystead_crypto::random(),
        });
        let existed = existing.is_some().then_some(true);
        self.work.inside = Some(RestoredKey { head: head.clone(), id: id.map(Into::into), existed });
        Ok(())
    }

    async fn version(&mut self, inside: &RestoredKey, stored: &BackupVersion) -> Result<(), Refusal> {
        let Some(id) = inside.id.map(|id| ObjectId::from_bytes(*id)) else { return Ok(()) };
        let (room, version, name) = (self.room, Version::from_bytes(stored.version), inside.head.name()?);
        let tag = room.tag(&name);
        let head = Key { kind: Kind::Key, tag, id, counter: 0, record: inside.head.clone() };
        let there = room.stored_version(&head, version).await?;
        if there.is_some() && self.work.only.is_some() {
            self.work.done.kept = self.work.done.kept.saturating_add(1);
            return Ok(());
        }
        let mut record = stored.record.clone();
        let (from, to) = (self.id.material(version), room.material_binding(id, version));
        let (from, to) = ((&self.material, &from), (room.material(), &to));
        record.material = room.protection().reseal(from, to, stored.record.stored(), room.at.deadline).await?;
        let place = match &there {
            Some(there) => {
                stays(&mut record, &there.record);
                Place::next_version(there)
            }
            None => {
                self.make_room(RowKey { kind: Kind::KeyVersion, lookup: tag, version: Some(version) }).await?;
                Place { kind: Kind::KeyVersion, tag, version: Some(version), id, counter: 1, due: None }
            }
        };
        self.changes.puts.push(room.row(place, &record)?);
        self.work.done.versions = self.work.done.versions.saturating_add(1);
        Ok(())
    }

    /// What an earlier restore that came to no end left under another object goes.
    async fn make_room(&mut self, at: RowKey) -> Result<(), Refusal> {
        self.changes.removes.extend(self.room.row_at(at).await?.map(|row| (at, row.counter)));
        Ok(())
    }

    /// The key's own row, now that its versions are there.
    async fn end(&mut self, inside: RestoredKey, end: KeyEnd) -> Result<(), Refusal> {
        let Some(id) = inside.id.map(|id| ObjectId::from_bytes(*id)) else { return Ok(()) };
        let (room, name) = (self.room, inside.head.name()?);
        let existing = self.existing(&name).await?;
        if !end.whole {
            return self.left(existing.filter(|key| key.id == id));
        }
        if (existing.is_none() && inside.existed == Some(true)) || !self.has_newest(&inside.head, id).await? {
            return Err(BackupError::PurgedMeanwhile { name }.into());
        }
        if existing.as_ref().is_some_and(|key| key.id != id) {
            // Another key got the name meanwhile.
            self.work.done.kept = self.work.done.kept.saturating_add(1);
            return Ok(());
        }
        let record = match (&self.work.only, &existing) {
            (None, _) => self.as_it_was(inside.head),
            (Some(_), Some(key)) => merged(&key.record, inside.head),
            (Some(_), None) => KeyRecord { deletion: None, ..inside.head },
        };
        let kind = if record.deletion.is_some() { Kind::DeletedKey } else { Kind::Key };
        let more = match existing {
            Some(key) if key.kind == kind => {
                let place = Place { due: record.due(), ..Place::next(&key) };
                Changes { puts: vec![room.row(place, &record)?], ..Changes::default() }
            }
            Some(key) => moved(room, &key, kind, &record)?,
            None => {
                let tag = room.tag(&name);
                let other = if kind == Kind::Key { Kind::DeletedKey } else { Kind::Key };
                let place = Place { kind, tag, version: None, id, counter: 1, due: record.due() };
                let free = (RowKey { kind: other, lookup: tag, version: None }, 0);
                Changes { puts: vec![room.row(place, &record)?], checks: vec![free], ..Changes::default() }
            }
        };
        self.changes.puts.extend(more.puts);
        self.changes.removes.extend(more.removes);
        self.changes.checks.extend(more.checks);
        Ok(())
    }

    /// A key that the backup knows and cannot bring back, as one that is resident in a token: it stays as it is, and is
    /// written again, so that it does not count as one that the backup has not.
    fn left(&mut self, existing: Option<Key>) -> Result<(), Refusal> {
        if let Some(key) = existing.filter(|_| self.work.only.is_none()) {
            self.changes.puts.push(self.room.row(Place::next(&key), &key.record)?);
        }
        Ok(())
    }

    /// Whether the newest version is among what is written, or stored.
    async fn has_newest(&self, head: &KeyRecord, id: ObjectId) -> Result<bool, Refusal> {
        let (tag, newest) = (self.room.tag(&head.name()?), Some(head.newest()));
        let written = |row: &Row| row.kind == Kind::KeyVersion && (row.lookup, row.version) == (tag, newest);
        if self.changes.puts.iter().any(written) {
            return Ok(true);
        }
        let at = RowKey { kind: Kind::KeyVersion, lookup: tag, version: newest };
        Ok(self.room.row_at(at).await?.is_some_and(|row| row.id == id))
    }

    /// As the backup says. A deleted key gets its whole retention anew: nothing is purged because it was restored.
    fn as_it_was(&self, head: KeyRecord) -> KeyRecord {
        let days = u32::from(self.room.vault().info().retention_days);
        let purge_at = self.room.at.now.plus_days(days);
        let deletion = head.deletion.map(|d| DeletionRecord { purge_at: purge_at.0, ..d });
        KeyRecord { deletion, ..head }
    }
}

/// What a restore does not undo in a version that is there: its uses, and what was settled for good.
fn stays(record: &mut VersionRecord, there: &VersionRecord) {
    record.uses_reserved = record.uses_reserved.max(there.uses_reserved);
    if there.release.as_ref().is_some_and(|release| release.immutable) {
        (record.exportable, record.release) = (there.exportable, there.release.clone());
    }
}

/// The key that there is, live again; the newest version of both is its newest.
fn merged(there: &KeyRecord, from: KeyRecord) -> KeyRecord {
    let there = KeyRecord { deletion: None, ..there.clone() };
    if there.newest_created >= from.newest_created {
        return there;
    }
    let KeyRecord { newest, newest_created, newest_expires, .. } = from;
    KeyRecord { newest, newest_created, newest_expires, ..there }
}
