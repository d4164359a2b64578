//! What `serve` reads. Unknown and contradictory settings are refused with file and line.

use crate::exit::Failure;
use serde::Deserialize;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use toml::Spanned;

/// The whole file.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Config {
    pub(crate) node: NodeSection,
    pub(crate) listen: ListenSection,
    pub(crate) custody: Option<CustodySection>,
    #[serde(default)]
    pub(crate) audit: AuditSection,
    #[serde(default)]
    pub(crate) limits: LimitsSection,
    #[serde(default)]
    pub(crate) outgoing: OutgoingSection,
}

/// `[node]`
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct NodeSection {
    /// Directory of store, journal and node key.
    pub(crate) data: Spanned<PathBuf>,
}

/// `[listen]`
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct ListenSection {
    /// Addresses of the API.
    pub(crate) tls: Spanned<Vec<SocketAddr>>,
    /// Certificate chain, PEM, leaf first.
    pub(crate) certificate: PathBuf,
    /// Its private key, PEM.
    pub(crate) private_key: PathBuf,
    /// The operator's socket; default: `operator.sock` in the data directory.
    pub(crate) operator_socket: Option<PathBuf>,
}

/// `[custody]`
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct CustodySection {
    /// 32 random bytes, for the owner alone, outside the store's directory.
    pub(crate) key_file: Spanned<PathBuf>,
}

/// `[audit]`
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct AuditSection {
    /// A copy of every record, one JSON line each.
    pub(crate) sink_file: Option<Spanned<PathBuf>>,
    /// Most bytes of the journal; absent: the disk.
    pub(crate) max_bytes: Option<u64>,
}

/// `[limits]`
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct LimitsSection {
    pub(crate) max_connections: Option<usize>,
    pub(crate) max_body_bytes: Option<usize>,
    pub(crate) request_deadline_ms: Option<u64>,
}

/// `[outgoing]`: where the node may go, never whom a vault believes.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct OutgoingSection {
    /// Hosts that may be asked for issuers' keys; none if absent.
    #[serde(default)]
    pub(crate) hosts: Vec<String>,
    /// CA certificates in PEM, trusted besides the system's.
    pub(crate) ca: Option<PathBuf>,
    /// `host:port` of an HTTP proxy.
    pub(crate) proxy: Option<String>,
}

/// Reads and checks a file.
pub(crate) fn read(file: &Path) -> Result<Config, Failure> {
    let text = std::fs::read_to_string(file)
        .map_err(|e| Failure::usage(format!("cannot read the configuration {}: {e}", file.display())))?;
    parse(&text).map_err(|(line, what)| Failure::usage(format!("{}:{line}: {what}", file.display())))
}

fn parse(text: &str) -> Result<Config, (usize, String)> {
    let config: Config = toml::from_str(text)
        .map_err(|e| (e.span().map_or(1, |s| line(text, s.start)), e.message().trim().to_owned()))?;
    check(&config).map_err(|(at, what)| (line(text, at), what))?;
    Ok(config)
}

fn check(config: &Config) -> Result<(), (usize, String)> {
    let data = config.node.data.get_ref();
    if config.listen.tls.get_ref().is_empty() {
        let what = "listen.tls names no address: the server would answer nowhere";
        return Err((config.listen.tls.span().start, what.to_owned()));
    }
    if let Some(custody) = &config.custody
        && custody.key_file.get_ref().starts_with(data.join("store"))
    {
        let what = "custody.key_file lies in the store's directory: a copy of the store would open itself";
        return Err((custody.key_file.span().start, what.to_owned()));
    }
    if let Some(sink) = &config.audit.sink_file
        && sink.get_ref().starts_with(data.join("audit"))
    {
        let what = "audit.sink_file lies in the journal's directory: a copy must stand elsewhere";
        return Err((sink.span().start, what.to_owned()));
    }
    Ok(())
}

fn line(text: &str, at: usize) -> usize {
    text.get(..at).unwrap_or(text).matches('\n').count().saturating_add(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    const EXAMPLE: &str = include_str!("../../../docs/keystead.example.toml");

    #[test]
    fn the_commented_example_is_a_configuration() {
        parse(EXAMPLE).unwrap();
    }

    #[test]
    fn unknown_settings_are_refused_with_their_line() {
        let text = EXAMPLE.replace("[limits]", "[limits]\nmax_conections = 5");
        let (at, what) = parse(&text).unwrap_err();
        assert_eq!(text.lines().nth(at - 1).unwrap(), "max_conections = 5");
        assert!(what.contains("max_conections"), "{what}");
    }

    #[test]
    fn a_path_key_inside_the_store_is_refused_with_its_line() {
        let text = EXAMPLE.replace("/etc/keystead/path.key", "/var/lib/keystead/store/path.key");
        let (at, what) = parse(&text).unwrap_err();
        assert!(text.lines().nth(at - 1).unwrap().contains("key_file"), "{at}");
        assert!(what.contains("would open itself"), "{what}");
    }

    #[test]
    fn any_text_is_a_configuration_or_an_error_with_a_line_of_it() {
        let mut seed = 1u32;
        for _ in 0..3000 {
            let mut text = EXAMPLE.as_bytes().to_vec();
            for _ in 0..3 {
                seed = seed.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                let at = seed as usize % text.len();
                text[at] = (seed >> 24) as u8 & 0x7f;
            }
            let text = String::from_utf8_lossy(&text).into_owned();
            if let Err((at, _)) = parse(&text) {
                assert!(at >= 1 && at <= text.lines().count() + 1);
            }
        }
    }
}
