//! One suite for all tokens, run on SoftHSM2 and on Kryoptic; and tokens behind their workers: SoftHSM2, and a module
//! that fails when it is told to.
#![allow(
    clippy::arithmetic_side_effects,
    clippy::disallowed_methods,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::print_stdout,
    clippy::unwrap_used
)]

mod bed;
mod broken;
mod faults;
mod load;
mod process;
mod soft;
mod software;
mod suite;
