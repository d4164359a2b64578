//! Propose a command instead of running it.

use crate::approvals::{ApprovalError, InForce, New, ProposalView, Proposed, propose};
use crate::commands::no_approval;
use crate::error::Refusal;
use crate::notes;
use crate::room::Room;
use crate::run::{Command, Effect, Execute};
use futures_util::future::BoxFuture;
use keystead_access::{Ask, Operation, Permit, Policy, Proposal, Who};
use keystead_model::{Action, Target};
use serde_json::Value;

/// Proposes a command to the approvers. Whoever may run it may propose it, and nobody else.
pub struct Propose {
    needs: Action,
    target: Target,
    what: Box<dyn Proposable>,
    reason: String,
    hours: Option<u16>,
}

/// A command of any kind, as approvers see it.
trait Proposable: Send + Sync {
    fn approval(&self, who: &Who, policy: &Policy) -> Option<Operation>;
    fn found<'a>(&'a self, room: &'a Room<'_>) -> BoxFuture<'a, Result<Option<Value>, Refusal>>;
}

impl<C: Execute> Proposable for C {
    fn approval(&self, who: &Who, policy: &Policy) -> Option<Operation> {
        Execute::approval(self, who, policy)
    }

    fn found<'a>(&'a self, room: &'a Room<'_>) -> BoxFuture<'a, Result<Option<Value>, Refusal>> {
        Box::pin(Execute::found(self, room))
    }
}

impl Propose {
    /// Of this command, for this reason: printable ASCII, at most 512 characters. It expires after so many hours, at
    /// most 168; a day if none.
    pub fn of<C: Command>(command: C, reason: String, hours: Option<u16>) -> Self {
        Self { needs: C::ACTION, target: command.target(), what: Box::new(command), reason, hours }
    }
}

impl Ask for Propose {
    const ACTION: Action = Action::ProposeOperation;

    fn target(&self) -> Target {
        self.target.clone()
    }

    fn needs(&self) -> Action {
        self.needs
    }
}

impl Execute for Propose {
    type Output = ProposalView;
    no_approval!();

    async fn execute(permit: &Permit<Self>, room: &Room<'_>) -> Result<Effect<ProposalView>, Refusal> {
        let ask = permit.ask();
        let Who::Caller(caller) = permit.who() else { return Err(Refusal::Fault) };
        let now = InForce::read(room).await?;
        let operation = ask.what.approval(permit.who(), &now.policy).ok_or(ApprovalError::NotNeeded)?;
        now.approvals().needed(operation.rules).ok_or(ApprovalError::NotNeeded)?;
        let operation = operation.with_found(ask.what.found(room).await?.as_ref());
        let proposer = Proposal::proposer(caller.principal());
        let administers = now.policy.is_administrator(caller);
        let new = Proposed { operation: &operation, proposer, administers, reason: &ask.reason, hours: ask.hours };
        let New { id, view, changes, forgotten } = propose(room, &now, new).await?;
        let note = notes::proposed(id, operation.name, &forgotten);
        Ok(Effect::change(view, changes).about(id, None).note(note))
    }
}
