//! Read who has which role.

use super::object;
use crate::commands::{ask, no_approval};
use crate::error::Refusal;
use crate::room::Room;
use crate::run::{Effect, Execute};
use keystead_access::{AssignmentView, NotChanged, Permit};
use keystead_model::{Guid, Target};

/// Which assignments are listed, of those that bear on a scope.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct AssignmentsOf {
    /// Only those at the scope or above: what holds there.
    pub at_scope: bool,
    /// Only this principal's.
    pub principal: Option<Guid>,
}

/// Lists the assignments at a scope, above and below it, in the order of their ids.
pub struct ListRoleAssignments {
    /// Which scope.
    pub scope: Target,
    /// Which of them.
    pub of: AssignmentsOf,
    /// Where to start: after this id.
    pub after: Option<Guid>,
    /// Most items.
    pub limit: u16,
}
ask!(ListRoleAssignments, ReadRoleAssignments, |c| c.scope.clone());

/// One page of assignments.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AssignmentPage {
    /// What it holds.
    pub items: Vec<AssignmentView>,
    /// After which id the next page starts, if there is one.
    pub next: Option<Guid>,
}

impl ListRoleAssignments {
    fn lists(&self, a: &AssignmentView) -> bool {
        let bears = a.scope.covers(&self.scope) || (!self.of.at_scope && self.scope.covers(&a.scope));
        bears && self.of.principal.is_none_or(|p| p == a.principal) && self.after.is_none_or(|after| a.id > after)
    }
}

impl Execute for ListRoleAssignments {
    type Output = AssignmentPage;
    no_approval!();

    async fn execute(permit: &Permit<Self>, room: &Room<'_>) -> Result<Effect<AssignmentPage>, Refusal> {
        let (ask, policy) = (permit.ask(), room.open().policy.load());
        let mut items: Vec<_> = policy.assignments().filter(|a| ask.lists(a)).collect();
        items.sort_by_key(|a| a.id);
        let more = items.len() > usize::from(ask.limit);
        items.truncate(usize::from(ask.limit));
        let next = items.last().filter(|_| more).map(|a| a.id);
        Ok(Effect::read(AssignmentPage { items, next }))
    }
}

/// Reads one assignment, at exactly its scope.
pub struct GetRoleAssignment {
    /// Where it holds.
    pub scope: Target,
    /// Which.
    pub id: Guid,
}
ask!(GetRoleAssignment, ReadRoleAssignments, |c| c.scope.clone());

impl Execute for GetRoleAssignment {
    type Output = AssignmentView;
    no_approval!();

    async fn execute(permit: &Permit<Self>, room: &Room<'_>) -> Result<Effect<AssignmentView>, Refusal> {
        let ask = permit.ask();
        let found = room.open().policy.load().assignment(&ask.scope, ask.id);
        let found = found.ok_or(NotChanged::AssignmentNotFound { id: ask.id })?;
        Ok(Effect::read(found).about(object(ask.id), None))
    }
}
