//! Give a role to somebody, and take it away. Both count from the answer on.

use super::object;
use crate::commands::ask;
use crate::error::Refusal;
use crate::policy_row::Editing;
use crate::room::Room;
use crate::run::{Effect, Execute};
use keystead_access::{AssignmentView, Permit};
use keystead_model::{Guid, Target};

/// Gives a principal a role at a scope. Asked for again under the same id it changes nothing.
pub struct CreateRoleAssignment {
    /// What it is to be.
    pub assignment: AssignmentView,
}
ask!(CreateRoleAssignment, WriteRoleAssignment, |c| c.assignment.scope.clone());

impl Execute for CreateRoleAssignment {
    type Output = AssignmentView;

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

    async fn execute(permit: &Permit<Self>, room: &Room<'_>) -> Result<Effect<AssignmentView>, Refusal> {
        let ask = permit.ask();
        let mut editing = Editing::of(permit, room).await?;
        let was = editing.edit.unassign(permit.who(), &ask.scope, ask.id)?;
        Ok(editing.done(room, was)?.about(object(ask.id), None))
    }
}
