//! Where the matrix is played: one node with a vault in each state and one more, a client for each role, and every kind
//! of token for each client.

use super::cast::{RESOURCE, claims, grant, identity, new_vault, signed, tampered, unsigned};
use super::own;
use super::policy;
use super::rules::{Needs, Role, Rule};
use crate::inside::{Answer, Inside, moment, now};
use crate::support::custodians;
use bytes::Bytes;
use hyper::Request;
use keystead_api_table::RouteInfo;
use keystead_audit::Record;
use keystead_engine::{Approvable, Vault};
use keystead_model::VaultKind;
use std::collections::HashMap;
use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

/// What a request brings to prove who sent it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Token {
    None,
    Expired,
    /// In every claim right but for the issuer, which nobody trusts.
    ForeignIssuer,
    /// Of another vault on this node, where the same client has the same role, for this vault's audience.
    OtherVault,
    WrongAudience,
    /// A good token with one bit of its signature changed.
    Tampered,
    /// In every claim right, and naming the right key, but signed with another.
    ForeignKey,
    AlgNone,
    Valid,
}

impl Token {
    pub(crate) const ALL: [Self; 9] = [
        Self::None,
        Self::Expired,
        Self::ForeignIssuer,
        Self::OtherVault,
        Self::WrongAudience,
        Self::Tampered,
        Self::ForeignKey,
        Self::AlgNone,
        Self::Valid,
    ];
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum State {
    Open,
    Sealed,
    Inactive,
}

impl State {
    pub(crate) const ALL: [Self; 3] = [Self::Open, Self::Sealed, Self::Inactive];

    const fn vault(self) -> &'static str {
        match self {
            Self::Open => "open",
            Self::Sealed => "sealed",
            Self::Inactive => "inactive",
        }
    }

    pub(crate) fn authority(self) -> String {
        format!("{}.localhost:8443", self.vault())
    }
}

const NO_JOB: &str = "00000000000000000000000000000000";

/// The body with which what a rule reads or takes away is made at the same path.
fn made_before(rule: &Rule, guid: &str) -> Option<String> {
    let body = match rule.needs {
        Needs::OwnRole => super::rules::ROLE,
        Needs::OwnAssignment => super::rules::ASSIGNMENT,
        _ => return None,
    };
    Some(body.replace("{guid}", guid))
}

/// One cell of the matrix.
pub(crate) struct Case<'a> {
    pub(crate) row: &'a RouteInfo,
    pub(crate) state: State,
    pub(crate) role: Role,
    pub(crate) token: Token,
}

impl fmt::Display for Case<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { row, state, role, token } = self;
        write!(f, "{} {} [{state:?}, {role:?}, token {token:?}]", row.method, row.pattern)
    }
}

