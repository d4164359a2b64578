//! An answer, whole, and its receipt.

use bytes::Bytes;
use hyper::header::HeaderMap;
use hyper::{Response, StatusCode};
use serde::de::DeserializeOwned;

use crate::ClientError;
use crate::error::refused;

/// The header with which the server proves that it recorded an operation.
const RECEIPT: &str = "x-keystead-receipt";

/// What a call brought.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Done<T> {
    /// The result.
    pub value: T,
    /// `x-keystead-receipt`, if the answer had one: open routes and other servers give none.
    pub receipt: Option<String>,
}

impl<T> Done<T> {
    /// Another value with the same receipt.
    pub fn map<U>(self, change: impl FnOnce(T) -> U) -> Done<U> {
        Done { value: change(self.value), receipt: self.receipt }
    }
}

pub(crate) type Reply = Response<Bytes>;

/// The receipt of an answer.
pub(crate) fn receipt(headers: &HeaderMap) -> Option<String> {
    headers.get(RECEIPT)?.to_str().ok().map(str::to_owned)
}

/// With which the server says that what was asked was proposed, and not done.
const PROPOSAL: &str = "x-keystead-proposal";

/// The body of a success, or the refusal. Redirects are refusals, and what was only proposed has no result.
pub(crate) fn accept(reply: Reply) -> Result<Done<Bytes>, ClientError> {
    if reply.status() == StatusCode::ACCEPTED && reply.headers().contains_key(PROPOSAL) {
        let proposal = serde_json::from_slice(reply.body()).map_err(|e| ClientError::BadAnswer(e.to_string()))?;
        return Err(ClientError::Proposed { proposal: Box::new(proposal), receipt: receipt(reply.headers()) });
    }
    if reply.status().is_success() {
        Ok(Done { receipt: receipt(reply.headers()), value: reply.into_body() })
    } else {
        Err(refused(reply.status(), reply.headers(), reply.body()))
    }
}

/// A success with a JSON body.
pub(crate) fn json<T: DeserializeOwned>(done: Done<Bytes>) -> Result<Done<T>, ClientError> {
    match serde_json::from_slice(&done.value) {
        Ok(value) => Ok(Done { value, receipt: done.receipt }),
        Err(wrong) => Err(ClientError::BadAnswer(wrong.to_string())),
    }
}

/// Whether an answer asks for a token.
pub(crate) fn wants_token(reply: &Reply) -> bool {
    reply.status() == StatusCode::UNAUTHORIZED
}
