//! What can go wrong in a call, and what to do about it.

use std::io;
use std::time::Duration;

use hyper::header::HeaderMap;
use hyper::{StatusCode, Uri};
use serde::Deserialize;

use crate::reply::receipt;

/// Bytes of a refusal that is not in the protocol's form which are shown.
const SHOWN: usize = 300;

/// Why a call has no result.
#[derive(Debug, thiserror::Error)]
pub enum ClientError {
    /// The server answered with an error.
    #[error("{message} (HTTP {status}, {code}{})", inner.as_ref().map(|i| format!("/{i}")).unwrap_or_default())]
    Refused {
        /// HTTP status.
        status: u16,
        /// `error.code`; empty if the answer was in another form.
        code: String,
        /// `error.innererror.code`.
        inner: Option<String>,
        /// `error.message`, without control characters.
        message: String,
        /// The receipt, if the refusal was recorded.
        receipt: Option<String>,
    },
    /// It was not done but proposed to the vault's approvers, as it was asked to be.
    #[error("proposed: {}", id_of(proposal))]
    Proposed {
        /// The proposal.
        proposal: Box<serde_json::Value>,
        /// Its receipt.
        receipt: Option<String>,
    },
    /// The URL given is not a vault's.
    #[error("{url:?} is not a vault's URL: {why}; it looks like https://vault.example.com or https://host:port")]
    BadUrl {
        /// As given.
        url: String,
        /// What is wrong.
        why: &'static str,
    },
    /// A value cannot stand in a request.
    #[error("{0}")]
    BadArgument(&'static str),
    /// The CA given cannot be used.
    #[error("the CA file cannot be used: {0}; it must hold certificates in PEM")]
    BadCa(String),
    /// Neither a CA was given nor does the system have any.
    #[error("no certification authority is known; name the server's CA file or install the system's")]
    NoRoots,
    /// TLS could not be set up on this side.
    #[error("TLS cannot be set up: {0}")]
    Library(rustls::Error),
    /// No connection.
    #[error("cannot connect to {to}: {source}; {}", advice(to, source))]
    Connect {
        /// Host and port, or path of the socket.
        to: String,
        /// Why not.
        source: io::Error,
    },
    /// A connection, but no trust.
    #[error("no trusted connection to {to}: {source}; check the URL's host name and the CA")]
    Tls {
        /// Host and port.
        to: String,
        /// Why not.
        source: io::Error,
    },
    /// The connection ended or what came is not HTTP.
    #[error("the connection to {to} broke: {source}")]
    Broken {
        /// Host and port, or path of the socket.
        to: String,
        /// How.
        source: hyper::Error,
    },
    /// The deadline passed. Whether the server has done the work is not known.
    #[error("no answer within {} ms; the work may have been done nevertheless", after.as_millis())]
    Deadline {
        /// What the call was given.
        after: Duration,
    },
    /// The answer is longer than the bound.
    #[error("the answer is longer than {bound} bytes")]
    AnswerTooLarge {
        /// The bound.
        bound: usize,
    },
    /// The answer is not what the API says.
    #[error("the server's answer cannot be understood: {0}")]
    BadAnswer(String),
    /// The server asks for a token in a way that must not be followed.
    #[error("the server's request for a token is not accepted: {0}")]
    BadChallenge(String),
    /// The authority gave no token.
    #[error("login at {authority} failed: {description} ({error})")]
    LoginFailed {
        /// Host and port.
        authority: String,
        /// `error`, as in RFC 6749, section 5.2.
        error: String,
        /// `error_description`, without control characters.
        description: String,
    },
    /// A link to a next page leads to another host.
    #[error("the server's link to the next page leads elsewhere ({0}) and was not followed")]
    ForeignLink(Uri),
}

fn id_of(proposal: &serde_json::Value) -> &str {
    proposal.pointer("/proposal/id").and_then(serde_json::Value::as_str).unwrap_or_default()
}

/// The error in an answer with a status of failure.
pub(crate) fn refused(status: StatusCode, headers: &HeaderMap, body: &[u8]) -> ClientError {
    let error = serde_json::from_slice::<Envelope>(body).map(|envelope| envelope.error).unwrap_or_else(|_| Body {
        code: String::new(),
        message: in_other_form(status, body),
        innererror: None,
    });
    ClientError::Refused {
        status: status.as_u16(),
        code: printable(&error.code),
        inner: error.innererror.and_then(|inner| inner.code).map(|code| printable(&code)),
        message: printable(&error.message),
        receipt: receipt(headers),
    }
}

/// A refusal by something that does not speak the protocol, such as a proxy.
fn in_other_form(status: StatusCode, body: &[u8]) -> String {
    let text = String::from_utf8_lossy(body.get(..SHOWN).unwrap_or(body)).trim().to_owned();
    if text.is_empty() { status.canonical_reason().unwrap_or("refused").to_owned() } else { text }
}

/// What a server says may end up on a terminal: control characters become blanks.
pub(crate) fn printable(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect()
}

#[derive(Deserialize)]
struct Envelope {
    error: Body,
}

#[derive(Deserialize)]
struct Body {
    #[serde(default)]
    code: String,
    #[serde(default)]
    message: String,
    innererror: Option<Inner>,
}

#[derive(Deserialize)]
struct Inner {
    code: Option<String>,
}

/// Where nobody answers, somebody may not be let to ask: a socket is a file with a mode.
fn advice(to: &str, source: &io::Error) -> &'static str {
    match source.kind() {
        io::ErrorKind::PermissionDenied if to.contains('/') => {
            "its file lets only root and the server's own user in: run this as one of them"
        }
        _ => "is the server running, and the address right?",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parts(body: &str) -> (String, Option<String>, String) {
        match refused(StatusCode::FORBIDDEN, &HeaderMap::new(), body.as_bytes()) {
            ClientError::Refused { status: 403, code, inner, message, receipt: None } => (code, inner, message),
            other => panic!("{other}"),
        }
    }

    #[test]
    fn a_refusal_is_read_from_the_protocols_form() {
        let (code, inner, message) =
            parts(r#"{"error":{"code":"Forbidden","message":"no\r\nno","innererror":{"code":"KeyDisabled"}}}"#);
        assert_eq!((code.as_str(), inner.as_deref(), message.as_str()), ("Forbidden", Some("KeyDisabled"), "no  no"));
        assert_eq!(parts(r#"{"error":{"code":"X","message":"m","innererror":null,"more":1}}"#).1, None);
    }

    #[test]
    fn a_refusal_in_another_form_shows_what_was_said() {
        assert_eq!(parts("<html>\u{1b}[31mproxy").2, "<html> [31mproxy");
        assert_eq!(parts("").2, "Forbidden");
        assert!(parts(&"x".repeat(5000)).2.len() <= SHOWN);
    }
}
