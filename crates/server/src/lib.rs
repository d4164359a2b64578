//! The way in: TLS and unix-socket listeners that speak HTTP/1.1, bound what anyone can make them hold, and hand whole
//! requests to one [`Handler`]. Nothing is decided here, and no protocol's format is known: what the server has to say
//! itself it says through the embedder's [`FaultAnswer`].
//!
//! What it promises, whoever connects:
//! - long bodies are read of those only whom the embedder knows ([`Gate`])
//! - memory and connections are bounded ([`Limits`]); over a bound the answer is prompt, a close or a [`Fault`]
//! - each stage of a connection has a time limit: handshake, head, body, work, writing, idling
//! - a panic in the handler costs its own request a 500 and nothing else
//! - a stop lets requests under way finish for a grace time ([`Server::run`])
//!
//! ```no_run
//! # use std::{future::pending, sync::Arc};
//! # use keystead_server::{Fault, Handler, Limits, Response, Server, tls_config};
//! # async fn example(chain: &[u8], key: &[u8]) -> Result<(), Box<dyn std::error::Error>> {
//! let handler: Handler = Arc::new(|request, _peer, _moment| {
//!     Box::pin(async move { Response::new(request.into_body().into()) })
//! });
//! let fault = Arc::new(|fault: Fault| {
//!     let mut answer = Response::new(fault.to_string().into());
//!     *answer.status_mut() = fault.status();
//!     answer
//! });
//! let mut server = Server::new(Limits::default(), handler, fault);
//! server.listen_tls("[::]:8443".parse()?, tls_config(chain, key)?).await?;
//! server.run(pending()).await;
//! # Ok(()) }
//! ```
//!
//! - `server`: listeners, accepting, shutdown    - `connection`: one connection from greeting to close
//! - `exchange`: one request                     - `pace`: what a connection is doing and since when
//! - `fetch`, `blob`: the way out                - `client_auth`: certificates of clients
//! - `tls`, `listen`, `limits`, `counters`, `fault`, `clock`

#![cfg_attr(test, allow(clippy::arithmetic_side_effects, clippy::disallowed_methods))]

mod blob;
mod client_auth;
mod clock;
mod connection;
mod counters;
mod exchange;
mod fault;
mod fetch;
mod limits;
mod listen;
mod pace;
mod server;
mod tls;

use std::future::Future;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;

use bytes::Bytes;
use http_body_util::Full;
pub use keystead_model::Moment;

pub use blob::{BlobError, Blobs};
pub use counters::{Counters, Counts};
pub use fault::{Fault, FaultAnswer};
pub use fetch::{FetchError, Fetcher, Outgoing};
pub use limits::Limits;
pub use listen::ListenError;
pub use server::{Ended, Server};
pub use tls::{TlsError, TlsIdentity, tls_config};

/// A request with its whole body, which is at most [`Limits::max_body`] long.
pub type Request = hyper::Request<Bytes>;

/// An answer. `date`, `content-length` and `connection` are added by the server.
pub type Response = hyper::Response<Full<Bytes>>;

/// What a handler returns.
pub type BoxFuture<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// Answers requests. The moment is when the whole request was there, with the deadline it has from then on. The future
/// is dropped when the client hangs up: work that must end is spawned by whoever does it.
pub type Handler = Arc<dyn Fn(Request, Peer, Moment) -> BoxFuture<'static, Response> + Send + Sync>;

/// What becomes of a request whose body is longer than [`Limits::free_body`].
pub enum Verdict {
    /// The rest of its body is read.
    Read,
    /// It is not: it is answered 413.
    TooLong,
    /// It is not: this is the answer.
    Answer(Response),
}

/// Asked with the head of a request before more than [`Limits::free_body`] of its body is read, so that nobody who is
/// unknown makes the server take in and keep long bodies.
pub type Gate = Arc<dyn Fn(Request, Peer, Moment) -> BoxFuture<'static, Verdict> + Send + Sync>;

/// Is told of each answer before it is written. Must be quick and must not panic.
pub type Observe = Arc<dyn Fn(&Seen<'_>) + Send + Sync>;

/// An answered request: nothing in it that the client sent.
pub struct Seen<'a> {
    /// Who asked.
    pub peer: Peer,
    /// The answer, with whatever the handler left in its extensions.
    pub answer: &'a Response,
    /// Why the answer is the server's own, if it is.
    pub fault: Option<Fault>,
    /// From the head of the request to here.
    pub took: std::time::Duration,
}

/// Who is at the other end, as far as the transport knows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Peer {
    /// The network address (IPv4 never in its IPv6-mapped form); none on the unix socket.
    pub address: Option<SocketAddr>,
    /// The user at the other end of the unix socket, as the kernel says: root or this process's own user.
    pub unix_uid: Option<u32>,
    /// Certificates whose key the other end holds, its own first, in DER. Nobody has looked at what they say.
    pub certificates: Option<Arc<[Vec<u8>]>>,
}

/// Entry points for the fuzz targets: none of them may panic.
#[doc(hidden)]
pub mod fuzz {
    /// Reads the input as both halves of a TLS identity.
    pub fn tls_identity(input: &[u8]) {
        let (chain, key) = input.split_at(input.len() / 2);
        let _ = crate::tls_config(chain, key);
        let _ = crate::tls_config(input, input);
    }
}
