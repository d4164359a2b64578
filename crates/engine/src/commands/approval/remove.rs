//! Forget a proposal.

use crate::approvals::find;
use crate::commands::{ask, no_approval};
use crate::error::Refusal;
use crate::room::Room;
use crate::run::{Effect, Execute};
use keystead_access::{Permit, Who};
use keystead_model::{ObjectId, Target};
use keystead_store::Changes;

/// Forgets a proposal whose time has passed, with its votes. What it carried out stays in the audit log. Only the
/// scheduler does this.
pub(crate) struct RemoveProposal {
    /// Which.
    pub(crate) id: ObjectId,
}
ask!(RemoveProposal, RemoveProposal, |c| Target::Vault);

impl Execute for RemoveProposal {
    type Output = ();
    no_approval!();

    async fn execute(permit: &Permit<Self>, room: &Room<'_>) -> Result<Effect<()>, Refusal> {
        let found = find(room, permit.ask().id).await?;
        if !matches!(permit.who(), Who::Mandate(_)) || room.at.now < found.record.due() {
            return Err(Refusal::Conflict);
        }
        let removes = vec![(found.row.key(), found.row.counter)];
        Ok(Effect::change((), Changes { removes, ..Changes::default() }).about(found.row.id, None))
    }
}
