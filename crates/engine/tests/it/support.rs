//! A node in a directory of its own, with the vault `dev`, as a process would wire it; and those who ask it for things.
//! The unit tests of the engine use it too.

use keystead_access::PolicyDocument;
use keystead_access::policy::AssignmentDocument;
use keystead_audit::verify::{Elsewhere, verify_dir};
use keystead_audit::{Journal, Limits, Outcome, Receipt, Record, system_clock, tlog};
use keystead_engine::{
    BUILT_IN, BackupError, Bounds, Clock, ClockNote, Command, Hsms, Instance, Issuers, NewVault, OperateError, Parts,
    Refusal, Storage, TurnedAway, Vault,
};
use keystead_engine::{CreateKey, RotateWhen, RotationPolicy, SetAttributes};
use keystead_identity::{Caller, Client, Principal, Proof, secret_digest};
use keystead_model::{
    InstanceId, IsoDuration, KeyOperation, KeyRef, KeySpec, Moment, Name, NodeId, ProtectionLevel, Revision, Time,
    VaultKind, Version,
};
use keystead_protection::Protection;
use keystead_store::Store;
use keystead_store::fault::Faults;
use keystead_unseal::{KeyFile, UnsealPath};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};
use tempfile::TempDir;

/// A client's id and secret.
pub(crate) type Who = (&'static str, &'static str);
/// Administers the vault, has every role on keys, reads the audit.
pub(crate) const OFFICER: Who = ("11111111-1111-4111-8111-111111111111", "officer-secret-9b1f");
/// Uses keys.
pub(crate) const USER: Who = ("22222222-2222-4222-8222-222222222222", "user-secret-77ac");
/// Uses the key `narrow` and no other.
pub(crate) const NARROW: Who = ("33333333-3333-4333-8333-333333333333", "narrow-secret-03de");
/// Proves itself and has no role.
pub(crate) const STRANGER: Who = ("44444444-4444-4444-8444-444444444444", "stranger-secret-f00f");

/// Where the tests' clock starts, ms.
pub(crate) const T0: Time = Time(1_900_000_000_000);
pub(crate) const DAY: i64 = 86_400_000;
/// A start at [`T0`], with a note of then.
const BELIEVED: (Time, Option<ClockNote>) = (T0, Some(ClockNote { seen: T0, doubt: None }));
pub(crate) const NODE: NodeId = NodeId::from_bytes([2; 16]);

/// Segments of 1 MiB: there are many nodes in a test run.
pub(crate) const LIMITS: Limits = Limits { segment_bytes: 1 << 20, max_bytes: u64::MAX, slots: 2_048 };

pub(crate) struct Node {
    pub(crate) instance: Arc<Instance>,
    pub(crate) store: Store,
    pub(crate) faults: Faults,
    pub(crate) journal: Journal,
    pub(crate) dir: TempDir,
    limits: Limits,
}

/// Backups of small parts, or of what the file `part` says, in a directory beside the node's.
fn storage(dir: &Path) -> Storage {
    let part = std::fs::read_to_string(dir.join("part")).map_or(2 << 10, |bytes| bytes.parse().unwrap());
    let nobody: keystead_engine::Objects =
        Arc::new(|_| Box::pin(async { Err(BackupError::NotAllowed { host: "any host".to_owned() }) }));
    Storage::new(Some(dir.join("backups")), nobody).in_parts_of(part)
}

/// A moment with half a minute to spare.
pub(crate) fn at(now: Time) -> Moment {
    Moment { now, deadline: Instant::now() + Duration::from_secs(30) }
}

pub(crate) fn subject((client, _): Who) -> String {
    format!("object-of-{client}")
}

