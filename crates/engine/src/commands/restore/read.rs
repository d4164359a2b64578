//! Read what came of a restore.

use crate::backup::{BackupError, JobKind, JobView, jobs};
use crate::commands::{ask, no_approval};
use crate::error::Refusal;
use crate::records::job::RestoreWork;
use crate::room::Room;
use crate::run::{Effect, Execute};
use keystead_access::Permit;
use keystead_model::{ObjectId, Target};

/// Reads how a restore stands.
pub struct ReadRestore {
    /// Which.
    pub job: ObjectId,
}
ask!(ReadRestore, ReadRestore, |c| Target::Vault);

impl Execute for ReadRestore {
    type Output = JobView;
    no_approval!();

    async fn execute(permit: &Permit<Self>, room: &Room<'_>) -> Result<Effect<JobView>, Refusal> {
        let job = jobs::find::<RestoreWork>(room, JobKind::Restore, permit.ask().job).await?;
        let view = job.ok_or(BackupError::NoSuchJob)?.view();
        Ok(Effect::read(view.clone()).about(view.id, None))
    }
}
