//! `keystead audit tail`.

use crate::exit::Failure;
use crate::key::Shown;
use crate::key::connection::{ConnectionArgs, failure};
use crate::output::{self, or_dash, time};
use keystead_audit::ReceiptText;
use keystead_audit::tlog::Checkpoint;
use keystead_client::Client;
use serde::{Deserialize, Serialize};
use std::time::Duration;

/// Most records of one answer.
const PAGE: u16 = 500;
/// How often new records are looked for.
const BETWEEN: Duration = Duration::from_secs(1);

const HEADINGS: &[&str] = &["index", "time", "action", "outcome", "target", "who", "address", "reason"];

#[derive(clap::Args)]
#[command(after_help = "\
Examples:
  keystead audit tail
  keystead audit tail -n 100 --output json
  keystead audit tail --follow

Reading is recorded too. --follow looks at the checkpoint, which is not, and
reads only when others have done something.")]
pub(crate) struct Tail {
    /// How many of the newest records
    #[arg(short, value_name = "N", default_value_t = 20, value_parser = clap::value_parser!(u32).range(1..=100_000))]
    n: u32,
    /// Go on with new records, one JSON line each with --output json
    #[arg(long, short)]
    follow: bool,
    #[command(flatten)]
    connection: ConnectionArgs,
    #[command(flatten)]
    shown: Shown,
}

#[derive(Deserialize)]
struct Records {
    records: Vec<Record>,
}

/// A record as the API gives it; times are milliseconds since the epoch.
#[derive(Debug, Clone, Deserialize, Serialize)]
struct Record {
    index: u64,
    time: i64,
    action: String,
    outcome: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    target: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    subject: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    address: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<String>,
    #[serde(flatten)]
    more: serde_json::Map<String, serde_json::Value>,
}

impl Record {
    fn row(&self) -> Vec<String> {
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
    fn wide_row(&self) -> Vec<String> {
        let widths = [8, 24, 20, 7, 32, 36, 15, 0];
        self.row().into_iter().zip(widths).map(|(cell, width)| format!("{cell:<width$}")).collect()
    }
}

/// Where in the log the reader stands.
struct Reader {
    client: Client,
    log: String,
    /// Index of the first record not yet read.
    next: u64,
    /// Indices of the records of our own reads that are not yet read.
    own: Vec<u64>,
    receipt: Option<String>,
}

impl Tail {
    pub(crate) async fn run(self) -> Result<(), Failure> {
        let client = self.connection.client()?;
        let logs = client.audit_logs().await.map_err(|e| failure(&e))?.value;
        let log = logs.into_iter().next().ok_or_else(|| Failure::denied("the vault has no log on this node"))?;
        let mut reader = Reader { client, log: log.id, next: 0, own: Vec::new(), receipt: None };
        reader.next = reader.size().await?.saturating_sub(u64::from(self.n));
        let mut records = reader.read(self.shown).await?;
        let surplus = records.len().saturating_sub(usize::try_from(self.n).unwrap_or(usize::MAX));
        records.drain(..surplus);
        if !self.follow {
            return self.print(&records, reader.receipt.as_deref());
        }
        self.print_more(&records, true)?;
        loop {
            tokio::time::sleep(BETWEEN).await;
            if reader.others_wrote().await? {
                let records = reader.read(self.shown).await?;
                self.print_more(&records, false)?;
            }
        }
    }

    fn print(&self, records: &[Record], receipt: Option<&str>) -> Result<(), Failure> {
        if self.shown.is_json() {
            return output::json(&serde_json::json!({ "records": records, "receipt": receipt }));
        }
        output::table(HEADINGS, records.iter().map(Record::row))?;
        self.shown.receipt(receipt);
        Ok(())
    }

    fn print_more(&self, records: &[Record], first: bool) -> Result<(), Failure> {
        if self.shown.is_json() {
            return records.iter().try_for_each(output::json_line);
        }
        output::table(if first { HEADINGS } else { &[] }, records.iter().map(Record::wide_row))
    }
}

impl Reader {
    /// Records under the newest checkpoint; 0 without one. Leaves no record.
    async fn size(&self) -> Result<u64, Failure> {
        match self.client.audit_checkpoint(&self.log).await {
            Ok(done) => Checkpoint::unproven(done.value.as_bytes())
                .map(|c| c.size)
                .map_err(|e| Failure::unavailable(format!("the server's checkpoint cannot be read: {e}"))),
            Err(keystead_client::ClientError::Refused { status: 404, .. }) => Ok(0),
            Err(e) => Err(failure(&e)),
        }
    }

    /// Whether there are records besides those of our own reads.
    async fn others_wrote(&self) -> Result<bool, Failure> {
        Ok(others(self.next, self.size().await?, &self.own) > 0)
    }

    /// Everything from `next` on. Each answer is itself a record, which the next one shows.
    async fn read(&mut self, shown: Shown) -> Result<Vec<Record>, Failure> {
        let mut all = Vec::new();
        loop {
            let done = self.client.audit_records::<Records>(&self.log, self.next, PAGE).await;
            let done = done.map_err(|e| shown.failure(&e))?;
            let own = done.receipt.as_deref().and_then(|text| text.parse::<ReceiptText>().ok());
            let records = done.value.records;
            self.receipt = done.receipt;
            let whole = records.len() >= usize::from(PAGE);
            let last = records.last().map(|r| r.index.saturating_add(1));
            self.next = last.unwrap_or(self.next).max(self.next);
            self.own.extend(own.map(|r| r.index));
            self.own.retain(|index| *index >= self.next);
            all.extend(records);
            if !whole {
                return Ok(all);
            }
        }
    }
}

/// Records from `next` to `size` that are not our own.
fn others(next: u64, size: u64, own: &[u64]) -> u64 {
    let unread = size.saturating_sub(next);
    let ours = own.iter().filter(|index| (next..size).contains(index)).count();
    unread.saturating_sub(u64::try_from(ours).unwrap_or(u64::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn our_own_reading_does_not_count_as_news() {
        assert_eq!(others(10, 10, &[]), 0);
        assert_eq!(others(10, 11, &[10]), 0);
        assert_eq!(others(10, 12, &[10]), 1);
        assert_eq!(others(10, 11, &[11]), 1, "ours is not under the checkpoint yet");
        assert_eq!(others(10, 5, &[10]), 0);
    }

    #[test]
    fn a_record_is_read_as_the_api_writes_it_and_nothing_is_lost() {
        let text =
            r#"{"index":7,"time":0,"action":"keys/sign","outcome":"done","code":0,"subject":"s","target":"/keys/a"}"#;
        let record: Record = serde_json::from_str(text).unwrap();
        assert_eq!(record.row()[..6], ["7", "1970-01-01T00:00:00.000Z", "keys/sign", "done", "/keys/a", "s"]);
        assert_eq!(serde_json::to_value(&record).unwrap(), serde_json::from_str::<serde_json::Value>(text).unwrap());
    }
}
