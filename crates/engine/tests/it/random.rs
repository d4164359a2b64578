//! Random bytes.

use crate::support::*;
use keystead_engine::{RandomBytes, Refusal};

#[tokio::test(flavor = "multi_thread")]
async fn random_bytes_have_the_length_asked_for_and_do_not_repeat() {
    let node = Node::new().await;
    for count in [1, 2, 16, 127, 128] {
        assert_eq!(node.run(RandomBytes { count }).await.unwrap().len(), usize::from(count));
    }
    let (one, other) = (node.run(RandomBytes { count: 32 }).await, node.run(RandomBytes { count: 32 }).await);
    assert_ne!(one.unwrap(), other.unwrap());
    for count in [0, 129, 255] {
        assert!(matches!(node.run(RandomBytes { count }).await, Err(Refusal::OverBound { .. })));
    }
    node.stop_and_verify().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn random_bytes_need_a_role_on_all_keys() {
    let node = Node::new().await;
    assert!(node.run_as(USER, RandomBytes { count: 1 }, T0).await.is_ok());
    for who in [NARROW, STRANGER] {
        assert!(matches!(node.run_as(who, RandomBytes { count: 1 }, T0).await, Err(Refusal::Denied(_))));
    }
}
