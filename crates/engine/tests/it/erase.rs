//! A vault that is erased: who uses its keys meanwhile is answered with a record or not at all, and nobody after it.

use crate::support::*;
use keystead_audit::Outcome;
use keystead_engine::{NewVault, OperateError, Sign};
use keystead_model::{Action, KeySpec, SignAlgorithm};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

fn sign() -> Sign {
    Sign { key: key("k"), algorithm: SignAlgorithm::Es256, digest: vec![7; 32] }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_use_of_a_key_is_answered_before_the_erasure_or_not_at_all() {
    let node = Arc::new(Node::new().await);
    node.run(create("k", KeySpec::EcP256)).await.unwrap();
    let (vault, caller, signed) = (node.vault(), node.caller(OFFICER), Arc::new(AtomicUsize::new(0)));
    let signers: Vec<_> = (0..8)
        .map(|_| {
            let (vault, caller, signed) = (Arc::clone(&vault), caller.clone(), Arc::clone(&signed));
            tokio::spawn(async move {
                // Until it is not let in any more, or finds that the vault is not what it was.
                while vault.run(caller.clone(), sign(), at(T0)).await.is_ok_and(|answer| answer.into_parts().1.is_ok())
                {
                    signed.fetch_add(1, Ordering::SeqCst);
                }
            })
        })
        .collect();
    until("keys are used", async || signed.load(Ordering::SeqCst) > 50).await;
    let erased = node.instance.erase("dev", at(T0)).await.unwrap();
    let late = vault.run(caller, sign(), at(T0)).await;
    assert!(late.is_err(), "nothing opens after it");
    for signer in signers {
        signer.await.unwrap();
    }
    let records = node.records_of(erased.vault);
    assert!(records.iter().any(|record| record.action() == Some(Action::VaultErased)));
    let done =
        |record: &&keystead_audit::Record| record.action() == Some(Action::Sign) && record.outcome() == Outcome::DONE;
    // Of those that were at work each may have a record and no answer.
    let (recorded, answered) = (records.iter().filter(done).count(), signed.load(Ordering::SeqCst));
    assert!((answered..=answered + 8).contains(&recorded), "{recorded} recorded, {answered} answered");
    assert!(node.instance.named("dev").is_none());
}

#[tokio::test(flavor = "multi_thread")]
async fn no_key_is_made_between_the_count_of_keys_and_the_erasure() {
    for n in 0..8 {
        let node = Node::new().await;
        let name = format!("kept{n}");
        node.instance.create(NewVault { purge_protection: true, ..new_vault(&name) }, at(T0)).await.unwrap();
        let vault = node.instance.named(&name).unwrap();
        let proof = keystead_identity::Proof::ClientSecret { client: OFFICER.0, secret: OFFICER.1 };
        let caller = vault.authenticate(proof, Some([127, 0, 0, 1].into()), T0).unwrap();
        let making = tokio::spawn(async move {
            vault
                .run(caller, create("k", KeySpec::EcP256), at(T0))
                .await
                .is_ok_and(|answer| answer.into_parts().1.is_ok())
        });
        for _ in 0..n {
            tokio::task::yield_now().await;
        }
        let erased = node.instance.erase(&name, at(T0)).await;
        let made = making.await.unwrap();
        match erased {
            Ok(erased) => assert!(!made && erased.keys == 0, "a protected key went with the vault"),
            Err(OperateError::PurgeProtected { keys }) => assert!(made && keys == 1),
            Err(other) => panic!("{other}"),
        }
    }
}
