//! Portable containers that keys travel in: parsed and written, never opened. Pure, and without cryptography.
//!
//! - [`backup`]: a backup of a whole vault
//! - [`byok`]: Azure's key transfer blob, the file `.byok`
#![cfg_attr(test, allow(clippy::arithmetic_side_effects, clippy::disallowed_methods))]

pub mod backup;
pub mod byok;
#[doc(hidden)]
pub mod fuzz;
