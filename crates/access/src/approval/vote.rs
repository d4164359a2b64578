//! Signatures on proposals, and what they come to.

use super::proposal::{Proposal, Verdict};
use super::rules::{Approvals, Rule};
use keystead_crypto::signature::PublicKey;
use minicbor::{Decode, Encode};
use serde::{Deserialize, Serialize};
use thiserror::Error;

/// What one approver said, with what proves it.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode, Serialize, Deserialize)]
#[cbor(map)]
#[serde(deny_unknown_fields)]
pub struct Vote {
    /// His name when he voted.
    #[n(0)]
    pub approver: String,
    /// His public key, DER SubjectPublicKeyInfo.
    #[cbor(n(1), with = "minicbor::bytes")]
    #[serde(with = "in_hex")]
    pub key: Vec<u8>,
    /// What he said.
    #[n(2)]
    pub verdict: Verdict,
    /// His signature on the text, 64 bytes.
    #[cbor(n(3), with = "minicbor::bytes")]
    #[serde(with = "in_hex")]
    pub signature: Vec<u8>,
    /// When it came, ms since the epoch.
    #[n(4)]
    pub at: i64,
}

/// Why a vote is not taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum BadVote {
    /// Of nobody who approves.
    #[error("the key is of nobody who approves in this vault's policy")]
    Stranger,
    /// Not his signature, or on another text.
    #[error("the signature is not this approver's on this proposal's text: sign exactly what is shown")]
    Signature,
    /// He has a vote, and gave it.
    #[error("this approver has voted on this proposal: each has one vote")]
    Twice,
}

/// What a proposal's votes come to under a policy.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Standing {
    /// How many approvals it needs.
    pub needed: u8,
    /// Who of the policy's approvers approved.
    pub approved: Vec<String>,
    /// Who rejected.
    pub rejected: Vec<String>,
    /// How many approvers there are.
    pub approvers: usize,
}

impl Standing {
    /// Counts the votes that a policy's approvers gave with their keys of now, for an operation to which these rules
    /// apply. None if it needs no approval.
    pub fn of(approvals: &Approvals, rules: &[Rule], proposal: &Proposal, votes: &[Vote]) -> Option<Self> {
        let needed = approvals.needed(rules)?;
        let (mut approved, mut rejected) = (Vec::new(), Vec::new());
        for approver in &approvals.approvers {
            let holds = |vote: &&Vote| vote.key == approver.key && vote.is_proven(proposal);
            match votes.iter().find(holds).map(|vote| vote.verdict) {
                Some(Verdict::Approve) => approved.push(approver.name.clone()),
                Some(Verdict::Reject) => rejected.push(approver.name.clone()),
                None => {}
            }
        }
        Some(Self { needed, approved, rejected, approvers: approvals.approvers.len() })
    }

    /// Whether enough approved.
    pub fn is_approved(&self) -> bool {
        self.approved.len() >= usize::from(self.needed)
    }

    /// Whether so many rejected that not enough are left.
    pub fn is_rejected(&self) -> bool {
        self.approvers.saturating_sub(self.rejected.len()) < usize::from(self.needed)
    }
}

impl Vote {
    /// Whether the signature is the key's, on this proposal and this verdict.
    pub fn is_proven(&self, proposal: &Proposal) -> bool {
        let key = PublicKey::from_spki(&self.key);
        key.is_some_and(|key| key.verify(proposal.text(self.verdict).as_bytes(), &self.signature))
    }

    /// A vote that comes now. `signature` may be in DER, as OpenSSL writes it.
    pub fn new(
        approvals: &Approvals,
        (proposal, votes): (&Proposal, &[Self]),
        spki: &[u8],
        (verdict, signature): (Verdict, &[u8]),
        at: i64,
    ) -> Result<Self, BadVote> {
        let approver = approvals.with_key(spki).ok_or(BadVote::Stranger)?;
        if votes.iter().any(|vote| vote.key == spki) {
            return Err(BadVote::Twice);
        }
        let key = PublicKey::from_spki(spki).ok_or(BadVote::Stranger)?;
        let signature = key.plain(signature).ok_or(BadVote::Signature)?.to_vec();
        let vote = Self { approver: approver.name.clone(), key: spki.to_vec(), verdict, signature, at };
        if vote.is_proven(proposal) { Ok(vote) } else { Err(BadVote::Signature) }
    }
}

/// Bytes in documents.
mod in_hex {
    use serde::{Deserialize, Deserializer, Serializer, de::Error};

    pub(super) fn serialize<S: Serializer>(bytes: &[u8], to: S) -> Result<S::Ok, S::Error> {
        to.serialize_str(&hex::encode(bytes))
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Vec<u8>, D::Error> {
        hex::decode(String::deserialize(from)?).map_err(D::Error::custom)
    }
}
