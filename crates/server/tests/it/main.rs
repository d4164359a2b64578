//! The server as its clients see it: real sockets, real TLS, and clients that misbehave.

#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, clippy::arithmetic_side_effects)]
#![allow(clippy::expect_used, clippy::disallowed_methods)]

mod bounds;
mod identity;
mod local;
mod requests;
mod stopping;
mod support;
