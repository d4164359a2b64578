//! Unseal paths: each wrap is proven, each path opens by itself, and the last one stays.

use crate::support::*;
use keystead_engine::{OperateError, Sign, TurnedAway, Verdict};
use keystead_model::{Action, Generation, KeySpec, SignAlgorithm, VaultId};
use keystead_store::Kind;
use keystead_unseal::{Credential, KeyFile, UnsealPath};
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::sync::Arc;
use tempfile::TempDir;

fn sign() -> Sign {
    Sign { key: key("k"), algorithm: SignAlgorithm::Es256, digest: vec![7; 32] }
}

fn file(dir: &Path) -> Arc<dyn UnsealPath> {
    Arc::new(KeyFile::at(&dir.join("path.key")))
}

fn second(dir: &Path) -> Arc<dyn UnsealPath> {
    Arc::new(KeyFile::at(&dir.join("second.key")).named("second"))
}

fn boot(dir: &Path) -> Arc<dyn UnsealPath> {
    Arc::new(Credential::new("boot", "root", Some(dir.join("credentials"))))
}

type Make = fn(&Path) -> Arc<dyn UnsealPath>;

async fn by(dir: TempDir, paths: &[Make]) -> Node {
    let paths = paths.iter().map(|make| make(dir.path())).collect();
    Node::open_by(dir, paths).await
}

/// With a key, a second key file and a credential beside the key file.
async fn node() -> Node {
    let node = Node::new().await;
    node.run(create("k", KeySpec::EcP256)).await.unwrap();
    let dir = node.stop().await;
    KeyFile::create(&dir.path().join("second.key")).unwrap();
    std::fs::create_dir(dir.path().join("credentials")).unwrap();
    let credential = dir.path().join("credentials/root");
    std::fs::write(&credential, keystead_crypto::random::<32>()).unwrap();
    std::fs::set_permissions(&credential, std::fs::Permissions::from_mode(0o400)).unwrap();
    by(dir, &[file, second, boot]).await
}

async fn add(node: &Node, path: &str) -> Result<(), OperateError> {
    node.instance.add_path("dev", path, at(T0)).await
}

