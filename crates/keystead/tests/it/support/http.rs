//! A blocking HTTPS client that can misbehave: one connection, kept alive, any bytes. It never repeats a request.

use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject as _;
use rustls::{ClientConfig, ClientConnection, RootCertStore, StreamOwned};
use serde_json::Value;
use std::io::{self, Error, ErrorKind, Read, Write};
use std::net::{Ipv4Addr, TcpStream};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

/// A connection to 127.0.0.1, named `localhost`; made when it is first needed, and again after a failure.
pub(crate) struct Http {
    pub(super) port: u16,
    tls: Arc<ClientConfig>,
    stream: Option<StreamOwned<ClientConnection, TcpStream>>,
}

/// What came back.
#[derive(Debug, Clone)]
pub(crate) struct Reply {
    pub(crate) status: u16,
    /// Names in lower case, in the order they came.
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: Vec<u8>,
}

impl Http {
    /// Trusts the CA in this file and no other.
    pub(crate) fn new(ca: &Path, port: u16) -> Self {
        let mut roots = RootCertStore::empty();
        for certificate in CertificateDer::pem_file_iter(ca).unwrap() {
            roots.add(certificate.unwrap()).unwrap();
        }
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let config = ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions().unwrap();
        Self { port, tls: Arc::new(config.with_root_certificates(roots).with_no_client_auth()), stream: None }
    }

    /// Where it connects to.
    pub(crate) const fn port(&self) -> u16 {
        self.port
    }

    /// Another connection to the same server.
    pub(crate) fn another(&self) -> Self {
        Self { port: self.port, tls: Arc::clone(&self.tls), stream: None }
    }

    /// `GET` without a token.
    pub(crate) fn get(&mut self, target: &str) -> io::Result<Reply> {
        self.send("GET", target, &[], b"")
    }

    /// One request. `Host` and `Content-Length` are added unless given; everything else is sent as it stands.
    pub(crate) fn send(
        &mut self,
        method: &str,
        target: &str,
        headers: &[(&str, &str)],
        body: &[u8],
    ) -> io::Result<Reply> {
        let given = |name: &str| headers.iter().any(|(n, _)| n.eq_ignore_ascii_case(name));
        let mut bytes = format!("{method} {target} HTTP/1.1\r\n");
        if !given("host") {
            bytes.push_str(&format!("host: localhost:{}\r\n", self.port));
        }
        if !given("content-length") && !given("transfer-encoding") && (!body.is_empty() || method != "GET") {
            bytes.push_str(&format!("content-length: {}\r\n", body.len()));
        }
        for (name, value) in headers {
            bytes.push_str(&format!("{name}: {value}\r\n"));
        }
        bytes.push_str("\r\n");
        let mut bytes = bytes.into_bytes();
        bytes.extend_from_slice(body);
        self.raw(&bytes)
    }

    /// Any bytes, and the reply to them.
    pub(crate) fn raw(&mut self, bytes: &[u8]) -> io::Result<Reply> {
        let mut stream = match self.stream.take() {
            Some(stream) => stream,
            None => self.connect()?,
        };
        // A server may refuse early and close: what it said counts, not that it did not listen to the end.
        let written = stream.write_all(bytes).and_then(|()| stream.flush());
        let reply = match read_reply(&mut stream, bytes.starts_with(b"HEAD ")) {
            Ok(reply) => reply,
            Err(e) => return Err(written.err().unwrap_or(e)),
        };
        if written.is_ok() && reply.header("connection") != Some("close") {
            self.stream = Some(stream);
        }
        Ok(reply)
    }

    /// A TLS connection of one's own, for what does not fit `raw`.
    pub(crate) fn connect(&self) -> io::Result<StreamOwned<ClientConnection, TcpStream>> {
        let tcp = TcpStream::connect((Ipv4Addr::LOCALHOST, self.port))?;
        tcp.set_nodelay(true)?;
        tcp.set_read_timeout(Some(Duration::from_secs(120)))?;
        tcp.set_write_timeout(Some(Duration::from_secs(120)))?;
        let connection = ClientConnection::new(Arc::clone(&self.tls), "localhost".try_into().unwrap());
        Ok(StreamOwned::new(connection.map_err(Error::other)?, tcp))
    }
}

