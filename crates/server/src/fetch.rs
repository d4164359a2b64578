//! The way out: documents that are fetched over https, from hosts that the node's configuration names. Nothing that is
//! fetched is believed here.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http_body_util::{BodyExt, Empty, Limited};
use hyper::body::Body;
use hyper::client::conn::http1;
use hyper::header::{ACCEPT, HOST, USER_AGENT};
use hyper::{Request, StatusCode, Uri};
use hyper_util::rt::TokioIo;
use rustls::{ClientConfig, RootCertStore, version};
use rustls_pki_types::{CertificateDer, ServerName};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_rustls::TlsConnector;

use crate::tls::provider;

/// Bytes of a document.
const MAX_BODY: usize = 256 << 10;
/// Bytes of a proxy's answer.
const MAX_PROXY_HEAD: usize = 8 << 10;
/// How long a connection, its handshakes and the answer may take together.
const PATIENCE: Duration = Duration::from_secs(8);

pub(crate) const AGENT: &str = concat!("keystead/", env!("CARGO_PKG_VERSION"));

/// Where this node may go.
#[derive(Debug, Clone, Default)]
pub struct Outgoing {
    /// Hosts that may be reached: `host`, `host:port`, `*.domain`, or `*`. None: nobody.
    pub hosts: Vec<String>,
    /// Whom TLS trusts.
    pub roots: Vec<CertificateDer<'static>>,
    /// `host:port` of an HTTP proxy that takes CONNECT.
    pub proxy: Option<String>,
}

/// Why nothing was fetched.
#[derive(Debug, thiserror::Error)]
pub enum FetchError {
    /// Not a URL that is fetched.
    #[error("{0} is no https URL")]
    NotHttps(String),
    /// Not in the configuration.
    #[error("this node's configuration does not let it reach {0}: add it to outgoing.hosts")]
    NotAllowed(String),
    /// Not reached.
    #[error("cannot reach {to}: {source}")]
    Connect {
        /// Host and port.
        to: String,
        /// Why.
        source: io::Error,
    },
    /// The proxy said no.
    #[error("the proxy {0} does not connect")]
    Proxy(String),
    /// The exchange broke off.
    #[error("the connection to {to} broke: {source}")]
    Broken {
        /// Host and port.
        to: String,
        /// Why.
        source: hyper::Error,
    },
    /// Anything but 200; redirects are not followed.
    #[error("{to} answered {status}")]
    Status {
        /// Host and port.
        to: String,
        /// What it answered.
        status: StatusCode,
    },
    /// A document over the bound, or cut off.
    #[error("the answer of {0} is cut off, or has more than 262144 bytes")]
    Body(String),
    /// No answer in time.
    #[error("no answer within 8 s")]
    Late,
    /// TLS cannot be set up.
    #[error("TLS cannot be set up: {0}")]
    Library(rustls::Error),
}

/// Fetches documents.
pub struct Fetcher {
    hosts: Vec<String>,
    proxy: Option<String>,
    tls: TlsConnector,
}

impl Fetcher {
    /// With these bounds.
    pub fn new(outgoing: Outgoing) -> Result<Self, FetchError> {
        let mut roots = RootCertStore::empty();
        roots.add_parsable_certificates(outgoing.roots);
        let mut config = ClientConfig::builder_with_provider(Arc::new(provider()))
            .with_protocol_versions(&[&version::TLS13, &version::TLS12])
            .map_err(FetchError::Library)?
            .with_root_certificates(roots)
            .with_no_client_auth();
        config.alpn_protocols = vec![b"http/1.1".to_vec()];
        let hosts = outgoing.hosts.into_iter().map(|h| h.to_ascii_lowercase()).collect();
        Ok(Self { hosts, proxy: outgoing.proxy, tls: TlsConnector::from(Arc::new(config)) })
    }

    /// What stands at this URL now.
    pub async fn get(&self, url: &str) -> Result<Vec<u8>, FetchError> {
        let (uri, host, to) = self.allowed(url, url)?;
        timeout(PATIENCE, self.exchange(&uri, &host, &to)).await.unwrap_or(Err(FetchError::Late))
    }

    /// The URL with its host, and with its port, if the configuration lets the node go there. `shown` may stand in
    /// errors.
    pub(crate) fn allowed(&self, url: &str, shown: &str) -> Result<(Uri, String, String), FetchError> {
        let bad = || FetchError::NotHttps(shown.chars().take(128).collect());
        let uri: Uri = url.parse().map_err(|_| bad())?;
        let host = uri.host().filter(|h| !h.is_empty() && uri.scheme_str() == Some("https")).ok_or_else(bad)?;
        let host = host.to_ascii_lowercase();
        let to = format!("{host}:{}", uri.port_u16().unwrap_or(443));
        if !self.hosts.iter().any(|rule| allows(rule, &host, &to)) {
            return Err(FetchError::NotAllowed(to));
        }
        Ok((uri, host, to))
    }

