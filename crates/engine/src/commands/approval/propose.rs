//! Propose a command instead of running it.

use crate::approvals::{ApprovalError, InForce, ProposalView, Proposed, propose};
use crate::error::Refusal;
use crate::room::Room;
use crate::run::{Command, Effect, Execute};
use keystead_access::{Ask, Operation, Permit, Policy, Proposal, Who};
use keystead_model::{Action, Target};
use keystead_store::Changes;

/// Proposes a command to the approvers. Whoever may run it may propose it, and nobody else.
pub struct Propose {
    needs: Action,
    target: Target,
    operation: What,
    reason: String,
    hours: Option<u16>,
}

type What = Box<dyn Fn(&Who, &Policy) -> Option<Operation> + Send + Sync>;

impl Propose {
    /// Of this command, for this reason: printable ASCII, at most 512 characters. It expires after so many hours, at
    /// most 168; a day if none.
    pub fn of<C: Command>(command: C, reason: String, hours: Option<u16>) -> Self {
        let target = command.target();
        let operation: What = Box::new(move |who, policy| command.approval(who, policy));
        Self { needs: C::ACTION, target, operation, reason, hours }
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

    async fn execute(permit: &Permit<Self>, room: &Room<'_>) -> Result<Effect<ProposalView>, Refusal> {
        let ask = permit.ask();
        let Who::Caller(caller) = permit.who() else { return Err(Refusal::Fault) };
        let now = InForce::read(room).await?;
        let operation = (ask.operation)(permit.who(), &now.policy).ok_or(ApprovalError::NotNeeded)?;
        let proposer = Proposal::proposer(caller.principal());
        let new = Proposed { operation: &operation, proposer, reason: &ask.reason, hours: ask.hours };
        let (row, view) = propose(room, &now, new).await?;
        let (id, note) = (row.id, format!("proposal {}: {}", row.id, operation.name));
        let changes = Changes { puts: vec![row], checks: vec![now.check], ..Changes::default() };
        Ok(Effect::change(view, changes).about(id, None).note(note))
    }
}
