//! What a command reads of keys: their rows and those of their versions, opened, and the keys themselves.

use super::{Place, Room, binding, row_binding};
use crate::error::Refusal;
use crate::records::{self, KeyRecord, VersionRecord, Work};
use crate::view::KeyView;
use keystead_access::{Ask, Permit, Who};
use keystead_crypto::sealed::Binding;
use keystead_model::{KeyOperation, KeyRef, Name, ObjectId, Target, Version};
use keystead_protection::{OpenKey, Standing};
use keystead_store::{Kind, Row, RowKey};
use std::sync::Arc;
use tokio::sync::OnceCell;

/// Rows of versions read at a time.
const PAGE: u16 = 500;

/// Versions, and where the next page begins.
pub(crate) type Versions = (Vec<KeyVersion>, Option<Version>);

/// A key's row, opened.
pub(crate) struct Key {
    pub(crate) kind: Kind,
    pub(crate) tag: [u8; 32],
    pub(crate) id: ObjectId,
    pub(crate) counter: u64,
    pub(crate) record: KeyRecord,
}

/// A key version's row, opened; its key is opened when first used.
pub(crate) struct KeyVersion {
    pub(crate) tag: [u8; 32],
    pub(crate) name: Name,
    pub(crate) id: ObjectId,
    pub(crate) version: Version,
    pub(crate) counter: u64,
    /// The counter of the key's own row when this was read.
    pub(crate) head: u64,
    pub(crate) record: VersionRecord,
    key: OnceCell<OpenKey>,
}

/// A key that may be used now for what was asked.
pub(crate) struct Usable {
    pub(crate) version: Arc<KeyVersion>,
    pub(crate) key: OpenKey,
}

impl Key {
    /// Where the row stands.
    pub(crate) fn at(&self) -> RowKey {
        RowKey { kind: self.kind, lookup: self.tag, version: None }
    }
}

impl Place {
    /// The key's own row, changed.
    pub(crate) fn next(key: &Key) -> Self {
        Self {
            kind: key.kind,
            tag: key.tag,
            version: None,
            id: key.id,
            counter: key.counter.saturating_add(1),
            due: key.record.due(),
        }
    }

    /// The version's own row, changed.
    pub(crate) fn next_version(v: &KeyVersion) -> Self {
        Self {
            kind: Kind::KeyVersion,
            tag: v.tag,
            version: Some(v.version),
            id: v.id,
            counter: v.counter.saturating_add(1),
            due: None,
        }
    }
}

