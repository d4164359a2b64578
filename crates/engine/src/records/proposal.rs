//! What is kept of an operation that was proposed to the approvers.

use keystead_access::{Proposal, Vote};
use minicbor::bytes::ByteArray;
use minicbor::{Decode, Encode};

/// A proposal with its votes. The signatures are on [`Proposal::text`], so they stay checkable with nothing else.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
#[cbor(map)]
pub(crate) struct ProposalRecord {
    #[n(0)]
    pub(crate) proposal: Proposal,
    #[n(1)]
    pub(crate) votes: Vec<Vote>,
    /// Once it can be neither voted on nor carried out.
    #[n(2)]
    pub(crate) end: Option<EndRecord>,
}

/// How it ended.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
#[cbor(map)]
pub(crate) struct EndRecord {
    /// ms since the epoch.
    #[n(0)]
    pub(crate) at: i64,
    /// The operation that carried it out; none: it was rejected.
    #[n(1)]
    pub(crate) executed: Option<ByteArray<16>>,
}
