//! Rows, vaults and records in few words.

use keystead_model::{ObjectId, OperationId, Revision, Time, VaultId, VaultKind, VaultStatus, Version};
use keystead_store::{Changes, Committed, Kind, MakeRecord, OutboxRow, Row, RowKey, Store, VaultRow};
use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering};
use tempfile::TempDir;

pub(crate) const V: VaultId = VaultId::from_bytes([7; 16]);

/// A store in a directory of its own, with the vault [`V`] at revision 1.
pub(crate) struct Bench {
    pub(crate) store: Store,
    dir: TempDir,
}

impl Bench {
    pub(crate) async fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let store = Store::open(&dir.path().join("keystead.db")).unwrap();
        store.create_vault(vault(V, "dev"), Changes::default(), record().0).await.unwrap();
        Self { store, dir }
    }

    pub(crate) fn path(&self) -> PathBuf {
        self.dir.path().join("keystead.db")
    }

    /// The same file, opened again after `close`.
    pub(crate) async fn reopened(self) -> Self {
        self.store.close().await;
        self.dropped()
    }

    /// The same file, opened again with no word to the old store.
    pub(crate) fn dropped(self) -> Self {
        let Self { store, dir } = self;
        drop(store);
        let store = Store::open(&dir.path().join("keystead.db")).unwrap();
        Self { store, dir }
    }

    pub(crate) async fn put(&self, row: Row) -> Committed {
        self.store.commit(V, puts([row]), record().0).await.unwrap()
    }

    pub(crate) async fn revision(&self) -> Revision {
        self.store.vaults().await.unwrap().into_iter().find(|v| v.id == V).unwrap().revision
    }
}

pub(crate) fn vault(id: VaultId, name: &str) -> VaultRow {
    VaultRow {
        id,
        name: name.into(),
        kind: VaultKind::Vault,
        status: VaultStatus::Active,
        authorities: vec![
            format!("{name}.localhost:8443").parse().unwrap(),
            format!("{name}.example").parse().unwrap(),
        ],
        custody: "file".into(),
        created: Time(1_700_000_000_000),
        retention_days: 90,
        tenant: "tenant".into(),
        revision: Revision(1),
    }
}

pub(crate) fn key(lookup: u8) -> RowKey {
    RowKey { kind: Kind::Key, lookup: [lookup; 32], version: None }
}

pub(crate) fn row(lookup: u8, counter: u64) -> Row {
    Row {
        kind: Kind::Key,
        lookup: [lookup; 32],
        version: None,
        id: ObjectId::from_bytes([lookup; 16]),
        counter,
        revision: Revision(0),
        due: None,
        sealed: vec![lookup; 300],
    }
}

pub(crate) fn version(lookup: u8, version: u8) -> Row {
    Row { kind: Kind::KeyVersion, version: Some(Version::from_bytes([version; 16])), ..row(lookup, 1) }
}

pub(crate) fn puts<const N: usize>(rows: [Row; N]) -> Changes {
    Changes { puts: rows.into(), ..Changes::default() }
}

/// A record of a new operation; its bytes are the revision it was given.
pub(crate) fn record() -> (MakeRecord, OperationId) {
    static NEXT: AtomicU64 = AtomicU64::new(1);
    let n = u128::from(NEXT.fetch_add(1, Ordering::Relaxed)) | u128::from(std::process::id()) << 64;
    let op = OperationId::from_bytes(n.to_be_bytes());
    (record_of(op), op)
}

pub(crate) fn record_of(operation: OperationId) -> MakeRecord {
    Box::new(move |at| OutboxRow { operation, log: V, position: u64::MAX, bytes: at.0.to_be_bytes().to_vec() })
}

pub(crate) fn revision_in(bytes: &[u8]) -> Revision {
    Revision(u64::from_be_bytes(bytes.try_into().unwrap()))
}
