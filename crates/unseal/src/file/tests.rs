//! Promises of the key file.

use super::*;
use keystead_model::Generation;
use std::fs::{self, Permissions};
use std::os::unix::fs::{PermissionsExt, symlink};
use tempfile::TempDir;

const VAULT: VaultId = VaultId::from_bytes([1; 16]);

fn room() -> (TempDir, PathBuf) {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("vault.key");
    (directory, path)
}

fn put(path: &Path, bytes: &[u8], mode: u32) {
    fs::write(path, bytes).unwrap();
    fs::set_permissions(path, Permissions::from_mode(mode)).unwrap();
}

#[test]
fn a_new_file_holds_32_fresh_bytes_for_its_owner_only() {
    let (directory, path) = room();
    drop(KeyFile::create(&path).unwrap());
    let metadata = fs::metadata(&path).unwrap();
    assert_eq!((metadata.len(), metadata.mode() & 0o7777), (32, 0o600));
    let other = directory.path().join("other.key");
    drop(KeyFile::create(&other).unwrap());
    assert_ne!(fs::read(&path).unwrap(), fs::read(&other).unwrap());
}

#[test]
fn what_stands_at_the_path_is_never_overwritten() {
    let (directory, path) = room();
    put(&path, b"something", 0o600);
    assert!(matches!(KeyFile::create(&path), Err(UnsealError::Exists { .. })));
    assert_eq!(fs::read(&path).unwrap(), b"something");
    let link = directory.path().join("link");
    symlink(directory.path().join("nowhere"), &link).unwrap();
    assert!(matches!(KeyFile::create(&link), Err(UnsealError::Exists { .. })));
    assert!(!directory.path().join("nowhere").exists());
}

#[test]
fn a_directory_that_is_missing_is_named_with_its_cause() {
    let (directory, _) = room();
    let refused = KeyFile::create(&directory.path().join("missing/vault.key")).err().unwrap();
    assert!(matches!(&refused, UnsealError::Io { cause, .. } if cause.kind() == io::ErrorKind::NotFound));
    assert!(refused.to_string().contains("missing/vault.key"));
}

#[test]
fn a_file_others_could_read_is_refused_by_its_mode() {
    let (_directory, path) = room();
    for mode in [0o640, 0o604, 0o620, 0o601, 0o777] {
        put(&path, &[7; 32], mode);
        let refused = KeyFile::open(&path).err().unwrap();
        assert!(matches!(refused, UnsealError::TooOpen { mode: found, .. } if found == mode), "{mode:o}");
        assert!(refused.to_string().contains(&format!("{mode:04o}")));
    }
    for mode in [0o600, 0o400] {
        fs::set_permissions(&path, Permissions::from_mode(mode)).unwrap();
        assert!(KeyFile::open(&path).is_ok());
    }
}

#[test]
fn a_file_of_any_other_length_is_refused() {
    let (_directory, path) = room();
    for length in [0, 1, 31, 33, 4096] {
        put(&path, &vec![7; length], 0o600);
        assert!(matches!(KeyFile::open(&path), Err(UnsealError::WrongLength { .. })), "{length}");
    }
}

#[test]
fn what_is_no_regular_file_is_refused_without_waiting() {
    let (directory, path) = room();
    assert!(matches!(KeyFile::open(directory.path()), Err(UnsealError::NotAFile { .. })));
    assert!(matches!(KeyFile::open(&path), Err(UnsealError::Missing { .. })));
    rustix::fs::mknodat(rustix::fs::CWD, &path, rustix::fs::FileType::Fifo, rustix::fs::Mode::from_raw_mode(0o600), 0)
        .unwrap();
    assert!(matches!(KeyFile::open(&path), Err(UnsealError::NotAFile { .. })));
}

#[tokio::test]
async fn what_one_run_wrapped_the_next_run_unwraps() {
    let (directory, path) = room();
    let (domain, root) = (DomainKey::generate(), Root::generate(Generation(4)));
    let created = KeyFile::create(&path).unwrap();
    assert_eq!(created.kind(), "file");
    let wrapped_domain = created.wrap_domain(VAULT, &domain).await.unwrap();
    let wrapped_root = created.wrap_root(VAULT, &root).await.unwrap();
    drop(created);

    // A link serves as well: secrets are often mounted so.
    let link = directory.path().join("link");
    symlink(&path, &link).unwrap();
    let opened = KeyFile::open(&link).unwrap();
    assert_eq!(opened.unwrap_domain(VAULT, &wrapped_domain).await.unwrap().public(), domain.public());
    assert!(opened.unwrap_root(VAULT, &wrapped_root).await.unwrap().same_as(&root));

    let other = KeyFile::create(&directory.path().join("other.key")).unwrap();
    let refused = other.unwrap_root(VAULT, &wrapped_root).await.err().unwrap().to_string();
    assert!(refused.contains("does not open the vault"), "{refused}");
    let refused = other.unwrap_domain(VAULT, &wrapped_domain).await.err().unwrap().to_string();
    assert!(refused.contains("restore both from one backup"), "{refused}");
}

