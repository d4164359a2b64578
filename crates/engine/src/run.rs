//! The one way in. One order for everything: let in within bounds, decide, reserve room in the journal, work, decide
//! again if the policy moved or the vault was sealed, commit, journal, answer.

use crate::admission::Place;
use crate::approvals::Gate;
use crate::error::{Refusal, TurnedAway};
use crate::opening;
use crate::room::{Room, Used, digest};
use crate::to_end::ToEnd;
use crate::vault::{Open, State, Vault};
use futures_util::FutureExt as _;
use keystead_access::{Ask, Denial, Operation, Permit, Policy, Who};
use keystead_audit::waiting::just_written;
use keystead_audit::{Answer, Draft, Outcome, Receipt, Record, Slot};
use keystead_identity::Caller;
use keystead_model::{Moment, ObjectId, OperationId, Revision, VaultStatus, Version};
use keystead_store::{Changes, CommitError, MakeRecord, OutboxRow, Row, RowKey};
use serde_json::Value;
use std::panic::AssertUnwindSafe;
use std::sync::{Arc, Mutex, PoisonError};
use tokio::sync::{RwLockReadGuard, RwLockWriteGuard};
use tracing::{Instrument as _, trace_span};

/// A command that `run` takes. Closed: [`Execute`] cannot be named outside this crate.
pub trait Command: Execute {}
impl<C: Execute> Command for C {}

pub(crate) mod sealed {
    use super::{Ask, Effect, Operation, Permit, Policy, Refusal, Room, Value, Who};

    /// The work of a command. `pub` in a private module, so that `Command` is closed.
    pub trait Execute: Ask + Send + Sync + Sized + 'static {
        /// What it gives.
        type Output: Send + 'static;

        /// What approvers see of it, if it is of a kind for which a policy may ask approvals. Says all of the request
        /// that decides what it does, and no secret. Each command says it, so that none forgets it.
        fn approval(&self, who: &Who, policy: &Policy) -> Option<Operation>;

        /// What it falls on as that is now, where the request alone does not say so. `execute` compares it with
        /// [`Room::still_approved`]. Asked only where the policy asks for approvals.
        fn found(&self, _room: &Room<'_>) -> impl Future<Output = Result<Option<Value>, Refusal>> + Send {
            async { Ok(None) }
        }

        /// Reads and uses keys; returns what it changes. May be run again if another change came first, so it must not
        /// have effects of its own.
        fn execute(
            permit: &Permit<Self>,
            room: &Room<'_>,
        ) -> impl Future<Output = Result<Effect<Self::Output>, Refusal>> + Send;
    }
}
pub(crate) use sealed::Execute;

/// What follows a commit in memory.
type After = Box<dyn FnOnce(&Open, Revision) + Send>;

/// What a command did and wants changed.
pub struct Effect<T> {
    value: T,
    about: Option<(ObjectId, Option<Version>)>,
    note: Option<String>,
    changes: Changes,
    status: Option<VaultStatus>,
    policy: Option<Policy>,
    alone: Option<Revision>,
    after: Option<After>,
    used: Vec<Used>,
}

impl<T> Effect<T> {
    /// It changes nothing.
    pub(crate) fn read(value: T) -> Self {
        Self {
            value,
            about: None,
            note: None,
            changes: Changes::default(),
            status: None,
            policy: None,
            alone: None,
            after: None,
            used: Vec::new(),
        }
    }

    /// It changes these rows.
    pub(crate) fn change(value: T, changes: Changes) -> Self {
        Self { changes, ..Self::read(value) }
    }

    /// It changes the vault's stored state.
    pub(crate) fn status(value: T, status: VaultStatus) -> Self {
        Self { status: Some(status), ..Self::read(value) }
    }

    /// Which object the record names.
    pub(crate) fn about(mut self, id: ObjectId, version: Option<Version>) -> Self {
        self.about = Some((id, version));
        self
    }

    /// What the record says besides, in its sealed part.
    pub(crate) fn note(mut self, text: String) -> Self {
        self.note = Some(text);
        self
    }

    /// It changes these rows as well.
    pub(crate) fn with(mut self, changes: Changes) -> Self {
        self.changes = changes;
        self
    }