impl Reply {
    /// The first header of this name, in lower case.
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(n, _)| n == name).map(|(_, value)| value.as_str())
    }

    /// `x-keystead-receipt`.
    pub(crate) fn receipt(&self) -> Option<&str> {
        self.header("x-keystead-receipt")
    }

    /// The body, which must be JSON.
    pub(crate) fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|e| panic!("no JSON ({e}): {self:?}"))
    }

    /// The JSON body of a success; null if it has none.
    #[track_caller]
    pub(crate) fn ok(&self) -> Value {
        assert!((200..300).contains(&self.status), "{}: {}", self.status, String::from_utf8_lossy(&self.body));
        if self.body.is_empty() { Value::Null } else { self.json() }
    }

    /// `error.code` of a refusal; empty if there is none.
    pub(crate) fn code(&self) -> String {
        let body: Value = serde_json::from_slice(&self.body).unwrap_or_default();
        body["error"]["code"].as_str().unwrap_or_default().to_owned()
    }

    /// `error.message` of a refusal; empty if there is none.
    pub(crate) fn message(&self) -> String {
        let body: Value = serde_json::from_slice(&self.body).unwrap_or_default();
        body["error"]["message"].as_str().unwrap_or_default().to_owned()
    }
}

fn bad(what: &str) -> Error {
    Error::new(ErrorKind::InvalidData, what.to_owned())
}

/// An answer, to its end.
pub(crate) fn read_reply(stream: &mut impl Read, head_only: bool) -> io::Result<Reply> {
    let mut reply = read_head(stream)?;
    while reply.status == 100 {
        reply = read_head(stream)?;
    }
    if head_only || matches!(reply.status, 101 | 204 | 304) {
        return Ok(reply);
    }
    if reply.header("transfer-encoding") == Some("chunked") {
        reply.body = read_chunks(stream)?;
    } else if let Some(length) = reply.header("content-length") {
        reply.body = vec![0; length.parse().map_err(|_| bad("content-length"))?];
        stream.read_exact(&mut reply.body)?;
    } else {
        stream.read_to_end(&mut reply.body)?;
    }
    Ok(reply)
}

fn read_line(stream: &mut impl Read) -> io::Result<String> {
    let (mut line, mut byte) = (Vec::new(), [0]);
    while !line.ends_with(b"\r\n") {
        stream.read_exact(&mut byte)?;
        line.push(byte[0]);
        if line.len() > 1 << 16 {
            return Err(bad("an endless line"));
        }
    }
    line.truncate(line.len() - 2);
    String::from_utf8(line).map_err(|_| bad("a line that is not UTF-8"))
}

fn read_head(stream: &mut impl Read) -> io::Result<Reply> {
    let first = read_line(stream)?;
    let status = first.strip_prefix("HTTP/1.").and_then(|rest| rest.get(2..5)?.parse().ok());
    let mut reply = Reply { status: status.ok_or_else(|| bad(&first))?, headers: Vec::new(), body: Vec::new() };
    loop {
        let line = read_line(stream)?;
        if line.is_empty() {
            return Ok(reply);
        }
        let (name, value) = line.split_once(':').ok_or_else(|| bad(&line))?;
        reply.headers.push((name.to_ascii_lowercase(), value.trim().to_owned()));
    }
}

fn read_chunks(stream: &mut impl Read) -> io::Result<Vec<u8>> {
    let mut all = Vec::new();
    loop {
        let line = read_line(stream)?;
        let size = usize::from_str_radix(line.split(';').next().unwrap().trim(), 16).map_err(|_| bad("chunk"))?;
        let start = all.len();
        all.resize(start + size, 0);
        stream.read_exact(&mut all[start..])?;
        read_line(stream)?;
        if size == 0 {
            return Ok(all);
        }
    }
}
