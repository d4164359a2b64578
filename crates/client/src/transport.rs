//! Where a server is, and how to open a connection to it.

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::path::PathBuf;
use std::sync::Arc;

use keystead_model::Authority;
use rustls::ClientConfig;
use rustls_pki_types::ServerName;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpStream, UnixStream, lookup_host};
use tokio_rustls::TlsConnector;

use crate::ClientError;

/// A stream of either kind. Boxed once per connection.
pub(crate) trait Stream: AsyncRead + AsyncWrite + Unpin + Send {}
impl<S: AsyncRead + AsyncWrite + Unpin + Send> Stream for S {}

/// A server.
#[derive(Clone)]
pub(crate) enum Place {
    /// Over TLS.
    Tls { authority: Authority, config: Arc<ClientConfig> },
    /// In plain, for what needs no credential.
    Plain { host: String, port: u16, name: String },
    /// On this machine.
    Unix(PathBuf),
}

impl Place {
    /// For errors.
    pub(crate) fn name(&self) -> String {
        match self {
            Self::Tls { authority, .. } => authority.to_string(),
            Self::Plain { name, .. } => name.clone(),
            Self::Unix(path) => path.display().to_string(),
        }
    }

    /// What stands in `Host`.
    pub(crate) fn host(&self) -> &str {
        match self {
            Self::Tls { authority, .. } => authority.as_str(),
            Self::Plain { name, .. } => name,
            Self::Unix(_) => "localhost",
        }
    }

    /// A new connection, its certificate verified.
    pub(crate) async fn connect(&self) -> Result<Box<dyn Stream>, ClientError> {
        let failed = |source| ClientError::Connect { to: self.name(), source };
        match self {
            Self::Unix(path) => Ok(Box::new(UnixStream::connect(path).await.map_err(failed)?)),
            Self::Plain { host, port, .. } => {
                let host = host.trim_start_matches('[').trim_end_matches(']');
                let tcp = connect_first(&addresses(host, *port).await.map_err(failed)?).await.map_err(failed)?;
                let _ = tcp.set_nodelay(true);
                Ok(Box::new(tcp))
            }
            Self::Tls { authority, config } => {
                let host = authority.host().trim_start_matches('[').trim_end_matches(']');
                let port = authority.port().unwrap_or(443);
                let tcp = connect_first(&addresses(host, port).await.map_err(failed)?).await.map_err(failed)?;
                let _ = tcp.set_nodelay(true);
                let distrusted = |source| ClientError::Tls { to: self.name(), source };
                let name =
                    ServerName::try_from(host.to_owned()).map_err(|wrong| distrusted(io::Error::other(wrong)))?;
                let connector = TlsConnector::from(Arc::clone(config));
                Ok(Box::new(connector.connect(name, tcp).await.map_err(distrusted)?))
            }
        }
    }
}

/// The authority of `https://host[:port]`, with at most a slash after it.
pub(crate) fn https_authority(url: &str) -> Result<Authority, ClientError> {
    let bad = |why| ClientError::BadUrl { url: url.to_owned(), why };
    let rest = url.strip_prefix("https://").ok_or_else(|| bad("it does not begin with https://"))?;
    let rest = rest.strip_suffix('/').unwrap_or(rest);
    if rest.contains(['/', '?', '#']) {
        return Err(bad("it has more than a host and a port"));
    }
    rest.parse().map_err(|_| bad("its host or port is not valid"))
}

/// `localhost` and names below it are this machine, whatever any resolver says (RFC 6761, section 6.3).
fn is_this_machine(host: &str) -> bool {
    host == "localhost" || host.ends_with(".localhost")
}

async fn addresses(host: &str, port: u16) -> io::Result<Vec<SocketAddr>> {
    let at = |ip: IpAddr| SocketAddr::new(ip, port);
    if is_this_machine(host) {
        return Ok(vec![at(Ipv4Addr::LOCALHOST.into()), at(Ipv6Addr::LOCALHOST.into())]);
    }
    match host.parse::<IpAddr>() {
        Ok(ip) => Ok(vec![at(ip)]),
        Err(_) => Ok(lookup_host((host, port)).await?.collect()),
    }
}

/// The first address that answers; else why the last did not.
async fn connect_first(addresses: &[SocketAddr]) -> io::Result<TcpStream> {
    let mut failed = io::Error::new(io::ErrorKind::NotFound, "the name has no address");
    for address in addresses {
        match TcpStream::connect(address).await {
            Ok(stream) => return Ok(stream),
            Err(why) => failed = why,
        }
    }
    Err(failed)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_vaults_url_is_https_with_a_host_and_no_path() {
        assert_eq!(https_authority("https://Dev.localhost:8443/").unwrap().as_str(), "dev.localhost:8443");
        assert_eq!(https_authority("https://a.example:443").unwrap().as_str(), "a.example");
        for url in
            ["", "http://a", "a.example", "https://", "https://a/b", "https://a?x", "https://u:p@a", "https://a#"]
        {
            assert!(matches!(https_authority(url), Err(ClientError::BadUrl { .. })), "{url}");
        }
    }

    #[tokio::test]
    async fn localhost_names_are_never_looked_up() {
        for host in ["localhost", "dev.localhost", "a.b.localhost"] {
            let found = addresses(host, 7).await.unwrap();
            assert!(found.len() == 2 && found.iter().all(|a| a.ip().is_loopback() && a.port() == 7), "{host}");
        }
        assert!(!is_this_machine("notlocalhost") && !is_this_machine("localhost.example"));
        assert_eq!(addresses("::1", 7).await.unwrap(), ["[::1]:7".parse().unwrap()]);
    }
}
