//! What was removed is in none of the store's files.

use crate::support::{Bench, V, key, puts, record, row};
use keystead_model::{ObjectId, VaultId};
use keystead_store::{Changes, Row, Store};
use std::collections::HashSet;
use std::path::Path;
use std::time::{Duration, Instant};

/// Each row's bytes are one mark over and over.
type Mark = [u8; 16];

fn mark(n: u32) -> Mark {
    let mut mark = [0xa5; 16];
    mark[4..8].copy_from_slice(&n.to_be_bytes());
    mark[12..].copy_from_slice(&n.wrapping_mul(2_654_435_761).to_be_bytes());
    mark
}

/// From some that share a page to those that need several.
fn marked(n: u32, counter: u64) -> Row {
    let times = [4, 9, 25, 60, 90, 400][(n % 6) as usize];
    let mut lookup = [0; 32];
    lookup[..4].copy_from_slice(&n.wrapping_mul(0x9e37_79b1).to_be_bytes());
    let id = ObjectId::from_bytes(mark(n ^ 0x8000_0000));
    Row { lookup, id, sealed: mark(n).repeat(times), ..row(1, counter) }
}

/// How many of the marks lie in the store's files.
fn found(path: &Path, marks: &HashSet<Mark>) -> usize {
    let mut found: HashSet<Mark> = HashSet::new();
    for entry in std::fs::read_dir(path.parent().unwrap()).unwrap() {
        let bytes = std::fs::read(entry.unwrap().path()).unwrap();
        found.extend(bytes.windows(16).filter_map(|window| marks.get(window)));
    }
    found.len()
}

fn removal(rows: &[Row]) -> Changes {
    Changes { removes: rows.iter().map(|row| (row.key(), row.counter)).collect(), ..Changes::default() }
}

/// Rows that come, change and go in many rounds, so that pages are split, joined and become free.
async fn churned(b: &Bench) -> (HashSet<Mark>, HashSet<Mark>) {
    let (mut live, mut gone, mut next) = (Vec::new(), HashSet::new(), 0);
    for round in 0..6_usize {
        for _ in 0..30 {
            let rows: Vec<Row> = (next..next + 10).map(|n| marked(n, 1)).collect();
            next += 10;
            b.store.commit(V, Changes { puts: rows.clone(), ..Changes::default() }, record().0).await.unwrap();
            live.extend(rows);
        }
        let changed: Vec<Row> = live
            .iter()
            .step_by(3)
            .map(|old: &Row| {
                next += 1;
                let new = marked(next, old.counter + 1);
                Row { lookup: old.lookup, id: old.id, ..new }
            })
            .collect();
        next += 1;
        b.store.commit(V, Changes { puts: changed.clone(), ..Changes::default() }, record().0).await.unwrap();
        for new in changed {
            let old = live.iter_mut().find(|old| old.lookup == new.lookup).unwrap();
            gone.insert(old.sealed[..16].try_into().unwrap());
            *old = new;
        }
        let (leave, stay): (Vec<Row>, Vec<Row>) = std::mem::take(&mut live).into_iter().enumerate().fold(
            (vec![], vec![]),
            |(mut leave, mut stay), (at, row)| {
                if (at * 7 + round) % 10 == 0 {
                    stay.push(row)
                } else {
                    leave.push(row)
                }
                (leave, stay)
            },
        );
        for rows in leave.chunks(20) {
            b.store.commit(V, removal(rows), record().0).await.unwrap();
        }
        gone.extend(leave.iter().map(|row| <Mark>::try_from(&row.sealed[..16]).unwrap()));
        live = stay;
    }
    (live.iter().map(|row| row.sealed[..16].try_into().unwrap()).collect(), gone)
}

#[tokio::test]
async fn what_was_removed_or_written_anew_is_in_no_file_of_a_closed_store() {
    let b = Bench::new().await;
    let (live, gone) = churned(&b).await;
    assert!(gone.len() > 1500);
    b.store.close().await;
    assert_eq!(found(&b.path(), &live), live.len(), "the search finds what is there");
    assert_eq!(found(&b.path(), &gone), 0);
}

