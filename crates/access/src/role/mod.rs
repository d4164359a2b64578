//! Roles: what a role definition says, and what that allows.
//!
//! - [`built_in`]: Key Vault's and Managed HSM's roles, and two of our own
//! - [`custom`]: the roles of one vault, as they are stored

pub mod built_in;
pub mod custom;

pub use built_in::{
    AUDIT_READER, BUILT_IN, CRYPTO_OFFICER, CRYPTO_SERVICE_ENCRYPTION_USER, CRYPTO_USER, VAULT_ADMINISTRATOR,
};
pub use custom::{PermissionDocument, RoleDocument};

use keystead_model::{Action, DataAction, Guid};
use std::collections::BTreeSet;

/// A built-in role.
#[derive(Debug, PartialEq, Eq)]
pub struct Role {
    /// GUID in role assignments.
    pub id: &'static str,
    /// Name people read.
    pub name: &'static str,
    /// What it is for.
    pub description: &'static str,
    /// What it allows, at the scope of the assignment and below.
    pub data_actions: &'static [DataAction],
}

impl Role {
    /// The built-in role with this GUID or name.
    pub fn built_in(id_or_name: &str) -> Option<&'static Self> {
        BUILT_IN.iter().copied().find(|r| r.id.eq_ignore_ascii_case(id_or_name) || r.name == id_or_name)
    }

    /// The definitions of all of them.
    pub fn all() -> impl Iterator<Item = Definition> {
        BUILT_IN.iter().copied().map(Definition::from)
    }

    /// Its GUID. The table holds nothing else: a test parses them all.
    pub fn guid(&self) -> Guid {
        self.id.parse().unwrap_or(Guid::from_bytes([0; 16]))
    }

    /// Whether its GUID is this.
    pub fn is(&self, id: Guid) -> bool {
        self.guid() == id
    }
}

/// What a definition permits: `dataActions` less `notDataActions`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Permission {
    /// What it gives.
    pub data_actions: Vec<DataAction>,
    /// What it takes from what it gives; it takes nothing from other permissions.
    pub not_data_actions: Vec<DataAction>,
}

impl Permission {
    /// The actions it comes to.
    pub fn actions(&self) -> BTreeSet<Action> {
        let taken = actions_of(&self.not_data_actions);
        actions_of(&self.data_actions).into_iter().filter(|a| !taken.contains(a)).collect()
    }

    /// The data actions it gives and does not take by name.
    pub fn names(&self) -> impl Iterator<Item = DataAction> {
        self.data_actions.iter().copied().filter(|d| !self.not_data_actions.contains(d))
    }
}

fn actions_of(data_actions: &[DataAction]) -> BTreeSet<Action> {
    data_actions.iter().flat_map(|d| d.actions()).copied().collect()
}

/// A role definition, built-in or custom.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Definition {
    /// Its GUID.
    pub id: Guid,
    /// Name people read.
    pub name: String,
    /// What it is for.
    pub description: String,
    /// Whether it is one of this vault's own.
    pub custom: bool,
    /// What it permits, all of it together.
    pub permissions: Vec<Permission>,
}

impl Definition {
    /// The actions that all permissions together come to.
    pub fn actions(&self) -> BTreeSet<Action> {
        self.permissions.iter().flat_map(Permission::actions).collect()
    }

    /// The data actions given in all permissions.
    pub fn names(&self) -> BTreeSet<DataAction> {
        self.permissions.iter().flat_map(Permission::names).collect()
    }
}

impl From<&'static Role> for Definition {
    fn from(role: &'static Role) -> Self {
        let permission = Permission { data_actions: role.data_actions.to_vec(), not_data_actions: Vec::new() };
        Self {
            id: role.guid(),
            name: role.name.to_owned(),
            description: role.description.to_owned(),
            custom: false,
            permissions: vec![permission],
        }
    }
}
