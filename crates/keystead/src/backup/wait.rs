//! Waiting for the end of a backup or a restore, and showing how it stands.

use crate::exit::Failure;
use crate::key::Session;
use crate::key::view::Receipted;
use crate::output::{self, or_dash, time};
use keystead_client::{BackupJob, Done};
use std::time::Duration;

/// Between two questions.
const BETWEEN: Duration = Duration::from_millis(500);

/// Which of the two.
#[derive(Clone, Copy)]
pub(super) enum Kind {
    Backup,
    Restore,
}

/// Waits for the end of what has begun, unless that is not wanted, and prints how it stands then.
pub(super) async fn shown(session: &Session, kind: Kind, begun: Done<BackupJob>, no_wait: bool) -> Result<(), Failure> {
    if no_wait {
        return print(session, &begun);
    }
    let id = begun.value.job_id.clone();
    output::note(&format!("job {}", output::printable(&id)));
    let (mut done, mut said) = (begun, None);
    while done.value.status == "InProgress" {
        tokio::time::sleep(BETWEEN).await;
        let asked = match kind {
            Kind::Backup => session.client.backup_job(&id).await,
            Kind::Restore => session.client.restore_job(&id).await,
        };
        done = asked.map_err(|e| session.shown.failure(&e))?;
        if done.value.status == "InProgress" && done.value.status_details != said {
            said.clone_from(&done.value.status_details);
            output::note(&output::printable(said.as_deref().unwrap_or_default()));
        }
    }
    print(session, &done)
}

/// Prints how it stands; one that failed is a failure.
pub(super) fn print(session: &Session, done: &Done<BackupJob>) -> Result<(), Failure> {
    let job = &done.value;
    if session.shown.is_json() {
        output::json(&Receipted { value: job, receipt: done.receipt.as_deref() })?;
    } else {
        output::fields(lines(job))?;
        session.shown.receipt(done.receipt.as_deref());
    }
    match &job.error {
        Some(e) => Err(Failure::check(output::printable(&e.message))),
        None => Ok(()),
    }
}

fn lines(job: &BackupJob) -> Vec<(&'static str, String)> {
    let mut all = vec![("job", job.job_id.clone()), ("status", job.status.clone())];
    all.push(("started", or_dash(job.start_time.map(time::seconds))));
    all.extend(job.end_time.map(|end| ("ended", time::seconds(end))));
    all.extend(job.azure_storage_blob_container_uri.clone().map(|folder| ("backup", folder)));
    all.extend(job.status_details.clone().map(|said| ("details", said)));
    all
}
