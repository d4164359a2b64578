//! The binary as its users meet it: a real `keystead` process, real TLS, a real disk.
#![allow(
    clippy::arithmetic_side_effects,
    clippy::disallowed_methods,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::print_stderr,
    clippy::unwrap_used
)]

mod backup;
mod bad_input;
mod cli;
mod dev;
mod durability;
mod hsm;
mod inside;
mod matrix;
mod serve;
mod support;
mod vectors;
mod verify;
mod watch;
