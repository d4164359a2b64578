//! The key file: 32 random bytes, readable by their owner only, kept outside the store's directory. Whoever reads it
//! and the store opens every vault behind it, which is why such a vault's custody is called `file`.

use crate::UnsealError;
use keystead_crypto::random;
use keystead_custody::{
    DomainKey, PathError, PathFuture, PathKey, Root, UnsealPath, unwrap_domain, unwrap_root, wrap_domain, wrap_root,
};
use keystead_model::VaultId;
use rustix::fs::OFlags;
use std::fs::{File, OpenOptions, hard_link, remove_file};
use std::io::{self, Read, Write};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use zeroize::Zeroizing;

/// The path through a key file. The file is read once; its key is cleared when this is dropped.
pub struct KeyFile {
    key: PathKey,
}

impl KeyFile {
    /// Makes a new key file of 32 random bytes, mode 0600, and has it on disk, with its directory's entry, before it
    /// returns. What already stands at the path is never touched.
    pub fn create(path: &Path) -> Result<Self, UnsealError> {
        let bytes = Zeroizing::new(random());
        let aside = beside(path);
        // Left by an attempt that was interrupted: of no use to anyone.
        drop(remove_file(&aside));
        let made = written(&aside, path, &bytes);
        drop(remove_file(&aside));
        made.map_err(|cause| match cause.kind() {
            io::ErrorKind::AlreadyExists => UnsealError::Exists { path: path.into() },
            _ => failed(path, cause),
        })?;
        Ok(Self { key: PathKey::from_bytes(&bytes) })
    }

    /// Opens a key file: a regular file (or a link to one) of exactly 32 bytes, to which neither group nor others have
    /// any access.
    pub fn open(path: &Path) -> Result<Self, UnsealError> {
        // Without NONBLOCK, opening a pipe would wait for its writer.
        let flags = i32::try_from(OFlags::NONBLOCK.bits()).unwrap_or(0);
        let opened = OpenOptions::new().read(true).custom_flags(flags).open(path);
        let file = opened.map_err(|cause| match cause.kind() {
            io::ErrorKind::NotFound => UnsealError::Missing { path: path.into() },
            _ => failed(path, cause),
        })?;
        // What is checked is the file that was opened, not whatever the path names by now.
        let metadata = file.metadata().map_err(|cause| failed(path, cause))?;
        if !metadata.is_file() {
            return Err(UnsealError::NotAFile { path: path.into() });
        }
        let mode = metadata.mode() & 0o7777;
        if mode & 0o077 != 0 {
            return Err(UnsealError::TooOpen { path: path.into(), mode });
        }
        let bytes = read_key(file).map_err(|cause| failed(path, cause))?;
        let key = bytes.as_slice().first_chunk().filter(|_| bytes.len() == KEY_LEN);
        let key = key.ok_or_else(|| UnsealError::WrongLength { path: path.into() })?;
        Ok(Self { key: PathKey::from_bytes(key) })
    }
}

impl KeyFile {
    fn wrapped_domain(&self, vault: VaultId, domain: &DomainKey) -> Result<Vec<u8>, UnsealError> {
        let wrapped = wrap_domain(&self.key, vault, domain);
        // The public half follows from the private one.
        let proven = unwrap_domain(&self.key, vault, &wrapped)?.public() == domain.public();
        if proven { Ok(wrapped) } else { Err(UnsealError::NotProven) }
    }

    fn wrapped_root(&self, vault: VaultId, root: &Root) -> Result<Vec<u8>, UnsealError> {
        let wrapped = wrap_root(&self.key, vault, root);
        let proven = unwrap_root(&self.key, vault, &wrapped)?.same_as(root);
        if proven { Ok(wrapped) } else { Err(UnsealError::NotProven) }
    }
}

impl UnsealPath for KeyFile {
    fn kind(&self) -> &'static str {
        "file"
    }

    fn wrap_domain<'a>(&'a self, vault: VaultId, domain: &'a DomainKey) -> PathFuture<'a, Vec<u8>> {
        Box::pin(async move { self.wrapped_domain(vault, domain).map_err(PathError::new) })
    }

    fn unwrap_domain<'a>(&'a self, vault: VaultId, wrapped: &'a [u8]) -> PathFuture<'a, DomainKey> {
        Box::pin(async move { unwrap_domain(&self.key, vault, wrapped).map_err(PathError::new) })
    }

    fn wrap_root<'a>(&'a self, vault: VaultId, root: &'a Root) -> PathFuture<'a, Vec<u8>> {
        Box::pin(async move { self.wrapped_root(vault, root).map_err(PathError::new) })
    }

    fn unwrap_root<'a>(&'a self, vault: VaultId, wrapped: &'a [u8]) -> PathFuture<'a, Root> {
        Box::pin(async move { unwrap_root(&self.key, vault, wrapped).map_err(PathError::new) })
    }
}

const KEY_LEN: usize = 32;

/// The key gets its name when all of it is on disk: a power cut leaves no half of one there.
fn written(aside: &Path, path: &Path, bytes: &[u8; KEY_LEN]) -> io::Result<()> {
    let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(aside)?;
    file.write_all(bytes)?;
    file.sync_all()?;
    hard_link(aside, path)?;
    File::open(directory_of(path))?.sync_all()
}

fn beside(path: &Path) -> PathBuf {
    let mut name = path.file_name().unwrap_or_default().to_owned();
    name.push(".new");
    path.with_file_name(name)
}

fn directory_of(path: &Path) -> PathBuf {
    match path.parent() {
        Some(parent) if parent != Path::new("") => parent.into(),
        _ => PathBuf::from("."),
    }
}

/// The key, or one byte more than a key: enough to see that the file is too long.
fn read_key(file: File) -> io::Result<Zeroizing<Vec<u8>>> {
    const MOST: usize = KEY_LEN + 1;
    // Sized at once: a buffer that grew would leave key bytes behind.
    let mut bytes = Zeroizing::new(vec![0; MOST]);
    let mut reader = file.take(MOST as u64);
    let mut length = 0;
    loop {
        let rest = bytes.get_mut(length..).unwrap_or_default();
        match reader.read(rest) {
            Ok(0) => break,
            Ok(more) => length = more.saturating_add(length),
            Err(cause) if cause.kind() == io::ErrorKind::Interrupted => {}
            Err(cause) => return Err(cause),
        }
    }
    bytes.truncate(length);
    Ok(bytes)
}

fn failed(path: &Path, cause: io::Error) -> UnsealError {
    UnsealError::Io { path: path.into(), cause }
}

#[cfg(test)]
mod tests;
