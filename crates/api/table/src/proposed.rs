//! Approvals, whatever the protocol: a request with the header `x-keystead-propose` proposes what it would do, and what
//! needs approvals is refused with one code.

use crate::bad::BadParameter;
use crate::parts::Parts;
use crate::reply::{Body, Reply};
use hyper::StatusCode;
use hyper::header::HeaderName;
use keystead_engine::{ApprovalError, ProposalView, check_reason};
use serde_json::{Value, json};

/// Why the request is only proposed.
const PROPOSE: &str = "x-keystead-propose";
/// For how many hours.
const HOURS: &str = "x-keystead-propose-hours";
/// In the answer: the proposal's id.
const PROPOSAL: HeaderName = HeaderName::from_static("x-keystead-proposal");

/// A request that is only proposed.
#[derive(Debug, PartialEq, Eq)]
pub struct Proposing {
    /// Why.
    pub reason: String,
    /// For how many hours.
    pub hours: Option<u16>,
}

impl Proposing {
    /// What the headers say.
    pub fn of(parts: &Parts<'_>) -> Result<Option<Self>, BadParameter> {
        let Some(value) = parts.headers().get(PROPOSE) else {
            return match parts.headers().contains_key(HOURS) {
                true => Err(BadParameter::Missing { what: PROPOSE }),
                false => Ok(None),
            };
        };
        let reason = value.to_str().ok().filter(|reason| check_reason(reason).is_ok());
        let expected = "a reason of 1 to 512 characters of printable ASCII";
        let reason = reason.ok_or(BadParameter::Malformed { what: PROPOSE, expected })?.to_owned();
        let expected = "a number of hours from 1 to 168";
        let hours = parts.headers().get(HOURS).map(|value| {
            let hours = value.to_str().ok().and_then(|text| text.parse().ok());
            hours.filter(|hours| (1..=168).contains(hours)).ok_or(BadParameter::Malformed { what: HOURS, expected })
        });
        Ok(Some(Self { reason, hours: hours.transpose()? }))
    }
}

/// The answer to a request that is only proposed.
pub fn proposed(view: &ProposalView) -> Body {
    Body::json(&proposal(view)).with(PROPOSAL, &view.proposal.id)
}

/// A proposal as JSON: what `keystead approval verify` reads. Times are milliseconds since the epoch; what is not known
/// is absent.
pub fn proposal(view: &ProposalView) -> Value {
    let mut all = json!({
        "version": 1,
        "proposal": view.proposal,
        "votes": view.votes,
        "state": view.state.name(),
    });
    let Some(members) = all.as_object_mut() else { return all };
    if let Some(standing) = &view.standing {
        members.insert("needed".to_owned(), standing.needed.into());
        members.insert("approvers".to_owned(), standing.approvers.into());
        members.insert("approved".to_owned(), json!(standing.approved));
        members.insert("rejected".to_owned(), json!(standing.rejected));
    }
    if let Some(ended) = view.ended {
        members.insert("ended".to_owned(), ended.0.into());
    }
    if let Some(operation) = view.operation {
        members.insert("operation".to_owned(), operation.to_string().into());
    }
    all
}

/// What has not the approvals it needs, and proposals and votes that are not taken.
pub fn not_approved(why: &ApprovalError) -> Reply {
    let text = why.to_string();
    let forbidden = |inner| Reply::error(StatusCode::FORBIDDEN, "Forbidden", Some(inner), &text);
    let conflict = |inner| Reply::error(StatusCode::CONFLICT, "Conflict", Some(inner), &text);
    let bad = |inner| Reply::error(StatusCode::BAD_REQUEST, "BadParameter", Some(inner), &text);
    match why {
        ApprovalError::Required { .. } => forbidden("ApprovalRequired"),
        ApprovalError::Changed { .. } => forbidden("ApprovedOfAnother"),
        ApprovalError::ClockDoubted => forbidden("ClockDoubted"),
        ApprovalError::NotFound => Reply::error(StatusCode::NOT_FOUND, "ProposalNotFound", None, &text),
        ApprovalError::NotNeeded => bad("ApprovalNotNeeded"),
        ApprovalError::Reason(_) | ApprovalError::Life => bad("BadProposal"),
        ApprovalError::Vote(_) => bad("BadVote"),
        ApprovalError::Exists { .. } => conflict("ProposalExists"),
        ApprovalError::TooMany { .. } => conflict("TooManyProposals"),
        ApprovalError::Ended { .. } => conflict("ProposalEnded"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fuzz::with_parts;
    use hyper::HeaderMap;

    fn of(headers: &[(&'static str, &str)]) -> Result<Option<Proposing>, BadParameter> {
        let headers = headers.iter().map(|(name, value)| (HeaderName::from_static(name), value.parse().unwrap()));
        with_parts("/k", "/k", headers.collect::<HeaderMap>(), b"", Proposing::of).unwrap()
    }

    #[test]
    fn a_request_with_a_reason_is_proposed_and_no_other() {
        assert_eq!(of(&[]).ok(), Some(None));
        let day = Proposing { reason: "it was replaced".to_owned(), hours: None };
        assert_eq!(of(&[(PROPOSE, "it was replaced")]).ok(), Some(Some(day)));
        let week = of(&[(PROPOSE, "r"), (HOURS, "168")]).ok().flatten().unwrap();
        assert_eq!(week.hours, Some(168));
        let long = "r".repeat(513);
        for bad in [
            &[(PROPOSE, "")][..],
            &[(PROPOSE, "\u{fc}ber")],
            &[(PROPOSE, &long)],
            &[(PROPOSE, "r"), (HOURS, "0")],
            &[(PROPOSE, "r"), (HOURS, "169")],
            &[(PROPOSE, "r"), (HOURS, "soon")],
            &[(HOURS, "1")],
        ] {
            assert!(of(bad).is_err(), "{bad:?}");
        }
    }
}
