//! `keystead audit tail`.

use super::pages::{PAGE, size};
use super::record::{HEADINGS, Record, Records};
use crate::exit::Failure;
use crate::key::Shown;
use crate::key::connection::{ConnectionArgs, failure};
use crate::output;
use keystead_audit::ReceiptText;
use keystead_client::Client;
use std::time::Duration;

/// How often new records are looked for.
const BETWEEN: Duration = Duration::from_secs(1);

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
        let client = self.connection.client().await?;
        let logs = client.audit_logs().await.map_err(|e| failure(&e))?.value;
        let log = logs.into_iter().next().ok_or_else(|| Failure::refused("the vault has no log on this node"))?;
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
    async fn size(&self) -> Result<u64, Failure> {
        size(&self.client, &self.log).await.map_err(|e| failure(&e))
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
}
