//! The scheduler: stored decisions of the customer, carried out through `run` with a mandate. A row's clear due time
//! only selects it; what is done is decided from the sealed record.

use crate::backoff::Backoff;
use crate::commands::approval::RemoveProposal;
use crate::commands::key::{NotifyExpiry, PurgeKey, RotateKey};
use crate::error::{Refusal, TurnedAway};
use crate::node::Instance;
use crate::records::{KeyRecord, Work};
use crate::room::Room;
use crate::vault::{Open, Vault};
use keystead_access::{Mandate, Who};
use keystead_model::{Action, Moment, Name, Revision, Target, Time, VaultId};
use keystead_store::{DueAt, Kind, Row};
use std::sync::Arc;

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

/// What a beat did.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Beat {
    /// Keys rotated.
    pub rotated: usize,
    /// Keys whose end was told.
    pub notified: usize,
    /// Deleted keys purged.
    pub purged: usize,
    /// Proposals whose time has passed.
    pub forgotten: usize,
    /// Purges, and proposals to be forgotten, that wait because of the clock.
    pub held: usize,
}

impl Instance {
    /// Carries out what is due. What cannot be undone waits in a vault whose administrators have not confirmed a clock
    /// that is doubted.
    pub async fn tick(&self, at: Moment) -> Result<Beat, Refusal> {
        self.forget_expired(at);
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
                    let done = self.carry_out(vault, &row, at).await;
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

    async fn carry_out(&self, id: VaultId, row: &Row, at: Moment) -> Done {
        let Some(vault) = self.by_id(id) else { return Done::Nothing };
        vault.due(row, at).await.unwrap_or_else(|e| {
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
            Done::Forgotten => &mut beat.forgotten,
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
    /// A proposal.
    Forgotten,
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
    async fn due(self: &Arc<Self>, row: &Row, at: Moment) -> Result<Done, TurnedAway> {
        let Ok(open) = self.open() else { return Ok(Done::Nothing) };
        // They have a beat of their own.
        if matches!(row.kind, Kind::Backup | Kind::Restore) {
            return Ok(Done::Nothing);
        }
        if row.kind == Kind::Proposal {
            return self.forget_proposal(&open, row, at).await;
        }
        let key = match Room::new(self, &open, at).opened(row) {
            Ok(key) => key,
            // Waits as what is refused does, and is not looked at with every beat.
            Err(e) => return Ok(self.refused(&e)),
        };
        match work(row.kind, &key, row.revision, at.now) {
            None => Ok(Done::Nothing),
            Some(Due::Purge(..)) if self.doubt_of(&open).is_some() => Ok(Done::Held),
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

    /// A proposal whose time has passed.
    async fn forget_proposal(self: &Arc<Self>, open: &Open, row: &Row, at: Moment) -> Result<Done, TurnedAway> {
        if self.doubt_of(open).is_some() {
            return Ok(Done::Held);
        }
        let (action, set_by) = (Action::RemoveProposal, "retention of proposals".to_owned());
        let mandate = Mandate { action, target: Target::Vault, set_by, at: row.revision };
        let answer = self.run_as(Who::Mandate(mandate), RemoveProposal { id: row.id }, at).await?;
        Ok(self.done(Done::Forgotten, answer.into_parts().1))
    }

    fn done<T>(&self, done: Done, result: Result<T, Refusal>) -> Done {
        match result {
            Ok(_) => done,
            Err(e) => self.refused(&e),
        }
    }

    fn refused(&self, why: &Refusal) -> Done {
        tracing::warn!(vault = %self.info.name, "scheduled work was refused: {why}");
        Done::Refused
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
