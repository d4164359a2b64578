//! What a server holds and how long it waits.

use std::time::Duration;

/// Bounds of one [`Server`](crate::Server). All are hard; memory held for clients is at most about
/// `max_connections * (max_header_bytes + free_body + TLS buffers) + body_memory`.
#[derive(Debug, Clone)]
pub struct Limits {
    /// Connections over TCP at once; one more is accepted and closed.
    pub max_connections: usize,
    /// Connections over the unix socket at once: kept apart, so that a flood cannot lock the operator out.
    pub max_local_connections: usize,
    /// Requests of TCP clients in the handler at once; one more is answered [`Fault::Busy`](crate::Fault::Busy).
    pub max_in_flight: usize,
    /// Bytes of one request's body.
    pub max_body: usize,
    /// Bytes of a body that anybody may send; more is read only if the [`Gate`](crate::Gate) says so.
    pub free_body: usize,
    /// Bytes of all bodies being received, beyond the free ones of each.
    pub body_memory: usize,
    /// Refused bodies at once whose rest is read and thrown away, so that their senders can read the refusal; others'
    /// connections are closed.
    pub max_lingering: usize,
    /// Bytes of request line and headers, at least 8,192; more is answered 431.
    pub max_header_bytes: usize,
    /// Number of headers; more is answered 431. 100 is the fastest to parse.
    pub max_headers: usize,
    /// From accepting to the end of the TLS handshake.
    pub handshake_timeout: Duration,
    /// From a head's first byte (or the handshake's end) to its last.
    pub header_read_timeout: Duration,
    /// From a head's end to the body's.
    pub body_timeout: Duration,
    /// What a handler gets as its deadline.
    pub request_deadline: Duration,
    /// How far past its deadline a handler may answer before the server does.
    pub overrun: Duration,
    /// From an answer's start to its last byte taken by the network.
    pub write_timeout: Duration,
    /// How long a connection may rest between two requests.
    pub idle_timeout: Duration,
    /// What requests under way get when the server stops.
    pub shutdown_grace: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            max_connections: 1024,
            max_local_connections: 32,
            max_in_flight: 512,
            max_body: 1 << 20,
            free_body: 32 << 10,
            body_memory: 64 << 20,
            max_lingering: 64,
            max_header_bytes: 32 << 10,
            max_headers: 100,
            handshake_timeout: Duration::from_secs(10),
            header_read_timeout: Duration::from_secs(10),
            body_timeout: Duration::from_secs(10),
            request_deadline: Duration::from_secs(30),
            overrun: Duration::from_secs(2),
            write_timeout: Duration::from_secs(10),
            idle_timeout: Duration::from_secs(75),
            shutdown_grace: Duration::from_secs(10),
        }
    }
}
