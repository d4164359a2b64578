//! What was approved is that object in that state, not whatever has its name or lies in its place by then.

use super::*;
use crate::backup;
use keystead_engine::{RecoverKey, RotateKey, StartRestore};

fn changed<T>(answer: &Result<T, Refusal>, of: &ProposalView) -> bool {
    matches!(answer, Err(Refusal::Approval(ApprovalError::Changed { id: found })) if *found == id(of))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_purge_is_of_the_key_and_the_versions_that_were_approved() {
    let people = People::new();
    let node = node(&people, &[(Rule::Purge, 1)]).await;
    deleted(&node, "other").await;
    for of in ["k", "other"] {
        let view = propose(&node, purge(of)).await;
        approve(&node, &view, &[&people.bob]).await;
        node.run(RecoverKey { name: name(of) }).await.unwrap();
        node.run(RotateKey { name: name(of) }).await.unwrap();
        node.run(DeleteKey { name: name(of) }).await.unwrap();
        let refused = node.run(purge(of)).await;
        assert!(changed(&refused, &view), "{refused:?}");
        assert!(node.run(GetDeletedKey { name: name(of) }).await.is_ok(), "with the version that nobody approved");
        let said = refused.unwrap_err().to_string();
        assert!(said.contains(&view.proposal.id) && said.contains("Propose it anew"), "{said}");
        // Proposed as it is now, it goes.
        let again = propose(&node, purge(of)).await;
        approve(&node, &again, &[&people.bob]).await;
        node.run(purge(of)).await.unwrap();
        // Another key of the same name.
        deleted(&node, of).await;
        assert!(changed(&node.run(purge(of)).await, &view));
    }
    node.stop_and_verify().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_backup_of_a_key_takes_no_version_that_was_made_after_the_votes() {
    let people = People::new();
    let node = node(&people, &[(Rule::Export, 2)]).await;
    node.run(create("a", KeySpec::EcP256)).await.unwrap();
    let ask = || BackupKey { name: name("a") };
    let view = propose(&node, ask()).await;
    approve(&node, &view, &[&people.alice, &people.bob]).await;
    let newer = node.run(RotateKey { name: name("a") }).await.unwrap();
    assert!(changed(&node.run(ask()).await, &view));
    let view = propose(&node, ask()).await;
    assert!(view.proposal.parameters.contains(&newer.version.to_string()), "{}", view.proposal.parameters);
    approve(&node, &view, &[&people.alice, &people.bob]).await;
    node.run(ask()).await.unwrap();
    node.stop_and_verify().await;
}

/// A backup of the same vault that was put into the folder of the one that was approved.
#[tokio::test(flavor = "multi_thread")]
async fn a_restore_is_of_the_backup_that_was_approved_and_of_no_other_in_its_folder() {
    let people = People::new();
    let node = node(&people, &[(Rule::Restore, 2)]).await;
    node.run(create("a", KeySpec::EcP256)).await.unwrap();
    let (older, newer) = (backup::backed_up(&node).await, backup::backed_up(&node).await);
    assert_ne!(older, newer);
    let start = || StartRestore { rollback: true, ..backup::restore(&newer) };
    let one = || backup::one("a", &newer);
    let (all, only) = (propose(&node, start()).await, propose(&node, one()).await);
    let parameters: serde_json::Value = serde_json::from_str(&all.proposal.parameters).unwrap();
    let found = &parameters["found"];
    assert_eq!(found["vault"], node.vault().info().id.to_string());
    assert!(found["backup"].is_string() && found["taken"].is_string() && found["header_sha256"].is_string());
    for view in [&all, &only] {
        approve(&node, view, &[&people.alice, &people.bob]).await;
    }
    let (file, kept) = (backup::file(&node, &newer), std::fs::read(backup::file(&node, &newer)).unwrap());
    std::fs::copy(backup::file(&node, &older), &file).unwrap();
    for (refused, view) in [(node.run(start()).await, &all), (node.run(one()).await, &only)] {
        assert!(changed(&refused, view), "{refused:?}");
    }
    // Looking at it needs no approval.
    let look = node.run(StartRestore { check: true, ..backup::restore(&newer) }).await.unwrap();
    backup::ended(&node, &look).await;
    std::fs::write(&file, kept).unwrap();
    let begun = node.run(one()).await.unwrap();
    backup::ended(&node, &begun).await;
    let begun = node.run(start()).await.unwrap();
    backup::ended(&node, &begun).await;
    for view in [&all, &only] {
        assert_eq!(state(&node, view).await, ProposalState::Executed);
    }
    node.stop_and_verify().await;
}
