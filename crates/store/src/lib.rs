//! Opaque rows, one revision per vault, one transaction.
//!
//! A [`Store`] keeps sealed rows it cannot read. Each change of a vault advances the vault's revision by one and
//! commits together with its audit record, so the order of commits is the order of revisions. What a commit answered is
//! on disk. Writes name the counter of the row they read: of two that read the same, one wins and the other learns of
//! it.
//!
//! ```
//! # tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(async {
//! use keystead_model::{ObjectId, OperationId, Revision, Time, VaultId, VaultKind, VaultStatus};
//! use keystead_store::{Changes, Kind, OutboxRow, Row, Store, VaultRow};
//!
//! # let dir = tempfile::tempdir().unwrap();
//! let store = Store::open(&dir.path().join("keystead.db")).unwrap();
//! let id = VaultId::from_bytes([1; 16]);
//! let vault = VaultRow {
//!     id,
//!     name: "dev".into(),
//!     kind: VaultKind::Vault,
//!     status: VaultStatus::Active,
//!     authorities: vec!["dev.localhost:8443".parse().unwrap()],
//!     custody: "file".into(),
//!     created: Time(0),
//!     retention_days: 90,
//!     tenant: "tenant".into(),
//!     revision: Revision(0),
//! };
//! let policy = Row {
//!     kind: Kind::Policy,
//!     lookup: [0; 32],
//!     version: None,
//!     id: ObjectId::from_bytes([2; 16]),
//!     counter: 1,
//!     revision: Revision(0),
//!     due: None,
//!     sealed: b"sealed elsewhere".to_vec(),
//! };
//! let changes = Changes { puts: vec![policy], ..Changes::default() };
//! let operation = OperationId::from_bytes([3; 16]);
//! let record = move |at: Revision| OutboxRow { operation, log: id, position: 0, bytes: at.0.to_be_bytes().to_vec() };
//! let done = store.create_vault(vault, changes, Box::new(record)).await.unwrap();
//! assert_eq!(done.revision, Revision(1));
//! store.forget(operation); // once the journal has the record
//! store.close().await;
//! # });
//! ```
//!
//! - [`row`]: rows, vaults, changes, records on their way to the journal
//! - [`error`]: what can go wrong and what to do about it
//! - `sqlite`: the one variant so far; WAL, `synchronous=FULL`, group commit
//! - [`fault`]: scripted faults for the tests of what stands on the store
#![cfg_attr(test, allow(clippy::arithmetic_side_effects, clippy::disallowed_methods))]

pub mod error;
#[doc(hidden)]
pub mod fault;
mod health;
pub mod row;
mod sqlite;

pub use error::{CommitError, OpenError, Unavailable};
pub use health::StoreState;
pub use row::{Changes, Committed, DueAt, Kind, MakeRecord, OutboxRow, Row, RowKey, VaultRow};

use keystead_model::{OperationId, Revision, Time, VaultId, VaultStatus, Version};
use sqlite::Sqlite;
use std::path::Path;

/// A handle on the store; clones share it. Without [`Store::close`] nothing acknowledged is lost, only the next start
/// has a little more to do.
///
/// Writes are sent when their future is first polled, and then happen whether or not somebody waits for the answer.
#[derive(Clone)]
pub struct Store {
    inner: Inner,
}

#[derive(Clone)]
enum Inner {
    Sqlite(Sqlite),
    Faulty(Sqlite, fault::Faults),
}

impl Store {
    /// Opens the store in the file at `path`, or makes it: missing directories with mode 0700, the file with 0600 (an
    /// existing one is tightened). One process has it at a time.
    pub fn open(path: &Path) -> Result<Self, OpenError> {
        Sqlite::open(path).map(|sqlite| Self { inner: Inner::Sqlite(sqlite) })
    }

