//! Commands on roles and on who has them.

mod assign;
mod assignments;
mod define;
mod definitions;

pub use assign::{CreateRoleAssignment, DeleteRoleAssignment};
pub use assignments::{AssignmentPage, AssignmentsOf, GetRoleAssignment, ListRoleAssignments};
pub use define::{DeleteRoleDefinition, SetRoleDefinition};
pub use definitions::{GetRoleDefinition, ListRoleDefinitions};

use keystead_model::{Guid, ObjectId};

/// How records name a role or an assignment.
fn object(id: Guid) -> ObjectId {
    ObjectId::from_bytes(*id.as_bytes())
}
