//! A rotation that is interrupted before and after each of its commits: the next start goes on, and nothing is lost.

use crate::support::*;
use keystead_engine::{GetKey, Sign, Verdict};
use keystead_model::{Generation, KeySpec, SignAlgorithm};
use keystead_store::fault::CommitFault;
use keystead_store::{CommitError, Unavailable};

const DISK: Unavailable = Unavailable::Disk { code: 10 };

fn sign(name: &str) -> Sign {
    Sign { key: key(name), algorithm: SignAlgorithm::Es256, digest: vec![7; 32] }
}

const NAMES: [&str; 3] = ["a", "b", "c"];

/// A node whose rotation went on until the commit of this number failed so; false if it came to its end before.
async fn interrupted(after_purge: bool, nth: u64, fault: CommitFault) -> (Node, bool) {
    let node = Node::new().await;
    for name in NAMES {
        node.run(create(name, KeySpec::EcP256)).await.unwrap();
    }
    let before = node.faults.commits();
    node.faults.fail_commit(nth, fault);
    let mut begun = node.instance.rotate_root("dev", after_purge, at(T0)).await.is_ok();
    while begun && node.faults.commits() < before + nth {
        node.instance.turn(at(T0)).await;
        begun = node.instance.list()[0].rotation.is_some();
    }
    let reached = node.faults.commits() >= before + nth;
    node.faults.unfail_commit(nth.saturating_sub(node.faults.commits() - before));
    (node, reached)
}

async fn ends_well(node: Node) {
    let node = node.restart().await;
    let found = node.instance.doctor(at(T0)).await;
    assert!(found.iter().all(|f| f.verdict == Verdict::Good), "{found:#?}");
    for name in NAMES {
        node.run(sign(name)).await.unwrap();
    }
    node.turned().await;
    let root = node.instance.list()[0].root.unwrap();
    if root == Generation(1) {
        node.rotated(false).await;
    }
    for name in NAMES {
        node.run(GetKey { key: key(name) }).await.unwrap();
        node.run(sign(name)).await.unwrap();
    }
    let node = node.restart().await;
    node.run(sign("a")).await.unwrap();
    let found = node.instance.doctor(at(T0)).await;
    assert!(found.iter().all(|f| f.verdict == Verdict::Good), "{found:#?}");
    assert!(
        std::fs::read_dir(node.dir.path())
            .unwrap()
            .all(|f| { !f.unwrap().file_name().to_string_lossy().ends_with(".next") })
    );
    node.stop_and_verify().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_rotation_that_is_interrupted_at_any_commit_is_finished_after_the_next_start() {
    let faults = [
        CommitFault::Before(CommitError::Unavailable(DISK)),
        CommitFault::After(CommitError::Unavailable(DISK)),
        CommitFault::Spent(CommitError::DiskFull),
    ];
    for after_purge in [false, true] {
        for fault in faults {
            let mut nth = 1;
            loop {
                let (node, reached) = interrupted(after_purge, nth, fault).await;
                ends_well(node).await;
                if !reached {
                    break;
                }
                nth += 1;
                assert!(nth < 60, "it never ends");
            }
            assert!(nth > 5, "there are more steps than {nth}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_rotation_whose_begin_may_or_may_not_stand_seals_the_vault_and_unsealing_finds_out() {
    for stands in [true, false] {
        let node = Node::new().await;
        node.run(create("a", KeySpec::EcP256)).await.unwrap();
        let error = CommitError::Unavailable(DISK);
        let fault = if stands { CommitFault::After(error) } else { CommitFault::Before(error) };
        node.faults.fail_commit(1, fault);
        assert!(node.instance.rotate_root("dev", false, at(T0)).await.is_err());
        assert_eq!(node.instance.list()[0].state, "sealed");
        // As nobody sealed it by command, a restart opens it.
        let node = node.restart().await;
        let listed = node.instance.list().remove(0);
        assert_eq!((listed.root, listed.rotation.is_some()), (Some(Generation(1 + u32::from(stands))), stands));
        node.run(sign("a")).await.unwrap();
        node.turned().await;
        node.run(sign("a")).await.unwrap();
        node.stop_and_verify().await;
    }
}
