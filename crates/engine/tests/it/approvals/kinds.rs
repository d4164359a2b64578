//! Whatever a policy may ask approvals for is asked for where it does.

use super::*;
use crate::backup;
use crate::security_domain::CERTIFICATES;
use keystead_access::{Definition, Permission};
use keystead_custody::{Certificate, DomainSecrets, send_domain};
use keystead_engine::{
    AddAuthority, AddCredential, AddIssuer, Custodian, DeleteRoleAssignment, DeleteRoleDefinition,
    DownloadSecurityDomain, GetKey, GetTransferKey, NewCredential, RecoverKey, RemoveAuthority, RemoveClient,
    RemoveCredential, RemoveIssuer, RestoreKey, RevokeTokens, SetRoleDefinition, StartRestore, UploadSecurityDomain,
};
use keystead_identity::{CertificateAuthority, SubjectName, TrustedIssuer};
use keystead_model::VaultId;

pub(super) fn download(of: &[&[u8]], required: usize) -> DownloadSecurityDomain {
    let custodian = |der: &&[u8]| Custodian { certificate: der.to_vec(), public: None };
    DownloadSecurityDomain { custodians: of.iter().map(custodian).collect(), required }
}

/// A domain of nobody yet, for the vault's transfer key.
pub(super) async fn another_domain(node: &Node) -> Vec<u8> {
    let transfer = Certificate::parse(&node.run(GetTransferKey).await.unwrap().certificate).unwrap();
    let secrets = DomainSecrets::generate(VaultId::from_bytes(keystead_crypto::random()), false);
    send_domain(&secrets, &transfer).unwrap().to_json().into_bytes()
}

async fn asking(people: &People, rules: &[Rule]) -> Node {
    let rules: Vec<_> = rules.iter().map(|rule| (*rule, 2)).collect();
    node(people, &rules).await
}

