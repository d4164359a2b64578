//! Golden files: what the first release wrote reads back for ever, and is written the same. They were made by another
//! implementation of the layouts.

use super::*;
use keystead_model::Time;
use keystead_model::{Curve, KeyOperation, KeySpec, PublicKey};
use keystead_protection::WrapClass;
use proptest::prelude::*;
use std::collections::BTreeMap;

fn golden(text: &str) -> Vec<u8> {
    hex::decode(text.split_whitespace().collect::<String>()).unwrap()
}

/// Decodes, compares, and encodes to the same bytes.
macro_rules! is_golden {
    ($file:literal, $expected:expr) => {{
        let bytes = golden(include_str!(concat!("../../tests/golden/", $file)));
        let expected = $expected;
        let decoded = decode(&bytes).unwrap_or_else(|e| panic!("{}: {e}", $file));
        assert!(same(&expected, &decoded), "{}", $file);
        assert_eq!(hex::encode(&*encode(&expected).unwrap()), hex::encode(&bytes), "{}", $file);
    }};
}

fn same<T: PartialEq>(a: &T, b: &T) -> bool {
    a == b
}

#[test]
fn golden_key_records() {
    is_golden!(
        "key-record-plain-v1.hex",
        KeyRecord {
            name: "Payments-2026".to_owned(),
            newest: [0x1a; 16],
            newest_created: 1_900_000_000_000,
            rotation: None,
            deletion: None,
            newest_expires: None,
            notified: None,
        }
    );
    let newest = [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15];
    let set_by = "https://issuer/|subject".to_owned();
    let rotation = RotationRecord {
        after_create: Some(604_800_000),
        set_by,
        expiry: Some(2_419_200_000),
        at: 7,
        ..RotationRecord::default()
    };
    let deletion = DeletionRecord { deleted: 1_900_000_000_001, purge_at: 1_900_604_800_001 };
    is_golden!(
        "key-record-full-v1.hex",
        KeyRecord {
            name: "k".to_owned(),
            newest,
            newest_created: -1,
            rotation: Some(rotation),
            deletion: Some(deletion),
            newest_expires: None,
            notified: None,
        }
    );
}

#[test]
fn golden_version_records() {
    use KeyOperation::*;
    let tags = [("team", "pay"), ("", "empty")].map(|(k, v)| (k.to_owned(), v.to_owned()));
    is_golden!(
        "version-record-ec-v1.hex",
        VersionRecord {
            spec: KeySpec::EcP256,
            ops: vec![Sign, Verify],
            enabled: true,
            not_before: None,
            expires: None,
            created: 1_900_000_000_000,
            updated: 1_900_000_001_000,
            tags: tags.into(),
            public: PublicKey::Ec { curve: Curve::P256, x: vec![0x11; 32], y: vec![0x22; 32] },
            material: vec![0xee; 40],
            uses_reserved: 0,
            exportable: None,
            release: None,
            level: None,
        }
    );
    is_golden!(
        "version-record-rsa-v1.hex",
        VersionRecord {
            spec: KeySpec::Rsa2048,
            ops: vec![Encrypt, Decrypt, Sign, Verify, WrapKey, UnwrapKey],
            enabled: false,
            not_before: Some(-5),
            expires: Some(1_900_000_000_005),
            created: 0,
            updated: 1,
            tags: BTreeMap::new(),
            public: PublicKey::Rsa { n: vec![0xc1; 256], e: vec![1, 0, 1] },
            material: Vec::new(),
            uses_reserved: 0,
            exportable: None,
            release: None,
            level: None,
        }
    );
    is_golden!(
        "version-record-oct-v1.hex",
        VersionRecord {
            spec: KeySpec::Oct256,
            ops: Vec::new(),
            enabled: true,
            not_before: None,
            expires: None,
            created: 2,
            updated: 3,
            tags: BTreeMap::new(),
            public: PublicKey::Symmetric,
            material: vec![0xab; 3],
            uses_reserved: 1 << 32,
            exportable: None,
            release: None,
            level: None,
        }
    );
}

