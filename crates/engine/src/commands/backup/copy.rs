//! From the vault's rows to the frames of a backup, a part at a time.
//!
//! Live keys are copied, then deleted ones, then once more those live ones that were changed meanwhile: a key that
//! moves from one to the other is met at least once, and what is met later counts. A part ends inside a key where it
//! must.

use crate::backup::stream::Writer;
use crate::clear_row;
use crate::error::Refusal;
use crate::policy_row;
use crate::records::backup::{Item, KeyEnd, KeyItem, Trailer, VaultItem};
use crate::records::job::{AtRecord, BackupWork, CopiedKey};
use crate::records::key_backup::{BackupId, BackupVersion};
use crate::room::{Key, KeyVersion, Room};
use keystead_crypto::sealed::Sealer;
use keystead_custody::BackupKey;
use keystead_formats::backup::Header;
use keystead_model::{ObjectId, Revision, Version};
use keystead_protection::KeyError;
use keystead_store::{Kind, RowKey};

/// Keys and versions read at a time.
const PAGE: u16 = 32;
/// The pass behind the last: all parts are at their place.
pub(super) const WRITTEN: u8 = 5;

/// One part on its way.
pub(super) struct Copying<'a, 'r> {
    room: &'a Room<'r>,
    id: BackupId,
    material: Sealer,
    writer: Writer,
    work: &'a mut BackupWork,
}

impl<'a, 'r> Copying<'a, 'r> {
    pub(super) fn new(room: &'a Room<'r>, id: ObjectId, work: &'a mut BackupWork) -> Self {
        let key = BackupKey::from_bytes(&work.key.0);
        let id = BackupId { vault: room.domain(), id: *id.as_bytes() };
        let writer = Writer::new(&key, &work.header, work.at, room.vault().storage.part());
        Self { room, id, material: key.material(), writer, work }
    }

    /// What was sealed, and what stands behind it.
    pub(super) fn into_part(self) -> (Vec<u8>, AtRecord) {
        (self.writer.out, self.writer.at)
    }

    /// Fills the part.
    pub(super) async fn fill(&mut self, part: usize) -> Result<(), Refusal> {
        while self.writer.out.len() < part {
            let more = match self.work.pass {
                0 => {
                    self.writer.add(&Item::Vault(Box::new(vault(self.room).await?)))?;
                    false
                }
                1 => self.keys(Kind::Key, Revision(0), part).await?,
                2 => self.keys(Kind::DeletedKey, Revision(0), part).await?,
                3 => self.keys(Kind::Key, self.begun_at()?, part).await?,
                _ => {
                    self.writer.flush();
                    let trailer = Trailer { counts: self.work.counts, before: self.writer.at.before };
                    self.writer.end(&Item::Trailer(trailer))?;
                    self.work.pass = WRITTEN;
                    return Ok(());
                }
            };
            if !more {
                // No key stands twice in one frame.
                self.writer.flush();
                (self.work.pass, self.work.after) = (self.work.pass.saturating_add(1), None);
            }
        }
        self.writer.flush();
        Ok(())
    }

    fn begun_at(&self) -> Result<Revision, Refusal> {
        let (header, _) = Header::parse(&self.work.header).map_err(|_| Refusal::Damaged)?;
        Ok(Revision(header.said().ok_or(Refusal::Damaged)?.revision))
    }

    /// Copies the next keys whose row was written by a later revision; false if there are no more.
    async fn keys(&mut self, kind: Kind, since: Revision, part: usize) -> Result<bool, Refusal> {
        if let Some(inside) = self.work.inside.take() {
            return self.go_on(kind, inside, part).await.map(|()| true);
        }
        let (room, after) = (self.room, self.work.after.map(|tag| *tag));
        let vault = room.vault();
        let rows = vault.store.page(vault.info().id, kind, after, PAGE).await?;
        let more = rows.len() == usize::from(PAGE);
        for row in rows {
            if self.writer.out.len() >= part {
                return Ok(true);
            }
            if row.revision <= since {
                self.work.after = Some(row.lookup.into());
                continue;
            }
            let key = room.key_of(&row)?;
            self.writer.add(&Item::Key(Box::new(KeyItem { record: key.record.clone() })))?;
            let counts = &mut self.work.counts;
            let count = if kind == Kind::Key { &mut counts.keys } else { &mut counts.deleted };
            *count = count.saturating_add(1);
            let (tag, id, newest) = (key.tag.into(), (*key.id.as_bytes()).into(), key.record.newest.into());
            self.versions(&key, CopiedKey { tag, id, newest, after: None, whole: false }, part).await?;
            if self.work.inside.is_some() {
                return Ok(true);
            }
        }
        Ok(more)
    }

    /// A key of which a part is written. One that is not there any more, or not under this kind, ends here.
    async fn go_on(&mut self, kind: Kind, inside: CopiedKey, part: usize) -> Result<(), Refusal> {
        let at = RowKey { kind, lookup: *inside.tag, version: None };
        match self.room.row_at(at).await?.filter(|row| *row.id.as_bytes() == *inside.id) {
            Some(row) => self.versions(&self.room.key_of(&row)?, inside, part).await,
            None => self.end(&CopiedKey { whole: false, ..inside }),
        }
    }

    async fn versions(&mut self, key: &Key, mut inside: CopiedKey, part: usize) -> Result<(), Refusal> {
        loop {
            let after = inside.after.map(|v| Version::from_bytes(*v));
            let (page, next) = self.room.versions(key, after, PAGE).await?;
            for version in &page {
                let copied = self.version(version).await?;
                inside.whole |= copied && *version.version.as_bytes() == *inside.newest;
            }
            let Some(next) = next else { return self.end(&inside) };
            inside.after = Some((*next.as_bytes()).into());
            if self.writer.out.len() >= part {
                self.work.inside = Some(inside);
                return Ok(());
            }
        }
    }

    fn end(&mut self, inside: &CopiedKey) -> Result<(), Refusal> {
        self.work.after = Some(inside.tag);
        self.writer.add(&Item::End(KeyEnd { whole: inside.whole }))
    }

    /// The version with its material sealed to the backup; false if it stays in its token.
    async fn version(&mut self, v: &KeyVersion) -> Result<bool, Refusal> {
        let (room, material) = (self.room, self.room.material());
        let (from, to) = (room.material_binding(v.id, v.version), self.id.material(v.version));
        let (from, to) = ((material, &from), (&self.material, &to));
        let counts = &mut self.work.counts;
        let mut record = v.record.clone();
        record.material = match room.protection().reseal(from, to, v.record.stored(), room.at.deadline).await {
            Ok(material) => material,
            Err(KeyError::Resident) => {
                counts.left_out = counts.left_out.saturating_add(1);
                return Ok(false);
            }
            Err(why) => return Err(why.into()),
        };
        counts.versions = counts.versions.saturating_add(1);
        let version = *v.version.as_bytes();
        self.writer.add(&Item::Version(Box::new(BackupVersion { version, record })))?;
        Ok(true)
    }
}

/// What the vault is, and its policy.
pub(super) async fn vault(room: &Room<'_>) -> Result<VaultItem, Refusal> {
    let (policy, _) = policy_row::stored(room).await?;
    Ok(VaultItem {
        vault: clear_row::stored(room).await?,
        purge_protection: room.open().purge_protection,
        hsm: room.open().hsm.clone(),
        iss: room.open().issuer.info().iss,
        policy,
    })
}
