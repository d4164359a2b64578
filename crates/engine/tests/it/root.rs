//! Generations of the root: after a rotation everything is as before, and the generation before opens nothing.

mod crashes;

use crate::support::*;
use keystead_crypto::sealed::{Binding, OpenFailed, Usage, generation_of};
use keystead_custody::{PathKey, Root, unwrap_domain, unwrap_root};
use keystead_engine::{
    BackupKey, DeleteKey, GetKey, GetRotationPolicy, Instance, OperateError, PurgeKey, ReadAudit, RecoverKey, Refusal,
    RestoreKey, RotateKey, SetRotationPolicy, Sign, TurnedAway, Verdict,
};
use keystead_model::{Action, Generation, KeySpec, SignAlgorithm, VaultId};
use keystead_store::{Kind, Row, Store};
use rusqlite::{Connection, params};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use tempfile::TempDir;

fn sign(name: &str) -> Sign {
    Sign { key: key(name), algorithm: SignAlgorithm::Es256, digest: vec![7; 32] }
}

/// Rows that the root seals.
const SEALED: [Kind; 10] = [
    Kind::Secrets,
    Kind::Policy,
    Kind::Issuer,
    Kind::Key,
    Kind::KeyVersion,
    Kind::DeletedKey,
    Kind::Vault,
    Kind::Clock,
    Kind::RootRotation,
    Kind::Paths,
];

async fn rows(store: &Store, vault: VaultId, kinds: &[Kind]) -> Vec<Row> {
    let mut all = Vec::new();
    for kind in kinds {
        all.extend(store.rows(vault, *kind, None, 1000).await.unwrap());
    }
    all
}

/// The root as the key file opens it from the wrap of this generation.
async fn root_of(store: &Store, vault: VaultId, file: &Path, generation: u32) -> Option<Root> {
    let key = PathKey::from_bytes(&std::fs::read(file).unwrap().try_into().unwrap());
    let all = rows(store, vault, &[Kind::WrappedRoot]).await;
    all.iter().filter_map(|row| unwrap_root(&key, vault, &row.sealed).ok()).find(|r| r.generation().0 == generation)
}

fn place(vault: VaultId, row: &Row) -> Binding {
    let version = row.version.map_or([0; 16], |v| *v.as_bytes());
    let (kind, object) = (row.kind.code(), *row.id.as_bytes());
    Binding { vault: *vault.as_bytes(), kind, object, version, counter: row.counter }
}

/// A copy of everything on disk, as a thief or an operator would have one.
fn copy(from: &Path) -> TempDir {
    let to = tempfile::tempdir().unwrap();
    let done = std::process::Command::new("cp").arg("-a").arg(format!("{}/.", from.display())).arg(to.path()).status();
    assert!(done.unwrap().success());
    to
}

async fn keys(node: &Node) {
    for (name, spec) in [("ec", KeySpec::EcP256), ("rsa", KeySpec::Rsa2048), ("oct", KeySpec::Oct256)] {
        node.run(create(name, spec)).await.unwrap();
    }
    node.run(RotateKey { name: name("ec") }).await.unwrap();
    node.run(create("gone", KeySpec::EcP384)).await.unwrap();
    node.run(DeleteKey { name: name("gone") }).await.unwrap();
    let policy = after_create(30, Some(60));
    node.run(SetRotationPolicy { name: name("oct"), policy: Some(policy) }).await.unwrap();
}

