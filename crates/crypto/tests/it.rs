//! The primitives against vectors of Project Wycheproof, NIST and RFCs, OpenSSL and golden files.
#![allow(clippy::arithmetic_side_effects, clippy::disallowed_methods, clippy::indexing_slicing, clippy::unwrap_used)]

#[path = "it/golden.rs"]
mod golden;
#[path = "it/hpke.rs"]
mod hpke;
#[path = "it/implicit.rs"]
mod implicit;
#[path = "it/numbers.rs"]
mod numbers;
#[path = "it/published.rs"]
mod published;
#[path = "it/smoke.rs"]
mod smoke;
#[path = "it/wycheproof.rs"]
mod vectors;
