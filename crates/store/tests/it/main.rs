//! The store by what it promises.
#![allow(
    clippy::arithmetic_side_effects,
    clippy::disallowed_methods,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used
)]

mod commits;
mod crash;
mod golden;
mod model;
mod opening;
mod outbox;
mod reads;
mod removed;
mod support;
