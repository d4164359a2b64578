//! The scheduler: stored decisions of the customer, carried out through `run` with a mandate. A row's clear due time
//! only selects it; what is done is decided from the sealed record.

use crate::backoff::Backoff;
use crate::commands::key::{NotifyExpiry, PurgeKey, RotateKey};
use crate::error::{Refusal, TurnedAway};
use crate::node::Instance;
use crate::records::{KeyRecord, Work};
use crate::room::Room;
use crate::vault::Vault;
use keystead_access::{Mandate, Who};
use keystead_model::{Action, Moment, Name, Revision, Target, Time, VaultId};
use keystead_store::{DueAt, Kind, Row};
use std::sync::Arc;

/// How far the wall clock may step before irreversible work waits for an administrator, in ms.
const MAX_STEP: i64 = 3_600_000;
/// Rows read at a time.
const BATCH: u16 = 64;
/// Rows looked at per beat, and pieces of work tried: the next beat goes on from there.
const LOOKED_AT: usize = 4_096;
const TRIED: usize = 64;

/// How far the scheduler has come, from beat to beat.
#[derive(Default)]
pub(crate) struct Schedule {
    /// The last row looked at; `None`: the next beat begins with the earliest. So what waits (of sealed vaults, for the
    /// clock, after a refusal) never stands before everything else, however much it is.
    after: Option<DueAt>,
    backoff: Backoff,
}

/// Watches the wall clock against a clock that cannot be set and against the journal's last record.
#[derive(Debug, Clone, Copy, Default)]
pub struct ClockGuard {
    /// Wall clock less steady clock at the first beat, ms.
    offset: Option<i64>,
    held: bool,
}

impl ClockGuard {
    /// One beat: `steady` is milliseconds of a clock that only runs. Returns whether irreversible work may be done.
    pub fn beat(&mut self, now: Time, steady: i64, journal_last: Option<Time>) -> bool {
        let offset = now.0.saturating_sub(steady);
        let first = *self.offset.get_or_insert(offset);
        let stepped = offset.saturating_sub(first).saturating_abs() > MAX_STEP;
        let behind = journal_last.is_some_and(|last| last.0.saturating_sub(now.0) > MAX_STEP);
        self.held = stepped || behind;
        !self.held
    }
}

/// What a beat did.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Beat {
    /// Keys rotated.
    pub rotated: usize,
    /// Keys whose end was told.
    pub notified: usize,
    /// Deleted keys purged.
    pub purged: usize,
    /// Purges that wait because of the clock.
    pub held: usize,
}

impl Instance {
    /// Carries out what is due. `irreversible` is the clock guard's word.
    pub async fn tick(&self, at: Moment, irreversible: bool) -> Result<Beat, Refusal> {
        let mut schedule = self.schedule.lock().await;
        let (mut beat, mut looked_at, mut tried) = (Beat::default(), 0_usize, 0_usize);
        while looked_at < LOOKED_AT && tried < TRIED {
            let rows = self.store().due(at.now, schedule.after, BATCH).await?;
            let last = rows.len() < usize::from(BATCH);
            looked_at = looked_at.saturating_add(rows.len());
            for (vault, row) in rows {
                let due = row.due.unwrap_or(at.now);
                schedule.after = Some(DueAt { due, vault, key: row.key() });
                if !schedule.backoff.holds(vault, &row, at.now) {
                    let done = self.carry_out(vault, &row, at, irreversible).await;
                    tried = tried.saturating_add(schedule.note(vault, &row, at.now, done, &mut beat));
                }
            }
            if last {
                schedule.after = None;
                break;
            }
        }
        Ok(beat)
    }

    async fn carry_out(&self, id: VaultId, row: &Row, at: Moment, irreversible: bool) -> Done {
        let Some(vault) = self.by_id(id) else { return Done::Nothing };
        vault.due(row, at, irreversible).await.unwrap_or_else(|e| {
            tracing::warn!(vault = %vault.info.name, "scheduled work was not done: {e}");
            Done::Refused
        })
    }
}

