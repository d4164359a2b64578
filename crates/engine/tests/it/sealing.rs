//! Sealed vaults: nothing is done in them, nothing of the root is in memory, and they stay sealed.

use crate::support::*;
use keystead_engine::{GetKey, NotLetIn, OperateError, SealVault, Sign, State, TurnedAway};
use keystead_identity::Proof;
use keystead_model::{Action, KeySpec, SignAlgorithm, VaultId};
use keystead_store::fault::CommitFault;
use keystead_store::{CommitError, Unavailable};
use keystead_unseal::KeyFile;
use std::sync::Arc;
use std::time::Duration;

fn sign() -> Sign {
    Sign { key: key("k"), algorithm: SignAlgorithm::Es256, digest: vec![7; 32] }
}

/// Nothing goes in or out.
async fn assert_sealed(node: &Node) {
    let vault = node.vault();
    assert!(matches!(vault.state(), State::Sealed));
    assert_eq!(vault.ready(), Err(TurnedAway::Sealed));
    assert_eq!(vault.issuer().unwrap_err(), TurnedAway::Sealed);
    let (client, secret) = OFFICER;
    for proof in [Proof::ClientSecret { client, secret }, Proof::Bearer("nonsense")] {
        let refused = vault.authenticate(proof, None, T0).unwrap_err();
        assert!(matches!(refused, NotLetIn::TurnedAway(TurnedAway::Sealed)), "it challenges nobody: {refused}");
    }
    assert_eq!(node.instance.list()[0].state, "sealed");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_seal_by_operator_or_administrator_survives_a_restart_until_the_operator_unseals() {
    for by_operator in [true, false] {
        let node = Node::new().await;
        let made = node.run(create("k", KeySpec::EcP256)).await.unwrap();
        let caller = node.caller(OFFICER);
        if by_operator {
            assert_eq!(node.instance.seal("dev", at(T0)).await.unwrap().state, "sealed");
        } else {
            let (receipt, result) = node.vault().run(caller.clone(), SealVault, at(T0)).await.unwrap().into_parts();
            assert!(result.is_ok());
            assert_eq!(node.record(&receipt).action(), Some(Action::SealVault));
        }
        assert_sealed(&node).await;
        // Not even for a caller who was let in before.
        let records = node.records().len();
        let answer = node.vault().run(caller, sign(), at(T0)).await;
        assert_eq!(answer.err(), Some(TurnedAway::Sealed));
        assert_eq!(node.records().len(), records, "it is counted, not recorded");
        let again = node.instance.seal("dev", at(T0)).await.unwrap_err();
        assert!(matches!(again, OperateError::WrongState { state: "sealed", needed: "open" }));

        let node = node.restart().await;
        assert_sealed(&node).await;
        assert_eq!(node.instance.unseal("dev", at(T0)).await.unwrap().state, "open");
        assert_eq!(node.run(GetKey { key: key("k") }).await.unwrap(), made);
        assert!(node.run(sign()).await.is_ok());
        let again = node.instance.unseal("dev", at(T0)).await.unwrap_err();
        assert!(matches!(again, OperateError::WrongState { state: "open", needed: "sealed" }));
        let node = node.restart().await;
        assert!(node.run(sign()).await.is_ok(), "an unsealed vault opens at start");

        let own: Vec<_> = node.records_of(VaultId::from_bytes([0; 16])).iter().filter_map(|r| r.action()).collect();
        let sealed = own.iter().filter(|a| **a == Action::VaultSealed).count();
        assert_eq!(sealed, usize::from(by_operator), "in the node's own log stands what its operator did: {own:?}");
        let in_vault: Vec<_> = node.records().iter().filter_map(|r| r.action()).collect();
        let seal = if by_operator { Action::VaultSealed } else { Action::SealVault };
        assert!(in_vault.contains(&seal) && in_vault.contains(&Action::VaultUnsealed), "{in_vault:?}");
        node.stop_and_verify().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_seal_of_which_nobody_knows_whether_it_stands_closes_the_vault() {
    for by_operator in [true, false] {
        let node = Node::new().await;
        let caller = node.caller(OFFICER);
        node.faults.fail_commit(1, CommitFault::After(CommitError::Unavailable(Unavailable::Disk { code: 10 })));
        if by_operator {
            assert!(node.instance.seal("dev", at(T0)).await.is_err());
        } else {
            let answer = node.vault().run(caller, SealVault, at(T0)).await;
            assert_eq!(answer.err(), Some(TurnedAway::OutcomeUnknown));
        }
        assert_sealed(&node).await;
        let node = node.restart().await;
        assert_sealed(&node).await;
        node.instance.unseal("dev", at(T0)).await.unwrap();
        node.stop_and_verify().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_seal_that_is_known_not_to_stand_leaves_the_vault_open() {
    let node = Node::new().await;
    node.faults.fail_commit(1, CommitFault::Before(CommitError::DiskFull));
    assert!(node.instance.seal("dev", at(T0)).await.is_err());
    node.run(create("k", KeySpec::EcP256)).await.unwrap();
}

/// Four RSA keys are being made while the vault is sealed; how many of them nobody got an answer for.
async fn sealed_at_work(node: &Arc<Node>, round: usize) -> usize {
    let name = |n: usize| format!("k{round}-{n}");
    let working: Vec<_> = (0..4)
        .map(|n| {
            let node = Arc::clone(node);
            let (caller, ask) = (node.caller(OFFICER), create(&name(n), KeySpec::Rsa2048));
            tokio::spawn(async move {
                let answer = node.vault().run(caller, ask, at(T0)).await;
                answer.map(|a| a.into_parts().1.unwrap())
            })
        })
        .collect();
    tokio::time::sleep(Duration::from_millis(10)).await;
    node.instance.seal("dev", at(T0)).await.unwrap();
    assert_sealed(node).await;
    let mut answers = Vec::new();
    for one in working {
        answers.push(one.await.unwrap());
    }
    node.instance.unseal("dev", at(T0)).await.unwrap();
    let mut unanswered = 0;
    for (n, answer) in answers.into_iter().enumerate() {
        let found = node.run(GetKey { key: key(&name(n)) }).await.ok();
        match answer {
            Ok(made) => assert_eq!(found, Some(made)),
            Err(why) => {
                assert_eq!((why, found), (TurnedAway::Sealed, None));
                unanswered += 1;
            }
        }
    }
    unanswered
}

#[tokio::test(flavor = "multi_thread")]
async fn what_works_while_the_vault_is_sealed_is_not_answered_and_did_nothing() {
    let node = Arc::new(Node::new().await);
    // Making four RSA keys takes longer than sealing, though not each time on a busy disk.
    let mut round = 0;
    while sealed_at_work(&node, round).await == 0 {
        round += 1;
        assert!(round < 20, "no work was under way");
    }
    Arc::into_inner(node).unwrap().stop_and_verify().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn without_its_key_file_or_with_another_a_vault_starts_sealed_and_does_not_open() {
    let node = Node::new().await;
    node.run(create("k", KeySpec::EcP256)).await.unwrap();
    let dir = node.stop().await;
    let other = dir.path().join("other.key");
    KeyFile::create(&other).unwrap();

    let node = Node::open_through(dir, LIMITS, &[]).await;
    assert_sealed(&node).await;
    let refused = node.instance.unseal("dev", at(T0)).await.unwrap_err();
    assert!(matches!(refused, OperateError::NoPath { .. }), "{refused}");
    let dir = node.stop().await;

    let node = Node::open_through(dir, LIMITS, &[&other]).await;
    assert_sealed(&node).await;
    let refused = node.instance.unseal("dev", at(T0)).await.unwrap_err();
    assert!(matches!(refused, OperateError::Path(_)), "{refused}");
    assert_sealed(&node).await;

    let node = Node::open(node.stop().await, LIMITS).await;
    assert!(node.run(sign()).await.is_ok(), "with its own it opens by itself: nobody sealed it");
    node.stop_and_verify().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn of_concurrent_seals_and_unseals_memory_and_store_agree_in_the_end() {
    let node = Arc::new(Node::new().await);
    for _ in 0..6 {
        let all: Vec<_> = (0..4)
            .map(|n| {
                let node = Arc::clone(&node);
                tokio::spawn(async move {
                    if n % 2 == 0 {
                        drop(node.instance.seal("dev", at(T0)).await);
                    } else {
                        drop(node.instance.unseal("dev", at(T0)).await);
                    }
                })
            })
            .collect();
        for one in all {
            one.await.unwrap();
        }
        let stored = node.store.vaults().await.unwrap().remove(0).status.name();
        let open = node.vault().ready().is_ok();
        assert_eq!(stored, if open { "active" } else { "sealed" });
    }
    Arc::into_inner(node).unwrap().stop_and_verify().await;
}
