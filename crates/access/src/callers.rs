//! What a policy may say about who callers are, and who may change it.

use crate::policy::{BadPolicy, PolicyDocument, unique};
use keystead_identity::{By, Client, TrustedIssuer, discovery, keys};
use keystead_model::Action;

/// Most issuers whose keys are fetched, and most certificates that vouch for clients.
const MAX_FETCHED: usize = 64;
const MAX_AUTHORITIES: usize = 64;
/// Most credentials of a client.
const MAX_CREDENTIALS: usize = 16;
/// Most revocations.
const MAX_NOT_BEFORE: usize = 10_000;
/// Longest name, id, audience, in bytes.
const MAX_TEXT: usize = 1024;
/// Longest JWK set, in bytes.
const MAX_JWKS: usize = 64 * 1024;

/// The actions on the vault itself: for its administrators, whatever roles anybody has.
pub(crate) const fn only_administrators(action: Action) -> bool {
    matches!(
        action,
        Action::SealVault
            | Action::ReadClock
            | Action::ConfirmClock
            | Action::ReadPolicy
            | Action::AddIssuer
            | Action::RemoveIssuer
            | Action::CreateClient
            | Action::RemoveClient
            | Action::AddCredential
            | Action::RemoveCredential
            | Action::AddAuthority
            | Action::RemoveAuthority
            | Action::RevokeTokens
            | Action::WriteSettings
            | Action::WriteApprovals
    )
}

/// Checks everything that says who callers are.
pub(crate) fn check(document: &PolicyDocument) -> Result<(), BadPolicy> {
    document.issuers.iter().try_for_each(issuer)?;
    document.clients.iter().try_for_each(client)?;
    for authority in &document.callers.authorities {
        let expected = "a certificate that can vouch for others: X.509, version 3, in DER";
        usable(authority.is_usable(), "certificate authority", &authority.thumbprint(), expected)?;
    }
    Ok(())
}

/// What is asked of what was accepted before, too: bounds, and that nothing stands twice.
pub(crate) fn unambiguous(document: &PolicyDocument) -> Result<(), BadPolicy> {
    let fetched = document.issuers.iter().filter(|i| i.metadata.is_some()).count();
    for (what, n, max) in [
        ("issuers with fetched keys", fetched, MAX_FETCHED),
        ("certificate authorities", document.callers.authorities.len(), MAX_AUTHORITIES),
        ("revocations", document.callers.not_before.len(), MAX_NOT_BEFORE),
    ] {
        if n > max {
            return Err(BadPolicy::TooMany { what, max });
        }
    }
    unique("certificate authority", document.callers.authorities.iter().map(|a| a.thumbprint()))?;
    let credentials = |c: &Client| unique("credential", c.credentials.iter().map(|c| c.id.clone()));
    document.clients.iter().try_for_each(credentials)
}

fn issuer(issuer: &TrustedIssuer) -> Result<(), BadPolicy> {
    let own = |good, expected| usable(good, "issuer", &issuer.iss, expected);
    let texts = issuer.audiences.iter().chain([&issuer.subject_claim]).chain(&issuer.tenant);
    own(issuer.iss.len() <= MAX_TEXT && texts.clone().all(|t| t.len() <= MAX_TEXT), "no text is over 1024 bytes")?;
    own(issuer.audiences.len() <= 64, "an issuer has at most 64 audiences")?;
    own(!issuer.iss.starts_with("x509:"), "the names that begin with x509: belong to certificates")?;
    let metadata = issuer.metadata.as_deref().is_none_or(discovery::is_url);
    own(metadata, "its metadata is an https URL of at most 1024 characters")?;
    let set = issuer.jwks.as_ref().is_none_or(|set| set.len() <= MAX_JWKS && keys::parse(set.as_bytes()).is_ok());
    own(set, "its jwks is a JWK set with at least one public key for signatures")
}

fn client(client: &Client) -> Result<(), BadPolicy> {
    let own = |good, expected| usable(good, "client", &client.id, expected);
    own(client.credentials.len() <= MAX_CREDENTIALS, "a client has at most 16 credentials")?;
    let named = client.credentials.iter().all(|c| (1..=MAX_TEXT).contains(&c.id.len()));
    own(named, "a credential has an id")?;
    for credential in &client.credentials {
        let good = match &credential.by {
            By::Secret(_) => true,
            By::Key(jwk) => jwk.len() <= MAX_JWKS && keys::parse_one(jwk.as_bytes()).is_ok(),
            By::Federated(f) => {
                let texts = [&f.iss, &f.sub, &f.aud];
                texts.iter().all(|t| (1..=MAX_TEXT).contains(&t.len()))
            }
        };
        own(good, "a credential is a secret's digest, a public JWK for signatures, or iss, sub and aud")?;
    }
    Ok(())
}

fn usable(good: bool, what: &'static str, id: &str, expected: &'static str) -> Result<(), BadPolicy> {
    let shown = || id.chars().take(128).collect();
    if good { Ok(()) } else { Err(BadPolicy::Unusable { what, id: shown(), expected }) }
}
