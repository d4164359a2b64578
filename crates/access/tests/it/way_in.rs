//! Whether anybody is left who administers a vault.

use crate::support::*;
use keystead_access::{AssignmentView, Edit, Known, Policy, PolicyDocument, Role, Who};
use keystead_identity::{
    By, CertificateAuthority, Client, Credential, Federation, Principal, SubjectName, TrustedIssuer,
};
use keystead_model::{Guid, Revision, Target, Time};

const OWN: &str = "https://vault.example/own";
const OID: &str = "6f1c2f0e-5d0b-4f0e-9a53-0d7c3f9b2a11";

fn stranger() -> Who {
    Who::Caller(bearer("https://nobody.example", "nobody"))
}

/// Whether somebody administers a vault with these administrators, as far as the stranger who asks can tell.
fn administered(by: &Who, document: &PolicyDocument) -> bool {
    let policy = Policy::stored(document, Revision(1)).unwrap();
    Known { own_issuer: OWN, now: Time(1000), by }.somebody_administers(&policy, document)
}

fn document(administrators: Vec<Principal>) -> PolicyDocument {
    PolicyDocument { administrators, directory: Some(OWN.into()), ..PolicyDocument::default() }
}

fn client(credentials: Vec<Credential>) -> Client {
    Client { id: "c".into(), name: "n".into(), subject: OID.into(), credentials, ..Client::default() }
}

fn credential(by: By, expires: Option<i64>) -> Credential {
    Credential { id: "k".into(), expires, by }
}

fn trusted(iss: &str) -> TrustedIssuer {
    let metadata = Some(format!("{iss}/.well-known/openid-configuration"));
    TrustedIssuer { iss: iss.into(), metadata, ..TrustedIssuer::default() }
}

#[test]
fn a_client_administers_while_it_has_a_credential_that_is_good() {
    let of = |clients: Vec<Client>| {
        let mut document = document(vec![Principal::new(OWN, OID)]);
        document.clients = clients;
        document
    };
    let who = stranger();
    for good in [
        Client { secrets: vec![[7; 32]], ..client(Vec::new()) },
        client(vec![credential(By::Secret([7; 32]), None)]),
        client(vec![credential(By::Key("{}".into()), Some(1001))]),
    ] {
        assert!(administered(&who, &of(vec![good])));
    }
    let ended = client(vec![credential(By::Secret([7; 32]), Some(1000))]);
    let other = Client { subject: "other".into(), secrets: vec![[7; 32]], ..client(Vec::new()) };
    for none in [vec![], vec![client(Vec::new())], vec![ended], vec![other]] {
        assert!(!administered(&who, &of(none)));
    }
    let federation = Federation { iss: "https://f.example".into(), sub: "s".into(), aud: "a".into() };
    let mut federated = of(vec![client(vec![credential(By::Federated(federation), None)])]);
    assert!(!administered(&who, &federated), "nobody vouches for it");
    federated.issuers.push(trusted("https://f.example"));
    assert!(administered(&who, &federated));
}

#[test]
fn somebody_of_another_issuer_administers_while_his_issuer_or_his_authority_is_trusted() {
    let who = stranger();
    for principal in [Principal::new("https://i.example", "s"), Principal::group("https://i.example", "g")] {
        let mut document = document(vec![principal]);
        assert!(!administered(&who, &document));
        document.issuers.push(TrustedIssuer { metadata: None, ..trusted("https://i.example") });
        assert!(!administered(&who, &document), "an issuer without keys vouches for nobody");
        document.issuers[0] = trusted("https://i.example");
        assert!(administered(&who, &document));
    }
    let authority = CertificateAuthority { certificate: vec![1], subject: SubjectName::Dns, only: Vec::new() };
    let mut document = document(vec![Principal::new(authority.issuer(), "machine")]);
    assert!(!administered(&who, &document));
    document.callers.authorities.push(authority);
    assert!(administered(&who, &document));
    let own_group = Principal::group(OWN, OID);
    document.administrators = vec![own_group];
    document.clients.push(Client { secrets: vec![[7; 32]], ..client(Vec::new()) });
    assert!(!administered(&who, &document), "the vault's own tokens name no groups");
}

/// A document that nobody but this GUID administers.
fn assigned_to(principal: Guid, document: PolicyDocument) -> PolicyDocument {
    let root = PolicyDocument { administrators: vec![Principal::new(ISS, "root")], ..document };
    let mut edit = Edit::of(root, Revision(1)).ok().unwrap();
    let role = Role::built_in("Keystead Vault Administrator").unwrap().guid();
    let new = AssignmentView { id: Guid::from_bytes([1; 16]), scope: Target::Vault, role, principal };
    assert_eq!(edit.assign(&Who::Caller(bearer(ISS, "root")), &new), Ok(true));
    let (mut document, _) = edit.done().ok().unwrap();
    document.administrators.clear();
    document
}

#[test]
fn a_guid_administers_if_it_is_a_clients_or_of_the_directory_or_the_callers_own() {
    let who = stranger();
    let with_client = || PolicyDocument {
        clients: vec![Client { secrets: vec![[7; 32]], ..client(Vec::new()) }],
        ..document(Vec::new())
    };
    assert!(administered(&who, &assigned_to(OID.parse().unwrap(), with_client())));
    assert!(!administered(&who, &assigned_to(OID.parse().unwrap(), document(Vec::new()))));

    let directory = "https://login.example/t";
    let mut of_directory = PolicyDocument { directory: Some(directory.into()), ..document(Vec::new()) };
    assert!(!administered(&who, &assigned_to(OID.parse().unwrap(), of_directory.clone())));
    of_directory.issuers.push(trusted(directory));
    assert!(administered(&who, &assigned_to(OID.parse().unwrap(), of_directory)));

    let elsewhere = Principal::new("https://i.example", "s");
    let mut derived = assigned_to(elsewhere.derived_id(), document(Vec::new()));
    derived.issuers.push(trusted("https://i.example"));
    assert!(!administered(&who, &derived), "nobody knows whose it is");
    let himself = Who::Caller(bearer("https://i.example", "s"));
    assert!(administered(&himself, &derived));
    derived.issuers.clear();
    assert!(!administered(&himself, &derived));
}
