//! Listeners, accepting within bounds, and the way to stop.

use std::convert::Infallible;
use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use hyper::server::conn::http1;
use tokio::net::{TcpListener, TcpStream, UnixStream};
use tokio::sync::{Semaphore, mpsc, watch};
use tokio_rustls::TlsAcceptor;

use crate::connection::{greet, serve};
use crate::listen::{self, ListenError, LocalSocket};
use crate::tls::TlsIdentity;
use crate::{Counters, FaultAnswer, Gate, Handler, Limits, Observe, Peer};

/// Number of headers that the HTTP parser takes without a setting of its own.
const PARSER_HEADERS: usize = 100;

/// A server with its listeners open; it answers once it runs.
pub struct Server {
    shared: Arc<Shared>,
    tls: Vec<(TcpListener, TlsIdentity)>,
    plain: Vec<TcpListener>,
    local: Vec<LocalSocket>,
}

/// How a run ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Ended {
    /// Connections cut because their requests outlasted the grace time.
    pub cut: u64,
}

impl Server {
    /// A server without listeners.
    pub fn new(limits: Limits, handler: Handler, fault: FaultAnswer) -> Self {
        let shared = Arc::new(Shared::new(limits, handler, fault));
        Self { shared, tls: Vec::new(), plain: Vec::new(), local: Vec::new() }
    }

    /// With somebody who is told of each answer. To be said before it runs.
    #[must_use]
    pub fn observed_by(mut self, observe: Observe) -> Self {
        if let Some(shared) = Arc::get_mut(&mut self.shared) {
            shared.observe = Some(observe);
        }
        self
    }

    /// With somebody who is asked before a long body is read; without, every body is. To be said before it runs.
    #[must_use]
    pub fn gated_by(mut self, gate: Gate) -> Self {
        if let Some(shared) = Arc::get_mut(&mut self.shared) {
            shared.gate = Some(gate);
        }
        self
    }

    /// Opens a TLS port; may be called several times. Returns the address, its port chosen by the system if 0 was
    /// asked. Each connection is greeted with what the identity is then.
    pub async fn listen_tls(
        &mut self,
        address: SocketAddr,
        identity: impl Into<TlsIdentity>,
    ) -> Result<SocketAddr, ListenError> {
        let (listener, bound) = listen::tcp(address).await?;
        self.tls.push((listener, identity.into()));
        Ok(bound)
    }

    /// Opens a port without TLS: for what holds no secret and asks for no credential.
    pub async fn listen_plain(&mut self, address: SocketAddr) -> Result<SocketAddr, ListenError> {
        let (listener, bound) = listen::tcp(address).await?;
        self.plain.push(listener);
        Ok(bound)
    }

    /// Opens a unix socket with mode 0600. Users other than root and the process's own are refused. A socket left by a
    /// process that is gone is replaced; the file is removed when the server stops. Needs a runtime.
    pub fn listen_unix(&mut self, path: &Path) -> Result<(), ListenError> {
        self.local.push(LocalSocket::bind(path)?);
        Ok(())
    }

    /// What it has seen; can be read while it runs and afterwards.
    pub fn counters(&self) -> Arc<Counters> {
        Arc::clone(&self.shared.counters)
    }

    /// Serves until `stop` is ready. Then accepts no more, closes idle connections, lets requests under way finish for
    /// [`Limits::shutdown_grace`] and cuts what is left.
    pub async fn run(self, stop: impl Future<Output = ()>) -> Ended {
        let (say, heard) = watch::channel(Stop::Not);
        // Each connection holds a sender: the receiver ends when the last of them is gone.
        let (alive, mut all_gone) = mpsc::channel::<Infallible>(1);
        for (listener, identity) in self.tls {
            let door = Door { shared: Arc::clone(&self.shared), stop: heard.clone(), alive: alive.clone() };
            tokio::spawn(accept_tls(door, listener, identity));
        }
        for listener in self.plain {
            let door = Door { shared: Arc::clone(&self.shared), stop: heard.clone(), alive: alive.clone() };
            tokio::spawn(accept_plain(door, listener));
        }
        for socket in self.local {
            let door = Door { shared: Arc::clone(&self.shared), stop: heard.clone(), alive: alive.clone() };
            tokio::spawn(accept_local(door, socket));
        }
        drop((heard, alive));
        stop.await;

        say.send_replace(Stop::Drain);
        if tokio::time::timeout(self.shared.limits.shutdown_grace, all_gone.recv()).await.is_ok() {
            return Ended { cut: 0 };
        }
        let cut = self.shared.counters.connections_open.get();
        say.send_replace(Stop::Now);
        let _ = tokio::time::timeout(Duration::from_secs(1), all_gone.recv()).await;
        Ended { cut }
    }
}

/// What the server wants of its connections.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Stop {
    /// Go on.
    Not,
    /// Finish the request under way, then close.
    Drain,
    /// Close.
    Now,
}

/// What all connections share.
pub(crate) struct Shared {
    pub(crate) limits: Limits,
    pub(crate) handler: Handler,
    pub(crate) fault: FaultAnswer,
    pub(crate) gate: Option<Gate>,
    pub(crate) observe: Option<Observe>,
    pub(crate) counters: Arc<Counters>,
    pub(crate) in_flight: Semaphore,
    pub(crate) body_memory: Semaphore,
    pub(crate) lingering: Arc<Semaphore>,
    pub(crate) http: http1::Builder,
    remote: Arc<Semaphore>,
    local: Arc<Semaphore>,
}

