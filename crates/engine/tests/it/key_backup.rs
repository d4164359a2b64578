//! Backups of keys: whole, opaque, and of this vault only.

use crate::support::*;
use keystead_engine::{
    BackupKey, BadBackup, Decrypt, DeleteKey, Encrypt, GetKey, GetRotationPolicy, KeyResult, ListVersions, PurgeKey,
    Refusal, RestoreKey, RotateKey, SetRotationPolicy,
};
use keystead_model::{CipherAlgorithm, KeySpec};
use zeroize::Zeroizing;

const GCM: CipherAlgorithm = CipherAlgorithm::A256Gcm;

async fn encrypt(node: &Node, named: &str) -> KeyResult {
    let plaintext = Zeroizing::new(b"plain".to_vec());
    node.run(Encrypt { key: key(named), algorithm: GCM, plaintext, iv: None, aad: Vec::new() }).await.unwrap()
}

async fn decrypt(node: &Node, sealed: &KeyResult) -> Vec<u8> {
    let ask = Decrypt {
        key: version("k", sealed.version),
        algorithm: GCM,
        ciphertext: sealed.value.to_vec(),
        iv: sealed.iv.clone(),
        tag: sealed.tag.map(|tag| tag.to_vec()),
        aad: Vec::new(),
    };
    node.run(ask).await.unwrap().value.to_vec()
}

async fn backup(node: &Node) -> Vec<u8> {
    node.run(BackupKey { name: name("k") }).await.unwrap()
}

