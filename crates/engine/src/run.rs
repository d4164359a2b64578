//! The one way in. One order for everything: let in within bounds, decide, reserve room in the journal, work, decide
//! again if the policy moved or the vault was sealed, commit, journal, answer.
//!
//! - `effect`: what a command did and wants changed; `commit`: how that is done

mod commit;
mod effect;

pub use effect::Effect;

use crate::admission::Place;
use crate::approvals::Gate;
use crate::error::{Refusal, TurnedAway};
use crate::room::{Room, Used};
use crate::to_end::ToEnd;
use crate::vault::{Open, Vault};
use commit::Committed;
use futures_util::FutureExt as _;
use keystead_access::{Ask, Denial, Operation, Permit, Policy, Who};
use keystead_audit::{Answer, Draft, Outcome, Receipt, Record, Slot};
use keystead_identity::Caller;
use keystead_model::{Moment, ObjectId, OperationId, Revision, Version};
use serde_json::Value;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
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
            let effect = approved.onto(C::execute(permit, &room).await?).recordable()?;
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
        let draft = about(self.draft(permit), effect.about).noting(effect.note.as_ref());
        let record = draft.encode(Outcome::DONE, None, self.vault.node);
        let receipt = write(self.slot, record).await?;
        self.vault.open_since(&self.open)?;
        Ok(Answer::new(receipt, given(self.vault, &self.open, self.at, &effect.used, effect.value).await))
    }
}

/// Puts a record into the journal; it is on disk when this returns.
async fn write(slot: Slot, record: Record) -> Result<Receipt, TurnedAway> {
    let span = trace_span!(target: "keystead::walk", "journal");
    Ok(slot.write(record).instrument(span).await?)
}

/// The value, unless a key it was made with was disabled or deleted while the record was being written: then the record
/// says that the key was used, and nobody gets what came of it.
async fn given<T>(vault: &Vault, open: &Arc<Open>, at: Moment, used: &[Used], value: T) -> Result<T, Refusal> {
    Room::new(vault, open, at).still_usable(used).await.map(|()| value)
}

fn about(draft: Draft, what: Option<(ObjectId, Option<Version>)>) -> Draft {
    match what {
        Some((id, version)) => draft.about(id, version),
        None => draft,
    }
}

#[cfg(test)]
mod tests;