#[tokio::test]
async fn a_key_file_that_is_missing_is_named_and_no_other_one_blamed() {
    let (_directory, path) = room();
    let root = Root::generate(Generation(1));
    let shared = KeyFile::create(&path).unwrap();
    let before = shared.wrap_root(VAULT, &root).await.unwrap();
    let renewed = shared.renewed(VAULT).await.unwrap();
    let wrapped = renewed.wrap_root(VAULT, &root).await.unwrap();
    shared.destroy_others(VAULT, &wraps(&wrapped)).await.unwrap();
    assert!(shared.unwrap_root(VAULT, &wrapped).await.is_ok());
    let (own, aside) = (shared.own(VAULT), path.with_file_name("aside"));
    let missing = format!("{} does not exist", own.display());
    fs::rename(&own, &aside).unwrap();
    let refused = shared.unwrap_root(VAULT, &wrapped).await.err().unwrap().to_string();
    assert!(refused.contains(&missing) && refused.contains("from its backup"), "{refused}");
    fs::remove_file(&path).unwrap();
    let refused = shared.unwrap_root(VAULT, &before).await.err().unwrap().to_string();
    let (path, own_file) = (path.display().to_string(), own.display().to_string());
    assert!(refused.contains(&path) && refused.contains(&own_file), "{refused}");
    // With its own it opens, whatever became of the shared one.
    fs::rename(&aside, &own).unwrap();
    assert!(shared.unwrap_root(VAULT, &wrapped).await.is_ok());
}

fn wraps(root: &[u8]) -> Wraps {
    Wraps { domain: None, roots: vec![root.to_vec()] }
}

#[tokio::test]
async fn a_vault_whose_key_is_replaced_has_a_file_of_its_own_and_the_others_keep_theirs() {
    let (_directory, path) = room();
    let (first, second) = (Root::generate(Generation(1)), Root::generate(Generation(2)));
    let file = KeyFile::create(&path).unwrap();
    let shared = fs::read(&path).unwrap();
    let before = file.wrap_root(VAULT, &first).await.unwrap();
    let renewed = file.renewed(VAULT).await.unwrap();
    let after = renewed.wrap_root(VAULT, &second).await.unwrap();
    for wrapped in [&before, &after] {
        assert!(file.unwrap_root(VAULT, wrapped).await.is_ok(), "both open while both are needed");
    }
    file.destroy_others(VAULT, &wraps(&after)).await.unwrap();
    let (own, next) = (file.own(VAULT), file.next(VAULT));
    assert!(own.exists() && !next.exists());
    assert_eq!(fs::metadata(&own).unwrap().mode() & 0o7777, 0o600);
    assert_eq!(fs::read(&path).unwrap(), shared, "other vaults are behind it");
    assert!(file.unwrap_root(VAULT, &after).await.unwrap().same_as(&second));
    // From now on the vault's own wraps, also where the shared one is gone.
    fs::remove_file(&path).unwrap();
    let again = file.wrap_root(VAULT, &second).await.unwrap();
    assert!(KeyFile::at(&path).unwrap_root(VAULT, &again).await.unwrap().same_as(&second));
    // And once more: the own one goes.
    let third = Root::generate(Generation(3));
    let last = file.renewed(VAULT).await.unwrap().wrap_root(VAULT, &third).await.unwrap();
    file.destroy_others(VAULT, &wraps(&last)).await.unwrap();
    assert!(file.unwrap_root(VAULT, &last).await.unwrap().same_as(&third));
    assert!(file.unwrap_root(VAULT, &after).await.is_err(), "its key is destroyed");
    file.destroy_others(VAULT, &Wraps::default()).await.unwrap();
    assert!(!own.exists() && !next.exists());
}

#[tokio::test]
async fn whenever_a_replacement_is_interrupted_what_opens_the_wraps_stays() {
    let (_directory, path) = room();
    let (first, second) = (Root::generate(Generation(1)), Root::generate(Generation(2)));
    let file = KeyFile::create(&path).unwrap();
    let before = file.wrap_root(VAULT, &first).await.unwrap();
    // Before anything was committed under the next key: it goes.
    drop(file.renewed(VAULT).await.unwrap());
    assert!(file.renewed(VAULT).await.is_err(), "it would be overwritten");
    file.settle(VAULT, &wraps(&before)).await.unwrap();
    assert!(!file.next(VAULT).exists());
    // After that, and before the one before was destroyed, which was of the vault's own.
    let own = file.renewed(VAULT).await.unwrap().wrap_root(VAULT, &first).await.unwrap();
    file.destroy_others(VAULT, &wraps(&own)).await.unwrap();
    let after = file.renewed(VAULT).await.unwrap().wrap_root(VAULT, &second).await.unwrap();
    let both = Wraps { domain: None, roots: vec![own.clone(), after.clone()] };
    file.settle(VAULT, &both).await.unwrap();
    for wrapped in [&own, &after] {
        assert!(file.unwrap_root(VAULT, wrapped).await.is_ok(), "both are needed");
    }
    // Between overwriting the one before and giving the next its place.
    overwrite(&file.own(VAULT)).unwrap();
    assert!(file.unwrap_root(VAULT, &after).await.unwrap().same_as(&second));
    file.settle(VAULT, &wraps(&after)).await.unwrap();
    assert!(!file.next(VAULT).exists() && file.unwrap_root(VAULT, &after).await.is_ok());
}

#[tokio::test]
async fn a_key_file_is_read_when_it_is_needed() {
    let (_directory, path) = room();
    let file = KeyFile::create(&path).unwrap();
    let wrapped = file.wrap_root(VAULT, &Root::generate(Generation(1))).await.unwrap();
    let aside = path.with_extension("aside");
    fs::rename(&path, &aside).unwrap();
    let refused = file.unwrap_root(VAULT, &wrapped).await.err().unwrap().to_string();
    assert!(refused.contains("does not exist"), "{refused}");
    fs::rename(&aside, &path).unwrap();
    assert!(file.unwrap_root(VAULT, &wrapped).await.is_ok());
}
