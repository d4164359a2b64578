//! Read which roles there are.

use super::object;
use crate::commands::{ask, no_approval};
use crate::error::Refusal;
use crate::room::Room;
use crate::run::{Effect, Execute};
use keystead_access::{Definition, NotChanged, Permit};
use keystead_model::{Guid, Target};

/// Lists all roles: the built-in ones, then the vault's own.
pub struct ListRoleDefinitions;
ask!(ListRoleDefinitions, ReadRoleDefinitions, |c| Target::Vault);

impl Execute for ListRoleDefinitions {
    type Output = Vec<Definition>;
    no_approval!();

    async fn execute(_: &Permit<Self>, room: &Room<'_>) -> Result<Effect<Vec<Definition>>, Refusal> {
        Ok(Effect::read(room.open().policy.load().definitions().cloned().collect()))
    }
}

/// Reads one role.
pub struct GetRoleDefinition {
    /// Which.
    pub id: Guid,
}
ask!(GetRoleDefinition, ReadRoleDefinitions, |c| Target::Vault);

impl Execute for GetRoleDefinition {
    type Output = Definition;
    no_approval!();

    async fn execute(permit: &Permit<Self>, room: &Room<'_>) -> Result<Effect<Definition>, Refusal> {
        let id = permit.ask().id;
        let found = room.open().policy.load().definition(id).cloned();
        let found = found.ok_or(NotChanged::RoleNotFound { id })?;
        Ok(Effect::read(found).about(object(id), None))
    }
}
