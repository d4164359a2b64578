//! The primitives against Project Wycheproof's vectors, OpenSSL, RFC 9180 and golden files.
#![allow(clippy::arithmetic_side_effects, clippy::disallowed_methods, clippy::indexing_slicing, clippy::unwrap_used)]

#[path = "it/golden.rs"]
mod golden;
#[path = "it/hpke.rs"]
mod hpke;
#[path = "it/implicit.rs"]
mod implicit;
#[path = "it/numbers.rs"]
mod numbers;
#[path = "it/smoke.rs"]
mod smoke;
#[path = "it/wycheproof.rs"]
mod vectors;
