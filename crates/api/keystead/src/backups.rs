//! The newest backups and restores of the whole vault.

use keystead_api_table::{Body, Context};
use keystead_engine::{JobKind, JobState, JobView};
use serde::Serialize;

/// `GET /keystead/v1/backups`, the newest first. Times are milliseconds since the epoch; what is not known is absent.
pub fn list(all: Vec<JobView>, _: &Context<'_>) -> Body {
    #[derive(Serialize)]
    struct List {
        value: Vec<Job>,
    }
    Body::json(&List { value: all.into_iter().map(job).collect() })
}

#[derive(Serialize)]
struct Job {
    id: String,
    kind: &'static str,
    state: &'static str,
    started: i64,
    #[serde(skip_serializing_if = "Option::is_none")]
    ended: Option<i64>,
    check: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    folder: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    details: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<Fault>,
}

#[derive(Serialize)]
struct Fault {
    code: &'static str,
    message: String,
}

fn job(job: JobView) -> Job {
    Job {
        id: job.id.to_string(),
        kind: match job.kind {
            JobKind::Backup => "backup",
            JobKind::Restore => "restore",
        },
        state: match job.state {
            JobState::Running => "running",
            JobState::Succeeded => "succeeded",
            JobState::Failed => "failed",
        },
        started: job.started.0,
        ended: job.ended.map(|t| t.0),
        check: job.check,
        folder: job.folder,
        details: job.details,
        error: job.error.map(|(code, message)| Fault { code, message }),
    }
}
