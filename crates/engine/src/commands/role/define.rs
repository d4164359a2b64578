//! Make, change and remove custom roles. They live at `/`.

use super::object;
use crate::commands::ask;
use crate::error::Refusal;
use crate::notes;
use crate::policy_row::Editing;
use crate::room::Room;
use crate::run::{Effect, Execute};
use keystead_access::{Ask as _, Definition, Operation, Permission, Permit, Policy, Rule, Who};
use keystead_model::{DataAction, Guid, Target};
use serde_json::{Value, json};

/// Makes a custom role; one that exists becomes this for all who have it.
pub struct SetRoleDefinition {
    /// What it is to be.
    pub definition: Definition,
}
ask!(SetRoleDefinition, WriteRoleDefinition, |c| Target::Vault);

impl Execute for SetRoleDefinition {
    type Output = Definition;

    fn approval(&self, _: &Who, policy: &Policy) -> Option<Operation> {
        // The GUID of a new one is drawn for each request; that of one there is says which role becomes another.
        let id = policy.definition(self.definition.id).map(|d| d.id.to_string());
        let parameters = json!({ "id": id, "role": shown(&self.definition) });
        Some(Operation::new(&[Rule::Roles], Self::ACTION, &self.target(), &parameters))
    }

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

    fn approval(&self, _: &Who, policy: &Policy) -> Option<Operation> {
        let name = policy.definition(self.id).map(|d| d.name.as_str());
        let parameters = json!({ "id": self.id.to_string(), "name": name });
        Some(Operation::new(&[Rule::Roles], Self::ACTION, &self.target(), &parameters))
    }

    async fn execute(permit: &Permit<Self>, room: &Room<'_>) -> Result<Effect<Definition>, Refusal> {
        let id = permit.ask().id;
        let mut editing = Editing::of(permit, room).await?;
        let was = editing.edit.undefine(id)?;
        let taken: Vec<_> = was.assignments.iter().map(|a| format!("{} at {}", a.id, a.scope)).collect();
        let effect = editing.done(room, was.definition)?.about(object(id), None);
        Ok(match taken.as_slice() {
            [] => effect,
            all => effect.note(notes::taken(all)),
        })
    }
}

/// All that a role is.
fn shown(role: &Definition) -> Value {
    let names = |of: &[DataAction]| of.iter().map(|d| d.name()).collect::<Vec<_>>();
    let permission = |p: &Permission| json!({ "data_actions": names(&p.data_actions), "not_data_actions": names(&p.not_data_actions) });
    let permissions: Vec<Value> = role.permissions.iter().map(permission).collect();
    json!({ "name": role.name, "description": role.description, "permissions": permissions })
}
