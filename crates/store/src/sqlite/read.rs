//! Reads: in place, on the thread of whoever asks, from a small pool of connections.

use super::schema;
use crate::error::Unavailable;
use crate::row::{DueAt, Kind, OutboxRow, Row, RowKey, VaultRow};
use keystead_model::{ObjectId, OperationId, Revision, Time, VaultId, VaultKind, VaultStatus, Version};
use rusqlite::types::FromSqlError;
use rusqlite::{Connection, OptionalExtension, params};
use std::path::PathBuf;
use std::sync::{Mutex, PoisonError};

/// Idle connections that are kept; each has half a MiB of cache.
const KEPT: usize = 4;

/// A row's columns as [`row`] reads them, then the rest of the query.
macro_rules! rows {
    ($rest:literal) => {
        concat!("SELECT kind, lookup, version, id, counter, revision, due, sealed ", $rest)
    };
}

/// As many connections as threads read at once, a few of them kept.
pub(super) struct Readers {
    path: PathBuf,
    /// `None` once closed.
    idle: Mutex<Option<Vec<Connection>>>,
}

impl Readers {
    pub(super) const fn new(path: PathBuf) -> Self {
        Self { path, idle: Mutex::new(Some(Vec::new())) }
    }

    /// Runs `read` on a connection nobody else uses meanwhile.
    pub(super) fn with<T>(&self, read: impl FnOnce(&Connection) -> rusqlite::Result<T>) -> Result<T, Unavailable> {
        let conn = match self.take()? {
            Some(conn) => conn,
            None => schema::open_reader(&self.path)?,
        };
        let value = read(&conn)?;
        self.put_back(conn);
        Ok(value)
    }

    /// Idle connections go at once, the others when their read ends.
    pub(super) fn close(&self) {
        let idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner).take();
        drop(idle);
    }

    fn take(&self) -> Result<Option<Connection>, Unavailable> {
        let mut idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner);
        idle.as_mut().map(Vec::pop).ok_or(Unavailable::Closed)
    }

    fn put_back(&self, conn: Connection) {
        let mut idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(idle) = idle.as_mut().filter(|idle| idle.len() < KEPT) {
            idle.push(conn);
        }
    }
}

/// A version's column: none is empty.
pub(super) fn version_bytes(version: Option<&Version>) -> &[u8] {
    version.map_or(&[], |v| v.as_bytes())
}

pub(super) fn get(conn: &Connection, v: VaultId, k: &RowKey) -> rusqlite::Result<Option<Row>> {
    let sql = rows!("FROM item WHERE vault = ?1 AND kind = ?2 AND lookup = ?3 AND version = ?4");
    let args = params![v.as_bytes(), k.kind.code(), k.lookup, version_bytes(k.version.as_ref())];
    conn.prepare_cached(sql)?.query_row(args, row).optional()
}

pub(super) fn page(
    conn: &Connection,
    v: VaultId,
    kind: Kind,
    after: Option<[u8; 32]>,
    n: u16,
) -> rusqlite::Result<Vec<Row>> {
    let sql =
        rows!("FROM item WHERE vault = ?1 AND kind = ?2 AND lookup > ?3 AND version = x'' ORDER BY lookup LIMIT ?4");
    let after: &[u8] = after.as_ref().map_or(&[], |after| after);
    conn.prepare_cached(sql)?.query_map(params![v.as_bytes(), kind.code(), after, n], row)?.collect()
}

pub(super) fn versions(
    conn: &Connection,
    v: VaultId,
    kind: Kind,
    lookup: [u8; 32],
    after: Option<Version>,
    n: u16,
) -> rusqlite::Result<Vec<Row>> {
    let sql =
        rows!("FROM item WHERE vault = ?1 AND kind = ?2 AND lookup = ?3 AND version > ?4 ORDER BY version LIMIT ?5");
    let args = params![v.as_bytes(), kind.code(), lookup, version_bytes(after.as_ref()), n];
    conn.prepare_cached(sql)?.query_map(args, row)?.collect()
}

