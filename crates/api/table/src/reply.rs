//! What goes back: a status, a body, and the few headers that differ from answer to answer.

use bytes::Bytes;
use http_body_util::Full;
use hyper::StatusCode;
use hyper::header::{HeaderName, HeaderValue, RETRY_AFTER};
use serde::Serialize;

const ERROR_CODE: HeaderName = HeaderName::from_static("x-ms-error-code");

/// The response the embedder writes to the connection.
pub type Response = hyper::Response<Full<Bytes>>;

/// A body with its content type.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Body {
    pub(crate) content_type: Option<&'static str>,
    pub(crate) bytes: Bytes,
    pub(crate) headers: Vec<(HeaderName, HeaderValue)>,
}

impl Body {
    /// JSON of a plain structure. What JSON cannot hold (a map whose keys are no strings) gives an empty body.
    pub fn json<T: Serialize>(value: &T) -> Self {
        let Ok(bytes) = serde_json::to_vec(value) else { return Self::empty() };
        Self::of(Some("application/json; charset=utf-8"), bytes.into())
    }

    /// JSON that is written already.
    pub fn written_json(text: String) -> Self {
        Self::of(Some("application/json; charset=utf-8"), text.into())
    }

    /// No body, and no content type.
    pub const fn empty() -> Self {
        Self::of(None, Bytes::new())
    }

    /// UTF-8 text.
    pub fn text(bytes: impl Into<Bytes>) -> Self {
        Self::of(Some("text/plain; charset=utf-8"), bytes.into())
    }

    /// Bytes without a meaning of their own here.
    pub fn octets(bytes: impl Into<Bytes>) -> Self {
        Self::of(Some("application/octet-stream"), bytes.into())
    }

    const fn of(content_type: Option<&'static str>, bytes: Bytes) -> Self {
        Self { content_type, bytes, headers: Vec::new() }
    }

    /// With a header of its answer. A value with bytes that may not stand in a header is left out.
    #[must_use]
    pub fn with(mut self, name: HeaderName, value: &str) -> Self {
        self.headers.extend(HeaderValue::from_str(value).ok().map(|value| (name, value)));
        self
    }

    /// What will be sent.
    pub fn bytes(&self) -> &Bytes {
        &self.bytes
    }
}

/// A whole answer, but for the headers every answer has.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reply {
    /// Status.
    pub status: StatusCode,
    /// Body.
    pub body: Body,
    pub(crate) headers: Vec<(HeaderName, HeaderValue)>,
}

impl Reply {
    /// Status and body.
    pub fn new(status: StatusCode, mut body: Body) -> Self {
        let headers = std::mem::take(&mut body.headers);
        Self { status, body, headers }
    }

    /// `{"error":{"code":..,"message":..,"innererror":{"code":..}}}`, the shape of Key Vault's and of our own errors.
    /// The code stands in a header, too, as Azure's API guidelines ask: the SDK for Rust finds it in no body whose
    /// message has an escape.
    pub fn error(status: StatusCode, code: &str, inner: Option<&str>, message: impl AsRef<str>) -> Self {
        let message = message.as_ref();
        let error = Error { code, message, innererror: inner.map(|code| Inner { code }) };
        Self::new(status, Body::json(&ErrorBody { error })).with(ERROR_CODE, code)
    }

    /// With one more header. A value with bytes that may not stand in a header is left out.
    #[must_use]
    pub fn with(mut self, name: HeaderName, value: &str) -> Self {
        if let Ok(value) = HeaderValue::from_str(value) {
            self.headers.push((name, value));
        }
        self
    }

    /// With another body; status and headers stay.
    #[must_use]
    pub fn with_body(self, body: Body) -> Self {
        Self { body, ..self }
    }

    /// With `Retry-After`, in seconds: for 429 and 503 only, the codes that clients retry.
    #[must_use]
    pub fn retry_after(mut self, seconds: u16) -> Self {
        self.headers.push((RETRY_AFTER, HeaderValue::from(seconds)));
        self
    }

    /// The first of this reply's own headers with this name.
    pub fn header(&self, name: &HeaderName) -> Option<&HeaderValue> {
        self.headers.iter().find(|(n, _)| n == name).map(|(_, v)| v)
    }
}

#[derive(Serialize)]
struct ErrorBody<'a> {
    error: Error<'a>,
}

#[derive(Serialize)]
struct Error<'a> {
    code: &'a str,
    message: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    innererror: Option<Inner<'a>>,
}

#[derive(Serialize)]
struct Inner<'a> {
    code: &'a str,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_has_code_message_and_perhaps_an_inner_code() {
        let reply = Reply::error(StatusCode::FORBIDDEN, "Forbidden", Some("KeyDisabled"), "no");
        assert_eq!(
            &reply.body.bytes[..],
            br#"{"error":{"code":"Forbidden","message":"no","innererror":{"code":"KeyDisabled"}}}"#
        );
        assert_eq!(reply.header(&ERROR_CODE).unwrap(), "Forbidden");
        let reply = Reply::error(StatusCode::NOT_FOUND, "KeyNotFound", None, "no");
        assert_eq!(&reply.body.bytes[..], br#"{"error":{"code":"KeyNotFound","message":"no"}}"#);
    }

    #[test]
    fn a_header_cannot_be_split() {
        let reply = Reply::new(StatusCode::OK, Body::empty()).with(hyper::header::ALLOW, "a\r\nb: c");
        assert_eq!(reply.header(&hyper::header::ALLOW), None);
    }
}