    /// It changes this row as well.
    pub(crate) fn also(mut self, row: Row) -> Self {
        self.changes.puts.push(row);
        self
    }

    /// Its changes make this the vault's policy.
    pub(crate) fn policy(mut self, policy: Policy) -> Self {
        self.policy = Some(policy);
        self
    }

    /// It changes what everything else in the vault hangs on: nothing was changed since this revision, nothing is
    /// committed beside it, and the vault is opened anew before anything is again.
    pub(crate) fn alone(mut self, since: Revision) -> Self {
        self.alone = Some(since);
        self
    }

    /// What follows in memory once the changes are committed.
    pub(crate) fn after(mut self, then: impl FnOnce(&Open, Revision) + Send + 'static) -> Self {
        self.after = Some(Box::new(then));
        self
    }

    /// It uses up an approved proposal, stands only under the policy that was asked, and says so.
    pub(crate) fn approved(mut self, check: Option<(RowKey, u64)>, row: Option<Row>, note: Option<String>) -> Self {
        self.changes.checks.extend(check);
        self.changes.puts.extend(row);
        self.note = match (note, self.note) {
            (Some(approved), Some(own)) => Some(format!("{approved}; {own}")),
            (approved, own) => approved.or(own),
        };
        self
    }

    fn changes_something(&self) -> bool {
        self.status.is_some() || !self.changes.puts.is_empty() || !self.changes.removes.is_empty()
    }
}

/// How often a command is run again when another change came first.
const ATTEMPTS: usize = 5;

impl Vault {
    /// Runs a command for a caller. It goes on to its end when the caller hangs up.
    pub async fn run<C: Command>(
        self: &Arc<Self>,
        caller: Caller,
        ask: C,
        at: Moment,
    ) -> Result<Answer<C::Output, Refusal>, TurnedAway> {
        self.run_as(Who::Caller(caller), ask, at).await
    }

    /// Whether the vault was changed since a revision. What is not known counts as changed.
    async fn moved_since(&self, seen: Option<Revision>) -> bool {
        match seen {
            None => false,
            Some(seen) => self.revision().await.ok() != Some(seen),
        }
    }

    pub(crate) async fn run_as<C: Command>(
        self: &Arc<Self>,
        who: Who,
        ask: C,
        at: Moment,
    ) -> Result<Answer<C::Output, Refusal>, TurnedAway> {
        let vault = Arc::clone(self);
        ToEnd::new(async move { Run::begin(&vault, &who, at)?.decide(who, ask).await }.in_current_span()).await
    }
}

/// One run: the vault as it was open at the start, the room reserved for its record, and its place among those let in.
struct Run<'a> {
    vault: &'a Arc<Vault>,
    open: Arc<Open>,
    slot: Slot,
    operation: OperationId,
    at: Moment,
    /// None for a mandate, which only the scheduler brings.
    place: Option<Place>,
}

impl<'a> Run<'a> {
    fn begin(vault: &'a Arc<Vault>, who: &Who, at: Moment) -> Result<Self, TurnedAway> {
        let open = vault.open()?;
        let place = match who {
            Who::Caller(caller) => Some(vault.admission.enter(caller, at.now)?),
            Who::Mandate(_) => None,
        };
        let slot = vault.journal.reserve()?;
        let operation = OperationId::from_bytes(keystead_crypto::random());
        Ok(Self { vault, open, slot, operation, at, place })
    }

    async fn decide<C: Command>(self, who: Who, ask: C) -> Result<Answer<C::Output, Refusal>, TurnedAway> {
        let decide = trace_span!(target: "keystead::walk", "decide");
        let decision = decide.in_scope(|| self.open.policy.load().decide(who, ask));
        match decision {
            Ok(permit) => self.work(permit).await,
            Err(denial) => self.deny(denial).await,
        }
    }

    async fn deny<T>(self, denial: Denial) -> Result<Answer<T, Refusal>, TurnedAway> {
        if let Some(place) = &self.place {
            place.denied();
        }
        let refusal = Refusal::Denied(Box::new(denial.clone()));
        let info = &self.vault.info;
        let draft = Draft::denied(denial, self.operation, self.at.now, info.id, &self.open.seals().details);
        let record = draft.encode(Outcome::DENIED, None, self.vault.node);
        Ok(Answer::new(write(self.slot, record).await?, Err(refusal)))
    }

