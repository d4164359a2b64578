//! Role definitions, role assignments and settings.

use crate::parse::role::filter;
use keystead_access::{AssignmentView, Definition, Permission};
use keystead_api_table::{Body, Context, Parts};
use keystead_engine::{AssignmentPage, Setting};
use keystead_model::{Guid, Target};
use serde::Serialize;

const DEFINITIONS: &str = "Microsoft.KeyVault/providers/Microsoft.Authorization/roleDefinitions";
const ASSIGNMENTS: &str = "providers/Microsoft.Authorization/roleAssignments";

#[derive(Serialize)]
struct List<T> {
    value: Vec<T>,
    #[serde(rename = "nextLink", skip_serializing_if = "Option::is_none")]
    next_link: Option<String>,
}

#[derive(Serialize)]
struct Named<T> {
    id: String,
    name: String,
    #[serde(rename = "type")]
    kind: &'static str,
    properties: T,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct DefinitionProperties {
    role_name: String,
    description: String,
    #[serde(rename = "type")]
    kind: &'static str,
    assignable_scopes: [&'static str; 1],
    permissions: Vec<PermissionProperties>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct PermissionProperties {
    actions: [&'static str; 0],
    not_actions: [&'static str; 0],
    data_actions: Vec<&'static str>,
    not_data_actions: Vec<&'static str>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct AssignmentProperties {
    scope: String,
    role_definition_id: String,
    principal_id: String,
}

/// All roles: they fit one page.
pub fn definitions(all: Vec<Definition>, _: &Context<'_>) -> Body {
    Body::json(&List { value: all.into_iter().map(described).collect(), next_link: None })
}

/// One role.
pub fn definition(definition: Definition, _: &Context<'_>) -> Body {
    Body::json(&described(definition))
}

fn described(d: Definition) -> Named<DefinitionProperties> {
    Named {
        id: definition_id(d.id),
        name: d.id.to_string(),
        kind: "Microsoft.Authorization/roleDefinitions",
        properties: DefinitionProperties {
            role_name: d.name,
            description: d.description,
            kind: if d.custom { "CustomRole" } else { "AKVBuiltInRole" },
            assignable_scopes: ["/"],
            permissions: d.permissions.iter().map(permission).collect(),
        },
    }
}

fn permission(p: &Permission) -> PermissionProperties {
    PermissionProperties {
        actions: [],
        not_actions: [],
        data_actions: p.data_actions.iter().map(|d| d.name()).collect(),
        not_data_actions: p.not_data_actions.iter().map(|d| d.name()).collect(),
    }
}

fn definition_id(id: Guid) -> String {
    format!("{DEFINITIONS}/{id}")
}

/// A page of assignments. The link to the next one repeats the filter.
pub fn assignments(page: AssignmentPage, context: &Context<'_>) -> Body {
    let next_link = page.next.map(|after| {
        let parts = &context.parts;
        let path = parts.path().iter().collect::<Vec<_>>().join("/");
        let version = parts.query("api-version").unwrap_or_default();
        let (base, filter) = (context.base(), again(parts));
        format!("{base}/{path}?api-version={version}&$skiptoken={after}{filter}")
    });
    Body::json(&List { value: page.items.iter().map(assigned).collect(), next_link })
}

/// The filter of a request, for the next one: empty, or a parameter that every client quotes in the same way.
fn again(parts: &Parts<'_>) -> String {
    let of = parts.query("$filter").and_then(|text| filter(&text).ok()).unwrap_or_default();
    let principal = of.principal.map(|id| format!("principalId%20eq%20%27{id}%27"));
    let terms: Vec<_> = of.at_scope.then(|| "atScope()".to_owned()).into_iter().chain(principal).collect();
    if terms.is_empty() { String::new() } else { format!("&$filter={}", terms.join("%20and%20")) }
}

/// One assignment.
pub fn assignment(view: AssignmentView, _: &Context<'_>) -> Body {
    Body::json(&assigned(&view))
}

fn assigned(view: &AssignmentView) -> Named<AssignmentProperties> {
    let scope = view.scope.to_string();
    let before = if view.scope == Target::Vault { "" } else { scope.as_str() };
    Named {
        id: format!("{before}/{ASSIGNMENTS}/{}", view.id),
        name: view.id.to_string(),
        kind: "Microsoft.Authorization/roleAssignments",
        properties: AssignmentProperties {
            role_definition_id: definition_id(view.role),
            principal_id: view.principal.to_string(),
            scope,
        },
    }
}

#[derive(Serialize)]
struct Settings {
    settings: Vec<ShownSetting>,
}

#[derive(Serialize)]
struct ShownSetting {
    name: &'static str,
    value: &'static str,
    #[serde(rename = "type")]
    kind: &'static str,
}

/// All settings.
pub fn settings(all: Vec<Setting>, _: &Context<'_>) -> Body {
    Body::json(&Settings { settings: all.into_iter().map(shown).collect() })
}

/// One setting.
pub fn setting(setting: Setting, _: &Context<'_>) -> Body {
    Body::json(&shown(setting))
}

/// The value is a string, whatever its type.
fn shown(setting: Setting) -> ShownSetting {
    ShownSetting { name: setting.name, value: if setting.value { "true" } else { "false" }, kind: "boolean" }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::parse;
    use crate::testing::{context, parts};

    const PATH: &str = "/keys/{name}/providers/Microsoft.Authorization/roleAssignments";

    #[test]
    fn the_link_to_the_next_page_asks_for_the_same_assignments() {
        let id = "6f1c2f0e-5d0b-4f0e-9a53-0d7c3f9b2a11";
        for filter in ["", "atScope()", "principalId+eq+'ID'", "atScope()%20and%20principalId%20eq%20%27ID%27"] {
            let filter = filter.replace("ID", id);
            let target = format!(
                "//keys/Pay/providers/Microsoft.Authorization/roleAssignments?api-version=7.6&$filter={filter}"
            );
            let page = AssignmentPage { items: Vec::new(), next: id.parse().ok() };
            let body = context(&target, PATH, "", |c| assignments(page, c));
            let body: serde_json::Value = serde_json::from_slice(body.bytes()).unwrap();
            let link = body["nextLink"].as_str().unwrap();
            let first = parts(&target, PATH, "", parse::role::assignments).unwrap();
            let next = parts(link, PATH, "", parse::role::assignments).unwrap();
            assert_eq!((next.scope, next.of, next.after), (first.scope, first.of, id.parse().ok()), "{link}");
        }
    }
}
