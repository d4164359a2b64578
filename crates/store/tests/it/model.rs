//! Concurrent commits against a model.

use crate::support::{Bench, V, key, puts, record_of, revision_in, row};
use keystead_model::{OperationId, Revision};
use keystead_store::{Changes, CommitError, Kind};
use proptest::prelude::*;
use std::collections::BTreeMap;

/// Counters by lookup; an absent row is absent here too.
type Model = BTreeMap<u8, u64>;

#[derive(Debug, Clone, Copy)]
enum Step {
    Put(u8, u64),
    Remove(u8, u64),
    /// Reads the first with this counter, writes the second.
    PutIf(u8, u64, u8, u64),
}

impl Step {
    fn changes(self) -> Changes {
        match self {
            Self::Put(k, c) => puts([row(k, c)]),
            Self::Remove(k, c) => Changes { removes: vec![(key(k), c)], ..Changes::default() },
            Self::PutIf(k, c, other, d) => Changes { checks: vec![(key(k), c)], ..puts([row(other, d)]) },
        }
    }

    /// The state after it, if it is allowed.
    fn apply(self, model: &Model) -> Option<Model> {
        let mut next = model.clone();
        let counter = |k| model.get(&k).copied().unwrap_or(0);
        let allowed = match self {
            Self::Put(k, c) => c == counter(k) + 1 && next.insert(k, c).unwrap_or(0) < c,
            Self::Remove(k, c) => c == counter(k) && next.remove(&k).is_some(),
            Self::PutIf(k, c, other, d) => {
                c == counter(k) && d == counter(other) + 1 && next.insert(other, d).unwrap_or(0) < d
            }
        };
        allowed.then_some(next)
    }
}

fn step() -> impl Strategy<Value = Step> {
    let (k, c) = (0..4_u8, 1..5_u64);
    prop_oneof![
        4 => (k.clone(), c.clone()).prop_map(|(k, c)| Step::Put(k, c)),
        1 => (k.clone(), 0..5_u64).prop_map(|(k, c)| Step::Remove(k, c)),
        2 => (k.clone(), 0..5_u64, k, c).prop_map(|(k, c, other, d)| Step::PutIf(k, c, other, d)),
    ]
}

/// Commits each round's steps at once and checks that some order of the winners explains everything.
async fn check(rounds: Vec<Vec<Step>>) {
    let b = Bench::new().await;
    let (mut model, mut revision, mut n) = (Model::new(), 1_u64, 0_u128);
    let mut committed = vec![];
    for steps in rounds {
        let mut tasks = Vec::new();
        for step in steps {
            n += 1;
            let (store, op) = (b.store.clone(), OperationId::from_bytes(n.to_be_bytes()));
            tasks.push(tokio::spawn(async move { (step, op, store.commit(V, step.changes(), record_of(op)).await) }));
        }
        let (mut winners, mut losers) = (Vec::new(), Vec::new());
        for task in tasks {
            match task.await.unwrap() {
                (step, op, Ok(done)) => winners.push((done, step, op)),
                (step, _, Err(CommitError::Conflict)) => losers.push(step),
                (step, _, Err(other)) => panic!("{step:?}: {other}"),
            }
        }
        winners.sort_by_key(|(done, ..)| done.revision);
        let mut states = vec![model.clone()];
        for (done, step, op) in winners {
            revision += 1;
            assert_eq!(done.revision, Revision(revision), "revisions are contiguous");
            assert_eq!(revision_in(&done.record), done.revision);
            model = step.apply(&model).expect("a winner was allowed when it committed");
            states.push(model.clone());
            committed.push((op, done.record));
        }
        for step in losers {
            assert!(states.iter().any(|s| step.apply(s).is_none()), "{step:?} was refused though always allowed");
        }
    }
    let rows = b.store.page(V, Kind::Key, None, 1000).await.unwrap();
    assert_eq!(rows.iter().map(|r| (r.lookup[0], r.counter)).collect::<Model>(), model);
    let outbox = b.store.outbox().await.unwrap();
    let outbox: Vec<_> = outbox.into_iter().skip(1).map(|r| (r.operation, r.bytes)).collect();
    assert_eq!(outbox, committed, "the outbox is in commit order with the revision each record was given");
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, ..ProptestConfig::default() })]
    #[test]
    fn concurrent_commits_have_an_order_that_explains_them(
        rounds in prop::collection::vec(prop::collection::vec(step(), 1..24), 1..8)
    ) {
        let rt = tokio::runtime::Builder::new_multi_thread().worker_threads(2).build().unwrap();
        rt.block_on(check(rounds));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_many_that_read_the_same_counter_exactly_one_wins() {
    let b = Bench::new().await;
    for counter in 1..=15 {
        let all: Vec<_> = (0..16_u8)
            .map(|i| {
                let (store, op) =
                    (b.store.clone(), OperationId::from_bytes([u8::try_from(counter).unwrap() * 16 + i; 16]));
                tokio::spawn(async move { store.commit(V, puts([row(1, counter)]), record_of(op)).await })
            })
            .collect();
        let mut won = 0;
        for task in all {
            match task.await.unwrap() {
                Ok(_) => won += 1,
                Err(e) => assert_eq!(e, CommitError::Conflict),
            }
        }
        assert_eq!(won, 1);
    }
    assert_eq!(b.revision().await, Revision(16));
}
