//! Golden files: what the first release wrote reads back for ever, and is written the same. They were made by another
//! implementation of the layouts.

use super::*;
use keystead_model::Curve;
use proptest::prelude::*;

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
        }
    );
    let newest = [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15];
    let set_by = "https://issuer/|subject".to_owned();
    let rotation = RotationRecord { after_create: 604_800_000, set_by, expiry: Some(2_419_200_000), at: 7 };
    let deletion = DeletionRecord { deleted: 1_900_000_000_001, purge_at: 1_900_604_800_001 };
    is_golden!(
        "key-record-full-v1.hex",
        KeyRecord {
            name: "k".to_owned(),
            newest,
            newest_created: -1,
            rotation: Some(rotation),
            deletion: Some(deletion),
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
    assert_eq!(*encode(&decoded).unwrap(), bytes);
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
    let first = FirstRecord { kind: "vault".to_owned(), custody: "file".to_owned(), vkey };
    is_golden!("first-record-v1.hex", first);
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

#[test]
fn a_key_is_due_when_its_deletion_or_else_its_policy_says() {
    let rotation = RotationRecord { after_create: 50, set_by: String::new(), expiry: None, at: 1 };
    let deletion = DeletionRecord { deleted: 3, purge_at: 9 };
    let plain =
        KeyRecord { name: "k".to_owned(), newest: [0; 16], newest_created: 100, rotation: None, deletion: None };
    let with = |rotation, deletion| KeyRecord { rotation, deletion, ..plain.clone() }.due();
    assert_eq!(with(None, None), None);
    assert_eq!(with(Some(rotation.clone()), None), Some(Time(150)));
    assert_eq!(with(Some(rotation), Some(deletion)), Some(Time(9)));
    assert_eq!(with(None, Some(deletion)), Some(Time(9)));
}

proptest! {
    #[test]
    fn what_is_stored_reads_back(name in ".{0,20}", newest: [u8; 16], created: i64, after: i64, expiry: Option<i64>,
                                 at: u64, purge in prop::option::of(any::<(i64, i64)>())) {
        let rotation = Some(RotationRecord { after_create: after, set_by: name.clone(), expiry, at });
        let deletion = purge.map(|(deleted, purge_at)| DeletionRecord { deleted, purge_at });
        let record = KeyRecord { name, newest, newest_created: created, rotation, deletion };
        prop_assert_eq!(decode::<KeyRecord>(&encode(&record).unwrap()).unwrap(), record);
    }
}
