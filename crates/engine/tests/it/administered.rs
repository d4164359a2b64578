//! Somebody can always administer a vault: neither a role nor the last way to prove that one has it can be removed from
//! its last administrator.

use crate::support::*;
use keystead_access::{AssignmentView, NotChanged, Role};
use keystead_crypto::ec::{Curve, PrivateKey};
use keystead_engine::{
    AddCredential, Command, CreateRoleAssignment, NewCredential, NewVault, Refusal, RemoveAuthority, RemoveCredential,
    RemoveIssuer, Vault,
};
use keystead_identity::token::{Claims, finish, signing_input};
use keystead_identity::{
    By, Caller, CertificateAuthority, Credential, IssuerKey, Principal, Proof, SubjectName, TrustedIssuer,
    secret_digest,
};
use keystead_model::{Guid, Moment, Target};
use std::sync::Arc;

const ELSEWHERE: &str = "https://idp.example";

/// The vault `two`, after its document was changed.
async fn vault(node: &Node, change: impl FnOnce(&mut NewVault)) -> Arc<Vault> {
    let mut new = new_vault("two");
    change(&mut new);
    node.instance.create(new, at(T0)).await.unwrap();
    node.instance.named("two").unwrap()
}

async fn run<C: Command>(vault: &Arc<Vault>, caller: &Caller, ask: C, at: Moment) -> Result<C::Output, Refusal> {
    vault.run(caller.clone(), ask, at).await.unwrap().into_parts().1
}

fn last<T>(answer: Result<T, Refusal>) -> bool {
    matches!(answer, Err(Refusal::Role(NotChanged::LastAdministrator)))
}

fn by_secret(vault: &Vault, (client, secret): Who) -> Caller {
    vault.authenticate(Proof::ClientSecret { client, secret }, None, T0).unwrap()
}

/// Gives the administration of the vault to a client too.
async fn promote(vault: &Arc<Vault>, by: &Caller, who: Who) {
    let iss = vault.issuer().unwrap().iss;
    let role = Role::built_in("Keystead Vault Administrator").unwrap().guid();
    let principal = Principal::new(&iss, subject(who)).id(&iss);
    let assignment = AssignmentView { id: Guid::from_bytes([9; 16]), scope: Target::Vault, role, principal };
    run(vault, by, CreateRoleAssignment { assignment }, at(T0)).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn the_last_credential_behind_all_administrators_is_not_removed() {
    let node = Node::new().await;
    let (vault, records) = (node.vault(), node.records().len());
    let officer = node.caller(OFFICER);
    let remove =
        || RemoveCredential { client: OFFICER.0.to_owned(), credential: hex::encode(secret_digest(OFFICER.1)) };
    assert!(last(run(&vault, &officer, remove(), at(T0)).await));
    assert_eq!(node.records().len(), records + 1, "with a record");
    assert!(vault.authenticate(Proof::ClientSecret { client: OFFICER.0, secret: OFFICER.1 }, None, T0).is_ok());

    let another = AddCredential { client: OFFICER.0.to_owned(), credential: NewCredential::Secret, expires: None };
    run(&vault, &officer, another, at(T0)).await.unwrap_or_else(|e| panic!("{e}"));
    run(&vault, &officer, remove(), at(T0)).await.unwrap();
    node.stop_and_verify().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_last_credential_of_one_of_two_administrators_is_removed() {
    let node = Node::new().await;
    let (vault, officer) = (node.vault(), node.caller(OFFICER));
    promote(&vault, &officer, USER).await;
    let remove =
        |who: Who| RemoveCredential { client: who.0.to_owned(), credential: hex::encode(secret_digest(who.1)) };
    run(&vault, &officer, remove(USER), at(T0)).await.unwrap();
    assert!(last(run(&vault, &officer, remove(OFFICER), at(T0)).await), "the other one has none any more");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_issuer_of_all_administrators_is_not_removed() {
    let node = Node::new().await;
    let key = PrivateKey::generate(Curve::P256);
    let (x, y) = key.public();
    let vault = vault(&node, |new| {
        new.policy.administrators = vec![Principal::new(ELSEWHERE, "root")];
        new.policy.issuers = vec![TrustedIssuer {
            iss: ELSEWHERE.into(),
            audiences: vec!["vault".into()],
            subject_claim: "sub".into(),
            keys: vec![IssuerKey { kid: "k".into(), x: x.try_into().unwrap(), y: y.try_into().unwrap() }],
            ..TrustedIssuer::default()
        }];
    })
    .await;
    let (text, now) = (String::from, T0.secs());
    let claims = Claims {
        aud: text("vault"),
        iss: text(ELSEWHERE),
        sub: text("root"),
        oid: text("root"),
        tid: text("t"),
        appid: text("a"),
        iat: now,
        nbf: now,
        exp: now + 600,
        ver: text("1.0"),
    };
    let input = signing_input("k", &claims);
    let signature = key.sign_digest(&keystead_crypto::sha256(&[input.as_bytes()])).unwrap().try_into().unwrap();
    let root = vault.authenticate(Proof::Bearer(&finish(input, &signature)), None, T0).unwrap();
    let remove = || RemoveIssuer { iss: ELSEWHERE.to_owned() };
    assert!(last(run(&vault, &root, remove(), at(T0)).await));
    promote(&vault, &root, OFFICER).await;
    run(&vault, &root, remove(), at(T0)).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn the_certificate_authority_of_all_administrators_is_not_removed() {
    let certificate = include_bytes!("../fixtures/authority.der").to_vec();
    let authority = CertificateAuthority { certificate, subject: SubjectName::Dns, only: Vec::new() };
    let node = Node::new().await;
    let vault = vault(&node, |new| {
        new.policy.administrators.push(Principal::new(authority.issuer(), "machine.example"));
        new.policy.callers.authorities.push(authority.clone());
        // The officer's way in ends, and the certificates of the authority are the only one that is left.
        let officer = new.policy.clients.iter_mut().find(|c| c.id == OFFICER.0).unwrap();
        let (id, expires) = ("c".to_owned(), Some(T0.0 + 1000));
        officer.credentials = vec![Credential { id, expires, by: By::Secret(secret_digest(OFFICER.1)) }];
        officer.secrets.clear();
    })
    .await;
    let officer = by_secret(&vault, OFFICER);
    let remove = || RemoveAuthority { thumbprint: authority.thumbprint() };
    assert!(last(run(&vault, &officer, remove(), at(T0.plus_millis(1000))).await));
    promote(&vault, &officer, USER).await;
    run(&vault, &officer, remove(), at(T0.plus_millis(1000))).await.unwrap();
}
