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
    Administrator,
}

use Role::{Administrator, Auditor, Officer, Service, User};

impl Role {
    pub(crate) const ALL: [Self; 6] = [Self::Nobody, Officer, User, Service, Auditor, Administrator];

    /// Its name in role assignments.
    pub(crate) const fn assigned(self) -> Option<&'static str> {
        match self {
            Self::Nobody | Administrator => None,
            Officer => Some("Key Vault Crypto Officer"),
            User => Some("Key Vault Crypto User"),
            Service => Some("Key Vault Crypto Service Encryption User"),
            Auditor => Some("Keystead Audit Reader"),
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
    /// A name that no key has.
    OwnName,
    /// A backup of a key of its own that was purged.
    OwnBackup,
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
    /// `{sealed}` stands for the members of something that was encrypted before, `{backup}` for a backup.
    pub(crate) body: &'static str,
}

const READERS: &[Role] = &[Officer, User, Service];
const USERS: &[Role] = &[Officer, User];
const OFFICERS: &[Role] = &[Officer];

const SIGN: &str = r#"{"alg":"ES256","value":"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"}"#;
const VERIFY: &str = r#"{"alg":"ES256","digest":"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA","value":"AAAA"}"#;
const SEAL: &str = r#"{"alg":"A256GCM","value":"AAECAw"}"#;
const OPEN: &str = r#"{"alg":"A256GCM",{sealed}}"#;

const OCT: &str = r#"{"key":{"kty":"oct","k":"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"}}"#;
const ROTATION: &str = r#"{"attributes":{"expiryTime":"P90D"}}"#;

/// Every route that needs a caller.
pub(crate) fn rules() -> Vec<Rule> {
    let (get, post, put) = (Method::GET, Method::POST, Method::PUT);
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
    use Needs::{AesKey, EcKey, Nothing, OwnBackup, OwnDeletedKey, OwnKey, OwnName};
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
        rule(&get, "/keys/{name}/{version?}", "keys/read", READERS, 200, EcKey, ""),
        rule(&patch, "/keys/{name}/{version?}", "keys/update", USERS, 200, EcKey, r#"{"tags":{"a":"b"}}"#),
        rule(&delete, "/keys/{name}", "keys/delete", OFFICERS, 200, OwnKey, ""),
        rule(&get, "/deletedkeys", "keys/deleted/read", OFFICERS, 200, Nothing, ""),
        rule(&get, "/deletedkeys/{name}", "keys/deleted/read", OFFICERS, 200, OwnDeletedKey, ""),
        rule(&delete, "/deletedkeys/{name}", "keys/purge", OFFICERS, 204, OwnDeletedKey, ""),
        rule(&post, "/deletedkeys/{name}/recover", "keys/recover", OFFICERS, 200, OwnDeletedKey, ""),
        rule(&get, "/keystead/v1/audit/records", "audit/read", &[Auditor], 200, Nothing, ""),
        rule(&post, "/keystead/v1/vault/seal", "vault/seal", &[Administrator], 204, Nothing, ""),
    ]
}

/// Routes that need no caller: what they answer while the vault is open, and whether they answer in every state.
pub(crate) const OPEN_ROUTES: &[(&str, u16, bool)] = &[
    ("/{tenant}/.well-known/openid-configuration", 200, false),
    ("/{tenant}/v2.0/.well-known/openid-configuration", 200, false),
    ("/{tenant}/discovery/v2.0/keys", 200, false),
    ("/keystead/v1/health", 200, true),
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
