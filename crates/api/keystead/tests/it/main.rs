//! Our own REST before a real vault, beside the data plane at the same authority.

#![allow(
    clippy::arithmetic_side_effects,
    clippy::disallowed_methods,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used
)]

#[path = "../../../azure/tests/it/node.rs"]
mod node;
mod operator;
mod vault;

use node::Node;

async fn node() -> Node {
    let protocols = vec![keystead_api_azure::protocol(), keystead_api_own::protocol()];
    Node::start(keystead_api_azure::front(), protocols).await
}