async fn assert_healthy(instance: &Arc<Instance>) {
    let found = instance.doctor(at(T0)).await;
    assert!(found.iter().all(|f| f.verdict == Verdict::Good), "{found:#?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn after_a_rotation_everything_is_as_before_and_the_generation_before_opens_nothing() {
    let node = Node::new().await;
    keys(&node).await;
    let before = (node.run(GetKey { key: key("rsa") }).await.unwrap(), node.run(sign("ec")).await.is_ok());
    let (id, file) = (node.vault().info().id, node.dir.path().join("path.key"));
    let first = root_of(&node.store, id, &file, 1).await.unwrap();
    let backup = node.run(BackupKey { name: name("ec") }).await.unwrap();
    let policy = node.run(GetRotationPolicy { name: name("oct") }).await.unwrap().policy;

    node.rotated(false).await;
    assert_eq!(node.instance.list()[0].root, Some(Generation(2)));
    assert_eq!((node.run(GetKey { key: key("rsa") }).await.unwrap(), node.run(sign("ec")).await.is_ok()), before);
    assert_healthy(&node.instance).await;

    // Nothing of it is left: no wrap, no row, and neither of usage does it open one.
    assert!(root_of(&node.store, id, &file, 1).await.is_none());
    let second = root_of(&node.store, id, &file, 2).await.unwrap();
    assert_eq!(rows(&node.store, id, &[Kind::SealedRoot]).await.len(), 1);
    let all = rows(&node.store, id, &SEALED).await;
    assert!(all.len() > 12, "{}", all.len());
    for row in &all {
        assert_eq!(generation_of(&row.sealed), Some(2), "{:?}", row.kind);
        let opened = first.sealer(Usage::Records).open(&place(id, row), b"", &row.sealed);
        assert_eq!(opened.err(), Some(OpenFailed::Generation { found: 2, held: 1 }));
        assert!(second.sealer(Usage::Records).open(&place(id, row), b"", &row.sealed).is_ok());
    }
    // What is inside: the material of each version names the newest generation, too.
    for row in all.iter().filter(|row| row.kind == Kind::KeyVersion) {
        let plain = second.sealer(Usage::Records).open(&place(id, row), b"", &row.sealed).unwrap();
        let old = [1_u8, 0, 0, 0, 1];
        assert!(!plain.windows(5).any(|w| w == old), "material of generation 1");
    }

    let node = node.restart().await;
    assert!(node.run(sign("ec")).await.is_ok());
    node.run(RecoverKey { name: name("gone") }).await.unwrap();
    assert_eq!(node.run(GetRotationPolicy { name: name("oct") }).await.unwrap().policy, policy);
    // Backups from before come back: the blob key is no child of the root.
    node.run(DeleteKey { name: name("ec") }).await.unwrap();
    node.run(PurgeKey { name: name("ec") }).await.unwrap();
    node.run(RestoreKey { backup }).await.unwrap();
    assert!(node.run(sign("ec")).await.is_ok());
    node.rotated(false).await;
    let node = node.restart().await;
    assert_eq!(node.instance.list()[0].root, Some(Generation(3)));
    assert!(node.run(sign("ec")).await.is_ok());
    assert_healthy(&node.instance).await;
    node.stop_and_verify().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_copy_from_before_a_rotation_opens_with_the_key_of_then() {
    for after_purge in [false, true] {
        let node = Node::new().await;
        keys(&node).await;
        let node = node.restart().await;
        let older = copy(node.dir.path());
        node.rotated(after_purge).await;
        node.run(create("new", KeySpec::EcP256)).await.unwrap();
        let dir = node.stop_and_verify().await;

        let before = Node::open(older, LIMITS).await;
        assert!(before.run(sign("ec")).await.is_ok(), "the copy is as it was");
        assert!(matches!(before.run(sign("new")).await, Err(Refusal::KeyNotFound { .. })));
        let older = before.stop().await;

        // And its path key on what is newer: only where the path kept its key.
        for entry in std::fs::read_dir(dir.path()).unwrap() {
            let path = entry.unwrap().path();
            if path.file_name().unwrap().to_string_lossy().starts_with("path.key.") {
                std::fs::remove_file(path).unwrap();
            }
        }
        std::fs::copy(older.path().join("path.key"), dir.path().join("path.key")).unwrap();
        let thief = Node::open(dir, LIMITS).await;
        assert_eq!(thief.vault().ready().is_ok(), !after_purge);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn after_a_purge_each_path_has_a_new_key_and_the_vault_opens_by_it_alone() {
    let node = Node::new().await;
    keys(&node).await;
    let (id, file) = (node.vault().info().id, node.dir.path().join("path.key"));
    let own = node.dir.path().join(format!("path.key.{id}"));
    let shared = std::fs::read(&file).unwrap();
    node.rotated(true).await;
    assert!(own.exists() && !node.dir.path().join(format!("path.key.{id}.next")).exists());
    assert_eq!(std::fs::read(&file).unwrap(), shared, "other vaults may be behind it");
    let key = PathKey::from_bytes(&shared.try_into().unwrap());
    for row in rows(&node.store, id, &[Kind::WrappedDomain, Kind::WrappedRoot]).await {
        assert!(unwrap_root(&key, id, &row.sealed).is_err() && unwrap_domain(&key, id, &row.sealed).is_err());
    }
    let first = std::fs::read(&own).unwrap();
    node.rotated(true).await;
    assert_ne!(std::fs::read(&own).unwrap(), first);
    assert_healthy(&node.instance).await;
    // Without the shared one, too: the vault has no use for it any more.
    let dir = node.stop().await;
    std::fs::write(&file, [0; 32]).unwrap();
    let node = Node::open(dir, LIMITS).await;
    assert!(node.run(sign("ec")).await.is_ok());
    // A new vault is behind the shared key.
    node.instance.create(new_vault("other"), at(T0)).await.unwrap();
    let node = node.restart().await;
    assert_eq!(node.instance.named("other").unwrap().state().name(), "open");
    assert_healthy(&node.instance).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_vault_works_on_while_its_root_is_rotated() {
    let node = Arc::new(Node::new().await);
    for n in 0..150 {
        node.run(create(&format!("k{n}"), KeySpec::EcP256)).await.unwrap();
    }
    let end = Arc::new(AtomicBool::new(false));
    let working: Vec<_> = (0..4)
        .map(|w| {
            let (node, end) = (Arc::clone(&node), Arc::clone(&end));
            tokio::spawn(async move {
                let mut count = 0;
                while !end.load(Ordering::SeqCst) {
                    let own = format!("w{w}-{count}");
                    node.run(create(&own, KeySpec::EcP256)).await.unwrap();
                    node.run(sign(&own)).await.unwrap();
                    node.run(sign(&format!("k{}", (count * 7 + w * 31) % 150))).await.unwrap();
                    // A hot key, which changes all the time: its changes may be refused as ever, and stay whole.
                    match node.run(RotateKey { name: name(&format!("k{}", count % 3)) }).await {
                        Ok(_) | Err(Refusal::Conflict) => {}
                        Err(e) => panic!("{e}"),
                    }
                    if count % 3 == 0 {
                        node.run(DeleteKey { name: name(&own) }).await.unwrap();
                    }
                    count += 1;
                }
                count
            })
        })
        .collect();
    for round in 0..3 {
        node.rotated(round == 1).await;
    }
    end.store(true, Ordering::SeqCst);
    let mut all = 0;
    for one in working {
        all += one.await.unwrap();
    }
    assert!(all > 4, "they worked: {all}");
    let id = node.vault().info().id;
    for kind in SEALED {
        let mut after = None;
        loop {
            let page = node.store.rows(id, kind, after, 1000).await.unwrap();
            let Some(last) = page.last() else { break };
            after = Some((last.lookup, last.version));
            assert!(page.iter().all(|row| generation_of(&row.sealed) == Some(4)), "{kind:?}");
        }
    }
    let node = Arc::into_inner(node).unwrap().restart().await;
    for n in 0..150 {
        node.run(sign(&format!("k{n}"))).await.unwrap();
    }
    node.stop_and_verify().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_details_of_the_audit_are_readable_over_generations() {
    let node = Node::new().await;
    node.run(create("first", KeySpec::EcP256)).await.unwrap();
    node.rotated(false).await;
    node.run(create("second", KeySpec::EcP256)).await.unwrap();
    node.rotated(false).await;
    let node = node.restart().await;
    node.run(create("third", KeySpec::EcP256)).await.unwrap();
    let entries = node.run(ReadAudit { log: None, from: Some(0), limit: 500 }).await.unwrap();
    let created: Vec<_> =
        entries.iter().filter(|e| e.action == Action::CreateKey.name()).map(|e| format!("{:?}", e.detail)).collect();
    assert_eq!(created.len(), 3);
    for (detail, name) in created.iter().zip(["first", "second", "third"]) {
        assert!(detail.contains(name) && detail.contains(&subject(OFFICER)), "{detail}");
    }
    node.stop_and_verify().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn each_step_is_in_the_logs_of_the_vault_and_the_node() {
    let node = Node::new().await;
    keys(&node).await;
    node.rotated(false).await;
    let actions: Vec<_> = node.records().iter().filter_map(|r| r.action()).collect();
    let rotation: Vec<_> = actions.into_iter().filter(|a| (1010..=1013).contains(&a.code())).collect();
    let expected = [Action::RootRotationBegun, Action::RowsResealed, Action::RootDestroyed, Action::RootRotated];
    let mut once = rotation.clone();
    once.dedup();
    assert_eq!(once, expected, "{rotation:?}");
    let own: Vec<_> = node.records_of(VaultId::from_bytes([0; 16])).iter().filter_map(|r| r.action()).collect();
    assert!(own.ends_with(&[Action::RootRotationBegun, Action::RootRotated]), "{own:?}");
    node.stop_and_verify().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_rotation_is_shown_waits_for_an_open_vault_and_goes_on() {
    let node = Node::new().await;
    keys(&node).await;
    assert!(matches!(node.instance.rotate_root("none", false, at(T0)).await, Err(OperateError::UnknownVault { .. })));
    let shown = node.instance.rotate_root("dev", false, at(T0)).await.unwrap().rotation.unwrap();
    assert_eq!((shown.from, shown.to, shown.step), (Generation(1), Generation(2), "resealing"));
    let again = node.instance.rotate_root("dev", false, at(T0)).await.unwrap_err();
    assert!(matches!(again, OperateError::Rotating { .. }), "{again}");
    // Found by the doctor, open and sealed, before and after a restart.
    let named = async |node: &Node| {
        let found = node.instance.doctor(at(T0)).await;
        assert!(found.iter().all(|f| f.verdict == Verdict::Good), "{found:#?}");
        found.iter().any(|f| f.what == "root" && f.says.contains("rotating root 1 -> 2: resealing"))
    };
    assert!(named(&node).await);
    node.instance.seal("dev", at(T0)).await.unwrap();
    assert!(!node.instance.turn(at(T0)).await, "a sealed vault waits");
    assert!(named(&node).await);
    let node = node.restart().await;
    assert!(named(&node).await);
    node.instance.unseal("dev", at(T0)).await.unwrap();
    assert!(named(&node).await);
    node.run(sign("ec")).await.unwrap();
    node.turned().await;
    assert!(!named(&node).await);
    let sealed = node.instance.seal("dev", at(T0)).await.map(|v| v.state);
    assert_eq!(sealed.unwrap(), "sealed");
    let refused = node.instance.rotate_root("dev", false, at(T0)).await.unwrap_err();
    assert!(matches!(refused, OperateError::Closed { .. }), "{refused}");
    assert_eq!(node.vault().ready(), Err(TurnedAway::Sealed));
    node.stop_and_verify().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_row_that_no_generation_opens_keeps_the_one_before_until_it_is_gone() {
    let node = Node::new().await;
    keys(&node).await;
    let id = node.vault().info().id;
    // The owner of the database changes a row.
    let mut row = rows(&node.store, id, &[Kind::DeletedKey]).await.remove(0);
    let whole = row.clone();
    row.sealed[40] ^= 1;
    replace(node.dir.path(), &row).await;
    node.instance.rotate_root("dev", false, at(T0)).await.unwrap();
    let view = || node.instance.list()[0].rotation.clone();
    until("it is found", async || {
        node.instance.turn(at(T0)).await;
        view().is_some_and(|r| r.waits_for.is_some())
    })
    .await;
    let waits = view().unwrap();
    assert!(waits.step == "proving" && waits.waits_for.unwrap().contains("is damaged"));
    let found = node.instance.doctor(at(T0)).await;
    assert!(found.iter().any(|f| f.verdict == Verdict::Bad && f.what == "root" && f.says.contains("is damaged")));
    assert!(root_of(&node.store, id, &node.dir.path().join("path.key"), 1).await.is_some(), "nothing was destroyed");
    // It is restored as it was, sealed under the generation before.
    replace(node.dir.path(), &whole).await;
    node.turned().await;
    node.run(RecoverKey { name: name("gone") }).await.unwrap();
    assert_healthy(&node.instance).await;
    node.stop_and_verify().await;
}

/// Writes a row's content past the server, as the owner of the database can.
async fn replace(dir: &Path, row: &Row) {
    let db = Connection::open(dir.join("store/keystead.db")).unwrap();
    let sql = "UPDATE item SET sealed = ?1 WHERE kind = ?2 AND lookup = ?3";
    assert_eq!(db.execute(sql, params![row.sealed, row.kind.code(), row.lookup]).unwrap(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_generation_before_sealed_is_not_believed_after_its_end() {
    let node = Node::new().await;
    keys(&node).await;
    let id = node.vault().info().id;
    let wraps = rows(&node.store, id, &[Kind::WrappedRoot, Kind::SealedRoot]).await;
    let policy = rows(&node.store, id, &[Kind::Policy]).await.remove(0);
    let first = root_of(&node.store, id, &node.dir.path().join("path.key"), 1).await.unwrap();
    node.rotated(false).await;
    // The owner of the database, who somehow got the root of then, puts its wraps back and forges the policy.
    let now = node.store.get(id, policy.key()).await.unwrap().unwrap();
    let plain = first.sealer(Usage::Records).open(&place(id, &policy), b"", &policy.sealed).unwrap();
    let forged = Row { sealed: first.sealer(Usage::Records).seal(&place(id, &now), b"", &plain), ..now };
    replace(node.dir.path(), &forged).await;
    let dir = node.stop().await;
    let db = Connection::open(dir.path().join("store/keystead.db")).unwrap();
    for row in wraps {
        let sql = "INSERT INTO item (vault, kind, lookup, version, id, counter, revision, due, sealed) \
                   VALUES (?1, ?2, ?3, x'', ?4, 1, 1, NULL, ?5)";
        let values = params![id.as_bytes(), row.kind.code(), row.lookup, row.id.as_bytes(), row.sealed];
        assert_eq!(db.execute(sql, values).unwrap(), 1);
    }
    drop(db);
    let node = Node::open(dir, LIMITS).await;
    assert_eq!(node.vault().ready(), Err(TurnedAway::Sealed));
    assert!(matches!(
        node.instance.unseal("dev", at(T0)).await,
        Err(OperateError::Damaged | OperateError::Refused(Refusal::Damaged))
    ));
}