pub(super) fn version_ids(
    conn: &Connection,
    v: VaultId,
    kind: Kind,
    after: Option<([u8; 32], Version)>,
    n: u16,
) -> rusqlite::Result<Vec<([u8; 32], Version)>> {
    let sql = "SELECT lookup, version FROM item WHERE vault = ?1 AND kind = ?2 AND (lookup, version) > (?3, ?4) \
               AND version <> x'' ORDER BY lookup, version LIMIT ?5";
    let (lookup, version) = after.unzip();
    let lookup: &[u8] = lookup.as_ref().map_or(&[], |lookup| lookup);
    let args = params![v.as_bytes(), kind.code(), lookup, version_bytes(version.as_ref()), n];
    let both = |r: &rusqlite::Row<'_>| Ok((r.get(0)?, Version::from_bytes(r.get(1)?)));
    conn.prepare_cached(sql)?.query_map(args, both)?.collect()
}

pub(super) fn rows(
    conn: &Connection,
    v: VaultId,
    kind: Kind,
    after: Option<([u8; 32], Option<Version>)>,
    n: u16,
) -> rusqlite::Result<Vec<Row>> {
    let sql = rows!(
        "FROM item WHERE vault = ?1 AND kind = ?2 AND (lookup, version) > (?3, ?4) ORDER BY lookup, version LIMIT ?5"
    );
    let lookup: &[u8] = after.as_ref().map_or(&[], |(lookup, _)| lookup);
    let version = after.as_ref().and_then(|(_, version)| version.as_ref());
    let args = params![v.as_bytes(), kind.code(), lookup, version_bytes(version), n];
    conn.prepare_cached(sql)?.query_map(args, row)?.collect()
}

pub(super) fn count(conn: &Connection, v: VaultId, kinds: &[Kind]) -> rusqlite::Result<u64> {
    let mut one = conn.prepare_cached("SELECT count(*) FROM item WHERE vault = ?1 AND kind = ?2")?;
    kinds.iter().try_fold(0_u64, |all, kind| {
        let found: i64 = one.query_row(params![v.as_bytes(), kind.code()], |r| r.get(0))?;
        Ok(all.saturating_add(found.cast_unsigned()))
    })
}

/// Reads every row of the kinds where none was.
pub(super) fn changed_since(
    conn: &Connection,
    v: VaultId,
    kinds: &[Kind],
    (since, but): (Revision, Option<Revision>),
) -> rusqlite::Result<bool> {
    let sql = "SELECT EXISTS (SELECT 1 FROM item WHERE vault = ?1 AND kind = ?2 AND revision > ?3 AND revision <> ?4)";
    let (since, but) = (since.0.cast_signed(), but.map_or(-1, |but| but.0.cast_signed()));
    let mut found = conn.prepare_cached(sql)?;
    for kind in kinds {
        if found.query_row(params![v.as_bytes(), kind.code(), since, but], |r| r.get(0))? {
            return Ok(true);
        }
    }
    Ok(false)
}

/// The index on `due` goes on with the row's place, so its order costs no sorting.
pub(super) fn due(conn: &Connection, now: Time, after: Option<DueAt>, n: u16) -> rusqlite::Result<Vec<(VaultId, Row)>> {
    let both = |r: &rusqlite::Row<'_>| Ok((VaultId::from_bytes(r.get(8)?), row(r)?));
    let Some(DueAt { due, vault, key }) = after else {
        let sql = rows!(
            ", vault FROM item WHERE due IS NOT NULL AND due <= ?1 ORDER BY due, vault, kind, lookup, version LIMIT ?2"
        );
        return conn.prepare_cached(sql)?.query_map(params![now.0, n], both)?.collect();
    };
    let sql = rows!(
        ", vault FROM item WHERE due IS NOT NULL AND due <= ?1
         AND (due, vault, kind, lookup, version) > (?3, ?4, ?5, ?6, ?7)
         ORDER BY due, vault, kind, lookup, version LIMIT ?2"
    );
    let version = version_bytes(key.version.as_ref());
    let args = params![now.0, n, due.0, vault.as_bytes(), key.kind.code(), key.lookup, version];
    conn.prepare_cached(sql)?.query_map(args, both)?.collect()
}

