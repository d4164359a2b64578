//! Custom roles as they are stored: nothing in them is proven yet.

use super::{Definition, Permission};
use keystead_model::{DataAction, Guid};
use minicbor::{Decode, Encode};
use thiserror::Error;

/// Most characters of a role's name.
pub const MAX_NAME: usize = 128;
/// Most characters of a description.
pub const MAX_DESCRIPTION: usize = 1024;
/// Most permissions of one definition.
pub const MAX_PERMISSIONS: usize = 16;

/// A custom role as it is stored.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
#[cbor(map)]
pub struct RoleDocument {
    /// Its GUID.
    #[cbor(n(0), with = "minicbor::bytes")]
    pub id: [u8; 16],
    /// Name people read.
    #[n(1)]
    pub name: String,
    /// What it is for.
    #[n(2)]
    pub description: String,
    /// What it permits.
    #[n(3)]
    pub permissions: Vec<PermissionDocument>,
}

/// A permission as it is stored: codes of data actions.
#[derive(Debug, Clone, Default, PartialEq, Eq, Encode, Decode)]
#[cbor(map)]
pub struct PermissionDocument {
    /// What it gives.
    #[n(0)]
    pub data_actions: Vec<u16>,
    /// What it takes from that.
    #[n(1)]
    pub not_data_actions: Vec<u16>,
}

/// A document that cannot be a custom role.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum BadRole {
    /// A built-in role's GUID or name.
    #[error("'{name}' has the GUID or the name of a built-in role: choose others")]
    BuiltIn {
        /// The role's name.
        name: String,
    },
    /// No name, or too much of something.
    #[error("{what}")]
    OverBound {
        /// The bound, in words.
        what: &'static str,
    },
    /// A code that this release does not know.
    #[error("'{name}' names the data action {code}, which this release does not know")]
    UnknownDataAction {
        /// The role's name.
        name: String,
        /// The code.
        code: u16,
    },
    /// A data action of the vault's administrators.
    #[error("a custom role cannot hold {data_action}: it belongs to the administrators of the vault")]
    NotForCustomRoles {
        /// Which.
        data_action: DataAction,
    },
}

impl RoleDocument {
    /// Checks it.
    pub fn check(&self) -> Result<Definition, BadRole> {
        let over = |what| Err(BadRole::OverBound { what });
        if self.name.is_empty() || self.name.chars().count() > MAX_NAME || self.name.chars().any(char::is_control) {
            return over("a role's name has 1 to 128 characters and no control characters");
        }
        if self.description.chars().count() > MAX_DESCRIPTION {
            return over("a role's description has at most 1024 characters");
        }
        if self.permissions.len() > MAX_PERMISSIONS {
            return over("a role has at most 16 permissions");
        }
        let id = Guid::from_bytes(self.id);
        if super::BUILT_IN.iter().any(|r| r.is(id) || r.name.eq_ignore_ascii_case(&self.name)) {
            return Err(BadRole::BuiltIn { name: self.name.clone() });
        }
        let permissions = self.permissions.iter().map(|p| self.permission(p)).collect::<Result<_, _>>()?;
        let (name, description) = (self.name.clone(), self.description.clone());
        Ok(Definition { id, name, description, custom: true, permissions })
    }

    fn permission(&self, p: &PermissionDocument) -> Result<Permission, BadRole> {
        let data_actions = self.known(&p.data_actions)?;
        if let Some(data_action) = data_actions.iter().copied().find(|d| !d.in_custom_roles()) {
            return Err(BadRole::NotForCustomRoles { data_action });
        }
        Ok(Permission { data_actions, not_data_actions: self.known(&p.not_data_actions)? })
    }

    fn known(&self, codes: &[u16]) -> Result<Vec<DataAction>, BadRole> {
        if codes.len() > DataAction::ALL.len() {
            return Err(BadRole::OverBound { what: "a permission names each data action at most once" });
        }
        let unknown = |code| BadRole::UnknownDataAction { name: self.name.clone(), code };
        codes.iter().map(|code| DataAction::from_code(*code).ok_or_else(|| unknown(*code))).collect()
    }
}

impl From<&Definition> for RoleDocument {
    fn from(d: &Definition) -> Self {
        let codes = |all: &[DataAction]| all.iter().map(|d| d.code()).collect();
        let permission = |p: &Permission| PermissionDocument {
            data_actions: codes(&p.data_actions),
            not_data_actions: codes(&p.not_data_actions),
        };
        Self {
            id: *d.id.as_bytes(),
            name: d.name.clone(),
            description: d.description.clone(),
            permissions: d.permissions.iter().map(permission).collect(),
        }
    }
}
