//! The one place where approvals are asked for: before a command works, and, for what the operator does, before he
//! does.
//!
//! What a policy asks approvals for takes a proposal of exactly that by exactly that caller, with votes that hold under
//! the policy in force. It is used up in the commit of the change itself, which also names the policy row that it was
//! decided by: so it carries one execution, whatever comes at once, and none under another policy.

mod bounds;
mod rows;

pub(crate) use rows::{New, Proposed, Stored, all, find, propose};

use crate::error::Refusal;
use crate::notes;
use crate::policy_row;
use crate::room::Room;
use crate::run::{Effect, Execute};
use keystead_access::approval::{BadReason, BadVote};
use keystead_access::{Approvals, Operation, Permit, Policy, Proposal, Standing, Vote, Who};
use keystead_audit::Note;
use keystead_model::{ObjectId, OperationId, Time};
use keystead_store::{Row, RowKey};
use thiserror::Error;

/// Why an operation that needs approvals is not done, or a proposal or a vote not taken.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum ApprovalError {
    /// Nobody has approved it.
    #[error(
        "{}: send the request with the header x-keystead-propose and a reason (`--propose REASON`), have the approvers \
         sign (`keystead approval approve`), then repeat it as it is", asked(*needed, *pending)
    )]
    Required {
        /// How many approvals it needs.
        needed: u8,
        /// A proposal of exactly this, and how many approvals it has.
        pending: Option<(ObjectId, usize)>,
    },
    /// What was approved is of another object than the request falls on now, or of another state of it.
    #[error(
        "proposal {id} was approved, but not of what there is now: what it falls on (`found` in `keystead approval show \
         {id}`) was changed or replaced since. Propose it anew"
    )]
    Changed {
        /// The proposal.
        id: ObjectId,
    },
    /// It could be done as it is.
    #[error("the vault's policy asks for no approval of this: send the request without x-keystead-propose")]
    NotNeeded,
    /// A reason that is none.
    #[error("x-keystead-propose: {0}")]
    Reason(#[from] BadReason),
    /// A time over the bound.
    #[error("a proposal lives for 1 to 168 hours")]
    Life,
    /// It was proposed already.
    #[error("proposal {id} is of exactly this, and open: `keystead approval show {id}`")]
    Exists {
        /// Which.
        id: ObjectId,
    },
    /// Over the bound.
    #[error("{what}: wait until some are carried out, rejected or expired")]
    TooMany {
        /// The bound, in words.
        what: &'static str,
    },
    /// There is no such proposal.
    #[error("there is no such proposal")]
    NotFound,
    /// It can be neither voted on nor carried out.
    #[error("the proposal is {state}")]
    Ended {
        /// What became of it.
        state: &'static str,
    },
    /// A vote that does not count.
    #[error("the vote is not taken: {0}")]
    Vote(#[from] BadVote),
    /// Whether a proposal has expired is not known.
    #[error(
        "the node's clock is doubted, so whether the proposal has expired is not known: an administrator confirms the \
         clock (`keystead clock confirm`), then repeat the request"
    )]
    ClockDoubted,
}

fn asked(needed: u8, pending: Option<(ObjectId, usize)>) -> String {
    match pending {
        Some((id, has)) => format!("this needs {needed} approvals, and proposal {id} for it has {has}"),
        None => format!("this needs {needed} approvals, and was not proposed"),
    }
}

/// What became of a proposal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ProposalState {
    /// It has not enough votes.
    Pending,
    /// It can be carried out, once.
    Approved,
    /// So many rejected that it cannot be approved any more.
    Rejected,
    /// Its time passed.
    Expired,
    /// It was carried out.
    Executed,
}

impl ProposalState {
    /// The word for it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Approved => "approved",
            Self::Rejected => "rejected",
            Self::Expired => "expired",
            Self::Executed => "executed",
        }
    }
}

/// A proposal as a reader sees it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProposalView {
    /// What was proposed.
    pub proposal: Proposal,
    /// What approvers said.
    pub votes: Vec<Vote>,
    /// What became of it.
    pub state: ProposalState,
    /// What the votes come to under the policy in force; none if that asks for no approval.
    pub standing: Option<Standing>,
    /// When it was carried out or rejected.
    pub ended: Option<Time>,
    /// The operation that carried it out, as its audit record has it.
    pub operation: Option<OperationId>,
}

/// The policy as it is stored, and the row that a commit names, so that it stands under that policy.
pub(crate) struct InForce {
    pub(crate) policy: Policy,
    pub(crate) check: (RowKey, u64),
}

impl InForce {
    pub(crate) async fn read(room: &Room<'_>) -> Result<Self, Refusal> {
        let (document, row) = policy_row::stored_row(room).await?;
        let policy = Policy::stored(&document, row.revision).map_err(|_| Refusal::Damaged)?;
        Ok(Self { policy, check: (row.key(), row.counter) })
    }