#[test]
fn golden_version_records_of_every_curve() {
    let record = |spec, curve, length| VersionRecord {
        spec,
        ops: vec![KeyOperation::Verify],
        enabled: true,
        not_before: None,
        expires: None,
        created: 4,
        updated: 5,
        tags: BTreeMap::new(),
        public: PublicKey::Ec { curve, x: vec![0x31; length], y: vec![0x32; length] },
        material: vec![0xcd; 5],
        uses_reserved: 0,
        exportable: None,
        release: None,
        level: None,
    };
    is_golden!("version-record-p384-v1.hex", record(KeySpec::EcP384, Curve::P384, 48));
    is_golden!("version-record-p521-v1.hex", record(KeySpec::EcP521, Curve::P521, 66));
    is_golden!("version-record-p256k-v1.hex", record(KeySpec::EcP256K, Curve::P256K, 32));
}

#[test]
fn a_point_of_another_length_is_damage() {
    let good = golden(include_str!("../../tests/golden/version-record-p256k-v1.hex"));
    // The point's number stands before two strings of 32 bytes.
    let at = good.windows(3).position(|window| window == [5, 0x58, 32]).unwrap();
    for number in [0, 2, 3, 4, 6, 23] {
        let mut bad = good.clone();
        bad[at] = number;
        let read = decode::<VersionRecord>(&bad).map(|r| r.public);
        // 2 says that these are a modulus and an exponent.
        assert_eq!(read.is_ok(), number == 2, "{number}");
    }
}

#[test]
fn golden_secrets_record() {
    let bytes = golden(include_str!("../../tests/golden/secrets-record-v1.hex"));
    let decoded: SecretsRecord = decode(&bytes).unwrap();
    assert_eq!((decoded.index_key, decoded.detail_key), ([0x33; 32], [0x44; 32]));
    assert!(decoded.blob_key.is_none() && decoded.purge_protection.is_none());
    assert_eq!(*encode(&decoded).unwrap(), bytes);
}

#[test]
fn golden_secrets_record_with_detail_keys_of_later_generations() {
    let bytes = golden(include_str!("../../tests/golden/secrets-record-v5.hex"));
    let decoded: SecretsRecord = decode(&bytes).unwrap();
    let later: Vec<_> = decoded.details.iter().flatten().map(|d| (d.generation, d.key)).collect();
    assert_eq!((later, decoded.detail_key), (vec![(2, [0x66; 32])], [0x44; 32]));
    assert_eq!(*encode(&decoded).unwrap(), bytes);
}

#[test]
fn golden_records_of_generations_and_paths() {
    let begun = 1_900_000_000_000;
    let rotation = RootRotationRecord { from: 2, to: 3, step: 1, after_purge: true, begun, custodians: None };
    is_golden!("root-rotation-record-v1.hex", rotation);
    let path = |name: &str, kind: &str, added| PathRecord { name: name.to_owned(), kind: kind.to_owned(), added };
    let paths = vec![path("file", "file", 0), path("boot", "credential", begun)];
    let mut listed = PathsRecord::of(paths);
    is_golden!("paths-record-v1.hex", listed.clone());
    listed.had("boot", "credential", Time(begun));
    listed.had("", "quorum", Time(begun));
    is_golden!("paths-record-former-v1.hex", listed);
}

#[test]
fn golden_issuer_record() {
    let bytes = golden(include_str!("../../tests/golden/issuer-record-v1.hex"));
    let decoded: IssuerRecord = decode(&bytes).unwrap();
    assert_eq!(decoded.iss, format!("https://dev.localhost:8443/{}", "01".repeat(16)));
    assert_eq!((decoded.kid.as_str(), decoded.x, decoded.y), (&*"0f".repeat(16), [0x55; 32], [0x66; 32]));
    assert_eq!(decoded.material, [0x77; 9]);
    assert_eq!(*encode(&decoded).unwrap(), bytes);
}

