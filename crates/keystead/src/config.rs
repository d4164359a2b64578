//! What `serve` reads. Unknown and contradictory settings are refused with file and line.

use crate::exit::Failure;
use crate::hsm;
use crate::hsm::settings::HsmSection;
use crate::paths::{self, PathSection};
use crate::syslog::Target;
use crate::watch::log::{Form, Level};
use crate::watch::traces::Settings;
use keystead_engine::{Bounds, Rate, Share};
use keystead_server::Limits;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use std::io;
use std::net::SocketAddr;
use std::num::NonZeroU32;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Component, Path, PathBuf};
use std::time::Duration;
use toml::Spanned;

/// The whole file.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Config {
    pub(crate) node: NodeSection,
    pub(crate) listen: ListenSection,
    pub(crate) custody: Option<CustodySection>,
    /// `[[path]]`
    #[serde(default)]
    pub(crate) path: Vec<Spanned<PathSection>>,
    #[serde(default)]
    pub(crate) audit: AuditSection,
    #[serde(default)]
    pub(crate) limits: LimitsSection,
    #[serde(default)]
    pub(crate) log: LogSection,
    #[serde(default)]
    pub(crate) metrics: MetricsSection,
    pub(crate) traces: Option<TracesSection>,
    #[serde(default)]
    pub(crate) outgoing: OutgoingSection,
    #[serde(default)]
    pub(crate) backup: BackupSection,
    /// `[[hsm]]`
    #[serde(default)]
    pub(crate) hsm: Vec<Spanned<HsmSection>>,
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
    /// A copy of every record's clear part, one RFC 5424 message each.
    pub(crate) syslog: Option<Target>,
    /// CAs of a syslog daemon behind TLS, besides the system's.
    pub(crate) syslog_ca: Option<Spanned<PathBuf>>,
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
    pub(crate) caller_requests_per_second: Option<Spanned<NonZeroU32>>,
    pub(crate) caller_requests_at_once: Option<Spanned<NonZeroU32>>,
    pub(crate) vault_requests_per_second: Option<NonZeroU32>,
    pub(crate) vault_requests_at_once: Option<NonZeroU32>,
    pub(crate) wrong_proofs_per_second: Option<NonZeroU32>,
}

/// A file with `[limits]` and nothing else, for `dev`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct LimitsFile {
    limits: LimitsSection,
}

impl LimitsSection {
    /// What the server holds and how long it waits.
    pub(crate) fn server(&self) -> Limits {
        let default = Limits::default();
        Limits {
            max_connections: self.max_connections.unwrap_or(default.max_connections),
            max_body: self.max_body_bytes.unwrap_or(default.max_body),
            request_deadline: self.request_deadline_ms.map_or(Duration::from_secs(10), Duration::from_millis),
            ..default
        }
    }

    /// How much is let in to vaults.
    pub(crate) fn bounds(&self) -> Bounds {
        let Bounds { caller, vault, wrong_proofs } = Bounds::default();
        let plain = |set: &Option<Spanned<NonZeroU32>>| set.as_ref().map(|set| *set.get_ref());
        Bounds {
            caller: share(caller, plain(&self.caller_requests_per_second), plain(&self.caller_requests_at_once)),
            vault: share(vault, self.vault_requests_per_second, self.vault_requests_at_once),
            wrong_proofs: self.wrong_proofs_per_second.map_or(wrong_proofs, |set| rate(set, 10)),
        }
    }

    /// A caller must not be able to take all of its vault's share.
    fn check(&self) -> Result<(), (usize, String)> {
        let Bounds { caller, vault, .. } = self.bounds();
        let told = |set: &Option<Spanned<NonZeroU32>>, caller: u32, vault: u32, unit: &str| match set {
            Some(set) if caller > vault => {
                let what = format!(
                    "one caller may have {caller} requests {unit}, and its vault only {vault}: raise the vault's"
                );
                Err((set.span().start, what))
            }
            _ => Ok(()),
        };
        told(&self.caller_requests_per_second, caller.rate.per_second, vault.rate.per_second, "per second")?;
        told(&self.caller_requests_at_once, caller.at_once, vault.at_once, "at once")
    }
}

