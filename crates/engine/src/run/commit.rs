//! Committing: the changes of a command and their record in one store transaction, then the record into the journal.

use super::{Command, Effect, Run, about, given, write};
use crate::error::{Refusal, TurnedAway};
use crate::opening;
use crate::room::digest;
use crate::vault::Open;
use keystead_access::Permit;
use keystead_audit::waiting::just_written;
use keystead_audit::{Answer, Draft, Note, Outcome, Receipt};
use keystead_model::{ObjectId, VaultStatus, Version};
use keystead_store::{Changes, CommitError, MakeRecord, OutboxRow};
use std::sync::{Arc, Mutex, PoisonError};
use tokio::sync::{RwLockReadGuard, RwLockWriteGuard};
use tracing::{Instrument as _, trace_span};

impl Run<'_> {
    pub(super) async fn commit<C: Command>(
        self,
        permit: Permit<C>,
        effect: Effect<C::Output>,
        again: bool,
    ) -> Result<Committed<Self, C>, TurnedAway> {
        let Effect { value, about, note, changes, follows, used } = effect;
        // No other generation of the root begins to seal before this is committed.
        let gate = Entry::of(&self.open, follows.alone.is_some()).await;
        self.vault.open_since(&self.open)?;
        if self.vault.moved_since(follows.alone).await || !self.open.seals().seal_all(&changes) {
            drop(gate);
            return self.came_second(permit, again).await;
        }
        let tags = touched(&changes);
        let held = Held::new(permit);
        let make = self.make_record(&held, about, note, digest(&changes));
        let committed = self.store(changes, make, (follows.status, follows.alone.is_some())).await;
        drop(gate);
        // Whatever came of it: after some failures that is not known.
        tags.iter().for_each(|tag| self.open.keys.forget(tag));
        let committed = match committed {
            Ok(committed) => committed,
            Err(why) => return self.not_committed(why, &held, follows.is_decisive(), again).await,
        };
        follows.adopt(self.vault, &self.open, committed.revision);
        let (vault, open, at) = (self.vault, Arc::clone(&self.open), self.at);
        let receipt = self.journal(&committed.record).await?;
        Ok(Committed::Answer(Answer::new(receipt, given(vault, &open, at, &used, value).await)))
    }

    /// The store's transaction. A vault that must be opened anew is that before anybody else commits.
    async fn store(
        &self,
        changes: Changes,
        make: MakeRecord,
        (status, alone): (Option<VaultStatus>, bool),
    ) -> Result<keystead_store::Committed, CommitError> {
        let (store, id) = (&self.vault.store, self.vault.info.id);
        let span = trace_span!(target: "keystead::walk", "commit");
        let committed = match status {
            Some(status) => store.set_status(id, status, changes, make).instrument(span).await,
            None => store.commit(id, changes, make).instrument(span).await,
        };
        if alone && committed.is_ok() {
            opening::anew(self.vault, &self.open, self.at).await;
        }
        committed
    }

    /// Another change came first.
    async fn came_second<C: Command>(self, permit: Permit<C>, again: bool) -> Result<Committed<Self, C>, TurnedAway> {
        match again {
            true => Ok(Committed::Again(self, permit)),
            false => self.refuse(permit, Refusal::Conflict).await.map(Committed::Answer),
        }
    }

    async fn not_committed<C: Command>(
        self,
        why: CommitError,
        held: &Held<C>,
        is_decisive: bool,
        again: bool,
    ) -> Result<Committed<Self, C>, TurnedAway> {
        match (held.take(), held.spent()) {
            (Some(permit), _) if why == CommitError::Conflict => self.came_second(permit, again).await,
            (Some(permit), _) => self.refuse(permit, why.into()).await.map(Committed::Answer),
            // The record was made, and then the commit found the disk full.
            (None, Some(draft)) if why.is_undone() => self.refuse_draft(draft, why.into()).await.map(Committed::Answer),
            (None, _) => {
                if is_decisive {
                    // Which policy, state or domain stands in the store is not known: nobody is let in until the vault is
                    // opened again.
                    self.vault.set_sealed();
                }
                Err(TurnedAway::OutcomeUnknown)
            }
        }
    }

    /// Makes the record inside the transaction, when the revision is known. The permit is spent only if it is called.
    fn make_record<C: Command>(
        &self,
        held: &Held<C>,
        object: Option<(ObjectId, Option<Version>)>,
        note: Option<Note>,
        digest: [u8; 32],
    ) -> MakeRecord {
        let held = held.clone();
        let (operation, log, node) = (self.operation, self.vault.info.id, self.vault.node);
        let (now, details, journal) = (self.at.now, self.open.seals().details.clone(), self.vault.journal.clone());
        let position = journal.position();
        Box::new(move |revision| {
            let bytes = held.take().map_or_else(Vec::new, |permit| {
                let draft = Draft::of(permit, operation, now, log, &details);
                held.spend(draft.clone());
                let draft = about(draft.changed(digest), object).noting(note.as_ref());
                let mut record = draft.encode(Outcome::DONE, None, node);
                record.set_revision(revision);
                journal.vouch(position, &record)
            });
            OutboxRow { operation, log, position, bytes }
        })
    }

    /// The journal gets what the transaction holds; once it has it, the outbox may forget it.
    async fn journal(self, bytes: &[u8]) -> Result<Receipt, TurnedAway> {
        let record = just_written(bytes).map_err(|_| TurnedAway::JournalDown)?;
        let receipt = write(self.slot, record).await?;
        self.vault.store.forget(self.operation);
        Ok(receipt)
    }
}

/// Changes are committed beside each other, but for those that must be alone.
enum Entry<'a> {
    Beside { _held: RwLockReadGuard<'a, ()> },
    Alone { _held: RwLockWriteGuard<'a, ()> },
}

impl<'a> Entry<'a> {
    async fn of(open: &'a Open, alone: bool) -> Self {
        match alone {
            false => Self::Beside { _held: open.gate.read().await },
            true => Self::Alone { _held: open.gate.write().await },
        }
    }
}

pub(super) enum Committed<R, C: Command> {
    Answer(Answer<C::Output, Refusal>),
    Again(R, Permit<C>),
}

/// A permit that the store's transaction spends, or gives back if it did not happen; and what was drafted of a spent
/// one, for the case that the transaction fails after that.
struct Held<C>(Arc<Mutex<Spending<C>>>);

/// The permit while it is not spent, and the draft once it is.
type Spending<C> = (Option<Permit<C>>, Option<Draft>);

impl<C> Clone for Held<C> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

impl<C> Held<C> {
    fn new(permit: Permit<C>) -> Self {
        Self(Arc::new(Mutex::new((Some(permit), None))))
    }

    fn take(&self) -> Option<Permit<C>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).0.take()
    }

    fn spend(&self, draft: Draft) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).1 = Some(draft);
    }

    fn spent(&self) -> Option<Draft> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).1.take()
    }
}

/// The lookups of all rows that are changed.
fn touched(changes: &Changes) -> Vec<[u8; 32]> {
    let removed = changes.removes.iter().map(|(key, _)| key.lookup);
    changes.puts.iter().map(|row| row.lookup).chain(removed).collect()
}
