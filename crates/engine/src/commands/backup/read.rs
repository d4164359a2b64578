//! Read what came of backups.

use crate::backup::{BackupError, JobKind, JobView, jobs};
use crate::commands::{ask, no_approval};
use crate::error::Refusal;
use crate::records::job::BackupWork;
use crate::room::Room;
use crate::run::{Effect, Execute};
use keystead_access::Permit;
use keystead_model::{ObjectId, Target};

/// Reads how a backup stands.
pub struct ReadBackup {
    /// Which.
    pub job: ObjectId,
}
ask!(ReadBackup, ReadBackup, |c| Target::Vault);

impl Execute for ReadBackup {
    type Output = JobView;
    no_approval!();

    async fn execute(permit: &Permit<Self>, room: &Room<'_>) -> Result<Effect<JobView>, Refusal> {
        let job = jobs::find::<BackupWork>(room, JobKind::Backup, permit.ask().job).await?;
        let view = job.ok_or(BackupError::NoSuchJob)?.view();
        Ok(Effect::read(view.clone()).about(view.id, None))
    }
}

/// Lists the newest backups and restores, the newest first.
pub struct ListBackups;
ask!(ListBackups, ReadBackup, |c| Target::Vault);

impl Execute for ListBackups {
    type Output = Vec<JobView>;
    no_approval!();

    async fn execute(_: &Permit<Self>, room: &Room<'_>) -> Result<Effect<Vec<JobView>>, Refusal> {
        Ok(Effect::read(jobs::list(room).await?))
    }
}
