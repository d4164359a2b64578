//! The first policy of a vault, as its owner writes it: a TOML file, and perhaps one client made on the spot.

use crate::exit::Failure;
use crate::new_client::NewClient;
use keystead_access::policy::AssignmentDocument;
use keystead_access::role::BUILT_IN as ROLES;
use keystead_access::{Approvals, Approver, Policy, PolicyDocument, Rule};
use keystead_engine::BUILT_IN;
use keystead_identity::{Client, Principal, TrustedIssuer, secret_digest};
use keystead_model::{AssignmentId, Revision};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::path::Path;

/// A file that is a policy; it stands in `--help` as it is.
pub(crate) const EXAMPLE: &str = r#"# Whose subjects and groups the GUIDs of Azure's tools mean in role
# assignments: the vault's own issuer (the default), or one below whose
# subjects and groups have GUIDs of one space that none of them chooses, as
# Entra ID's object ids are.
directory = "built-in"

# Who may act on the vault itself and on its roles: at least one.
# "built-in" is the vault's own issuer; any other is the `iss` of one below.
[[administrators]]
issuer = "built-in"
subject = "6f1c2f0e-5d0b-4f0e-9a53-0d7c3f9b2a11"

# Clients that sign in with a secret, of which only the SHA-256 stands here.
[[clients]]
id = "b2a1c3d4-0000-4000-8000-000000000001"
name = "payments"
subject = "6f1c2f0e-5d0b-4f0e-9a53-0d7c3f9b2a11"
secrets = ["2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824"]

# Who has which role where: /, /keys or /keys/NAME. Roles by name or GUID.
[[assignments]]
scope = "/keys"
role = "Key Vault Crypto User"
principal.issuer = "built-in"
principal.subject = "6f1c2f0e-5d0b-4f0e-9a53-0d7c3f9b2a11"

# Others whose tokens are believed, with their P-256 keys as in a JWK. With
# metadata =
# "https://login.example/tenant/v2.0/.well-known/openid-configuration" its
# keys are fetched, where the node's configuration allows it.
[[issuers]]
iss = "https://login.example/tenant/v2.0"
audiences = ["https://vault.example"]
tenant = "0d7c3f9b-2a11-4f0e-9a53-6f1c2f0e5d0b"
subject_claim = "oid"

[[issuers.keys]]
kid = "1"
x = "f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU"
y = "x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0"

# Whose signatures can be needed (docs/approvals.md): keys of Ed25519 or
# P-256.
[[approvers]]
name = "alice"
key = """
-----BEGIN PUBLIC KEY-----
MCowBQYDK2VwAyEA11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo=
-----END PUBLIC KEY-----
"""

# How many of them each kind of operation needs.
[approvals]
purge = 1
policy = 1
"#;

/// The document of the operator's API, and of the file.
#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct FirstPolicy {
    #[serde(default)]
    administrators: Vec<Principal>,
    #[serde(default)]
    assignments: Vec<Assignment>,
    #[serde(default)]
    clients: Vec<Client>,
    #[serde(default)]
    issuers: Vec<TrustedIssuer>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    directory: Option<String>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    approvers: Vec<Approver>,
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    approvals: BTreeMap<Rule, u8>,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Assignment {
    /// 32 hex digits; made by the server if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    id: Option<String>,
    scope: String,
    principal: Principal,
    role: String,
}

impl FirstPolicy {
    /// Reads a file; what is wrong is named with its line.
    pub(crate) fn read(file: &Path) -> Result<Self, Failure> {
        let text = std::fs::read_to_string(file)
            .map_err(|e| Failure::usage(format!("cannot read the policy {}: {e}", file.display())))?;
        Self::parse(&text).map_err(|(line, what)| Failure::usage(format!("{}:{line}: {what}", file.display())))
    }

    /// A text; what is wrong, with its line.
    pub(crate) fn parse(text: &str) -> Result<Self, (usize, String)> {
        toml::from_str(text).map_err(|e: toml::de::Error| {
            let before = e.span().and_then(|span| text.get(..span.start)).unwrap_or_default();
            (before.matches('\n').count().saturating_add(1), e.message().trim().to_owned())
        })
    }