/// What is asked, whoever asks.
pub(crate) struct Ask {
    pub(crate) target: String,
    pub(crate) headers: Vec<(&'static str, String)>,
    pub(crate) body: String,
    /// The key it is about, if any.
    pub(crate) name: String,
}

pub(crate) struct Stage {
    node: Inside,
    tokens: HashMap<(State, Role, Token), String>,
    /// Members of something encrypted under the key `aes`.
    sealed: String,
    count: AtomicU32,
    _directory: tempfile::TempDir,
}

impl Stage {
    pub(crate) async fn set() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let node = Inside::open(&directory.path().join("data"), &directory.path().join("path.key")).await;
        for name in ["open", "sealed", "other"] {
            node.instance.create(new_vault(name, VaultKind::Vault), moment(now())).await.unwrap();
        }
        node.instance.create(new_vault("inactive", VaultKind::Hsm), moment(now())).await.unwrap();
        let mut stage = Self {
            node,
            tokens: HashMap::new(),
            sealed: String::new(),
            count: AtomicU32::new(0),
            _directory: directory,
        };
        stage.mint().await;
        stage.prove().await;
        stage.node.instance.seal("sealed", moment(now())).await.unwrap();
        stage.officer("POST", "/keys/ec/create", r#"{"kty":"EC"}"#).await;
        stage.officer("POST", "/keys/aes/create", r#"{"kty":"oct"}"#).await;
        let sealed = stage.officer("POST", "/keys/aes//encrypt", r#"{"alg":"A256GCM","value":"AAECAw"}"#).await.json();
        stage.published().await;
        stage.sealed = format!(r#""value":{},"iv":{},"tag":{}"#, sealed["value"], sealed["iv"], sealed["tag"]);
        stage
    }

    /// Waits until each vault's log has its first checkpoint, which comes at most a second behind.
    async fn published(&self) {
        for state in State::ALL {
            let vault = self.vault(state);
            while vault.log_file("checkpoint").await.is_none() {
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
        }
    }

    fn vault(&self, state: State) -> Arc<Vault> {
        self.node.instance.named(state.vault()).unwrap()
    }

    pub(crate) async fn revision(&self, state: State) -> u64 {
        self.node.revision(state.vault()).await
    }

    /// Sends what a case asks with its token.
    pub(crate) async fn send(&self, case: &Case<'_>, ask: &Ask) -> Answer {
        let token = self.tokens.get(&(case.state, case.role, case.token)).map(String::as_str);
        self.dispatch(case.state, case.row.method.as_str(), ask, token).await
    }

    async fn dispatch(&self, state: State, method: &str, ask: &Ask, token: Option<&str>) -> Answer {
        let mut request = Request::builder().method(method).uri(&ask.target).header("host", state.authority());
        for (name, value) in &ask.headers {
            request = request.header(*name, value);
        }
        if let Some(token) = token {
            request = request.header("authorization", format!("Bearer {token}"));
        }
        let request = request.body(Bytes::copy_from_slice(ask.body.as_bytes())).unwrap();
        self.node.send(&self.vault(state), request, now()).await
    }

    /// The request of a rule. What it takes away is made first, if it will be allowed to.
    pub(crate) async fn request(&self, rule: &Rule, allowed: bool) -> Ask {
        let name = match rule.needs {
            Needs::Nothing | Needs::EcKey | Needs::DoubtedClock => "ec".to_owned(),
            Needs::NoJob | Needs::OwnJob | Needs::WholeBackup => "ec".to_owned(),
            Needs::AesKey => "aes".to_owned(),
            Needs::OwnRole | Needs::OwnAssignment | Needs::NewGuid => "ec".to_owned(),
            Needs::OwnKey | Needs::OwnDeletedKey | Needs::OwnName | Needs::OwnBackup => format!("own-{}", self.next()),
            Needs::OwnIssuer | Needs::OwnClient | Needs::OwnCertificate | Needs::OwnProposal => "none".to_owned(),
            Needs::OwnDomain => "ec".to_owned(),
        };
        if own(rule.needs) && allowed {
            self.officer("POST", &format!("/keys/{name}/create"), r#"{"kty":"EC"}"#).await;
        }
        if rule.needs == Needs::OwnDeletedKey && allowed {
            self.officer("DELETE", &format!("/keys/{name}"), "").await;
        }
        if rule.needs == Needs::DoubtedClock && allowed {
            // The steady clock stands where it was two hours ago, or goes on from there.
            let steady = i64::from(self.next()) * 7_200_000;
            self.node.instance.watch_clock(moment(now()), steady).await;
            assert!(self.vault(State::Open).doubt().is_some());
        }
        let mut backup = "AA".to_owned();
        if rule.needs == Needs::OwnBackup && allowed {
            let taken = self.officer("POST", &format!("/keys/{name}/backup"), "").await.json();
            backup = taken["value"].as_str().unwrap().to_owned();
            self.officer("DELETE", &format!("/keys/{name}"), "").await;
            self.officer("DELETE", &format!("/deletedkeys/{name}"), "").await;
        }
        let (job, folder) = match (rule.needs, allowed) {
            (Needs::NoJob, true) => {
                self.none_runs().await;
                (NO_JOB.to_owned(), String::new())
            }
            (Needs::OwnJob | Needs::WholeBackup, true) => {
                self.vault_backup(rule.pattern.starts_with("/restore/")).await
            }
            _ => (NO_JOB.to_owned(), "none".to_owned()),
        };
        let domain = if rule.needs == Needs::OwnDomain && allowed {
            self.own_domain().await
        } else {
            r#"{"value":""}"#.to_owned()
        };
        let guid = format!("{:08x}-2222-4222-8222-222222222222", self.next());
        let mut path = rule.pattern.replace("{name}", &name).replace("{version?}", "");
        path = path.replace("{setting}", super::SETTING).replace("{role}", &guid).replace("{assignment}", &guid);
        path = path.replace("{job}", &job);
        let mut query = "api-version=7.6".to_owned();
        if let Some(own) = policy::prepare(self, rule.needs, allowed).await {
            let (id, credential) = own.split_once('/').unwrap_or((&own, ""));
            path = path.replace("{id}", id).replace("{credential}", credential).replace("{thumbprint}", id);
            query = format!("{query}&iss={own}");
        }
        let body = rule
            .body
            .replace("{custodians}", &custodians::download().to_string())
            .replace("{domain}", &domain)
            .replace("{sealed}", &self.sealed)
            .replace("{backup}", &backup)
            .replace("{folder}", &folder)
            .replace("{guid}", &guid)
            .replace("{n}", &self.next().to_string())
            .replace("{now}", &now().0.to_string());
        let body = match body.as_str() {
            "{certificate}" => policy::certificate(),
            "{vote}" => policy::vote(self, &path, allowed).await,
            _ => body,
        };
        if let (true, Some(made)) = (allowed, made_before(rule, &guid)) {
            self.as_role(Role::Administrator, "PUT", &path, &made).await;
        }
        Ask { target: format!("{path}?{query}"), headers: Vec::new(), body, name }
    }

    /// Beats until no backup and no restore runs.
    async fn none_runs(&self) {
        while self.node.instance.continue_jobs(|| moment(now())).await > 0 {}
    }

    /// A backup of the whole vault that has ended, or a look at one: its job, and its folder.
    async fn vault_backup(&self, look: bool) -> (String, String) {
        self.none_runs().await;
        let place = r#"{"storageResourceUri":"https://open.localhost:8443/backups"}"#;
        let begun = self.administrator("/backup?api-version=7.6", place).await.json();
        let job = begun["jobId"].as_str().unwrap().to_owned();
        self.none_runs().await;
        let ended = self.as_role(Role::Administrator, "GET", &format!("/backup/{job}/pending"), "").await.json();
        let folder = ended["azureStorageBlobContainerUri"].as_str().unwrap_or_else(|| panic!("{ended}"));
        let folder = folder.rsplit('/').next().unwrap().to_owned();
        if !look {
            return (job, folder);
        }
        let body = format!(r#"{{"sasTokenParameters":{place},"folderToRestore":"{folder}"}}"#);
        let begun = self.as_role(Role::Administrator, "PUT", "/prerestore", &body).await.json();
        self.none_runs().await;
        (begun["jobId"].as_str().unwrap().to_owned(), folder)
    }

    /// The body that uploads to the vault what it has: downloaded, opened by its custodians, and sent back.
    async fn own_domain(&self) -> String {
        let wanted = custodians::download().to_string();
        let made = self.administrator("/securitydomain/download?api-version=7.6", &wanted).await;
        let file = made.json()["value"].as_str().unwrap().to_owned();
        let transfer = self.as_role(Role::Administrator, "GET", "/securitydomain/upload", "").await.json();
        custodians::upload(&custodians::opened(&file, &[0, 1]).unwrap(), &transfer).to_string()
    }

    fn next(&self) -> u32 {
        self.count.fetch_add(1, Ordering::Relaxed)
    }

    /// A request of the administrator's that must succeed.
    pub(super) async fn administrator(&self, path: &str, body: &str) -> Answer {
        let ask = Ask { target: path.to_owned(), headers: Vec::new(), body: body.to_owned(), name: String::new() };
        let token = self.tokens.get(&(State::Open, Role::Administrator, Token::Valid));
        let answer = self.dispatch(State::Open, "POST", &ask, token.map(String::as_str)).await;
        assert!(answer.status.is_success(), "{path}: {:?}", answer.body);
        answer
    }

    /// Proposes that a path is removed, which needs an approval from the first time on: the proposal's id.
    pub(super) async fn proposal(&self) -> String {
        let policy = self.as_role(Role::Administrator, "GET", "/keystead/v1/policy", "").await.json();
        if policy["approvers"].as_array().is_none_or(Vec::is_empty) {
            self.as_role(Role::Administrator, "PUT", "/keystead/v1/policy/approvals", &policy::approvals()).await;
        }
        let (path, reason) = (format!("path-{}", self.next()), "a path of its own".to_owned());
        let reason = keystead_engine::Reason { text: reason, hours: None };
        let made = self.node.instance.propose("open", Approvable::PathRemoval(&path), reason, moment(now())).await;
        made.unwrap().proposal.id
    }

    /// What the administrator reads.
    pub(super) async fn read(&self, path: &str) -> serde_json::Value {
        self.as_role(Role::Administrator, "GET", path, "").await.json()
    }

    /// Undoes what would disturb the cases to come.
    pub(crate) async fn restore(&self, rule: &Rule, ask: &Ask) {
        match rule.action {
            "vault/seal" => {
                assert_eq!(self.vault(State::Open).state().name(), "sealed");
                self.node.instance.unseal("open", moment(now())).await.unwrap();
            }
            "keys/delete" => {
                self.officer("DELETE", &format!("/deletedkeys/{}", ask.name), "").await;
            }
            _ => {}
        }
    }

    /// A request of the officer's that must succeed.
    async fn officer(&self, method: &str, path: &str, body: &str) -> Answer {
        self.as_role(Role::Officer, method, path, body).await
    }

    /// A request that must succeed for who has this role.
    async fn as_role(&self, role: Role, method: &str, path: &str, body: &str) -> Answer {
        let target = format!("{path}?api-version=7.6");
        let ask = Ask { target, headers: Vec::new(), body: body.to_owned(), name: String::new() };
        let token = self.tokens.get(&(State::Open, role, Token::Valid));
        let answer = self.dispatch(State::Open, method, &ask, token.map(String::as_str)).await;
        assert!(answer.status.is_success(), "{method} {path}: {:?}", answer.body);
        answer
    }

    /// The request for a token that the client of this role makes.
    pub(crate) fn token_request(&self, pattern: &str, role: Role) -> Ask {
        if pattern.ends_with("/oauth2/v2.0/token") { grant(role, RESOURCE) } else { identity(role, RESOURCE) }
    }

    pub(crate) fn open_request(&self, case: &Case<'_>) -> Ask {
        let log = self.vault(case.state).log().id;
        let target = super::path(case.row, "ec", &log);
        Ask { target, headers: Vec::new(), body: String::new(), name: String::new() }
    }

    /// The record that a receipt of the open vault names.
    pub(crate) fn record(&self, receipt: &str) -> Record {
        let vault = self.vault(State::Open);
        let parts: Vec<&str> = receipt.split('.').collect();
        assert_eq!((parts.len(), parts[0], parts[1]), (4, "1", vault.log().id.as_str()), "{receipt}");
        let found = self.node.journal.read(vault.info().id, parts[2].parse().unwrap(), 1).unwrap();
        found.into_iter().next().unwrap().1
    }

    async fn mint(&mut self) {
        for state in [State::Open, State::Sealed] {
            for role in Role::ALL {
                for (token, text) in self.tokens_of(state, role).await {
                    self.tokens.insert((state, role, token), text);
                }
            }
        }
        // An inactive vault has no issuer: it is shown those of the open one.
        for role in Role::ALL {
            for token in Token::ALL {
                if let Some(text) = self.tokens.get(&(State::Open, role, token)).cloned() {
                    self.tokens.insert((State::Inactive, role, token), text);
                }
            }
        }
    }

    /// The tokens that must fail are good ones elsewhere, or were: they fail for what they are said to fail for.
    async fn prove(&self) {
        let hours_ago = now().plus_millis(-2 * 3_600_000);
        for (token, vault, at) in [(Token::OtherVault, "other", now()), (Token::Expired, "open", hours_ago)] {
            let vault = self.node.instance.named(vault).unwrap();
            let bearer = format!("Bearer {}", self.tokens[&(State::Open, Role::Officer, token)]);
            let request = Request::get("/keys?api-version=7.6").header("authorization", bearer).body(Bytes::new());
            let answer = self.node.send(&vault, request.unwrap(), at).await;
            assert!(answer.status.is_success(), "{token:?}: {:?}", answer.body);
        }
    }

    async fn tokens_of(&self, state: State, role: Role) -> Vec<(Token, String)> {
        let vault = self.vault(state);
        let other = self.node.instance.named("other").unwrap();
        let valid = self.issued(&vault, role, RESOURCE, 0).await;
        let issuer = vault.issuer().unwrap();
        let stranger = "https://login.example/adfs";
        vec![
            (Token::Expired, self.issued(&vault, role, RESOURCE, 2 * 3_600_000).await),
            (Token::ForeignIssuer, signed(&issuer.kid, &claims(role, stranger))),
            (Token::OtherVault, self.issued(&other, role, RESOURCE, 0).await),
            (Token::WrongAudience, self.issued(&vault, role, "https://storage.example", 0).await),
            (Token::Tampered, tampered(&valid)),
            (Token::ForeignKey, signed(&issuer.kid, &claims(role, &issuer.iss))),
            (Token::AlgNone, unsigned(&issuer.kid, &claims(role, &issuer.iss))),
            (Token::Valid, valid),
        ]
    }

    /// From the vault's own endpoint, so many milliseconds ago.
    async fn issued(&self, vault: &Arc<Vault>, role: Role, audience: &str, ago: i64) -> String {
        let ask = grant(role, audience);
        let host = vault.info().authorities[0].as_str();
        let request = Request::post(&ask.target).header("host", host).body(Bytes::from(ask.body)).unwrap();
        let answer = self.node.send(vault, request, now().plus_millis(-ago)).await;
        answer.json()["access_token"].as_str().unwrap_or_else(|| panic!("{:?}", answer.body)).to_owned()
    }
}
