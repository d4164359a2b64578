//! The activation record: what the customer says of his vault before it has a root. Its custodians confirm it by its
//! digest, so its bytes are JSON in one spelling: members in this order, no blanks, the policy's members sorted.
//!
//! The vault takes its domain, its custodians, its settings and its first policy from it, and from nowhere else.

mod allowed_path;
mod json;

use crate::shares::{BadQuorum, Gathering, Quorum};
use crate::{Certificate, DomainError, DomainPublic, words};
pub use allowed_path::{AllowedPath, BadPath};
use json::Json;
use keystead_crypto::sha256;
use keystead_formats::security_domain::SecurityDomain;
use keystead_model::{Authority, NodeId, VaultId, VaultKind};
use serde_json::Value;
use std::ops::RangeInclusive;

/// The record of one activation.
#[derive(Debug, Clone, PartialEq)]
pub struct ActivationRecord {
    /// The vault, and its domain.
    pub vault: VaultId,
    /// The vault's name.
    pub name: String,
    /// What it holds.
    pub kind: VaultKind,
    /// Where it answers.
    pub authorities: Vec<Authority>,
    /// The tenant that its clients configure.
    pub tenant: String,
    /// Days a deleted key stays recoverable.
    pub retention_days: u8,
    /// Whether only the end of the retention purges.
    pub purge_protection: bool,
    /// The first policy: who administers, who is believed, who may do what. Its form is that of `vault create`; whoever
    /// takes it checks it.
    pub policy: Value,
    /// To what the generations of its root are sealed.
    pub domain_public: DomainPublic,
    /// [`crate::WorkingKeys::digest`] of the keys that the vault is sent.
    pub working_keys: [u8; 32],
    /// SHA-256 of the security domain's file.
    pub security_domain: [u8; 32],
    /// How many custodians open it.
    pub quorum: Quorum,
    /// Who they are, in the order of their shares.
    pub custodians: Vec<Custodian>,
    /// The nodes whose challenges they answer without comparing words.
    pub nodes: Vec<NodeIdentity>,
    /// The unseal paths that may open the vault besides its custodians. Records of before have none.
    pub paths: Vec<AllowedPath>,
}

/// One custodian.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Custodian {
    /// His certificate.
    pub certificate: Certificate,
    /// SHA-256 of his share.
    pub share: [u8; 32],
}

/// A node of a server, as its challenges name it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NodeIdentity {
    /// Its id.
    pub id: NodeId,
    /// The public half of its key (Ed25519).
    pub key: [u8; 32],
}

impl NodeIdentity {
    /// The words by which people know it: the node shows them, and whoever is asked compares them.
    pub fn words(&self) -> String {
        words(&sha256(&[b"keystead node 1", self.id.as_bytes(), &self.key]))
    }
}

