//! Delete, recover, purge; back up and restore.

use crate::support::{body, client, create, ec, name, refusal, refused, version};
use azure_security_keyvault_keys::models::{CurveName, KeyClientListDeletedKeyPropertiesOptions, RestoreKeyParameters};
use futures::TryStreamExt as _;

#[tokio::test]
async fn a_key_is_deleted_shown_recovered_and_purged() {
    let (client, name) = (client(), name("cycle"));
    let key = create(&client, &name, ec(CurveName::P256)).await;
    let deleted = client.delete_key(&name, None).await.unwrap().into_model().unwrap();
    assert!(deleted.recovery_id.unwrap().ends_with(&format!("/deletedkeys/{name}")));
    let kept = deleted.scheduled_purge_date.unwrap() - deleted.deleted_date.unwrap();
    assert_eq!(kept.whole_days(), 7);

    assert_eq!(refusal(client.get_key(&name, None).await), refused(404, "KeyNotFound", None));
    let again = client.create_key(&name, body(ec(CurveName::P256)), None).await;
    assert_eq!(refusal(again), refused(409, "Conflict", Some("ObjectIsDeletedButRecoverable")));
    let shown = client.get_deleted_key(&name, None).await.unwrap().into_model().unwrap();
    assert_eq!(shown.key.as_ref().unwrap().x, key.key.as_ref().unwrap().x);
    let options = KeyClientListDeletedKeyPropertiesOptions { maxresults: Some(2), ..Default::default() };
    let all: Vec<_> = client.list_deleted_key_properties(Some(options)).unwrap().try_collect().await.unwrap();
    let mine = |id: &Option<String>| id.as_ref().is_some_and(|id| id.ends_with(&format!("/deletedkeys/{name}")));
    assert_eq!(all.iter().filter(|key| mine(&key.recovery_id)).count(), 1);

    let recovered = client.recover_deleted_key(&name, None).await.unwrap().into_model().unwrap();
    assert_eq!(version(&recovered), version(&key));
    assert_eq!(refusal(client.get_deleted_key(&name, None).await), refused(404, "KeyNotFound", None));
    client.delete_key(&name, None).await.unwrap();
    client.purge_deleted_key(&name, None).await.unwrap();
    assert_eq!(refusal(client.purge_deleted_key(&name, None).await), refused(404, "KeyNotFound", None));
    assert_ne!(version(&create(&client, &name, ec(CurveName::P256)).await), version(&key), "the name is free");
}

#[tokio::test]
async fn a_backup_brings_a_purged_key_back_with_all_its_versions() {
    let (client, name) = (client(), name("backup"));
    create(&client, &name, ec(CurveName::P256)).await;
    let newest = create(&client, &name, ec(CurveName::P384)).await;
    let backup = client.backup_key(&name, None).await.unwrap().into_model().unwrap().value.unwrap();
    let restore = |key_backup: &[u8]| body(RestoreKeyParameters { key_backup: Some(key_backup.to_vec()) });
    assert_eq!(refusal(client.restore_key(restore(&backup), None).await).0, 409, "the name is taken");
    client.delete_key(&name, None).await.unwrap();
    client.purge_deleted_key(&name, None).await.unwrap();
    let mut damaged = backup.clone();
    *damaged.last_mut().unwrap() ^= 1;
    assert_eq!(refusal(client.restore_key(restore(&damaged), None).await), refused(400, "BadParameter", None));
    let restored = client.restore_key(restore(&backup), None).await.unwrap().into_model().unwrap();
    assert_eq!(version(&restored), version(&newest));
    assert_eq!(restored.key.unwrap().x, newest.key.unwrap().x);
    let all: Vec<_> = client.list_key_properties_versions(&name, None).unwrap().try_collect().await.unwrap();
    assert_eq!(all.len(), 2);
}
