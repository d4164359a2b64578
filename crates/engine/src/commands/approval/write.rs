//! Say who approves, and what needs approvals.

use crate::commands::ask;
use crate::error::Refusal;
use crate::policy_row::Editing;
use crate::room::Room;
use crate::run::{Effect, Execute};
use keystead_access::{Approvals, Ask as _, Operation, Permit, Policy, Rule, Who};
use keystead_model::Target;
use serde_json::json;

/// Replaces approvers and rules by these.
pub struct WriteApprovals {
    /// All that is to stand.
    pub approvals: Approvals,
}
ask!(WriteApprovals, WriteApprovals, |c| Target::Vault);

impl Execute for WriteApprovals {
    type Output = Approvals;

    fn approval(&self, _: &Who, _: &Policy) -> Option<Operation> {
        Some(Operation::new(&[Rule::Approvers], Self::ACTION, &Target::Vault, &json!(self.approvals)))
    }

    async fn execute(permit: &Permit<Self>, room: &Room<'_>) -> Result<Effect<Approvals>, Refusal> {
        let approvals = permit.ask().approvals.clone();
        let mut editing = Editing::of(permit, room).await?;
        editing.document().approvals = approvals.clone();
        editing.removed(room, approvals)
    }
}
