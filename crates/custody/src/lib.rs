//! Domain key pair, root generations and their wraps: pure, and without knowledge of any store.
//!
//! A vault has one [`DomainKey`] from its creation, and a [`Root`] of some generation, under which its records are
//! sealed. Each generation is sealed to the domain's public half, so that whoever holds the private half opens every
//! generation there ever was; so is the [`WrappingKey`] of the vault's HSM. An unseal path holds a [`PathKey`], which
//! wraps the domain's private key and each generation. All layouts begin with a version byte and are read for ever.
//!
//! Where the customer owns the root, the private half travels in a security domain and nowhere else:
//!
//! - [`shares`]: a key in shares of which M open it; [`make_domain`], [`open_domain`]: the security domain they open
//! - [`DomainSecrets`]: what is in it; [`WorkingKeys`]: what of it the vault keeps, sent by [`send_working_keys`]
//! - [`offer`]: what a vault that waits tells the customer; [`activation`]: what he says of it, which his custodians
//!   confirm ([`confirmation`]) by its [`words()`]
//! - [`challenge`]: how a share comes to a server, and the answer
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

pub mod activation;
mod backup;
pub mod challenge;
pub mod confirmation;
mod domain;
mod domain_secrets;
mod envelope;
mod error;
#[doc(hidden)]
pub mod fuzz;
pub mod offer;
mod path_key;
mod root;
mod secret;
mod security_domain;
pub mod shares;
#[cfg(test)]
mod testing;
mod unseal_path;
mod words;
mod wrapping_key;

pub use backup::{BackupKey, FrameAt, Frames};
pub use domain::{DomainId, DomainKey, DomainPublic};
pub use domain_secrets::{BlobKey, DomainSecrets, WorkingKeys};
pub use error::CustodyError;
pub use path_key::{PathKey, unwrap_domain, unwrap_root, wrap_domain, wrap_root};
pub use root::Root;
pub use security_domain::{
    Certificate, DomainError, NewDomain, Restored, make_domain, open_domain, open_share, receive, send_domain,
    send_working_keys,
};
pub use unseal_path::{PathError, PathFuture, UnsealPath, Wraps};
pub use words::words;
pub use wrapping_key::WrappingKey;
