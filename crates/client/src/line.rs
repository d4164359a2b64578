//! A TLS connection for bytes that go one way, without a runtime: for the thread of an audit sink.

use std::io::{self, Write};
use std::net::{TcpStream, ToSocketAddrs as _};
use std::sync::Arc;
use std::time::Duration;

use rustls::{ClientConfig, ClientConnection, StreamOwned};
use rustls_pki_types::ServerName;

use crate::{ClientError, tls};

/// Whom to trust at the other end.
#[derive(Clone)]
pub struct Trust(Arc<ClientConfig>);

impl Trust {
    /// The system's CAs, and these in PEM.
    pub fn new(ca_pem: Option<&[u8]>) -> Result<Self, ClientError> {
        // No protocol is negotiated: this is not HTTP.
        let mut config = ClientConfig::clone(&*tls::client_config(ca_pem)?);
        config.alpn_protocols = Vec::new();
        Ok(Self(Arc::new(config)))
    }
}

/// Connects in plain. Each address, and each write later, has this long.
pub fn tcp_line(host: &str, port: u16, patience: Duration) -> io::Result<TcpStream> {
    let mut failed = io::Error::new(io::ErrorKind::NotFound, "the name has no address");
    for address in (host, port).to_socket_addrs()? {
        match TcpStream::connect_timeout(&address, patience) {
            Ok(stream) => {
                stream.set_write_timeout(Some(patience))?;
                stream.set_read_timeout(Some(patience))?;
                return Ok(stream);
            }
            Err(why) => failed = why,
        }
    }
    Err(failed)
}

/// Connects and verifies the other end's certificate before it returns.
pub fn tls_line(host: &str, port: u16, trust: &Trust, patience: Duration) -> io::Result<impl Write + Send + 'static> {
    let name = ServerName::try_from(host.to_owned()).map_err(io::Error::other)?;
    let mut connection = ClientConnection::new(Arc::clone(&trust.0), name).map_err(io::Error::other)?;
    let mut tcp = tcp_line(host, port, patience)?;
    while connection.is_handshaking() {
        connection.complete_io(&mut tcp)?;
    }
    Ok(StreamOwned::new(connection, tcp))
}
