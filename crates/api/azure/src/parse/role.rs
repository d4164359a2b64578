//! Requests about roles, about who has them, and about settings.
//!
//! A scope is what stands before `providers` in the path: nothing (`/`), `/keys`, or `/keys/{name}`.

use super::{Text, json, name, required};
use keystead_access::{AssignmentView, Definition, Permission};
use keystead_api_table::{BadParameter, Parts, Shown};
use keystead_engine::{
    AssignmentsOf, CreateRoleAssignment, DeleteRoleAssignment, DeleteRoleDefinition, GetRoleAssignment,
    GetRoleDefinition, GetSetting, ListRoleAssignments, ListRoleDefinitions, ListSettings, SetRoleDefinition,
    UpdateSetting,
};
use keystead_model::{DataAction, Guid, Target};
use serde::Deserialize;

/// Assignments of a page.
const PAGE: u16 = 100;
const A_GUID: &str = "a GUID";

/// `GET {scope}/providers/Microsoft.Authorization/roleDefinitions`. All of them live at `/`, so that the filter that
/// also asks for those below changes nothing.
pub fn definitions(parts: &Parts<'_>) -> Result<ListRoleDefinitions, BadParameter> {
    match parts.query("$filter") {
        None => Ok(ListRoleDefinitions),
        Some(filter) if ["atScope()", "atScopeAndBelow()"].iter().any(|f| filter.trim().eq_ignore_ascii_case(f)) => {
            Ok(ListRoleDefinitions)
        }
        Some(_) => Err(BadParameter::Malformed { what: "$filter", expected: "atScope() or atScopeAndBelow()" }),
    }
}

/// `GET .../roleDefinitions/{role}`
pub fn definition(parts: &Parts<'_>) -> Result<GetRoleDefinition, BadParameter> {
    Ok(GetRoleDefinition { id: definition_id(parts)? })
}

/// `DELETE .../roleDefinitions/{role}`
pub fn delete_definition(parts: &Parts<'_>) -> Result<DeleteRoleDefinition, BadParameter> {
    Ok(DeleteRoleDefinition { id: definition_id(parts)? })
}

