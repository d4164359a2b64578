//! The process whose power is cut: this test binary again, which prints a line for whatever it may count on.

use keystead_model::{ObjectId, OperationId, Revision, Time, VaultId, VaultKind, VaultStatus};
use keystead_store::{Changes, Kind, MakeRecord, OutboxRow, Row, Store, VaultRow};
use std::fs::{self, File, OpenOptions};
use std::io::{Seek, SeekFrom, Write};
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::time::Duration;

/// Names what the process does; without it the test below does nothing.
pub(crate) const WHAT: &str = "KEYSTEAD_POWERLOSS_VICTIM";

/// Stands before what the process says; the test harness has words of its own.
pub(crate) const SAYS: &str = "says: ";

/// Not a test by itself: where the process starts.
#[test]
fn run() {
    let Ok(what) = std::env::var(WHAT) else { return };
    let dir = std::env::var("KEYSTEAD_POWERLOSS_DIR").unwrap();
    let dir = Path::new(&dir);
    match what.as_str() {
        "append" => append(dir),
        "overwrite" => overwrite(dir),
        "replace" => replace(dir, true),
        "replace-unsynced" => replace(dir, false),
        "remove" => remove(dir),
        "idle" => idle(dir),
        "sqlite-full" => sqlite(dir, "FULL"),
        "sqlite-off" => sqlite(dir, "OFF"),
        "store" => store(dir),
        other => panic!("no such thing: {other}"),
    }
}

/// The line reaches whoever reads before the next step is taken.
fn say(line: &str) {
    let mut out = std::io::stdout().lock();
    writeln!(out, "{SAYS}{line}").unwrap();
    out.flush().unwrap();
}

fn sync_dir(dir: &Path) {
    File::open(dir).unwrap().sync_all().unwrap();
}

/// Blocks of 1,500 bytes; each third is synced, and the count said.
fn append(dir: &Path) {
    let mut file = OpenOptions::new().create(true).append(true).open(dir.join("file")).unwrap();
    for i in 0..=255_u8 {
        file.write_all(&[i; 1500]).unwrap();
        if i % 3 == 2 {
            file.sync_data().unwrap();
            say(&(i + 1).to_string());
        }
    }
}

/// A synced file of 8 KiB of zeros, then unsynced writes into its second half, by every call there is.
fn overwrite(dir: &Path) {
    let mut file = File::create(dir.join("file")).unwrap();
    file.write_all(&[0; 8192]).unwrap();
    file.sync_all().unwrap();
    say("synced");
    file.write_all_at(&[1; 1024], 4096).unwrap();
    file.seek(SeekFrom::Start(5120)).unwrap();
    let parts = [std::io::IoSlice::new(&[1; 1000]), std::io::IoSlice::new(&[1; 1048])];
    assert_eq!(file.write_vectored(&parts).unwrap(), 2048);
    file.set_len(7168).unwrap();
    file.set_len(9000).unwrap();
    fs::write(dir.join("last"), b"drop").unwrap();
    fs::copy(dir.join("file"), dir.join("copy")).unwrap();
}

/// The usual way to replace a file, or the usual mistake.
fn replace(dir: &Path, sync: bool) {
    for i in 1..=255_u8 {
        let mut new = File::create(dir.join("new")).unwrap();
        new.write_all(&[i; 3000]).unwrap();
        if sync {
            new.sync_all().unwrap();
        }
        fs::rename(dir.join("new"), dir.join("file")).unwrap();
        sync_dir(dir);
        say(&i.to_string());
    }
}

/// One file removed durably, one not.
fn remove(dir: &Path) {
    for name in ["durably", "hastily"] {
        let mut file = File::create(dir.join(name)).unwrap();
        file.write_all(name.as_bytes()).unwrap();
        file.sync_all().unwrap();
    }
    fs::remove_file(dir.join("durably")).unwrap();
    sync_dir(dir);
    fs::remove_file(dir.join("hastily")).unwrap();
    say("removed");
    std::thread::sleep(Duration::from_secs(60));
}

/// Writes, and then nothing that could notice a signal.
fn idle(dir: &Path) {
    fs::write(dir.join("file"), [7; 5000]).unwrap();
    say("idle");
    std::thread::sleep(Duration::from_secs(60));
}

fn sqlite(dir: &Path, synchronous: &str) {
    let conn = rusqlite::Connection::open(dir.join("db")).unwrap();
    conn.query_row("PRAGMA journal_mode = WAL", [], |_| Ok(())).unwrap();
    let pragmas = format!("PRAGMA synchronous = {synchronous}; PRAGMA wal_autocheckpoint = 20;");
    conn.execute_batch(&format!("{pragmas} CREATE TABLE IF NOT EXISTS t (n INTEGER PRIMARY KEY, filler BLOB)"))
        .unwrap();
    for n in 1..=10_000 {
        conn.execute("INSERT INTO t VALUES (?1, ?2)", (n, vec![9_u8; 700])).unwrap();
        say(&n.to_string());
    }
}

const V: VaultId = VaultId::from_bytes([1; 16]);

/// Eight tasks that each write a row of their own again and again, and forget their records at times.
fn store(dir: &Path) {
    let rt = tokio::runtime::Builder::new_multi_thread().worker_threads(4).enable_all().build().unwrap();
    rt.block_on(async {
        let store = Store::open(&dir.join("store/keystead.db")).unwrap();
        let none = Changes::default();
        store.create_vault(vault(), none, record(0xff, 1)).await.unwrap();
        say("created");
        let tasks: Vec<_> = (0..8).map(|lookup| tokio::spawn(write_row(store.clone(), lookup))).collect();
        for task in tasks {
            task.await.unwrap();
        }
    });
}

async fn write_row(store: Store, lookup: u8) {
    for counter in 1..=10_000 {
        let (kind, version, due) = (Kind::Key, None, Some(Time(5)));
        let id = ObjectId::from_bytes([lookup; 16]);
        let sealed = vec![lookup; 400];
        let row = Row { kind, lookup: [lookup; 32], version, id, counter, revision: Revision(0), due, sealed };
        let changes = Changes { puts: vec![row], ..Changes::default() };
        let done = store.commit(V, changes, record(lookup, counter)).await.unwrap();
        say(&format!("{lookup} {counter} {}", done.revision.0));
        if counter % 5 == 0 {
            store.forget(operation(lookup, counter));
        }
    }
}

fn operation(lookup: u8, counter: u64) -> OperationId {
    OperationId::from_bytes((u128::from(lookup) << 64 | u128::from(counter)).to_be_bytes())
}

fn record(lookup: u8, counter: u64) -> MakeRecord {
    let operation = operation(lookup, counter);
    Box::new(move |at| OutboxRow { operation, log: V, position: counter, bytes: at.0.to_be_bytes().to_vec() })
}

fn vault() -> VaultRow {
    VaultRow {
        id: V,
        name: "v".into(),
        kind: VaultKind::Vault,
        status: VaultStatus::Active,
        authorities: Vec::new(),
        custody: "file".into(),
        created: Time(0),
        retention_days: 7,
        tenant: String::new(),
        revision: Revision(0),
    }
}
