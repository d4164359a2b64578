//! Domain key pair, root generations and their wraps: pure, and without knowledge of any store.
//!
//! A vault has one [`DomainKey`] from its creation, and a [`Root`] of some generation, under which its records are
//! sealed. Each generation is sealed to the domain's public half, so that whoever holds the private half opens every
//! generation there ever was. An unseal path holds a [`PathKey`], which wraps the domain's private key and each
//! generation. All three layouts begin with a version byte and are read for ever.
//!
//! ```
//! use keystead_custody::{DomainKey, Root};
//! use keystead_model::{Generation, VaultId};
//! let vault = VaultId::from_bytes([1; 16]);
//! let (domain, root) = (DomainKey::generate(), Root::generate(Generation::FIRST));
//! let sealed = domain.public().seal_root(vault, &root)?;
//! assert!(domain.open_root(vault, &sealed)?.same_as(&root));
//! assert!(domain.open_root(VaultId::from_bytes([2; 16]), &sealed).is_err());
//! # Ok::<(), keystead_custody::CustodyError>(())
//! ```
#![cfg_attr(test, allow(clippy::arithmetic_side_effects, clippy::disallowed_methods))]

mod backup;
mod domain;
mod error;
#[doc(hidden)]
pub mod fuzz;
mod path;
mod root;
mod unseal_path;
mod wrapping;

pub use backup::{BackupKey, FrameAt, Frames};
pub use domain::{DomainKey, DomainPublic};
pub use error::CustodyError;
pub use path::{PathKey, unwrap_domain, unwrap_root, wrap_domain, wrap_root};
pub use root::Root;
pub use unseal_path::{PathError, PathFuture, UnsealPath};
pub use wrapping::WrappingKey;