impl Schedule {
    /// Counts what was done with a row; gives how many pieces of work it was.
    fn note(&mut self, vault: VaultId, row: &Row, now: Time, done: Done, beat: &mut Beat) -> usize {
        let count = match done {
            Done::Nothing => return 0,
            Done::Held => {
                beat.held = beat.held.saturating_add(1);
                return 0;
            }
            Done::Refused => {
                self.backoff.refused(vault, row, now);
                return 1;
            }
            Done::Rotated => &mut beat.rotated,
            Done::Notified => &mut beat.notified,
            Done::Purged => &mut beat.purged,
        };
        *count = count.saturating_add(1);
        self.backoff.done(vault, row);
        1
    }
}

enum Done {
    Rotated,
    Notified,
    Purged,
    Held,
    /// Tried, and not done.
    Refused,
    Nothing,
}

enum Due {
    Rotate(Name, Mandate),
    Notify(Name, Mandate),
    Purge(Name, Mandate),
}

impl Vault {
    async fn due(self: &Arc<Self>, row: &Row, at: Moment, irreversible: bool) -> Result<Done, TurnedAway> {
        let Ok(open) = self.open() else { return Ok(Done::Nothing) };
        let Ok(key) = Room::new(self, &open, at).opened(row) else { return Ok(Done::Nothing) };
        match work(row.kind, &key, row.revision, at.now) {
            None => Ok(Done::Nothing),
            Some(Due::Purge(..)) if !irreversible => Ok(Done::Held),
            Some(Due::Rotate(name, mandate)) => {
                let answer = self.run_as(Who::Mandate(mandate), RotateKey { name }, at).await?;
                Ok(self.done(Done::Rotated, answer.into_parts().1))
            }
            Some(Due::Notify(name, mandate)) => {
                let answer = self.run_as(Who::Mandate(mandate), NotifyExpiry { name }, at).await?;
                Ok(self.done(Done::Notified, answer.into_parts().1))
            }
            Some(Due::Purge(name, mandate)) => {
                let answer = self.run_as(Who::Mandate(mandate), PurgeKey { name }, at).await?;
                Ok(self.done(Done::Purged, answer.into_parts().1))
            }
        }
    }

    fn done<T>(&self, done: Done, result: Result<T, Refusal>) -> Done {
        match result {
            Ok(_) => done,
            Err(e) => {
                tracing::warn!(vault = %self.info.name, "scheduled work was refused: {e}");
                Done::Refused
            }
        }
    }
}

/// What a key's record asks for now, if anything.
fn work(kind: Kind, key: &KeyRecord, at: Revision, now: Time) -> Option<Due> {
    let name = key.name().ok()?;
    let mandate =
        |action, set_by: &str| Mandate { action, target: Target::Key(name.clone()), set_by: set_by.to_owned(), at };
    let set_by = key.rotation.as_ref().map_or("default rotation policy", |r| r.set_by.as_str());
    match (kind, key.work(now)?) {
        (Kind::DeletedKey, Work::Purge) => Some(Due::Purge(name.clone(), mandate(Action::PurgeKey, "retention"))),
        (Kind::Key, Work::Rotate) => Some(Due::Rotate(name.clone(), mandate(Action::RotateKey, set_by))),
        (Kind::Key, Work::Notify) => Some(Due::Notify(name.clone(), mandate(Action::NotifyExpiry, set_by))),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn irreversible_work_waits_when_the_clock_stepped_more_than_an_hour() {
        let mut guard = ClockGuard::default();
        assert!(guard.beat(Time(1_000_000), 0, None));
        assert!(guard.beat(Time(1_000_000 + MAX_STEP), 0, None));
        assert!(!guard.beat(Time(1_000_001 + MAX_STEP), 0, None));
        assert!(guard.beat(Time(1_000_000 + 5_000), 5_000, None));
    }

    #[test]
    fn irreversible_work_waits_when_the_clock_is_behind_the_journal() {
        let mut guard = ClockGuard::default();
        assert!(!guard.beat(Time(0), 0, Some(Time(MAX_STEP + 1))));
        assert!(guard.beat(Time(2), 2, Some(Time(MAX_STEP + 1))));
    }
}
