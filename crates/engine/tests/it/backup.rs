//! Backups of the whole vault: what was there comes back, and what is not a backup of this domain does not.

mod changes;
mod policy;
mod steps;

use crate::support::*;
use keystead_engine::{
    BackupError, BackupPlace, CreateKey, DeleteKey, Encrypt, GetDeletedKey, GetKey, JobKind, JobState, JobView,
    KeyResult, ListBackups, ListKeys, ListVersions, PurgeKey, ReadBackup, ReadRestore, Refusal, RestoreKeyFromBackup,
    RotateKey, SetAttributes, Sign, StartBackup, StartRestore, UpdateKey, Verify,
};
use keystead_model::{Action, CipherAlgorithm, KeySpec, ObjectId, SignAlgorithm, Time};
use std::path::PathBuf;

pub(crate) const CONTAINER: &str = "https://dev.localhost:8443/backups";

pub(crate) fn place() -> BackupPlace {
    BackupPlace { container: CONTAINER.to_owned(), token: None }
}

pub(crate) fn start() -> StartBackup {
    StartBackup { to: place(), check: false }
}

/// Backups are named by their time.
pub(crate) async fn begin(node: &Node) -> JobView {
    let n = node.run(ListBackups).await.unwrap().len() as i64;
    node.run_as(OFFICER, start(), Time(T0.0 + n * 10)).await.unwrap()
}

pub(crate) fn restore(folder: &str) -> StartRestore {
    StartRestore { from: place(), folder: folder.to_owned(), check: false, rollback: false }
}

pub(crate) fn one(named: &str, folder: &str) -> RestoreKeyFromBackup {
    RestoreKeyFromBackup { name: name(named), from: place(), folder: folder.to_owned() }
}

/// Beats until the job has ended.
pub(crate) async fn ended(node: &Node, job: &JobView) -> JobView {
    ended_in("dev", node, job).await
}

/// The same of a job of that vault.
pub(crate) async fn ended_in(vault: &str, node: &Node, job: &JobView) -> JobView {
    for second in 1..400 {
        node.instance.continue_jobs(|| at(Time(T0.0 + second * 1_000))).await;
        let view = match job.kind {
            JobKind::Backup => node.run_in(vault, OFFICER, ReadBackup { job: job.id }, T0).await.unwrap(),
            JobKind::Restore => node.run_in(vault, OFFICER, ReadRestore { job: job.id }, T0).await.unwrap(),
        };
        if view.state != JobState::Running {
            assert!(view.ended.is_some());
            return view;
        }
    }
    let log = keystead_engine::ReadAudit { log: None, from: None, limit: 500 };
    let entries = node.run_in(vault, OFFICER, log, T0).await.unwrap();
    let steps = entries.iter().filter(|e| e.action.ends_with("/continue"));
    panic!("it does not end: {:?}", steps.map(|e| (e.outcome, e.detail.reason.clone())).collect::<Vec<_>>());
}

/// A backup that succeeds: its folder.
pub(crate) async fn backed_up(node: &Node) -> String {
    let begun = begin(node).await;
    assert_eq!((begun.state, begun.folder.clone()), (JobState::Running, None));
    let view = ended(node, &begun).await;
    assert_eq!((view.state, &view.error), (JobState::Succeeded, &None), "{view:?}");
    view.folder.unwrap().strip_prefix(CONTAINER).unwrap().trim_start_matches('/').to_owned()
}

pub(crate) async fn restored(node: &Node, ask: StartRestore) -> JobView {
    let begun = node.run(ask).await.unwrap();
    let view = ended(node, &begun).await;
    assert_eq!((view.state, &view.error), (JobState::Succeeded, &None), "{view:?}");
    view
}

pub(crate) fn file(node: &Node, folder: &str) -> PathBuf {
    node.dir.path().join("backups/backups").join(folder).join("vault.ksbackup")
}

pub(crate) async fn sign(node: &Node, named: &str) -> KeyResult {
    let ask = Sign { key: key(named), algorithm: SignAlgorithm::Es256, digest: vec![7; 32] };
    node.run(ask).await.unwrap()
}

pub(crate) async fn is_signed(node: &Node, named: &str, by: &KeyResult) -> bool {
    let (signature, digest) = (by.value.to_vec(), vec![7; 32]);
    let ask = Verify { key: version(named, by.version), algorithm: SignAlgorithm::Es256, digest, signature };
    node.run(ask).await.unwrap()
}