#[test]
fn golden_proposal_records() {
    use crate::records::proposal::{EndRecord, ProposalRecord};
    use keystead_access::{Proposal, Rule};
    let proposal = Proposal {
        id: "000102030405060708090a0b0c0d0e0f".to_owned(),
        vault: "10".repeat(16),
        vault_name: "payments".to_owned(),
        rules: vec![Rule::Purge],
        operation: "keys/purge".to_owned(),
        target: "/keys/a".to_owned(),
        parameters: r#"{"name":"a"}"#.to_owned(),
        proposer: r#"{"issuer":"https://issuer/","subject":"b\u00fcro"}"#.to_owned(),
        reason: "replaced by a-2".to_owned(),
        policy_revision: 7,
        proposed: 1_900_000_000_000,
        expires: 1_900_086_400_000,
        signed_as: None,
    };
    let second = Proposal { signed_as: Some(2), ..proposal.clone() };
    is_golden!("proposal-record-open-v2.hex", ProposalRecord { proposal: second, votes: Vec::new(), end: None });
    is_golden!(
        "proposal-record-open-v1.hex",
        ProposalRecord { proposal: proposal.clone(), votes: Vec::new(), end: None }
    );
    // What another implementation signed holds.
    let bytes = golden(include_str!("../../tests/golden/proposal-record-v1.hex"));
    let votes = decode::<ProposalRecord>(&bytes).unwrap().votes;
    assert!(votes.len() == 2 && votes.iter().all(|vote| vote.is_proven(&proposal)));
    let end = Some(EndRecord { at: 1_900_000_003_000, executed: Some([0x55; 16].into()) });
    is_golden!("proposal-record-v1.hex", ProposalRecord { proposal, votes, end });
}

#[test]
fn golden_erased_record() {
    let vote = |n: u8| proposal::ApprovalRecord { key: [n; 32].into(), signature: vec![n; 64] };
    let proposal = "000102030405060708090a0b0c0d0e0f".to_owned();
    let votes = vec![vote(1), vote(2)];
    is_golden!("erased-record-v1.hex", proposal::ErasedRecord { keys: 3, proposal, text: [0x77; 32].into(), votes });
}

#[test]
fn golden_purged_record() {
    is_golden!("purged-record-v1.hex", PurgedRecord { at: 1_900_000_000_000 });
}

#[test]
fn golden_vault_record() {
    is_golden!(
        "vault-record-v1.hex",
        VaultRecord {
            name: "pay".to_owned(),
            kind: "vault".to_owned(),
            status: "active".to_owned(),
            authorities: vec!["pay.vault.example".to_owned(), "pay.localhost:8443".to_owned()],
            custody: "file".to_owned(),
            created: 1_900_000_000_000,
            retention_days: 90,
            tenant: "adfs".to_owned(),
        }
    );
}

#[test]
fn golden_first_record() {
    let vkey = "keystead/a/b/c+00000000+AQ==".to_owned();
    let kind = "vault".to_owned();
    let (custody, purge_protection, activation) = ("file".to_owned(), None, None);
    let first = FirstRecord { kind, custody, vkey, purge_protection, activation };
    is_golden!("first-record-v1.hex", first.clone());
    let (custody, activation) = ("quorum".to_owned(), Some([0x99; 32].into()));
    is_golden!("first-record-v2.hex", FirstRecord { custody, activation, ..first });
}

#[test]
fn what_no_release_wrote_is_damage() {
    let ec = golden(include_str!("../../tests/golden/version-record-ec-v1.hex"));
    // Kind 1 stands behind the map's head and its first key.
    assert_eq!(&ec[1..3], [0, 1]);
    let mut unknown_kind = ec.clone();
    unknown_kind[2] = 11;
    let mut unknown_operation = ec.clone();
    assert_eq!(&unknown_operation[3..7], [1, 0x42, 3, 4]);
    unknown_operation[6] = 9;
    let cut = &ec[..ec.len() - 1];
    for bad in [&unknown_kind[..], &unknown_operation, cut, &[], &[0xf6]] {
        assert!(matches!(decode::<VersionRecord>(bad).err(), Some(Refusal::Damaged)));
    }
}

fn expiring(rotation: Option<RotationRecord>) -> KeyRecord {
    KeyRecord {
        name: "k".to_owned(),
        newest: [1; 16],
        newest_created: 100 * DAY,
        rotation,
        deletion: None,
        newest_expires: Some(200 * DAY),
        notified: None,
    }
}

const DAY: i64 = 86_400_000;