fn share(default: Share, per_second: Option<NonZeroU32>, at_once: Option<NonZeroU32>) -> Share {
    Share {
        rate: per_second.map_or(default.rate, |set| rate(set, 2)),
        at_once: at_once.map_or(default.at_once, NonZeroU32::get),
    }
}

/// After a rest, what so many seconds would bring comes at one go.
fn rate(per_second: NonZeroU32, seconds: u32) -> Rate {
    Rate { per_second: per_second.get(), burst: per_second.get().saturating_mul(seconds) }
}

/// `[log]`
#[derive(Debug, Clone, Copy, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct LogSection {
    #[serde(default)]
    pub(crate) level: Level,
    #[serde(default)]
    pub(crate) format: Form,
}

/// `[metrics]`
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct MetricsSection {
    /// A plain port on this machine; absent: none.
    pub(crate) listen: Option<Spanned<SocketAddr>>,
}

/// `[traces]`
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct TracesSection {
    /// A collector's OTLP/HTTP address.
    pub(crate) otlp: String,
    /// Of the requests that bring no trace of their own.
    pub(crate) ratio: Option<Spanned<f64>>,
}

impl TracesSection {
    pub(crate) fn settings(&self) -> Settings {
        Settings { otlp: self.otlp.clone(), ratio: self.ratio.as_ref().map_or(1.0, |r| *r.get_ref()) }
    }
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

/// `[backup]`: where backups of whole vaults may be.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct BackupSection {
    /// A directory of the server's; none if absent.
    pub(crate) directory: Option<Spanned<PathBuf>>,
    /// Hosts of object stores; none if absent.
    #[serde(default)]
    pub(crate) hosts: Vec<String>,
}

/// Reads and checks a file.
pub(crate) fn read(file: &Path) -> Result<Config, Failure> {
    read_as(file, parse)
}

/// A file with `[[hsm]]` and nothing else, for `dev` and for probing.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct HsmFile {
    hsm: Vec<Spanned<HsmSection>>,
}

/// Reads and checks a file with `[[hsm]]` alone.
pub(crate) fn read_hsm(file: &Path) -> Result<Vec<HsmSection>, Failure> {
    read_as(file, |text| {
        let HsmFile { hsm } = toml(text)?;
        hsm::settings::check(&hsm).map_err(|(at, what)| (line(text, at), what))?;
        Ok(hsm.into_iter().map(Spanned::into_inner).collect())
    })
}

/// Reads and checks a file with `[limits]` alone.
pub(crate) fn read_limits(file: &Path) -> Result<LimitsSection, Failure> {
    read_as(file, |text| {
        let LimitsFile { limits } = toml(text)?;
        limits.check().map_err(|(at, what)| (line(text, at), what))?;
        Ok(limits)
    })
}

fn read_as<T>(file: &Path, parse: impl FnOnce(&str) -> Result<T, (usize, String)>) -> Result<T, Failure> {
    let text = std::fs::read_to_string(file)
        .map_err(|e| Failure::usage(format!("cannot read the configuration {}: {e}", file.display())))?;
    parse(&text).map_err(|(line, what)| Failure::usage(format!("{}:{line}: {what}", file.display())))
}

pub(crate) fn parse(text: &str) -> Result<Config, (usize, String)> {
    let config: Config = toml(text)?;
    check(&config).map_err(|(at, what)| (line(text, at), what))?;
    Ok(config)
}

fn toml<T: DeserializeOwned>(text: &str) -> Result<T, (usize, String)> {
    toml::from_str(text).map_err(|e| (e.span().map_or(1, |s| line(text, s.start)), e.message().trim().to_owned()))
}

