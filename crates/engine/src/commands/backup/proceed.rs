//! The next part of a backup that was begun.

use super::copy::{Copying, WRITTEN};
use crate::backup::jobs::{self, Job};
use crate::backup::{BackupError, JobKind};
use crate::commands::{ask, no_approval};
use crate::error::Refusal;
use crate::notes;
use crate::records::backup::Counts;
use crate::records::job::BackupWork;
use crate::room::Room;
use crate::run::{Effect, Execute};
use keystead_access::Permit;
use keystead_model::{Action, ObjectId, Target};
use keystead_store::Changes;

/// Writes the next part of a backup, or ends it. Only a mandate asks for it. Gives whether it goes on.
pub(crate) struct ContinueBackup {
    /// Which.
    pub(crate) job: ObjectId,
    /// Why it came no further for too long: it ends.
    pub(crate) stuck: Option<String>,
}
ask!(ContinueBackup, ContinueBackup, |c| Target::Vault);

impl Execute for ContinueBackup {
    type Output = bool;
    no_approval!();

    async fn execute(permit: &Permit<Self>, room: &Room<'_>) -> Result<Effect<bool>, Refusal> {
        let job = jobs::find(room, JobKind::Backup, permit.ask().job).await?;
        let mut job = job.filter(Job::is_running).ok_or(Refusal::Conflict)?;
        let (id, now, mut note) = (job.row.id, room.at.now, None);
        let done = match &permit.ask().stuck {
            Some(why) => Err(BackupError::NoProgress { why: why.clone() }.into()),
            None => step(room, &mut job).await,
        };
        if let Err(why) = done {
            let why = job.given_up(room, why)?;
            if let Ok(target) = job.target(room) {
                room.vault().storage.abandon(&target).await;
            }
            job.end(now, Some(&why));
            note = Some(format!("failed: {why}"));
        }
        let changes = Changes { puts: vec![job.next(room)?], ..Changes::default() };
        let effect = Effect::change(job.is_running(), changes).about(id, None);
        Ok(match note.or(job.record.details) {
            Some(note) => effect.note(notes::progress(note)),
            None => effect,
        })
    }
}

async fn step(room: &Room<'_>, job: &mut Job<BackupWork>) -> Result<(), Refusal> {
    job.still_permitted(room, Action::StartBackup, &Target::Vault)?;
    let (storage, target) = (&room.vault().storage, job.target(room)?);
    if job.record.check {
        storage.abandon(&target).await;
        job.end(room.at.now, None);
        return Ok(());
    }
    let work = job.record.work.as_mut().ok_or(Refusal::Damaged)?;
    if work.pass >= WRITTEN {
        // By itself, so that it can be done again: once it has its name, nothing can be written to it.
        storage.finish(&target, work.parts, work.at.byte).await?;
        job.end(room.at.now, None);
        return Ok(());
    }
    let mut copying = Copying::new(room, job.row.id, work);
    copying.fill(storage.part()).await?;
    let (mut bytes, next) = copying.into_part();
    let mut at = work.at.byte;
    if work.parts == 0 {
        bytes.splice(0..0, work.header.iter().copied());
        at = 0;
    }
    storage.put(&target, (work.parts, at), bytes).await?;
    (work.at, work.parts) = (next, work.parts.saturating_add(1));
    job.record.details = Some(details(&work.counts));
    Ok(())
}

fn details(counts: &Counts) -> String {
    let Counts { versions, left_out, .. } = counts;
    let written = format!("Number of key versions backed up: {versions}");
    match left_out {
        0 => written,
        n => format!("{written}, resident in the HSM and not backed up: {n}"),
    }
}
