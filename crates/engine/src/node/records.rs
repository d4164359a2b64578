//! What the node writes into the logs: its own, and the vaults' where their state changes.

use super::{Instance, NODE_LOG};
use crate::error::{Refusal, TurnedAway};
use crate::operate::OperateError;
use crate::records::FirstRecord;
use crate::room::digest;
use crate::vault::{Open, Vault};
use keystead_audit::waiting::just_written;
use keystead_audit::{Draft, NotVouched, Note, Outcome, Record, Slot};
use keystead_crypto::sealed::Sealer;
use keystead_model::{Action, Moment, OperationId, VaultId, VaultStatus};
use keystead_store::{Changes, MakeRecord, OutboxRow};

/// What a record in a vault's log says of what the operator did.
pub(crate) struct Said {
    action: Action,
    clear: Vec<u8>,
    /// Sealed under the vault's key for details.
    note: Option<(Note, Sealer)>,
}

impl From<(Action, Vec<u8>)> for Said {
    fn from((action, clear): (Action, Vec<u8>)) -> Self {
        Self { action, clear, note: None }
    }
}

impl Said {
    /// With this in the sealed part: names are not in the clear.
    pub(super) fn noting(self, note: Option<Note>, open: &Open) -> Self {
        Self { note: note.map(|note| (note, open.seals().details.clone())), ..self }
    }
}

impl Instance {
    /// The first record of the node's log names the key that signs its checkpoints.
    pub(super) async fn enrol(&self, at: Moment) -> Result<(), OperateError> {
        if self.parts.journal.size(NODE_LOG) > 0 {
            return Ok(());
        }
        let vkey = minicbor::to_vec(self.parts.journal.vkey(NODE_LOG)).map_err(|_| Refusal::Fault)?;
        self.write(Action::NodeEnrolled, NODE_LOG, vkey, at).await
    }

    /// What was committed and may not have reached the journal: appended exactly once. Nothing is appended if one of
    /// them is not this node's.
    pub(super) async fn replay(&self) -> Result<(), OperateError> {
        let rows = self.parts.store.outbox().await.map_err(Refusal::from)?;
        let own = rows.iter().map(|row| self.own(row)).collect::<Result<Vec<_>, _>>()?;
        for (row, record) in rows.iter().zip(own) {
            self.parts.journal.replay(row.operation, row.position, record.bytes().to_vec()).await?;
            self.parts.store.forget(row.operation);
        }
        Ok(())
    }

    fn own(&self, row: &OutboxRow) -> Result<Record, OperateError> {
        let failed = |why| OperateError::Outbox { operation: row.operation, why };
        let record = self.parts.journal.vouched(row.position, &row.bytes).map_err(failed)?;
        if (record.operation(), record.vault()) != (row.operation, row.log) {
            return Err(failed(NotVouched::Forged));
        }
        Ok(record)
    }

    /// A record in the node's own log.
    pub(crate) async fn note(&self, action: Action, vault: VaultId, at: Moment) -> Result<(), OperateError> {
        self.write(action, vault, Vec::new(), at).await
    }

    pub(crate) async fn write(
        &self,
        action: Action,
        vault: VaultId,
        clear: Vec<u8>,
        at: Moment,
    ) -> Result<(), OperateError> {
        self.write_in(self.room_for_one()?, action, vault, clear, at).await
    }

    /// Room for a record in the node's own log, before the work that it will be about: a full journal is met while
    /// nothing was changed.
    pub(crate) fn room_for_one(&self) -> Result<Slot, OperateError> {
        Ok(self.parts.journal.reserve()?)
    }

    /// A record in the node's own log, in the room that was kept for it.
    pub(crate) async fn write_in(
        &self,
        room: Slot,
        action: Action,
        vault: VaultId,
        clear: Vec<u8>,
        at: Moment,
    ) -> Result<(), OperateError> {
        let operation = OperationId::from_bytes(keystead_crypto::random());
        let record = Draft::node(action, vault, clear, operation, at.now).encode(Outcome::DONE, None, self.parts.node);
        let _receipt = room.write(record).await?;
        Ok(())
    }

