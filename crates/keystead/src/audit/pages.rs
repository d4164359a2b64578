//! The records of a vault's log in pages, as the server gives them to who may read them. Reading is recorded.

use super::record::{Record, Records};
use keystead_audit::tlog::Checkpoint;
use keystead_client::{Client, ClientError};

/// Most records of one answer.
pub(super) const PAGE: u16 = 500;

pub(super) struct Pages<'a> {
    client: &'a Client,
    /// The log's id.
    pub(super) log: String,
    pub(super) receipts: Vec<String>,
}

impl<'a> Pages<'a> {
    /// Of the log that this node writes for the vault; none if it writes none.
    pub(super) async fn of(client: &'a Client) -> Result<Option<Self>, ClientError> {
        let log = client.audit_logs().await?.value.into_iter().next();
        Ok(log.map(|log| Self { client, log: log.id, receipts: Vec::new() }))
    }

    /// How many records there are: those under the checkpoint, and what was written since.
    pub(super) async fn newest(&mut self) -> Result<u64, ClientError> {
        let mut newest = size(self.client, &self.log).await?;
        loop {
            let page = self.read(newest, PAGE).await?;
            newest = page.last().map_or(newest, |r| r.index.saturating_add(1)).max(newest);
            if page.len() < usize::from(PAGE) {
                return Ok(newest);
            }
        }
    }

    pub(super) async fn read(&mut self, from: u64, n: u16) -> Result<Vec<Record>, ClientError> {
        let done = self.client.audit_records::<Records>(&self.log, from, n).await?;
        self.receipts.extend(done.receipt);
        Ok(done.value.records)
    }

    /// The page that ends before this record, and the number of its first.
    pub(super) async fn before(&mut self, end: u64) -> Result<(Vec<Record>, u64), ClientError> {
        let start = end.saturating_sub(u64::from(PAGE));
        let n = u16::try_from(end.saturating_sub(start)).unwrap_or(PAGE);
        let mut page = self.read(start, n).await?;
        page.retain(|record| record.index < end);
        Ok((page, start))
    }
}

/// How many records stand under the newest checkpoint.
pub(super) async fn size(client: &Client, log: &str) -> Result<u64, ClientError> {
    match client.audit_checkpoint(log).await {
        Ok(done) => Checkpoint::unproven(done.value.as_bytes())
            .map(|c| c.size)
            .map_err(|e| ClientError::BadAnswer(format!("the server's checkpoint cannot be read: {e}"))),
        Err(ClientError::Refused { status: 404, .. }) => Ok(0),
        Err(e) => Err(e),
    }
}
