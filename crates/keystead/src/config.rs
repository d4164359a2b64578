//! What `serve` reads. Unknown and contradictory settings are refused with file and line.

use crate::exit::Failure;
use keystead_engine::{Bounds, Rate, Share};
use keystead_server::Limits;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use std::net::SocketAddr;
use std::num::NonZeroU32;
use std::path::{Path, PathBuf};
use std::time::Duration;
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

/// Reads and checks a file.
pub(crate) fn read(file: &Path) -> Result<Config, Failure> {
    read_as(file, parse)
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

fn parse(text: &str) -> Result<Config, (usize, String)> {
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
    config.limits.check()
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
    fn the_example_shows_the_defaults() {
        let shown = EXAMPLE.split("[limits]").nth(1).unwrap().replace("\n# ", "\n");
        let lines = shown.lines().filter(|line| line.split_once(" = ").is_some_and(|(name, _)| !name.contains(' ')));
        let text = format!("[limits]\n{}", lines.collect::<Vec<_>>().join("\n"));
        let LimitsFile { limits } = toml(&text).unwrap();
        assert_eq!((limits.bounds(), text.lines().count()), (Bounds::default(), 9), "{text}");
        let (shown, default) = (limits.server(), LimitsSection::default().server());
        assert_eq!(format!("{shown:?}"), format!("{default:?}"));
    }

    #[test]
    fn bounds_that_cannot_be_are_refused_with_their_line() {
        for (set, part) in [
            ("caller_requests_per_second = 0", "nonzero"),
            ("caller_requests_per_second = 50000", "raise the vault's"),
            ("caller_requests_at_once = 500", "raise the vault's"),
            ("wrong_proofs_per_second = -1", "-1"),
            ("burst = 5", "burst"),
        ] {
            let text = EXAMPLE.replace("[limits]", &format!("[limits]\n{set}"));
            let (at, what) = parse(&text).unwrap_err();
            assert_eq!(text.lines().nth(at - 1).unwrap(), set);
            assert!(what.contains(part), "{what}");
        }
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
