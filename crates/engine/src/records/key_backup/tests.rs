//! A backup that the first release took is restored for ever. The golden file was made by another implementation of the
//! layout.

use super::*;
use keystead_crypto::sealed::Usage;
use keystead_model::{KeyOperation, KeySpec, PublicKey};
use proptest::prelude::*;

fn blobs() -> Sealer {
    Sealer::new(&[0x55; 32], Usage::Backup, 1)
}

const VAULT: VaultId = VaultId::from_bytes([7; 16]);
const VERSION: [u8; 16] = [1; 16];

fn golden() -> Vec<u8> {
    let text = include_str!("../../../tests/golden/key-backup-v1.hex");
    hex::decode(text.split_whitespace().collect::<String>()).unwrap()
}

#[test]
fn the_golden_backup_opens_with_its_key_inside() {
    let (id, record) = open(&blobs(), VAULT, &golden()).unwrap();
    assert_eq!((id.vault, id.id), (VAULT, [8; 16]));
    assert_eq!(
        (record.name.as_str(), record.newest, record.newest_created, record.taken),
        ("Payments", VERSION, 100, 300)
    );
    assert!(record.rotation.is_none());
    let [version] = record.versions.as_slice() else { panic!("one version") };
    let v = &version.record;
    assert_eq!((version.version, v.spec, &v.public), (VERSION, KeySpec::Oct256, &PublicKey::Symmetric));
    assert_eq!((v.ops.as_slice(), v.enabled), (&[KeyOperation::Encrypt, KeyOperation::Decrypt][..], true));
    assert_eq!((v.created, v.updated, v.uses_reserved, v.tags["a"].as_str()), (100, 200, 1 << 20, "b"));
    let material = blobs().open(&id.material(Version::from_bytes(VERSION)), b"", &v.material).unwrap();
    assert_eq!(material.as_slice(), [&[1, 3][..], &[0x42; 32]].concat());
    let again = seal(&blobs(), id, &record).unwrap();
    assert!(again.len() == golden().len() && open(&blobs(), VAULT, &again).unwrap().1 == record);
}

#[test]
fn a_backup_opens_under_its_own_key_only() {
    let other = Sealer::new(&[0x56; 32], Usage::Backup, 1);
    let why = |result: Result<(BackupId, BackupRecord), Refusal>| match result {
        Err(Refusal::BadBackup(why)) => why,
        _ => panic!("it opened, or was refused for something else"),
    };
    assert_eq!(why(open(&other, VAULT, &golden())), BadBackup::Damaged);
    assert_eq!(why(open(&blobs(), VaultId::from_bytes([8; 16]), &golden())), BadBackup::Foreign);
}

proptest! {
    #[test]
    fn no_bytes_panic_and_none_open(bytes in prop::collection::vec(any::<u8>(), 0..400), at in 0_usize..1000) {
        prop_assert!(open(&blobs(), VAULT, &bytes).is_err());
        let mut changed = golden();
        let at = at % changed.len();
        changed[at] ^= bytes.first().copied().unwrap_or(1) | 1;
        prop_assert!(open(&blobs(), VAULT, &changed).is_err());
    }
}