impl Shared {
    fn new(limits: Limits, handler: Handler, fault: FaultAnswer) -> Self {
        let places = |n: usize| Semaphore::new(n.min(Semaphore::MAX_PERMITS));
        let head = limits.max_header_bytes.max(8192);
        let mut http = http1::Builder::new();
        // The connection's own timer holds heads to their time.
        http.header_read_timeout(None).max_header_size(head).max_buf_size(head);
        if limits.max_headers != PARSER_HEADERS {
            http.max_headers(limits.max_headers);
        }
        Self {
            in_flight: places(limits.max_in_flight),
            body_memory: places(limits.body_memory),
            lingering: Arc::new(places(limits.max_lingering)),
            remote: Arc::new(places(limits.max_connections)),
            local: Arc::new(places(limits.max_local_connections)),
            counters: Arc::default(),
            limits,
            handler,
            fault,
            gate: None,
            observe: None,
            http,
        }
    }
}

/// What an accepting loop needs.
struct Door {
    shared: Arc<Shared>,
    stop: watch::Receiver<Stop>,
    alive: mpsc::Sender<Infallible>,
}

impl Door {
    /// Runs a connection in a task of its own, if there is a place for it; else it is dropped, which closes it.
    fn enter<F>(&self, places: &Arc<Semaphore>, connection: impl FnOnce(Arc<Shared>, watch::Receiver<Stop>) -> F)
    where
        F: Future<Output = ()> + Send + 'static,
    {
        let Ok(place) = Arc::clone(places).try_acquire_owned() else {
            return self.shared.counters.connections_turned_away.up();
        };
        self.shared.counters.connections.up();
        let served = connection(Arc::clone(&self.shared), self.stop.clone());
        let (shared, alive) = (Arc::clone(&self.shared), self.alive.clone());
        tokio::spawn(async move {
            let _open = shared.counters.connections_open.hold();
            served.await;
            drop((place, alive));
        });
    }

    /// The next connection; none when the server stops.
    async fn next<S, F>(&mut self, accept: impl Fn() -> F) -> Option<S>
    where
        F: Future<Output = io::Result<S>>,
    {
        loop {
            tokio::select! {
                biased;
                _ = self.stop.changed() => return None,
                accepted = accept() => match accepted {
                    Ok(stream) => return Some(stream),
                    Err(refused) => rest_after(&refused).await,
                },
            }
        }
    }
}

async fn accept_tls(mut door: Door, listener: TcpListener, identity: TlsIdentity) {
    while let Some((tcp, from)) = door.next(|| listener.accept()).await {
        let peer = Peer { address: Some(canonical(from)), unix_uid: None, certificates: None };
        let acceptor = TlsAcceptor::from(identity.current());
        let places = Arc::clone(&door.shared.remote);
        door.enter(&places, |shared, stop| serve_tls(shared, acceptor, tcp, peer, stop));
    }
}

async fn serve_tls(
    shared: Arc<Shared>,
    acceptor: TlsAcceptor,
    tcp: TcpStream,
    peer: Peer,
    mut stop: watch::Receiver<Stop>,
) {
    // A stop ends handshakes: nobody has asked for anything yet.
    let greeted = tokio::select! {
        biased;
        _ = stop.changed() => return,
        greeted = greet(&shared, &acceptor, tcp) => greeted,
    };
    if let Some(stream) = greeted {
        let shown = stream.get_ref().1.peer_certificates().filter(|chain| !chain.is_empty());
        let certificates = shown.map(|chain| chain.iter().map(|c| c.as_ref().to_vec()).collect());
        serve(shared, stream, Peer { certificates, ..peer }, stop).await;
    }
}

async fn accept_plain(mut door: Door, listener: TcpListener) {
    while let Some((tcp, from)) = door.next(|| listener.accept()).await {
        let peer = Peer { address: Some(canonical(from)), unix_uid: None, certificates: None };
        let places = Arc::clone(&door.shared.remote);
        door.enter(&places, |shared, stop| serve(shared, tcp, peer, stop));
    }
}

async fn accept_local(mut door: Door, socket: LocalSocket) {
    while let Some((stream, _)) = door.next(|| socket.listener.accept()).await {
        let Some(uid) = trusted_user(&stream) else {
            door.shared.counters.strangers_turned_away.up();
            continue;
        };
        let peer = Peer { address: None, unix_uid: Some(uid), certificates: None };
        let places = Arc::clone(&door.shared.local);
        door.enter(&places, |shared, stop| serve(shared, stream, peer, stop));
    }
}

/// The other end's user by SO_PEERCRED, if it is root or this process's own.
fn trusted_user(stream: &UnixStream) -> Option<u32> {
    let uid = stream.peer_cred().ok()?.uid();
    trusted(uid, rustix::process::geteuid().as_raw()).then_some(uid)
}

fn trusted(uid: u32, own: u32) -> bool {
    uid == 0 || uid == own
}

fn canonical(from: SocketAddr) -> SocketAddr {
    SocketAddr::new(from.ip().to_canonical(), from.port())
}

/// A connection that broke before it was accepted costs nothing; anything else (no descriptors left) wants a rest.
async fn rest_after(refused: &io::Error) {
    let broken = matches!(refused.kind(), io::ErrorKind::ConnectionAborted | io::ErrorKind::ConnectionReset);
    if !broken {
        tracing::warn!(error = %refused, "cannot accept connections; trying again");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_root_and_the_own_user_are_trusted() {
        assert!(trusted(0, 1000) && trusted(1000, 1000) && trusted(0, 0));
        assert!(!trusted(1001, 1000) && !trusted(1, 0));
    }

    #[test]
    fn an_ipv4_client_has_its_ipv4_address_also_on_a_dual_stack_port() {
        let mapped: SocketAddr = "[::ffff:192.0.2.1]:9".parse().unwrap();
        assert_eq!(canonical(mapped), "192.0.2.1:9".parse().unwrap());
    }
}
