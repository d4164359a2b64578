//! One match for each way a request to our own REST can fail. The bodies have the shape of Key Vault's errors, so that
//! one client reads both.

use hyper::StatusCode;
use keystead_access::BadPolicy;
use keystead_api_table::{BadParameter, Context, Reply, not_approved};
use keystead_engine::{BackupError, Refusal, TurnedAway};

/// Refused after the decision.
pub fn refusal(why: &Refusal, _: &Context<'_>) -> Reply {
    of_refusal(why)
}

/// Turned away before it.
pub fn turned_away(why: &TurnedAway, _: &Context<'_>) -> Reply {
    of_turned_away(why)
}

/// The request cannot become a command.
pub fn bad_parameter(why: &BadParameter, _: &Context<'_>) -> Reply {
    Reply::error(StatusCode::BAD_REQUEST, "BadParameter", None, why.to_string())
}

pub(crate) fn of_refusal(why: &Refusal) -> Reply {
    let text = why.to_string();
    match why {
        Refusal::Denied(denial) => {
            let text = format!("The caller may not do '{}' on '{}'.", denial.action, denial.target);
            Reply::error(StatusCode::FORBIDDEN, "Forbidden", Some("ForbiddenByRbac"), text)
        }
        Refusal::Role(_) => Reply::error(StatusCode::CONFLICT, "Conflict", None, text),
        Refusal::SettingNotFound { .. } => Reply::error(StatusCode::NOT_FOUND, "SettingNotFound", None, text),
        Refusal::UnknownLog => Reply::error(StatusCode::NOT_FOUND, "LogNotFound", None, text),
        Refusal::KeyNotFound { .. } | Refusal::DeletedKeyNotFound { .. } => {
            Reply::error(StatusCode::NOT_FOUND, "KeyNotFound", None, text)
        }
        Refusal::NotInPolicy { .. } => Reply::error(StatusCode::NOT_FOUND, "NotFound", None, text),
        Refusal::PolicyRefused(why) if matches!(**why, BadPolicy::Twice { .. }) => {
            Reply::error(StatusCode::CONFLICT, "Conflict", None, text)
        }
        Refusal::PolicyRefused(_) => Reply::error(StatusCode::BAD_REQUEST, "BadParameter", None, text),
        Refusal::Approval(why) => not_approved(why),
        Refusal::ClockMoved => Reply::error(StatusCode::CONFLICT, "ClockMoved", None, text),
        Refusal::Backup(why) => {
            let status = match why {
                BackupError::NoSuchJob | BackupError::NotFound => StatusCode::NOT_FOUND,
                BackupError::Running { .. } | BackupError::Older { .. } => StatusCode::CONFLICT,
                _ => StatusCode::BAD_REQUEST,
            };
            Reply::error(status, why.name(), None, text)
        }
        Refusal::Domain(why) => Reply::error(StatusCode::CONFLICT, why.name(), None, text),
        Refusal::NameReserved { .. } | Refusal::NameTaken { .. } | Refusal::Conflict => {
            Reply::error(StatusCode::CONFLICT, "Conflict", None, text)
        }
        Refusal::KeyDisabled { .. }
        | Refusal::KeyExpired { .. }
        | Refusal::KeyNotYetValid { .. }
        | Refusal::OperationNotPermitted { .. }
        | Refusal::UsesExhausted
        | Refusal::PurgeProtected
        | Refusal::Damaged => Reply::error(StatusCode::FORBIDDEN, "Forbidden", None, text),
        Refusal::WrongAlgorithm { .. }
        | Refusal::BadLength { .. }
        | Refusal::DecryptFailed
        | Refusal::BadOperations { .. }
        | Refusal::BadDates
        | Refusal::BadImport(_)
        | Refusal::BadBackup(_)
        | Refusal::BadRotationPolicy { .. }
        | Refusal::BadRelease(_)
        | Refusal::ImportAlone
        | Refusal::ImportSettled
        | Refusal::NoHsm
        | Refusal::HsmCannot { .. }
        | Refusal::Hsm(_)
        | Refusal::OverBound { .. }
        | Refusal::BadPageToken => Reply::error(StatusCode::BAD_REQUEST, "BadParameter", None, text),
        Refusal::Busy => throttled(&text, 1),
        Refusal::Deadline => unavailable(&text, 1),
        Refusal::HsmAway(_) => unavailable(&text, 2),
        Refusal::StoreFull | Refusal::Unavailable => unavailable(&text, 10),
        Refusal::Fault => Reply::error(StatusCode::INTERNAL_SERVER_ERROR, "InternalServerError", None, text),
    }
}

pub(crate) fn of_turned_away(why: &TurnedAway) -> Reply {
    let text = why.to_string();
    match why {
        TurnedAway::Sealed => Reply::error(StatusCode::FORBIDDEN, "VaultSealed", None, text),
        TurnedAway::Inactive { .. } => Reply::error(StatusCode::FORBIDDEN, "VaultNotActivated", None, text),
        TurnedAway::Deleted => Reply::error(StatusCode::FORBIDDEN, "VaultDeleted", None, text),
        TurnedAway::JournalFull | TurnedAway::JournalDown | TurnedAway::OutcomeUnknown => unavailable(&text, 10),
        TurnedAway::Busy => throttled(&text, 1),
        TurnedAway::Throttled { seconds, .. } => throttled(&text, *seconds),
        TurnedAway::Stopping => unavailable(&text, 1),
    }
}

fn throttled(text: &str, seconds: u16) -> Reply {
    Reply::error(StatusCode::TOO_MANY_REQUESTS, "Throttled", None, text).retry_after(seconds)
}

fn unavailable(text: &str, seconds: u16) -> Reply {
    Reply::error(StatusCode::SERVICE_UNAVAILABLE, "ServiceUnavailable", None, text).retry_after(seconds)
}
