//! What the customer's approvers have to approve of what the operator does. He has no principal in the vault: whoever
//! may open the socket is the operator.

use super::Instance;
use crate::approvals::{Gate, InForce, ProposalView, Proposed, Used, propose};
use crate::error::Refusal;
use crate::operate::OperateError;
use crate::room::Room;
use crate::vault::{Open, Vault};
use keystead_access::{Operation, Proposal, Rule};
use keystead_model::{Action, Moment, OperationId, Target};
use keystead_store::Changes;
use serde_json::json;
use std::sync::Arc;

/// Why something is proposed, and for how many hours.
pub struct Reason {
    /// Printable ASCII, at most 512 characters.
    pub text: String,
    /// At most 168; a day if none.
    pub hours: Option<u16>,
}

/// Removing an unseal path, as approvers see it.
fn removal(path: &str) -> Operation {
    let done = Operation::new(&[Rule::PathRemoval], Action::PathRemoved, &Target::Vault, &json!({ "path": path }));
    // The record says what was done; here it is still to be.
    Operation { name: "vault/path/remove", ..done }
}

impl Instance {
    /// Proposes to the approvers of an open vault that one of its paths is removed.
    pub async fn propose_path_removal(
        &self,
        name: &str,
        path: &str,
        reason: Reason,
        at: Moment,
    ) -> Result<ProposalView, OperateError> {
        let _one_at_a_time = self.operating.lock().await;
        let (vault, open) = self.steady(name)?;
        let room = Room::new(&vault, &open, at);
        let now = InForce::read(&room).await?;
        let (operation, proposer) = (removal(path), Proposal::OPERATOR.to_owned());
        let new = Proposed { operation: &operation, proposer, reason: &reason.text, hours: reason.hours };
        let (row, view) = propose(&room, &now, new).await?;
        let clear = minicbor::to_vec((path, row.id.to_string())).map_err(|_| Refusal::Fault)?;
        let changes = Changes { puts: vec![row], checks: vec![now.check], ..Changes::default() };
        self.commit(&vault, changes, (Action::PathRemovalProposed, clear.clone()), at, || ()).await?;
        self.write(Action::PathRemovalProposed, vault.info.id, clear, at).await?;
        Ok(view)
    }

    /// What goes into the commit that removes a path, if that has the approvals it needs.
    pub(super) async fn approved_removal(
        &self,
        (vault, open): (&Vault, &Arc<Open>),
        path: &str,
        operation: OperationId,
        at: Moment,
    ) -> Result<Used, OperateError> {
        let room = Room::new(vault, open, at);
        let now = InForce::read(&room).await?;
        let gate = Gate::for_operation(&room, &now, &removal(path), Proposal::OPERATOR).await?;
        Ok(gate.used(&room, operation)?)
    }
}
