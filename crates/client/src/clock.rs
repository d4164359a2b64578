//! Calls about the server's clock, for a vault's administrators.

use hyper::Method;
use serde::{Deserialize, Serialize};
use serde_json::json;

use crate::client::Body;
use crate::reply::json as answer;
use crate::{Client, ClientError, Done};

/// What a server's clock says. Times are milliseconds since the epoch.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ClockState {
    /// Now.
    pub time: i64,
    /// Whether what cannot be undone waits in this vault.
    pub doubted: bool,
    /// Why.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub doubt: Option<ClockDoubt>,
}

/// Why a clock is doubted.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ClockDoubt {
    /// `start`, `step` or `no-note`.
    pub why: String,
    /// What the clock said.
    pub said: i64,
    /// What was expected, if anything was.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expected: Option<i64>,
}

impl Client {
    /// Reads what the server's clock says.
    pub async fn clock(&self) -> Result<Done<ClockState>, ClientError> {
        answer(self.call(Method::GET, "/keystead/v1/clock", Body::none()).await?)
    }

    /// Says that the clock is right; `time` is what it is, in ms since the epoch.
    pub async fn confirm_clock(&self, time: i64) -> Result<Done<ClockState>, ClientError> {
        let body = Body::json(&json!({ "time": time }))?;
        answer(self.call(Method::POST, "/keystead/v1/clock/confirm", body).await?)
    }
}
