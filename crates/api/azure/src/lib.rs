//! The Azure Key Vault data plane as a table: what unmodified SDKs send, and what they expect back.
//!
//! - [`routes`]: the table
//! - [`parse`]: requests to commands; [`format`]: what commands give to bodies
//! - [`errors`]: the catalogue; [`challenge`]: the 401
//! - [`openid`]: discovery and keys of the vault's built-in issuer; its token endpoints are rows of the table
//! - [`version`]: the query parameter `api-version`

#![cfg_attr(test, allow(clippy::arithmetic_side_effects, clippy::disallowed_methods))]

pub mod challenge;
pub mod errors;
pub mod format;
#[doc(hidden)]
pub mod fuzz;
pub mod openid;
pub mod parse;
pub mod routes;
#[cfg(test)]
mod testing;
pub mod version;

pub use routes::{front, protocol};