#[tokio::test(flavor = "multi_thread")]
async fn each_kind_of_operation_needs_its_approvals() {
    let people = People::new();
    let node = asking(&people, &[Rule::Purge, Rule::Backup, Rule::Restore, Rule::Roles, Rule::Policy]).await;
    approved_once(&node, &people, || purge("k")).await;
    node.run(create("a", KeySpec::EcP256)).await.unwrap();
    let blob = approved(&node, &people, || BackupKey { name: name("a") }).await;
    let begun = approved_once(&node, &people, backup::start).await;
    let folder = backup::ended(&node, &begun).await.folder.unwrap();
    let folder = folder.rsplit('/').next().unwrap();
    node.run(DeleteKey { name: name("a") }).await.unwrap();
    approved_once(&node, &people, || purge("a")).await;
    approved_once(&node, &people, || RestoreKey { backup: blob.clone() }).await;
    node.run(GetKey { key: key("a") }).await.unwrap();
    let begun = approved_once(&node, &people, || backup::one("a", folder)).await;
    backup::ended(&node, &begun).await;
    let begun = approved_once(&node, &people, || StartRestore { rollback: true, ..backup::restore(folder) }).await;
    backup::ended(&node, &begun).await;
    // What asks for nothing goes on as ever, and looking at a backup does.
    node.run(StartRestore { check: true, ..backup::restore(folder) }).await.unwrap();
    node.run(DeleteKey { name: name("a") }).await.unwrap();
    node.run(RecoverKey { name: name("a") }).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn no_backup_of_either_kind_lets_a_key_out_without_the_approvals_of_an_export() {
    let people = People::new();
    let node = node(&people, &[(Rule::Export, 2), (Rule::Backup, 1)]).await;
    node.run(create("a", KeySpec::EcP256)).await.unwrap();
    let key = || BackupKey { name: name("a") };
    for refused in [node.run(key()).await.map(drop), node.run(backup::start()).await.map(drop)] {
        let refused = refused.unwrap_err();
        let two = matches!(refused, Refusal::Approval(ApprovalError::Required { needed: 2, pending: None }));
        assert!(two, "{refused}");
    }
    let view = propose(&node, backup::start()).await;
    assert_eq!(view.proposal.rules, [Rule::Export, Rule::Backup]);
    approve(&node, &view, &[&people.alice]).await;
    assert!(required(&node.run(backup::start()).await), "as many as a backup needs");
    approve(&node, &view, &[&people.carol]).await;
    let begun = node.run(backup::start()).await.unwrap();
    backup::ended(&node, &begun).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn each_change_of_who_may_what_needs_its_approvals() {
    let people = People::new();
    let node = asking(&people, &[Rule::Roles, Rule::Policy]).await;
    approved(&node, &people, || RevokeTokens { issuer: "built-in".to_owned(), subject: None, before: None }).await;
    let made =
        approved(&node, &people, || CreateClient { name: "c".to_owned(), credential: None, expires: None }).await;
    let client = || made.client.id.clone();
    let add = || AddCredential { client: client(), credential: NewCredential::Secret, expires: None };
    let credential = approved(&node, &people, add).await.credential.unwrap();
    let remove = || RemoveCredential { client: client(), credential: credential.clone() };
    approved_once(&node, &people, remove).await;
    approved_once(&node, &people, || RemoveClient { client: client() }).await;
    let iss = "https://a.example".to_owned();
    let (audiences, subject_claim) = (vec!["a".to_owned()], "sub".to_owned());
    let issuer = TrustedIssuer { iss: iss.clone(), audiences, subject_claim, ..TrustedIssuer::default() };
    approved_once(&node, &people, || AddIssuer { issuer: issuer.clone() }).await;
    approved_once(&node, &people, || RemoveIssuer { iss: iss.clone() }).await;
    let certificate = include_bytes!("../../fixtures/authority.der").to_vec();
    let authority = CertificateAuthority { certificate, subject: SubjectName::Dns, only: Vec::new() };
    approved_once(&node, &people, || AddAuthority { authority: authority.clone() }).await;
    approved_once(&node, &people, || RemoveAuthority { thumbprint: authority.thumbprint() }).await;
    let (id, role) = (Guid::from_bytes([5; 16]), "Reader of a test".to_owned());
    let permissions = vec![Permission { data_actions: Vec::new(), not_data_actions: Vec::new() }];
    let definition = Definition { id, name: role, description: String::new(), custom: true, permissions };
    approved_once(&node, &people, || SetRoleDefinition { definition: definition.clone() }).await;
    let assign = || {
        let mut ask = promote(&node, USER);
        ask.assignment.role = id;
        ask
    };
    let given = approved_once(&node, &people, assign).await;
    approved_once(&node, &people, || DeleteRoleAssignment { scope: Target::Vault, id: given.id }).await;
    approved_once(&node, &people, || DeleteRoleDefinition { id }).await;
    node.stop_and_verify().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_security_domain_leaves_and_is_replaced_with_approvals_only() {
    let people = People::new();
    for rules in [[Rule::Export, Rule::Restore], [Rule::Backup, Rule::Policy]] {
        let node = asking(&people, &rules).await;
        approved(&node, &people, || download(&CERTIFICATES, 2)).await;
        approve(&node, &propose(&node, download(&CERTIFICATES, 2)).await, &[&people.alice, &people.carol]).await;
        assert!(required(&node.run(download(&CERTIFICATES, 3)).await), "another quorum");
        let others = [CERTIFICATES[0], CERTIFICATES[2], CERTIFICATES[1]];
        assert!(required(&node.run(download(&others, 2)).await), "other custodians");
        node.run(download(&CERTIFICATES, 2)).await.unwrap();
        // The vault's own key goes, as one with keys takes no domain.
        let purged = node.run(purge("k")).await;
        assert!(purged.is_ok(), "{purged:?}");
        let (first, second) = (another_domain(&node).await, another_domain(&node).await);
        let upload = |blob: &[u8]| UploadSecurityDomain { blob: blob.to_vec() };
        assert!(required(&node.run(upload(&first)).await));
        let view = propose(&node, upload(&first)).await;
        assert!(view.proposal.parameters.contains("transfer_key_sha256"), "{}", view.proposal.parameters);
        approve(&node, &view, &[&people.alice, &people.bob]).await;
        assert!(required(&node.run(upload(&second)).await), "another domain");
        node.run(upload(&first)).await.unwrap();
        assert_eq!(state(&node, &view).await, ProposalState::Executed);
        node.stop_and_verify().await;
    }
}
