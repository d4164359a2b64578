//! A backup that the first release took is read for ever. The golden file was made by another implementation of the
//! layout.

use super::*;
use crate::backup::stream::{self, Opened, Read};
use crate::records::job::AtRecord;
use crate::records::key_backup::BackupId;
use keystead_crypto::sealed::{Sealer, Usage};
use keystead_custody::BackupKey;
use keystead_formats::backup::Header;
use keystead_identity::Principal;
use keystead_model::{KeyOperation, KeySpec, PublicKey, VaultId, Version};

const DOMAIN: VaultId = VaultId::from_bytes([2; 16]);

fn golden() -> Vec<u8> {
    let text = include_str!("../../../tests/golden/vault-backup-v1.hex");
    hex::decode(text.split_whitespace().collect::<String>()).unwrap()
}

fn frame(key: &BackupKey, header: &[u8], at: AtRecord, bytes: &[u8]) -> Opened {
    match stream::open(&key.frames(header), at, bytes) {
        Ok(Read::Frame(opened)) => opened,
        Ok(Read::Needs(n)) => panic!("it needs {n} bytes"),
        Err(why) => panic!("{why}"),
    }
}

#[test]
fn the_golden_backup_opens_with_its_key_inside() {
    let bytes = golden();
    let (header, length) = Header::parse(&bytes).unwrap();
    let said = header.said().unwrap();
    assert_eq!((*said.id, *said.domain, *said.vault), ([1; 16], [2; 16], [3; 16]));
    assert_eq!((said.revision, said.checkpoint.as_str(), said.taken), (4, "origin\n5\nroot\n", 1_900_000_000_000));
    let blobs = Sealer::new(&[0x55; 32], Usage::Backup, 1);
    let key = BackupKey::unwrap(&blobs, DOMAIN, *said.id, &header.said, &header.wrapped_key).unwrap();
    assert_eq!(key.expose(), &[0x77; 32]);
    let head = &bytes[..length];
    assert_eq!(header.to_bytes(), head);
    let first = frame(&key, head, AtRecord::first(head), &bytes[length..]);
    let second = frame(&key, head, first.next, &bytes[usize::try_from(first.next.byte).unwrap()..]);
    assert_eq!((first.last, second.last, second.next.byte), (false, true, bytes.len() as u64));
    let counts = Counts { keys: 1, deleted: 0, versions: 1, left_out: 0 };
    assert!(second.items == [Item::Trailer(Trailer { counts, before: first.next.before })]);
    let [Item::Vault(vault), Item::Key(item), Item::Version(version), Item::End(end)] = first.items.as_slice() else {
        panic!("the vault, a key, its version, its end")
    };
    assert!(vault.purge_protection && vault.hsm.is_none() && end.whole);
    assert_eq!((vault.vault.name.as_str(), vault.iss.as_str()), ("pay", "https://dev/1"));
    assert_eq!(vault.policy.administrators, [Principal::new("https://dev/1", "officer")]);
    assert_eq!((item.record.name.as_str(), item.record.newest), ("Payments", version.version));
    let v = &version.record;
    assert_eq!((v.spec, &v.public), (KeySpec::Oct256, &PublicKey::Symmetric));
    assert_eq!(v.ops, [KeyOperation::Encrypt, KeyOperation::Decrypt]);
    let place = BackupId { vault: DOMAIN, id: *said.id }.material(Version::from_bytes(version.version));
    let material = key.material().open(&place, b"", &v.material).unwrap();
    assert_eq!(material.as_slice(), [&[1, 3][..], &[0x42; 32]].concat());
}

#[test]
fn the_golden_items_are_written_as_they_are_read() {
    let bytes = golden();
    let (_, length) = Header::parse(&bytes).unwrap();
    let (head, key) = (&bytes[..length], BackupKey::from_bytes(&[0x77; 32]));
    let first = frame(&key, head, AtRecord::first(head), &bytes[length..]);
    let mut writer = stream::Writer::new(&key, head, AtRecord::first(head), 1 << 20);
    first.items.iter().for_each(|item| writer.add(item).unwrap());
    let second = frame(&key, head, first.next, &bytes[usize::try_from(first.next.byte).unwrap()..]);
    writer.flush();
    assert_eq!(writer.at.byte, first.next.byte, "as long as it was");
    second.items.iter().for_each(|item| writer.end(item).unwrap());
    assert_eq!(length + writer.out.len(), bytes.len());
}

#[test]
fn nothing_that_was_changed_opens() {
    let bytes = golden();
    let (_, length) = Header::parse(&bytes).unwrap();
    let (head, key) = (&bytes[..length], BackupKey::from_bytes(&[0x77; 32]));
    let at = AtRecord::first(head);
    for changed in length..length + 60 {
        let mut other = bytes.clone();
        other[changed] ^= 1;
        let opened = stream::open(&key.frames(head), at, &other[length..]);
        assert!(!matches!(opened, Ok(Read::Frame(_))), "byte {changed}");
    }
}
