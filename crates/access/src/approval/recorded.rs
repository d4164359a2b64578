//! A vote as its audit record says it: with the text that was signed and the approver's public key, the record alone
//! proves it, whatever became of the proposal's row.

use super::proposal::{Proposal, Verdict};
use super::rules::Approvals;
use super::vote::Vote;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use keystead_crypto::sha256;

/// One vote in a record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RecordedVote {
    /// The proposal's id.
    pub proposal: String,
    /// What the approver said.
    pub verdict: Verdict,
    /// His name when he voted.
    pub approver: String,
    /// SHA-256 of the text that he signed.
    pub text: [u8; 32],
    /// SHA-256 of his public key, DER SubjectPublicKeyInfo.
    pub key: [u8; 32],
    /// His signature, 64 bytes.
    pub signature: Vec<u8>,
}

impl RecordedVote {
    /// Of a vote that was taken.
    pub fn of(proposal: &Proposal, vote: &Vote) -> Self {
        Self {
            proposal: proposal.id.clone(),
            verdict: vote.verdict,
            approver: vote.approver.clone(),
            text: sha256(&[proposal.text(vote.verdict).as_bytes()]),
            key: sha256(&[&vote.key]),
            signature: vote.signature.clone(),
        }
    }

    /// As it stands in the record. The number names the layout.
    pub fn to_text(&self) -> String {
        let Self { proposal, verdict, approver, text, key, signature } = self;
        let (verdict, text, key) = (verdict.word(), hex::encode(text), hex::encode(key));
        let signature = URL_SAFE_NO_PAD.encode(signature);
        format!(
            "proposal {proposal}: {verdict} by {approver}; proof 1: text sha256 {text}, key sha256 {key}, signature \
             {signature}"
        )
    }

    /// What stands in a record, if that is a vote.
    pub fn parse(record: &str) -> Option<Self> {
        let (proposal, rest) = record.strip_prefix("proposal ")?.split_once(": ")?;
        let (verdict, rest) = rest.split_once(" by ")?;
        let verdict = [Verdict::Approve, Verdict::Reject].into_iter().find(|v| v.word() == verdict)?;
        let (approver, rest) = rest.split_once("; proof 1: text sha256 ")?;
        let (text, rest) = rest.split_once(", key sha256 ")?;
        let (key, signature) = rest.split_once(", signature ")?;
        let digest = |text: &str| hex::decode(text).ok()?.try_into().ok();
        let read = Self {
            proposal: proposal.to_owned(),
            verdict,
            approver: approver.to_owned(),
            text: digest(text)?,
            key: digest(key)?,
            signature: URL_SAFE_NO_PAD.decode(signature).ok().filter(|s| s.len() == 64)?,
        };
        (read.to_text() == record).then_some(read)
    }

    /// The vote, for this proposal and the approvers whose keys are believed. One of nobody among them has no key, and
    /// one on another text no signature, so that neither is proven.
    pub fn vote(&self, proposal: &Proposal, approvals: &Approvals) -> Vote {
        let by = approvals.approvers.iter().find(|approver| sha256(&[&approver.key]) == self.key);
        let signed = sha256(&[proposal.text(self.verdict).as_bytes()]) == self.text;
        Vote {
            approver: self.approver.clone(),
            key: by.map(|approver| approver.key.clone()).unwrap_or_default(),
            verdict: self.verdict,
            signature: if signed { self.signature.clone() } else { Vec::new() },
            at: 0,
        }
    }
}
