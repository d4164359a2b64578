//! Who may do what, written down a second time: by hand, route by route, without looking at the code that decides. A
//! route that is not here fails the matrix.

use hyper::Method;
use keystead_api_table::{Access, RouteInfo};

/// What a principal has: one role on the whole vault, or nothing, or the administration of the vault and no role.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Role {
    Nobody,
    Officer,
    User,
    Service,
    Auditor,
    /// Manages roles, and nothing else.
    Policy,
    Administrator,
}

use Role::{Administrator, Auditor, Officer, Policy, Service, User};

impl Role {
    pub(crate) const ALL: [Self; 7] = [Self::Nobody, Officer, User, Service, Auditor, Policy, Administrator];

    /// Its name in role assignments.
    pub(crate) const fn assigned(self) -> Option<&'static str> {
        match self {
            Self::Nobody | Administrator => None,
            Officer => Some("Key Vault Crypto Officer"),
            User => Some("Key Vault Crypto User"),
            Service => Some("Key Vault Crypto Service Encryption User"),
            Auditor => Some("Keystead Audit Reader"),
            Policy => Some("Managed HSM Policy Administrator"),
        }
    }
}

/// What must be there for a permitted request to succeed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Needs {
    Nothing,
    EcKey,
    AesKey,
    /// A key of its own: the request takes it away.
    OwnKey,
    /// A deleted key of its own.
    OwnDeletedKey,
    /// A custom role of its own.
    OwnRole,
    /// A role assignment of its own, at the scope of the request.
    OwnAssignment,
    /// A GUID that is nothing yet.
    NewGuid,
    /// An issuer, a client with a secret or a certificate of its own.
    OwnIssuer,
    OwnClient,
    OwnCertificate,
    /// A name that no key has.
    OwnName,
    /// A backup of a key of its own that was purged.
    OwnBackup,
    /// A clock that is doubted.
    DoubtedClock,
    /// No backup or restore that runs.
    NoJob,
    /// One that has ended, in the place of `{job}`.
    OwnJob,
    /// A backup of the whole vault, and none that runs.
    WholeBackup,
    /// A proposal of its own.
    OwnProposal,
    /// A security domain that was downloaded.
    OwnDomain,
}

/// What is expected of a route that needs a caller.
pub(crate) struct Rule {
    pub(crate) method: Method,
    pub(crate) pattern: &'static str,
    /// The action that its record names.
    pub(crate) action: &'static str,
    pub(crate) may: &'static [Role],
    pub(crate) ok: u16,
    pub(crate) needs: Needs,
    /// `{sealed}` stands for the members of something that was encrypted before, `{backup}` for a backup, `{folder}` for
    /// that of a whole one, `{guid}` for
    /// the one of the path, `{now}` for the time, `{custodians}` for three of them, `{domain}` for the vault's own domain.
    pub(crate) body: &'static str,
}

const READERS: &[Role] = &[Officer, User, Service];
const USERS: &[Role] = &[Officer, User];
const OFFICERS: &[Role] = &[Officer];
const MANAGERS: &[Role] = &[Policy, Administrator];
const ADMINISTRATORS: &[Role] = &[Administrator];

/// `{n}` is another number each time.
const ISSUER: &str = r#"{"iss":"https://{n}.example","audiences":["a"],"subject_claim":"sub","keys":[]}"#;
const SECRET: &str = r#"{"credential":"secret"}"#;
const REVOKE: &str = r#"{"issuer":"https://elsewhere.example","subject":"{n}"}"#;

const SIGN: &str = r#"{"alg":"ES256","value":"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"}"#;
const VERIFY: &str = r#"{"alg":"ES256","digest":"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA","value":"AAAA"}"#;
const SEAL: &str = r#"{"alg":"A256GCM","value":"AAECAw"}"#;
pub(crate) const ROLE: &str = r#"{"properties":{"roleName":"{guid}","permissions":[{"dataActions":[]}]}}"#;
pub(crate) const ASSIGNMENT: &str =
    r#"{"properties":{"roleDefinitionId":"x/21dbd100-6940-42c2-9190-5d6cb909625b","principalId":"{guid}"}}"#;
const OPEN: &str = r#"{"alg":"A256GCM",{sealed}}"#;

/// The directory of the server's.
const PLACE: &str = r#"{"storageResourceUri":"https://open.localhost:8443/backups"}"#;
const RESTORE: &str = r#"{"sasTokenParameters":{"storageResourceUri":"https://open.localhost:8443/backups"},
    "folderToRestore":"{folder}","folder":"{folder}","rollback":true}"#;

const OCT: &str = r#"{"key":{"kty":"oct","k":"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"}}"#;
const ROTATION: &str = r#"{"attributes":{"expiryTime":"P90D"}}"#;