    pub(crate) fn approvals(&self) -> &Approvals {
        self.policy.approvals()
    }
}

/// What an operation is let through with.
pub(crate) enum Gate {
    /// It is of no kind that could need approvals.
    Free,
    /// The policy in force asks for none.
    Unasked((RowKey, u64)),
    /// An approved proposal, to be used up.
    Approved(Box<Approved>),
}

/// A proposal with the votes by which it is approved: each of an approver of the policy in force, so they are few.
pub(crate) struct Approved {
    stored: Stored,
    standing: Standing,
    votes: Vec<Vote>,
    check: (RowKey, u64),
}

impl Gate {
    /// Of a command. A stored decision of the customer's is no caller's operation, and was approved as it was stored.
    pub(crate) async fn of<C: Execute>(permit: &Permit<C>, room: &Room<'_>) -> Result<Self, Refusal> {
        let Who::Caller(caller) = permit.who() else { return Ok(Self::Free) };
        let ask = permit.ask();
        // Most commands are of no such kind, whatever the policy.
        if ask.approval(permit.who(), &room.open().policy.load()).is_none() {
            return Ok(Self::Free);
        }
        let now = InForce::read(room).await?;
        let Some(operation) = ask.approval(permit.who(), &now.policy) else { return Ok(Self::Free) };
        if now.approvals().needed(operation.rules).is_none() {
            return Ok(Self::Unasked(now.check));
        }
        let found = ask.found(room).await?;
        let operation = operation.with_found(found.as_ref());
        let gate = Self::for_operation(room, &now, &operation, &Proposal::proposer(caller.principal())).await?;
        room.approved(found);
        Ok(gate)
    }

    /// The same of an operation by name.
    pub(crate) async fn for_operation(
        room: &Room<'_>,
        now: &InForce,
        operation: &Operation,
        proposer: &str,
    ) -> Result<Self, Refusal> {
        let Some(needed) = now.approvals().needed(operation.rules) else { return Ok(Self::Unasked(now.check)) };
        let (mut pending, mut other) = (None, None);
        for stored in all(room).await?.into_iter().filter(|one| one.record.end.is_none()) {
            if !stored.is_for(room, operation, proposer) {
                other = other.or_else(|| stored.of_what_was(room, (now, operation), proposer));
                continue;
            }
            let (state, standing) = stored.stands(now.approvals(), operation.rules, room.at.now);
            match (state, standing) {
                (ProposalState::Approved, Some(_)) if room.vault().doubt_of(room.open()).is_some() => {
                    return Err(ApprovalError::ClockDoubted.into());
                }
                (ProposalState::Approved, Some(standing)) => {
                    let votes = stored.approving(now.approvals());
                    return Ok(Self::Approved(Box::new(Approved { stored, standing, votes, check: now.check })));
                }
                (ProposalState::Pending, Some(standing)) => pending = Some((stored.row.id, standing.approved.len())),
                _ => {}
            }
        }
        match (pending, other) {
            (None, Some(id)) => Err(ApprovalError::Changed { id }.into()),
            _ => Err(ApprovalError::Required { needed, pending }.into()),
        }
    }

    /// The proposal's next row, once `operation` carries it out, and what the record says of it.
    pub(crate) fn used(self, room: &Room<'_>, operation: OperationId) -> Result<Used, Refusal> {
        match self {
            Self::Free => Ok(Used::default()),
            Self::Unasked(check) => Ok(Used { check: Some(check), ..Used::default() }),
            Self::Approved(approved) => {
                let Approved { stored, standing, votes, check } = *approved;
                let note = notes::approved(stored.row.id, &standing.approved);
                let approved = ProposalView {
                    proposal: stored.record.proposal.clone(),
                    votes,
                    state: ProposalState::Executed,
                    standing: Some(standing),
                    ended: Some(room.at.now),
                    operation: Some(operation),
                };
                let row = stored.executed(room, operation)?;
                Ok(Used { check: Some(check), row: Some(row), note: Some(note), approved: Some(Box::new(approved)) })
            }
        }
    }
}

/// What goes into the commit of an operation that was let through.
#[derive(Default)]
pub(crate) struct Used {
    pub(crate) check: Option<(RowKey, u64)>,
    pub(crate) row: Option<Row>,
    pub(crate) note: Option<Note>,
    /// What was approved, and by which votes.
    pub(crate) approved: Option<Box<ProposalView>>,
}

impl Used {
    /// The proposal's id, as records of the node have it.
    pub(crate) fn id(&self) -> Option<&str> {
        self.approved.as_ref().map(|approved| approved.proposal.id.as_str())
    }

    pub(crate) fn onto<T>(self, effect: Effect<T>) -> Effect<T> {
        effect.approved(self.check, self.row, self.note)
    }
}