#[test]
fn a_key_is_due_when_its_deletion_or_else_its_policy_or_else_its_end_says() {
    let days = |n: i64| Some(Time(n * DAY));
    assert_eq!(expiring(None).due(), days(170), "thirty days before its end");
    let endless = |rotation| KeyRecord { newest_expires: None, ..expiring(rotation) };
    assert_eq!(endless(None).due(), None);
    let policy = |after: Option<i64>, before: Option<i64>, notify: Option<i64>| {
        let ms = |days: Option<i64>| days.map(|d| d * DAY);
        Some(RotationRecord {
            after_create: ms(after),
            before_expiry: ms(before),
            notify: ms(notify),
            ..RotationRecord::default()
        })
    };
    assert_eq!(endless(policy(Some(50), None, None)).due(), days(150));
    assert_eq!(endless(policy(None, Some(50), Some(7))).due(), None, "there is no end");
    assert_eq!(expiring(policy(None, Some(40), Some(7))).due(), days(160));
    let both = expiring(policy(None, Some(10), Some(20)));
    assert_eq!((both.due(), both.work(Time(179 * DAY))), (days(180), None));
    assert_eq!(both.work(Time(180 * DAY)), Some(Work::Notify));
    assert_eq!(both.work(Time(190 * DAY)), Some(Work::Rotate), "what is rotated needs no notice");
    let told = KeyRecord { notified: Some([1; 16].into()), ..both.clone() };
    assert_eq!(told.due(), days(190), "told once");
    let newer = KeyRecord { newest: [2; 16], ..told };
    assert_eq!(newer.due(), days(180), "once for each version");
    let deletion = Some(DeletionRecord { deleted: 3, purge_at: 9 });
    let deleted = KeyRecord { deletion, ..both };
    assert_eq!((deleted.due(), deleted.work(Time(i64::MAX))), (Some(Time(9)), Some(Work::Purge)));
}

#[test]
fn golden_records_of_the_second_layout() {
    let written = rotation::WrittenRecord {
        rotate: Some("P7D".to_owned()),
        notify: Some("P30D".to_owned()),
        expiry: None,
        created: 1,
        updated: 2,
    };
    let policy = RotationRecord {
        set_by: "i|s".to_owned(),
        at: 9,
        before_expiry: Some(7 * DAY),
        notify: Some(30 * DAY),
        written: Some(written),
        ..RotationRecord::default()
    };
    is_golden!("key-record-full-v2.hex", KeyRecord { notified: Some([1; 16].into()), ..expiring(Some(policy)) });
    let release =
        ReleaseRecord { content_type: "application/json".to_owned(), data: vec![0x7b, 0x7d], immutable: true };
    is_golden!("version-record-exportable-v2.hex", exportable(release));
}

fn exportable(release: ReleaseRecord) -> VersionRecord {
    VersionRecord {
        spec: KeySpec::EcP256,
        ops: vec![KeyOperation::Sign],
        enabled: true,
        not_before: None,
        expires: None,
        created: 1,
        updated: 2,
        tags: BTreeMap::new(),
        public: PublicKey::Ec { curve: Curve::P256, x: vec![0x11; 32], y: vec![0x22; 32] },
        material: vec![0xee; 4],
        uses_reserved: 0,
        exportable: Some(true),
        release: Some(release),
        level: None,
    }
}

#[test]
fn golden_secrets_of_the_second_layout() {
    let bytes = golden(include_str!("../../tests/golden/secrets-record-v2.hex"));
    let decoded: SecretsRecord = decode(&bytes).unwrap();
    assert_eq!((decoded.index_key, decoded.detail_key), ([0x33; 32], [0x44; 32]));
    assert_eq!(decoded.blob_key.as_ref().map(BlobKey::bytes), Some(&[0x55; 32]));
    assert_eq!(decoded.purge_protection, Some(true));
    assert_eq!(*encode(&decoded).unwrap(), bytes);
}

