//! Portable containers that keys travel in: parsed and written, never opened. Pure, and without cryptography.
//!
//! - [`backup`]: a backup of a whole vault
//! - [`inventory`]: what a vault holds, for a rehearsal to be held against; [`log_proof`]: how its log goes on
//! - [`byok`]: Azure's key transfer blob, the file `.byok`
//! - [`security_domain`]: Managed HSM's security domain and restore blob; [`jwe`]: the encrypted values in them
#![cfg_attr(test, allow(clippy::arithmetic_side_effects, clippy::disallowed_methods))]

pub mod backup;
pub mod byok;
#[doc(hidden)]
pub mod fuzz;
pub mod inventory;
pub mod jwe;
pub mod log_proof;
pub mod security_domain;