#[tokio::test]
async fn of_an_erased_vault_no_row_is_in_the_files_and_the_others_are() {
    let b = Bench::new().await;
    let (live, gone) = churned(&b).await;
    let other = VaultId::from_bytes([8; 16]);
    let (theirs, mark) = (marked(900_000, 1), HashSet::from([mark(900_000)]));
    b.store.create_vault(crate::support::vault(other, "other"), puts([theirs]), record().0).await.unwrap();
    b.store.erase(V, record().0).await.unwrap();
    b.store.close().await;
    assert_eq!((found(&b.path(), &live), found(&b.path(), &gone)), (0, 0));
    assert_eq!(found(&b.path(), &mark), 1);
}

/// A reader may be in the way for a moment.
async fn leaves(path: &Path, marks: &HashSet<Mark>) {
    let until = Instant::now() + Duration::from_secs(30);
    while found(path, marks) > 0 {
        assert!(Instant::now() < until, "it stays");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

#[tokio::test]
async fn what_was_removed_leaves_the_write_ahead_log_of_an_open_store_too() {
    let b = Bench::new().await;
    let (row, marks) = (marked(1, 1), HashSet::from([mark(1)]));
    b.put(row.clone()).await;
    assert_eq!(found(&b.path(), &marks), 1);
    b.store.commit(V, removal(&[row]), record().0).await.unwrap();
    leaves(&b.path(), &marks).await;
}

#[tokio::test]
async fn what_a_row_held_before_leaves_the_write_ahead_log_when_that_is_asked_for() {
    let b = Bench::new().await;
    let marks = HashSet::from([mark(1)]);
    b.put(Row { sealed: mark(1).repeat(9), ..row(1, 1) }).await;
    b.put(row(1, 2)).await;
    assert_eq!(found(&b.path(), &marks), 1, "the log still has it");
    b.store.scrub();
    leaves(&b.path(), &marks).await;
    assert!(b.store.get(V, key(1)).await.unwrap().is_some());
}

#[tokio::test]
async fn what_an_earlier_release_left_of_removed_rows_is_gone_when_its_store_was_opened() {
    let b = Bench::new().await;
    let rows: Vec<Row> = (0..60).map(|n| marked(n, 1)).collect();
    b.store.commit(V, Changes { puts: rows.clone(), ..Changes::default() }, record().0).await.unwrap();
    b.store.close().await;
    // As schema 2 had it.
    let sqlite = rusqlite::Connection::open(b.path()).unwrap();
    let old = "PRAGMA secure_delete = FAST; PRAGMA user_version = 2; DELETE FROM item WHERE rowid % 5 <> 0;";
    sqlite.execute_batch(old).unwrap();
    drop(sqlite);
    let marks = |wanted: fn(usize) -> bool| -> HashSet<Mark> {
        rows.iter()
            .enumerate()
            .filter(|(at, _)| wanted(at + 1))
            .map(|(_, r)| r.sealed[..16].try_into().unwrap())
            .collect()
    };
    let (live, gone) = (marks(|rowid| rowid % 5 == 0), marks(|rowid| rowid % 5 != 0));
    assert!(found(&b.path(), &gone) > 0, "it left some");
    let size = || std::fs::metadata(b.path()).unwrap().len();
    let before = size();
    let store = Store::open(&b.path()).unwrap();
    assert_eq!((found(&b.path(), &live), found(&b.path(), &gone)), (live.len(), 0));
    assert!(size() < before);
    assert_eq!(store.page(V, keystead_store::Kind::Key, None, 99).await.unwrap().len(), live.len());
    store.close().await;
    let sqlite = rusqlite::Connection::open(b.path()).unwrap();
    assert_eq!(sqlite.query_row("PRAGMA user_version", [], |r| r.get::<_, i64>(0)).unwrap(), 3);
}
