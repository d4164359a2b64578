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

/// What the record of an erasure says that was approved, in the clear. It proves the votes to whoever has the text that
/// was signed and the approvers' keys, when nothing else of the vault is left.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
#[cbor(map)]
pub(crate) struct ErasedRecord {
    /// Keys that went.
    #[n(0)]
    pub(crate) keys: u64,
    /// The proposal's id.
    #[n(1)]
    pub(crate) proposal: String,
    /// SHA-256 of the text that was signed to approve it.
    #[n(2)]
    pub(crate) text: ByteArray<32>,
    /// At most as many as there can be approvers.
    #[n(3)]
    pub(crate) votes: Vec<ApprovalRecord>,
}

/// One approval.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
#[cbor(map)]
pub(crate) struct ApprovalRecord {
    /// SHA-256 of the approver's public key, DER SubjectPublicKeyInfo.
    #[n(0)]
    pub(crate) key: ByteArray<32>,
    /// His signature, 64 bytes.
    #[cbor(n(1), with = "minicbor::bytes")]
    pub(crate) signature: Vec<u8>,
}