    pub(super) async fn set_status(
        &self,
        vault: &Vault,
        status: VaultStatus,
        changes: Changes,
        action: Action,
        at: Moment,
    ) -> Result<(), OperateError> {
        let digest = if changes.puts.is_empty() { [0; 32] } else { digest(&changes) };
        let (operation, make) = self.vault_record(vault, action, Vec::new(), at, digest);
        let slot = self.parts.journal.reserve()?;
        let committed = self.parts.store.set_status(vault.info.id, status, changes, make).await;
        let stands = committed.as_ref().map_or_else(|e| !e.is_undone(), |_| true);
        if status == VaultStatus::Sealed && stands {
            // Not after the journal: whatever becomes of that, the vault is sealed. Also if nobody knows whether it is
            // in the store.
            vault.set_sealed();
        }
        self.append(slot, operation, &committed?.record).await
    }

    /// Changes rows of an open vault with a record of it in the vault's log. `then` follows in memory as soon as the
    /// store has them.
    pub(crate) async fn commit(
        &self,
        vault: &Vault,
        changes: Changes,
        (action, clear): (Action, Vec<u8>),
        at: Moment,
        then: impl FnOnce() + Send,
    ) -> Result<(), OperateError> {
        let operation = OperationId::from_bytes(keystead_crypto::random());
        self.commit_as(operation, vault, changes, (action, clear), at, then).await
    }

    /// The same as an operation that the changes name.
    pub(super) async fn commit_as(
        &self,
        operation: OperationId,
        vault: &Vault,
        changes: Changes,
        said: impl Into<Said>,
        at: Moment,
        then: impl FnOnce() + Send,
    ) -> Result<(), OperateError> {
        let make = self.record_of(operation, vault, said, at, digest(&changes));
        let slot = self.parts.journal.reserve()?;
        let committed = match self.parts.store.commit(vault.info.id, changes, make).await {
            Ok(committed) => committed,
            Err(e) if e.is_undone() => return Err(e.into()),
            Err(_) => return Err(TurnedAway::OutcomeUnknown.into()),
        };
        then();
        self.append(slot, operation, &committed.record).await
    }

    /// A record in the vault's log, clear, made inside the transaction that it is about.
    pub(super) fn vault_record(
        &self,
        vault: &Vault,
        action: Action,
        clear: Vec<u8>,
        at: Moment,
        digest: [u8; 32],
    ) -> (OperationId, MakeRecord) {
        let operation = OperationId::from_bytes(keystead_crypto::random());
        (operation, self.record_of(operation, vault, (action, clear), at, digest))
    }

    pub(super) fn record_of(
        &self,
        operation: OperationId,
        vault: &Vault,
        said: impl Into<Said>,
        at: Moment,
        digest: [u8; 32],
    ) -> MakeRecord {
        let Said { action, clear, note } = said.into();
        let (log, node, journal) = (vault.info.id, self.parts.node, self.parts.journal.clone());
        let position = journal.position();
        Box::new(move |revision| {
            let draft = Draft::vault(action, log, clear, operation, at.now).changed(digest);
            let draft = match &note {
                Some((note, key)) => draft.sealing(note, key),
                None => draft,
            };
            let mut record = draft.encode(Outcome::DONE, None, node);
            record.set_revision(revision);
            OutboxRow { operation, log, position, bytes: journal.vouch(position, &record) }
        })
    }

    /// What the first record of a vault says in the clear.
    pub(super) fn first(
        &self,
        vault: &Vault,
        purge_protection: bool,
        activation: Option<[u8; 32]>,
    ) -> Result<Vec<u8>, OperateError> {
        let (kind, custody) = (vault.info.kind.name().to_owned(), vault.info.custody.clone());
        let record = FirstRecord {
            kind,
            custody,
            vkey: self.parts.journal.vkey(vault.info.id),
            purge_protection: purge_protection.then_some(true),
            activation: activation.map(Into::into),
        };
        minicbor::to_vec(record).map_err(|_| OperateError::Refused(Refusal::Fault))
    }

    pub(super) async fn append(&self, slot: Slot, operation: OperationId, bytes: &[u8]) -> Result<(), OperateError> {
        let record = just_written(bytes).map_err(|_| OperateError::Damaged)?;
        let _receipt = slot.write(record).await?;
        self.parts.store.forget(operation);
        Ok(())
    }
}
