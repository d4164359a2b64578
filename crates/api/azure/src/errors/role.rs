//! What changes of roles are refused with. Codes are Azure Resource Manager's where it has one.

use super::{bad, conflict, forbidden, sentence};
use hyper::StatusCode;
use keystead_access::NotChanged;
use keystead_api_table::Reply;

/// The one match.
pub(super) fn not_changed(why: &NotChanged) -> Reply {
    let text = sentence(why);
    let with = |status, code| Reply::error(status, code, None, &text);
    match why {
        NotChanged::RoleNotFound { .. } => with(StatusCode::NOT_FOUND, "RoleDefinitionNotFound"),
        NotChanged::AssignmentNotFound { .. } => with(StatusCode::NOT_FOUND, "RoleAssignmentNotFound"),
        NotChanged::AssignmentExists { .. } => with(StatusCode::CONFLICT, "RoleAssignmentExists"),
        NotChanged::AssignmentFixed => with(StatusCode::CONFLICT, "RoleAssignmentUpdateNotPermitted"),
        NotChanged::NameTaken => with(StatusCode::CONFLICT, "RoleDefinitionWithSameNameExists"),
        NotChanged::Full { .. } => with(StatusCode::CONFLICT, "RoleLimitExceeded"),
        NotChanged::LastAdministrator => conflict(Some("LastAdministrator"), &text),
        NotChanged::AdministratorsOnly | NotChanged::Beyond { .. } => forbidden("ForbiddenByRbac", &text),
        NotChanged::BuiltIn | NotChanged::AdministratorBelow | NotChanged::Role(_) => bad(&text),
        NotChanged::Damaged(_) => forbidden("StoredRecordDamaged", &text),
    }
}
