//! Entry points for fuzzing: each takes any bytes and must return.

use crate::{DomainKey, PathKey, unwrap_domain, unwrap_root};
use keystead_model::VaultId;

const VAULT: VaultId = VaultId::from_bytes([0; 16]);

/// A wrapped domain key, as read from a row.
pub fn wrapped_domain(bytes: &[u8]) {
    drop(unwrap_domain(&PathKey::from_bytes(&[1; 32]), VAULT, bytes));
}

/// A wrapped root, as read from a row.
pub fn wrapped_root(bytes: &[u8]) {
    drop(unwrap_root(&PathKey::from_bytes(&[1; 32]), VAULT, bytes));
}

/// A sealed root, as read from a row.
pub fn sealed_root(bytes: &[u8]) {
    drop(DomainKey::from_opened(&[1; 32]).map(|domain| domain.open_root(VAULT, bytes)));
}

/// A sealed wrapping key, as read from a row.
pub fn sealed_wrapping(bytes: &[u8]) {
    drop(DomainKey::from_opened(&[1; 32]).map(|domain| domain.open_wrapping(VAULT, bytes)));
}
