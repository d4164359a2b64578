//! Calls to one vault with one credential.

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use hyper::header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE, HeaderMap, HeaderValue, USER_AGENT};
use hyper::{Method, Uri};
use keystead_model::Authority;
use serde::Serialize;
use tokio::time::timeout;
use zeroize::Zeroizing;

use crate::pool::Pool;
use crate::reply::{Done, Reply, accept, wants_token};
use crate::token::{Authorization, Credential, Tokens, request};
use crate::transport::{Place, https_authority};
use crate::{ClientError, NextLink, tls};

/// The version of the Key Vault API that is spoken.
pub const API_VERSION: &str = "2025-07-01";

pub(crate) const AGENT: &str = concat!("keystead/", env!("CARGO_PKG_VERSION"));

/// What a client needs to know.
pub struct Config {
    /// `https://host[:port]` of the vault.
    pub base_url: String,
    /// CA certificates in PEM, trusted besides the system's.
    pub ca_pem: Option<Vec<u8>>,
    /// Who calls.
    pub credential: Credential,
    /// How long a call may take, logging in included.
    pub deadline: Duration,
    /// Bytes of an answer's body.
    pub max_answer: usize,
    /// Whether what changes something is only proposed to the vault's approvers.
    pub proposing: Option<Proposing>,
}

/// Why something is only proposed to a vault's approvers, and for how long.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Proposing {
    /// Printable ASCII.
    pub reason: String,
    /// A day if none.
    pub hours: Option<u16>,
}

impl Proposing {
    fn put(&self, headers: &mut HeaderMap) -> Result<(), ClientError> {
        let reason = HeaderValue::from_str(&self.reason);
        let reason = reason.map_err(|_| ClientError::BadArgument("a reason is one line of printable ASCII"))?;
        headers.insert("x-keystead-propose", reason);
        if let Some(hours) = self.hours {
            headers.insert("x-keystead-propose-hours", HeaderValue::from(hours));
        }
        Ok(())
    }
}

impl Config {
    /// The system's CAs, 30 s, 8 MiB.
    pub fn new(base_url: &str, credential: Credential) -> Self {
        Self {
            base_url: base_url.to_owned(),
            ca_pem: None,
            credential,
            deadline: Duration::from_secs(30),
            max_answer: 8 << 20,
            proposing: None,
        }
    }
}

/// A client of one vault. Clones share connections and token. Calls need a Tokio runtime.
#[derive(Clone)]
pub struct Client {
    inner: Arc<Inner>,
}

struct Inner {
    pool: Pool,
    authority: Authority,
    tokens: Tokens,
    deadline: Duration,
    proposing: Option<Proposing>,
}

impl Client {
    /// Reads the CAs and checks the URL; connects with the first call.
    pub fn new(config: Config) -> Result<Self, ClientError> {
        let authority = https_authority(&config.base_url)?;
        let place = Place::Tls { authority: authority.clone(), config: tls::client_config(config.ca_pem.as_deref())? };
        let pool = Pool::new(place, config.max_answer);
        let tokens = Tokens::new(config.credential);
        let Config { deadline, proposing, .. } = config;
        Ok(Self { inner: Arc::new(Inner { pool, authority, tokens, deadline, proposing }) })
    }

    /// Host and port of the vault.
    pub fn authority(&self) -> &Authority {
        &self.inner.authority
    }

    /// A call with a token.
    pub(crate) async fn call(&self, method: Method, path: &str, body: Body) -> Result<Done<Bytes>, ClientError> {
        let body = match &self.inner.proposing {
            Some(proposing) if method != Method::GET => body.proposing(proposing.clone()),
            _ => body,
        };
        within(self.inner.deadline, self.inner.call(method, path, body)).await.and_then(accept)
    }

    /// A GET without a token; with one if the server insists.
    pub(crate) async fn get_open(&self, path: &str) -> Result<Done<Bytes>, ClientError> {
        within(self.inner.deadline, self.inner.get_open(path)).await.and_then(accept)
    }