fn check(config: &Config) -> Result<(), (usize, String)> {
    let data = config.node.data.get_ref();
    if config.listen.tls.get_ref().is_empty() {
        let what = "listen.tls names no address: the server would answer nowhere";
        return Err((config.listen.tls.span().start, what.to_owned()));
    }
    if let Some(custody) = &config.custody {
        let what = "custody.key_file lies in the store's directory: a copy of the store would open itself";
        outside(custody.key_file.get_ref(), &data.join("store"), custody.key_file.span().start, what)?;
    }
    if let Some(sink) = &config.audit.sink_file {
        let what = "audit.sink_file lies in the journal's directory: a copy must stand elsewhere";
        outside(sink.get_ref(), &data.join("audit"), sink.span().start, what)?;
    }
    if let Some(directory) = &config.backup.directory {
        let what = "backup.directory lies in the store's directory: a backup must stand elsewhere";
        let (directory, at) = (directory.get_ref(), directory.span().start);
        outside(directory, &data.join("store"), at, what)?;
        let what = "backup.directory lies in the journal's directory: a backup must stand elsewhere";
        outside(directory, &data.join("audit"), at, what)?;
    }
    check_watched(config)?;
    hsm::settings::check(&config.hsm)?;
    let custody = config.custody.as_ref().map(|custody| custody.key_file.get_ref().as_path());
    paths::check(&config.path, &config.hsm, &data.join("store"), custody)?;
    config.limits.check()
}

/// What shows the server to others.
fn check_watched(config: &Config) -> Result<(), (usize, String)> {
    if let Some(ca) = &config.audit.syslog_ca
        && !matches!(config.audit.syslog, Some(Target::Tls(..)))
    {
        let what = "audit.syslog_ca is for audit.syslog = \"tls://...\", which is not set: it would do nothing";
        return Err((ca.span().start, what.to_owned()));
    }
    if let Some(address) = &config.metrics.listen
        && !address.get_ref().ip().is_loopback()
    {
        let what = "metrics.listen is not a loopback address: the port has no TLS and asks for no credential";
        return Err((address.span().start, what.to_owned()));
    }
    if let Some(ratio) = config.traces.as_ref().and_then(|t| t.ratio.as_ref())
        && !(0.0..=1.0).contains(ratio.get_ref())
    {
        return Err((ratio.span().start, "traces.ratio is from 0.0 to 1.0".to_owned()));
    }
    Ok(())
}

/// Refuses a file under a directory, wherever links and `..` lead, and whether or not either is there yet.
pub(crate) fn outside(file: &Path, directory: &Path, at: usize, what: &str) -> Result<(), (usize, String)> {
    if lead(file, at)?.starts_with(lead(directory, at)?) {
        return Err((at, what.to_owned()));
    }
    Ok(())
}

/// Whether two names are those of one file, through links of either sort.
pub(crate) fn same(one: &Path, other: &Path, at: usize) -> Result<bool, (usize, String)> {
    let inode = |path: &Path| std::fs::metadata(path).ok().map(|found| (found.dev(), found.ino()));
    Ok(lead(one, at)? == lead(other, at)? || inode(one).is_some_and(|found| Some(found) == inode(other)))
}

fn lead(path: &Path, at: usize) -> Result<PathBuf, (usize, String)> {
    let cannot = |e| (at, format!("cannot tell where {} leads: {e}; name it without links", path.display()));
    resolved(path, LINKS).map_err(cannot)
}

/// Most links followed that lead to something which is not there yet.
const LINKS: u8 = 40;

/// Where a path leads. Of what is not there yet, the part that is there is resolved.
fn resolved(path: &Path, links: u8) -> io::Result<PathBuf> {
    let mut found = PathBuf::new();
    for component in std::path::absolute(path)?.components() {
        match component {
            Component::ParentDir => drop(found.pop()),
            Component::CurDir => {}
            Component::RootDir | Component::Prefix(_) => found.push(component),
            Component::Normal(name) => found = step(&found.join(name), links)?,
        }
    }
    Ok(found)
}

/// One component further from a directory that is resolved already.
fn step(next: &Path, links: u8) -> io::Result<PathBuf> {
    match next.canonicalize() {
        Err(e) if e.kind() == io::ErrorKind::NotFound => {}
        other => return other,
    }
    // Not there, or a link to what is not: that may come to be.
    let Ok(target) = next.read_link() else { return Ok(next.to_owned()) };
    let links = links.checked_sub(1).ok_or_else(|| io::Error::other("too many links"))?;
    resolved(&next.parent().unwrap_or(Path::new("/")).join(target), links)
}

fn line(text: &str, at: usize) -> usize {
    text.get(..at).unwrap_or(text).matches('\n').count().saturating_add(1)
}

#[cfg(test)]
mod tests;
