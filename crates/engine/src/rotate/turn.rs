//! What a rotation does in the background: a bounded batch at a time, so that the vault's own work goes on beside it. A
//! row that was changed meanwhile is a conflict, and is looked at again.

use super::{Cursor, PLACE, Phase, Rotation, row as rotation_row};
use crate::birth::issuer_binding;
use crate::error::Refusal;
use crate::node::Instance;
use crate::operate::OperateError;
use crate::records::{self, IssuerRecord, RotationStep, VersionRecord};
use crate::room::{binding, row_binding};
use crate::seals::Seals;
use crate::vault::{Open, State, Vault};
use crate::wraps::{self, Stored};
use keystead_model::{Action, Generation, Moment};
use keystead_protection::{opens, turned};
use keystead_store::{Changes, Kind, Row};
use std::sync::Arc;

/// Rows read and written at a time.
const BATCH: u16 = 64;
/// Batches of one vault in one turn.
const BATCHES: usize = 8;
/// How often a batch is tried before its rows are tried one by one.
const ATTEMPTS: usize = 3;

/// What a batch found.
enum Batch {
    /// There may be more.
    More,
    /// It was the last.
    Last,
    /// A row that needs the generation before.
    Needed,
}

impl Instance {
    /// Goes on with every rotation that is under way, for a bounded while. Whether there is more to do at once; if not,
    /// nothing is under way, or what is waits for something. It waits for paths, so nothing else should wait for it.
    pub async fn turn(&self, at: Moment) -> bool {
        let _one_at_a_time = self.turning.lock().await;
        let mut more = false;
        for vault in self.all() {
            let State::Open(open) = vault.state() else { continue };
            for _ in 0..BATCHES {
                match self.go_on(&vault, &open, at).await {
                    Ok(true) => more = true,
                    Ok(false) => break,
                    Err(e) => {
                        waits(&vault, &open, e.to_string());
                        break;
                    }
                }
            }
        }
        more
    }

    /// One step of one rotation; whether there was anything to do.
    async fn go_on(&self, vault: &Arc<Vault>, open: &Arc<Open>, at: Moment) -> Result<bool, OperateError> {
        let Some((phase, cursor, from)) = open.rotation().as_ref().map(|r| (r.phase, r.cursor, r.record.from)) else {
            return Ok(false);
        };
        if !vault.still_open(open) {
            return Ok(false);
        }
        match phase {
            Phase::Settling => self.settle(vault, open, at).await?,
            Phase::Resealing => match self.reseal(vault, open, cursor, at).await? {
                Batch::Last => enter(open, Phase::Proving),
                Batch::More | Batch::Needed => {}
            },
            Phase::Proving => match prove(vault, open, cursor).await? {
                Batch::More => {}
                Batch::Needed => enter(open, Phase::Resealing),
                Batch::Last => self.destroy_older(vault, open, Generation(from), at).await?,
            },
        }
        if let Some(rotation) = open.rotation().as_mut() {
            rotation.waits_for = None;
        }
        Ok(true)
    }

    async fn reseal(&self, vault: &Vault, open: &Open, cursor: Cursor, at: Moment) -> Result<Batch, OperateError> {
        let Some((rows, next)) = page(vault, cursor).await? else { return Ok(Batch::Last) };
        let mut done = false;
        for _ in 0..ATTEMPTS {
            // Read again each time: what is written follows what stands there.
            let Some((rows, _)) = page(vault, cursor).await? else { return Ok(Batch::Last) };
            match self.write_again(vault, open, rows, at).await {
                Err(OperateError::Refused(Refusal::Conflict)) => {}
                other => {
                    other?;
                    done = true;
                    break;
                }
            }
        }
        if !done {
            self.one_by_one(vault, open, rows, at).await?;
        }
        advance(open, next);
        Ok(Batch::More)
    }

    async fn one_by_one(&self, vault: &Vault, open: &Open, rows: Vec<Row>, at: Moment) -> Result<(), OperateError> {
        for row in rows {
            let Some(now) = wraps::get(vault, row.key()).await? else { continue };
            match self.write_again(vault, open, vec![now], at).await {
                // It changes all the time: the next pass has it.
                Err(OperateError::Refused(Refusal::Conflict)) => {}
                other => other?,
            }
        }
        Ok(())
    }

