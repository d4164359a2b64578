//! What each call about roles sends, and what it makes of the answer.

use crate::support::{RECEIPT, answer, open_vault};
use keystead_client::{RolePermission, RoleProperties};
use keystead_model::{Guid, Target};

const ID: &str = "6f1c2f0e-5d0b-4f0e-9a53-0d7c3f9b2a11";
const BASE: &str = "/providers/Microsoft.Authorization";
const V: &str = "?api-version=2025-07-01";

#[tokio::test]
async fn roles_and_assignments_are_asked_for_as_managed_hsm_does() {
    let vault = open_vault().await;
    let client = vault.anonymous();
    let id: Guid = ID.parse().unwrap();
    let role =
        format!(r#"{{"id":"x/{ID}","name":"{ID}","type":"t","properties":{{"roleName":"R","type":"CustomRole"}}}}"#);
    let held = format!(
        r#"{{"id":"/keys/x","name":"{ID}","properties":{{"scope":"/keys","roleDefinitionId":"x/1","principalId":"{ID}"}}}}"#
    );
    let sent = || vault.take_seen().into_iter().map(|s| (s.line, s.body)).collect::<Vec<_>>();
    let list = |item: &str| format!(r#"{{"value":[{item}]}}"#);

    vault.then(answer(200, &list(&role)));
    assert_eq!(client.role_definitions().await.unwrap().value.value[0].properties.role_name, "R");
    vault.then(answer(200, &role));
    client.role_definition(id).await.unwrap();
    vault.then(answer(201, &role));
    let permission = RolePermission { data_actions: vec!["a".into()], not_data_actions: Vec::new() };
    let what = RoleProperties { role_name: "R".into(), permissions: vec![permission], ..RoleProperties::default() };
    assert_eq!(client.set_role_definition(id, &what).await.unwrap().receipt.as_deref(), Some(RECEIPT));
    vault.then(answer(200, &role));
    client.delete_role_definition(id).await.unwrap();
    let seen = sent();
    let lines: Vec<_> = seen.iter().map(|s| s.0.as_str()).collect();
    assert_eq!(
        lines,
        [
            format!("GET {BASE}/roleDefinitions{V}"),
            format!("GET {BASE}/roleDefinitions/{ID}{V}"),
            format!("PUT {BASE}/roleDefinitions/{ID}{V}"),
            format!("DELETE {BASE}/roleDefinitions/{ID}{V}"),
        ]
    );
    assert!(seen[2].1.starts_with(r#"{"properties":{"roleName":"R""#), "{}", seen[2].1);

    let key: Target = "/keys/Pay".parse().unwrap();
    vault.then(answer(200, &list(&held)));
    client.role_assignments(&key, Some(id), None).await.unwrap();
    vault.then(answer(201, &held));
    assert_eq!(client.assign_role(&Target::Keys, id, "x/1", id).await.unwrap().value.properties.scope, "/keys");
    vault.then(answer(200, &held));
    client.unassign_role(&Target::Vault, id).await.unwrap();
    let seen = sent();
    let lines: Vec<_> = seen.iter().map(|s| s.0.as_str()).collect();
    assert_eq!(
        lines,
        [
            format!("GET /keys/Pay{BASE}/roleAssignments{V}&$filter=principalId%20eq%20%27{ID}%27"),
            format!("PUT /keys{BASE}/roleAssignments/{ID}{V}"),
            format!("DELETE {BASE}/roleAssignments/{ID}{V}"),
        ]
    );
    assert_eq!(seen[1].1, format!(r#"{{"properties":{{"roleDefinitionId":"x/1","principalId":"{ID}"}}}}"#));

    vault.then(answer(200, r#"{"settings":[{"name":"S","value":"false","type":"boolean"}]}"#));
    assert_eq!(client.settings().await.unwrap().value[0].value, "false");
}
