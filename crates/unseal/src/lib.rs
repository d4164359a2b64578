//! The ways to a root. Each path wraps a vault's domain key and each generation of its root with something kept outside
//! the store, and proves every wrap by opening it before it is given out.
//!
//! - [`KeyFile`]: a file of 32 bytes on the server
//! - [`Credential`]: 32 bytes from the service manager
//! - [`HsmKey`]: a key in a PKCS#11 token
#![cfg_attr(test, allow(clippy::arithmetic_side_effects, clippy::disallowed_methods))]

mod credential;
mod error;
mod file;
mod hsm;
mod wrapping;

pub use credential::Credential;
pub use error::UnsealError;
pub use file::KeyFile;
pub use hsm::HsmKey;
pub use keystead_custody::UnsealPath;
