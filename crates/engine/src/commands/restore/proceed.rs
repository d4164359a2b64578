//! The next part of a restore that was begun.

use super::{older, policy, steps};
use crate::backup::jobs::{self, Job};
use crate::backup::{BackupError, JobKind};
use crate::commands::{ask, no_approval};
use crate::error::Refusal;
use crate::notes;
use crate::records::job::{RestoreWork, Restored};
use crate::room::Room;
use crate::run::{Effect, Execute};
use keystead_access::Permit;
use keystead_model::{Action, Name, ObjectId, Target};
use keystead_store::Changes;

/// Reads or restores the next part of a backup, or ends it. Only a mandate asks for it. Gives whether it goes on.
pub(crate) struct ContinueRestore {
    /// Which.
    pub(crate) job: ObjectId,
    /// Why it came no further for too long: it ends.
    pub(crate) stuck: Option<String>,
}
ask!(ContinueRestore, ContinueRestore, |c| Target::Vault);

/// What a step brings.
pub(super) enum Step {
    /// Rows that it changes; it goes on.
    More(Changes),
    /// The last rows; then it ends.
    Done(Changes),
    /// The policy, and with it the end.
    Policy(Box<Effect<bool>>),
}

impl Execute for ContinueRestore {
    type Output = bool;
    no_approval!();

    async fn execute(permit: &Permit<Self>, room: &Room<'_>) -> Result<Effect<bool>, Refusal> {
        let job = jobs::find(room, JobKind::Restore, permit.ask().job).await?;
        let mut job = job.filter(Job::is_running).ok_or(Refusal::Conflict)?;
        let (id, now) = (job.row.id, room.at.now);
        let (effect, error) = match proceeded(permit, room, &mut job).await {
            Ok(Step::More(changes)) => (Effect::change(true, changes), None),
            Ok(Step::Done(changes)) => {
                job.end(now, None);
                (Effect::change(false, changes), None)
            }
            Ok(Step::Policy(effect)) => {
                job.end(now, None);
                (*effect, None)
            }
            Err(why) => {
                let why = job.given_up(room, why)?;
                job.end(now, Some(&why));
                (Effect::read(false), Some(format!("failed: {why}")))
            }
        };
        let effect = effect.also(job.next(room)?).about(id, None);
        Ok(match error.or(job.record.details) {
            Some(note) => effect.note(notes::progress(note)),
            None => effect,
        })
    }
}

async fn proceeded(
    permit: &Permit<ContinueRestore>,
    room: &Room<'_>,
    job: &mut Job<RestoreWork>,
) -> Result<Step, Refusal> {
    match &permit.ask().stuck {
        Some(why) => Err(BackupError::NoProgress { why: why.clone() }.into()),
        None => step(permit, room, job).await,
    }
}

async fn step(permit: &Permit<ContinueRestore>, room: &Room<'_>, job: &mut Job<RestoreWork>) -> Result<Step, Refusal> {
    let target = job.target(room)?;
    let check = job.record.check;
    let only = job.record.work.as_ref().and_then(|work| work.only.as_deref()).map(Name::parse);
    let (action, scope) = match only {
        Some(Ok(name)) => (Action::RestoreKeyFromBackup, Target::Key(name)),
        Some(Err(_)) => return Err(Refusal::Damaged),
        None => (Action::StartRestore, Target::Vault),
    };
    job.still_permitted(room, action, &scope)?;
    let (by, own) = (job.record.by.clone(), job.row.revision);
    let work = job.record.work.as_mut().ok_or(Refusal::Damaged)?;
    work.since.get_or_insert(own.0);
    let (step, said) = match work.phase {
        0 => (steps::read(room, &target, work, check).await?, None),
        1 => (steps::restore(room, &target, work).await?, None),
        2 => (steps::sweep(room, work).await?, None),
        _ => policy::restore(permit, room, &target, (work, &by)).await?,
    };
    if work.phase > 0 {
        older::still_none(room, own, work).await?;
    }
    job.record.details = Some(details(work, check, said));
    Ok(step)
}

fn details(work: &RestoreWork, check: bool, said: Option<String>) -> String {
    let Restored { versions, kept, deleted } = work.done;
    if work.phase == 0 || check {
        return format!("Number of key versions read: {}", work.counts.versions);
    }
    let mut text = format!(
        "Number of successful key versions restored: {versions}, Number of key versions could not overwrite: {kept}"
    );
    if deleted > 0 {
        text.push_str(&format!(", Number of keys deleted that the backup has not: {deleted}"));
    }
    if let Some(said) = said {
        text.push_str(". ");
        text.push_str(&said);
    }
    text
}
