//! Approvals: operations that a policy lets happen only after k of its approvers have signed that they may.
//!
//! - [`rules`]: who approves, and what needs how many
//! - [`proposal`]: what is approved, and the text that is signed
//! - [`vote`]: signatures, and what they come to under a policy; [`recorded`]: one in the audit log
//!
//! An approver is a key, not a principal: whoever has the key approves, whatever token he has or has not.

pub mod proposal;
pub mod recorded;
pub mod rules;
pub mod vote;

pub use proposal::{BadReason, Operation, Proposal, Verdict, check_reason};
pub use recorded::RecordedVote;
pub use rules::{Approvals, Approver, BadApprovals, Rule};
pub use vote::{BadVote, Standing, Vote};
