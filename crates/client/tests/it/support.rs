//! A vault that answers as told and remembers what it was asked.

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering::SeqCst};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use keystead_client::{Client, Config, Credential};
use keystead_server::{Counters, Fault, Handler, Limits, Request, Response, Server, tls_config};

pub(crate) const TENANT: &str = "8f4c1c3e-0000-4000-8000-00000000000a";
pub(crate) const RECEIPT: &str = "1.00112233445566778899aabbccddeeff.7.leaf";

/// One request as it came.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Seen {
    pub(crate) line: String,
    pub(crate) host: String,
    pub(crate) token: Option<String>,
    pub(crate) body: String,
}

/// What the vault does; all of it can be changed while it runs.
pub(crate) struct Script {
    /// Everything it was asked.
    pub(crate) seen: Mutex<Vec<Seen>>,
    /// Answers to requests with a good token, in turn; `{}` when they are used up.
    pub(crate) answers: Mutex<VecDeque<Response>>,
    /// The token that is good; none for no check at all.
    pub(crate) good: Mutex<Option<String>>,
    /// The challenge; empty for one that names `authority`.
    pub(crate) challenge: Mutex<String>,
    /// What the token endpoint answers instead of a token.
    pub(crate) no_login: Mutex<Option<(u16, String)>>,
    /// Seconds a token lives.
    pub(crate) lives: AtomicU64,
    pub(crate) logins: AtomicU64,
    address: Mutex<Option<SocketAddr>>,
}

pub(crate) struct Vault {
    pub(crate) script: Arc<Script>,
    pub(crate) address: SocketAddr,
    pub(crate) ca: Vec<u8>,
    pub(crate) counters: Arc<Counters>,
}

/// A vault that checks no tokens.
pub(crate) async fn open_vault() -> Vault {
    start(Limits::default(), None).await
}

/// A vault with the client-credentials login.
pub(crate) async fn guarded_vault() -> Vault {
    let vault = open_vault().await;
    *vault.script.good.lock().unwrap() = Some("none yet".to_owned());
    vault
}

pub(crate) async fn start(limits: Limits, socket: Option<&Path>) -> Vault {
    let names = ["localhost", "dev.localhost"].map(str::to_owned);
    let made = rcgen::generate_simple_self_signed(names).unwrap();
    let tls = tls_config(made.cert.pem().as_bytes(), made.signing_key.serialize_pem().as_bytes()).unwrap();
    let script = Arc::new(Script {
        seen: Mutex::default(),
        answers: Mutex::default(),
        good: Mutex::default(),
        challenge: Mutex::default(),
        no_login: Mutex::default(),
        lives: AtomicU64::new(3600),
        logins: AtomicU64::new(0),
        address: Mutex::default(),
    });
    let mut server =
        Server::new(limits, handler(&script), Arc::new(|fault: Fault| answer(fault.status().as_u16(), "")));
    let address = server.listen_tls("127.0.0.1:0".parse().unwrap(), tls).await.unwrap();
    if let Some(socket) = socket {
        server.listen_unix(socket).unwrap();
    }
    *script.address.lock().unwrap() = Some(address);
    let counters = server.counters();
    tokio::spawn(server.run(std::future::pending()));
    Vault { script, address, ca: made.cert.pem().into_bytes(), counters }
}

impl Vault {
    pub(crate) fn url(&self) -> String {
        format!("https://dev.localhost:{}", self.address.port())
    }

    pub(crate) fn config(&self, credential: Credential) -> Config {
        Config { ca_pem: Some(self.ca.clone()), ..Config::new(&self.url(), credential) }
    }

    pub(crate) fn anonymous(&self) -> Client {
        Client::new(self.config(Credential::Anonymous)).unwrap()
    }

    pub(crate) fn with_secret(&self) -> Client {
        Client::new(self.config(Credential::client_secret("the-client", "s3cret &+".to_owned()))).unwrap()
    }

    pub(crate) fn then(&self, answer: Response) {
        self.script.answers.lock().unwrap().push_back(answer);
    }

    /// What was asked since the last time.
    pub(crate) fn take_seen(&self) -> Vec<Seen> {
        std::mem::take(&mut self.script.seen.lock().unwrap())
    }

    pub(crate) fn lines(&self) -> Vec<String> {
        self.take_seen().into_iter().map(|seen| seen.line).collect()
    }

    pub(crate) fn logins(&self) -> u64 {
        self.script.logins.load(SeqCst)
    }
}

/// Fails after a minute.
pub(crate) async fn in_time<T>(work: impl Future<Output = T>) -> T {
    tokio::time::timeout(Duration::from_secs(60), work).await.expect("took too long")
}

/// Waits until a condition holds.
pub(crate) async fn until(condition: impl Fn() -> bool) {
    in_time(async {
        while !condition() {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    })
    .await;
}

pub(crate) fn answer(status: u16, body: &str) -> Response {
    let mut answer = Response::new(body.to_owned().into());
    *answer.status_mut() = status.try_into().unwrap();
    answer.headers_mut().insert("x-keystead-receipt", RECEIPT.parse().unwrap());
    answer
}

fn handler(script: &Arc<Script>) -> Handler {
    let script = Arc::clone(script);
    Arc::new(move |request, _, _| {
        let answer = script.respond(&request);
        Box::pin(async move {
            if request.uri().path().contains("slow") {
                tokio::time::sleep(Duration::from_secs(600)).await;
            }
            answer
        })
    })
}

impl Script {
    fn respond(&self, request: &Request) -> Response {
        let header = |name: &str| request.headers().get(name).map(|v| v.to_str().unwrap().to_owned());
        let token = header("authorization");
        self.seen.lock().unwrap().push(Seen {
            line: format!("{} {}", request.method(), request.uri()),
            host: header("host").unwrap_or_default(),
            token: token.clone(),
            body: String::from_utf8(request.body().to_vec()).unwrap(),
        });
        if request.uri().path().ends_with("/oauth2/v2.0/token") {
            return self.login();
        }
        let good = self.good.lock().unwrap().clone().map(|good| format!("Bearer {good}"));
        if good.is_some() && token != good {
            return self.unauthorized();
        }
        self.answers.lock().unwrap().pop_front().unwrap_or_else(|| answer(200, "{}"))
    }

    fn login(&self) -> Response {
        if let Some((status, body)) = self.no_login.lock().unwrap().clone() {
            return answer(status, &body);
        }
        let token = format!("token-{}", self.logins.fetch_add(1, SeqCst) + 1);
        *self.good.lock().unwrap() = Some(token.clone());
        let lives = self.lives.load(SeqCst);
        answer(200, &format!(r#"{{"token_type":"Bearer","expires_in":{lives},"access_token":"{token}"}}"#))
    }

    fn unauthorized(&self) -> Response {
        let port = self.address.lock().unwrap().unwrap().port();
        let own = self.challenge.lock().unwrap().clone();
        let usual =
            format!(r#"Bearer authorization="https://localhost:{port}/{TENANT}", resource="https://localhost:{port}""#);
        let mut refusal = answer(401, r#"{"error":{"code":"Unauthorized","message":"AKV10000: no token"}}"#);
        refusal.headers_mut().remove("x-keystead-receipt");
        let challenge = if own.is_empty() { usual } else { own };
        refusal.headers_mut().insert("www-authenticate", challenge.parse().unwrap());
        refusal
    }
}