    /// Those of the rows that need it, under the newest generation, in one commit with a record.
    async fn write_again(&self, vault: &Vault, open: &Open, rows: Vec<Row>, at: Moment) -> Result<(), OperateError> {
        let seals = open.seals();
        // What is damaged is told when nothing else is left.
        let puts: Vec<Row> = rows.iter().filter_map(|row| again(vault, &seals, row).ok().flatten()).collect();
        if puts.is_empty() {
            return Ok(());
        }
        let clear = minicbor::to_vec((seals.generation().0, puts.len())).map_err(|_| Refusal::Fault)?;
        let tags: Vec<_> = puts.iter().map(|row| row.lookup).collect();
        // They say what they said: to a restore, nothing was changed.
        let changes = Changes { puts, unchanged: true, ..Changes::default() };
        let done = self.commit(vault, changes, (Action::RowsResealed, clear), at, || ()).await;
        tags.iter().for_each(|tag| open.keys.forget(tag));
        // It may have been opened anew meanwhile, for another token.
        if let Ok(now) = vault.open() {
            tags.iter().for_each(|tag| now.keys.forget(tag));
        }
        done
    }

    /// Every wrap of the generation that nothing needs any more goes, in one commit.
    async fn destroy_older(
        &self,
        vault: &Arc<Vault>,
        open: &Arc<Open>,
        from: Generation,
        at: Moment,
    ) -> Result<(), OperateError> {
        let _one_at_a_time = self.operating.lock().await;
        if !vault.still_open(open) {
            return Ok(());
        }
        let alone = open.seals().alone();
        if let Some(stored) = Rotation::stored(vault, &alone.records).await?
            && stored.phase == Phase::Resealing
        {
            let mut record = stored.record.clone();
            record.step = RotationStep::Destroyed as u8;
            let next = rotation_row(vault, &alone.records, &record, (stored.id, stored.counter.saturating_add(1)))?;
            let (_, listed) = wraps::paths(vault, open, &alone.records).await?;
            let mut places = vec![wraps::sealed_root_at(from)];
            places.extend(listed.paths.iter().map(|path| wraps::root_at(&path.name, from)));
            let mut removes = Vec::new();
            for place in places {
                removes.extend(wraps::get(vault, place).await?.map(|row| (place, row.counter)));
            }
            let changes = Changes { puts: vec![next], removes, ..Changes::default() };
            let clear = minicbor::to_vec(from.0).map_err(|_| Refusal::Fault)?;
            self.commit(vault, changes, (Action::RootDestroyed, clear), at, || ()).await?;
        }
        self.store().scrub();
        let stored = Rotation::stored(vault, &alone.records).await?;
        open.seal_with(alone);
        *open.rotation() = stored;
        tracing::info!(vault = %vault.info.name, "root generation {} is destroyed", from.0);
        Ok(())
    }

    /// The end: keys of paths that were replaced go, then the rotation's row.
    async fn settle(&self, vault: &Arc<Vault>, open: &Arc<Open>, at: Moment) -> Result<(), OperateError> {
        let seals = open.seals();
        let stored = Rotation::stored(vault, &seals.records).await?;
        if stored.as_ref().is_some_and(|stored| stored.record.after_purge) {
            self.destroy_replaced(vault, open, &seals).await?;
        }
        let _one_at_a_time = self.operating.lock().await;
        if !vault.still_open(open) {
            return Ok(());
        }
        if let Some(stored) = stored {
            let clear = minicbor::to_vec((stored.record.from, stored.record.to)).map_err(|_| Refusal::Fault)?;
            let changes = Changes { removes: vec![(PLACE, stored.counter)], ..Changes::default() };
            self.commit(vault, changes, (Action::RootRotated, clear.clone()), at, || ()).await?;
            self.write(Action::RootRotated, vault.info.id, clear, at).await?;
        }
        *open.rotation() = None;
        tracing::info!(vault = %vault.info.name, "the rotation to root generation {} ended", seals.generation().0);
        Ok(())
    }

    async fn destroy_replaced(&self, vault: &Vault, open: &Open, seals: &Seals) -> Result<(), OperateError> {
        let (_, listed) = wraps::paths(vault, open, &seals.records).await?;
        for path in &listed.paths {
            let path = self.its_path(&path.name)?;
            let wraps = Stored::of(vault, path.name()).await?.wraps();
            let failed = |cause| OperateError::PathFailed { name: path.name().to_owned(), cause };
            path.destroy_others(vault.info.id, &wraps).await.map_err(failed)?;
        }
        Ok(())
    }
}

fn enter(open: &Open, phase: Phase) {
    if let Some(rotation) = open.rotation().as_mut() {
        rotation.enter(phase);
    }
}

