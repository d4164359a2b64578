//! The primitives against Project Wycheproof's vectors, RFC 9180 and golden files.
#![allow(clippy::arithmetic_side_effects, clippy::disallowed_methods, clippy::indexing_slicing, clippy::unwrap_used)]

#[path = "it/golden.rs"]
mod golden;
#[path = "it/hpke.rs"]
mod hpke;
#[path = "it/smoke.rs"]
mod smoke;
#[path = "it/wycheproof.rs"]
mod vectors;
