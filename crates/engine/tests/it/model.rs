//! The life cycle of keys against a small model of it, over restarts and seals.

use crate::support::*;
use keystead_engine::{
    BackupKey, DeleteKey, Encrypt, GetDeletedKey, GetKey, ListDeletedKeys, ListKeys, ListVersions, PurgeKey,
    RecoverKey, Refusal, RestoreKey, RotateKey, SetAttributes, Sign, UpdateKey,
};
use keystead_model::{CipherAlgorithm, KeyRef, KeySpec, SignAlgorithm, Version};
use proptest::prelude::*;
use std::collections::BTreeMap;
use zeroize::Zeroizing;

const NAMES: [&str; 3] = ["a", "B", "c-3"];

#[derive(Debug, Clone)]
enum Op {
    Create(&'static str, KeySpec),
    Rotate(&'static str),
    Enable(&'static str, usize, bool),
    Use(&'static str, usize),
    Delete(&'static str),
    Recover(&'static str),
    Purge(&'static str),
    Backup(&'static str),
    Restore(&'static str),
    Restart,
    SealAndUnseal,
}

fn op() -> impl Strategy<Value = Op> {
    let named = || prop::sample::select(&NAMES[..]);
    let spec = prop::sample::select(&[KeySpec::EcP256, KeySpec::Oct256][..]);
    prop_oneof![
        5 => (named(), spec).prop_map(|(n, s)| Op::Create(n, s)),
        2 => named().prop_map(Op::Rotate),
        3 => (named(), 0..4_usize, any::<bool>()).prop_map(|(n, v, on)| Op::Enable(n, v, on)),
        6 => (named(), 0..4_usize).prop_map(|(n, v)| Op::Use(n, v)),
        3 => named().prop_map(Op::Delete),
        2 => named().prop_map(Op::Recover),
        2 => named().prop_map(Op::Purge),
        2 => named().prop_map(Op::Backup),
        2 => named().prop_map(Op::Restore),
        1 => Just(Op::Restart),
        1 => Just(Op::SealAndUnseal),
    ]
}

/// What must be true of one key.
#[derive(Debug, Default)]
struct Key {
    versions: Vec<(Version, KeySpec, bool)>,
    deleted: bool,
}

impl Key {
    /// The version a test means by a number: the newest, or an older one if there are so many.
    fn nth(&self, n: usize) -> (Version, KeySpec, bool) {
        self.versions[(self.versions.len() - 1).saturating_sub(n)]
    }
}

/// The keys, and the newest backup of each: it outlives its key.
#[derive(Default)]
struct Model(BTreeMap<&'static str, Key>, BTreeMap<&'static str, Backup>);

/// What was backed up, and which versions it holds.
type Backup = (Vec<u8>, Vec<(Version, KeySpec, bool)>);

impl Model {
    fn live(&mut self, named: &str) -> Option<&mut Key> {
        self.0.get_mut(named).filter(|k| !k.deleted)
    }

    fn deleted(&mut self, named: &str) -> Option<&mut Key> {
        self.0.get_mut(named).filter(|k| k.deleted)
    }
}

async fn use_key(node: &Node, key: KeyRef, spec: KeySpec) -> Result<Version, Refusal> {
    if spec == KeySpec::EcP256 {
        let ask = Sign { key, algorithm: SignAlgorithm::Es256, digest: vec![7; 32] };
        return node.run(ask).await.map(|r| r.version);
    }
    let plaintext = Zeroizing::new(vec![1]);
    let ask = Encrypt { key, algorithm: CipherAlgorithm::A256Gcm, plaintext, iv: None, aad: Vec::new() };
    node.run(ask).await.map(|r| r.version)
}

/// Carries out one step in both, and compares what came of it.
async fn step(node: Node, model: &mut Model, op: Op) -> Node {
    let not_found = |r: &Refusal| matches!(r, Refusal::KeyNotFound { .. });
    let no_deleted = |r: &Refusal| matches!(r, Refusal::DeletedKeyNotFound { .. });
    match op {
        Op::Create(n, spec) => match (node.run(create(n, spec)).await, model.deleted(n).is_some()) {
            (Ok(v), false) => model.0.entry(n).or_default().versions.push((v.version, spec, true)),
            (Err(Refusal::NameReserved { .. }), true) => {}
            other => panic!("{n}: {other:?}"),
        },
        Op::Rotate(n) => match (node.run(RotateKey { name: name(n) }).await, model.live(n)) {
            (Ok(v), Some(k)) => k.versions.push((v.version, k.nth(0).1, k.nth(0).2)),
            (Err(e), None) => assert!(not_found(&e)),
            other => panic!("{n}: {other:?}"),
        },
        Op::Enable(n, nth, enabled) => {
            let wanted = model.live(n).map(|k| k.nth(nth).0);
            let attributes = SetAttributes { enabled: Some(enabled), ..SetAttributes::default() };
            let key = KeyRef { name: name(n), version: wanted };
            match (node.run(UpdateKey { key, ops: None, attributes, tags: None, release: None }).await, model.live(n)) {
                (Ok(v), Some(k)) => {
                    let changed = k.versions.iter_mut().find(|(id, ..)| *id == v.version).unwrap();
                    changed.2 = enabled;
                }
                (Err(e), None) => assert!(not_found(&e)),
                other => panic!("{n}: {other:?}"),
            }
        }
        Op::Use(n, nth) => {
            let wanted = model.live(n).map(|k| k.nth(nth));
            let (id, spec) = wanted.map_or((None, KeySpec::EcP256), |(id, spec, _)| (Some(id), spec));
            // The newest is asked for without its version.
            let key = KeyRef { name: name(n), version: id.filter(|_| nth > 0) };
            match (use_key(&node, key, spec).await, wanted) {
                (Ok(by), Some((id, _, true))) => assert_eq!(by, id),
                (Err(Refusal::KeyDisabled { .. }), Some((_, _, false))) => {}
                (Err(e), None) => assert!(not_found(&e)),
                other => panic!("{n}: {other:?}"),
            }
        }
        Op::Delete(n) => match (node.run(DeleteKey { name: name(n) }).await, model.live(n)) {
            (Ok(d), Some(k)) => {
                assert_eq!(d.key.version, k.nth(0).0);
                k.deleted = true;
            }
            (Err(e), None) => assert!(not_found(&e)),
            other => panic!("{n}: {other:?}"),
        },
        Op::Recover(n) => match (node.run(RecoverKey { name: name(n) }).await, model.deleted(n)) {
            (Ok(_), Some(k)) => k.deleted = false,
            (Err(e), None) => assert!(no_deleted(&e)),
            other => panic!("{n}: {other:?}"),
        },
        Op::Purge(n) => match (node.run(PurgeKey { name: name(n) }).await, model.deleted(n).is_some()) {
            (Ok(()), true) => drop(model.0.remove(n)),
            (Err(e), false) => assert!(no_deleted(&e)),
            other => panic!("{n}: {other:?}"),
        },
        Op::Backup(n) => match (node.run(BackupKey { name: name(n) }).await, model.live(n)) {
            (Ok(backup), Some(k)) => {
                let versions = k.versions.clone();
                model.1.insert(n, (backup, versions));
            }
            (Err(e), None) => assert!(not_found(&e)),
            other => panic!("{n}: {other:?}"),
        },
        Op::Restore(n) => {
            let Some((backup, versions)) = model.1.get(n).cloned() else { return node };
            match (node.run(RestoreKey { backup }).await, model.0.get(n).map(|k| k.deleted)) {
                (Ok(v), None) => {
                    assert_eq!(v.version, versions.last().unwrap().0);
                    model.0.insert(n, Key { versions, deleted: false });
                }
                (Err(Refusal::NameTaken { .. }), Some(false)) | (Err(Refusal::NameReserved { .. }), Some(true)) => {}
                other => panic!("{n}: {other:?}"),
            }
        }
        Op::Restart => return node.restart().await,
        Op::SealAndUnseal => {
            node.instance.seal("dev", at(T0)).await.unwrap();
            node.instance.unseal("dev", at(T0)).await.unwrap();
        }
    }
    node
}

/// The whole vault is as the model says.
async fn agrees(node: &Node, model: &Model) {
    for (n, wanted) in &model.0 {
        let (newest, spec, enabled) = wanted.nth(0);
        let found = match wanted.deleted {
            false => node.run(GetKey { key: key(n) }).await.unwrap(),
            true => node.run(GetDeletedKey { name: name(n) }).await.unwrap().key,
        };
        assert_eq!((found.version, found.spec, found.enabled), (newest, spec, enabled));
        let page = node.run(ListVersions { name: name(n), after: None, limit: 200 }).await.unwrap();
        let mut found: Vec<_> = page.items.iter().map(|v| (v.version, v.spec, v.enabled)).collect();
        let mut all = if wanted.deleted { Vec::new() } else { wanted.versions.clone() };
        found.sort();
        all.sort();
        assert_eq!(found, all, "{n}");
    }
    let live = node.run(ListKeys { after: None, limit: 25 }).await.unwrap().items.len();
    let deleted = node.run(ListDeletedKeys { after: None, limit: 25 }).await.unwrap().items.len();
    assert_eq!(deleted, model.0.values().filter(|k| k.deleted).count());
    assert_eq!(live + deleted, model.0.len());
}

async fn lives_as_the_model(ops: Vec<Op>) {
    let (mut node, mut model) = (Node::new().await, Model::default());
    for op in ops {
        node = step(node, &mut model, op).await;
    }
    agrees(&node, &model).await;
    let node = node.restart().await;
    agrees(&node, &model).await;
    node.stop_and_verify().await;
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 12, failure_persistence: None, max_shrink_iters: 64, ..ProptestConfig::default() })]

    #[test]
    fn keys_live_as_the_model_says_over_restarts_and_seals(ops in prop::collection::vec(op(), 10..50)) {
        tokio::runtime::Runtime::new().unwrap().block_on(lives_as_the_model(ops));
    }
}
