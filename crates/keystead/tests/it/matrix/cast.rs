//! Who plays: a client for each role, with what it sends to get a token, and the tokens that no issuer would give.

use super::rules::Role;
use super::stage::Ask;
use crate::inside::now;
use crate::support::{b64, unb64};
use keystead_access::PolicyDocument;
use keystead_access::policy::AssignmentDocument;
use keystead_crypto::ec::{Curve, PrivateKey};
use keystead_engine::{BUILT_IN, NewVault};
use keystead_identity::token::{Claims, finish, signing_input};
use keystead_identity::{Client, Principal, secret_digest};
use keystead_model::VaultKind;

/// What the challenge of every vault here names.
pub(crate) const RESOURCE: &str = "https://localhost:8443";

fn client_id(role: Role) -> String {
    format!("{:08x}-0000-4000-8000-000000000000", role as u8)
}

fn subject(role: Role) -> String {
    format!("{:08x}-1111-4111-8111-111111111111", role as u8)
}

fn secret(role: Role) -> String {
    format!("secret-of-{role:?}")
}

pub(crate) fn grant(role: Role, audience: &str) -> Ask {
    let (id, secret) = (client_id(role), secret(role));
    let body = format!("client_id={id}&client_secret={secret}&grant_type=client_credentials&scope={audience}/.default");
    Ask { target: "/adfs/oauth2/v2.0/token".to_owned(), headers: Vec::new(), body, name: String::new() }
}

pub(crate) fn identity(role: Role, audience: &str) -> Ask {
    let target = format!("/keystead/v1/identity/token?api-version=2019-08-01&resource={audience}");
    let headers = vec![("x-identity-header", format!("{}.{}", client_id(role), secret(role)))];
    Ask { target, headers, body: String::new(), name: String::new() }
}

pub(crate) fn claims(role: Role, issuer: &str) -> Claims {
    let now = now().secs();
    Claims {
        aud: RESOURCE.to_owned(),
        iss: issuer.to_owned(),
        sub: subject(role),
        oid: subject(role),
        tid: "adfs".to_owned(),
        appid: client_id(role),
        iat: now,
        nbf: now,
        exp: now + 3600,
        ver: "1.0".to_owned(),
    }
}

/// Signed with a key that nobody has seen before.
pub(crate) fn signed(kid: &str, claims: &Claims) -> String {
    let input = signing_input(kid, claims);
    let digest = keystead_crypto::sha256(&[input.as_bytes()]);
    let signature = PrivateKey::generate(Curve::P256).sign_digest(&digest).unwrap().try_into().unwrap();
    finish(input, &signature)
}

pub(crate) fn unsigned(kid: &str, claims: &Claims) -> String {
    let input = signing_input(kid, claims);
    let header = format!(r#"{{"alg":"none","typ":"JWT","kid":"{kid}"}}"#);
    format!("{}.{}.", b64(header.as_bytes()), input.split('.').nth(1).unwrap())
}

pub(crate) fn tampered(token: &str) -> String {
    let (signed, signature) = token.rsplit_once('.').unwrap();
    let mut bytes = unb64(signature);
    bytes[40] ^= 1;
    format!("{signed}.{}", b64(&bytes))
}

/// A vault in which the client of each role has it on the whole vault.
pub(crate) fn new_vault(name: &str, kind: VaultKind) -> NewVault {
    let principal = |role| Principal::new(BUILT_IN, subject(role));
    let client = |role: Role| Client {
        id: client_id(role),
        name: format!("{role:?}"),
        subject: subject(role),
        secrets: vec![secret_digest(&secret(role))],
        ..Client::default()
    };
    let assignment = |(role, n): (Role, u8)| {
        let id = [n; 16];
        role.assigned().map(|r| AssignmentDocument {
            id,
            scope: "/".to_owned(),
            principal: principal(role).into(),
            role: r.to_owned(),
        })
    };
    let policy = PolicyDocument {
        administrators: vec![principal(Role::Administrator)],
        assignments: Role::ALL.into_iter().zip(1..).filter_map(assignment).collect(),
        issuers: Vec::new(),
        clients: Role::ALL.into_iter().map(client).collect(),
        ..PolicyDocument::default()
    };
    NewVault {
        name: name.to_owned(),
        kind,
        authorities: vec![format!("{name}.localhost:8443").parse().unwrap()],
        retention_days: 7,
        purge_protection: false,
        tenant: "adfs".to_owned(),
        tokens: Vec::new(),
        quorum: false,
        policy: if kind == VaultKind::Hsm { PolicyDocument::default() } else { policy },
    }
}