impl Room<'_> {
    pub(crate) fn view(&self, v: &KeyVersion) -> KeyView {
        KeyView::new(v.name.clone(), v.version, &v.record, self.recovery())
    }

    /// The lookup tag of a key: HMAC-SHA-256(index key, kind | lower-case name). Its live row, its deleted row and its
    /// versions share it.
    pub(crate) fn tag(&self, name: &Name) -> [u8; 32] {
        self.open.index.of(&[&[Kind::Key.code()], name.folded().as_bytes()])
    }

    /// The key of this name, live or deleted according to `kind`.
    pub(crate) async fn key(&self, kind: Kind, name: &Name) -> Result<Option<Key>, Refusal> {
        let at = RowKey { kind, lookup: self.tag(name), version: None };
        match self.vault.store.get(self.vault.info.id, at).await? {
            Some(row) => self.key_of(&row).map(Some),
            None => Ok(None),
        }
    }

    /// What a mandate asks for must still be due: another change may have come first.
    pub(crate) fn still_due<C>(&self, permit: &Permit<C>, key: &Key, work: Work) -> Result<(), Refusal> {
        let due = key.record.work(self.at.now) == Some(work);
        match permit.who() {
            Who::Mandate(_) if !due => Err(Refusal::Conflict),
            _ => Ok(()),
        }
    }

    /// The live key of this name.
    pub(crate) async fn live(&self, name: &Name) -> Result<Key, Refusal> {
        let missing = || Refusal::KeyNotFound { name: name.clone(), version: None };
        self.key(Kind::Key, name).await?.ok_or_else(missing)
    }

    /// The deleted key of this name.
    pub(crate) async fn deleted(&self, name: &Name) -> Result<Key, Refusal> {
        let missing = || Refusal::DeletedKeyNotFound { name: name.clone() };
        self.key(Kind::DeletedKey, name).await?.ok_or_else(missing)
    }

    /// A page of key rows, in the order of their tags.
    pub(crate) async fn keys(&self, kind: Kind, after: Option<[u8; 32]>, n: u16) -> Result<Vec<Key>, Refusal> {
        let rows = self.vault.store.page(self.vault.info.id, kind, after, n).await?;
        rows.iter().map(|row| self.key_of(row)).collect()
    }

    /// A page of a key's versions, in the order of their ids, and behind which the next one begins, if there may be
    /// one: rows of other objects stand between them.
    pub(crate) async fn versions(&self, key: &Key, after: Option<Version>, n: u16) -> Result<Versions, Refusal> {
        let rows = self.vault.store.versions(self.vault.info.id, Kind::KeyVersion, key.tag, after, n).await?;
        let next = rows.last().filter(|_| rows.len() >= usize::from(n)).and_then(|row| row.version);
        let page = rows.into_iter().filter_map(|row| self.open_version_row(key, row).transpose());
        Ok((page.collect::<Result<_, _>>()?, next))
    }

    /// Where versions stand under this tag, of whichever object, with their counters.
    pub(crate) async fn version_rows(&self, tag: [u8; 32]) -> Result<Vec<(RowKey, u64)>, Refusal> {
        let (mut all, mut after) = (Vec::new(), None);
        loop {
            let rows = self.vault.store.versions(self.vault.info.id, Kind::KeyVersion, tag, after, PAGE).await?;
            all.extend(rows.iter().map(|row| (row.key(), row.counter)));
            after = rows.last().filter(|_| rows.len() >= usize::from(PAGE)).and_then(|row| row.version);
            if after.is_none() {
                return Ok(all);
            }
        }
    }

    /// All versions of a key, if there are no more than `most`.
    pub(crate) async fn all_versions(&self, key: &Key, most: usize) -> Result<Vec<KeyVersion>, Refusal> {
        let (mut all, mut after) = (Vec::new(), None);
        loop {
            let (page, next) = self.versions(key, after, PAGE).await?;
            all.extend(page);
            if all.len() > most {
                return Err(Refusal::OverBound { what: "a key with more than 500 versions is not backed up" });
            }
            after = next;
            if after.is_none() {
                return Ok(all);
            }
        }
    }

    /// A version of a live key, from memory or the store.
    pub(crate) async fn version(&self, key: &KeyRef) -> Result<Arc<KeyVersion>, Refusal> {
        let tag = self.tag(&key.name);
        let seen = match self.open.keys.get(&tag, key.version) {
            Ok(found) => return Ok(found),
            Err(seen) => seen,
        };
        let missing = || Refusal::KeyNotFound { name: key.name.clone(), version: key.version };
        let head = self.key(Kind::Key, &key.name).await?.ok_or_else(missing)?;
        let version = key.version.unwrap_or_else(|| head.record.newest());
        let found = Arc::new(self.stored_version(&head, version).await?.ok_or_else(missing)?);
        self.open.keys.insert(seen, tag, key.version, Arc::clone(&found));
        Ok(found)
    }

    /// A version of a key, live or deleted, from the store.
    pub(crate) async fn stored_version(&self, head: &Key, version: Version) -> Result<Option<KeyVersion>, Refusal> {
        let at = RowKey { kind: Kind::KeyVersion, lookup: head.tag, version: Some(version) };
        match self.vault.store.get(self.vault.info.id, at).await? {
            Some(row) => self.open_version_row(head, row),
            None => Ok(None),
        }
    }

    /// The newest version of a key, live or deleted; `None` if the key has gone since its row was read. A row that
    /// still stands without its newest version is damage.
    pub(crate) async fn newest(&self, head: &Key) -> Result<Option<KeyVersion>, Refusal> {
        if let Some(found) = self.stored_version(head, head.record.newest()).await? {
            return Ok(Some(found));
        }
        let same = |row: Row| (row.id, row.counter) == (head.id, head.counter);
        match self.vault.store.get(self.vault.info.id, head.at()).await?.is_some_and(same) {
            true => Err(Refusal::Damaged),
            false => Ok(None),
        }
    }

    /// Opens a key for use, if the permit covers it and its life cycle allows the operation now.
    pub(crate) async fn usable<C: Ask>(
        &self,
        permit: &Permit<C>,
        key: &KeyRef,
        op: KeyOperation,
    ) -> Result<Usable, Refusal> {
        if !permit.ask().target().covers(&Target::Key(key.name.clone())) {
            return Err(Refusal::Fault);
        }
        let version = self.usable_version(key, op).await?;
        let key = version.key.get_or_try_init(|| self.open_material(&version)).await?.in_lane(self.lane);
        Ok(Usable { version, key })
    }

    /// Where a key is, whatever it may be used for now.
    pub(crate) async fn standing<C: Ask>(&self, permit: &Permit<C>, v: &KeyVersion) -> Result<Standing, Refusal> {
        if !permit.ask().target().covers(&Target::Key(v.name.clone())) {
            return Err(Refusal::Fault);
        }
        let key = v.key.get_or_try_init(|| self.open_material(v)).await?;
        Ok(key.standing(self.at.deadline).await)
    }

    /// A key, whatever its attributes say: for what looks at it and gives nothing of it.
    pub(crate) async fn opened_version(&self, v: &KeyVersion) -> Result<OpenKey, Refusal> {
        self.open_material(v).await
    }

    async fn open_material(&self, v: &KeyVersion) -> Result<OpenKey, Refusal> {
        let binding = self.material_binding(v.id, v.version);
        let by = self.at.deadline;
        Ok(self.protection().open(self.material(), &binding, v.record.stored(), by).await?)
    }

    /// What key material is bound to: it is sealed once, so its counter is always 1.
    pub(crate) fn material_binding(&self, id: ObjectId, version: Version) -> Binding {
        binding(self.vault, Kind::KeyVersion, id, Some(version), 1)
    }

    /// What a row that is due says.
    pub(crate) fn opened(&self, row: &Row) -> Result<KeyRecord, Refusal> {
        self.key_of(row).map(|key| key.record)
    }

    /// A key's row, opened.
    pub(crate) fn key_of(&self, row: &Row) -> Result<Key, Refusal> {
        let plain = self.records().open(&row_binding(self.vault, row), &[], &row.sealed)?;
        let record: KeyRecord = records::decode(&plain)?;
        // The tag is a clear column: a row that was moved under another name is not that name's key.
        if self.tag(&record.name()?) != row.lookup {
            return Err(Refusal::Damaged);
        }
        Ok(Key { kind: row.kind, tag: row.lookup, id: row.id, counter: row.counter, record })
    }

    /// `None` if the row is of another key, wherever its clear columns put it.
    fn open_version_row(&self, head: &Key, row: Row) -> Result<Option<KeyVersion>, Refusal> {
        if row.id != head.id || row.lookup != head.tag {
            return Ok(None);
        }
        let name = head.record.name()?;
        let version = row.version.ok_or(Refusal::Damaged)?;
        let plain = self.records().open(&row_binding(self.vault, &row), &[], &row.sealed)?;
        let record = records::decode(&plain)?;
        let (tag, id, counter, head) = (row.lookup, row.id, row.counter, head.counter);
        Ok(Some(KeyVersion { tag, name, id, version, counter, head, record, key: OnceCell::new() }))
    }
}
