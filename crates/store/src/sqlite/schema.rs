//! The tables, and what has to be true before a file is used as a store.

use crate::error::{OpenError, Unavailable};
use rusqlite::{Connection, OpenFlags};
use std::path::Path;
use std::time::Duration;

/// The schema this release writes; it stands in `user_version`. Earlier ones are brought up to it when they are opened.
const KNOWN: i64 = 3;

/// The same tables, but what was removed lies on in the file: see [`clear`].
const UNCLEARED: i64 = 2;

/// `application_id`: "KSTO".
const APPLICATION: i64 = 0x4b53_544f;

/// How long a connection waits for another process's lock.
const PATIENCE: Duration = Duration::from_secs(5);

/// Everything but the rows: as in schema 1.
const TABLES: &str = "
CREATE TABLE vault (
    id BLOB PRIMARY KEY, name TEXT NOT NULL UNIQUE, kind TEXT NOT NULL, status TEXT NOT NULL, custody TEXT NOT NULL,
    created INTEGER NOT NULL, retention_days INTEGER NOT NULL, tenant TEXT NOT NULL, revision INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE TABLE authority (
    authority TEXT PRIMARY KEY, vault BLOB NOT NULL, place INTEGER NOT NULL, UNIQUE (vault, place)
) STRICT, WITHOUT ROWID;
CREATE TABLE outbox (
    seq INTEGER PRIMARY KEY, operation BLOB NOT NULL, log BLOB NOT NULL, position INTEGER NOT NULL, bytes BLOB NOT NULL
) STRICT;
CREATE TABLE meta (key TEXT PRIMARY KEY, value BLOB NOT NULL) STRICT, WITHOUT ROWID;
";

/// The rows. `version` is empty where a row has none, because to an index no NULL is like another.
///
/// Tags are random, so new rows belong anywhere among the old. They lie where there is room, side by side, and only the
/// index, which is narrow, is touched all over: a commit writes few pages however many rows there are.
const ITEMS: &str = "
CREATE TABLE item (
    vault BLOB NOT NULL, kind INTEGER NOT NULL, lookup BLOB NOT NULL, version BLOB NOT NULL, id BLOB NOT NULL,
    counter INTEGER NOT NULL, revision INTEGER NOT NULL, due INTEGER, sealed BLOB NOT NULL
) STRICT;
CREATE UNIQUE INDEX item_place ON item (vault, kind, lookup, version);
CREATE INDEX item_due ON item (due, vault, kind, lookup, version) WHERE due IS NOT NULL;
";

/// In schema 1 the rows lay in the tree of their key. Before [`ITEMS`], and after.
const ASIDE: &str = "DROP INDEX item_due; ALTER TABLE item RENAME TO item_1;";
const OVER: &str = "
INSERT INTO item (vault, kind, lookup, version, id, counter, revision, due, sealed)
    SELECT vault, kind, lookup, version, id, counter, revision, due, sealed FROM item_1;
DROP TABLE item_1;
";

/// A store of more bytes is written anew beside a file of temporary pages.
const IN_MEMORY: i64 = 64 << 20;

/// The connection that writes. Makes the tables in an empty file.
pub(super) fn open_writer(path: &Path) -> Result<Connection, OpenError> {
    let mut conn = connect(path, OpenFlags::SQLITE_OPEN_READ_WRITE)?;
    check_or_create(&mut conn, path)?;
    // FULL makes every COMMIT an fsync of the WAL; ON overwrites what is removed, also where whole pages become free.
    // A checkpoint copies pages inside a COMMIT: 16 MiB of WAL apart it is a small part of the work.
    let set = "PRAGMA synchronous = FULL; PRAGMA secure_delete = ON; PRAGMA journal_size_limit = 67108864; \
               PRAGMA wal_autocheckpoint = 4096; PRAGMA cache_size = -4096;";
    let wal: Result<String, _> = conn.query_row("PRAGMA journal_mode = WAL", [], |r| r.get(0));
    wal.and_then(|_| conn.execute_batch(set)).map_err(Unavailable::from)?;
    clear(&conn)?;
    Ok(conn)
}

/// A connection that only reads. The writer has opened the file before.
pub(super) fn open_reader(path: &Path) -> Result<Connection, rusqlite::Error> {
    let conn = connect(path, OpenFlags::SQLITE_OPEN_READ_ONLY)?;
    // Every commit empties a reader's page cache, and the system's cache is behind it: a large one is only memory.
    conn.execute_batch("PRAGMA cache_size = -512")?;
    Ok(conn)
}

fn connect(path: &Path, access: OpenFlags) -> Result<Connection, rusqlite::Error> {
    let conn = Connection::open_with_flags(path, access | OpenFlags::SQLITE_OPEN_NO_MUTEX)?;
    conn.busy_timeout(PATIENCE)?;
    // Sorting and savepoints leave no pages in files elsewhere.
    conn.execute_batch("PRAGMA temp_store = MEMORY")?;
    conn.set_prepared_statement_cache_capacity(32);
    Ok(conn)
}

impl From<rusqlite::Error> for OpenError {
    fn from(e: rusqlite::Error) -> Self {
        Self::Storage(Unavailable::from(&e))
    }
}

fn check_or_create(conn: &mut Connection, path: &Path) -> Result<(), OpenError> {
    let not_a_store = || OpenError::NotAStore { path: path.to_owned() };
    let application = match number(conn, "PRAGMA application_id") {
        Err(e) if e.sqlite_error_code() == Some(rusqlite::ErrorCode::NotADatabase) => return Err(not_a_store()),
        other => other?,
    };
    let empty = number(conn, "SELECT count(*) FROM sqlite_schema")? == 0;
    match number(conn, "PRAGMA user_version")? {
        0 if application == 0 && empty => become_known(conn, &[TABLES, ITEMS], KNOWN),
        _ if application != APPLICATION => Err(not_a_store()),
        KNOWN | UNCLEARED => Ok(()),
        1 => become_known(conn, &[ASIDE, ITEMS, OVER], UNCLEARED),
        found if found > KNOWN => Err(OpenError::NewerSchema { found, known: KNOWN }),
        _ => Err(not_a_store()),
    }
}

/// All of it or nothing.
fn become_known(conn: &mut Connection, steps: &[&str], schema: i64) -> Result<(), OpenError> {
    let tx = conn.transaction()?;
    steps.iter().try_for_each(|step| tx.execute_batch(step))?;
    tx.pragma_update(None, "application_id", APPLICATION)?;
    tx.pragma_update(None, "user_version", schema)?;
    Ok(tx.commit()?)
}

/// What earlier releases removed lies on in free pages and in the gaps of others: the file is written anew. Killed
/// meanwhile, it is as it was, and the next opening begins again.
fn clear(conn: &Connection) -> Result<(), OpenError> {
    if number(conn, "PRAGMA user_version")? != UNCLEARED {
        return Ok(());
    }
    let bytes = number(conn, "PRAGMA page_count")?.saturating_mul(number(conn, "PRAGMA page_size")?);
    tracing::info!(bytes, "the store of an earlier release is written anew, without what was removed");
    // A large one is not held in memory meanwhile: its rows are sealed.
    let temporary = if bytes > IN_MEMORY { "FILE" } else { "MEMORY" };
    conn.execute_batch(&format!("PRAGMA temp_store = {temporary}; VACUUM; PRAGMA temp_store = MEMORY"))?;
    empty_log(conn)?;
    conn.pragma_update(None, "user_version", KNOWN)?;
    empty_log(conn)
}

/// What the write-ahead log has goes into the file, and out of the log.
fn empty_log(conn: &Connection) -> Result<(), OpenError> {
    match conn.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |r| r.get::<_, i64>(0))? {
        0 => Ok(()),
        _ => Err(OpenError::Storage(Unavailable::Locked { code: rusqlite::ffi::SQLITE_BUSY })),
    }
}

fn number(conn: &Connection, sql: &str) -> rusqlite::Result<i64> {
    conn.query_row(sql, [], |r| r.get(0))
}
