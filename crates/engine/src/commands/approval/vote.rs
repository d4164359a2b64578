//! Bring an approver's signature.

use crate::approvals::{ApprovalError, InForce, ProposalState, ProposalView, find};
use crate::commands::{ask, no_approval};
use crate::error::Refusal;
use crate::notes;
use crate::room::Room;
use crate::run::{Effect, Execute};
use keystead_access::{Permit, RecordedVote, Verdict, Vote};
use keystead_model::{ObjectId, Target};
use keystead_store::Changes;

/// Votes on a proposal with an approver's signature. Whoever brings it: the signature is what counts.
pub struct VoteOnProposal {
    /// Which.
    pub id: ObjectId,
    /// What the approver says.
    pub verdict: Verdict,
    /// His public key, DER SubjectPublicKeyInfo.
    pub key: Vec<u8>,
    /// His signature on the proposal's text.
    pub signature: Vec<u8>,
}
ask!(VoteOnProposal, VoteOnProposal, |c| Target::Vault);

impl Execute for VoteOnProposal {
    type Output = ProposalView;
    no_approval!();

    async fn execute(permit: &Permit<Self>, room: &Room<'_>) -> Result<Effect<ProposalView>, Refusal> {
        let Self { id, verdict, key, signature } = permit.ask();
        let (now, found) = (InForce::read(room).await?, find(room, *id).await?);
        let state = found.view(now.approvals(), room.at.now).state;
        if !matches!(state, ProposalState::Pending | ProposalState::Approved) {
            return Err(ApprovalError::Ended { state: state.name() }.into());
        }
        let of = (&found.record.proposal, found.record.votes.as_slice());
        let vote = Vote::new(now.approvals(), of, key, (*verdict, signature), room.at.now.0);
        let vote = vote.map_err(ApprovalError::from)?;
        let note = notes::voted(&RecordedVote::of(&found.record.proposal, &vote));
        let (row, view) = found.voted(room, &now, vote)?;
        let changes = Changes { puts: vec![row], checks: vec![now.check], ..Changes::default() };
        Ok(Effect::change(view, changes).about(*id, None).note(note))
    }
}