pub(crate) fn new_vault(name: &str) -> NewVault {
    let principal = |who| Principal::new(BUILT_IN, subject(who));
    let client = |(id, secret): Who| Client {
        id: id.to_owned(),
        name: format!("name of {id}"),
        subject: subject((id, secret)),
        secrets: vec![secret_digest(secret)],
        ..Client::default()
    };
    let assignment = |n: u8, who, role: &str, scope: &str| AssignmentDocument {
        id: [n; 16],
        scope: scope.to_owned(),
        principal: principal(who).into(),
        role: role.to_owned(),
    };
    NewVault {
        name: name.to_owned(),
        kind: VaultKind::Vault,
        authorities: vec![format!("{name}.localhost:8443").parse().unwrap()],
        retention_days: 7,
        purge_protection: false,
        tenant: "adfs".to_owned(),
        tokens: Vec::new(),
        quorum: false,
        policy: PolicyDocument {
            administrators: vec![principal(OFFICER)],
            assignments: vec![
                assignment(1, OFFICER, "Key Vault Crypto Officer", "/"),
                assignment(2, OFFICER, "Keystead Audit Reader", "/"),
                assignment(3, USER, "Key Vault Crypto User", "/keys"),
                assignment(4, NARROW, "Key Vault Crypto User", "/keys/narrow"),
            ],
            issuers: Vec::new(),
            clients: [OFFICER, USER, NARROW, STRANGER].map(client).to_vec(),
            ..PolicyDocument::default()
        },
    }
}

impl Node {
    pub(crate) async fn new() -> Self {
        Self::with(LIMITS).await
    }

    pub(crate) async fn with(limits: Limits) -> Self {
        let dir = tempfile::tempdir().unwrap();
        KeyFile::create(&dir.path().join("path.key")).unwrap();
        let node = Self::open(dir, limits).await;
        node.instance.create(new_vault("dev"), at(T0)).await.unwrap();
        node
    }

    /// What stands in the directory, opened through its key file.
    pub(crate) async fn open(dir: TempDir, limits: Limits) -> Self {
        let file = dir.path().join("path.key");
        Self::open_through(dir, limits, &[&file]).await
    }

    pub(crate) async fn open_through(dir: TempDir, limits: Limits, key_files: &[&Path]) -> Self {
        Self::try_open_through(dir, limits, key_files, Bounds::NONE, BELIEVED)
            .await
            .unwrap_or_else(|(why, _)| panic!("{why}"))
    }

    /// As [`Node::open`]; where the instance does not start, why not, and the directory.
    pub(crate) async fn try_open(dir: TempDir, limits: Limits) -> Result<Self, (OperateError, TempDir)> {
        let file = dir.path().join("path.key");
        Self::try_open_through(dir, limits, &[&file], Bounds::NONE, BELIEVED).await
    }

    /// A new node that lets in no more than this.
    pub(crate) async fn bounded(bounds: Bounds) -> Self {
        let dir = Self::new().await.stop().await;
        let file = dir.path().join("path.key");
        Self::try_open_through(dir, LIMITS, &[&file], bounds, BELIEVED).await.unwrap_or_else(|(why, _)| panic!("{why}"))
    }

    async fn try_open_through(
        dir: TempDir,
        limits: Limits,
        key_files: &[&Path],
        bounds: Bounds,
        clock: (Time, Option<ClockNote>),
    ) -> Result<Self, (OperateError, TempDir)> {
        let path = |file: &&Path| Arc::new(KeyFile::open(file).unwrap()) as Arc<dyn UnsealPath>;
        Self::try_open_by(dir, limits, key_files.iter().map(path).collect(), bounds, clock).await
    }

    /// By these unseal paths.
    pub(crate) async fn open_by(dir: TempDir, paths: Vec<Arc<dyn UnsealPath>>) -> Self {
        let started = Self::try_open_by(dir, LIMITS, paths, Bounds::NONE, BELIEVED).await;
        started.unwrap_or_else(|(why, _)| panic!("{why}"))
    }

    async fn try_open_by(
        dir: TempDir,
        limits: Limits,
        paths: Vec<Arc<dyn UnsealPath>>,
        bounds: Bounds,
        clock: (Time, Option<ClockNote>),
    ) -> Result<Self, (OperateError, TempDir)> {
        let owner = keystead_audit::Node {
            instance: InstanceId::from_bytes([1; 16]),
            node: NODE,
            key: keystead_crypto::ed25519::SigningKey::from_seed(&[3; 32]),
        };
        let (journal, _) = Journal::open(&dir.path().join("audit"), owner, limits, system_clock()).unwrap();
        let (store, faults) = Store::open(&dir.path().join("store/keystead.db")).unwrap().faulty();
        let protection = Protection::software(2);
        let issuers = Issuers::unreachable();
        let (now, note) = clock;
        let clock = Clock::begin(note, &journal, &store, now, 0).await.unwrap();
        let (store_of_node, journal_of_node) = (store.clone(), journal.clone());
        let parts = Parts {
            node: NODE,
            store: store_of_node,
            journal: journal_of_node,
            protection,
            hsms: Hsms::default(),
            paths,
            bounds,
            issuers,
            storage: storage(dir.path()),
            clock,
        };
        match Instance::start(parts, at(now)).await {
            Ok(instance) => Ok(Self { instance, store, faults, journal, dir, limits }),
            Err(why) => {
                journal.close().await;
                store.close().await;
                Err((why, dir))
            }
        }
    }

