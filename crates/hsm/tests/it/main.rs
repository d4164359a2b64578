//! One suite, run on each token: SoftHSM2 and Kryoptic. What a token has not it must refuse by name.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]
#![allow(clippy::arithmetic_side_effects, clippy::disallowed_methods, clippy::print_stdout, clippy::print_stderr)]

mod bed;
mod software;
mod suite;
