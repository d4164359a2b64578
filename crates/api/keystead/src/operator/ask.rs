//! What the operator asks. The document of a new vault refuses unknown members: a misspelt one would silently give the
//! vault another policy than was meant.

use keystead_access::approval::Approver;
use keystead_access::policy::AssignmentDocument;
use keystead_access::{Approvals, PolicyDocument, Rule};
use keystead_api_table::{BadParameter, Ids, Parts, Proposing, Shown};
use keystead_engine::{HsmActivation, NewVault, Reason};
use keystead_identity::{Client, Principal, TrustedIssuer};
use keystead_model::{AssignmentId, Authority, VaultKind};
use serde::Deserialize;
use std::collections::BTreeMap;

/// A request of the operator.
pub(super) enum Ask {
    List,
    Show(String),
    Create(Box<NewVault>),
    Activate(String, Box<HsmActivation>),
    Enrol(String, String),
    Seal(String),
    Unseal(String),
    Erase(String),
    ProposeErasure(String, Reason),
    Quorum(String, super::quorum::Ask),
    RotateRoot(String, bool),
    Paths(String),
    AddPath(String, String),
    ProposePathAddition(String, String, Reason),
    ProvePath(String, String),
    TestPath(String, String),
    RemovePath(String, String),
    ProposePathRemoval(String, String, Reason),
    Doctor,
    Health,
    Ready,
    Metrics,
}

/// Days a deleted object stays recoverable, when the document does not say.
const RETENTION_DAYS: u8 = 90;

