//! A node inside the test's own process: the same rooms as the binary and the same files, without listeners, and with
//! the clock in the test's hand.

use bytes::Bytes;
use http_body_util::BodyExt as _;
use hyper::{HeaderMap, Request, StatusCode};
use keystead_api_table::Table;
use keystead_audit::{Journal, Limits, system_clock};
use keystead_crypto::ed25519::SigningKey;
use keystead_custody::UnsealPath;
use keystead_engine::{Clock, ClockNote, Hsms, Instance, Parts, Vault};
use keystead_model::{InstanceId, Moment, NodeId, Time};
use keystead_protection::Protection;
use keystead_store::Store;
use keystead_unseal::KeyFile;
use serde_json::Value;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// A node over a data directory.
pub(crate) struct Inside {
    pub(crate) instance: Arc<Instance>,
    pub(crate) table: Table,
    pub(crate) journal: Journal,
    pub(crate) store: Store,
}

/// An answer, taken apart.
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
}

impl Inside {
    /// Opens the directory as `keystead dev` and `keystead serve` do; what is not there yet is made.
    pub(crate) async fn open(data: &Path, key_file: &Path) -> Self {
        Self::open_with(data, key_file, Hsms::default()).await
    }

    /// The same, with tokens.
    pub(crate) async fn open_with(data: &Path, key_file: &Path, hsms: Hsms) -> Self {
        for made in ["store", "audit"] {
            std::fs::create_dir_all(data.join(made)).unwrap();
        }
        let store = Store::open(&data.join("store").join("keystead.db")).unwrap();
        let node = node(&data.join("node.key"), &store).await;
        let id = node.node;
        let (journal, _) = Journal::open(&data.join("audit"), node, Limits::default(), system_clock()).unwrap();
        let path = if key_file.exists() { KeyFile::open(key_file) } else { KeyFile::create(key_file) };
        let paths: Vec<Arc<dyn UnsealPath>> = vec![Arc::new(path.unwrap())];
        let (protection, bounds) = (Protection::software(2), keystead_engine::Bounds::NONE);
        let note = std::fs::read(data.join("clock")).ok().and_then(|bytes| ClockNote::parse(&bytes).ok());
        let clock = Clock::begin(note, &journal, &store, now(), 0).await.unwrap();
        let parts = Parts {
            node: id,
            store: store.clone(),
            journal: journal.clone(),
            protection,
            hsms,
            paths,
            bounds,
            issuers: keystead_engine::Issuers::unreachable(),
            storage: keystead_engine::Storage::new(
                Some(data.join("backups")),
                Arc::new(|_| Box::pin(async { Err(keystead_engine::BackupError::NotFound) })),
            ),
            clock,
        };
        let instance = Instance::start(parts, moment(now())).await.unwrap();
        let protocols = vec![keystead_api_azure::protocol(), keystead_api_own::protocol()];
        Self { instance, table: Table::new(keystead_api_azure::front(), protocols, [9; 16]), journal, store }
    }

    /// What the binary's handler does once the authority has selected the vault.
    pub(crate) async fn send(&self, vault: &Arc<Vault>, request: Request<Bytes>, at: Time) -> Answer {
        let response = self.table.dispatch(vault, request, Some([127, 0, 0, 1].into()), moment(at)).await;
        let (head, body) = response.into_parts();
        Answer { status: head.status, headers: head.headers, body: body.collect().await.unwrap().to_bytes() }
    }

    /// How many changes the vault of this name has had.
    pub(crate) async fn revision(&self, name: &str) -> u64 {
        self.store.vaults().await.unwrap().iter().find(|v| v.name == name).unwrap().revision.0
    }

    /// Makes all of it durable and lets go of the files.
    pub(crate) async fn close(self) {
        self.journal.close().await;
        self.store.close().await;
    }
}

impl Answer {
    /// The text of a header, if it is there.
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).map(|v| v.to_str().unwrap())
    }

    /// The body as JSON; null if it is empty.
    pub(crate) fn json(&self) -> Value {
        if self.body.is_empty() {
            return Value::Null;
        }
        serde_json::from_slice(&self.body).unwrap_or_else(|e| panic!("{e}: {:?}", self.body))
    }
}

/// The wall clock.
pub(crate) fn now() -> Time {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap();
    Time(i64::try_from(since.as_millis()).unwrap())
}

/// Work that enters at `now`, with half a minute to end.
pub(crate) fn moment(now: Time) -> Moment {
    Moment { now, deadline: Instant::now() + Duration::from_secs(30) }
}

/// version 1 | node id 16 | Ed25519 seed 32
async fn node(file: &Path, store: &Store) -> keystead_audit::Node {
    let bytes = std::fs::read(file).unwrap_or_else(|_| {
        let fresh = [vec![1], keystead_crypto::random::<48>().to_vec()].concat();
        std::fs::write(file, &fresh).unwrap();
        fresh
    });
    assert_eq!((bytes.len(), bytes[0]), (49, 1), "the node key's layout");
    let instance = store.meta_put_once("instance", keystead_crypto::random::<16>().to_vec()).await.unwrap();
    keystead_audit::Node {
        instance: InstanceId::from_bytes(instance.try_into().unwrap()),
        node: NodeId::from_bytes(bytes[1..17].try_into().unwrap()),
        key: SigningKey::from_seed(bytes[17..].try_into().unwrap()),
    }
}
