//! Portable containers that keys travel in: parsed and written, never opened. Pure, and without cryptography.
//!
//! - [`byok`]: Azure's key transfer blob, the file `.byok`
#![cfg_attr(test, allow(clippy::arithmetic_side_effects, clippy::disallowed_methods))]

pub mod byok;
#[doc(hidden)]
pub mod fuzz;