#[derive(Deserialize)]
struct Body<T> {
    properties: Option<T>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct DefinitionBody<'a> {
    #[serde(borrow)]
    role_name: Option<Text<'a>>,
    #[serde(borrow)]
    description: Option<Text<'a>>,
    #[serde(borrow, rename = "type")]
    kind: Option<Text<'a>>,
    #[serde(borrow)]
    permissions: Option<Vec<PermissionBody<'a>>>,
    #[serde(borrow)]
    assignable_scopes: Option<Vec<Text<'a>>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct PermissionBody<'a> {
    #[serde(borrow)]
    actions: Option<Vec<Text<'a>>>,
    #[serde(borrow)]
    not_actions: Option<Vec<Text<'a>>>,
    #[serde(borrow)]
    data_actions: Option<Vec<Text<'a>>>,
    #[serde(borrow)]
    not_data_actions: Option<Vec<Text<'a>>>,
}

/// `PUT .../roleDefinitions/{role}`. Without a name it is named by its GUID.
pub fn set_definition(parts: &Parts<'_>) -> Result<SetRoleDefinition, BadParameter> {
    let id = id(parts, "role")?;
    let body: Body<DefinitionBody<'_>> = json(parts)?;
    let body = required(body.properties, "properties")?;
    if let Some(kind) = body.kind.filter(|k| !k.0.eq_ignore_ascii_case("CustomRole")) {
        let given = Shown::of(&kind.0);
        return Err(BadParameter::Unsupported { what: "type", given, supported: "CustomRole" });
    }
    if let Some(scope) = body.assignable_scopes.unwrap_or_default().iter().find(|s| !s.0.is_empty() && s.0 != "/") {
        let given = Shown::of(&scope.0);
        return Err(BadParameter::Unsupported { what: "assignableScopes", given, supported: "/" });
    }
    let permissions = body.permissions.unwrap_or_default().into_iter().map(permission).collect::<Result<_, _>>()?;
    let text = |t: Option<Text<'_>>| t.map(|t| t.0.into_owned());
    let name = text(body.role_name).filter(|name| !name.is_empty()).unwrap_or_else(|| id.to_string());
    let description = text(body.description).unwrap_or_default();
    Ok(SetRoleDefinition { definition: Definition { id, name, description, custom: true, permissions } })
}

fn permission(body: PermissionBody<'_>) -> Result<Permission, BadParameter> {
    let why = "a vault's roles permit data actions only";
    for (what, given) in [("actions", body.actions), ("notActions", body.not_actions)] {
        if given.is_some_and(|all| !all.is_empty()) {
            return Err(BadParameter::NotAllowed { what, why });
        }
    }
    Ok(Permission {
        data_actions: data_actions(body.data_actions, "dataActions")?,
        not_data_actions: data_actions(body.not_data_actions, "notDataActions")?,
    })
}

/// Each once, in the order given.
fn data_actions(given: Option<Vec<Text<'_>>>, what: &'static str) -> Result<Vec<DataAction>, BadParameter> {
    let supported = "the data actions that built-in role definitions name, in full";
    let mut all = Vec::new();
    for text in given.unwrap_or_default() {
        let unknown = || BadParameter::Unsupported { what, given: Shown::of(&text.0), supported };
        let found = DataAction::from_name(&text.0).ok_or_else(unknown)?;
        if !all.contains(&found) {
            all.push(found);
        }
    }
    Ok(all)
}

/// `GET {scope}/providers/Microsoft.Authorization/roleAssignments`
pub fn assignments(parts: &Parts<'_>) -> Result<ListRoleAssignments, BadParameter> {
    let bad = BadParameter::Malformed { what: "$skiptoken", expected: "the token of an earlier nextLink" };
    let after = parts.query("$skiptoken").map(|text| text.parse()).transpose().map_err(|_| bad)?;
    let of = parts.query("$filter").map_or(Ok(AssignmentsOf::default()), |text| filter(&text))?;
    Ok(ListRoleAssignments { scope: scope(parts)?, of, after, limit: PAGE })
}

/// `atScope()`, `principalId eq '{guid}'`, or both with `and`.
pub(crate) fn filter(text: &str) -> Result<AssignmentsOf, BadParameter> {
    let bad = BadParameter::Malformed { what: "$filter", expected: "atScope() or principalId eq '{GUID}'" };
    let mut of = AssignmentsOf::default();
    for term in text.split(" and ").map(str::trim) {
        let words: Vec<_> = term.split_ascii_whitespace().collect();
        match words.as_slice() {
            [at] if at.eq_ignore_ascii_case("atScope()") => of.at_scope = true,
            [id, eq, guid] if id.eq_ignore_ascii_case("principalId") && eq.eq_ignore_ascii_case("eq") => {
                let guid = guid.strip_prefix('\'').and_then(|g| g.strip_suffix('\'')).and_then(|g| g.parse().ok());
                if of.principal.is_some() || guid.is_none() {
                    return Err(bad);
                }
                of.principal = guid;
            }
            _ => return Err(bad),
        }
    }
    Ok(of)
}

/// `GET .../roleAssignments/{assignment}`
pub fn assignment(parts: &Parts<'_>) -> Result<GetRoleAssignment, BadParameter> {
    Ok(GetRoleAssignment { scope: scope(parts)?, id: assignment_id(parts)? })
}

/// `DELETE .../roleAssignments/{assignment}`
pub fn unassign(parts: &Parts<'_>) -> Result<DeleteRoleAssignment, BadParameter> {
    Ok(DeleteRoleAssignment { scope: scope(parts)?, id: assignment_id(parts)? })
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct AssignmentBody<'a> {
    #[serde(borrow)]
    role_definition_id: Option<Text<'a>>,
    #[serde(borrow)]
    principal_id: Option<Text<'a>>,
}

/// `PUT .../roleAssignments/{assignment}`. The role is named by its id, which ends in its GUID.
pub fn assign(parts: &Parts<'_>) -> Result<CreateRoleAssignment, BadParameter> {
    let (scope, id) = (scope(parts)?, id(parts, "assignment")?);
    let body: Body<AssignmentBody<'_>> = json(parts)?;
    let body = required(body.properties, "properties")?;
    let role = required(body.role_definition_id, "roleDefinitionId")?;
    let role = guid(role.0.rsplit('/').next().unwrap_or_default(), "roleDefinitionId")?;
    let principal = guid(&required(body.principal_id, "principalId")?.0, "principalId")?;
    Ok(CreateRoleAssignment { assignment: AssignmentView { id, scope, role, principal } })
}

/// `GET /settings`
pub fn settings(_: &Parts<'_>) -> Result<ListSettings, BadParameter> {
    Ok(ListSettings)
}

/// `GET /settings/{setting}`
pub fn setting(parts: &Parts<'_>) -> Result<GetSetting, BadParameter> {
    Ok(GetSetting { name: setting_name(parts) })
}

#[derive(Deserialize)]
struct SettingBody<'a> {
    #[serde(borrow)]
    value: Option<SettingValue<'a>>,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum SettingValue<'a> {
    Bool(bool),
    #[serde(borrow)]
    Text(Text<'a>),
}

/// `PATCH /settings/{setting}`. Clients write truth values as strings.
pub fn set_setting(parts: &Parts<'_>) -> Result<UpdateSetting, BadParameter> {
    let body: SettingBody<'_> = json(parts)?;
    let value = match required(body.value, "value")? {
        SettingValue::Bool(value) => value,
        SettingValue::Text(text) if text.0.eq_ignore_ascii_case("true") => true,
        SettingValue::Text(text) if text.0.eq_ignore_ascii_case("false") => false,
        SettingValue::Text(text) => {
            let given = Shown::of(&text.0);
            return Err(BadParameter::Unsupported { what: "value", given, supported: "true, false" });
        }
    };
    Ok(UpdateSetting { name: setting_name(parts), value })
}

fn setting_name(parts: &Parts<'_>) -> String {
    parts.parameter("setting").unwrap_or_default().to_owned()
}

fn scope(parts: &Parts<'_>) -> Result<Target, BadParameter> {
    if parts.parameter("name").is_some() {
        return name(parts).map(Target::Key);
    }
    let keys = parts.path().get(0).is_some_and(|first| first.eq_ignore_ascii_case("keys"));
    Ok(if keys { Target::Keys } else { Target::Vault })
}

/// Of what is only looked for: where there can be none of that name, there is none.
fn definition_id(parts: &Parts<'_>) -> Result<Guid, BadParameter> {
    sought(parts, "role", "role definition", "RoleDefinitionNotFound")
}

fn assignment_id(parts: &Parts<'_>) -> Result<Guid, BadParameter> {
    sought(parts, "assignment", "role assignment", "RoleAssignmentNotFound")
}

fn sought(
    parts: &Parts<'_>,
    parameter: &'static str,
    what: &'static str,
    code: &'static str,
) -> Result<Guid, BadParameter> {
    let given = parts.parameter(parameter).unwrap_or_default();
    given.parse().map_err(|_| BadParameter::NoSuch { what, code, given: Shown::of(given) })
}

/// Of what is to be made.
fn id(parts: &Parts<'_>, what: &'static str) -> Result<Guid, BadParameter> {
    guid(parts.parameter(what).unwrap_or_default(), what)
}

fn guid(text: &str, what: &'static str) -> Result<Guid, BadParameter> {
    text.parse().map_err(|_| BadParameter::Malformed { what, expected: A_GUID })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::parts;

    const ID: &str = "6f1c2f0e-5d0b-4f0e-9a53-0d7c3f9b2a11";
    const PATH: &str = "/providers/Microsoft.Authorization/roleAssignments";

    fn define(body: &str) -> Result<SetRoleDefinition, BadParameter> {
        let pattern = "/providers/Microsoft.Authorization/roleDefinitions/{role}";
        parts(&format!("/providers/Microsoft.Authorization/roleDefinitions/{ID}"), pattern, body, set_definition)
    }

    fn list(filter: &str) -> Result<ListRoleAssignments, BadParameter> {
        parts(&format!("{PATH}?$filter={filter}"), PATH, "", assignments)
    }

    #[test]
    fn a_filter_is_understood_in_full_or_refused() {
        let id = ID.parse().ok();
        for (text, at_scope, principal) in [
            ("", false, None),
            ("atScope()", true, None),
            ("ATSCOPE()", true, None),
            ("principalId%20eq%20%276f1c2f0e-5d0b-4f0e-9a53-0d7c3f9b2a11%27", false, id),
            ("principalId+eq+'6f1c2f0e-5d0b-4f0e-9a53-0d7c3f9b2a11'", false, id),
            ("atScope()+and+principalId+eq+'6F1C2F0E-5d0b-4f0e-9a53-0d7c3f9b2a11'", true, id),
        ] {
            assert_eq!(list(text).unwrap().of, AssignmentsOf { at_scope, principal }, "{text}");
        }
        for bad in [
            "principalId",
            "principalId+eq+6f1c2f0e-5d0b-4f0e-9a53-0d7c3f9b2a11",
            "principalId+eq+'x'",
            "principalId+ne+'6f1c2f0e-5d0b-4f0e-9a53-0d7c3f9b2a11'",
            "atScope()+or+atScope()",
            "assignedTo('x')",
            "+and+",
        ] {
            assert!(list(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn a_definition_without_a_name_has_its_guid_and_what_is_absent_is_empty() {
        let made = define(r#"{"properties":{"roleName":null,"permissions":null}}"#).unwrap().definition;
        assert_eq!((made.name.as_str(), made.description.as_str()), (ID, ""));
        assert!(made.permissions.is_empty() && made.custom);
        let sign = "microsoft.keyvault/MANAGEDHSM/keys/sign/action";
        let body = format!(
            r#"{{"properties":{{"roleName":"Signer","type":"CustomRole","assignableScopes":["/"],
                "permissions":[{{"actions":[],"dataActions":["{sign}","{sign}"],"x":1}}]}},"y":2}}"#
        );
        assert_eq!(define(&body).unwrap().definition.permissions[0].data_actions, [DataAction::HsmKeysSign]);
    }

    #[test]
    fn what_is_sought_by_a_name_that_is_no_guid_is_not_there_and_nothing_is_made_under_it() {
        const ROLE: &str = "/providers/Microsoft.Authorization/roleDefinitions/{role}";
        const ASSIGNMENT: &str = "/providers/Microsoft.Authorization/roleAssignments/{assignment}";
        let of = |pattern: &str| pattern.replace("{role}", "foobar").replace("{assignment}", "foobar");
        let not_found = |why: Option<BadParameter>, code| match why {
            Some(BadParameter::NoSuch { code: found, .. }) => found == code,
            _ => false,
        };
        assert!(not_found(parts(&of(ROLE), ROLE, "", definition).err(), "RoleDefinitionNotFound"));
        assert!(not_found(parts(&of(ROLE), ROLE, "", delete_definition).err(), "RoleDefinitionNotFound"));
        assert!(not_found(parts(&of(ASSIGNMENT), ASSIGNMENT, "", assignment).err(), "RoleAssignmentNotFound"));
        assert!(not_found(parts(&of(ASSIGNMENT), ASSIGNMENT, "", unassign).err(), "RoleAssignmentNotFound"));
        let malformed = |why: Option<BadParameter>| matches!(why, Some(BadParameter::Malformed { .. }));
        assert!(malformed(parts(&of(ROLE), ROLE, r#"{"properties":{}}"#, set_definition).err()));
        assert!(malformed(parts(&of(ASSIGNMENT), ASSIGNMENT, r#"{"properties":{}}"#, assign).err()));
    }

    #[test]
    fn a_settings_value_is_a_truth_value_or_its_name() {
        let set = |body: &str| parts("/settings/Some", "/settings/{setting}", body, set_setting);
        for (body, value) in [
            (r#"{"value":"true"}"#, true),
            (r#"{"value":"False"}"#, false),
            (r#"{"value":true,"type":"boolean"}"#, true),
        ] {
            let ask = set(body).unwrap();
            assert_eq!((ask.name.as_str(), ask.value), ("Some", value), "{body}");
        }
        for body in ["", "{}", r#"{"value":null}"#, r#"{"value":1}"#, r#"{"value":"yes"}"#] {
            assert!(set(body).is_err(), "{body}");
        }
    }

    #[test]
    fn what_would_be_ignored_to_harm_is_refused() {
        for body in [
            r#"{"properties":{"type":"AKVBuiltInRole"}}"#,
            r#"{"properties":{"assignableScopes":["/keys"]}}"#,
            r#"{"properties":{"permissions":[{"actions":["*"]}]}}"#,
            r#"{"properties":{"permissions":[{"notActions":["*"]}]}}"#,
            r#"{"properties":{"permissions":[{"dataActions":["Microsoft.KeyVault/managedHsm/keys/*"]}]}}"#,
            r#"{"properties":{"permissions":[{"notDataActions":["keys/sign/action"]}]}}"#,
            "{}",
        ] {
            assert!(define(body).is_err(), "{body}");
        }
    }

    #[test]
    fn an_assignment_names_scope_role_and_principal() {
        let role = "4bd23610-cdcf-4971-bdee-bdc562cc28e4";
        for prefix in ["Microsoft.KeyVault/providers/Microsoft.Authorization/roleDefinitions/", "/x/", ""] {
            let body =
                format!(r#"{{"properties":{{"roleDefinitionId":"{prefix}{role}","principalId":"{ID}","n":null}}}}"#);
            for (path, pattern, scope) in [
                (format!("/{PATH}"), PATH.to_owned(), "/"),
                (format!("/Keys{PATH}"), format!("/keys{PATH}"), "/keys"),
                (format!("/keys/Pay{PATH}"), format!("/keys/{{name}}{PATH}"), "/keys/Pay"),
            ] {
                let pattern: &'static str = Box::leak(format!("{pattern}/{{assignment}}").into_boxed_str());
                let made = parts(&format!("{path}/{ID}"), pattern, &body, assign).unwrap().assignment;
                assert_eq!((made.scope.to_string().as_str(), made.role.to_string().as_str()), (scope, role));
                assert_eq!((made.id, made.principal), (ID.parse().unwrap(), ID.parse().unwrap()));
            }
        }
    }
}
