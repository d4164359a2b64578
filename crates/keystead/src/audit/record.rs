//! A record as the API gives it, and as a row.

use crate::output::{or_dash, time};
use serde::{Deserialize, Serialize};

pub(super) const HEADINGS: &[&str] = &["index", "time", "action", "outcome", "target", "who", "address", "reason"];

#[derive(Deserialize)]
pub(super) struct Records {
    pub(super) records: Vec<Record>,
}

/// A record as the API gives it; times are milliseconds since the epoch.
#[derive(Debug, Clone, Deserialize, Serialize)]
pub(super) struct Record {
    pub(super) index: u64,
    pub(super) time: i64,
    pub(super) action: String,
    pub(super) outcome: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) target: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) subject: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) address: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) reason: Option<String>,
    #[serde(flatten)]
    pub(super) more: serde_json::Map<String, serde_json::Value>,
}

impl Record {
    pub(super) fn row(&self) -> Vec<String> {
        vec![
            self.index.to_string(),
            time::millis(self.time),
            self.action.clone(),
            self.outcome.clone(),
            or_dash(self.target.as_ref()),
            or_dash(self.subject.as_ref()),
            or_dash(self.address.as_ref()),
            or_dash(self.reason.as_ref()),
        ]
    }

    /// A row whose columns mostly line up with those of other batches.
    pub(super) fn wide_row(&self) -> Vec<String> {
        let widths = [8, 24, 20, 7, 32, 36, 15, 0];
        self.row().into_iter().zip(widths).map(|(cell, width)| format!("{cell:<width$}")).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_record_is_read_as_the_api_writes_it_and_nothing_is_lost() {
        let text =
            r#"{"index":7,"time":0,"action":"keys/sign","outcome":"done","code":0,"subject":"s","target":"/keys/a"}"#;
        let record: Record = serde_json::from_str(text).unwrap();
        assert_eq!(record.row()[..6], ["7", "1970-01-01T00:00:00.000Z", "keys/sign", "done", "/keys/a", "s"]);
        assert_eq!(serde_json::to_value(&record).unwrap(), serde_json::from_str::<serde_json::Value>(text).unwrap());
    }
}
