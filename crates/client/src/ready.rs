//! Whether a vault can be used now, and why not. No token is asked for.

use hyper::StatusCode;
use serde::Deserialize;

use crate::{Client, ClientError};

/// What a vault says of itself.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct Readiness {
    /// Whether requests can be served.
    pub ready: bool,
    /// What stands in the way, if they cannot.
    #[serde(default)]
    pub reasons: Vec<Reason>,
}

/// One thing that stands in the way.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct Reason {
    /// For programs: `sealed`, `journal`, `store`.
    pub code: String,
    /// For people.
    pub message: String,
}

impl Client {
    /// Asks once.
    pub async fn readiness(&self) -> Result<Readiness, ClientError> {
        let reply = self.ask_open("/keystead/v1/ready").await?;
        let status = reply.status();
        if status != StatusCode::OK && status != StatusCode::SERVICE_UNAVAILABLE {
            return Err(crate::error::refused(status, reply.headers(), reply.body()));
        }
        serde_json::from_slice(reply.body()).map_err(|_| {
            // A 503 of something that stands before the server, perhaps.
            crate::error::refused(status, reply.headers(), reply.body())
        })
    }
}
