use super::*;
use crate::testing::{custodian_key, custodians};
use crate::words;
use proptest::prelude::*;
use serde_json::json;

pub(crate) fn record() -> ActivationRecord {
    let custodian = |(number, certificate)| Custodian { certificate, share: [number; 32] };
    ActivationRecord {
        vault: VaultId::from_bytes([1; 16]),
        name: "payments".to_owned(),
        kind: VaultKind::Hsm,
        authorities: vec!["pay.example".parse().unwrap(), "pay.example:8443".parse().unwrap()],
        tenant: "adfs".to_owned(),
        retention_days: 90,
        purge_protection: true,
        policy: json!({"b": [{"z": 1, "a": "x"}], "a": null}),
        domain_public: DomainPublic::from_bytes([2; 32]),
        working_keys: [3; 32],
        security_domain: sha256(&[b"file"]),
        quorum: Quorum::new(2, 3).unwrap(),
        custodians: (10..).zip(custodians(3)).map(custodian).collect(),
        nodes: vec![NodeIdentity { id: NodeId::from_bytes([4; 16]), key: [5; 32] }],
        paths: Vec::new(),
    }
}

#[test]
fn what_is_written_is_read_again() {
    let bytes = record().to_bytes();
    assert_eq!(ActivationRecord::parse(&bytes), Ok(record()));
    assert_eq!(record().digest(), sha256(&[&bytes]));
    let none = ActivationRecord { nodes: Vec::new(), kind: VaultKind::Vault, ..record() };
    assert_eq!(ActivationRecord::parse(&none.to_bytes()), Ok(none));
}

#[test]
fn golden_record_that_allows_unseal_paths() {
    let none = ActivationRecord::parse(include_bytes!("../../tests/golden/activation.json")).unwrap();
    let allowing = |paths: &[&str]| ActivationRecord {
        paths: paths.iter().map(|path| path.parse().unwrap()).collect(),
        ..none.clone()
    };
    let golden = include_bytes!("../../tests/golden/activation-paths.json");
    assert_eq!(ActivationRecord::parse(golden), Ok(allowing(&["boot:credential", "file:file"])));
    let empty = String::from_utf8(golden.to_vec()).unwrap().replacen("[\"boot:credential\",\"file:file\"]", "[]", 1);
    assert_eq!(ActivationRecord::parse(empty.as_bytes()), Err(BadActivation::Spelling));
    let twice = allowing(&["boot:credential", "boot:file"]);
    assert!(matches!(twice.check(), Err(BadActivation::Member(_))));
}

#[test]
fn golden_record_whose_unseal_paths_have_no_kind_is_read_and_allows_none() {
    let golden = include_bytes!("../../tests/golden/activation-path-names.json");
    let record = ActivationRecord::parse(golden).unwrap();
    assert_eq!(record.paths.iter().map(AllowedPath::name).collect::<Vec<_>>(), ["boot", "file"]);
    assert_eq!(record.to_bytes(), golden);
    for kind in ["file", "credential", "hsm"] {
        assert!(!record.allows("boot", kind));
    }
}

#[test]
fn an_allowed_path_has_a_name_and_a_kind_and_is_no_other_of_the_name() {
    let path: AllowedPath = "boot:credential".parse().unwrap();
    assert_eq!((path.name(), path.kind(), path.to_string().as_str()), ("boot", Some("credential"), "boot:credential"));
    for text in ["boot", "Boot:file", ":file", "boot:", "boot:File", "boot:tpm", "boot:file:file", ""] {
        assert_eq!(text.parse::<AllowedPath>(), Err(BadPath), "{text}");
    }
    let record = ActivationRecord { paths: vec![path], ..record() };
    assert!(record.allows("boot", "credential"));
    for (name, kind) in [("boot", "file"), ("file", "credential"), ("boot:credential", "")] {
        assert!(!record.allows(name, kind), "{name} {kind}");
    }
}