async fn purge(node: &Node) {
    node.run(DeleteKey { name: name("k") }).await.unwrap();
    node.run(PurgeKey { name: name("k") }).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_restored_key_is_the_key_it_was_with_all_its_versions() {
    let node = Node::new().await;
    let tagged = keystead_engine::CreateKey { tags: tags(&[("a", "b")]), ..create("k", KeySpec::Oct256) };
    node.run(tagged).await.unwrap();
    let first = encrypt(&node, "k").await;
    node.run_as(OFFICER, RotateKey { name: name("k") }, keystead_model::Time(T0.0 + 1_000)).await.unwrap();
    node.run(create("k", KeySpec::EcP256)).await.unwrap();
    node.run(SetRotationPolicy { name: name("k"), policy: Some(after_create(30, Some(90))) }).await.unwrap();
    let all = || ListVersions { name: name("k"), after: None, limit: 25 };
    let get = || GetKey { key: key("k") };
    let policy = || GetRotationPolicy { name: name("k") };
    let before = (node.run(get()).await.unwrap(), node.run(all()).await.unwrap(), node.run(policy()).await.unwrap());
    let blob = backup(&node).await;
    assert_ne!(blob, backup(&node).await, "each backup is sealed anew");
    purge(&node).await;
    let node = node.restart().await;
    let restored = node.run(RestoreKey { backup: blob.clone() }).await.unwrap();
    assert_eq!(restored, before.0);
    let after = (node.run(get()).await.unwrap(), node.run(all()).await.unwrap(), node.run(policy()).await.unwrap());
    assert_eq!(before, after);
    assert_eq!(decrypt(&node, &first).await, b"plain");
    let day = |n: i64| at(keystead_model::Time(T0.0 + n * DAY));
    assert_eq!(node.instance.tick(day(31)).await.unwrap().rotated, 1, "its policy is carried out again");
    node.stop_and_verify().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_is_restored_only_where_its_name_is_free() {
    let node = Node::new().await;
    node.run(create("k", KeySpec::Oct256)).await.unwrap();
    let blob = backup(&node).await;
    let restore = || RestoreKey { backup: blob.clone() };
    assert!(matches!(node.run(restore()).await, Err(Refusal::NameTaken { .. })));
    node.run(DeleteKey { name: name("k") }).await.unwrap();
    assert!(matches!(node.run(restore()).await, Err(Refusal::NameReserved { .. })));
    node.run(PurgeKey { name: name("k") }).await.unwrap();
    assert!(node.run(restore()).await.is_ok());
    assert!(matches!(node.run(BackupKey { name: name("none") }).await, Err(Refusal::KeyNotFound { .. })));
    node.stop_and_verify().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn of_two_restores_at_once_one_wins() {
    let node = Node::new().await;
    node.run(create("k", KeySpec::Oct256)).await.unwrap();
    let blob = backup(&node).await;
    purge(&node).await;
    let restore = || node.run(RestoreKey { backup: blob.clone() });
    let (one, other) = tokio::join!(restore(), restore());
    assert_eq!([one.is_ok(), other.is_ok()].iter().filter(|ok| **ok).count(), 1);
    for lost in [one, other].into_iter().filter_map(Result::err) {
        assert!(matches!(lost, Refusal::NameTaken { .. }), "{lost}");
    }
    node.stop_and_verify().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_backup_that_was_changed_cut_or_taken_elsewhere_is_refused_by_name() {
    let node = Node::new().await;
    node.run(create("k", KeySpec::EcP256)).await.unwrap();
    let blob = backup(&node).await;
    purge(&node).await;
    let refused = async |backup: Vec<u8>| match node.run(RestoreKey { backup }).await {
        Err(Refusal::BadBackup(why)) => why,
        other => panic!("{other:?}"),
    };
    for at in (0..blob.len()).step_by(13).chain([3, 19, 20, 35, 36]) {
        let mut changed = blob.clone();
        changed[at] ^= 1;
        let expected = match at {
            0..3 => BadBackup::NotABackup,
            3 => BadBackup::NewerFormat { found: 0 },
            4..20 => BadBackup::Foreign,
            _ => BadBackup::Damaged,
        };
        assert_eq!(refused(changed).await, expected, "byte {at}");
    }
    for length in [0, 1, 3, 4, 20, 35] {
        assert_eq!(refused(blob[..length].to_vec()).await, BadBackup::NotABackup, "{length} bytes");
    }
    assert_eq!(refused(blob[..blob.len() - 1].to_vec()).await, BadBackup::Damaged);
    assert_eq!(refused([blob.as_slice(), &[0]].concat()).await, BadBackup::Damaged);
    let mut newer = blob.clone();
    newer[3] = 2;
    assert_eq!(refused(newer).await, BadBackup::NewerFormat { found: 2 });
    assert_eq!(refused(vec![0; (704 << 10) + 1]).await, BadBackup::TooLarge);

    node.instance.create(new_vault("other"), at(T0)).await.unwrap();
    let other = node.instance.named("other").unwrap();
    let (client, secret) = OFFICER;
    let officer = other.authenticate(keystead_identity::Proof::ClientSecret { client, secret }, None, T0).unwrap();
    let foreign = other.run(officer.clone(), RestoreKey { backup: blob.clone() }, at(T0)).await.unwrap();
    assert!(matches!(foreign.into_parts().1, Err(Refusal::BadBackup(BadBackup::Foreign))));
    // Said to be of the other vault, it does not open there either.
    let mut renamed = blob.clone();
    renamed[4..20].copy_from_slice(other.info().id.as_bytes());
    let forged = other.run(officer, RestoreKey { backup: renamed }, at(T0)).await.unwrap();
    assert!(matches!(forged.into_parts().1, Err(Refusal::BadBackup(BadBackup::Damaged))));
    assert!(node.run(RestoreKey { backup: blob }).await.is_ok());
    node.stop_and_verify().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_backup_shows_nothing_of_its_key_and_needs_its_own_permission() {
    let node = Node::new().await;
    let tagged = keystead_engine::CreateKey { tags: tags(&[("canary", "b")]), ..create("narrow", KeySpec::Oct256) };
    node.run(tagged).await.unwrap();
    let blob = node.run_as(NARROW, BackupKey { name: name("narrow") }, T0).await.unwrap();
    for secret in [&b"narrow"[..], b"canary"] {
        assert!(!blob.windows(secret.len()).any(|w| w == secret));
    }
    assert!(matches!(node.run_as(NARROW, BackupKey { name: name("k") }, T0).await, Err(Refusal::Denied(_))));
    for who in [USER, NARROW, STRANGER] {
        let ask = RestoreKey { backup: blob.clone() };
        assert!(matches!(node.run_as(who, ask, T0).await, Err(Refusal::Denied(_))));
    }
}
