//! A server on a free port, and a client that speaks HTTP byte by byte.

use std::sync::Arc;
use std::time::Duration;

use keystead_server::{
    Counters, Ended, Fault, FaultAnswer, Gate, Handler, Limits, Response, Server, TlsIdentity, Verdict, tls_config,
};
use rustls::pki_types::ServerName;
use rustls::{ClientConfig, RootCertStore, SupportedProtocolVersion};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

/// Longer than anything here should take, on a busy machine too; shorter than [`NEVER`].
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);

/// A limit that no test waits for: what ends before it did not end because of it.
pub(crate) const NEVER: Duration = Duration::from_secs(600);

/// A server that runs until it is told to stop.
pub(crate) struct Running {
    pub(crate) address: std::net::SocketAddr,
    pub(crate) counters: Arc<Counters>,
    pub(crate) client: Arc<ClientConfig>,
    pub(crate) certificate: rustls::pki_types::CertificateDer<'static>,
    pub(crate) identity: TlsIdentity,
    stop: oneshot::Sender<()>,
    done: JoinHandle<Ended>,
}

/// Limits of which none is reached: a test shortens the one it is about.
pub(crate) fn patient() -> Limits {
    Limits {
        handshake_timeout: NEVER,
        header_read_timeout: NEVER,
        body_timeout: NEVER,
        request_deadline: NEVER,
        write_timeout: NEVER,
        idle_timeout: NEVER,
        shutdown_grace: NEVER,
        ..Limits::default()
    }
}

pub(crate) async fn start(limits: Limits, handler: Handler) -> Running {
    start_with(limits, handler, |_| ()).await
}

/// `more` may open further listeners.
pub(crate) async fn start_with(limits: Limits, handler: Handler, more: impl FnOnce(&mut Server)) -> Running {
    let made = rcgen::generate_simple_self_signed(["vault.localhost".to_owned()]).unwrap();
    let config = tls_config(made.cert.pem().as_bytes(), made.signing_key.serialize_pem().as_bytes()).unwrap();
    let mut server = Server::new(limits, handler, faults()).gated_by(gate());
    let identity = TlsIdentity::from(config);
    let address = server.listen_tls("127.0.0.1:0".parse().unwrap(), identity.clone()).await.unwrap();
    more(&mut server);
    let counters = server.counters();
    let (stop, stopped) = oneshot::channel();
    let done = tokio::spawn(server.run(async {
        let _ = stopped.await;
    }));
    let certificate = made.cert.der().clone();
    let client = client_config(&certificate, rustls::ALL_VERSIONS);
    Running { address, counters, client, certificate, identity, stop, done }
}

pub(crate) fn client_config(
    root: &rustls::pki_types::CertificateDer<'static>,
    versions: &[&'static SupportedProtocolVersion],
) -> Arc<ClientConfig> {
    let mut roots = RootCertStore::empty();
    roots.add(root.clone()).unwrap();
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let builder = ClientConfig::builder_with_provider(provider).with_protocol_versions(versions).unwrap();
    let mut config = builder.with_root_certificates(roots).with_no_client_auth();
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Arc::new(config)
}

/// Reads long bodies of those only who say the word.
pub(crate) fn gate() -> Gate {
    Arc::new(|head, _, _| {
        Box::pin(async move {
            assert!(head.body().is_empty());
            match head.headers().get("word").map(|w| w.as_bytes()) {
                Some(b"please") => Verdict::Read,
                Some(b"panic") => panic!("a gate that fails"),
                Some(_) => Verdict::TooLong,
                None => {
                    let mut answer = Response::new("say the word".into());
                    *answer.status_mut() = hyper::StatusCode::UNAUTHORIZED;
                    Verdict::Answer(answer)
                }
            }
        })
    })
}

/// Faults in a form no other answer here has.
fn faults() -> FaultAnswer {
    Arc::new(|fault: Fault| {
        let mut answer = Response::new(format!("FAULT {fault:?}").into());
        *answer.status_mut() = fault.status();
        answer
    })
}

/// Answers with method, path and body.
pub(crate) fn echo() -> Handler {
    Arc::new(|request, _, _| {
        Box::pin(async move {
            let (head, body) = request.into_parts();
            let mut text = format!("{} {} ", head.method, head.uri.path()).into_bytes();
            text.extend_from_slice(&body);
            Response::new(text.into())
        })
    })
}

impl Running {
    pub(crate) async fn connect(&self) -> TlsStream<TcpStream> {
        self.try_connect(&self.client).await.unwrap()
    }

    pub(crate) async fn try_connect(&self, config: &Arc<ClientConfig>) -> std::io::Result<TlsStream<TcpStream>> {
        let tcp = TcpStream::connect(self.address).await?;
        TlsConnector::from(Arc::clone(config)).connect(ServerName::try_from("vault.localhost").unwrap(), tcp).await
    }

    pub(crate) fn say_stop(self) -> JoinHandle<Ended> {
        self.stop.send(()).unwrap();
        self.done
    }

    pub(crate) async fn stop(self) -> Ended {
        in_time(self.say_stop()).await.unwrap()
    }
}

pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) head: String,
    pub(crate) body: String,
}

pub(crate) async fn in_time<T>(work: impl Future<Output = T>) -> T {
    tokio::time::timeout(PATIENCE, work).await.expect("took too long")
}

/// Reads one answer; none if the connection ends first.
pub(crate) async fn answer(stream: &mut (impl AsyncRead + Unpin)) -> Option<Answer> {
    in_time(async {
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            head.push(stream.read_u8().await.ok()?);
        }
        let head = String::from_utf8(head).unwrap().to_ascii_lowercase();
        let status = head.split(' ').nth(1)?.parse().unwrap();
        let length = head.lines().find_map(|l| l.strip_prefix("content-length: ")).map_or(0, |l| l.parse().unwrap());
        let mut body = vec![0; length];
        stream.read_exact(&mut body).await.ok()?;
        Some(Answer { status, head, body: String::from_utf8(body).unwrap() })
    })
    .await
}

pub(crate) async fn ask(stream: &mut (impl AsyncRead + AsyncWrite + Unpin), request: &str) -> Option<Answer> {
    stream.write_all(request.as_bytes()).await.ok()?;
    stream.flush().await.ok()?;
    answer(stream).await
}

pub(crate) fn get(path: &str) -> String {
    format!("GET {path} HTTP/1.1\r\nhost: vault.localhost\r\n\r\n")
}

pub(crate) fn post(path: &str, body: &str) -> String {
    format!("POST {path} HTTP/1.1\r\nhost: vault.localhost\r\ncontent-length: {}\r\n\r\n{body}", body.len())
}

/// A long body of somebody who may send one.
pub(crate) fn post_long(path: &str, body: &str) -> String {
    post(path, body).replacen("\r\n", "\r\nword: please\r\n", 1)
}

/// Waits for the other end to close, whatever it still sends.
pub(crate) async fn closed(stream: &mut (impl AsyncRead + Unpin)) {
    let mut scratch = [0; 4096];
    in_time(async { while stream.read(&mut scratch).await.is_ok_and(|n| n > 0) {} }).await;
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
