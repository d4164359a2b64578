//! Make, change and remove custom roles. They live at `/`.

use super::object;
use crate::commands::ask;
use crate::error::Refusal;
use crate::policy_row::Editing;
use crate::room::Room;
use crate::run::{Effect, Execute};
use keystead_access::{Definition, Permit};
use keystead_model::{Guid, Target};

/// Makes a custom role; one that exists becomes this for all who have it.
pub struct SetRoleDefinition {
    /// What it is to be.
    pub definition: Definition,
}
ask!(SetRoleDefinition, WriteRoleDefinition, |c| Target::Vault);

impl Execute for SetRoleDefinition {
    type Output = Definition;

    async fn execute(permit: &Permit<Self>, room: &Room<'_>) -> Result<Effect<Definition>, Refusal> {
        let new = &permit.ask().definition;
        let mut editing = Editing::of(permit, room).await?;
        let made = editing.edit.define(permit.who(), new)?;
        Ok(editing.done(room, made)?.about(object(new.id), None))
    }
}

/// Removes a custom role, and takes it from all who have it.
pub struct DeleteRoleDefinition {
    /// Which.
    pub id: Guid,
}
ask!(DeleteRoleDefinition, DeleteRoleDefinition, |c| Target::Vault);

impl Execute for DeleteRoleDefinition {
    type Output = Definition;

    async fn execute(permit: &Permit<Self>, room: &Room<'_>) -> Result<Effect<Definition>, Refusal> {
        let id = permit.ask().id;
        let mut editing = Editing::of(permit, room).await?;
        let was = editing.edit.undefine(id)?;
        let taken: Vec<_> = was.assignments.iter().map(|a| format!("{} at {}", a.id, a.scope)).collect();
        let effect = editing.done(room, was.definition)?.about(object(id), None);
        Ok(match taken.as_slice() {
            [] => effect,
            all => effect.note(format!("with {} role assignments: {}", all.len(), all.join(", "))),
        })
    }
}
