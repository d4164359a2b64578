//! The client against a real server, over TLS and the unix socket.

#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, clippy::arithmetic_side_effects)]
#![allow(clippy::expect_used, clippy::disallowed_methods)]

mod audit;
mod connections;
mod garbage;
mod keys;
mod login;
mod operator;
mod roles;
mod support;