pub(super) fn outbox(conn: &Connection) -> rusqlite::Result<Vec<OutboxRow>> {
    let outbox_row = |r: &rusqlite::Row<'_>| {
        Ok(OutboxRow {
            operation: OperationId::from_bytes(r.get(0)?),
            log: VaultId::from_bytes(r.get(1)?),
            position: r.get::<_, i64>(2)?.cast_unsigned(),
            bytes: r.get(3)?,
        })
    };
    conn.prepare_cached("SELECT operation, log, position, bytes FROM outbox ORDER BY seq")?
        .query_map([], outbox_row)?
        .collect()
}

pub(super) fn meta(conn: &Connection, key: &str) -> rusqlite::Result<Option<Vec<u8>>> {
    conn.prepare_cached("SELECT value FROM meta WHERE key = ?1")?.query_row([key], |r| r.get(0)).optional()
}

/// By name. Vaults first, authorities second: both are written in one transaction, so no vault read here lacks its own.
pub(super) fn vaults(conn: &Connection) -> rusqlite::Result<Vec<VaultRow>> {
    let sql =
        "SELECT id, name, kind, status, custody, created, retention_days, tenant, revision FROM vault ORDER BY name";
    let mut vaults: Vec<VaultRow> = conn.prepare_cached(sql)?.query_map([], vault_row)?.collect::<Result<_, _>>()?;
    let sql = "SELECT authority FROM authority WHERE vault = ?1 ORDER BY place";
    let mut authorities = conn.prepare_cached(sql)?;
    for vault in &mut vaults {
        let texts = authorities.query_map([vault.id.as_bytes()], |r| parse(r, 0, |text| text.parse().ok()))?;
        vault.authorities = texts.collect::<Result<_, _>>()?;
    }
    Ok(vaults)
}

fn vault_row(r: &rusqlite::Row<'_>) -> rusqlite::Result<VaultRow> {
    use VaultKind::{Hsm, Vault};
    use VaultStatus::{Active, Deleted, Inactive, Sealed};
    Ok(VaultRow {
        id: VaultId::from_bytes(r.get(0)?),
        name: r.get(1)?,
        kind: parse(r, 2, |text| [Vault, Hsm].into_iter().find(|k| k.name() == text))?,
        status: parse(r, 3, |text| [Inactive, Active, Sealed, Deleted].into_iter().find(|s| s.name() == text))?,
        authorities: Vec::new(),
        custody: r.get(4)?,
        created: Time(r.get(5)?),
        retention_days: r.get(6)?,
        tenant: r.get(7)?,
        revision: Revision(r.get::<_, i64>(8)?.cast_unsigned()),
    })
}

fn row(r: &rusqlite::Row<'_>) -> rusqlite::Result<Row> {
    let kind: u8 = r.get(0)?;
    Ok(Row {
        kind: Kind::from_code(kind).ok_or(FromSqlError::OutOfRange(i64::from(kind)))?,
        lookup: r.get(1)?,
        version: match r.get_ref(2)?.as_blob()? {
            [] => None,
            bytes => Some(Version::from_bytes(bytes.try_into().map_err(|_| FromSqlError::InvalidType)?)),
        },
        id: ObjectId::from_bytes(r.get(3)?),
        counter: r.get::<_, i64>(4)?.cast_unsigned(),
        revision: Revision(r.get::<_, i64>(5)?.cast_unsigned()),
        due: r.get::<_, Option<i64>>(6)?.map(Time),
        sealed: r.get(7)?,
    })
}

/// A text column that has to be one of the words this release knows.
fn parse<T>(r: &rusqlite::Row<'_>, column: usize, known: impl Fn(&str) -> Option<T>) -> rusqlite::Result<T> {
    Ok(known(r.get_ref(column)?.as_str()?).ok_or(FromSqlError::InvalidType)?)
}