/// Forty keys, one of them with many versions and one deleted: several parts.
pub(crate) async fn filled() -> Node {
    let node = Node::new().await;
    for n in 0..38 {
        let tagged = CreateKey { tags: tags(&[("n", &n.to_string())]), ..create(&format!("k{n}"), KeySpec::EcP256) };
        node.run(tagged).await.unwrap();
    }
    for _ in 0..80 {
        node.run(create("many", KeySpec::EcP256)).await.unwrap();
    }
    node.run(create("gone", KeySpec::Oct256)).await.unwrap();
    node.run(DeleteKey { name: name("gone") }).await.unwrap();
    node
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_backed_up_signs_after_a_restore_into_the_same_vault() {
    let node = filled().await;
    let (signed, all) = (sign(&node, "k1").await, ListKeys { after: None, limit: 25 });
    let many = ListVersions { name: name("many"), after: None, limit: 100 };
    let before = (node.run(all).await.unwrap(), node.run(many).await.unwrap());
    let folder = backed_up(&node).await;
    // Nothing was changed since, so nothing is taken back.
    let view = restored(&node, restore(&folder)).await;
    let said = "Number of successful key versions restored: 119, Number of key versions could not overwrite: 0";
    assert_eq!(view.details.as_deref(), Some(said));
    // Everything is lost, and comes back.
    for n in 0..38 {
        node.run(DeleteKey { name: name(&format!("k{n}")) }).await.unwrap();
        node.run(PurgeKey { name: name(&format!("k{n}")) }).await.unwrap();
    }
    node.run(DeleteKey { name: name("many") }).await.unwrap();
    let node = node.restart().await;
    restored(&node, StartRestore { rollback: true, ..restore(&folder) }).await;
    let all = ListKeys { after: None, limit: 25 };
    let many = ListVersions { name: name("many"), after: None, limit: 100 };
    assert_eq!(before, (node.run(all).await.unwrap(), node.run(many).await.unwrap()));
    assert!(is_signed(&node, "k1", &signed).await, "the same key");
    assert_eq!(sign(&node, "many").await.version, node.run(GetKey { key: key("many") }).await.unwrap().version);
    let gone = node.run(GetDeletedKey { name: name("gone") }).await.unwrap();
    assert!(gone.purge_at.0 > T0.0 + 7 * DAY, "its retention begins anew: {gone:?}");
    let listed = node.run(ListBackups).await.unwrap();
    assert_eq!(listed.iter().map(|j| j.state).collect::<Vec<_>>(), [JobState::Succeeded; 3]);
    node.stop_and_verify().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_restore_makes_the_vault_what_it_was_and_loses_no_version() {
    let node = Node::new().await;
    node.run(create("k", KeySpec::EcP256)).await.unwrap();
    let old = node.run(GetKey { key: key("k") }).await.unwrap();
    let folder = backed_up(&node).await;
    let newer = node.run(RotateKey { name: name("k") }).await.unwrap();
    let disabled = SetAttributes { enabled: Some(false), ..SetAttributes::default() };
    let update =
        UpdateKey { key: version("k", old.version), ops: None, attributes: disabled, tags: None, release: None };
    node.run(update).await.unwrap();
    node.run(create("since", KeySpec::EcP256)).await.unwrap();
    let signed = sign(&node, "since").await;
    match node.run(restore(&folder)).await {
        Err(Refusal::Backup(BackupError::Older { backup, vault })) => assert!(backup < vault),
        other => panic!("{other:?}"),
    }
    let view = restored(&node, StartRestore { rollback: true, ..restore(&folder) }).await;
    assert!(view.details.unwrap().contains("keys deleted that the backup has not: 1"));
    assert_eq!(node.run(GetKey { key: key("k") }).await.unwrap(), old, "newest and enabled again");
    assert_eq!(node.run(GetKey { key: version("k", newer.version) }).await.unwrap(), newer, "and none is lost");
    node.run(keystead_engine::RecoverKey { name: name("since") }).await.unwrap();
    assert!(is_signed(&node, "since", &signed).await);
    let rollback = node.run(keystead_engine::ReadAudit { log: None, from: None, limit: 500 }).await.unwrap();
    let rollback = rollback.iter().rfind(|e| e.action == Action::StartRestore.name()).unwrap();
    let reason = rollback.detail.reason.as_deref().unwrap();
    assert!(reason.contains("rollback") && reason.matches("checkpoint").count() == 2, "{reason}");
    node.stop_and_verify().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn one_key_is_restored_without_a_purge_and_takes_nothing_back() {
    let node = Node::new().await;
    let first = node.run(create("k", KeySpec::EcP256)).await.unwrap();
    node.run(create("other", KeySpec::EcP256)).await.unwrap();
    let signed = sign(&node, "k").await;
    let folder = backed_up(&node).await;
    let one = async |said: &str| {
        let begun = node.run(one("K", &folder)).await.unwrap();
        let view = ended(&node, &begun).await;
        assert_eq!((view.state, view.details.as_deref()), (JobState::Succeeded, Some(said)), "{view:?}");
    };
    let said = |restored, kept| {
        format!(
            "Number of successful key versions restored: {restored}, Number of key versions could not overwrite: {kept}"
        )
    };
    // It is there, and newer: it stays.
    let second = node.run(RotateKey { name: name("k") }).await.unwrap();
    one(&said(0, 1)).await;
    assert_eq!(node.run(GetKey { key: key("k") }).await.unwrap(), second);
    // Deleted: it is live again, with what was made since.
    node.run(DeleteKey { name: name("k") }).await.unwrap();
    one(&said(0, 1)).await;
    assert_eq!(node.run(GetKey { key: key("k") }).await.unwrap(), second);
    // Purged: it comes back as it was.
    node.run(DeleteKey { name: name("k") }).await.unwrap();
    node.run(PurgeKey { name: name("k") }).await.unwrap();
    one(&said(1, 0)).await;
    assert_eq!(node.run(GetKey { key: key("k") }).await.unwrap(), first);
    assert!(is_signed(&node, "k", &signed).await);
    // Another key took the name: both are there.
    node.run(DeleteKey { name: name("k") }).await.unwrap();
    node.run(PurgeKey { name: name("k") }).await.unwrap();
    let anew = node.run_as(OFFICER, create("k", KeySpec::EcP256), Time(T0.0 + 1)).await.unwrap();
    one(&said(1, 0)).await;
    assert_eq!(node.run(GetKey { key: key("k") }).await.unwrap(), anew, "the newer one is the newest");
    assert!(is_signed(&node, "k", &signed).await);
    let none = node.run(self::one("none", &folder)).await.unwrap();
    let none = ended(&node, &none).await;
    assert_eq!((none.state, none.error.unwrap().0), (JobState::Failed, "KeyNotFound"));
    node.stop_and_verify().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn each_kind_of_damage_is_named_and_nothing_is_changed() {
    let node = filled().await;
    let folder = backed_up(&node).await;
    let whole = std::fs::read(file(&node, &folder)).unwrap();
    let revision = node.revision().await;
    // What is refused at once, or where it was read.
    let why = async |bytes: &[u8]| -> &'static str {
        std::fs::write(file(&node, &folder), bytes).unwrap();
        match node.run(restore(&folder)).await {
            Err(Refusal::Backup(why)) => why.name(),
            Ok(begun) => ended(&node, &begun).await.error.map_or("none", |(word, _)| word),
            Err(other) => panic!("{other}"),
        }
    };
    let changed = |at: usize| {
        let mut changed = whole.clone();
        changed[at] ^= 1;
        changed
    };
    let header = keystead_formats::backup::Header::parse(&whole).unwrap().1;
    assert_eq!(why(b"something else").await, "NotABackup");
    assert_eq!(why(&changed(7)).await, "NotABackup", "a later format");
    assert_eq!(why(&changed(40)).await, "BackupForeign", "the domain's id");
    assert_eq!(why(&changed(100)).await, "BackupAltered", "what the header says");
    assert_eq!(why(&changed(header - 1)).await, "BackupAltered", "the wrapped key");
    for at in [header, header + 2, header + 6, header + 5_000, whole.len() - 40, whole.len() - 1] {
        assert!(["BackupAltered", "BackupTruncated"].contains(&why(&changed(at)).await), "byte {at}");
    }
    for length in [header, header + 3, header + 5_000, whole.len() - 60, whole.len() - 1] {
        assert_eq!(why(&whole[..length]).await, "BackupTruncated", "{length} bytes");
    }
    assert_eq!(why(&[whole.as_slice(), b"x"].concat()).await, "BackupAltered", "something follows it");
    // Frames in another order, and one left out.
    let frames = frames(&whole[header..]);
    assert!(frames.len() > 3);
    let order = |order: &[usize]| {
        let rest = (0..frames.len()).filter(|n| *n > 2).map(|n| frames[n]);
        [&whole[..header]].into_iter().chain(order.iter().map(|n| frames[*n])).chain(rest).flatten().copied().collect()
    };
    let orders: [Vec<u8>; 4] = [order(&[0, 2, 1]), order(&[0, 1]), order(&[0, 1, 1, 2]), order(&[1, 2])];
    for moved in orders {
        assert_eq!(why(&moved).await, "BackupAltered");
    }
    std::fs::remove_file(file(&node, &folder)).unwrap();
    let gone = node.run(restore(&folder)).await;
    assert!(matches!(gone, Err(Refusal::Backup(BackupError::NotFound))), "{gone:?}");
    let kinds = [keystead_store::Kind::Key, keystead_store::Kind::KeyVersion, keystead_store::Kind::Policy];
    let vault = node.vault().info().id;
    assert!(!node.store.changed_since(vault, &kinds, revision).await.unwrap(), "nothing was changed");
    std::fs::write(file(&node, &folder), &whole).unwrap();
    restored(&node, restore(&folder)).await;
    node.stop_and_verify().await;
}

fn frames(mut bytes: &[u8]) -> Vec<&[u8]> {
    let mut all = Vec::new();
    while !bytes.is_empty() {
        let length = 5 + u32::from_be_bytes(bytes[1..5].try_into().unwrap()) as usize;
        let (frame, rest) = bytes.split_at(length);
        all.push(frame);
        bytes = rest;
    }
    all
}

#[tokio::test(flavor = "multi_thread")]
async fn a_backup_of_another_domain_is_refused() {
    let node = Node::new().await;
    node.run(create("k", KeySpec::EcP256)).await.unwrap();
    let folder = backed_up(&node).await;
    let other = Node::new().await;
    let at = file(&other, &folder);
    std::fs::create_dir_all(at.parent().unwrap()).unwrap();
    std::fs::copy(file(&node, &folder), at).unwrap();
    let refused = other.run(restore(&folder)).await;
    assert!(matches!(refused, Err(Refusal::Backup(BackupError::Foreign { .. }))), "{refused:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn one_backup_or_restore_runs_at_a_time() {
    let node = Node::new().await;
    node.run(create("k", KeySpec::EcP256)).await.unwrap();
    let folder = backed_up(&node).await;
    let at = Time(T0.0 + 10);
    let (one, other) = tokio::join!(node.run_as(OFFICER, start(), at), node.run_as(OFFICER, start(), at));
    let (begun, refused) = if one.is_ok() { (one, other) } else { (other, one) };
    let begun = begun.unwrap();
    let running = |why: &BackupError| matches!(why, BackupError::Running { job } if *job == begun.id);
    assert!(matches!(&refused, Err(Refusal::Backup(why)) if running(why)), "{refused:?}");
    let refused = node.run(restore(&folder)).await;
    assert!(matches!(&refused, Err(Refusal::Backup(why)) if running(why)), "{refused:?}");
    ended(&node, &begun).await;
    restored(&node, restore(&folder)).await;
    let unknown = node.run(ReadBackup { job: ObjectId::from_bytes([9; 16]) }).await;
    assert!(matches!(unknown, Err(Refusal::Backup(BackupError::NoSuchJob))));
    node.stop_and_verify().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_backup_and_a_restore_go_on_after_a_stop_at_every_step() {
    let mut node = filled().await;
    let signed = sign(&node, "k2").await;
    let begun = begin(&node).await;
    let (mut stops, mut second) = (0, 1);
    let mut folder = None;
    while folder.is_none() {
        // The commit of a step is lost, or its answer is; then the node stops.
        let busy = keystead_store::fault::CommitFault::Before(keystead_store::CommitError::Busy);
        node.faults.fail_commit(1 + second as u64 % 3 * 3, busy);
        node.instance.continue_jobs(|| at(Time(T0.0 + second * 1_000))).await;
        node = node.restart().await;
        (stops, second) = (stops + 1, second + 1);
        folder = node.run(ReadBackup { job: begun.id }).await.unwrap().folder;
    }
    assert!(stops > 2, "{stops}");
    let folder = folder.unwrap().strip_prefix(CONTAINER).unwrap().trim_start_matches('/').to_owned();
    for named in ["k2", "many"] {
        node.run(DeleteKey { name: name(named) }).await.unwrap();
        node.run(PurgeKey { name: name(named) }).await.unwrap();
    }
    let begun = node.run(StartRestore { rollback: true, ..restore(&folder) }).await.unwrap();
    let mut state = JobState::Running;
    while state == JobState::Running {
        let full = keystead_store::fault::CommitFault::Spent(keystead_store::CommitError::DiskFull);
        node.faults.fail_commit(1 + second as u64 % 3 * 3, full);
        node.instance.continue_jobs(|| at(Time(T0.0 + second * 1_000))).await;
        node = node.restart().await;
        second += 1;
        state = node.run(ReadRestore { job: begun.id }).await.unwrap().state;
    }
    assert_eq!(state, JobState::Succeeded);
    assert!(is_signed(&node, "k2", &signed).await);
    let many = node.run(ListVersions { name: name("many"), after: None, limit: 100 }).await.unwrap();
    assert_eq!(many.items.len(), 80);
    node.stop_and_verify().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_that_changes_while_it_is_copied_comes_back_whole() {
    let node = filled().await;
    let begun = begin(&node).await;
    let mut second = 0;
    while node.run(ReadBackup { job: begun.id }).await.unwrap().state == JobState::Running {
        second += 1;
        node.instance.continue_jobs(|| at(Time(T0.0 + second * 1_000))).await;
        let n = second % 38;
        let named = format!("k{n}");
        match second % 3 {
            0 => drop(node.run(RotateKey { name: name(&named) }).await),
            1 => drop(node.run(DeleteKey { name: name(&named) }).await),
            _ => drop(node.run(keystead_engine::RecoverKey { name: name("gone") }).await),
        }
        if second == 2 {
            drop(node.run(DeleteKey { name: name("many") }).await);
            drop(node.run(PurgeKey { name: name("many") }).await);
        }
    }
    let view = node.run(ReadBackup { job: begun.id }).await.unwrap();
    let folder = view.folder.unwrap().strip_prefix(CONTAINER).unwrap().trim_start_matches('/').to_owned();
    restored(&node, StartRestore { rollback: true, ..restore(&folder) }).await;
    for n in 0..38 {
        let named = format!("k{n}");
        let live = node.run(GetKey { key: key(&named) }).await.is_ok();
        let deleted = node.run(GetDeletedKey { name: name(&named) }).await.is_ok();
        assert!(live ^ deleted, "{named}: live {live}, deleted {deleted}");
    }
    node.stop_and_verify().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_began_it_must_still_have_the_right_at_each_step() {
    let node = filled().await;
    let begun = begin(&node).await;
    // The officer makes another one administrator, who takes the officer's administration.
    let iss = node.vault().issuer().unwrap().iss;
    let directory = &iss;
    let id = |who| keystead_identity::Principal::new(iss.as_str(), crate::support::subject(who)).id(directory);
    let role: keystead_model::Guid = "5d4a1b1e-6a0f-4d2c-9a55-7b1f0c7e8a02".parse().unwrap();
    let assignment = keystead_access::AssignmentView {
        id: keystead_model::Guid::from_bytes([0x55; 16]),
        scope: keystead_model::Target::Vault,
        role,
        principal: id(USER),
    };
    node.run(keystead_engine::CreateRoleAssignment { assignment }).await.unwrap();
    let all = keystead_engine::ListRoleAssignments {
        scope: keystead_model::Target::Vault,
        of: keystead_engine::AssignmentsOf::default(),
        after: None,
        limit: 100,
    };
    let all = node.run_as(USER, all, T0).await.unwrap().items;
    let own = all.iter().find(|a| a.role == role && a.principal == id(OFFICER)).unwrap();
    let remove = keystead_engine::DeleteRoleAssignment { scope: own.scope.clone(), id: own.id };
    node.run_as(USER, remove, T0).await.unwrap();
    node.instance.continue_jobs(|| at(T0)).await;
    let view = node.run_as(USER, ReadBackup { job: begun.id }, T0).await.unwrap();
    assert_eq!((view.state, view.error.unwrap().0), (JobState::Failed, "Forbidden"));
    let left = node.dir.path().join("backups/backups");
    assert_eq!(std::fs::read_dir(left).unwrap().count(), 0, "nothing is left of it");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_backup_shows_nothing_of_what_is_in_it_and_needs_its_own_permission() {
    let node = Node::new().await;
    let tagged = CreateKey { tags: tags(&[("canary-tag", "canary-value")]), ..create("canary-name", KeySpec::Oct256) };
    node.run(tagged).await.unwrap();
    let algorithm = CipherAlgorithm::A256Gcm;
    let encrypt = Encrypt { key: key("canary-name"), algorithm, plaintext: vec![1].into(), iv: None, aad: Vec::new() };
    node.run(encrypt).await.unwrap();
    let folder = backed_up(&node).await;
    let bytes = std::fs::read(file(&node, &folder)).unwrap();
    for secret in [&b"canary"[..], b"officer", b"Payments", b"localhost"] {
        assert!(!bytes.windows(secret.len()).any(|w| w == secret), "{}", String::from_utf8_lossy(secret));
    }
    for who in [USER, NARROW, STRANGER] {
        assert!(matches!(node.run_as(who, start(), T0).await, Err(Refusal::Denied(_))));
        assert!(matches!(node.run_as(who, restore(&folder), T0).await, Err(Refusal::Denied(_))));
        assert!(matches!(node.run_as(who, one("narrow", &folder), T0).await, Err(Refusal::Denied(_))));
        assert!(matches!(node.run_as(who, ListBackups, T0).await, Err(Refusal::Denied(_))));
    }
    node.stop_and_verify().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn looking_whether_it_could_be_done_changes_nothing() {
    let node = filled().await;
    let view = node.run(StartBackup { check: true, ..start() }).await.unwrap();
    let view = ended(&node, &view).await;
    assert_eq!((view.state, view.folder), (JobState::Succeeded, None));
    assert_eq!(std::fs::read_dir(node.dir.path().join("backups/backups")).unwrap().count(), 0);
    let folder = backed_up(&node).await;
    node.run(RotateKey { name: name("k1") }).await.unwrap();
    let newer = node.run(GetKey { key: key("k1") }).await.unwrap();
    let view = restored(&node, StartRestore { check: true, ..restore(&folder) }).await;
    assert_eq!(view.details.as_deref(), Some("Number of key versions read: 119"));
    assert_eq!(node.run(GetKey { key: key("k1") }).await.unwrap(), newer);
    let nowhere = BackupPlace { container: "https://elsewhere.example/c".to_owned(), token: None };
    let refused = node.run(StartBackup { to: nowhere, check: true }).await;
    assert!(matches!(refused, Err(Refusal::Backup(BackupError::BadPlace { what: "token", .. }))), "{refused:?}");
    let token = Some(zeroize::Zeroizing::new("sv=1".to_owned()));
    let elsewhere = BackupPlace { container: "https://elsewhere.example/c".to_owned(), token };
    let refused = node.run(StartBackup { to: elsewhere, check: false }).await;
    assert!(matches!(refused, Err(Refusal::Backup(BackupError::NotAllowed { .. }))), "{refused:?}");
    node.stop_and_verify().await;
}

fn copied(from: &std::path::Path, to: &std::path::Path) {
    std::fs::create_dir_all(to).unwrap();
    for entry in std::fs::read_dir(from).unwrap() {
        let (entry, name) = entry.map(|e| (e.path(), e.file_name())).unwrap();
        if entry.is_dir() {
            copied(&entry, &to.join(name));
        } else {
            std::fs::copy(entry, to.join(name)).unwrap();
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_older_copy_of_the_vault_gets_what_it_lost() {
    let node = Node::new().await;
    node.run(create("before", KeySpec::EcP256)).await.unwrap();
    let dir = node.stop().await;
    let older = tempfile::tempdir().unwrap();
    copied(dir.path(), older.path());
    let node = Node::open(dir, LIMITS).await;
    node.run(create("k", KeySpec::EcP256)).await.unwrap();
    let signed = sign(&node, "k").await;
    let folder = backed_up(&node).await;
    let older = Node::open(older, LIMITS).await;
    let at = file(&older, &folder);
    std::fs::create_dir_all(at.parent().unwrap()).unwrap();
    std::fs::copy(file(&node, &folder), at).unwrap();
    restored(&older, restore(&folder)).await;
    assert!(is_signed(&older, "k", &signed).await);
    assert_eq!(
        older.run(GetKey { key: key("before") }).await.unwrap(),
        node.run(GetKey { key: key("before") }).await.unwrap()
    );
}
