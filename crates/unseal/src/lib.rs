//! The ways to a root. Each path wraps a vault's domain key and each generation of its root with something kept outside
//! the store, and proves every wrap by opening it before it is given out.
//!
//! - [`KeyFile`]: a file of 32 bytes on the server
#![cfg_attr(test, allow(clippy::arithmetic_side_effects, clippy::disallowed_methods))]

mod error;
mod file;

pub use error::UnsealError;
pub use file::KeyFile;
pub use keystead_custody::UnsealPath;
