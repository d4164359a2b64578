//! What is opened, and what is refused by name.

use crate::support::{Bench, V};
use keystead_store::{OpenError, Store, Unavailable};
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

fn mode(path: &Path) -> u32 {
    fs::metadata(path).unwrap().permissions().mode() & 0o777
}

/// Changes the closed file behind the store's back.
fn with_sqlite(path: &Path, sql: &str) {
    rusqlite::Connection::open(path).unwrap().execute_batch(sql).unwrap();
}

#[tokio::test]
async fn new_directories_and_files_are_the_owners_alone() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("a/b/keystead.db");
    let store = Store::open(&path).unwrap();
    store.meta_put_once("k", vec![1]).await.unwrap();
    assert_eq!((mode(&dir.path().join("a")), mode(&dir.path().join("a/b"))), (0o700, 0o700));
    for entry in fs::read_dir(dir.path().join("a/b")).unwrap() {
        let path = entry.unwrap().path();
        assert_eq!(mode(&path), 0o600, "{}", path.display());
    }
    store.close().await;
    fs::set_permissions(&path, fs::Permissions::from_mode(0o644)).unwrap();
    drop(Store::open(&path).unwrap());
    assert_eq!(mode(&path), 0o600);
}

#[tokio::test]
async fn a_newer_schema_is_refused_by_name() {
    let b = Bench::new().await;
    b.store.close().await;
    with_sqlite(&b.path(), "PRAGMA user_version = 4");
    assert!(matches!(Store::open(&b.path()), Err(OpenError::NewerSchema { found: 4, known: 3 })));
}

#[test]
fn another_file_is_not_taken_for_a_store() {
    let dir = tempfile::tempdir().unwrap();
    let text = dir.path().join("text");
    fs::write(&text, "no database at all. ".repeat(500)).unwrap();
    let foreign = dir.path().join("foreign.db");
    with_sqlite(&foreign, "CREATE TABLE t (a)");
    for path in [text, foreign] {
        let before = fs::read(&path).unwrap();
        assert!(matches!(Store::open(&path), Err(OpenError::NotAStore { .. })), "{}", path.display());
        assert_eq!(fs::read(&path).unwrap(), before);
    }
    assert!(matches!(Store::open(dir.path()), Err(OpenError::File { .. })));
}

#[tokio::test]
async fn a_second_opening_is_refused_while_the_first_lives() {
    let b = Bench::new().await;
    assert!(matches!(Store::open(&b.path()), Err(OpenError::InUse { .. })));
    b.store.close().await;
    Store::open(&b.path()).unwrap();
}

#[tokio::test]
async fn a_damaged_row_is_named_as_damage_not_read_as_something_else() {
    let b = Bench::new().await;
    b.put(crate::support::row(1, 1)).await;
    b.store.close().await;
    with_sqlite(&b.path(), "UPDATE item SET id = x'00'");
    let b = b.dropped();
    let got = b.store.get(V, crate::support::key(1)).await;
    assert_eq!(got, Err(Unavailable::Damaged { code: 0 }));
}
