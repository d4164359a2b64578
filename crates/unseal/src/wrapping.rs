//! Wraps under a path key, each proven by opening it before it is given out.

use crate::UnsealError;
use keystead_custody::{DomainKey, PathKey, Root, unwrap_domain, unwrap_root, wrap_domain, wrap_root};
use keystead_model::VaultId;

pub(crate) fn proven_domain(key: &PathKey, vault: VaultId, domain: &DomainKey) -> Result<Vec<u8>, UnsealError> {
    let wrapped = wrap_domain(key, vault, domain);
    // The public half follows from the private one.
    let proven = unwrap_domain(key, vault, &wrapped)?.public() == domain.public();
    if proven { Ok(wrapped) } else { Err(UnsealError::NotProven) }
}

pub(crate) fn proven_root(key: &PathKey, vault: VaultId, root: &Root) -> Result<Vec<u8>, UnsealError> {
    let wrapped = wrap_root(key, vault, root);
    let proven = unwrap_root(key, vault, &wrapped)?.same_as(root);
    if proven { Ok(wrapped) } else { Err(UnsealError::NotProven) }
}
