//! Words about vaults.

use std::fmt;
use std::str::FromStr;

/// What a vault holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum VaultKind {
    /// Keys of either protection, as Azure Key Vault.
    Vault,
    /// HSM keys only, as Azure Managed HSM.
    Hsm,
}

impl VaultKind {
    /// `vault` or `hsm`, as in configuration and listings.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Vault => "vault",
            Self::Hsm => "hsm",
        }
    }

    /// The kind of this name.
    pub fn from_name(name: &str) -> Option<Self> {
        [Self::Vault, Self::Hsm].into_iter().find(|kind| kind.name() == name)
    }
}

impl fmt::Display for VaultKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// The state that is stored: an unsealed vault is `Active`; whether it is open on this node is not stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum VaultStatus {
    /// Created, not yet given a root (an HSM vault before its HSM is configured).
    Inactive,
    /// Has a root; opens at start where a path allows.
    Active,
    /// Sealed by command; stays sealed over restarts until unsealed by command.
    Sealed,
    /// Deleted, recoverable until its retention ends.
    Deleted,
}

impl VaultStatus {
    /// The word in listings.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Inactive => "inactive",
            Self::Active => "active",
            Self::Sealed => "sealed",
            Self::Deleted => "deleted",
        }
    }
}

/// Text that cannot be an authority.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BadAuthority;

impl fmt::Display for BadAuthority {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an authority is host or host:port, in lower case, without scheme, path or user")
    }
}

impl std::error::Error for BadAuthority {}

/// `host` or `host:port`, lower case; port 443 is never written.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Authority(String);

impl Authority {
    /// As in a URL after `https://`.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The host, without the port (IPv6 keeps its brackets).
    pub fn host(&self) -> &str {
        split_port(&self.0).0
    }

    /// The port, if it is not 443.
    pub fn port(&self) -> Option<u16> {
        split_port(&self.0).1.and_then(|p| p.parse().ok())
    }
}

fn split_port(text: &str) -> (&str, Option<&str>) {
    match text.rsplit_once(':') {
        Some((host, port)) if !port.contains(']') => (host, Some(port)),
        _ => (text, None),
    }
}

impl FromStr for Authority {
    type Err = BadAuthority;

    fn from_str(text: &str) -> Result<Self, BadAuthority> {
        let lower = text.to_ascii_lowercase();
        let (host, port) = split_port(&lower);
        let bracketed = host.starts_with('[') && host.ends_with(']');
        let good_host = (1..=253).contains(&host.len())
            && host.bytes().all(|b| {
                b.is_ascii_alphanumeric() || b == b'-' || b == b'.' || (bracketed && matches!(b, b'[' | b']' | b':'))
            });
        if !good_host {
            return Err(BadAuthority);
        }
        match port.map(|p| (p.len() <= 5, p.parse::<u16>())) {
            None | Some((true, Ok(443))) => Ok(Self(host.to_owned())),
            Some((true, Ok(port))) if port != 0 => Ok(Self(format!("{host}:{port}"))),
            Some(_) => Err(BadAuthority),
        }
    }
}

impl fmt::Display for Authority {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn authorities_are_normal_forms() {
        for (text, normal) in
            [("Dev.LocalHost:8443", "dev.localhost:8443"), ("a.example:443", "a.example"), ("[::1]:9", "[::1]:9")]
        {
            assert_eq!(text.parse::<Authority>().unwrap().as_str(), normal);
        }
    }

    #[test]
    fn what_is_not_an_authority_is_refused() {
        for text in ["", "a/b", "a:0", "a:99999", "u@h", "a b", "a:", "https://a", ":1", "a:b:1"] {
            assert_eq!(text.parse::<Authority>(), Err(BadAuthority), "{text}");
        }
    }
}
