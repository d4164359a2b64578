//! Files of earlier releases, which open for ever.

use crate::support::{V, key, puts, record, row, vault, version};
use keystead_model::{Revision, Time};
use keystead_store::{DueAt, Kind, OpenError, Row, Store};
use std::path::{Path, PathBuf};

/// A copy of a golden file, to be written to.
fn copy(dir: &Path, golden: &str) -> PathBuf {
    let path = dir.join("keystead.db");
    std::fs::copy(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden").join(golden), &path).unwrap();
    path
}

/// What stands in the file of schema 1, in the order in which it was written, from revision 2 on.
fn rows() -> Vec<Row> {
    let due = |row: Row, at: i64| Row { due: Some(Time(at)), ..row };
    let deleted = Row { kind: Kind::DeletedKey, ..row(2, 1) };
    let large = Row { sealed: vec![9; 5000], ..version(3, 7) };
    let rows = [due(row(3, 1), 50), row(1, 1), due(deleted, 40), version(1, 2), version(1, 1), version(2, 1), large];
    (2..).zip(rows).map(|(at, row)| Row { revision: Revision(at), ..row }).collect()
}

#[tokio::test]
async fn a_store_of_the_first_schema_opens_with_everything_where_it_was() {
    let dir = tempfile::tempdir().unwrap();
    let path = copy(dir.path(), "schema-1.db");
    // The second time it is one of this release.
    for _ in 0..2 {
        let store = Store::open(&path).unwrap();
        let all = rows();
        for row in &all {
            assert_eq!(store.get(V, row.key()).await.unwrap().as_ref(), Some(row));
        }
        let [three, one, deleted, second, first, ..] = all.as_slice() else { panic!("seven rows") };
        assert_eq!(store.page(V, Kind::Key, None, 9).await.unwrap(), [one.clone(), three.clone()]);
        assert_eq!(store.page(V, Kind::Key, Some([1; 32]), 9).await.unwrap(), std::slice::from_ref(three));
        let versions = store.versions(V, Kind::KeyVersion, [1; 32], None, 9).await.unwrap();
        assert_eq!(versions, [first.clone(), second.clone()]);
        let due = store.due(Time(50), None, 9).await.unwrap();
        assert_eq!(due, [(V, deleted.clone()), (V, three.clone())]);
        let after = DueAt { due: Time(40), vault: V, key: deleted.key() };
        assert_eq!(store.due(Time(50), Some(after), 9).await.unwrap(), [(V, three.clone())]);
        let vaults = store.vaults().await.unwrap();
        assert_eq!(vaults, [keystead_store::VaultRow { revision: Revision(8), ..vault(V, "dev") }]);
        let operations: Vec<u8> = store.outbox().await.unwrap().iter().map(|r| r.operation.as_bytes()[0]).collect();
        assert_eq!(operations, [10, 11]);
        assert_eq!(store.meta_get("k").await.unwrap(), Some(vec![1, 2, 3]));
        store.close().await;
    }
}

#[tokio::test]
async fn a_store_of_the_first_schema_is_written_on() {
    let dir = tempfile::tempdir().unwrap();
    let store = Store::open(&copy(dir.path(), "schema-1.db")).unwrap();
    store.commit(V, puts([row(1, 2), row(4, 1)]), record().0).await.unwrap();
    assert!(store.commit(V, puts([row(1, 2)]), record().0).await.is_err(), "the counter went on");
    let counters: Vec<_> = store.page(V, Kind::Key, None, 9).await.unwrap().iter().map(|row| row.counter).collect();
    assert_eq!(counters, [2, 1, 1]);
    assert_eq!(store.get(V, key(4)).await.unwrap().map(|row| row.revision), Some(Revision(9)));
}

#[test]
fn a_store_of_the_first_schema_that_is_damaged_stays_as_it_was() {
    let dir = tempfile::tempdir().unwrap();
    let path = copy(dir.path(), "schema-1.db");
    let sqlite = rusqlite::Connection::open(&path).unwrap();
    sqlite.execute_batch("DROP TABLE item").unwrap();
    assert!(matches!(Store::open(&path), Err(OpenError::Storage(_))));
    assert_eq!(sqlite.query_row("PRAGMA user_version", [], |r| r.get::<_, i64>(0)).unwrap(), 1);
}