    /// The same store, failing by script.
    #[doc(hidden)]
    pub fn faulty(self) -> (Self, fault::Faults) {
        let faults = fault::Faults::default();
        let (Inner::Sqlite(sqlite) | Inner::Faulty(sqlite, _)) = self.inner;
        (Self { inner: Inner::Faulty(sqlite, faults.clone()) }, faults)
    }

    /// All vaults, by name.
    pub async fn vaults(&self) -> Result<Vec<VaultRow>, Unavailable> {
        self.reader()?.vaults()
    }

    /// Creates a vault with its first rows and record, at revision 1. [`CommitError::Exists`] where its id, name or one
    /// of its authorities is taken.
    pub async fn create_vault(&self, v: VaultRow, c: Changes, r: MakeRecord) -> Result<Committed, CommitError> {
        let r = self.scripted(r);
        self.write(|s| s.create_vault(v, c, r)).await
    }

    /// Changes a vault's stored status, and rows with it, whatever the status was: one revision, one record.
    pub async fn set_status(
        &self,
        v: VaultId,
        s: VaultStatus,
        c: Changes,
        r: MakeRecord,
    ) -> Result<Committed, CommitError> {
        let r = self.scripted(r);
        self.write(|sqlite| sqlite.set_status(v, s, c, r)).await
    }

    /// Makes an inactive vault active: its custody, its first rows, one revision, one record.
    /// [`CommitError::Conflict`] where it is not inactive.
    pub async fn activate(
        &self,
        v: VaultId,
        custody: &str,
        c: Changes,
        r: MakeRecord,
    ) -> Result<Committed, CommitError> {
        let (r, custody) = (self.scripted(r), custody.to_owned());
        self.write(|sqlite| sqlite.activate(v, custody, c, r)).await
    }

    /// Commits changes of one vault with their record: one revision. Checks are made first, then rows are removed, then
    /// put. [`CommitError::Conflict`] where a row is not as it was read.
    pub async fn commit(&self, v: VaultId, c: Changes, r: MakeRecord) -> Result<Committed, CommitError> {
        let r = self.scripted(r);
        self.write(|s| s.commit(v, c, r)).await
    }

    /// Removes every row of a vault and frees its name and authorities, with a last record of it. Its id stays taken.
    pub async fn erase(&self, v: VaultId, r: MakeRecord) -> Result<Committed, CommitError> {
        let r = self.scripted(r);
        self.write(|s| s.erase(v, r)).await
    }

    /// One row.
    pub async fn get(&self, v: VaultId, k: RowKey) -> Result<Option<Row>, Unavailable> {
        self.reader()?.get(v, &k)
    }

    /// Up to `n` rows without a version, in the order of their tags, behind `after`.
    pub async fn page(&self, v: VaultId, kind: Kind, after: Option<[u8; 32]>, n: u16) -> Result<Vec<Row>, Unavailable> {
        self.reader()?.page(v, kind, after, n)
    }

    /// Up to `n` rows with a version, in the order of their versions, behind `after`.
    pub async fn versions(
        &self,
        v: VaultId,
        kind: Kind,
        lookup: [u8; 32],
        after: Option<Version>,
        n: u16,
    ) -> Result<Vec<Row>, Unavailable> {
        self.reader()?.versions(v, kind, lookup, after, n)
    }

    /// Where up to `n` rows with a version stand, in the order of their tags and versions, behind `after`.
    pub async fn version_ids(
        &self,
        v: VaultId,
        kind: Kind,
        after: Option<([u8; 32], Version)>,
        n: u16,
    ) -> Result<Vec<([u8; 32], Version)>, Unavailable> {
        self.reader()?.version_ids(v, kind, after, n)
    }

    /// Up to `n` rows of a kind, with a version or without, in the order of their tags and versions, behind `after`.
    pub async fn rows(
        &self,
        v: VaultId,
        kind: Kind,
        after: Option<([u8; 32], Option<Version>)>,
        n: u16,
    ) -> Result<Vec<Row>, Unavailable> {
        self.reader()?.rows(v, kind, after, n)
    }

