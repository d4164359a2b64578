//! Records with the names and details in them, for callers who may read the audit.

use keystead_api_table::{BadParameter, Body, Context, Parts};
use keystead_audit::{Detail, Outcome};
use keystead_engine::{AuditEntry, ReadAudit};
use serde::Serialize;

/// Records of an answer, when the request does not say how many.
const DEFAULT: u16 = 100;
/// The most it may ask for.
const MAX: u16 = 500;

/// `GET /keystead/v1/audit/records?log={id}&from={index}&n={1 to 500}`. Without `from`: the newest.
pub fn parse(parts: &Parts<'_>) -> Result<ReadAudit, BadParameter> {
    let bad = BadParameter::Malformed { what: "log", expected: "a log id of 32 lower-case hexadecimal digits" };
    let log = parts.query("log").map(|text| if is_log_id(&text) { Ok(text.into_owned()) } else { Err(bad) });
    let from = parts.query("from").map(|text| number(&text, "from", 0, i64::MAX)).transpose()?;
    let n = parts.query("n").map(|text| number(&text, "n", 1, i64::from(MAX))).transpose()?;
    let limit = n.and_then(|n| n.try_into().ok()).unwrap_or(DEFAULT);
    Ok(ReadAudit { log: log.transpose()?, from, limit })
}

/// Oldest first.
pub fn format(entries: Vec<AuditEntry>, _: &Context<'_>) -> Body {
    Body::json(&Records { records: entries.iter().map(Entry::of).collect() })
}

fn is_log_id(text: &str) -> bool {
    text.len() == 32 && text.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'))
}

fn number(text: &str, what: &'static str, min: i64, max: i64) -> Result<u64, BadParameter> {
    let n = text.parse().ok().filter(|n| (min..=max).contains(n));
    n.and_then(|n| u64::try_from(n).ok()).ok_or(BadParameter::Range { what, min, max })
}

#[derive(Serialize)]
struct Records<'a> {
    records: Vec<Entry<'a>>,
}

/// Times are milliseconds since the epoch. What a record does not have is absent.
#[derive(Serialize)]
struct Entry<'a> {
    index: u64,
    time: i64,
    action: &'static str,
    outcome: &'static str,
    code: u16,
    operation: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    object: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    version: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    revision: Option<u64>,
    #[serde(flatten)]
    detail: Names<'a>,
}

#[derive(Serialize)]
struct Names<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    issuer: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    subject: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    application: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    address: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    target: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    ground: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<&'a str>,
}

impl<'a> Entry<'a> {
    fn of(e: &'a AuditEntry) -> Self {
        Self {
            index: e.index,
            time: e.time.0,
            action: e.action,
            outcome: word(e.outcome),
            code: e.outcome.0,
            operation: e.operation.to_string(),
            object: e.object.map(|o| o.to_string()),
            version: e.version.map(|v| v.to_string()),
            revision: e.revision.map(|r| r.0),
            detail: Names::of(&e.detail),
        }
    }
}

impl<'a> Names<'a> {
    fn of(d: &'a Detail) -> Self {
        Self {
            issuer: d.issuer.as_deref(),
            subject: d.subject.as_deref(),
            application: d.application.as_deref(),
            address: d.address.as_deref(),
            target: d.target.as_deref(),
            ground: d.ground.as_deref(),
            reason: d.reason.as_deref(),
        }
    }
}

const fn word(outcome: Outcome) -> &'static str {
    match outcome {
        Outcome::DONE => "done",
        Outcome::DENIED => "denied",
        _ => "failed",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use hyper::HeaderMap;
    use keystead_api_table::fuzz::with_parts;

    fn of(query: &str) -> Result<ReadAudit, BadParameter> {
        let target = format!("/keystead/v1/audit/records?{query}");
        with_parts(&target, "/keystead/v1/audit/records", HeaderMap::new(), b"", parse).unwrap()
    }

    #[test]
    fn a_request_may_leave_out_everything() {
        let ask = of("").ok().unwrap();
        assert_eq!((ask.log, ask.from, ask.limit), (None, None, DEFAULT));
        let ask = of(&format!("log={}&from=7&n=500", "0a".repeat(16))).ok().unwrap();
        assert_eq!((ask.log, ask.from, ask.limit), (Some("0a".repeat(16)), Some(7), 500));
    }

    #[test]
    fn what_is_out_of_range_is_refused() {
        for bad in ["n=0", "n=501", "from=-1", "from=x", "log=0A", "n=99999999999999999999"] {
            assert!(of(bad).is_err(), "{bad}");
        }
    }
}
