//! Calls about backups of the whole vault, as in Managed HSM.

use bytes::Bytes;
use hyper::Method;
use keystead_model::Name;
use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use crate::client::Body;
use crate::reply::json;
use crate::{API_VERSION, Client, ClientError, Done};

type Answer<T> = Result<Done<T>, ClientError>;

/// A container, and what permits its use.
pub struct BackupPlace {
    /// `https://host/container`.
    pub container: String,
    /// A SAS token; none for the server's own directory.
    pub token: Option<Zeroizing<String>>,
}

/// How a backup or a restore stands. Times in seconds since the epoch.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct BackupJob {
    /// Its id.
    pub job_id: String,
    /// `InProgress`, `Succeeded`, `Failed` or `Canceled`.
    pub status: String,
    /// How far it has come, or what it did.
    #[serde(default)]
    pub status_details: Option<String>,
    /// Why it failed.
    #[serde(default)]
    pub error: Option<BackupFault>,
    /// When it was begun.
    #[serde(default)]
    pub start_time: Option<i64>,
    /// When it ended.
    #[serde(default)]
    pub end_time: Option<i64>,
    /// The backup's folder, once there is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub azure_storage_blob_container_uri: Option<String>,
}

/// Why a backup or a restore failed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct BackupFault {
    /// A word.
    #[serde(default)]
    pub code: String,
    /// A sentence.
    #[serde(default)]
    pub message: String,
}

/// A backup or a restore in the list. Times in milliseconds since the epoch.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ListedJob {
    /// Its id.
    pub id: String,
    /// `backup` or `restore`.
    pub kind: String,
    /// `running`, `succeeded` or `failed`.
    pub state: String,
    /// When it was begun.
    pub started: i64,
    /// When it ended.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ended: Option<i64>,
    /// Whether it only looked whether it could be done.
    #[serde(default)]
    pub check: bool,
    /// The backup's folder.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub folder: Option<String>,
    /// What it did.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub details: Option<String>,
    /// Why it failed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<BackupFault>,
}

#[derive(Deserialize)]
pub(crate) struct Jobs {
    value: Vec<ListedJob>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct PlaceBody<'a> {
    storage_resource_uri: &'a str,
    token: Option<&'a str>,
    use_managed_identity: bool,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct RestoreBody<'a> {
    sas_token_parameters: PlaceBody<'a>,
    #[serde(skip_serializing_if = "Option::is_none")]
    folder_to_restore: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    folder: Option<&'a str>,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    rollback: bool,
}

impl BackupPlace {
    fn body(&self) -> PlaceBody<'_> {
        let token = self.token.as_deref().map(String::as_str);
        PlaceBody { storage_resource_uri: &self.container, token, use_managed_identity: token.is_none() }
    }
}

impl Client {
    /// Begins a backup of the whole vault, or looks whether one could be made.
    pub async fn start_backup(&self, to: &BackupPlace, check: bool) -> Answer<BackupJob> {
        let path = if check { "/prebackup" } else { "/backup" };
        json(self.call(Method::POST, &versioned(path), Body::json(&to.body())?).await?)
    }

    /// Begins to restore the whole vault, or looks whether a backup could be restored. `rollback`: changes since the
    /// backup may be taken back.
    pub async fn start_restore(
        &self,
        from: &BackupPlace,
        folder: &str,
        (check, rollback): (bool, bool),
    ) -> Answer<BackupJob> {
        let path = if check { "/prerestore" } else { "/restore" };
        let sas_token_parameters = from.body();
        let body = RestoreBody { sas_token_parameters, folder_to_restore: Some(folder), folder: None, rollback };
        json(self.call(Method::PUT, &versioned(path), Body::json(&body)?).await?)
    }

    /// Begins to restore one key.
    pub async fn start_key_restore(&self, name: &Name, from: &BackupPlace, folder: &str) -> Answer<BackupJob> {
        let sas_token_parameters = from.body();
        let body = RestoreBody { sas_token_parameters, folder_to_restore: None, folder: Some(folder), rollback: false };
        json(self.call(Method::PUT, &versioned(&format!("/keys/{name}/restore")), Body::json(&body)?).await?)
    }

    /// How a backup stands.
    pub async fn backup_job(&self, id: &str) -> Answer<BackupJob> {
        self.job("backup", id).await
    }

    /// How a restore stands.
    pub async fn restore_job(&self, id: &str) -> Answer<BackupJob> {
        self.job("restore", id).await
    }

    /// The newest backups and restores, the newest first.
    pub async fn backup_jobs(&self) -> Answer<Vec<ListedJob>> {
        let done = self.call(Method::GET, "/keystead/v1/backups", Body::none()).await?;
        Ok(json::<Jobs>(done)?.map(|jobs| jobs.value))
    }

    /// A page of the vault's inventory: the line of its file. `after`: the member `next` of the page before.
    pub async fn inventory_page(&self, after: Option<&str>) -> Answer<Bytes> {
        if !after.unwrap_or_default().bytes().all(|b| b.is_ascii_alphanumeric() || b == b'.') {
            return Err(ClientError::BadArgument("a page of an inventory begins where the one before says"));
        }
        let after = after.map(|place| format!("?after={place}")).unwrap_or_default();
        self.call(Method::GET, &format!("/keystead/v1/inventory{after}"), Body::none()).await
    }

    async fn job(&self, kind: &str, id: &str) -> Answer<BackupJob> {
        if !id.bytes().all(|b| b.is_ascii_alphanumeric()) {
            return Err(ClientError::BadArgument("a job's id has 32 hexadecimal digits"));
        }
        json(self.call(Method::GET, &versioned(&format!("/{kind}/{id}/pending")), Body::none()).await?)
    }
}

fn versioned(path: &str) -> String {
    format!("{path}?api-version={API_VERSION}")
}
