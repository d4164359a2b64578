//! What every way to a root can do. The ways themselves live in `unseal`; whoever opens vaults knows only this.

use crate::{DomainKey, Root};
use keystead_model::VaultId;
use std::fmt;
use std::pin::Pin;

/// What stood in the way: a path's own error, which names its remedy and carries no secret.
#[derive(Debug)]
pub struct PathError(Box<dyn std::error::Error + Send + Sync>);

impl PathError {
    /// Wraps a path's own error.
    pub fn new(cause: impl std::error::Error + Send + Sync + 'static) -> Self {
        Self(Box::new(cause))
    }
}

impl fmt::Display for PathError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl std::error::Error for PathError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        // It shows as its cause does, so the chain goes on after that.
        self.0.source()
    }
}

/// What a path's work returns.
pub type PathFuture<'a, T> = Pin<Box<dyn Future<Output = Result<T, PathError>> + Send + 'a>>;

/// A way to the root of a vault. Each wrap is proven by opening it before it is given out.
pub trait UnsealPath: Send + Sync {
    /// The word for it in rows, listings and health: `file`.
    fn kind(&self) -> &'static str;

    /// Wraps the domain key.
    fn wrap_domain<'a>(&'a self, vault: VaultId, domain: &'a DomainKey) -> PathFuture<'a, Vec<u8>>;

    /// Opens what [`Self::wrap_domain`] wrote.
    fn unwrap_domain<'a>(&'a self, vault: VaultId, wrapped: &'a [u8]) -> PathFuture<'a, DomainKey>;

    /// Wraps a generation of the root.
    fn wrap_root<'a>(&'a self, vault: VaultId, root: &'a Root) -> PathFuture<'a, Vec<u8>>;

    /// Opens what [`Self::wrap_root`] wrote.
    fn unwrap_root<'a>(&'a self, vault: VaultId, wrapped: &'a [u8]) -> PathFuture<'a, Root>;
}
