//! The document as it is written and stored.

use crate::support::*;
use keystead_access::policy::AssignmentDocument;
use keystead_access::role::{PermissionDocument, RoleDocument};
use keystead_access::{BadPolicy, Grantee, Policy, PolicyDocument};
use keystead_identity::{
    By, CertificateAuthority, Client, Credential, Federation, IssuerKey, Principal, SubjectName, TrustedIssuer,
};
use keystead_model::{AssignmentId, Guid, Revision, Time};
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

/// The same without the issuer that could not be written today: it names no audience.
fn sound() -> PolicyDocument {
    let mut document = golden();
    document.issuers.truncate(1);
    document
}

/// The same with what role management added: a custom role, a derived id, a directory.
const GOLDEN_ROLES: &[u8] = include_bytes!("../golden/policy-roles-v1.cbor");

fn golden_roles() -> PolicyDocument {
    let id = [0xb1; 16];
    let mut document = golden();
    document.roles = vec![RoleDocument {
        id,
        name: "Signer".into(),
        description: "signs".into(),
        permissions: vec![PermissionDocument { data_actions: vec![15, 16], not_data_actions: vec![16] }],
    }];
    document.assignments.push(AssignmentDocument {
        id: [0xa3; 16],
        scope: "/keys".into(),
        principal: Grantee::Id(Guid::version_8([0xc1; 16])),
        role: Guid::from_bytes(id).to_string(),
    });
    document.directory = Some("https://idp.example/".into());
    document
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
    assert!(Policy::stored(&golden(), Revision(1)).is_ok(), "its vault opens, whatever is asked of a new one");
}

#[test]
fn roles_derived_ids_and_the_directory_read_and_are_written_as_kept() {
    assert_eq!(minicbor::decode::<PolicyDocument>(GOLDEN_ROLES).unwrap(), golden_roles());
    assert_eq!(minicbor::to_vec(golden_roles()).unwrap(), GOLDEN_ROLES);
    assert!(Policy::stored(&golden_roles(), Revision(1)).is_ok());
}

#[test]
fn a_group_that_has_a_role_stays_a_group_where_it_is_stored() {
    for principal in [Principal::group(ISS, "s"), Principal::new(ISS, "s")] {
        let assigned = assignment(1, "/", principal, OFFICER);
        let stored = minicbor::to_vec(&assigned).unwrap();
        assert_eq!(minicbor::decode::<AssignmentDocument>(&stored).unwrap(), assigned);
    }
}

#[test]
fn a_custom_role_that_cannot_be_one_is_refused() {
    let with = |change: fn(&mut RoleDocument)| {
        let mut document = golden_roles();
        change(&mut document.roles[0]);
        refused(&document)
    };
    for bad in [
        with(|r| r.name = String::new()),
        with(|r| r.name = "x".repeat(129)),
        with(|r| r.name = "a\nb".into()),
        with(|r| r.description = "x".repeat(1025)),
        with(|r| r.permissions = vec![PermissionDocument::default(); 17]),
        with(|r| r.permissions[0].data_actions = vec![15; 1000]),
        with(|r| r.permissions[0].data_actions = vec![0]),
        with(|r| r.permissions[0].data_actions = vec![101]),
        with(|r| r.name = "managed hsm crypto user".into()),
        with(|r| r.id = *OFFICER.parse::<Guid>().unwrap().as_bytes()),
    ] {
        assert!(matches!(bad, BadPolicy::Role(_)), "{bad}");
    }
    let mut two = golden_roles();
    two.roles.push(RoleDocument { id: [9; 16], name: "SIGNER".into(), ..two.roles[0].clone() });
    assert_eq!(refused(&two), BadPolicy::Twice { what: "role", id: "signer".into() });
    let mut two = golden_roles();
    two.roles.push(RoleDocument { name: "Other".into(), ..two.roles[0].clone() });
    assert!(matches!(refused(&two), BadPolicy::Twice { what: "role", .. }));
    let many = PolicyDocument { roles: vec![golden_roles().roles[0].clone(); Policy::MAX_ROLES + 1], ..golden() };
    assert_eq!(refused(&many), BadPolicy::TooMany { what: "custom roles", max: Policy::MAX_ROLES });
}

#[test]
fn there_is_no_administrator_of_a_part_of_the_vault() {
    let part = assignment(1, "/keys", Principal::new(ISS, "s"), "Keystead Vault Administrator");
    assert_eq!(refused(&document(vec![part])), BadPolicy::AdministratorBelow { at: 0 });
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
    for at in 0..GOLDEN_ROLES.len() {
        for bit in 0..8 {
            let mut damaged = GOLDEN_ROLES.to_vec();
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

/// The refusal of a policy whose one issuer was changed.
fn refused_issuer(change: impl FnOnce(&mut TrustedIssuer)) -> BadPolicy {
    let mut document = sound();
    assert!(Policy::new(&document, Revision(1)).is_ok());
    change(&mut document.issuers[0]);
    assert!(Policy::stored(&document, Revision(1)).is_ok(), "what was accepted once still opens");
    refused(&document)
}

#[test]
fn an_issuer_whose_tokens_could_name_nobody_is_refused_by_name() {
    for claim in ["", "  "] {
        let why = refused_issuer(|issuer| issuer.subject_claim = claim.into());
        assert_eq!(why, BadPolicy::NoSubjectClaim { iss: "https://idp.example/".into() });
        assert!(why.to_string().contains("`subject_claim`"), "{why}");
    }
}

#[test]
fn an_issuer_without_an_audience_or_with_an_empty_one_is_refused_by_name() {
    for audiences in [vec![], vec![""], vec!["/"], vec!["https://vault.azure.net", " "]] {
        let why = refused_issuer(|issuer| issuer.audiences = audiences.into_iter().map(str::to_owned).collect());
        assert_eq!(why, BadPolicy::NoAudience { iss: "https://idp.example/".into() });
        assert!(why.to_string().contains("`audiences`"), "{why}");
    }
}

#[test]
fn a_key_id_that_stands_twice_in_an_issuer_is_refused_and_in_two_issuers_is_not() {
    let why = refused_issuer(|issuer| {
        let other = IssuerKey { x: [7; 32], ..issuer.keys[0].clone() };
        issuer.keys.push(other);
    });
    assert_eq!(why, BadPolicy::KeyTwice { iss: "https://idp.example/".into(), kid: "k1".into() });
    let mut document = sound();
    document.issuers.push(TrustedIssuer { iss: "https://other.example".into(), ..document.issuers[0].clone() });
    assert!(Policy::new(&document, Revision(1)).is_ok());
}

#[test]
fn a_list_over_its_bound_is_refused() {
    let many = |n: usize| PolicyDocument { administrators: vec![Principal::new(ISS, "s"); n], ..sound() };
    assert!(Policy::new(&many(Policy::MAX_ENTRIES), Revision(1)).is_ok());
    let max = Policy::MAX_ENTRIES;
    assert_eq!(refused(&many(max + 1)), BadPolicy::TooMany { what: "administrators", max });
    let clients = PolicyDocument { clients: vec![sound().clients[0].clone(); max + 1], ..sound() };
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
            .map(|(id, scope, (i, s), role)| AssignmentDocument { id, scope, principal: Principal::new(i, s).into(), role })
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
