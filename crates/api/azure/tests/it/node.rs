//! A node on a temporary directory with one vault, as a process would wire it, without listeners.

use bytes::Bytes;
use http_body_util::BodyExt as _;
use hyper::{HeaderMap, Method, Request, StatusCode};
use keystead_access::PolicyDocument;
use keystead_access::policy::AssignmentDocument;
use keystead_api_table::{Protocol, Table};
use keystead_audit::{Journal, Limits, system_clock};
use keystead_engine::{BUILT_IN, Clock, Instance, NewVault, Parts, Vault};
use keystead_identity::{Client, Principal, secret_digest};
use keystead_model::{InstanceId, Moment, NodeId, Time, VaultKind};
use keystead_protection::Protection;
use keystead_store::Store;
use keystead_unseal::KeyFile;
use serde_json::Value;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// Where the vault answers.
pub(crate) const HOST: &str = "dev.localhost:8443";
/// Has every role.
pub(crate) const OFFICER: (&str, &str) = ("11111111-1111-4111-8111-111111111111", "officer-secret");
/// Proves itself, and has no role.
pub(crate) const STRANGER: (&str, &str) = ("22222222-2222-4222-8222-222222222222", "stranger-secret");

pub(crate) struct Node {
    pub(crate) instance: Arc<Instance>,
    pub(crate) vault: Arc<Vault>,
    pub(crate) table: Table,
    _directory: tempfile::TempDir,
}

/// An answer, taken apart.
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
}

impl Answer {
    pub(crate) async fn of(response: keystead_api_table::Response) -> Self {
        let (head, body) = response.into_parts();
        Self { status: head.status, headers: head.headers, body: body.collect().await.unwrap().to_bytes() }
    }

    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).map(|v| v.to_str().unwrap())
    }

    pub(crate) fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|e| panic!("{e}: {:?}", self.body))
    }

    /// Status and `error.code`.
    pub(crate) fn error(&self) -> (u16, String) {
        (self.status.as_u16(), self.json()["error"]["code"].as_str().unwrap_or_default().to_owned())
    }

    pub(crate) fn has_receipt(&self) -> bool {
        self.header("x-keystead-receipt").is_some_and(|r| r.starts_with("1."))
    }
}

pub(crate) fn moment() -> Moment {
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap();
    Moment { now: Time(now.as_millis() as i64), deadline: Instant::now() + Duration::from_secs(30) }
}

impl Node {
    pub(crate) async fn start(front: keystead_api_table::Front, protocols: Vec<Protocol>) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let at = |name: &str| directory.path().join(name);
        for made in ["store", "audit"] {
            std::fs::create_dir(at(made)).unwrap();
        }
        let (instance, node) = (InstanceId::from_bytes([1; 16]), NodeId::from_bytes([2; 16]));
        let key = keystead_crypto::ed25519::SigningKey::from_seed(&[3; 32]);
        let owner = keystead_audit::Node { instance, node, key };
        let (journal, _) = Journal::open(&at("audit"), owner, Limits::default(), system_clock()).unwrap();
        let store = Store::open(&at("store").join("keystead.db")).unwrap();
        let clock = Clock::begin(None, &journal, &store, moment().now, 0).await.unwrap();
        let parts = Parts {
            node,
            store,
            journal,
            protection: Protection::software(2),
            hsms: keystead_engine::Hsms::default(),
            paths: vec![Arc::new(KeyFile::create(&at("path.key")).unwrap())],
            bounds: keystead_engine::Bounds::NONE,
            issuers: keystead_engine::Issuers::unreachable(),
            storage: keystead_engine::Storage::new(
                Some(at("backups")),
                Arc::new(|_| Box::pin(async { Err(keystead_engine::BackupError::NotFound) })),
            ),
            clock,
        };
        let instance = Instance::start(parts, moment()).await.unwrap();
        instance.create(new_vault(), moment()).await.unwrap();
        let vault = instance.named("dev").unwrap();
        Self { instance, vault, table: Table::new(front, protocols, [9; 16]), _directory: directory }
    }

    /// Sends a request as a client would.
    pub(crate) async fn send(&self, method: Method, target: &str, token: Option<&str>, body: &str) -> Answer {
        let mut request = Request::builder().method(method).uri(target).header("host", HOST);
        if let Some(token) = token {
            request = request.header("authorization", format!("Bearer {token}"));
        }
        self.dispatch(request.body(Bytes::copy_from_slice(body.as_bytes())).unwrap()).await
    }

    pub(crate) async fn dispatch(&self, request: Request<Bytes>) -> Answer {
        Answer::of(self.table.dispatch(&self.vault, request, Some([127, 0, 0, 1].into()), moment()).await).await
    }

    /// A token from the vault's own endpoint, asked for as azure-identity asks.
    pub(crate) async fn token(&self, (client, secret): (&str, &str)) -> String {
        let form = format!(
            "client_id={client}&grant_type=client_credentials&client_info=1&client_secret={secret}\
             &scope=https%3A%2F%2Flocalhost%3A8443%2F.default"
        );
        let answer = self.send(Method::POST, "/adfs/oauth2/v2.0/token", None, &form).await;
        assert_eq!(answer.status, StatusCode::OK, "{:?}", answer.body);
        assert!(answer.has_receipt());
        answer.json()["access_token"].as_str().unwrap().to_owned()
    }
}

fn new_vault() -> NewVault {
    let principal = |client: (&str, &str)| Principal::new(BUILT_IN, format!("object-{}", client.0));
    let client = |(id, secret): (&str, &str)| Client {
        id: id.to_owned(),
        name: id.to_owned(),
        subject: format!("object-{id}"),
        secrets: vec![secret_digest(secret)],
        ..Client::default()
    };
    let assignment = |n: u8, role: &str| AssignmentDocument {
        id: [n; 16],
        scope: "/".to_owned(),
        principal: principal(OFFICER).into(),
        role: role.to_owned(),
    };
    NewVault {
        name: "dev".to_owned(),
        kind: VaultKind::Vault,
        authorities: vec![HOST.parse().unwrap()],
        retention_days: 7,
        purge_protection: false,
        tenant: "adfs".to_owned(),
        tokens: Vec::new(),
        quorum: false,
        policy: PolicyDocument {
            administrators: vec![principal(OFFICER)],
            assignments: vec![assignment(1, "Key Vault Crypto Officer"), assignment(2, "Keystead Audit Reader")],
            issuers: Vec::new(),
            clients: vec![client(OFFICER), client(STRANGER)],
            ..PolicyDocument::default()
        },
    }
}
