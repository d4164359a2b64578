//! The document as it is written and stored.

use crate::support::*;
use keystead_access::policy::AssignmentDocument;
use keystead_access::{BadPolicy, Policy, PolicyDocument};
use keystead_identity::{
    By, CertificateAuthority, Client, Credential, Federation, IssuerKey, Principal, SubjectName, TrustedIssuer,
};
use keystead_model::{AssignmentId, Revision, Time};
use proptest::prelude::*;

/// A document with everything in it, as release 1 stored it.
const GOLDEN: &[u8] = include_bytes!("../golden/policy-v1.cbor");

fn golden() -> PolicyDocument {
    PolicyDocument {
        administrators: vec![Principal::new("https://dev.example/t", "11111111-1111-4111-8111-111111111111")],
        assignments: vec![
            assignment(0xa1, "/", Principal::new("https://dev.example/t", "s1"), OFFICER),
            assignment(0xa2, "/keys/Payments-1", Principal::new("https://idp.example/", "s2"), "Key Vault Crypto User"),
        ],
        issuers: vec![
            TrustedIssuer {
                iss: "https://idp.example/".into(),
                audiences: vec!["https://vault.azure.net".into(), "https://managedhsm.azure.net".into()],
                tenant: Some("22222222-2222-4222-8222-222222222222".into()),
                subject_claim: "oid".into(),
                keys: vec![IssuerKey { kid: "k1".into(), x: [0x01; 32], y: [0x02; 32] }],
                ..TrustedIssuer::default()
            },
            TrustedIssuer {
                iss: "https://other.example".into(),
                audiences: Vec::new(),
                tenant: None,
                subject_claim: "sub".into(),
                ..TrustedIssuer::default()
            },
        ],
        clients: vec![Client {
            id: "33333333-3333-4333-8333-333333333333".into(),
            name: "büro".into(),
            subject: "44444444-4444-4444-8444-444444444444".into(),
            secrets: vec![[0x03; 32], [0x04; 32]],
            ..Client::default()
        }],
        ..PolicyDocument::default()
    }
}

fn refused(document: &PolicyDocument) -> BadPolicy {
    Policy::new(document, Revision(1)).unwrap_err()
}

fn to(role: &str) -> AssignmentDocument {
    assignment(1, "/", Principal::new(ISS, "s"), role)
}

#[test]
fn a_policy_stored_by_release_1_reads_and_is_written_the_same_today() {
    assert_eq!(minicbor::decode::<PolicyDocument>(GOLDEN).unwrap(), golden());
    assert_eq!(minicbor::to_vec(golden()).unwrap(), GOLDEN);
    assert!(Policy::new(&golden(), Revision(1)).is_ok());
}

#[test]
fn what_a_later_release_adds_is_passed_over() {
    // The golden map has four members; make it five, the fifth unknown.
    let mut later = GOLDEN.to_vec();
    assert_eq!(later[0], 0xa4);
    later[0] = 0xa5;
    later.extend([0x18, 0x63, 0x82, 0x01, 0x61, b'x']);
    assert_eq!(minicbor::decode::<PolicyDocument>(&later).unwrap(), golden());
}

#[test]
fn a_document_cut_short_is_no_document() {
    for end in 0..GOLDEN.len() {
        assert!(minicbor::decode::<PolicyDocument>(&GOLDEN[..end]).is_err(), "{end}");
    }
}

#[test]
fn a_damaged_document_never_panics() {
    for at in 0..GOLDEN.len() {
        for bit in 0..8 {
            let mut damaged = GOLDEN.to_vec();
            damaged[at] ^= 1 << bit;
            if let Ok(document) = minicbor::decode::<PolicyDocument>(&damaged) {
                let _ = Policy::new(&document, Revision(1));
            }
        }
    }
}

#[test]
fn a_policy_without_an_administrator_is_refused() {
    assert_eq!(refused(&PolicyDocument::default()), BadPolicy::NoAdministrator);
    assert!(BadPolicy::NoAdministrator.to_string().contains("administrators"));
}

#[test]
fn an_unknown_role_is_refused_with_its_place() {
    let at = |role: &str| refused(&document(vec![assignment(2, "/", Principal::new(ISS, "s"), USER), to(role)]));
    for role in ["", "Owner", "key vault crypto user", "14b46e9e-c2b7-41b4-b07b-48a6ebf60604"] {
        assert_eq!(at(role), BadPolicy::UnknownRole { at: 1, role: role.into() });
    }
    assert!(at("Owner").to_string().contains("assignment 1 names the role 'Owner'"));
}

#[test]
fn what_is_no_scope_is_refused_with_its_place() {
    for scope in ["", "keys", "/Keys", "/keys/", "/keys/a/b", "/keys/a_b", "/secrets", "//", "/ ", "/keys/é"] {
        let bad = document(vec![assignment(1, scope, Principal::new(ISS, "s"), USER)]);
        assert_eq!(refused(&bad), BadPolicy::BadScope { at: 0, scope: scope.into() });
    }
}

