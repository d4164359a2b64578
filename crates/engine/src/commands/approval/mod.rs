//! Commands on what is proposed to the approvers.

mod propose;
mod read;
mod remove;
mod vote;
mod write;

pub use propose::Propose;
pub use read::{ListProposals, ReadProposal};
pub(crate) use remove::RemoveProposal;
pub use vote::VoteOnProposal;
pub use write::WriteApprovals;