async fn remove(node: &Node, path: &str) -> Result<(), OperateError> {
    node.instance.remove_path("dev", path, at(T0)).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_path_that_was_added_opens_the_vault_by_itself_and_one_that_was_removed_does_not() {
    let node = node().await;
    assert!(matches!(add(&node, "elsewhere").await, Err(OperateError::UnknownPath { .. })));
    assert!(matches!(add(&node, "file").await, Err(OperateError::PathExists { .. })));
    for path in ["boot", "second"] {
        add(&node, path).await.unwrap();
        let report = node.instance.prove_path("dev", path, at(T0)).await.unwrap();
        assert_eq!((report.opened, report.why), (Some(Generation(1)), None), "{path}");
    }
    let (file, second, boot): (Make, Make, Make) = (file, second, boot);
    let mut dir = node.stop().await;
    for path in [file, second, boot] {
        let node = by(dir, &[path]).await;
        node.run(sign()).await.unwrap();
        // The domain's key is behind it, too: a vault that has only this path is as whole as before.
        let others = node.instance.doctor(at(T0)).await;
        let bad: Vec<_> = others.iter().filter(|f| f.verdict == Verdict::Bad).collect();
        assert_eq!(bad.len(), 2, "the two that are not configured: {bad:?}");
        dir = node.stop().await;
    }
    let node = by(dir, &[file, second, boot]).await;
    remove(&node, "file").await.unwrap();
    assert!(matches!(remove(&node, "file").await, Err(OperateError::NotItsPath { .. })));
    let node = by(node.stop().await, &[file]).await;
    assert_eq!(node.vault().ready(), Err(TurnedAway::Sealed));
    let refused = node.instance.unseal("dev", at(T0)).await.unwrap_err();
    assert!(matches!(refused, OperateError::NotItsPath { .. }), "{refused}");
    let node = by(node.stop().await, &[boot, file]).await;
    node.run(sign()).await.unwrap();
    node.stop_and_verify().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_last_path_stays_and_so_does_one_without_which_nothing_opens() {
    let node = node().await;
    assert!(matches!(remove(&node, "file").await, Err(OperateError::LastPath { .. })));
    add(&node, "boot").await.unwrap();
    let credential = node.dir.path().join("credentials/root");
    let kept = std::fs::read(&credential).unwrap();
    std::fs::remove_file(&credential).unwrap();
    let refused = remove(&node, "file").await.unwrap_err();
    assert!(matches!(&refused, OperateError::NoOtherPath { .. }), "{refused}");
    assert!(refused.to_string().contains("LoadCredential=root"), "{refused}");
    std::fs::write(&credential, kept).unwrap();
    std::fs::set_permissions(&credential, std::fs::Permissions::from_mode(0o400)).unwrap();
    remove(&node, "file").await.unwrap();
    assert!(matches!(remove(&node, "boot").await, Err(OperateError::LastPath { .. })));
    // Everything goes on behind the one that is left: also what needs the domain's key.
    add(&node, "second").await.unwrap();
    remove(&node, "boot").await.unwrap();
    let (second, file): (Make, Make) = (second, file);
    let node = by(node.stop().await, &[second]).await;
    node.run(sign()).await.unwrap();
    node.rotated(true).await;
    let node = by(node.stop().await, &[second, file]).await;
    node.run(sign()).await.unwrap();
    node.stop_and_verify().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_rotation_wraps_by_every_path_and_refuses_while_one_is_missing() {
    let node = node().await;
    add(&node, "boot").await.unwrap();
    add(&node, "second").await.unwrap();
    node.rotated(false).await;
    let (file, second, boot): (Make, Make, Make) = (file, second, boot);
    let mut dir = node.stop().await;
    for path in [file, second, boot] {
        let node = by(dir, &[path]).await;
        node.run(sign()).await.unwrap();
        assert_eq!(node.instance.list()[0].root, Some(Generation(2)));
        dir = node.stop().await;
    }
    let node = by(dir, &[file, second]).await;
    let refused = node.instance.rotate_root("dev", false, at(T0)).await.unwrap_err();
    assert!(matches!(&refused, OperateError::UnknownPath { name } if name == "boot"), "{refused}");
    // A credential is not ours to replace.
    let node = by(node.stop().await, &[file, second, boot]).await;
    let refused = node.instance.rotate_root("dev", true, at(T0)).await.unwrap_err();
    assert!(matches!(&refused, OperateError::PathFailed { name, .. } if name == "boot"), "{refused}");
    assert_eq!(node.instance.list()[0].root, Some(Generation(2)), "nothing was changed");
    remove(&node, "boot").await.unwrap();
    node.rotated(true).await;
    for path in ["file", "second"] {
        let report = node.instance.prove_path("dev", path, at(T0)).await.unwrap();
        assert_eq!(report.opened, Some(Generation(3)), "{report:?}");
    }
    node.stop_and_verify().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn paths_do_not_change_while_the_root_does() {
    let node = node().await;
    add(&node, "boot").await.unwrap();
    node.instance.rotate_root("dev", false, at(T0)).await.unwrap();
    assert!(matches!(add(&node, "second").await, Err(OperateError::Rotating { .. })));
    assert!(matches!(remove(&node, "boot").await, Err(OperateError::Rotating { .. })));
    // Both generations are proven meanwhile.
    let report = node.instance.prove_path("dev", "boot", at(T0)).await.unwrap();
    assert_eq!(report.opened, Some(Generation(2)), "{report:?}");
    node.turned().await;
    add(&node, "second").await.unwrap();
    node.stop_and_verify().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_path_is_tested_as_an_unseal_would_use_it_whether_the_vault_is_open_or_sealed() {
    let node = node().await;
    add(&node, "boot").await.unwrap();
    for sealed in [false, true] {
        if sealed {
            node.instance.seal("dev", at(T0)).await.unwrap();
        }
        for path in ["file", "boot"] {
            let report = node.instance.test_path("dev", path, at(T0)).await.unwrap();
            assert_eq!((report.opened, report.why), (Some(Generation(1)), None));
        }
        let report = node.instance.test_path("dev", "second", at(T0)).await.unwrap();
        assert!(report.why.unwrap().contains("no wrap of the unseal path 'second'"));
        assert_eq!(node.vault().ready().is_err(), sealed, "it opened nothing");
        let listed = node.instance.paths("dev").await.unwrap();
        let of_vault: Vec<_> = listed.iter().filter(|p| p.of_vault).map(|p| p.name.as_str()).collect();
        assert_eq!(of_vault, ["file", "boot"]);
    }
    assert!(matches!(node.instance.prove_path("dev", "file", at(T0)).await, Err(OperateError::Closed { .. })));
    node.stop_and_verify().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_done_with_paths_is_in_the_logs() {
    let node = node().await;
    add(&node, "boot").await.unwrap();
    node.instance.prove_path("dev", "boot", at(T0)).await.unwrap();
    node.instance.test_path("dev", "boot", at(T0)).await.unwrap();
    remove(&node, "boot").await.unwrap();
    let paths = |records: Vec<keystead_audit::Record>| -> Vec<Action> {
        records.iter().filter_map(|r| r.action()).filter(|a| (1014..=1017).contains(&a.code())).collect()
    };
    assert_eq!(paths(node.records()), [Action::PathAdded, Action::PathRemoved]);
    let own = paths(node.records_of(VaultId::from_bytes([0; 16])));
    assert_eq!(own, [Action::PathAdded, Action::PathProven, Action::PathTested, Action::PathRemoved]);
    node.stop_and_verify().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_vault_that_opens_by_no_path_says_why_for_each() {
    let node = node().await;
    add(&node, "boot").await.unwrap();
    add(&node, "second").await.unwrap();
    let dir = node.stop().await;
    std::fs::remove_file(dir.path().join("path.key")).unwrap();
    std::fs::write(dir.path().join("second.key"), [0; 32]).unwrap();
    std::fs::remove_file(dir.path().join("credentials/root")).unwrap();
    let (file, second, boot): (Make, Make, Make) = (file, second, boot);
    let node = by(dir, &[file, second, boot]).await;
    let listed = node.instance.list().remove(0);
    let why = listed.not_opened.unwrap();
    for part in ["file: ", "path.key does not exist", "second: ", "does not open", "boot: ", "LoadCredential=root"] {
        assert!(why.contains(part), "{part}: {why}");
    }
    let found = node.instance.doctor(at(T0)).await;
    let bad = |what: &str, name: Option<&str>| {
        found.iter().any(|f| f.what == what && f.name.as_deref() == name && f.verdict == Verdict::Bad)
    };
    assert!(bad("vault", None) && bad("path", Some("file")) && bad("path", Some("second")), "{found:#?}");
    assert!(bad("path", Some("boot")), "{found:#?}");
    assert!(matches!(node.instance.unseal("dev", at(T0)).await, Err(OperateError::NoPathOpens { .. })));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_vault_is_born_behind_the_first_path_where_no_key_file_is() {
    let dir = tempfile::tempdir().unwrap();
    KeyFile::create(&dir.path().join("second.key")).unwrap();
    let second: Make = second;
    let node = by(dir, &[second]).await;
    node.instance.create(new_vault("dev"), at(T0)).await.unwrap();
    node.run(create("k", KeySpec::EcP256)).await.unwrap();
    let id = node.vault().info().id;
    let wraps = node.store.rows(id, Kind::WrappedRoot, None, 10).await.unwrap();
    assert!(wraps.len() == 1 && wraps[0].version.is_some());
    let node = by(node.stop().await, &[second]).await;
    node.run(sign()).await.unwrap();
    node.rotated(true).await;
    let node = by(node.stop().await, &[second]).await;
    node.run(sign()).await.unwrap();
    node.stop_and_verify().await;
}
