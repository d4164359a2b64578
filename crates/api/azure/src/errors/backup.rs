//! Why the whole vault is not backed up or restored.

use super::{bad, forbidden, sentence, unavailable};
use hyper::StatusCode;
use keystead_api_table::Reply;
use keystead_engine::BackupError as E;

pub(super) fn refused(why: &E) -> Reply {
    let (code, text) = (why.name(), sentence(why));
    match why {
        E::Running { .. } => Reply::error(StatusCode::CONFLICT, "Conflict", Some("BackupRunning"), text),
        E::Older { .. } => Reply::error(StatusCode::CONFLICT, "Conflict", Some(code), text),
        E::Exists => Reply::error(StatusCode::CONFLICT, "Conflict", Some("BackupExists"), text),
        E::NoSuchJob => Reply::error(StatusCode::NOT_FOUND, "JobNotFound", None, text),
        E::NotFound | E::NoSuchKey { .. } => Reply::error(StatusCode::NOT_FOUND, code, None, text),
        E::BadPlace { .. } | E::NoHsm => bad(&text),
        E::NoDirectory | E::NotAllowed { .. } | E::Denied { .. } | E::Revoked => forbidden(code, &text),
        E::Header(_) | E::Foreign { .. } | E::Truncated | E::Altered { .. } | E::Lost => {
            Reply::error(StatusCode::BAD_REQUEST, "BadParameter", Some(code), text)
        }
        // No code that clients repeat: the disk stays full.
        E::Full => Reply::error(StatusCode::CONFLICT, "Conflict", Some(code), text),
        E::PurgedMeanwhile { .. } => Reply::error(StatusCode::CONFLICT, "Conflict", Some(code), text),
        E::RowDamaged => forbidden(code, &text),
        E::Unreachable { .. } | E::Stuck { .. } | E::NoProgress { .. } => unavailable(&text, 5),
    }
}