#[test]
fn another_spelling_of_the_same_is_refused() {
    let text = String::from_utf8(record().to_bytes()).unwrap();
    for (from, to) in [
        ("\"kind\"", " \"kind\""),
        ("\"a\":null,", ""),
        ("{\"a\":null,", "{\"a\":1,\"a\":null,"),
        ("\"pay.example\"", "\"Pay.example\""),
        ("\"pay.example\"", "\"pay.example:443\""),
        ("\"name\":\"payments\",\"kind\":\"hsm\"", "\"kind\":\"hsm\",\"name\":\"payments\""),
        (&"02".repeat(32), &"02".repeat(32).to_uppercase()),
    ] {
        let other = text.replacen(from, to, 1);
        match ActivationRecord::parse(other.as_bytes()) {
            Ok(read) => assert!(read != record() || other == text, "{to}"),
            Err(why) => assert_eq!(why, BadActivation::Spelling, "{to}"),
        }
    }
    let pretty = serde_json::to_vec_pretty(&serde_json::from_str::<Value>(&text).unwrap()).unwrap();
    assert_eq!(ActivationRecord::parse(&pretty), Err(BadActivation::Spelling));
    assert_eq!(ActivationRecord::parse(&[text.as_bytes(), b"\n"].concat()), Err(BadActivation::Spelling));
    let other_order = text.replacen("{\"a\":\"x\",\"z\":1}", "{\"z\":1,\"a\":\"x\"}", 1);
    assert_ne!(other_order, text);
    assert_eq!(ActivationRecord::parse(other_order.as_bytes()), Err(BadActivation::Spelling));
}

#[test]
fn a_record_that_cannot_be_is_refused_by_name() {
    let text = String::from_utf8(record().to_bytes()).unwrap();
    let refused = |from: &str, to: &str| {
        let other = text.replacen(from, to, 1);
        assert_ne!(other, text, "{from}");
        ActivationRecord::parse(other.as_bytes()).unwrap_err()
    };
    assert_eq!(refused("activation\":1", "activation\":2"), BadActivation::Version(2));
    for (from, to) in [("\"kind\"", "\"kin\""), ("{", ""), ("\"nodes\"", "\"more\":1,\"nodes\"")] {
        assert!(matches!(refused(from, to), BadActivation::NotOne(_)), "{to}");
    }
    for (from, to) in [
        ("\"payments\"", "\"\""),
        ("\"hsm\"", "\"software\""),
        ("\"retention_days\":90", "\"retention_days\":91"),
        ("[\"pay.example\",\"pay.example:8443\"]", "[]"),
        ("pay.example", "https://pay.example"),
        (&"01".repeat(16), "01"),
        (&"02".repeat(32), "02"),
        (&"04".repeat(16), "04"),
    ] {
        assert!(matches!(refused(from, to), BadActivation::Member(_)), "{to}");
    }
    assert_eq!(refused("\"required\":2", "\"required\":4"), BadActivation::Quorum(BadQuorum));
    let [_, second, _] = &record().custodians[..] else { panic!() };
    let certificate = base64::Engine::encode(&base64::engine::general_purpose::STANDARD, second.certificate.der());
    let why = DomainError::Certificate;
    assert_eq!(refused(&certificate, "AAAA"), BadActivation::Custodian { at: 2, why });
    let mut twice = record();
    twice.custodians[2].certificate = twice.custodians[0].certificate.clone();
    let why = DomainError::Twice { at: 3 };
    assert_eq!(twice.check(), Err(BadActivation::Custodian { at: 3, why }));
    assert_eq!(
        ActivationRecord { policy: json!([]), ..record() }.check(),
        Err(BadActivation::Member("its policy is no document"))
    );
    let long = ActivationRecord { policy: json!({"a": "b".repeat(MAX_ACTIVATION)}), ..record() };
    assert!(long.check().is_err() && ActivationRecord::parse(&long.to_bytes()) == Err(BadActivation::TooLarge));
}

#[test]
fn custodians_are_found_by_their_keys() {
    let record = record();
    let found = |at| record.custodian(custodian_key(at).public()).map(|(number, of)| (number, of.share));
    assert_eq!((found(0), found(2), found(3)), (Some((1, [10; 32])), Some((3, [12; 32])), None));
    assert!(record.is_of(b"file") && !record.is_of(b"fil"));
    assert_eq!(record.gathering().unwrap().quorum(), record.quorum);
}

proptest! {
    #[test]
    fn any_change_of_a_record_changes_its_words_or_is_refused(at: prop::sample::Index, byte: u8) {
        let mut bytes = record().to_bytes();
        let at = at.index(bytes.len());
        prop_assume!(bytes[at] != byte);
        bytes[at] = byte;
        if let Ok(other) = ActivationRecord::parse(&bytes) {
            prop_assert_ne!(words(&other.digest()), words(&record().digest()));
        }
    }
}