macro_rules! definitions {
    () => {
        "/providers/Microsoft.Authorization/roleDefinitions"
    };
}
macro_rules! assignments {
    ($scope:literal) => {
        concat!($scope, "/providers/Microsoft.Authorization/roleAssignments")
    };
}
macro_rules! assignment {
    ($scope:literal) => {
        concat!($scope, "/providers/Microsoft.Authorization/roleAssignments/{assignment}")
    };
}

/// Every route that needs a caller.
pub(crate) fn rules() -> Vec<Rule> {
    let (get, put, post) = (Method::GET, Method::PUT, Method::POST);
    let (patch, delete) = (Method::PATCH, Method::DELETE);
    let rule = |method: &Method, pattern, action, may, ok, needs, body| Rule {
        method: method.clone(),
        pattern,
        action,
        may,
        ok,
        needs,
        body,
    };
    use Needs::{
        AesKey, DoubtedClock, EcKey, NewGuid, NoJob, Nothing, OwnAssignment, OwnBackup, OwnCertificate, OwnClient,
        OwnDeletedKey, OwnDomain, OwnIssuer, OwnJob, OwnKey, OwnName, OwnProposal, OwnRole, WholeBackup,
    };
    vec![
        rule(&post, "/keys/{name}/{version?}/sign", "keys/sign", USERS, 200, EcKey, SIGN),
        rule(&post, "/keys/{name}/{version?}/verify", "keys/verify", USERS, 200, EcKey, VERIFY),
        rule(&post, "/keys/{name}/{version?}/encrypt", "keys/encrypt", USERS, 200, AesKey, SEAL),
        rule(&post, "/keys/{name}/{version?}/decrypt", "keys/decrypt", USERS, 200, AesKey, OPEN),
        rule(&post, "/keys/{name}/{version?}/wrapkey", "keys/wrap", READERS, 200, AesKey, SEAL),
        rule(&post, "/keys/{name}/{version?}/unwrapkey", "keys/unwrap", READERS, 200, AesKey, OPEN),
        rule(&post, "/keys/{name}/create", "keys/create", OFFICERS, 200, EcKey, r#"{"kty":"EC"}"#),
        rule(&put, "/keys/{name}", "keys/import", OFFICERS, 200, OwnName, OCT),
        rule(&post, "/keys/{name}/rotate", "keys/rotate", OFFICERS, 200, EcKey, ""),
        rule(&get, "/keys/{name}/rotationpolicy", "keys/rotationpolicy/read", READERS, 200, EcKey, ""),
        rule(&put, "/keys/{name}/rotationpolicy", "keys/rotationpolicy/write", OFFICERS, 200, EcKey, ROTATION),
        rule(&post, "/keys/{name}/backup", "keys/backup", USERS, 200, EcKey, ""),
        rule(&post, "/keys/restore", "keys/restore", OFFICERS, 200, OwnBackup, r#"{"value":"{backup}"}"#),
        rule(&post, "/rng", "random/generate", USERS, 200, Nothing, r#"{"count":16}"#),
        rule(&get, "/keys", "keys/list", READERS, 200, Nothing, ""),
        rule(&get, "/keys/{name}/versions", "keys/list", READERS, 200, EcKey, ""),
        rule(&get, "/keys/{name}/{version?}/attestation", "keys/attestation/read", READERS, 200, EcKey, ""),
        rule(&get, "/keys/{name}/{version?}", "keys/read", READERS, 200, EcKey, ""),
        rule(&patch, "/keys/{name}/{version?}", "keys/update", USERS, 200, EcKey, r#"{"tags":{"a":"b"}}"#),
        rule(&delete, "/keys/{name}", "keys/delete", OFFICERS, 200, OwnKey, ""),
        rule(&get, "/deletedkeys", "keys/deleted/read", OFFICERS, 200, Nothing, ""),
        rule(&get, "/deletedkeys/{name}", "keys/deleted/read", OFFICERS, 200, OwnDeletedKey, ""),
        rule(&delete, "/deletedkeys/{name}", "keys/purge", OFFICERS, 204, OwnDeletedKey, ""),
        rule(&post, "/deletedkeys/{name}/recover", "keys/recover", OFFICERS, 200, OwnDeletedKey, ""),
        rule(&post, "/backup", "backup/start", ADMINISTRATORS, 202, NoJob, PLACE),
        rule(&post, "/prebackup", "backup/start", ADMINISTRATORS, 202, NoJob, PLACE),
        rule(&get, "/backup/{job}/pending", "backup/read", ADMINISTRATORS, 200, OwnJob, ""),
        rule(&put, "/restore", "restore/start", ADMINISTRATORS, 202, WholeBackup, RESTORE),
        rule(&put, "/prerestore", "restore/start", ADMINISTRATORS, 202, WholeBackup, RESTORE),
        rule(&put, "/keys/{name}/restore", "keys/restore-from-backup", ADMINISTRATORS, 202, WholeBackup, RESTORE),
        rule(&get, "/restore/{job}/pending", "restore/read", ADMINISTRATORS, 200, OwnJob, ""),
        rule(&post, SD_DOWNLOAD, "security-domain/download", ADMINISTRATORS, 202, Nothing, "{custodians}"),
        rule(&get, SD_DOWNLOADED, "security-domain/read", ADMINISTRATORS, 200, OwnDomain, ""),
        rule(&get, SD_UPLOAD, "security-domain/transfer-key", ADMINISTRATORS, 200, Nothing, ""),
        rule(&post, SD_UPLOAD, "security-domain/upload", ADMINISTRATORS, 202, OwnDomain, "{domain}"),
        rule(&get, SD_UPLOADED, "security-domain/read", ADMINISTRATORS, 200, Nothing, ""),
        rule(&get, "/keystead/v1/backups", "backup/read", ADMINISTRATORS, 200, Nothing, ""),
        rule(&get, "/keystead/v1/inventory", "backup/inventory", ADMINISTRATORS, 200, Nothing, ""),
        rule(&get, "/keystead/v1/audit/records", "audit/read", &[Auditor], 200, Nothing, ""),
        rule(&post, "/keystead/v1/vault/seal", "vault/seal", &[Administrator], 204, Nothing, ""),
        rule(&get, "/keystead/v1/clock", "clock/read", ADMINISTRATORS, 200, Nothing, ""),
        rule(&post, CONFIRM, "clock/confirm", ADMINISTRATORS, 200, DoubtedClock, r#"{"time":{now}}"#),
        rule(&get, "/settings", "settings/read", MANAGERS, 200, Nothing, ""),
        rule(&get, "/settings/{setting}", "settings/read", MANAGERS, 200, Nothing, ""),
        rule(&patch, "/settings/{setting}", "settings/write", ADMINISTRATORS, 200, Nothing, r#"{"value":"true"}"#),
        rule(&get, definitions!(), "role-definitions/read", MANAGERS, 200, Nothing, ""),
        rule(&get, concat!(definitions!(), "/{role}"), "role-definitions/read", MANAGERS, 200, OwnRole, ""),
        rule(&put, concat!(definitions!(), "/{role}"), "role-definitions/write", MANAGERS, 201, NewGuid, ROLE),
        rule(&delete, concat!(definitions!(), "/{role}"), "role-definitions/delete", MANAGERS, 200, OwnRole, ""),
        rule(&get, assignments!(""), "role-assignments/read", MANAGERS, 200, Nothing, ""),
        rule(&get, assignments!("/keys"), "role-assignments/read", MANAGERS, 200, Nothing, ""),
        rule(&get, assignments!("/keys/{name}"), "role-assignments/read", MANAGERS, 200, Nothing, ""),
        rule(&get, assignment!(""), "role-assignments/read", MANAGERS, 200, OwnAssignment, ""),
        rule(&get, assignment!("/keys"), "role-assignments/read", MANAGERS, 200, OwnAssignment, ""),
        rule(&get, assignment!("/keys/{name}"), "role-assignments/read", MANAGERS, 200, OwnAssignment, ""),
        rule(&put, assignment!(""), "role-assignments/write", MANAGERS, 201, NewGuid, ASSIGNMENT),
        rule(&put, assignment!("/keys"), "role-assignments/write", MANAGERS, 201, NewGuid, ASSIGNMENT),
        rule(&put, assignment!("/keys/{name}"), "role-assignments/write", MANAGERS, 201, NewGuid, ASSIGNMENT),
        rule(&delete, assignment!(""), "role-assignments/delete", MANAGERS, 200, OwnAssignment, ""),
        rule(&delete, assignment!("/keys"), "role-assignments/delete", MANAGERS, 200, OwnAssignment, ""),
        rule(&delete, assignment!("/keys/{name}"), "role-assignments/delete", MANAGERS, 200, OwnAssignment, ""),
        rule(&get, POLICY, "policy/read", ADMINISTRATORS, 200, Nothing, ""),
        rule(&get, ISSUERS, "policy/read", ADMINISTRATORS, 200, Nothing, ""),
        rule(&post, ISSUERS, "policy/issuers/write", ADMINISTRATORS, 200, Nothing, ISSUER),
        rule(&delete, ISSUERS, "policy/issuers/delete", ADMINISTRATORS, 204, OwnIssuer, ""),
        rule(&get, CLIENTS, "policy/read", ADMINISTRATORS, 200, Nothing, ""),
        rule(&post, CLIENTS, "policy/clients/write", ADMINISTRATORS, 200, Nothing, r#"{"name":"new"}"#),
        rule(&delete, CLIENT, "policy/clients/delete", ADMINISTRATORS, 204, OwnClient, ""),
        rule(&post, CREDENTIALS, "policy/clients/credentials/write", ADMINISTRATORS, 200, OwnClient, SECRET),
        rule(&delete, CREDENTIAL, "policy/clients/credentials/delete", ADMINISTRATORS, 204, OwnClient, ""),
        rule(&get, CERTIFICATES, "policy/read", ADMINISTRATORS, 200, Nothing, ""),
        rule(&post, CERTIFICATES, "policy/certificates/write", ADMINISTRATORS, 200, Nothing, "{certificate}"),
        rule(&delete, CERTIFICATE, "policy/certificates/delete", ADMINISTRATORS, 204, OwnCertificate, ""),
        rule(&post, NOT_BEFORE, "policy/not-before/write", ADMINISTRATORS, 200, Nothing, REVOKE),
        rule(&put, "/keystead/v1/policy/approvals", "policy/approvals/write", ADMINISTRATORS, 200, Nothing, "{}"),
        rule(&get, "/keystead/v1/approvals", "approvals/read", ADMINISTRATORS, 200, Nothing, ""),
        rule(&get, "/keystead/v1/approvals/{id}", "approvals/read", ADMINISTRATORS, 200, OwnProposal, ""),
        rule(&post, "/keystead/v1/approvals/{id}/votes", "approvals/vote", ADMINISTRATORS, 200, OwnProposal, "{vote}"),
    ]
}

const SD_DOWNLOAD: &str = "/securitydomain/download";
const SD_DOWNLOADED: &str = "/securitydomain/download/pending";
const SD_UPLOAD: &str = "/securitydomain/upload";
const SD_UPLOADED: &str = "/securitydomain/upload/pending";
const CONFIRM: &str = "/keystead/v1/clock/confirm";
const POLICY: &str = "/keystead/v1/policy";
const ISSUERS: &str = "/keystead/v1/policy/issuers";
const CLIENTS: &str = "/keystead/v1/policy/clients";
const CLIENT: &str = "/keystead/v1/policy/clients/{id}";
const CREDENTIALS: &str = "/keystead/v1/policy/clients/{id}/credentials";
const CREDENTIAL: &str = "/keystead/v1/policy/clients/{id}/credentials/{credential}";
const CERTIFICATES: &str = "/keystead/v1/policy/certificates";
const CERTIFICATE: &str = "/keystead/v1/policy/certificates/{thumbprint}";
const NOT_BEFORE: &str = "/keystead/v1/policy/not-before";

/// Routes that need no caller: what they answer while the vault is open, and whether they answer in every state.
pub(crate) const OPEN_ROUTES: &[(&str, u16, bool)] = &[
    ("/{tenant}/.well-known/openid-configuration", 200, false),
    ("/{tenant}/v2.0/.well-known/openid-configuration", 200, false),
    ("/{tenant}/discovery/v2.0/keys", 200, false),
    ("/keystead/v1/health", 200, true),
    ("/keystead/v1/live", 200, true),
    ("/keystead/v1/ready", 200, true),
    ("/keystead/v1/audit/logs", 200, true),
    ("/keystead/v1/audit/logs/{id}/checkpoint", 200, true),
    ("/keystead/v1/audit/logs/{id}/tile/{path*}", 404, true),
];

/// Routes whose request carries its own proof.
pub(crate) const PROOF_ROUTES: &[&str] = &["/{tenant}/oauth2/v2.0/token", "/keystead/v1/identity/token"];

/// The rows of both tables.
pub(crate) fn rows() -> Vec<RouteInfo> {
    keystead_api_azure::protocol().entries().chain(keystead_api_own::protocol().entries()).collect()
}

#[test]
fn every_route_has_an_expectation_and_every_expectation_a_route() {
    let rules = rules();
    let rows = rows();
    for row in &rows {
        let known = match row.access {
            Access::Caller => rules.iter().any(|r| (&r.method, r.pattern) == (&row.method, row.pattern)),
            Access::Proof => PROOF_ROUTES.contains(&row.pattern),
            Access::Anybody => row.method == Method::GET && OPEN_ROUTES.iter().any(|r| r.0 == row.pattern),
        };
        assert!(known, "say in matrix/rules.rs who may use {} {}", row.method, row.pattern);
    }
    let row = |pattern: &str, method: &Method| rows.iter().find(|r| r.pattern == pattern && r.method == *method);
    for rule in &rules {
        let row = row(rule.pattern, &rule.method).unwrap_or_else(|| panic!("no route {}", rule.pattern));
        assert_eq!((row.access, row.name, row.ok), (Access::Caller, rule.action, rule.ok), "{}", rule.pattern);
    }
    assert_eq!(rows.len(), rules.len() + OPEN_ROUTES.len() + PROOF_ROUTES.len());
}
