//! One write inside the group's transaction.

use super::read;
use super::writer::Outbox;
use crate::error::{CommitError, Unavailable};
use crate::row::{Changes, Committed, MakeRecord, OutboxRow, Row, RowKey, VaultRow};
use keystead_model::{OperationId, Revision, VaultId, VaultStatus};
use rusqlite::{Connection, ErrorCode, OptionalExtension, params};
use std::panic::{AssertUnwindSafe, catch_unwind};

/// What the writer can do.
pub(super) enum Work {
    CreateVault(Box<VaultRow>, Changes, MakeRecord),
    SetStatus(VaultId, VaultStatus, Changes, MakeRecord),
    Activate(VaultId, String, Changes, MakeRecord),
    Commit(VaultId, Changes, MakeRecord),
    Erase(VaultId, MakeRecord),
    /// The answer's record is the value that stands there.
    PutMeta(&'static str, Vec<u8>),
}

impl Work {
    /// Whether rows go for good. What a row held before it was written anew is let go of when the store is asked to.
    pub(super) fn removes(&self) -> bool {
        match self {
            Self::CreateVault(_, changes, _)
            | Self::SetStatus(_, _, changes, _)
            | Self::Activate(_, _, changes, _)
            | Self::Commit(_, changes, _) => !changes.removes.is_empty(),
            Self::Erase(..) => true,
            Self::PutMeta(..) => false,
        }
    }
}

/// A write that holds, if its group does.
pub(super) struct Done {
    answer: Committed,
    landed: Option<Landed>,
}

/// A record in the outbox, and where.
pub(super) struct Landed {
    pub(super) operation: OperationId,
    seq: i64,
}

impl Done {
    /// Notes its record as in the outbox.
    pub(super) fn settle(self, outbox: &mut Outbox, landed: &mut Vec<Landed>) -> Committed {
        if let Some(record) = self.landed {
            outbox.insert(record.operation, record.seq);
            landed.push(record);
        }
        self.answer
    }
}

/// The records an earlier run left in the outbox.
pub(super) fn load_outbox(conn: &Connection) -> rusqlite::Result<Outbox> {
    let entry = |r: &rusqlite::Row<'_>| Ok((OperationId::from_bytes(r.get(0)?), r.get(1)?));
    conn.prepare("SELECT operation, seq FROM outbox")?.query_map([], entry)?.collect()
}

/// Does all of it or nothing.
pub(super) fn in_savepoint(conn: &Connection, outbox: &Outbox, work: Work) -> Result<Done, CommitError> {
    run(conn, "SAVEPOINT job")?;
    let done = apply(conn, outbox, work).and_then(|done| {
        run(conn, "RELEASE job")?;
        Ok(done)
    });
    if done.is_err() && !conn.is_autocommit() {
        run(conn, "ROLLBACK TO job")?;
        run(conn, "RELEASE job")?;
    }
    done
}

fn run(conn: &Connection, sql: &str) -> Result<(), CommitError> {
    conn.prepare_cached(sql)?.execute([])?;
    Ok(())
}

fn apply(conn: &Connection, outbox: &Outbox, work: Work) -> Result<Done, CommitError> {
    match work {
        Work::CreateVault(vault, changes, record) => {
            let first = Revision(1);
            insert_vault(conn, &vault, first)?;
            change_rows(conn, vault.id, &changes, first)?;
            put_record(conn, outbox, first, record)
        }
        Work::SetStatus(vault, status, changes, record) => {
            let revision = next_revision(conn, vault)?;
            conn.prepare_cached("UPDATE vault SET status = ?2 WHERE id = ?1")?
                .execute(params![vault.as_bytes(), status.name()])?;
            change_rows(conn, vault, &changes, revision)?;
            put_record(conn, outbox, revision, record)
        }
        Work::Activate(vault, custody, changes, record) => {
            let revision = next_revision(conn, vault)?;
            activate(conn, vault, &custody)?;
            change_rows(conn, vault, &changes, revision)?;
            put_record(conn, outbox, revision, record)
        }
        Work::Commit(vault, changes, record) => {
            hold(is_active(conn, vault)?)?;
            let revision = next_revision(conn, vault)?;
            change_rows(conn, vault, &changes, revision)?;
            put_record(conn, outbox, revision, record)
        }
        Work::Erase(vault, record) => {
            let revision = next_revision(conn, vault)?;
            erase(conn, vault)?;
            put_record(conn, outbox, revision, record)
        }
        Work::PutMeta(key, value) => {
            conn.prepare_cached("INSERT INTO meta (key, value) VALUES (?1, ?2) ON CONFLICT DO NOTHING")?
                .execute(params![key, value])?;
            let record = read::meta(conn, key)?.unwrap_or(value);
            Ok(Done { answer: Committed { revision: Revision::default(), record }, landed: None })
        }
    }
}

/// Only one that waits.
fn activate(conn: &Connection, vault: VaultId, custody: &str) -> Result<(), CommitError> {
    let (from, to) = (VaultStatus::Inactive.name(), VaultStatus::Active.name());
    let changed = conn
        .prepare_cached("UPDATE vault SET status = ?2, custody = ?3 WHERE id = ?1 AND status = ?4")?
        .execute(params![vault.as_bytes(), to, custody, from])?;
    hold(changed == 1)
}

fn next_revision(conn: &Connection, vault: VaultId) -> Result<Revision, CommitError> {
    let next: Option<i64> = conn
        .prepare_cached("UPDATE vault SET revision = revision + 1 WHERE id = ?1 RETURNING revision")?
        .query_row([vault.as_bytes()], |r| r.get(0))
        .optional()?;
    next.map(|n| Revision(n.cast_unsigned())).ok_or(CommitError::Conflict)
}

/// Rows change only in an active vault: what waited behind a seal must not come after it.
fn is_active(conn: &Connection, vault: VaultId) -> Result<bool, CommitError> {
    let status: Option<String> = conn
        .prepare_cached("SELECT status FROM vault WHERE id = ?1")?
        .query_row([vault.as_bytes()], |r| r.get(0))
        .optional()?;
    Ok(status.is_some_and(|s| s == VaultStatus::Active.name()))
}

fn insert_vault(conn: &Connection, v: &VaultRow, first: Revision) -> Result<(), CommitError> {
    let exists = |e: rusqlite::Error| match e.sqlite_error_code() {
        Some(ErrorCode::ConstraintViolation) => CommitError::Exists,
        _ => CommitError::from(e),
    };
    conn.prepare_cached(
        "INSERT INTO vault (id, name, kind, status, custody, created, retention_days, tenant, revision)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)",
    )?
    .execute(params![
        v.id.as_bytes(),
        v.name,
        v.kind.name(),
        v.status.name(),
        v.custody,
        v.created.0,
        v.retention_days,
        v.tenant,
        first.0.cast_signed(),
    ])
    .map_err(exists)?;
    let mut insert = conn.prepare_cached("INSERT INTO authority (authority, vault, place) VALUES (?1, ?2, ?3)")?;
    for (place, authority) in (0_u32..).zip(&v.authorities) {
        insert.execute(params![authority.as_str(), v.id.as_bytes(), place]).map_err(exists)?;
    }
    Ok(())
}

/// What is left is a row with the vault's id, so that no other vault is ever taken for it. Its name and its authorities
/// are free.
fn erase(conn: &Connection, v: VaultId) -> Result<(), CommitError> {
    conn.prepare_cached("UPDATE vault SET status = ?2, name = lower(hex(id)) WHERE id = ?1")?
        .execute(params![v.as_bytes(), VaultStatus::Deleted.name()])?;
    conn.prepare_cached("DELETE FROM authority WHERE vault = ?1")?.execute([v.as_bytes()])?;
    conn.prepare_cached("DELETE FROM item WHERE vault = ?1")?.execute([v.as_bytes()])?;
    Ok(())
}

fn change_rows(conn: &Connection, v: VaultId, changes: &Changes, revision: Revision) -> Result<(), CommitError> {
    for (key, counter) in &changes.checks {
        hold(counter_of(conn, v, key)? == *counter)?;
    }
    for (key, counter) in &changes.removes {
        hold(remove(conn, v, key, *counter)?)?;
    }
    for row in &changes.puts {
        hold(match row.counter {
            0 => false,
            1 => insert(conn, v, row, revision)?,
            _ if follows_a_removed(changes, row) => insert(conn, v, row, revision)?,
            _ if changes.unchanged => update_in_place(conn, v, row, revision)?,
            _ => update(conn, v, row, revision)?,
        })?;
    }
    Ok(())
}

/// A row that moves to another kind keeps counting, so that no counter of its object ever comes again.
fn follows_a_removed(changes: &Changes, row: &Row) -> bool {
    changes.removes.iter().any(|(key, counter)| {
        key.kind != row.kind
            && (key.lookup, key.version) == (row.lookup, row.version)
            && counter.checked_add(1) == Some(row.counter)
    })
}

const fn hold(as_read: bool) -> Result<(), CommitError> {
    if as_read { Ok(()) } else { Err(CommitError::Conflict) }
}

/// 0 where there is no row.
fn counter_of(conn: &Connection, v: VaultId, k: &RowKey) -> Result<u64, CommitError> {
    let sql = "SELECT counter FROM item WHERE vault = ?1 AND kind = ?2 AND lookup = ?3 AND version = ?4";
    let args = params![v.as_bytes(), k.kind.code(), k.lookup, read::version_bytes(k.version.as_ref())];
    let counter: Option<i64> = conn.prepare_cached(sql)?.query_row(args, |r| r.get(0)).optional()?;
    Ok(counter.map_or(0, i64::cast_unsigned))
}

fn remove(conn: &Connection, v: VaultId, k: &RowKey, counter: u64) -> Result<bool, CommitError> {
    let sql = "DELETE FROM item WHERE vault = ?1 AND kind = ?2 AND lookup = ?3 AND version = ?4 AND counter = ?5";
    let version = read::version_bytes(k.version.as_ref());
    let args = params![v.as_bytes(), k.kind.code(), k.lookup, version, counter.cast_signed()];
    Ok(conn.prepare_cached(sql)?.execute(args)? == 1)
}

fn insert(conn: &Connection, v: VaultId, row: &Row, revision: Revision) -> Result<bool, CommitError> {
    let sql = "INSERT INTO item (vault, kind, lookup, version, id, counter, revision, due, sealed)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9) ON CONFLICT DO NOTHING";
    write(conn, sql, v, row, revision)
}

fn update(conn: &Connection, v: VaultId, row: &Row, revision: Revision) -> Result<bool, CommitError> {
    let sql = "UPDATE item SET counter = ?6, revision = ?7, due = ?8, sealed = ?9
         WHERE vault = ?1 AND kind = ?2 AND lookup = ?3 AND version = ?4 AND id = ?5 AND counter = ?6 - 1";
    write(conn, sql, v, row, revision)
}

/// As [`update`], of a row that keeps its revision.
fn update_in_place(conn: &Connection, v: VaultId, row: &Row, revision: Revision) -> Result<bool, CommitError> {
    let sql = "UPDATE item SET counter = ?6, revision = min(revision, ?7), due = ?8, sealed = ?9
         WHERE vault = ?1 AND kind = ?2 AND lookup = ?3 AND version = ?4 AND id = ?5 AND counter = ?6 - 1";
    write(conn, sql, v, row, revision)
}

fn write(conn: &Connection, sql: &str, v: VaultId, row: &Row, revision: Revision) -> Result<bool, CommitError> {
    let args = params![
        v.as_bytes(),
        row.kind.code(),
        row.lookup,
        read::version_bytes(row.version.as_ref()),
        row.id.as_bytes(),
        row.counter.cast_signed(),
        revision.0.cast_signed(),
        row.due.map(|t| t.0),
        row.sealed,
    ];
    Ok(conn.prepare_cached(sql)?.execute(args)? == 1)
}

/// Last of all, so that the record is made only for a change that stands.
fn put_record(conn: &Connection, outbox: &Outbox, revision: Revision, make: MakeRecord) -> Result<Done, CommitError> {
    let made = catch_unwind(AssertUnwindSafe(move || make(revision)));
    let OutboxRow { operation, log, position, bytes } =
        made.map_err(|_| CommitError::Unavailable(Unavailable::Record))?;
    // The journal takes an operation once: a second record of it would be lost there.
    hold(!outbox.contains_key(&operation))?;
    conn.prepare_cached("INSERT INTO outbox (operation, log, position, bytes) VALUES (?1, ?2, ?3, ?4)")?
        .execute(params![operation.as_bytes(), log.as_bytes(), position.cast_signed(), bytes])?;
    let landed = Some(Landed { operation, seq: conn.last_insert_rowid() });
    Ok(Done { answer: Committed { revision, record: bytes }, landed })
}
