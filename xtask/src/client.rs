//! A minimal HTTPS client: one connection, one request at a time.

use crate::Failure;
use bytes::Bytes;
use http_body_util::{BodyExt as _, Full};
use hyper::client::conn::http1::{SendRequest, handshake};
use hyper::header::{CONTENT_TYPE, HOST, HeaderName, HeaderValue};
use hyper::{Method, Request, StatusCode};
use hyper_util::rt::TokioIo;
use rustls::crypto::aws_lc_rs;
use rustls::{ClientConfig, RootCertStore, version};
use rustls_pki_types::pem::PemObject as _;
use rustls_pki_types::{CertificateDer, ServerName};
use serde_json::Value;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

/// How to reach a server of this machine, called `localhost` in its certificate.
#[derive(Clone)]
pub(crate) struct Door {
    address: SocketAddr,
    tls: TlsConnector,
    host: HeaderValue,
    credential: Option<(HeaderName, HeaderValue)>,
}

/// A connection that is kept.
pub(crate) struct Connection {
    sender: SendRequest<Full<Bytes>>,
    door: Door,
}

impl Door {
    /// Trusts the certificates in the file, and no others.
    pub(crate) fn new(address: SocketAddr, trusted: &Path) -> Result<Self, Failure> {
        let mut roots = RootCertStore::empty();
        for certificate in CertificateDer::pem_file_iter(trusted)? {
            roots.add(certificate?)?;
        }
        let mut config = ClientConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
            .with_protocol_versions(&[&version::TLS13])?
            .with_root_certificates(roots)
            .with_no_client_auth();
        config.alpn_protocols = vec![b"http/1.1".to_vec()];
        let host = HeaderValue::try_from(format!("localhost:{}", address.port()))?;
        Ok(Self { address, tls: TlsConnector::from(Arc::new(config)), host, credential: None })
    }

    /// A header that goes with every request from now on.
    pub(crate) fn authorize(&mut self, name: &'static str, value: &str) -> Result<(), Failure> {
        self.credential = Some((HeaderName::from_static(name), HeaderValue::try_from(value)?));
        Ok(())
    }

    /// Names another vault at the same address.
    pub(crate) fn host(&mut self, name: &str) -> Result<(), Failure> {
        self.host = HeaderValue::try_from(format!("{name}:{}", self.address.port()))?;
        Ok(())
    }

    /// A connection that has said nothing.
    pub(crate) async fn tcp(&self) -> Result<TcpStream, Failure> {
        let tcp = TcpStream::connect(self.address).await?;
        tcp.set_nodelay(true)?;
        Ok(tcp)
    }

    /// A connection that has been greeted.
    pub(crate) async fn stream(&self) -> Result<TlsStream<TcpStream>, Failure> {
        Ok(self.tls.connect(ServerName::try_from("localhost")?, self.tcp().await?).await?)
    }

    pub(crate) async fn connect(&self) -> Result<Connection, Failure> {
        let (sender, connection) = handshake(TokioIo::new(self.stream().await?)).await?;
        tokio::spawn(connection);
        Ok(Connection { sender, door: self.clone() })
    }

    /// One request on a connection of its own; anything but success is an error with the answer's text.
    pub(crate) async fn json(&self, method: Method, path: &str, body: &Value) -> Result<Value, Failure> {
        let body = if body.is_null() { Bytes::new() } else { Bytes::from(body.to_string()) };
        let answer = self.connect().await?.ask(method, path, "application/json", body).await?;
        read(path, &answer)
    }

    /// A form, as token endpoints take it. The values must need no quoting.
    pub(crate) async fn form(&self, path: &str, fields: &[(&str, &str)]) -> Result<Value, Failure> {
        let body = fields.iter().map(|(name, value)| format!("{name}={value}")).collect::<Vec<_>>().join("&");
        let kind = "application/x-www-form-urlencoded";
        let answer = self.connect().await?.ask(Method::POST, path, kind, Bytes::from(body)).await?;
        read(path, &answer)
    }
}

fn read(path: &str, answer: &(StatusCode, Bytes)) -> Result<Value, Failure> {
    let (status, body) = answer;
    if !status.is_success() {
        return Err(format!("{path} answered {status}: {}", String::from_utf8_lossy(body)).into());
    }
    if body.is_empty() { Ok(Value::Null) } else { Ok(serde_json::from_slice(body)?) }
}

impl Connection {
    /// Sends a request and reads the whole answer.
    pub(crate) async fn ask(
        &mut self,
        method: Method,
        path: &str,
        kind: &'static str,
        body: Bytes,
    ) -> Result<(StatusCode, Bytes), Failure> {
        let mut request = Request::builder().method(method).uri(path).header(HOST, self.door.host.clone());
        if !body.is_empty() {
            request = request.header(CONTENT_TYPE, HeaderValue::from_static(kind));
        }
        if let Some((name, value)) = &self.door.credential {
            request = request.header(name.clone(), value.clone());
        }
        self.sender.ready().await?;
        let answer = self.sender.send_request(request.body(Full::new(body))?).await?;
        let status = answer.status();
        Ok((status, answer.into_body().collect().await?.to_bytes()))
    }
}
