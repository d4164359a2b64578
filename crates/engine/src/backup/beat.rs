//! Backups and restores go on by themselves, a step at a time. They wait for places that may be slow, so they have a
//! beat of their own, each vault goes on beside the others, and each step has its own moment.

use super::jobs;
use crate::commands::backup::ContinueBackup;
use crate::commands::restore::ContinueRestore;
use crate::error::{Refusal, TurnedAway};
use crate::node::Instance;
use crate::room::Room;
use crate::vault::Vault;
use futures_util::future::join_all;
use keystead_access::{Mandate, Who};
use keystead_model::{Action, Moment, Target};
use keystead_store::{Kind, Row};
use std::sync::Arc;

/// Steps of one vault in a beat, and after how many ms none follows: other vaults wait for the next beat.
const STEPS: usize = 8;
const BEAT: i64 = 2_000;

impl Instance {
    /// Goes on with what backups and restores there are. Gives how many steps were done.
    pub async fn continue_jobs(&self, moment: impl Fn() -> Moment + Sync) -> usize {
        let mut backoff = self.jobs.lock().await;
        let (mut due, now) = (Vec::new(), moment().now);
        for vault in self.all() {
            let Ok(open) = vault.open() else { continue };
            match jobs::running(&Room::new(&vault, &open, moment())).await {
                Ok(Some(row)) if !backoff.holds(vault.info.id, &row, now) => due.push((vault, row)),
                Ok(_) => {}
                Err(why) => tracing::warn!(vault = %vault.info.name, "its backups and restores are not known: {why}"),
            }
        }
        let done = join_all(due.iter().map(|(vault, row)| go_on(vault, row, &moment))).await;
        let mut all = 0_usize;
        for ((vault, row), steps) in due.iter().zip(done) {
            match steps {
                Ok(steps) => {
                    all = all.saturating_add(steps);
                    backoff.done(vault.info.id, row);
                }
                Err(why) => {
                    tracing::warn!(vault = %vault.info.name, "a backup or a restore came no further: {why}");
                    backoff.refused(vault.info.id, row, now);
                }
            }
        }
        all
    }
}

/// Some steps of one vault.
async fn go_on(vault: &Arc<Vault>, row: &Row, moment: &(impl Fn() -> Moment + Sync)) -> Result<usize, String> {
    let (mut begun, mut steps) = (None, 0_usize);
    while steps < STEPS {
        let at = moment();
        if at.now.0.saturating_sub(begun.get_or_insert(at.now).0) > BEAT {
            break;
        }
        match step(vault, row, None, at).await.map_err(|e| e.to_string())? {
            Ok(more) => {
                steps = steps.saturating_add(1);
                if !more {
                    break;
                }
            }
            Err(why) => {
                // Nothing of a step that others came before, or that took too long, is kept: not even that it failed.
                if matches!(why, Refusal::Conflict | Refusal::Deadline) && is_stuck(vault, row, moment()).await {
                    let ended = step(vault, row, Some(why.to_string()), moment()).await;
                    return ended.map_err(|e| e.to_string())?.map(|_| steps).map_err(|e| e.to_string());
                }
                return Err(why.to_string());
            }
        }
    }
    Ok(steps)
}

async fn step(
    vault: &Arc<Vault>,
    row: &Row,
    stuck: Option<String>,
    at: Moment,
) -> Result<Result<bool, Refusal>, TurnedAway> {
    let set_by = match jobs::standing(&Room::new(vault, &vault.open()?, at), row) {
        Ok((set_by, _)) => set_by,
        Err(why) => return Ok(Err(why)),
    };
    let action = if row.kind == Kind::Backup { Action::ContinueBackup } else { Action::ContinueRestore };
    let who = Who::Mandate(Mandate { action, target: Target::Vault, set_by, at: row.revision });
    let job = row.id;
    let answer = match row.kind {
        Kind::Backup => vault.run_as(who, ContinueBackup { job, stuck }, at).await?,
        _ => vault.run_as(who, ContinueRestore { job, stuck }, at).await?,
    };
    Ok(answer.into_parts().1)
}

/// Whether the job has come no further for too long.
async fn is_stuck(vault: &Arc<Vault>, row: &Row, at: Moment) -> bool {
    let Ok(open) = vault.open() else { return false };
    let room = Room::new(vault, &open, at);
    match room.row_at(row.key()).await {
        Ok(Some(now)) => jobs::standing(&room, &now).is_ok_and(|(_, stuck)| stuck),
        _ => false,
    }
}
