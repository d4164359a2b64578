//! How a vault asks for a token, and which such requests are followed.

use keystead_model::Authority;

use crate::ClientError;
use crate::transport::https_authority;

/// `Bearer authorization="https://{authority}/{tenant}", resource="https://{domain}"`, as Key Vault sends it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Challenge {
    /// Who gives tokens.
    pub(crate) authority: Authority,
    /// One path segment.
    pub(crate) tenant: String,
    /// What the token is for, without a slash at its end.
    pub(crate) resource: String,
}

impl Challenge {
    /// Reads a `WWW-Authenticate` header.
    pub(crate) fn parse(header: &str) -> Result<Self, ClientError> {
        let (scheme, rest) = header.trim().split_once(' ').ok_or_else(|| bad("it names no authority"))?;
        if !scheme.eq_ignore_ascii_case("Bearer") {
            return Err(bad("it is not for a bearer token"));
        }
        let value = |name: &str| {
            let pairs = rest.split(',').filter_map(|pair| pair.trim().split_once('='));
            let mut found = pairs.filter(|(n, _)| n.eq_ignore_ascii_case(name));
            found.next().map(|(_, v)| v.trim_matches('"'))
        };
        let authorization = value("authorization").or_else(|| value("authorization_uri"));
        let (authority, tenant) = split(authorization.ok_or_else(|| bad("it names no authority"))?)?;
        let resource = value("resource").ok_or_else(|| bad("it names no resource"))?.trim_end_matches('/');
        Ok(Self { authority, tenant, resource: resource.to_owned() })
    }

    /// Whether a token for this resource may go to that vault: its host must lie below the resource's, or the resource
    /// be the vault itself (a bare host name has no parent), so that no server can ask for a token that is good at
    /// another.
    pub(crate) fn check_resource(&self, vault: &Authority) -> Result<(), ClientError> {
        let resource = https_authority(&self.resource).map_err(|_| bad("its resource is not an https URL"))?;
        if resource == *vault || is_below(vault.host(), resource.host()) {
            return Ok(());
        }
        Err(bad(&format!("its resource {resource} is not the domain of {vault}")))
    }

    /// Whether that vault may name this authority without anyone having configured it: itself, or a host above it.
    pub(crate) fn check_authority(&self, vault: &Authority) -> Result<(), ClientError> {
        let host = self.authority.host();
        if vault.host() == host || is_below(vault.host(), host) {
            return Ok(());
        }
        Err(bad(&format!(
            "a secret for {vault} would go to {}; name that authority in the configuration if it is right",
            self.authority
        )))
    }
}

fn bad(why: &str) -> ClientError {
    ClientError::BadChallenge(why.to_owned())
}

/// `https://host[:port]/tenant`, and nothing after it.
fn split(url: &str) -> Result<(Authority, String), ClientError> {
    let wrong = || bad("its authority is not https://host/tenant");
    let (host, tenant) = url.strip_prefix("https://").and_then(|rest| rest.split_once('/')).ok_or_else(wrong)?;
    let tenant = tenant.trim_end_matches('/');
    let plain = |b: u8| b.is_ascii_alphanumeric() || b == b'-' || b == b'.' || b == b'_';
    if tenant.is_empty() || tenant.len() > 128 || tenant.starts_with('.') || !tenant.bytes().all(plain) {
        return Err(wrong());
    }
    Ok((host.parse().map_err(|_| wrong())?, tenant.to_owned()))
}

fn is_below(host: &str, domain: &str) -> bool {
    host.strip_suffix(domain).and_then(|left| left.strip_suffix('.')).is_some_and(|label| !label.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    const GOOD: &str = r#"Bearer authorization="https://localhost:8443/t-1", resource="https://localhost:8443""#;

    fn vault(text: &str) -> Authority {
        text.parse().unwrap()
    }

    #[test]
    fn the_header_of_key_vault_is_read() {
        let challenge = Challenge::parse(GOOD).unwrap();
        assert_eq!(challenge.authority, vault("localhost:8443"));
        assert_eq!((challenge.tenant.as_str(), challenge.resource.as_str()), ("t-1", "https://localhost:8443"));
        let azure = r#"Bearer authorization="https://login.windows.net/7e6c", resource="https://vault.azure.net/""#;
        assert_eq!(Challenge::parse(azure).unwrap().resource, "https://vault.azure.net");
    }

    #[test]
    fn anything_else_is_refused() {
        for header in [
            "",
            "Bearer",
            "Basic realm=\"x\"",
            r#"Bearer resource="https://localhost""#,
            r#"Bearer authorization="https://localhost/t""#,
            r#"Bearer authorization="http://localhost/t", resource="https://localhost""#,
            r#"Bearer authorization="https://localhost", resource="https://localhost""#,
            r#"Bearer authorization="https://localhost/a/b", resource="https://localhost""#,
            r#"Bearer authorization="https://localhost/..", resource="https://localhost""#,
            r#"Bearer authorization="https://u@localhost/t", resource="https://localhost""#,
        ] {
            assert!(matches!(Challenge::parse(header), Err(ClientError::BadChallenge(_))), "{header}");
        }
    }

    #[test]
    fn a_token_for_another_domain_is_not_asked_for() {
        let challenge = Challenge::parse(GOOD).unwrap();
        assert!(challenge.check_resource(&vault("dev.localhost:8443")).is_ok());
        assert!(challenge.check_resource(&vault("localhost:8443")).is_ok());
        for other in ["localhost:8444", "evillocalhost:8443", "dev.example:8443"] {
            assert!(challenge.check_resource(&vault(other)).is_err(), "{other}");
        }
    }

    #[test]
    fn a_secret_goes_to_the_vaults_own_host_or_one_above_it() {
        let challenge = Challenge::parse(GOOD).unwrap();
        for (host, good) in [("dev.localhost:1", true), ("localhost:8443", true), ("dev.example", false)] {
            assert_eq!(challenge.check_authority(&vault(host)).is_ok(), good, "{host}");
        }
    }
}
