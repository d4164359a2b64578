//! The data plane before a real vault: what unmodified clients send, and what must come back.

#![allow(
    clippy::arithmetic_side_effects,
    clippy::disallowed_methods,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used
)]

mod golden;
mod matrix;
mod node;
mod walk;

use node::Node;

async fn node() -> Node {
    Node::start(keystead_api_azure::front(), vec![keystead_api_azure::protocol()]).await
}
