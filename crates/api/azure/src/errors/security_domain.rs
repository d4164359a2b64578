//! Why a security domain is not given out or not adopted.

use super::{bad, sentence};
use hyper::StatusCode;
use keystead_api_table::Reply;
use keystead_engine::SecurityDomainError as E;

pub(super) fn refused(why: &E) -> Reply {
    let (code, text) = (why.name(), sentence(why));
    match why {
        E::NotDownloaded => Reply::error(StatusCode::NOT_FOUND, code, None, text),
        E::Certificate { .. } | E::OtherKey { .. } | E::Custodians(_) => bad(&text),
        E::Blob(_) | E::NotReceived(_) | E::Part => {
            Reply::error(StatusCode::BAD_REQUEST, "BadParameter", Some(code), text)
        }
        E::WithCustodians
        | E::NoTransferKey
        | E::OtherTransferKey
        | E::HasKeys
        | E::Rotating { .. }
        | E::NoWrappingKey
        | E::Failed { .. } => Reply::error(StatusCode::CONFLICT, "Conflict", Some(code), text),
    }
}
