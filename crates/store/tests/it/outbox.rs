//! Records between their commit and the journal.

use crate::support::{Bench, V, puts, record, row};
use keystead_model::OperationId;
use std::time::{Duration, Instant};

async fn operations(b: &Bench) -> Vec<OperationId> {
    b.store.outbox().await.unwrap().into_iter().map(|r| r.operation).collect()
}

/// A bench whose outbox holds the returned three operations.
async fn with_three() -> (Bench, [OperationId; 3]) {
    let b = Bench::new().await;
    for r in b.store.outbox().await.unwrap() {
        b.store.forget(r.operation);
    }
    let mut ops = Vec::new();
    for lookup in 1..=3 {
        let (make, op) = record();
        b.store.commit(V, puts([row(lookup, 1)]), make).await.unwrap();
        ops.push(op);
    }
    (b, ops.try_into().unwrap())
}

#[tokio::test]
async fn the_outbox_is_in_commit_order_with_what_the_record_said() {
    let (b, ops) = with_three().await;
    assert_eq!(operations(&b).await, ops);
    let b = b.dropped();
    let rows = b.store.outbox().await.unwrap();
    assert_eq!(rows.iter().map(|r| r.operation).collect::<Vec<_>>(), ops);
    assert_eq!(
        (rows[0].log, rows[0].position, rows[0].bytes.as_slice()),
        (V, u64::MAX, 2_u64.to_be_bytes().as_slice())
    );
}

#[tokio::test]
async fn what_is_forgotten_leaves_with_the_next_commit() {
    let (b, ops) = with_three().await;
    b.store.forget(ops[1]);
    b.store.forget(OperationId::from_bytes([0xee; 16]));
    let (make, last) = record();
    b.store.commit(V, puts([row(4, 1)]), make).await.unwrap();
    assert_eq!(operations(&b).await, [ops[0], ops[2], last]);
}

#[tokio::test]
async fn what_is_forgotten_leaves_an_idle_store_by_itself() {
    let (b, ops) = with_three().await;
    let began = Instant::now();
    b.store.forget(ops[0]);
    b.store.forget(ops[2]);
    let at_once = operations(&b).await;
    // A machine that was busy for so long says nothing about what was done at once.
    if began.elapsed() < Duration::from_millis(400) {
        assert_eq!(at_once, ops, "not by a write of its own");
    }
    while operations(&b).await != [ops[1]] {
        assert!(began.elapsed() < Duration::from_secs(60), "they are still there: {:?}", operations(&b).await);
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

#[tokio::test]
async fn what_is_forgotten_leaves_at_the_latest_with_close() {
    let (b, ops) = with_three().await;
    b.store.forget(ops[0]);
    let b = b.reopened().await;
    assert_eq!(operations(&b).await, [ops[1], ops[2]]);
    b.store.forget(ops[1]);
    let b = b.dropped();
    assert_eq!(operations(&b).await, [ops[2]]);
}