#[test]
fn an_id_that_stands_twice_is_refused() {
    let twice = |what, id: &str| BadPolicy::Twice { what, id: id.into() };
    let id = AssignmentId::from_bytes([1; 16]).to_string();
    assert_eq!(refused(&document(vec![to(USER), to(OFFICER)])), twice("assignment", &id));

    let mut two = golden();
    two.issuers.push(TrustedIssuer { subject_claim: "sub".into(), ..two.issuers[0].clone() });
    assert_eq!(refused(&two), twice("issuer", "https://idp.example/"));

    let mut two = golden();
    two.clients[0].id = "abc".into();
    two.clients.push(Client { id: "ABC".into(), ..two.clients[0].clone() });
    assert_eq!(refused(&two), twice("client", "abc"));
}

#[test]
fn a_list_over_its_bound_is_refused() {
    let many = |n: usize| PolicyDocument { administrators: vec![Principal::new(ISS, "s"); n], ..golden() };
    assert!(Policy::new(&many(Policy::MAX_ENTRIES), Revision(1)).is_ok());
    let max = Policy::MAX_ENTRIES;
    assert_eq!(refused(&many(max + 1)), BadPolicy::TooMany { what: "administrators", max });
    let clients = PolicyDocument { clients: vec![golden().clients[0].clone(); max + 1], ..golden() };
    assert_eq!(refused(&clients), BadPolicy::TooMany { what: "clients", max });
}

proptest! {
    #[test]
    fn every_document_reads_back_as_it_was_written(
        administrators in prop::collection::vec((".*", ".*"), 0..3),
        assignments in prop::collection::vec((any::<[u8; 16]>(), ".*", (".*", ".*"), ".*"), 0..3),
        tenant in prop::option::of(".*"),
        digests in prop::collection::vec(any::<[u8; 32]>(), 0..3),
    ) {
        let mut document = golden();
        document.administrators = administrators.iter().map(|(i, s)| Principal::new(i, s)).collect();
        document.assignments = assignments
            .into_iter()
            .map(|(id, scope, (i, s), role)| AssignmentDocument { id, scope, principal: Principal::new(i, s), role })
            .collect();
        document.issuers[0].tenant = tenant;
        document.clients[0].secrets = digests;
        let stored = minicbor::to_vec(&document).unwrap();
        prop_assert_eq!(minicbor::decode::<PolicyDocument>(&stored).unwrap(), document);
    }

    #[test]
    fn no_bytes_panic(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        let _ = minicbor::decode::<PolicyDocument>(&bytes);
    }
}

/// Who callers are, with everything in it, as it was first stored.
const GOLDEN_CALLERS: &[u8] = include_bytes!("../golden/policy-callers-v1.cbor");

fn golden_callers() -> PolicyDocument {
    let mut document = PolicyDocument { administrators: vec![Principal::group("i", "g")], ..PolicyDocument::default() };
    document.issuers = vec![TrustedIssuer {
        iss: "https://idp.example".into(),
        audiences: vec!["a".into()],
        subject_claim: "sub".into(),
        metadata: Some("https://idp.example/.well-known/openid-configuration".into()),
        jwks: Some(r#"{"keys":[]}"#.into()),
        ..TrustedIssuer::default()
    }];
    let federation = Federation { iss: "i".into(), sub: "s".into(), aud: "a".into() };
    let credentials = [By::Secret([5; 32]), By::Key("{}".into()), By::Federated(federation)];
    let credential = |by| Credential { id: "c".into(), expires: Some(1), by };
    document.clients = vec![Client {
        id: "c".into(),
        name: "n".into(),
        subject: "s".into(),
        credentials: credentials.map(credential).to_vec(),
        ..Client::default()
    }];
    let subjects = [SubjectName::Dns, SubjectName::Uri, SubjectName::Thumbprint];
    let authority = |subject| CertificateAuthority { certificate: vec![1, 2], subject, only: vec![[6; 32]] };
    document.callers.authorities = subjects.map(authority).to_vec();
    document.callers.revoke("i", Some("s"), Time(7));
    document.callers.revoke("i", None, Time(8));
    document
}

#[test]
fn callers_stored_by_the_first_release_that_had_them_read_and_are_written_the_same_today() {
    assert_eq!(hex::encode(minicbor::to_vec(golden_callers()).unwrap()), hex::encode(GOLDEN_CALLERS));
    assert_eq!(minicbor::decode::<PolicyDocument>(GOLDEN_CALLERS).unwrap(), golden_callers());
    for end in 0..GOLDEN_CALLERS.len() {
        assert!(minicbor::decode::<PolicyDocument>(&GOLDEN_CALLERS[..end]).is_err(), "{end}");
    }
}