fn advance(open: &Open, to: Cursor) {
    if let Some(rotation) = open.rotation().as_mut() {
        rotation.cursor = to;
    }
}

/// Told once for each reason.
fn waits(vault: &Vault, open: &Open, why: String) {
    if let Some(rotation) = open.rotation().as_mut()
        && rotation.waits_for.as_ref() != Some(&why)
    {
        tracing::warn!(vault = %vault.info.name, "the rotation of its root waits: {why}");
        rotation.waits_for = Some(why);
    }
}

/// Kinds of row that the root seals, in the order in which a pass goes through them.
fn kinds() -> Vec<Kind> {
    Kind::ALL.iter().copied().filter(|kind| wraps::is_sealed(*kind)).collect()
}

/// How many there are.
pub(super) async fn count(vault: &Vault) -> Result<u64, Refusal> {
    Ok(vault.store.count(vault.info.id, &kinds()).await?)
}

/// The next rows of a pass, and where it is behind them; none at its end.
async fn page(vault: &Vault, mut cursor: Cursor) -> Result<Option<(Vec<Row>, Cursor)>, Refusal> {
    let (id, kinds) = (vault.info.id, kinds());
    while let Some(kind) = kinds.get(cursor.kinds) {
        let rows = vault.store.rows(id, *kind, cursor.after, BATCH).await?;
        if let Some(last) = rows.last() {
            cursor.after = Some((last.lookup, last.version));
            cursor.passed = cursor.passed.saturating_add(u64::try_from(rows.len()).unwrap_or(u64::MAX));
            return Ok(Some((rows, cursor)));
        }
        (cursor.kinds, cursor.after) = (cursor.kinds.saturating_add(1), None);
    }
    Ok(None)
}

/// A row under the newest generation, with its key material; none if it is so already.
fn again(vault: &Vault, seals: &Seals, row: &Row) -> Result<Option<Row>, Refusal> {
    let sealer = &seals.records;
    let plain = sealer.open(&row_binding(vault, row), &[], &row.sealed)?;
    let of_newest = keystead_crypto::sealed::generation_of(&row.sealed) == Some(sealer.generation());
    let changed = match row.kind {
        Kind::KeyVersion => {
            let mut record: VersionRecord = records::decode(&plain)?;
            let at = binding(vault, row.kind, row.id, row.version, 1);
            match turned(&seals.material, &at, &record.material)? {
                None => None,
                Some(material) => {
                    record.material = material;
                    Some(records::encode(&record)?)
                }
            }
        }
        Kind::Issuer => {
            let mut record: IssuerRecord = records::decode(&plain)?;
            match turned(&seals.material, &issuer_binding(vault.info.id), &record.material)? {
                None => None,
                Some(material) => {
                    record.material = material;
                    Some(records::encode(&record)?)
                }
            }
        }
        _ => None,
    };
    if of_newest && changed.is_none() {
        return Ok(None);
    }
    let mut next = row.clone();
    next.counter = row.counter.saturating_add(1);
    next.sealed = sealer.seal(&row_binding(vault, &next), &[], &changed.unwrap_or(plain));
    Ok(Some(next))
}

/// Whether the next rows open without the generation before, and their material too.
async fn prove(vault: &Vault, open: &Open, cursor: Cursor) -> Result<Batch, OperateError> {
    let Some((rows, next)) = page(vault, cursor).await? else { return Ok(Batch::Last) };
    let alone = open.seals().alone();
    for row in rows {
        if proven(vault, &alone, &row).is_ok() {
            continue;
        }
        // What neither generation opens is damage, and no reason to destroy one of them.
        again(vault, &open.seals(), &row).map_err(|e| match e {
            Refusal::Damaged => OperateError::RowDamaged { kind: row.kind.code(), object: row.id },
            other => other.into(),
        })?;
        return Ok(Batch::Needed);
    }
    advance(open, next);
    Ok(Batch::More)
}

fn proven(vault: &Vault, alone: &Seals, row: &Row) -> Result<(), Refusal> {
    let plain = alone.records.open(&row_binding(vault, row), &[], &row.sealed)?;
    match row.kind {
        Kind::KeyVersion => {
            let record: VersionRecord = records::decode(&plain)?;
            let at = binding(vault, row.kind, row.id, row.version, 1);
            Ok(opens(&alone.material, &at, &record.material)?)
        }
        Kind::Issuer => {
            let record: IssuerRecord = records::decode(&plain)?;
            Ok(opens(&alone.material, &issuer_binding(vault.info.id), &record.material)?)
        }
        _ => Ok(()),
    }
}