    /// Adds a client with these roles on the whole vault. If nobody else is, it is the vault's administrator.
    pub(crate) fn add(&mut self, client: &NewClient, roles: &[String]) {
        let principal = Principal::new(BUILT_IN, &client.subject);
        if self.administrators.is_empty() {
            self.administrators.push(principal.clone());
        }
        self.clients.push(Client {
            id: client.id.clone(),
            name: client.name.clone(),
            subject: client.subject.clone(),
            secrets: vec![secret_digest(&client.secret)],
            ..Client::default()
        });
        self.assignments.extend(roles.iter().map(|role| Assignment {
            id: None,
            scope: "/".to_owned(),
            principal: principal.clone(),
            role: role.clone(),
        }));
    }

    /// As the vault stores it.
    pub(crate) fn document(&self) -> Result<PolicyDocument, Failure> {
        let mut assignments = Vec::new();
        for (a, number) in self.assignments.iter().zip(0u64..) {
            assignments.push(AssignmentDocument {
                id: assignment_id(a.id.as_deref(), number)?,
                scope: a.scope.clone(),
                principal: a.principal.clone().into(),
                role: a.role.clone(),
            });
        }
        Ok(PolicyDocument {
            administrators: self.administrators.clone(),
            assignments,
            issuers: self.issuers.clone(),
            clients: self.clients.clone(),
            directory: self.directory.clone(),
            approvals: Approvals { approvers: self.approvers.clone(), rules: self.approvals.clone() },
            ..PolicyDocument::default()
        })
    }

    /// Refuses what the server would refuse, before anything is sent.
    pub(crate) fn check(&self) -> Result<(), Failure> {
        match Policy::new(&self.document()?, Revision(1)) {
            Ok(_) => Ok(()),
            Err(e @ keystead_access::BadPolicy::UnknownRole { .. }) => {
                let names: Vec<&str> = ROLES.iter().map(|role| role.name).collect();
                Err(Failure::usage(format!("{e}; the roles are {}", names.join(", "))))
            }
            Err(e) => Err(Failure::usage(e.to_string())),
        }
    }
}

/// The id given, or one that differs from the others, for the check alone.
fn assignment_id(given: Option<&str>, number: u64) -> Result<[u8; 16], Failure> {
    let Some(text) = given else { return Ok(u128::from(number).to_be_bytes()) };
    let id = text.parse::<AssignmentId>().map_err(|e| Failure::usage(format!("assignment {number}: {e}")))?;
    Ok(*id.as_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<FirstPolicy, Failure> {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("policy.toml");
        std::fs::write(&file, text).unwrap();
        FirstPolicy::read(&file)
    }

    #[test]
    fn the_example_in_the_help_is_a_policy() {
        let policy = read(EXAMPLE).unwrap();
        policy.check().unwrap();
        assert_eq!((policy.administrators.len(), policy.clients.len(), policy.issuers.len()), (1, 1, 1));
    }

    #[test]
    fn a_mistake_is_named_with_its_line() {
        let bad = EXAMPLE.replacen("name = \"payments\"", "nam = \"payments\"", 1);
        let at = bad.lines().position(|l| l.starts_with("nam =")).unwrap() + 1;
        let why = format!("{:?}", read(&bad).unwrap_err());
        assert!(why.contains(&format!("policy.toml:{at}:")) && why.contains("nam"), "{why}");
        let role = read(&EXAMPLE.replace("Crypto User", "Crypto Usr")).unwrap();
        assert!(format!("{:?}", role.check().unwrap_err()).contains("Key Vault Crypto Officer"));
        assert!(read("").unwrap().check().is_err(), "nobody could administer it");
    }

    #[test]
    fn a_client_made_on_the_spot_has_its_roles_and_administers_if_nobody_does() {
        let (client, other) = (NewClient::generate("a"), NewClient::generate("b"));
        assert_ne!((&*client.secret, &client.id), (&*other.secret, &other.id));
        assert_eq!(client.secret.len(), 64);
        let mut policy = FirstPolicy::default();
        policy.add(&client, &["Key Vault Crypto Officer".to_owned(), "Keystead Audit Reader".to_owned()]);
        policy.check().unwrap();
        assert_eq!(policy.administrators, [Principal::new(BUILT_IN, &client.subject)]);
        policy.add(&other, &[]);
        assert_eq!((policy.administrators.len(), policy.clients.len(), policy.assignments.len()), (1, 2, 2));
        let sent = serde_json::to_string(&policy).unwrap();
        assert!(!sent.contains(&*client.secret) && sent.contains(&hex::encode(secret_digest(&client.secret))));
    }
}
