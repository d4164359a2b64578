//! The audit as its users meet it: a real journal on a real disk.

#![allow(clippy::arithmetic_side_effects, clippy::disallowed_methods)]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

mod data;
mod histories;
mod live;
mod tail;
mod tampering;
mod verify;