#[test]
fn golden_records_of_vaults_with_an_hsm() {
    let release =
        ReleaseRecord { content_type: "application/json".to_owned(), data: vec![0x7b, 0x7d], immutable: true };
    let record = VersionRecord { level: Some(2), ..exportable(release) };
    assert!(record.level().is_ok_and(|level| level == keystead_model::ProtectionLevel::Hsm));
    is_golden!("version-record-hsm-v3.hex", record);
    let bytes = golden(include_str!("../../tests/golden/secrets-record-v3.hex"));
    let decoded: SecretsRecord = decode(&bytes).unwrap();
    let hsm = HsmRecord { wrapping: [0x77; 16], tokens: vec!["a".to_owned(), "b".to_owned()], class: None };
    assert_eq!(decoded.hsm.as_ref(), Some(&hsm));
    assert_eq!(*encode(&decoded).unwrap(), bytes);
    let bytes = golden(include_str!("../../tests/golden/secrets-record-v4.hex"));
    let decoded: SecretsRecord = decode(&bytes).unwrap();
    let class = Some(class_code(WrapClass::Kwp));
    assert_eq!(decoded.hsm.as_ref(), Some(&HsmRecord { class, ..hsm }));
    assert_eq!(*encode(&decoded).unwrap(), bytes);
    let bytes = golden(include_str!("../../tests/golden/secrets-record-v6.hex"));
    let decoded: SecretsRecord = decode(&bytes).unwrap();
    assert_eq!(
        decoded.domain.as_ref(),
        Some(&DomainRecord { id: [0x66; 16], activation: Some([0x99; 32].into()), wrapping: None })
    );
    assert_eq!(*encode(&decoded).unwrap(), bytes);
    let bytes = golden(include_str!("../../tests/golden/secrets-record-adopted-v7.hex"));
    let decoded: SecretsRecord = decode(&bytes).unwrap();
    let adopted = DomainRecord { id: [0x66; 16], activation: None, wrapping: Some([0x88; 16].into()) };
    assert_eq!(decoded.domain.as_ref(), Some(&adopted));
    assert_eq!(*encode(&decoded).unwrap(), bytes);
    let bytes = golden(include_str!("../../tests/golden/secrets-record-v8.hex"));
    let decoded: SecretsRecord = decode(&bytes).unwrap();
    assert_eq!((decoded.public, decoded.listed), (Some([0xaa; 32].into()), Some(true)));
    assert_eq!(*encode(&decoded).unwrap(), bytes);
    let bytes = golden(include_str!("../../tests/golden/secrets-record-v9.hex"));
    let decoded: SecretsRecord = decode(&bytes).unwrap();
    assert_eq!(decoded.sealed_roots, Some(vec![SealedDigest { generation: 2, digest: [0xbb; 32] }]));
    assert_eq!(*encode(&decoded).unwrap(), bytes);
    assert_eq!([WrapClass::KwpZeroExtended, WrapClass::None].map(class_code), [2, 3]);
}

#[test]
fn golden_clock_records() {
    let id: [u8; 16] = [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15];
    is_golden!("clock-record-v1.hex", ClockRecord { confirmed: Some(id.into()) });
    is_golden!("clock-record-none-v1.hex", ClockRecord { confirmed: None });
}

#[test]
fn golden_settings_records() {
    is_golden!("settings-record-v1.hex", SettingsRecord { keys_through_arm: Some(true) });
    is_golden!("settings-record-none-v1.hex", SettingsRecord::default());
}

proptest! {
    #[test]
    fn what_is_stored_reads_back(name in ".{0,20}", newest: [u8; 16], created: i64, after: Option<i64>,
                                 expiry: Option<i64>, at: u64, purge in prop::option::of(any::<(i64, i64)>()),
                                 expires: Option<i64>, told: Option<[u8; 16]>) {
        let rotation = Some(RotationRecord {
            after_create: after, set_by: name.clone(), expiry, at, before_expiry: expires, notify: after,
            written: None,
        });
        let deletion = purge.map(|(deleted, purge_at)| DeletionRecord { deleted, purge_at });
        let notified = told.map(Into::into);
        let record = KeyRecord {
            name, newest, newest_created: created, rotation, deletion, newest_expires: expires, notified,
        };
        // Whatever stands there, nothing overflows.
        _ = (record.due(), record.work(Time(at.cast_signed())));
        prop_assert_eq!(decode::<KeyRecord>(&encode(&record).unwrap()).unwrap(), record);
    }
}
