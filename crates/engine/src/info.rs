//! What a vault is, as others may know it.

use keystead_model::{Authority, Time, VaultId, VaultKind};

/// What does not change while the process runs.
#[derive(Debug, Clone)]
pub struct VaultInfo {
    /// Random, travels in the security domain.
    pub id: VaultId,
    /// The operator's name for it.
    pub name: String,
    /// What it holds.
    pub kind: VaultKind,
    /// Where it answers.
    pub authorities: Vec<Authority>,
    /// `file`, `quorum`, or `none` while it is inactive.
    pub custody: String,
    /// The tenant that clients configure.
    pub tenant: String,
    /// Days a deleted object stays recoverable, 7 to 90.
    pub retention_days: u8,
    /// When it was created.
    pub created: Time,
}

/// The built-in issuer of an open vault, as its discovery documents show it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IssuerInfo {
    /// `iss` of its tokens.
    pub iss: String,
    /// Key id.
    pub kid: String,
    /// Public key, P-256.
    pub x: [u8; 32],
    /// Public key, P-256.
    pub y: [u8; 32],
}