    /// A GET without a token, whatever its status.
    pub(crate) async fn ask_open(&self, path: &str) -> Result<Reply, ClientError> {
        within(self.inner.deadline, self.inner.send(&Method::GET, path, &Body::none(), None)).await
    }

    /// The path of a link to a next page, which must lead to this vault.
    pub(crate) fn own_path(&self, link: &NextLink) -> Result<String, ClientError> {
        let uri: Uri = link.0.parse().map_err(|_| ClientError::BadAnswer("its link is not a URL".to_owned()))?;
        let leads: Option<Authority> = uri.authority().and_then(|authority| authority.as_str().parse().ok());
        let path = uri.path_and_query().map(|path| path.as_str().to_owned());
        match path {
            Some(path) if uri.scheme_str() == Some("https") && leads.as_ref() == Some(&self.inner.authority) => {
                Ok(path)
            }
            _ => Err(ClientError::ForeignLink(uri)),
        }
    }
}

impl Inner {
    /// With the token at hand; once more with a new one if the server refuses it.
    async fn call(&self, method: Method, path: &str, body: Body) -> Result<Reply, ClientError> {
        let Some(used) = self.tokens.authorization(&self.pool).await? else {
            return self.send(&method, path, &body, None).await;
        };
        let reply = self.send(&method, path, &body, Some(used.clone())).await?;
        if !wants_token(&reply) || !self.tokens.refused(&used, reply.headers()).await? {
            return Ok(reply);
        }
        let renewed = self.tokens.authorization(&self.pool).await?;
        self.send(&method, path, &body, renewed).await
    }

    async fn get_open(&self, path: &str) -> Result<Reply, ClientError> {
        let reply = self.send(&Method::GET, path, &Body::none(), None).await?;
        if wants_token(&reply) { self.call(Method::GET, path, Body::none()).await } else { Ok(reply) }
    }

    async fn send(
        &self,
        method: &Method,
        path: &str,
        body: &Body,
        token: Option<Authorization>,
    ) -> Result<Reply, ClientError> {
        exchange(&self.pool, method, path, body, token).await
    }
}

/// One request and its answer.
pub(crate) async fn exchange(
    pool: &Pool,
    method: &Method,
    path: &str,
    body: &Body,
    token: Option<Authorization>,
) -> Result<Reply, ClientError> {
    let mut request = request(method.clone(), path, pool.place(), body.bytes.clone())?;
    let headers = request.headers_mut();
    headers.insert(ACCEPT, HeaderValue::from_static("application/json"));
    headers.insert(USER_AGENT, HeaderValue::from_static(AGENT));
    if body.json {
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    }
    if let Some(proposing) = &body.proposing {
        proposing.put(headers)?;
    }
    if let Some(token) = token {
        headers.insert(AUTHORIZATION, token);
    }
    pool.send(request).await
}

/// Work with a deadline.
pub(crate) async fn within<T>(
    deadline: Duration,
    work: impl Future<Output = Result<T, ClientError>>,
) -> Result<T, ClientError> {
    timeout(deadline, work).await.unwrap_or(Err(ClientError::Deadline { after: deadline }))
}

/// A request's body; wiped when it is no longer needed, as it may hold plaintext.
pub(crate) struct Body {
    bytes: Bytes,
    json: bool,
    proposing: Option<Proposing>,
}

impl Body {
    pub(crate) fn none() -> Self {
        Self { bytes: Bytes::new(), json: false, proposing: None }
    }

    pub(crate) fn json(value: &impl Serialize) -> Result<Self, ClientError> {
        let text = serde_json::to_vec(value).map_err(|_| ClientError::BadArgument("the request is not proper JSON"))?;
        Ok(Self { bytes: Bytes::from_owner(Zeroizing::new(text)), json: true, proposing: None })
    }

    /// Of a request that is only proposed.
    pub(crate) fn proposing(self, proposing: Proposing) -> Self {
        Self { proposing: Some(proposing), ..self }
    }
}