/// The tenant that clients configure, when the document does not say: it needs no instance discovery.
const TENANT: &str = "adfs";

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct VaultDocument {
    name: String,
    #[serde(default)]
    kind: Option<String>,
    authorities: Vec<String>,
    #[serde(default)]
    retention_days: Option<u8>,
    #[serde(default)]
    purge_protection: bool,
    #[serde(default)]
    tenant: Option<String>,
    #[serde(default)]
    tokens: Vec<String>,
    /// `file`, or `quorum` for one that waits for its custodians, who bring the policy.
    #[serde(default)]
    custody: Option<String>,
    #[serde(default)]
    policy: Option<Policy>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct HsmActivationDocument {
    tokens: Vec<String>,
    #[serde(default)]
    purge_protection: bool,
    policy: Policy,
}

/// The name again: nothing else in a request says that the vault is meant.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ErasureDocument {
    confirm: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct TokenDocument {
    token: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RotationDocument {
    #[serde(default)]
    after_purge: bool,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct PathDocument {
    path: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Policy {
    administrators: Vec<Principal>,
    #[serde(default)]
    assignments: Vec<Assignment>,
    #[serde(default)]
    clients: Vec<Client>,
    #[serde(default)]
    issuers: Vec<TrustedIssuer>,
    #[serde(default)]
    directory: Option<String>,
    #[serde(default)]
    approvers: Vec<Approver>,
    #[serde(default)]
    approvals: BTreeMap<Rule, u8>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Assignment {
    /// 32 hex digits; made here if absent.
    #[serde(default)]
    id: Option<String>,
    scope: String,
    principal: Principal,
    /// GUID or name of a built-in role.
    role: String,
}

pub(super) fn show(parts: &Parts<'_>) -> Result<Ask, BadParameter> {
    name(parts).map(Ask::Show)
}

pub(super) fn seal(parts: &Parts<'_>) -> Result<Ask, BadParameter> {
    name(parts).map(Ask::Seal)
}

pub(super) fn unseal(parts: &Parts<'_>) -> Result<Ask, BadParameter> {
    name(parts).map(Ask::Unseal)
}

pub(super) fn erase(parts: &Parts<'_>) -> Result<Ask, BadParameter> {
    let document: ErasureDocument = serde_json::from_slice(parts.body()).map_err(|e| BadParameter::json(&e))?;
    match (name(parts)?, Proposing::of(parts)?) {
        (name, None) if name == document.confirm => Ok(Ask::Erase(name)),
        (name, Some(Proposing { reason, hours })) if name == document.confirm => {
            Ok(Ask::ProposeErasure(name, Reason { text: reason, hours }))
        }
        _ => Err(BadParameter::Malformed { what: "confirm", expected: "the name of the vault that is erased" }),
    }
}

pub(super) fn create(parts: &Parts<'_>, ids: &Ids) -> Result<Ask, BadParameter> {
    parse_new_vault(parts.body(), ids).map(|new| Ask::Create(Box::new(new)))
}

/// From JSON. The instance checks what is not a question of form.
pub fn parse_new_vault(body: &[u8], ids: &Ids) -> Result<NewVault, BadParameter> {
    let document: VaultDocument = serde_json::from_slice(body).map_err(|e| BadParameter::json(&e))?;
    let quorum = custody(document.custody.as_deref())?;
    let first = document.policy.map_or_else(
        || if quorum { Ok(PolicyDocument::default()) } else { Err(BadParameter::Missing { what: "policy" }) },
        |first| policy(first, ids),
    )?;
    Ok(NewVault {
        name: document.name,
        kind: kind(document.kind.as_deref())?,
        authorities: document.authorities.iter().map(|a| authority(a)).collect::<Result<_, _>>()?,
        retention_days: document.retention_days.unwrap_or(RETENTION_DAYS),
        purge_protection: document.purge_protection,
        tenant: tenant(document.tenant)?,
        tokens: document.tokens,
        policy: first,
        quorum,
    })
}

pub(super) fn activate(parts: &Parts<'_>, ids: &Ids) -> Result<Ask, BadParameter> {
    let document: HsmActivationDocument = serde_json::from_slice(parts.body()).map_err(|e| BadParameter::json(&e))?;
    let HsmActivationDocument { tokens, purge_protection, policy: first } = document;
    let activation = HsmActivation { tokens, purge_protection, policy: policy(first, ids)? };
    Ok(Ask::Activate(name(parts)?, Box::new(activation)))
}

pub(super) fn enrol(parts: &Parts<'_>) -> Result<Ask, BadParameter> {
    let document: TokenDocument = serde_json::from_slice(parts.body()).map_err(|e| BadParameter::json(&e))?;
    Ok(Ask::Enrol(name(parts)?, document.token))
}

pub(super) fn rotate_root(parts: &Parts<'_>) -> Result<Ask, BadParameter> {
    let body = parts.body();
    let document = if body.is_empty() {
        RotationDocument { after_purge: false }
    } else {
        serde_json::from_slice(body).map_err(|e| BadParameter::json(&e))?
    };
    Ok(Ask::RotateRoot(name(parts)?, document.after_purge))
}

pub(super) fn paths(parts: &Parts<'_>) -> Result<Ask, BadParameter> {
    name(parts).map(Ask::Paths)
}

pub(super) fn add_path(parts: &Parts<'_>) -> Result<Ask, BadParameter> {
    let document: PathDocument = serde_json::from_slice(parts.body()).map_err(|e| BadParameter::json(&e))?;
    let name = name(parts)?;
    Ok(match Proposing::of(parts)? {
        None => Ask::AddPath(name, document.path),
        Some(Proposing { reason, hours }) => {
            Ask::ProposePathAddition(name, document.path, Reason { text: reason, hours })
        }
    })
}

/// What is asked about one path of a vault.
pub(super) fn of_path(parts: &Parts<'_>, ask: fn(String, String) -> Ask) -> Result<Ask, BadParameter> {
    let path = parts.parameter("path").ok_or(BadParameter::Missing { what: "path" })?;
    Ok(ask(name(parts)?, path.to_owned()))
}

/// Removing a path, or only proposing it.
pub(super) fn remove_path(parts: &Parts<'_>) -> Result<Ask, BadParameter> {
    let proposing = Proposing::of(parts)?;
    let ask = of_path(parts, Ask::RemovePath)?;
    Ok(match (ask, proposing) {
        (Ask::RemovePath(name, path), Some(Proposing { reason, hours })) => {
            Ask::ProposePathRemoval(name, path, Reason { text: reason, hours })
        }
        (ask, _) => ask,
    })
}

/// Whether the domain is with custodians.
fn custody(text: Option<&str>) -> Result<bool, BadParameter> {
    match text {
        None | Some("file") => Ok(false),
        Some("quorum") => Ok(true),
        Some(other) => {
            Err(BadParameter::Unsupported { what: "custody", given: Shown::of(other), supported: "file, quorum" })
        }
    }
}

/// A first policy in JSON, wherever it stands.
pub(super) fn read_policy(json: &[u8], ids: &Ids) -> Result<PolicyDocument, BadParameter> {
    policy(serde_json::from_slice(json).map_err(|e| BadParameter::json(&e))?, ids)
}

fn policy(document: Policy, ids: &Ids) -> Result<PolicyDocument, BadParameter> {
    Ok(PolicyDocument {
        administrators: document.administrators,
        assignments: document.assignments.into_iter().map(|a| assignment(a, ids)).collect::<Result<_, _>>()?,
        issuers: document.issuers,
        clients: document.clients,
        directory: document.directory,
        approvals: Approvals { approvers: document.approvers, rules: document.approvals },
        ..PolicyDocument::default()
    })
}

pub(super) fn name(parts: &Parts<'_>) -> Result<String, BadParameter> {
    parts.parameter("name").map(str::to_owned).ok_or(BadParameter::Missing { what: "name" })
}

fn kind(text: Option<&str>) -> Result<VaultKind, BadParameter> {
    let Some(text) = text else { return Ok(VaultKind::Vault) };
    let other = || BadParameter::Unsupported { what: "kind", given: Shown::of(text), supported: "vault, hsm" };
    VaultKind::from_name(text).ok_or_else(other)
}

fn authority(text: &str) -> Result<Authority, BadParameter> {
    let bad = BadParameter::Malformed { what: "authorities", expected: "host or host:port, without scheme and path" };
    text.parse().map_err(|_| bad)
}

/// It stands in the challenge as one segment of a URL, so it has letters, digits, dots and dashes only.
fn tenant(given: Option<String>) -> Result<String, BadParameter> {
    let text = given.unwrap_or_else(|| TENANT.to_owned());
    let good =
        (1..=64).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'-'));
    let dots = text.bytes().all(|b| b == b'.');
    let expected = "1 to 64 letters, digits, dots and dashes";
    if good && !dots { Ok(text) } else { Err(BadParameter::Malformed { what: "tenant", expected }) }
}

fn assignment(given: Assignment, ids: &Ids) -> Result<AssignmentDocument, BadParameter> {
    let bad = BadParameter::Malformed { what: "policy.assignments.id", expected: "32 lower-case hexadecimal digits" };
    let id = match given.id {
        Some(text) => *text.parse::<AssignmentId>().map_err(|_| bad)?.as_bytes(),
        None => ids.next(),
    };
    Ok(AssignmentDocument { id, scope: given.scope, principal: given.principal.into(), role: given.role })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(json: &str) -> Result<NewVault, BadParameter> {
        parse_new_vault(json.as_bytes(), &Ids::new([1; 16]))
    }

    const WHOLE: &str = r#"{"name":"pay","kind":"vault","authorities":["Pay.Vault.Example:443","pay.localhost:8443"],
        "retention_days":7,"tenant":"adfs","policy":{"administrators":[{"issuer":"built-in","subject":"s"}],
        "assignments":[{"scope":"/","principal":{"issuer":"built-in","subject":"s"},"role":"Key Vault Crypto User"}],
        "clients":[],"issuers":[]}}"#;

    #[test]
    fn a_whole_document_becomes_a_vault() {
        let new = of(WHOLE).ok().unwrap();
        assert_eq!((new.name.as_str(), new.kind, new.retention_days), ("pay", VaultKind::Vault, 7));
        assert_eq!(
            new.authorities.iter().map(ToString::to_string).collect::<Vec<_>>(),
            ["pay.vault.example", "pay.localhost:8443"]
        );
        assert_eq!(new.policy.assignments.len(), 1);
        assert_ne!(new.policy.assignments[0].id, [0; 16]);
    }

    #[test]
    fn what_is_left_out_has_a_default() {
        let new = of(r#"{"name":"pay","authorities":[],"policy":{"administrators":[]}}"#).ok().unwrap();
        assert_eq!((new.kind, new.retention_days, new.tenant.as_str()), (VaultKind::Vault, 90, "adfs"));
    }

    #[test]
    fn a_misspelt_or_malformed_member_is_refused() {
        for (from, to) in [
            ("\"clients\"", "\"client\""),
            ("\"scope\"", "\"scopes\""),
            ("\"vault\"", "\"VAULT\""),
            ("pay.localhost:8443", "https://pay.localhost"),
            ("\"adfs\"", "\"a/b\""),
            ("\"adfs\"", "\"..\""),
            ("\"retention_days\":7", "\"retention_days\":700"),
            ("\"scope\":\"/\"", "\"scope\":\"/\",\"id\":\"7\""),
        ] {
            let changed = WHOLE.replacen(from, to, 1);
            assert_ne!(changed, WHOLE);
            assert!(of(&changed).is_err(), "{to}");
        }
    }
}
