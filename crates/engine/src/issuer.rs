//! The built-in issuer of a vault: its key is sealed under the vault's root and works in `protection`.

use crate::error::Refusal;
use crate::info::{IssuerInfo, VaultInfo};
use crate::records::IssuerRecord;
use keystead_identity::token::{self, Claims};
use keystead_identity::{IssuerKey, TrustedIssuer};
use keystead_model::{Authority, SignAlgorithm, VaultKind};
use keystead_protection::OpenKey;
use std::time::Instant;
use zeroize::Zeroizing;

pub(crate) struct BuiltInIssuer {
    record: IssuerRecord,
    key: OpenKey,
}

impl BuiltInIssuer {
    pub(crate) fn new(record: IssuerRecord, key: OpenKey) -> Self {
        Self { record, key }
    }

    pub(crate) fn info(&self) -> IssuerInfo {
        let r = &self.record;
        IssuerInfo { iss: r.iss.clone(), kid: r.kid.clone(), x: r.x, y: r.y }
    }

    /// Signs claims into a compact JWT (RFC 7519) with ES256.
    pub(crate) async fn issue(&self, claims: &Claims, by: Instant) -> Result<Zeroizing<String>, Refusal> {
        let input = token::signing_input(&self.record.kid, claims);
        let digest = keystead_crypto::sha256(&[input.as_bytes()]);
        let signature = self.key.sign(SignAlgorithm::Es256, &digest, by).await?;
        let signature: [u8; 64] = signature.try_into().map_err(|_| Refusal::Fault)?;
        Ok(Zeroizing::new(token::finish(input, &signature)))
    }
}

/// `iss` of a vault's built-in issuer.
pub(crate) fn iss(info: &VaultInfo) -> String {
    let host = info.authorities.first().map_or_else(|| "keystead.invalid".to_owned(), ToString::to_string);
    format!("https://{host}/{}", info.id)
}

/// How a vault trusts its own issuer.
pub(crate) fn trusted(info: &VaultInfo, record: &IssuerRecord) -> TrustedIssuer {
    TrustedIssuer {
        iss: record.iss.clone(),
        audiences: audiences(info),
        tenant: Some(info.tenant.clone()),
        subject_claim: "oid".to_owned(),
        keys: vec![IssuerKey { kid: record.kid.clone(), x: record.x, y: record.y }],
        ..TrustedIssuer::default()
    }
}

/// The audiences that mean this vault: what the challenge names as resource, for each authority, and the cloud's own.
fn audiences(info: &VaultInfo) -> Vec<String> {
    let cloud = match info.kind {
        VaultKind::Vault => "https://vault.azure.net",
        VaultKind::Hsm => "https://managedhsm.azure.net",
    };
    let mut all = vec![cloud.to_owned()];
    for authority in &info.authorities {
        all.push(format!("https://{authority}"));
        all.push(resource(authority));
    }
    all.sort();
    all.dedup();
    all
}

/// The resource a client must ask a token for: the parent domain of the vault's host, with its port. SDKs check that
/// the host they call is a proper subdomain of it; a bare host or an address has no parent, so it stands for itself.
pub fn resource(authority: &Authority) -> String {
    let host = authority.host();
    let address = host.starts_with('[') || host.parse::<std::net::IpAddr>().is_ok();
    let parent = match host.split_once('.') {
        Some((_, parent)) if !address => parent,
        _ => host,
    };
    match authority.port() {
        Some(port) => format!("https://{parent}:{port}"),
        None => format!("https://{parent}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_resource_is_the_parent_domain_with_the_port() {
        for (authority, expected) in [
            ("dev.localhost:8443", "https://localhost:8443"),
            ("localhost:8443", "https://localhost:8443"),
            ("127.0.0.1:8443", "https://127.0.0.1:8443"),
            ("[::1]:8443", "https://[::1]:8443"),
            ("payments.vault.example.com", "https://vault.example.com"),
        ] {
            assert_eq!(resource(&authority.parse().unwrap()), expected);
        }
    }
}