    /// How many rows of these kinds a vault has.
    pub async fn count(&self, v: VaultId, kinds: &[Kind]) -> Result<u64, Unavailable> {
        self.reader()?.count(v, kinds)
    }

    /// Whether a row of one of these kinds was written by a later revision than this.
    pub async fn changed_since(&self, v: VaultId, kinds: &[Kind], revision: Revision) -> Result<bool, Unavailable> {
        self.reader()?.changed_since(v, kinds, (revision, None))
    }

    /// The same, whatever the revision `but` wrote.
    pub async fn changed_besides(
        &self,
        v: VaultId,
        kinds: &[Kind],
        since: Revision,
        but: Revision,
    ) -> Result<bool, Unavailable> {
        self.reader()?.changed_since(v, kinds, (since, Some(but)))
    }

    /// Up to `n` rows of all vaults that are due at `now`, the earliest first, behind `after`.
    pub async fn due(&self, now: Time, after: Option<DueAt>, n: u16) -> Result<Vec<(VaultId, Row)>, Unavailable> {
        self.reader()?.due(now, after, n)
    }

    /// The records that were not forgotten yet, in the order of their commits.
    pub async fn outbox(&self) -> Result<Vec<OutboxRow>, Unavailable> {
        self.reader()?.outbox()
    }

    /// The journal has this operation's record. It leaves the outbox with the next commits, or within a second.
    pub fn forget(&self, op: OperationId) {
        let (Inner::Sqlite(sqlite) | Inner::Faulty(sqlite, _)) = &self.inner;
        sqlite.forget(op);
    }

    /// Has what rows held before leave the write-ahead log too, as soon as no reader is in the way. After a removal that
    /// is done unasked.
    pub fn scrub(&self) {
        let (Inner::Sqlite(sqlite) | Inner::Faulty(sqlite, _)) = &self.inner;
        sqlite.scrub();
    }

    /// A fact about the instance.
    pub async fn meta_get(&self, key: &'static str) -> Result<Option<Vec<u8>>, Unavailable> {
        self.reader()?.meta_get(key)
    }

    /// Writes a fact about the instance unless there is one, and answers what stands there now.
    pub async fn meta_put_once(&self, key: &'static str, value: Vec<u8>) -> Result<Vec<u8>, CommitError> {
        self.write(|s| s.meta_put_once(key, value)).await
    }

    /// How the store is, as its last reads and writes found it. Asks nothing of the disk.
    pub fn state(&self) -> StoreState {
        let (Inner::Sqlite(sqlite) | Inner::Faulty(sqlite, _)) = &self.inner;
        sqlite.state()
    }

    /// Finishes what is queued, moves the WAL into the database and closes it for all handles.
    pub async fn close(&self) {
        let (Inner::Sqlite(sqlite) | Inner::Faulty(sqlite, _)) = &self.inner;
        sqlite.close().await;
    }

    fn reader(&self) -> Result<&Sqlite, Unavailable> {
        match &self.inner {
            Inner::Sqlite(sqlite) => Ok(sqlite),
            Inner::Faulty(sqlite, faults) => faults.before_read().map(|()| sqlite),
        }
    }

    fn scripted(&self, r: MakeRecord) -> MakeRecord {
        match &self.inner {
            Inner::Sqlite(_) => r,
            Inner::Faulty(_, faults) => faults.around_record(r),
        }
    }

    async fn write<'a, T, F>(&'a self, write: impl FnOnce(&'a Sqlite) -> F) -> Result<T, CommitError>
    where
        F: Future<Output = Result<T, CommitError>> + 'a,
    {
        match &self.inner {
            Inner::Sqlite(sqlite) => write(sqlite).await,
            Inner::Faulty(sqlite, faults) => faults.around_commit(write(sqlite)).await,
        }
    }
}
