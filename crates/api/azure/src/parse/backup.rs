//! Requests about backups of the whole vault.

use super::{Text, json, name, required};
use keystead_api_table::{BadParameter, Parts, Shown};
use keystead_engine::{BackupPlace, ReadBackup, ReadRestore, RestoreKeyFromBackup, StartBackup, StartRestore};
use keystead_model::ObjectId;
use serde::Deserialize;
use zeroize::Zeroizing;

/// Where a backup is, and what permits the use of the place. `useManagedIdentity` says that no token is given: the
/// server's own directory needs none, and for an object store one is asked for.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Place<'a> {
    #[serde(borrow)]
    storage_resource_uri: Option<Text<'a>>,
    #[serde(borrow)]
    token: Option<Text<'a>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Restore<'a> {
    #[serde(borrow)]
    sas_token_parameters: Option<Place<'a>>,
    #[serde(borrow)]
    folder_to_restore: Option<Text<'a>>,
    /// More than Azure: that changes since the backup may be taken back.
    rollback: Option<bool>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct RestoreKey<'a> {
    #[serde(borrow)]
    sas_token_parameters: Option<Place<'a>>,
    #[serde(borrow)]
    folder: Option<Text<'a>>,
}

fn place(place: Place<'_>) -> Result<BackupPlace, BadParameter> {
    let container = required(place.storage_resource_uri, "storageResourceUri")?.0.into_owned();
    let token = place.token.map(|token| Zeroizing::new(token.0.into_owned()));
    Ok(BackupPlace { container, token })
}

fn begin(parts: &Parts<'_>, check: bool) -> Result<StartBackup, BadParameter> {
    Ok(StartBackup { to: place(json(parts)?)?, check })
}

/// `POST /backup`
pub fn start(parts: &Parts<'_>) -> Result<StartBackup, BadParameter> {
    begin(parts, false)
}

/// `POST /prebackup`
pub fn check(parts: &Parts<'_>) -> Result<StartBackup, BadParameter> {
    begin(parts, true)
}

fn begin_restore(parts: &Parts<'_>, check: bool) -> Result<StartRestore, BadParameter> {
    let body: Restore<'_> = json(parts)?;
    let from = place(required(body.sas_token_parameters, "sasTokenParameters")?)?;
    let folder = required(body.folder_to_restore, "folderToRestore")?.0.into_owned();
    Ok(StartRestore { from, folder, check, rollback: body.rollback.unwrap_or(false) })
}

/// `PUT /restore`
pub fn restore(parts: &Parts<'_>) -> Result<StartRestore, BadParameter> {
    begin_restore(parts, false)
}

/// `PUT /prerestore`
pub fn check_restore(parts: &Parts<'_>) -> Result<StartRestore, BadParameter> {
    begin_restore(parts, true)
}

/// `PUT /keys/{name}/restore`
pub fn restore_key(parts: &Parts<'_>) -> Result<RestoreKeyFromBackup, BadParameter> {
    let name = name(parts)?;
    let body: RestoreKey<'_> = json(parts)?;
    let from = place(required(body.sas_token_parameters, "sasTokenParameters")?)?;
    let folder = required(body.folder, "folder")?.0.into_owned();
    Ok(RestoreKeyFromBackup { name, from, folder })
}

/// `GET /backup/{job}/pending`
pub fn read(parts: &Parts<'_>) -> Result<ReadBackup, BadParameter> {
    Ok(ReadBackup { job: job(parts)? })
}

/// `GET /restore/{job}/pending`
pub fn read_restore(parts: &Parts<'_>) -> Result<ReadRestore, BadParameter> {
    Ok(ReadRestore { job: job(parts)? })
}

/// Clients may write it with dashes. What is no id names no job.
fn job(parts: &Parts<'_>) -> Result<ObjectId, BadParameter> {
    let given = parts.parameter("job").unwrap_or_default();
    let missing = || BadParameter::NoSuch { what: "job", code: "JobNotFound", given: Shown::of(given) };
    given.replace('-', "").to_ascii_lowercase().parse().map_err(|_| missing())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::parts;

    #[test]
    fn the_bodies_of_the_sdk_are_read() {
        let place = r#"{"storageResourceUri":"https://h/c","token":"?sv=1","useManagedIdentity":false}"#;
        let start = parts("/backup", "/backup", place, start).unwrap();
        assert_eq!((start.to.container.as_str(), start.check), ("https://h/c", false));
        assert_eq!(start.to.token.as_ref().map(|t| t.as_str()), Some("?sv=1"));
        let managed = r#"{"storageResourceUri":"https://h/c","token":null,"useManagedIdentity":true}"#;
        assert!(parts("/prebackup", "/prebackup", managed, check).is_ok_and(|c| c.check && c.to.token.is_none()));
        let body = format!(r#"{{"sasTokenParameters":{place},"folderToRestore":"mhsm-a-1"}}"#);
        let whole = parts("/restore", "/restore", &body, restore).unwrap();
        assert_eq!((whole.folder.as_str(), whole.check, whole.rollback), ("mhsm-a-1", false, false));
        let body = format!(r#"{{"sasTokenParameters":{place},"folderToRestore":"f","rollback":true}}"#);
        assert!(parts("/prerestore", "/prerestore", &body, check_restore).is_ok_and(|r| r.check && r.rollback));
        let body = format!(r#"{{"sasTokenParameters":{place},"folder":"f"}}"#);
        let one = parts("/keys/Pay/restore", "/keys/{name}/restore", &body, restore_key).unwrap();
        assert_eq!((one.name.as_str(), one.folder.as_str()), ("Pay", "f"));
    }

    #[test]
    fn what_is_missing_is_named_and_what_is_no_id_names_no_job() {
        for body in ["{}", r#"{"sasTokenParameters":{}}"#, r#"{"sasTokenParameters":{"storageResourceUri":"x"}}"#] {
            let missing = parts("/restore", "/restore", body, restore).err();
            assert!(matches!(missing, Some(BadParameter::Missing { .. })), "{body}");
        }
        let pending = |id: &str| parts(&format!("/backup/{id}/pending"), "/backup/{job}/pending", "", read);
        assert!(pending("00112233445566778899aabbccddeeff").is_ok());
        assert!(pending("00112233-4455-6677-8899-AABBCCDDEEFF").is_ok());
        assert!(matches!(pending("x").err(), Some(BadParameter::NoSuch { code: "JobNotFound", .. })));
    }
}