/// Why bytes are no activation record, or one that cannot be.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BadActivation {
    /// Over the bound.
    #[error("an activation record has at most 524,288 bytes")]
    TooLarge,
    /// Not JSON of this form.
    #[error("it is not an activation record: give the file as `domain new` wrote it ({0})")]
    NotOne(String),
    /// Of a later release.
    #[error("the activation record has version {0}, and this release reads version 1: use the release that wrote it")]
    Version(u64),
    /// Changed by an editor, or made by something else: its digest would be another one.
    #[error("the activation record was rewritten since `domain new` wrote it: get the original")]
    Spelling,
    /// One of its members says something that cannot be.
    #[error("the activation record says something that cannot be: {0}")]
    Member(&'static str),
    /// Its custodians are no quorum.
    #[error(transparent)]
    Quorum(#[from] BadQuorum),
    /// A custodian's certificate.
    #[error("custodian {at}: {why}")]
    Custodian {
        /// His number, from 1.
        at: usize,
        /// What is wrong.
        why: DomainError,
    },
}

/// Longest record, in bytes.
pub const MAX_ACTIVATION: usize = 512 << 10;
const RETENTION: RangeInclusive<u8> = 7..=90;
const MAX_NAME: usize = 64;
const MAX_TENANT: usize = 256;
const MAX_AUTHORITIES: usize = 64;
const MAX_NODES: usize = 64;
const MAX_PATHS: usize = 16;

impl ActivationRecord {
    /// Reads the bytes of a record: exactly those that [`Self::to_bytes`] writes.
    pub fn parse(bytes: &[u8]) -> Result<Self, BadActivation> {
        if bytes.len() > MAX_ACTIVATION {
            return Err(BadActivation::TooLarge);
        }
        let record = Json::read(bytes)?.parse()?;
        record.check()?;
        if record.to_bytes() == bytes { Ok(record) } else { Err(BadActivation::Spelling) }
    }

    /// The record's bytes: what is stored, sent, hashed and confirmed.
    pub fn to_bytes(&self) -> Vec<u8> {
        Json::of(self).to_bytes()
    }

    /// What the custodians confirm.
    pub fn digest(&self) -> [u8; 32] {
        sha256(&[&self.to_bytes()])
    }

    /// Whether what was made can be activated; every record that was read can.
    pub fn check(&self) -> Result<(), BadActivation> {
        let bound = |good: bool, what| if good { Ok(()) } else { Err(BadActivation::Member(what)) };
        bound((1..=MAX_NAME).contains(&self.name.len()), "its vault has no name of at most 64 bytes")?;
        bound(self.tenant.len() <= MAX_TENANT, "its tenant has more than 256 bytes")?;
        bound((1..=MAX_AUTHORITIES).contains(&self.authorities.len()), "it has not 1 to 64 authorities")?;
        bound(RETENTION.contains(&self.retention_days), "its retention is not 7 to 90 days")?;
        bound(self.policy.is_object(), "its policy is no document")?;
        bound(self.nodes.len() <= MAX_NODES, "it has more than 64 nodes")?;
        let each: std::collections::BTreeSet<_> = self.paths.iter().map(AllowedPath::name).collect();
        let paths = each.len() == self.paths.len() && each.len() <= MAX_PATHS;
        bound(paths, "its unseal paths are not at most 16 with different names")?;
        if Quorum::new(self.quorum.required().into(), self.custodians.len())? != self.quorum {
            return Err(BadQuorum.into());
        }
        let certificates: Vec<_> = self.custodians.iter().map(|c| c.certificate.clone()).collect();
        match crate::security_domain::each_his_own(&certificates) {
            Err(why @ DomainError::Twice { at }) => Err(BadActivation::Custodian { at, why }),
            _ => bound(self.to_bytes().len() <= MAX_ACTIVATION, "it has more than 524,288 bytes"),
        }
    }

    /// Whether a path of this name and kind may open the vault besides its custodians.
    pub fn allows(&self, name: &str, kind: &str) -> bool {
        self.paths.iter().any(|path| path.name() == name && path.kind() == Some(kind))
    }

    /// Whether this is the file of the security domain that the record speaks of.
    pub fn is_of(&self, file: &[u8]) -> bool {
        sha256(&[file]) == self.security_domain
    }

    /// Where the domain's shares are gathered.
    pub fn gathering(&self) -> Result<Gathering, BadQuorum> {
        Gathering::new(self.quorum.required().into(), self.custodians.iter().map(|c| c.share).collect())
    }

    /// The custodian with this key (modulus and exponent), and his number, from 1.
    pub fn custodian(&self, public: (&[u8], &[u8])) -> Option<(usize, &Custodian)> {
        (1..).zip(&self.custodians).find(|(_, custodian)| custodian.certificate.public() == public)
    }

    /// Whether the file has a share for each custodian of the record, in the same order, and the same quorum.
    pub fn agrees_with(&self, file: &SecurityDomain) -> bool {
        let named = self.custodians.iter().map(|custodian| custodian.certificate.thumbprint());
        file.required == self.quorum.required() && named.eq(file.shares.iter().map(|share| share.thumbprint))
    }
}

#[cfg(test)]
pub(crate) mod tests;
