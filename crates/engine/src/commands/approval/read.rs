//! Read what was proposed.

use crate::approvals::{InForce, ProposalView, all, find};
use crate::commands::{ask, no_approval};
use crate::error::Refusal;
use crate::room::Room;
use crate::run::{Effect, Execute};
use keystead_access::Permit;
use keystead_model::{ObjectId, Target};

/// Reads a proposal with its votes.
pub struct ReadProposal {
    /// Which.
    pub id: ObjectId,
}
ask!(ReadProposal, ReadProposals, |c| Target::Vault);

impl Execute for ReadProposal {
    type Output = ProposalView;
    no_approval!();

    async fn execute(permit: &Permit<Self>, room: &Room<'_>) -> Result<Effect<ProposalView>, Refusal> {
        let id = permit.ask().id;
        let (now, found) = (InForce::read(room).await?, find(room, id).await?);
        Ok(Effect::read(found.view(now.approvals(), room.at.now)).about(id, None))
    }
}

/// Most that are listed.
const LISTED: usize = 200;

/// Lists the newest that are kept, the newest first.
pub struct ListProposals;
ask!(ListProposals, ReadProposals, |c| Target::Vault);

impl Execute for ListProposals {
    type Output = Vec<ProposalView>;
    no_approval!();

    async fn execute(_: &Permit<Self>, room: &Room<'_>) -> Result<Effect<Vec<ProposalView>>, Refusal> {
        let now = InForce::read(room).await?;
        let stored = all(room).await?;
        let mut views: Vec<_> = stored.iter().map(|s| s.view(now.approvals(), room.at.now)).collect();
        views.sort_by(|a, b| (b.proposal.proposed, &b.proposal.id).cmp(&(a.proposal.proposed, &a.proposal.id)));
        views.truncate(LISTED);
        Ok(Effect::read(views))
    }
}
