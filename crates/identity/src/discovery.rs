//! What an issuer says about itself (OpenID Connect Discovery 1.0, section 4): where its keys are. Whom a vault
//! believes stands in its policy; this document is believed only as far as the policy names it.

use serde::Deserialize;
use thiserror::Error;

/// Metadata that cannot be used.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum BadMetadata {
    /// Not JSON with `issuer` and `jwks_uri`.
    #[error("the issuer's metadata is not JSON with the members issuer and jwks_uri")]
    Malformed,
    /// It is of another issuer (section 4.3).
    #[error("the metadata names another issuer than the policy")]
    OtherIssuer,
    /// Keys that anybody on the way could change.
    #[error("the metadata's jwks_uri is no https URL of at most {MAX_URL} characters")]
    BadUrl,
}

/// Longest URL, in bytes.
pub const MAX_URL: usize = 1024;

#[derive(Deserialize)]
struct Metadata {
    issuer: String,
    jwks_uri: String,
}

/// Where the keys of this issuer are.
pub fn keys_url(json: &[u8], iss: &str) -> Result<String, BadMetadata> {
    let metadata: Metadata = serde_json::from_slice(json).map_err(|_| BadMetadata::Malformed)?;
    if metadata.issuer != iss {
        return Err(BadMetadata::OtherIssuer);
    }
    if is_url(&metadata.jwks_uri) { Ok(metadata.jwks_uri) } else { Err(BadMetadata::BadUrl) }
}

/// Where an issuer's metadata is unless the policy says otherwise (section 4.1).
pub fn metadata_url(iss: &str) -> String {
    format!("{}/.well-known/openid-configuration", iss.strip_suffix('/').unwrap_or(iss))
}

/// Whether a text may be fetched from: https, printable, without user, and bounded.
pub fn is_url(text: &str) -> bool {
    let Some(rest) = text.strip_prefix("https://") else { return false };
    let host = rest.split(['/', '?', '#']).next().unwrap_or_default();
    text.len() <= MAX_URL
        && !host.is_empty()
        && !host.contains(['@', '\\'])
        && text.bytes().all(|b| b.is_ascii_graphic())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn metadata_of_another_issuer_or_with_keys_in_the_clear_is_refused() {
        let of = |issuer: &str, jwks: &str| format!(r#"{{"issuer":"{issuer}","jwks_uri":"{jwks}","more":[1]}}"#);
        let iss = "https://a.example/t/";
        assert_eq!(keys_url(of(iss, "https://k.example/k").as_bytes(), iss), Ok("https://k.example/k".to_owned()));
        for other in ["https://a.example/t", "https://A.example/t/", "", "https://b.example/t/"] {
            assert_eq!(keys_url(of(other, "https://k").as_bytes(), iss), Err(BadMetadata::OtherIssuer));
        }
        let long = format!("https://k/{}", "a".repeat(MAX_URL));
        for url in ["http://k", "https://", "https:///k", "file:///k", "https://u@k", "https://k/ b", &long] {
            assert_eq!(keys_url(of(iss, url).as_bytes(), iss), Err(BadMetadata::BadUrl), "{url}");
        }
        for bad in ["", "[]", r#"{"issuer":"x"}"#, r#"{"issuer":1,"jwks_uri":"https://k"}"#] {
            assert_eq!(keys_url(bad.as_bytes(), iss), Err(BadMetadata::Malformed));
        }
        assert_eq!(metadata_url(iss), "https://a.example/t/.well-known/openid-configuration");
    }
}
