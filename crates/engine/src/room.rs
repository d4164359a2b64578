//! What a command may touch: it reads rows, uses opened keys, and returns changes. It cannot write.

use crate::error::Refusal;
use crate::records::{self, KeyRecord, VersionRecord, Work};
use crate::seals::Seals;
use crate::vault::{Open, Vault};
use crate::view::{KeyView, Recovery};
use keystead_access::{Ask, Permit, Who};
use keystead_crypto::sealed::{Binding, Sealer};
use keystead_custody::Root;
use keystead_model::{KeyOperation, KeyRef, Moment, Name, ObjectId, Revision, Target, Time, VaultId, Version};
use keystead_protection::{Lane, OpenKey, Protection, Standing};
use keystead_store::{Changes, Kind, Row, RowKey};
use minicbor::Encode;
use serde_json::Value;
use std::sync::{Arc, Mutex, OnceLock};
use tokio::sync::OnceCell;

mod used;

pub(crate) use used::Used;

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

    pub(crate) fn view(&self, v: &KeyVersion) -> KeyView {
        KeyView::new(v.name.clone(), v.version, &v.record, self.recovery())
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

    /// A row as it stands in the store.
    pub(crate) async fn row_at(&self, at: RowKey) -> Result<Option<Row>, Refusal> {
        Ok(self.vault.store.get(self.vault.info.id, at).await?)
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

    /// A row that holds `record`, to be put into the changes of the command.
    pub(crate) fn row<T: Encode<()>>(&self, place: Place, record: &T) -> Result<Row, Refusal> {
        seal_row(self.vault, self.records(), place, record)
    }
}

/// Where a row stands and what it follows.
pub(crate) struct Place {
    pub(crate) kind: Kind,
    pub(crate) tag: [u8; 32],
    pub(crate) version: Option<Version>,
    pub(crate) id: ObjectId,
    /// The counter this row gets: one more than the row it replaces.
    pub(crate) counter: u64,
    pub(crate) due: Option<Time>,
}

impl Place {
    /// Of a row that is alone at its place, behind the one that stands there.
    pub(crate) fn behind(at: RowKey, stands: Option<&Row>) -> Self {
        let RowKey { kind, lookup: tag, version } = at;
        let id = stands.map_or_else(|| ObjectId::from_bytes(keystead_crypto::random()), |row| row.id);
        let counter = stands.map_or(0, |row| row.counter).saturating_add(1);
        Self { kind, tag, version, id, counter, due: None }
    }

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

impl Key {
    /// Where the row stands.
    pub(crate) fn at(&self) -> RowKey {
        RowKey { kind: self.kind, lookup: self.tag, version: None }
    }
}

/// Seals a record into a row.
pub(crate) fn seal_row<T: Encode<()>>(
    vault: &Vault,
    sealer: &Sealer,
    place: Place,
    record: &T,
) -> Result<Row, Refusal> {
    let plain = records::encode(record)?;
    let binding = binding(vault, place.kind, place.id, place.version, place.counter);
    Ok(Row {
        kind: place.kind,
        lookup: place.tag,
        version: place.version,
        id: place.id,
        counter: place.counter,
        revision: Revision(0),
        due: place.due,
        sealed: sealer.seal(&binding, &[], &plain),
    })
}

/// What a row is bound to.
pub(crate) fn row_binding(vault: &Vault, row: &Row) -> Binding {
    binding(vault, row.kind, row.id, row.version, row.counter)
}

pub(crate) fn binding(vault: &Vault, kind: Kind, id: ObjectId, version: Option<Version>, counter: u64) -> Binding {
    Binding {
        vault: *vault.info.id.as_bytes(),
        kind: kind.code(),
        object: *id.as_bytes(),
        version: version_bytes(version),
        counter,
    }
}

fn version_bytes(version: Option<Version>) -> [u8; 16] {
    version.map_or([0; 16], |v| *v.as_bytes())
}

/// The digest of changed rows that stands in the record.
pub(crate) fn digest(changes: &Changes) -> [u8; 32] {
    let mut all = Vec::new();
    for row in &changes.puts {
        all.push(row.kind.code());
        all.extend_from_slice(&row.lookup);
        all.extend_from_slice(&version_bytes(row.version));
        all.extend_from_slice(&row.counter.to_be_bytes());
        all.extend_from_slice(&keystead_crypto::sha256(&[&row.sealed]));
    }
    for (key, counter) in &changes.removes {
        all.push(key.kind.code() | 0x80);
        all.extend_from_slice(&key.lookup);
        all.extend_from_slice(&version_bytes(key.version));
        all.extend_from_slice(&counter.to_be_bytes());
    }
    keystead_crypto::sha256(&[&all])
}

#[cfg(test)]
mod tests;
