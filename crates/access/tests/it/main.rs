//! The promises of `keystead-access`, kept from outside.
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, clippy::arithmetic_side_effects)]

mod approvals;
mod decide;
mod document;
mod fuzz;
mod mandate;
mod moved;
mod roles;
mod standing;
mod support;
mod way_in;
