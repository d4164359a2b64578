//! The promises of `keystead-identity`, kept from outside.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::arithmetic_side_effects)]

mod bearer;
mod callers;
mod forgery;
mod fuzz;
mod secret;
mod support;
