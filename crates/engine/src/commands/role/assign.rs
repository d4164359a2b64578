//! Give a role to somebody, and take it away. Both count from the answer on.

use super::object;
use crate::commands::ask;
use crate::error::Refusal;
use crate::policy_row::Editing;
use crate::room::Room;
use crate::run::{Effect, Execute};
use keystead_access::{Ask as _, AssignmentView, Operation, Permit, Policy, Rule, Who};
use keystead_model::{Action, Guid, Target};
use serde_json::json;

/// Gives a principal a role at a scope. Asked for again under the same id it changes nothing.
pub struct CreateRoleAssignment {
    /// What it is to be.
    pub assignment: AssignmentView,
}
ask!(CreateRoleAssignment, WriteRoleAssignment, |c| c.assignment.scope.clone());

impl Execute for CreateRoleAssignment {
    type Output = AssignmentView;

    fn approval(&self, _: &Who, policy: &Policy) -> Option<Operation> {
        Some(operation(Self::ACTION, &self.assignment, policy))
    }

    async fn execute(permit: &Permit<Self>, room: &Room<'_>) -> Result<Effect<AssignmentView>, Refusal> {
        let new = &permit.ask().assignment;
        let mut editing = Editing::of(permit, room).await?;
        let effect = match editing.edit.assign(permit.who(), new)? {
            true => editing.done(room, new.clone())?,
            false => Effect::read(new.clone()),
        };
        Ok(effect.about(object(new.id), None))
    }
}

/// Takes a role from a principal.
pub struct DeleteRoleAssignment {
    /// Where it holds.
    pub scope: Target,
    /// Which.
    pub id: Guid,
}
ask!(DeleteRoleAssignment, DeleteRoleAssignment, |c| c.scope.clone());

impl Execute for DeleteRoleAssignment {
    type Output = AssignmentView;

    fn approval(&self, _: &Who, policy: &Policy) -> Option<Operation> {
        match policy.assignment(&self.scope, self.id) {
            Some(found) => Some(operation(Self::ACTION, &found, policy)),
            None => {
                let parameters = json!({ "id": self.id.to_string() });
                Some(Operation::new(&[Rule::Roles, Rule::Policy], Self::ACTION, &self.scope, &parameters))
            }
        }
    }

    async fn execute(permit: &Permit<Self>, room: &Room<'_>) -> Result<Effect<AssignmentView>, Refusal> {
        let ask = permit.ask();
        let mut editing = Editing::of(permit, room).await?;
        let was = editing.edit.unassign(permit.who(), &ask.scope, ask.id)?;
        Ok(editing.done(room, was)?.about(object(ask.id), None))
    }
}

/// A role that somebody gets or loses. The assignment's own GUID decides nothing, and clients draw another for each
/// request. Whoever makes or removes administrators changes the policy, too.
fn operation(action: Action, of: &AssignmentView, policy: &Policy) -> Operation {
    let rules: &[Rule] = match policy.makes_administrators(of.role) {
        true => &[Rule::Roles, Rule::Policy],
        false => &[Rule::Roles],
    };
    let name = policy.definition(of.role).map(|d| d.name.as_str());
    let parameters = json!({ "role": of.role.to_string(), "role_name": name, "principal": of.principal.to_string() });
    Operation::new(rules, action, &of.scope, &parameters)
}