    /// Ends in good order; what is left is the directory.
    pub(crate) async fn stop(self) -> TempDir {
        self.journal.close().await;
        self.store.close().await;
        self.dir
    }

    pub(crate) async fn restart(self) -> Self {
        let limits = self.limits;
        Self::open(self.stop().await, limits).await
    }

    /// Again, at this time, with this note of the clock.
    pub(crate) async fn restart_at(self, now: Time, note: Option<ClockNote>) -> Self {
        let limits = self.limits;
        let dir = self.stop().await;
        let file = dir.path().join("path.key");
        let started = Self::try_open_through(dir, limits, &[&file], Bounds::NONE, (now, note)).await;
        started.unwrap_or_else(|(why, _)| panic!("{why}"))
    }

    /// Rotates the root of `dev` to the end.
    pub(crate) async fn rotated(&self, after_purge: bool) {
        self.instance.rotate_root("dev", after_purge, at(T0)).await.unwrap();
        self.turned().await;
    }

    /// Goes on with what rotations there are, to their end.
    pub(crate) async fn turned(&self) {
        until("the rotation ends", async || {
            self.instance.turn(at(T0)).await;
            self.instance.list().iter().all(|vault| vault.rotation.is_none())
        })
        .await;
    }

    pub(crate) fn vault(&self) -> Arc<Vault> {
        self.instance.named("dev").unwrap()
    }

    /// As a client of another vault.
    pub(crate) async fn run_in<C: Command>(
        &self,
        vault: &str,
        (client, secret): Who,
        ask: C,
        now: Time,
    ) -> Result<C::Output, Refusal> {
        let vault = self.instance.named(vault).unwrap();
        let proof = Proof::ClientSecret { client, secret };
        let caller = vault.authenticate(proof, Some([127, 0, 0, 1].into()), now).unwrap();
        let (receipt, result) = vault.run(caller, ask, at(now)).await.unwrap().into_parts();
        self.record_of(&vault, &receipt);
        result
    }

    pub(crate) fn caller(&self, (client, secret): Who) -> Caller {
        self.vault().authenticate(Proof::ClientSecret { client, secret }, Some([127, 0, 0, 1].into()), T0).unwrap()
    }

    /// As the officer, at [`T0`]. Every answer's receipt is held against the journal.
    pub(crate) async fn run<C: Command>(&self, ask: C) -> Result<C::Output, Refusal> {
        self.run_as(OFFICER, ask, T0).await
    }

    pub(crate) async fn run_as<C: Command>(&self, who: Who, ask: C, now: Time) -> Result<C::Output, Refusal> {
        self.try_run(who, ask, now).await.unwrap_or_else(|e| panic!("turned away: {e}"))
    }

    pub(crate) async fn try_run<C: Command>(
        &self,
        who: Who,
        ask: C,
        now: Time,
    ) -> Result<Result<C::Output, Refusal>, TurnedAway> {
        // A proof is looked at by an open vault only.
        self.vault().ready()?;
        let (receipt, result) = self.vault().run(self.caller(who), ask, at(now)).await?.into_parts();
        let record = self.record(&receipt);
        assert_eq!((record.action(), record.at()), (Some(C::ACTION), now));
        let outcome = result.as_ref().map_or_else(Refusal::outcome, |_| Outcome::DONE);
        assert_eq!(record.outcome(), outcome);
        Ok(result)
    }

    /// The record that a receipt names.
    pub(crate) fn record(&self, receipt: &Receipt) -> Record {
        self.record_of(&self.vault(), receipt)
    }

