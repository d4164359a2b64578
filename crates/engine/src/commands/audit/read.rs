//! Read the audit's names and details.

use crate::commands::{ask, no_approval};
use crate::error::Refusal;
use crate::room::Room;
use crate::run::{Effect, Execute};
use keystead_access::Permit;
use keystead_audit::{Detail, Outcome, Record};
use keystead_crypto::sealed::Sealer;
use keystead_model::{ObjectId, OperationId, Revision, Target, Time, Version};

/// Reads records of the vault's log on this node, oldest first.
pub struct ReadAudit {
    /// The log's id as in receipts; `None`: the vault's own on this node, which is the only one there is.
    pub log: Option<String>,
    /// Index of the first; `None`: so that the newest is the last.
    pub from: Option<u64>,
    /// Most records; at most 500.
    pub limit: u16,
}
ask!(ReadAudit, ReadAudit, |c| Target::Vault);

/// One record, opened.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AuditEntry {
    /// Index in the log.
    pub index: u64,
    /// When the work entered.
    pub time: Time,
    /// What was asked.
    pub action: &'static str,
    /// What came of it.
    pub outcome: Outcome,
    /// Which operation.
    pub operation: OperationId,
    /// Which object, if one was found.
    pub object: Option<ObjectId>,
    /// Which version, if one was used.
    pub version: Option<Version>,
    /// The vault's revision, if it changed something.
    pub revision: Option<Revision>,
    /// Who, from where, why. Empty where the record has no sealed part.
    pub detail: Detail,
}

const MAX: u16 = 500;

impl Execute for ReadAudit {
    type Output = Vec<AuditEntry>;
    no_approval!();

    async fn execute(permit: &Permit<Self>, room: &Room<'_>) -> Result<Effect<Vec<AuditEntry>>, Refusal> {
        let ask = permit.ask();
        if ask.log.as_ref().is_some_and(|id| *id != room.vault().log().id) {
            return Err(Refusal::UnknownLog);
        }
        let (journal, log, limit) = (room.vault().journal().clone(), room.vault().info.id, ask.limit.min(MAX));
        let from = ask.from.unwrap_or_else(|| journal.size(log).saturating_sub(u64::from(limit)));
        let read = tokio::task::spawn_blocking(move || journal.read(log, from, limit));
        let records = read.await.map_err(|_| Refusal::Fault)?.map_err(|_| Refusal::Unavailable)?;
        let details = room.open().seals().details.clone();
        let entries = records.into_iter().map(|(index, record)| entry(&details, index, &record)).collect();
        Ok(Effect::read(entries))
    }
}

fn entry(details: &Sealer, index: u64, record: &Record) -> AuditEntry {
    AuditEntry {
        index,
        time: record.at(),
        action: record.action().map_or("unknown", |a| a.name()),
        outcome: record.outcome(),
        operation: record.operation(),
        object: record.object(),
        version: record.version(),
        revision: record.revision(),
        detail: Detail::open(record, details).unwrap_or_default(),
    }
}
