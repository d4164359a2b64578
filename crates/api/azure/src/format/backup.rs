//! How backups and restores of the whole vault stand.

use hyper::header::{HeaderName, RETRY_AFTER};
use keystead_api_table::{Body, Context};
use keystead_engine::{JobKind, JobState, JobView};
use serde::{Serialize, Serializer};

const ASYNC: HeaderName = HeaderName::from_static("azure-asyncoperation");

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Status<'a> {
    status: &'static str,
    status_details: Option<&'a str>,
    error: Option<Fault<'a>>,
    start_time: i64,
    end_time: Option<i64>,
    job_id: String,
    /// Of a restore there is none.
    #[serde(skip_serializing_if = "Option::is_none", serialize_with = "inner")]
    azure_storage_blob_container_uri: Option<Option<&'a str>>,
}

#[derive(Serialize)]
struct Fault<'a> {
    code: &'static str,
    message: &'a str,
    innererror: Option<()>,
}

fn inner<S: Serializer>(value: &Option<Option<&str>>, s: S) -> Result<S::Ok, S::Error> {
    value.flatten().serialize(s)
}

/// What has begun: the answer says where to ask how it stands.
pub fn begun(job: JobView, context: &Context<'_>) -> Body {
    let kind = match job.kind {
        JobKind::Backup => "backup",
        JobKind::Restore => "restore",
    };
    // Clients ask there as it is written, without a version of their own.
    let version = context.parts.query("api-version").unwrap_or_default();
    let pending = format!("{}/{kind}/{}/pending?api-version={version}", context.base(), job.id);
    status(job, context).with(ASYNC, &pending).with(RETRY_AFTER, "1")
}

/// How it stands.
pub fn status(job: JobView, _: &Context<'_>) -> Body {
    Body::json(&Status {
        status: match job.state {
            JobState::Running => "InProgress",
            JobState::Succeeded => "Succeeded",
            JobState::Failed => "Failed",
        },
        status_details: job.details.as_deref(),
        error: job.error.as_ref().map(|(code, message)| Fault { code, message, innererror: None }),
        start_time: job.started.secs(),
        end_time: job.ended.map(|end| end.secs()),
        job_id: job.id.to_string(),
        azure_storage_blob_container_uri: (job.kind == JobKind::Backup).then_some(job.folder.as_deref()),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::context;
    use keystead_model::{ObjectId, Time};

    fn job(kind: JobKind) -> JobView {
        JobView {
            id: ObjectId::from_bytes([0xab; 16]),
            kind,
            state: JobState::Running,
            started: Time(1_700_000_000_123),
            ended: None,
            check: false,
            folder: None,
            details: None,
            error: None,
        }
    }

    #[test]
    fn a_body_has_the_members_of_the_service() {
        let body = context("/backup", "/backup", "", |c| begun(job(JobKind::Backup), c));
        let id = "ab".repeat(16);
        let expected = format!(
            r#"{{"status":"InProgress","statusDetails":null,"error":null,"startTime":1700000000,"endTime":null,"jobId":"{id}","azureStorageBlobContainerUri":null}}"#
        );
        assert_eq!(std::str::from_utf8(body.bytes()).unwrap(), expected);
        let error = Some(("StorageFull", "no room".to_owned()));
        let failed =
            JobView { state: JobState::Failed, ended: Some(Time(1_700_000_001_000)), error, ..job(JobKind::Restore) };
        let body = context("/restore", "/restore", "", |c| status(failed, c));
        let expected = format!(
            r#"{{"status":"Failed","statusDetails":null,"error":{{"code":"StorageFull","message":"no room","innererror":null}},"startTime":1700000000,"endTime":1700000001,"jobId":"{id}"}}"#
        );
        assert_eq!(std::str::from_utf8(body.bytes()).unwrap(), expected);
    }
}