    fn record_of(&self, vault: &Vault, receipt: &Receipt) -> Record {
        let (log, text) = (vault.info().id, receipt.text());
        assert_eq!(hex::encode(text.log), vault.log().id);
        let (index, record) = self.journal.read(log, text.index, 1).unwrap().remove(0);
        assert_eq!((index, tlog::leaf_hash(&record.entry())), (text.index, text.leaf));
        record
    }

    /// Every record of the vault's log.
    pub(crate) fn records(&self) -> Vec<Record> {
        self.records_of(self.vault().info().id)
    }

    pub(crate) fn records_of(&self, log: keystead_model::VaultId) -> Vec<Record> {
        let mut all = Vec::new();
        while let Some(page) = Some(self.journal.read(log, all.len() as u64, 500).unwrap()).filter(|p| !p.is_empty()) {
            all.extend(page.into_iter().map(|(_, record)| record));
        }
        all
    }

    /// The vault's revision in the store.
    pub(crate) async fn revision(&self) -> Revision {
        let id = self.vault().info().id;
        self.store.vaults().await.unwrap().into_iter().find(|v| v.id == id).unwrap().revision
    }

    /// Each revision of the vault has one record, and each record of a change its revision.
    pub(crate) async fn assert_contiguous(&self) {
        let records = self.records();
        let mut revisions: Vec<u64> = records.iter().filter_map(|r| r.revision()).map(|r| r.0).collect();
        revisions.sort_unstable();
        assert_eq!(revisions, (1..=self.revision().await.0).collect::<Vec<_>>());
        let changed = records.iter().filter(|r| r.digest().is_some()).all(|r| r.revision().is_some());
        assert!(changed, "a record of changed rows without a revision");
    }

    /// Stops, then has the whole audit verified as an auditor would.
    pub(crate) async fn stop_and_verify(self) -> TempDir {
        self.assert_contiguous().await;
        let dir = self.stop().await;
        let report = verify_dir(&dir.path().join("audit"), &Elsewhere::default(), &mut |_| ()).unwrap();
        assert!(report.awaited.is_empty() && !report.unfinished, "{report:?}");
        dir
    }

    /// The journal's segments, oldest first.
    pub(crate) fn segments(&self) -> Vec<PathBuf> {
        let files = std::fs::read_dir(self.dir.path().join("audit/journal")).unwrap();
        let mut found: Vec<_> =
            files.map(|f| f.unwrap().path()).filter(|p| p.extension() == Some("seg".as_ref())).collect();
        found.sort();
        found
    }
}

pub(crate) fn name(text: &str) -> Name {
    Name::parse(text).unwrap()
}

/// The newest version of a key.
pub(crate) fn key(text: &str) -> KeyRef {
    KeyRef { name: name(text), version: None }
}

pub(crate) fn version(text: &str, version: Version) -> KeyRef {
    KeyRef { name: name(text), version: Some(version) }
}

/// Rotate so many days after creation; new versions last so many.
pub(crate) fn after_create(days: u16, expiry: Option<u16>) -> RotationPolicy {
    let rotate = Some(RotateWhen::AfterCreate(IsoDuration::days(days)));
    RotationPolicy { rotate, notify: None, expiry: expiry.map(IsoDuration::days) }
}

pub(crate) fn create(text: &str, spec: KeySpec) -> CreateKey {
    let (name, exponent, attributes, tags) =
        (name(text), Default::default(), SetAttributes::default(), BTreeMap::new());
    CreateKey { name, spec, exponent, level: ProtectionLevel::Software, ops: None, attributes, tags, release: None }
}

pub(crate) fn create_for(text: &str, spec: KeySpec, ops: &[KeyOperation]) -> CreateKey {
    CreateKey { ops: Some(ops.to_vec()), ..create(text, spec) }
}

pub(crate) fn tags(pairs: &[(&str, &str)]) -> BTreeMap<String, String> {
    pairs.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect()
}

/// Waits until it holds, for a minute at most.
pub(crate) async fn until(what: &str, mut holds: impl AsyncFnMut() -> bool) {
    let deadline = Instant::now() + Duration::from_secs(60);
    while !holds().await {
        assert!(Instant::now() < deadline, "it did not come about: {what}");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}
