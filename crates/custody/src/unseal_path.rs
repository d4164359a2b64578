//! What every way to a root can do. The ways themselves live in `unseal`; whoever opens vaults knows only this.

use crate::{CustodyError, DomainKey, Root};
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

/// What a path wrapped of one vault: all of it that is stored.
#[derive(Debug, Clone, Default)]
pub struct Wraps {
    /// The domain's private key, if this path wraps it.
    pub domain: Option<Vec<u8>>,
    /// Generations of the root.
    pub roots: Vec<Vec<u8>>,
}

/// A way to the root of a vault. Each wrap is proven by opening it before it is given out.
pub trait UnsealPath: Send + Sync {
    /// What configuration, rows and commands call it.
    fn name(&self) -> &str {
        self.kind()
    }

    /// What it is: `file`, `credential`, `hsm`.
    fn kind(&self) -> &'static str;

    /// Wraps the domain key.
    fn wrap_domain<'a>(&'a self, vault: VaultId, domain: &'a DomainKey) -> PathFuture<'a, Vec<u8>>;

    /// Opens what [`Self::wrap_domain`] wrote.
    fn unwrap_domain<'a>(&'a self, vault: VaultId, wrapped: &'a [u8]) -> PathFuture<'a, DomainKey>;

    /// Wraps a generation of the root.
    fn wrap_root<'a>(&'a self, vault: VaultId, root: &'a Root) -> PathFuture<'a, Vec<u8>>;

    /// Opens what [`Self::wrap_root`] wrote.
    fn unwrap_root<'a>(&'a self, vault: VaultId, wrapped: &'a [u8]) -> PathFuture<'a, Root>;

    /// The same path with a key for this vault that was made now. Until [`Self::destroy_others`] what the keys before
    /// it wrapped opens, too. A path whose key is not ours refuses.
    fn renewed<'a>(&'a self, vault: VaultId) -> PathFuture<'a, Box<dyn UnsealPath>> {
        let _ = vault;
        Box::pin(async { Err(PathError::new(CustodyError::NotOurs)) })
    }

    /// Brings the path's keys of this vault into order after an interruption: of a key that was renewed, the one stays
    /// that opens these wraps.
    fn settle<'a>(&'a self, vault: VaultId, wraps: &'a Wraps) -> PathFuture<'a, ()> {
        let _ = (vault, wraps);
        Box::pin(async { Ok(()) })
    }

    /// Destroys every key of this path that is this vault's alone and that none of these wraps needs.
    fn destroy_others<'a>(&'a self, vault: VaultId, wraps: &'a Wraps) -> PathFuture<'a, ()> {
        self.settle(vault, wraps)
    }
}