    async fn exchange(&self, uri: &Uri, host: &str, to: &str) -> Result<Vec<u8>, FetchError> {
        let broken = |source| FetchError::Broken { to: to.to_owned(), source };
        let (mut sender, driven) = self.open(host, to).await?;
        let path = uri.path_and_query().map_or("/", |p| p.as_str());
        let authority = uri.authority().map_or(host, |a| a.as_str());
        let request = Request::get(path).header(HOST, authority).header(ACCEPT, "application/json");
        let request = request.header(USER_AGENT, AGENT).body(Empty::<Bytes>::new());
        let request = request.map_err(|_| FetchError::NotHttps(to.to_owned()))?;
        let answer = sender.send_request(request).await.map_err(broken)?;
        let status = answer.status();
        if status != StatusCode::OK {
            return Err(FetchError::Status { to: to.to_owned(), status });
        }
        let body = Limited::new(answer.into_body(), MAX_BODY).collect().await;
        drop(driven);
        Ok(body.map_err(|_| FetchError::Body(to.to_owned()))?.to_bytes().to_vec())
    }

    /// A connection for one exchange, its certificate verified.
    pub(crate) async fn open<B>(&self, host: &str, to: &str) -> Result<(http1::SendRequest<B>, Driven), FetchError>
    where
        B: Body + Send + 'static,
        B::Data: Send,
        B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
    {
        let failed = |source| FetchError::Connect { to: to.to_owned(), source };
        let tcp = self.connect(to).await?;
        let name = host.trim_start_matches('[').trim_end_matches(']').to_owned();
        let name = ServerName::try_from(name).map_err(|e| failed(io::Error::other(e)))?;
        let stream = self.tls.connect(name, tcp).await.map_err(failed)?;
        let broken = |source| FetchError::Broken { to: to.to_owned(), source };
        let (sender, connection) = http1::handshake(TokioIo::new(stream)).await.map_err(broken)?;
        let driven = Driven(tokio::spawn(async move {
            let _ = connection.await;
        }));
        Ok((sender, driven))
    }

    async fn connect(&self, to: &str) -> Result<TcpStream, FetchError> {
        let first = self.proxy.as_deref().unwrap_or(to);
        let failed = |source| FetchError::Connect { to: first.to_owned(), source };
        let mut tcp = TcpStream::connect(first).await.map_err(failed)?;
        if self.proxy.is_some() {
            let head = format!("CONNECT {to} HTTP/1.1\r\nHost: {to}\r\n\r\n");
            tcp.write_all(head.as_bytes()).await.map_err(failed)?;
            through(&mut tcp)
                .await
                .map_err(failed)?
                .then_some(())
                .ok_or_else(|| FetchError::Proxy(first.to_owned()))?;
        }
        Ok(tcp)
    }
}

/// Reads a proxy's answer to its end, byte by byte: what follows it belongs to TLS. Whether it connects.
async fn through(tcp: &mut TcpStream) -> io::Result<bool> {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        if head.len() >= MAX_PROXY_HEAD {
            return Ok(false);
        }
        head.push(tcp.read_u8().await?);
    }
    Ok(head.starts_with(b"HTTP/1.1 200 ") || head.starts_with(b"HTTP/1.0 200 "))
}

/// `*.domain` is what is below it, not itself; without a port, any port.
fn allows(rule: &str, host: &str, with_port: &str) -> bool {
    match rule.strip_prefix("*.") {
        _ if rule == "*" => true,
        Some(domain) => host.strip_suffix(domain).is_some_and(|below| below.ends_with('.') && below.len() > 1),
        None => rule == host || rule == with_port,
    }
}

/// A connection's task, ended with its exchange.
pub(crate) struct Driven(tokio::task::JoinHandle<()>);

impl Drop for Driven {
    fn drop(&mut self) {
        self.0.abort();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_hosts_of_the_configuration_may_be_reached() {
        for (rule, host, good) in [
            ("a.example", "a.example", true),
            ("a.example:443", "a.example", true),
            ("a.example:8443", "a.example", false),
            ("*.example", "a.example", true),
            ("*.example", "b.a.example", true),
            ("*.example", "example", false),
            ("*.example", "badexample", false),
            ("*", "anything", true),
            ("a.example", "a.example.evil", false),
        ] {
            assert_eq!(allows(rule, host, &format!("{host}:443")), good, "{rule} {host}");
        }
    }

    #[tokio::test]
    async fn nothing_is_fetched_in_the_clear_or_from_elsewhere() {
        let fetcher = Fetcher::new(Outgoing::default()).unwrap();
        for url in ["http://localhost/", "file:///etc/passwd", "", "https://"] {
            assert!(matches!(fetcher.get(url).await, Err(FetchError::NotHttps(_))), "{url}");
        }
        assert!(matches!(fetcher.get("https://localhost:1/").await, Err(FetchError::NotAllowed(_))));
    }
}
