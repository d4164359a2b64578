//! Calls about the audit. Logs, checkpoints and tiles need no token; records do.

use bytes::Bytes;
use hyper::Method;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use crate::client::Body;
use crate::reply::json;
use crate::{Client, ClientError, Done};

/// A log of this vault: one per node.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LogInfo {
    /// What stands first in its checkpoints.
    pub origin: String,
    /// What stands in receipts: 32 hex digits.
    pub id: String,
    /// The key that signs its checkpoints, as in C2SP signed notes.
    pub vkey: String,
}

#[derive(Deserialize)]
pub(crate) struct Logs {
    logs: Vec<LogInfo>,
}

impl Client {
    /// The logs of this vault.
    pub async fn audit_logs(&self) -> Result<Done<Vec<LogInfo>>, ClientError> {
        Ok(json::<Logs>(self.get_open("/keystead/v1/audit/logs").await?)?.map(|answer| answer.logs))
    }

    /// A log's newest checkpoint: a signed note, not yet verified.
    pub async fn audit_checkpoint(&self, log: &str) -> Result<Done<String>, ClientError> {
        let done = self.get_open(&format!("{}/checkpoint", in_log(log)?)).await?;
        let text = String::from_utf8(done.value.to_vec());
        let text = text.map_err(|_| ClientError::BadAnswer("the checkpoint is not text".to_owned()))?;
        Ok(Done { value: text, receipt: done.receipt })
    }

    /// A tile, by its path in C2SP tlog-tiles: `tile/...`, not yet verified.
    pub async fn audit_tile(&self, log: &str, path: &str) -> Result<Done<Bytes>, ClientError> {
        if !is_tile_path(path) {
            return Err(ClientError::BadArgument(
                "the path of a tile looks like tile/0/x001/234 or tile/entries/000.p/5",
            ));
        }
        self.get_open(&format!("{}/{path}", in_log(log)?)).await
    }

    /// Up to `n` records of a log from number `from` on, in the form the API gives them. Needs the right to read the
    /// audit.
    pub async fn audit_records<T: DeserializeOwned>(
        &self,
        log: &str,
        from: u64,
        n: u16,
    ) -> Result<Done<T>, ClientError> {
        let path = format!("/keystead/v1/audit/records?log={}&from={from}&n={n}", log_id(log)?);
        json(self.call(Method::GET, &path, Body::none()).await?)
    }
}

fn in_log(log: &str) -> Result<String, ClientError> {
    Ok(format!("/keystead/v1/audit/logs/{}", log_id(log)?))
}

fn log_id(log: &str) -> Result<&str, ClientError> {
    let good = log.len() == 32 && log.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'));
    if good { Ok(log) } else { Err(ClientError::BadArgument("a log id is 32 lower-case hexadecimal digits")) }
}

fn is_tile_path(path: &str) -> bool {
    let segment = |s: &str| {
        let digits = s.strip_prefix('x').unwrap_or(s);
        let digits = digits.strip_suffix(".p").unwrap_or(digits);
        s == "entries" || (!digits.is_empty() && digits.bytes().all(|b| b.is_ascii_digit()))
    };
    path.len() <= 100 && path.strip_prefix("tile/").is_some_and(|rest| rest.split('/').all(segment))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_tile_paths_are_asked_for() {
        for good in ["tile/0/000", "tile/63/x001/x234/067.p/255", "tile/entries/x001/234"] {
            assert!(is_tile_path(good), "{good}");
        }
        for bad in ["", "tile/", "tile/../keys", "tile//0", "keys", "tile/0/a?b", "tile/entries/.p", "/tile/0/000"] {
            assert!(!is_tile_path(bad), "{bad}");
        }
    }

    #[test]
    fn only_log_ids_are_asked_for() {
        assert!(log_id(&"0a".repeat(16)).is_ok());
        for bad in ["", "0a", &"0A".repeat(16), &"é".repeat(16)] {
            assert!(log_id(bad).is_err(), "{bad}");
        }
    }
}
