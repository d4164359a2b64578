//! What the listener knows of the other end, beside its address.

use std::sync::Arc;

/// The certificates with which the client proved itself in the TLS handshake, its own first, in DER. The embedder puts
/// them into a request's extensions, which nothing that is sent can reach.
#[derive(Debug, Clone)]
pub struct ClientCertificates(pub Arc<[Vec<u8>]>);