    async fn work<C: Command>(self, permit: Permit<C>) -> Result<Answer<C::Output, Refusal>, TurnedAway> {
        let (mut run, mut permit) = (self, permit);
        for left in (0..ATTEMPTS).rev() {
            let generation = run.open.seals().generation();
            let worked = run.execute(&permit).await;
            let allowed = match run.still(permit)? {
                Ok(permit) => permit,
                Err(denial) => return run.deny(denial).await,
            };
            let effect = match worked {
                Ok(effect) if effect.changes_something() => effect,
                Ok(effect) => return run.answer(allowed, effect).await,
                // It read what the next generation of the root sealed meanwhile, which the one before does not open.
                Err(Refusal::Damaged) if left > 0 && run.open.seals().generation() != generation => {
                    permit = allowed;
                    continue;
                }
                Err(refusal) => return run.refuse(allowed, refusal).await,
            };
            (run, permit) = match run.commit(allowed, effect, left > 0).await? {
                Committed::Answer(answer) => return Ok(answer),
                Committed::Again(run, permit) => (run, permit),
            };
        }
        run.refuse(permit, Refusal::Conflict).await
    }

    /// The command itself, if it has the approvals it needs, within the deadline, and then whether the keys it used may
    /// still be used; a panic in it is a fault of ours, and is recorded.
    async fn execute<C: Command>(&self, permit: &Permit<C>) -> Result<Effect<C::Output>, Refusal> {
        let lane = self.place.as_ref().map(Place::lane).unwrap_or_default();
        let room = Room::new(self.vault, &self.open, self.at).in_lane(lane);
        let work = async {
            let approved = Gate::of(permit, &room).await?.used(&room, self.operation)?;
            let effect = approved.onto(C::execute(permit, &room).await?);
            let used = room.take_used();
            room.still_usable(&used).await?;
            Ok(Effect { used, ..effect })
        };
        let work = AssertUnwindSafe(work).catch_unwind().instrument(trace_span!(target: "keystead::walk", "work"));
        match tokio::time::timeout_at(self.at.deadline.into(), work).await {
            Ok(Ok(result)) => result,
            Ok(Err(_panic)) => Err(Refusal::Fault),
            Err(_elapsed) => Err(Refusal::Deadline),
        }
    }

    /// Decides again: the vault must still be open, and the policy must still allow it.
    fn still<C: Command>(&self, permit: Permit<C>) -> Result<Result<Permit<C>, Denial>, TurnedAway> {
        self.vault.open_since(&self.open)?;
        Ok(self.open.policy.load().still(permit))
    }

    fn draft<C: Command>(&self, permit: Permit<C>) -> Draft {
        Draft::of(permit, self.operation, self.at.now, self.vault.info.id, &self.open.seals().details)
    }

    async fn refuse<C: Command>(
        self,
        permit: Permit<C>,
        refusal: Refusal,
    ) -> Result<Answer<C::Output, Refusal>, TurnedAway> {
        let draft = self.draft(permit);
        self.refuse_draft(draft, refusal).await
    }

    async fn refuse_draft<T>(self, draft: Draft, refusal: Refusal) -> Result<Answer<T, Refusal>, TurnedAway> {
        let reason = refusal.to_string();
        let record = draft.encode(refusal.outcome(), Some(&reason), self.vault.node);
        Ok(Answer::new(write(self.slot, record).await?, Err(refusal)))
    }

    async fn answer<C: Command>(
        self,
        permit: Permit<C>,
        effect: Effect<C::Output>,
    ) -> Result<Answer<C::Output, Refusal>, TurnedAway> {
        let draft = about(self.draft(permit), effect.about);
        let record = draft.encode(Outcome::DONE, effect.note.as_deref(), self.vault.node);
        let receipt = write(self.slot, record).await?;
        self.vault.open_since(&self.open)?;
        Ok(Answer::new(receipt, given(self.vault, &self.open, self.at, &effect.used, effect.value).await))
    }
}

