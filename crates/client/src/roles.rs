//! Calls about roles and who has them, as in Managed HSM's local RBAC, and about settings.

use bytes::Bytes;
use hyper::Method;
use keystead_model::{Guid, Target};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use crate::client::Body;
use crate::reply::json;
use crate::{API_VERSION, Client, ClientError, Done, NextLink, Page};

type Answer<T> = Result<Done<T>, ClientError>;

/// A role: what those may do who have it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RoleDefinition {
    /// What assignments name.
    pub id: String,
    /// Its GUID.
    pub name: String,
    /// The rest.
    pub properties: RoleProperties,
}

/// What a role definition says.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct RoleProperties {
    /// Name people read.
    #[serde(default)]
    pub role_name: String,
    /// What it is for.
    #[serde(default)]
    pub description: String,
    /// `AKVBuiltInRole` or `CustomRole`.
    #[serde(default, rename = "type")]
    pub kind: String,
    /// What it permits.
    #[serde(default)]
    pub permissions: Vec<RolePermission>,
}

/// Data actions given, and those taken from them.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct RolePermission {
    /// Given.
    #[serde(default)]
    pub data_actions: Vec<String>,
    /// Taken from them.
    #[serde(default)]
    pub not_data_actions: Vec<String>,
}

/// That somebody has a role somewhere.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RoleAssignment {
    /// Its path.
    pub id: String,
    /// Its GUID.
    pub name: String,
    /// The rest.
    pub properties: AssignmentProperties,
}

/// What a role assignment says.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct AssignmentProperties {
    /// Where it holds.
    pub scope: String,
    /// The role's id.
    pub role_definition_id: String,
    /// Whom it names.
    pub principal_id: String,
}

/// A setting of the vault.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Setting {
    /// Its name.
    pub name: String,
    /// Its value, as text.
    pub value: String,
    /// `boolean`.
    #[serde(default, rename = "type")]
    pub kind: String,
}

#[derive(Deserialize)]
pub(crate) struct Settings {
    settings: Vec<Setting>,
}

#[derive(Serialize)]
struct Properties<T> {
    properties: T,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct NewAssignment<'a> {
    role_definition_id: &'a str,
    principal_id: String,
}

impl Client {
    /// All roles.
    pub async fn role_definitions(&self) -> Answer<Page<RoleDefinition>> {
        self.call_roles(Method::GET, &definitions("")).await
    }

    /// One role.
    pub async fn role_definition(&self, role: Guid) -> Answer<RoleDefinition> {
        self.call_roles(Method::GET, &definitions(&format!("/{role}"))).await
    }

    /// Makes a custom role, or makes it another one for all who have it.
    pub async fn set_role_definition(&self, role: Guid, what: &RoleProperties) -> Answer<RoleDefinition> {
        let body = Body::json(&Properties { properties: what })?;
        json(self.call(Method::PUT, &definitions(&format!("/{role}")), body).await?)
    }

    /// Removes a custom role that nobody has.
    pub async fn delete_role_definition(&self, role: Guid) -> Answer<RoleDefinition> {
        self.call_roles(Method::DELETE, &definitions(&format!("/{role}"))).await
    }

    /// The assignments at a scope, above and below it, of everybody or of one principal; the next page if a link is
    /// given.
    pub async fn role_assignments(
        &self,
        scope: &Target,
        principal: Option<Guid>,
        next: Option<&NextLink>,
    ) -> Answer<Page<RoleAssignment>> {
        let filter = principal.map(|id| format!("&$filter=principalId%20eq%20%27{id}%27")).unwrap_or_default();
        let path = match next {
            None => assignments(scope, "") + &filter,
            Some(link) => self.own_path(link)?,
        };
        self.call_roles(Method::GET, &path).await
    }

    /// Gives a principal a role.
    pub async fn assign_role(
        &self,
        scope: &Target,
        id: Guid,
        role_definition_id: &str,
        principal: Guid,
    ) -> Answer<RoleAssignment> {
        let properties = NewAssignment { role_definition_id, principal_id: principal.to_string() };
        let body = Body::json(&Properties { properties })?;
        json(self.call(Method::PUT, &assignments(scope, &format!("/{id}")), body).await?)
    }

    /// Takes a role from a principal.
    pub async fn unassign_role(&self, scope: &Target, id: Guid) -> Answer<RoleAssignment> {
        self.call_roles(Method::DELETE, &assignments(scope, &format!("/{id}"))).await
    }

    /// The vault's settings.
    pub async fn settings(&self) -> Answer<Vec<Setting>> {
        let path = format!("/settings?api-version={API_VERSION}");
        Ok(self.call_roles::<Settings>(Method::GET, &path).await?.map(|answer| answer.settings))
    }

    async fn call_roles<T: DeserializeOwned>(&self, method: Method, path: &str) -> Answer<T> {
        let done: Done<Bytes> = self.call(method, path, Body::none()).await?;
        json(done)
    }
}

fn definitions(after: &str) -> String {
    format!("/providers/Microsoft.Authorization/roleDefinitions{after}?api-version={API_VERSION}")
}

fn assignments(scope: &Target, after: &str) -> String {
    let scope = if *scope == Target::Vault { String::new() } else { scope.to_string() };
    format!("{scope}/providers/Microsoft.Authorization/roleAssignments{after}?api-version={API_VERSION}")
}
