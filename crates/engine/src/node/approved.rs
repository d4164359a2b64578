//! What the customer's approvers have to approve of what the operator does. He has no principal in the vault: whoever
//! may open the socket is the operator.

use super::Instance;
use crate::approvals::{Gate, InForce, New, ProposalView, Proposed, Used, propose};
use crate::error::Refusal;
use crate::operate::OperateError;
use crate::room::Room;
use crate::vault::{Open, Vault};
use keystead_access::{Operation, Proposal, Rule};
use keystead_model::{Action, Moment, OperationId, Target};
use serde_json::json;
use std::sync::Arc;

/// Why something is proposed, and for how many hours.
pub struct Reason {
    /// Printable ASCII, at most 512 characters.
    pub text: String,
    /// At most 168; a day if none.
    pub hours: Option<u16>,
}

/// What the operator does of it.
#[derive(Debug, Clone, Copy)]
pub enum Approvable<'a> {
    /// Adding an unseal path.
    PathAddition(&'a str),
    /// Removing an unseal path.
    PathRemoval(&'a str),
    /// Erasing the vault.
    Erasure,
}

impl Approvable<'_> {
    /// As approvers see it: what is behind the name of a path is said by its kind.
    fn operation(self, on: &Instance) -> Result<Operation, OperateError> {
        // The record says what was done; here it is still to be.
        let (rules, done, name, parameters): (&'static [Rule], _, _, _) = match self {
            Self::PathAddition(path) => {
                let parameters = json!({ "path": path, "kind": on.its_path(path)?.kind() });
                (&[Rule::PathAddition], Action::PathAdded, "vault/path/add", parameters)
            }
            Self::PathRemoval(path) => {
                (&[Rule::PathRemoval], Action::PathRemoved, "vault/path/remove", json!({ "path": path }))
            }
            Self::Erasure => (&[Rule::Erase], Action::VaultErased, "vault/erase", json!({})),
        };
        Ok(Operation { name, ..Operation::new(rules, done, &Target::Vault, &parameters) })
    }

    /// What is recorded of the proposal, and what it is about.
    const fn proposed(&self) -> (Action, &str) {
        match self {
            Self::PathAddition(path) => (Action::PathAdditionProposed, path),
            Self::PathRemoval(path) => (Action::PathRemovalProposed, path),
            Self::Erasure => (Action::ErasureProposed, ""),
        }
    }
}

impl Instance {
    /// Proposes something to the approvers of an open vault.
    pub async fn propose(
        &self,
        name: &str,
        what: Approvable<'_>,
        reason: Reason,
        at: Moment,
    ) -> Result<ProposalView, OperateError> {
        let _one_at_a_time = self.operating.lock().await;
        let (vault, open) = self.steady(name)?;
        let room = Room::new(&vault, &open, at);
        let now = InForce::read(&room).await?;
        let (operation, proposer) = (what.operation(self)?, Proposal::OPERATOR.to_owned());
        let (administers, reason, hours) = (false, reason.text.as_str(), reason.hours);
        let new = Proposed { operation: &operation, proposer, administers, reason, hours };
        let New { id, view, changes, .. } = propose(&room, &now, new).await?;
        let (action, about) = what.proposed();
        let clear = minicbor::to_vec((about, id.to_string())).map_err(|_| Refusal::Fault)?;
        self.commit(&vault, changes, (action, clear.clone()), at, || ()).await?;
        self.write(action, vault.info.id, clear, at).await?;
        Ok(view)
    }

    /// What goes into the commit, if that has the approvals it needs.
    pub(super) async fn approved(
        &self,
        (vault, open): (&Vault, &Arc<Open>),
        what: Approvable<'_>,
        operation: OperationId,
        at: Moment,
    ) -> Result<Used, OperateError> {
        let room = Room::new(vault, open, at);
        let now = InForce::read(&room).await?;
        let gate = Gate::for_operation(&room, &now, &what.operation(self)?, Proposal::OPERATOR).await?;
        Ok(gate.used(&room, operation)?)
    }
}