/// Committing: the changes and their record in one store transaction, then the record into the journal.
impl Run<'_> {
    async fn commit<C: Command>(
        self,
        permit: Permit<C>,
        effect: Effect<C::Output>,
        again: bool,
    ) -> Result<Committed<Self, C>, TurnedAway>
    where
        Self: Sized,
    {
        let Effect { value, about, note, changes, status, policy, alone, after, used } = effect;
        // No other generation of the root begins to seal before this is committed.
        let gate = Entry::of(&self.open, alone.is_some()).await;
        self.vault.open_since(&self.open)?;
        if self.vault.moved_since(alone).await || !self.open.seals().seal_all(&changes) {
            drop(gate);
            return match again {
                true => Ok(Committed::Again(self, permit)),
                false => self.refuse(permit, Refusal::Conflict).await.map(Committed::Answer),
            };
        }
        let tags: Vec<[u8; 32]> = changes.puts.iter().map(|r| r.lookup).chain(removed(&changes)).collect();
        let held = Held::new(permit);
        let make = self.make_record(&held, about, note, digest(&changes));
        let store = &self.vault.store;
        let span = trace_span!(target: "keystead::walk", "commit");
        let committed = match status {
            Some(status) => store.set_status(self.vault.info.id, status, changes, make).instrument(span).await,
            None => store.commit(self.vault.info.id, changes, make).instrument(span).await,
        };
        if alone.is_some() && committed.is_ok() {
            opening::anew(self.vault, &self.open, self.at).await;
        }
        drop(gate);
        // Whatever came of it: after some failures that is not known.
        tags.iter().for_each(|tag| self.open.keys.forget(tag));
        let committed = match (committed, held.take(), held.spent()) {
            (Ok(committed), ..) => committed,
            (Err(CommitError::Conflict), Some(permit), _) if again => return Ok(Committed::Again(self, permit)),
            (Err(e), Some(permit), _) => return self.refuse(permit, e.into()).await.map(Committed::Answer),
            // The record was made, and then the commit found the disk full.
            (Err(e), None, Some(draft)) if e.is_undone() => {
                return self.refuse_draft(draft, e.into()).await.map(Committed::Answer);
            }
            (Err(_), None, _) => {
                if policy.is_some() || status.is_some() || alone.is_some() {
                    // Which policy, state or domain stands in the store is not known: nobody is let in until the vault is
                    // opened again.
                    self.vault.state.store(Arc::new(State::Sealed));
                }
                return Err(TurnedAway::OutcomeUnknown);
            }
        };
        if let Some(policy) = policy {
            self.open.adopt(policy, committed.revision);
        }
        if let Some(after) = after {
            after(&self.open, committed.revision);
        }
        if status.is_some() {
            self.vault.state.store(Arc::new(State::Sealed));
        }
        let (vault, open, at) = (self.vault, Arc::clone(&self.open), self.at);
        let receipt = self.journal(&committed.record).await?;
        Ok(Committed::Answer(Answer::new(receipt, given(vault, &open, at, &used, value).await)))
    }

    /// Makes the record inside the transaction, when the revision is known. The permit is spent only if it is called.
    fn make_record<C: Command>(
        &self,
        held: &Held<C>,
        object: Option<(ObjectId, Option<Version>)>,
        note: Option<String>,
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
                let draft = about(draft.changed(digest), object);
                let mut record = draft.encode(Outcome::DONE, note.as_deref(), node);
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

/// The value, unless a key it was made with was disabled or deleted while the record was being written: then the record
/// says that the key was used, and nobody gets what came of it.
async fn given<T>(vault: &Vault, open: &Arc<Open>, at: Moment, used: &[Used], value: T) -> Result<T, Refusal> {
    Room::new(vault, open, at).still_usable(used).await.map(|()| value)
}

enum Committed<R, C: Command> {
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

/// Puts a record into the journal; it is on disk when this returns.
async fn write(slot: Slot, record: Record) -> Result<Receipt, TurnedAway> {
    let span = trace_span!(target: "keystead::walk", "journal");
    Ok(slot.write(record).instrument(span).await?)
}

fn removed(changes: &Changes) -> impl Iterator<Item = [u8; 32]> {
    changes.removes.iter().map(|(key, _)| key.lookup)
}

fn about(draft: Draft, what: Option<(ObjectId, Option<Version>)>) -> Draft {
    match what {
        Some((id, version)) => draft.about(id, version),
        None => draft,
    }
}

#[cfg(test)]
mod tests;
