//! The key file: 32 random bytes, readable by their owner only, kept outside the store's directory. Whoever reads it
//! and the store opens every vault behind it, which is why such a vault's custody is called `file`.
//!
//! One file serves all vaults of a node, until the key of one is replaced: that vault's own file stands beside it, with
//! its id behind the name (`path.key.<id>`), and while it is being replaced the next one (`path.key.<id>.next`). Keys
//! are read when they are needed and cleared after that: none is in memory while its vaults are sealed.

use crate::UnsealError;
use crate::wrapping::{proven_domain, proven_root};
use keystead_crypto::random;
use keystead_custody::{
    CustodyError, DomainKey, PathError, PathFuture, PathKey, Root, UnsealPath, Wraps, unwrap_domain, unwrap_root,
};
use keystead_model::VaultId;
use rustix::fs::OFlags;
use std::fs::{File, OpenOptions, hard_link, remove_file, rename};
use std::io::{self, Read, Write};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use zeroize::Zeroizing;

/// The path through a key file.
pub struct KeyFile {
    name: String,
    path: PathBuf,
    /// Whether the next key of a vault wraps.
    renewing: bool,
}

impl KeyFile {
    /// Makes a new key file of 32 random bytes, mode 0600, and has it on disk, with its directory's entry, before it
    /// returns. What already stands at the path is never touched.
    pub fn create(path: &Path) -> Result<Self, UnsealError> {
        make(path)?;
        Ok(Self::at(path))
    }

    /// Opens a key file: a regular file (or a link to one) of exactly 32 bytes, to which neither group nor others have
    /// any access.
    pub fn open(path: &Path) -> Result<Self, UnsealError> {
        private_key(path)?;
        Ok(Self::at(path))
    }

    /// A key file that is looked at when it is needed.
    pub fn at(path: &Path) -> Self {
        Self { name: "file".to_owned(), path: path.to_owned(), renewing: false }
    }

    /// Under another name than `file`.
    #[must_use]
    pub fn named(self, name: &str) -> Self {
        Self { name: name.to_owned(), ..self }
    }

    /// A vault's own key file, if its key was replaced.
    fn own(&self, vault: VaultId) -> PathBuf {
        behind(&self.path, &format!(".{vault}"))
    }

    fn next(&self, vault: VaultId) -> PathBuf {
        behind(&self.path, &format!(".{vault}.next"))
    }

    /// The key that wraps now.
    fn wrapping(&self, vault: VaultId) -> Result<PathKey, UnsealError> {
        if self.renewing {
            return private_key(&self.next(vault));
        }
        found(&self.own(vault))?.map_or_else(|| private_key(&self.path), Ok)
    }

    /// Opens with whichever of the vault's keys does it.
    fn any<T>(&self, vault: VaultId, open: impl Fn(&PathKey) -> Result<T, CustodyError>) -> Result<T, UnsealError> {
        let (path, own) = (self.path.clone(), self.own(vault));
        let mut there = Vec::new();
        for file in [own.clone(), self.next(vault), path.clone()] {
            let Some(key) = found(&file)? else { continue };
            match open(&key) {
                Err(CustodyError::NotOpened) => there.push(file),
                other => return other.map_err(UnsealError::from),
            }
        }
        Err(match there.contains(&own) {
            true => CustodyError::NotOpened.into(),
            false if there.contains(&path) => UnsealError::OwnMissing { path, own },
            false => UnsealError::NoneThere { path, own },
        })
    }

    fn renewed_for(&self, vault: VaultId) -> Result<Self, UnsealError> {
        make(&self.next(vault))?;
        Ok(Self { name: self.name.clone(), path: self.path.clone(), renewing: true })
    }

    /// The next key takes its place once nothing needs the one before; one that opens nothing was never used.
    fn settled(&self, vault: VaultId, wraps: &Wraps) -> Result<(), UnsealError> {
        let (own, next) = (self.own(vault), self.next(vault));
        let Some(key) = found(&next)? else { return Ok(()) };
        let by_next = opened(&key, vault, wraps);
        if by_next == 0 {
            return gone(&next);
        }
        if let Some(before) = found(&own)? {
            if opened(&before, vault, wraps) > 0 {
                return Ok(());
            }
            overwrite(&own)?;
        }
        let failed = |cause| failed(&own, cause);
        rename(&next, &own).map_err(failed)?;
        File::open(directory_of(&own)).and_then(|dir| dir.sync_all()).map_err(failed)
    }

    fn others_destroyed(&self, vault: VaultId, wraps: &Wraps) -> Result<(), UnsealError> {
        self.settled(vault, wraps)?;
        let own = self.own(vault);
        match found(&own)? {
            Some(key) if opened(&key, vault, wraps) == 0 => gone(&own),
            _ => Ok(()),
        }
    }
}

impl UnsealPath for KeyFile {
    fn name(&self) -> &str {
        &self.name
    }

    fn kind(&self) -> &'static str {
        "file"
    }

    fn wrap_domain<'a>(&'a self, vault: VaultId, domain: &'a DomainKey) -> PathFuture<'a, Vec<u8>> {
        let wrapped = self.wrapping(vault).and_then(|key| proven_domain(&key, vault, domain));
        Box::pin(async move { wrapped.map_err(PathError::new) })
    }

    fn unwrap_domain<'a>(&'a self, vault: VaultId, wrapped: &'a [u8]) -> PathFuture<'a, DomainKey> {
        let opened = move || self.any(vault, |key| unwrap_domain(key, vault, wrapped));
        Box::pin(async move { opened().map_err(PathError::new) })
    }

    fn wrap_root<'a>(&'a self, vault: VaultId, root: &'a Root) -> PathFuture<'a, Vec<u8>> {
        let wrapped = self.wrapping(vault).and_then(|key| proven_root(&key, vault, root));
        Box::pin(async move { wrapped.map_err(PathError::new) })
    }

    fn unwrap_root<'a>(&'a self, vault: VaultId, wrapped: &'a [u8]) -> PathFuture<'a, Root> {
        let opened = move || self.any(vault, |key| unwrap_root(key, vault, wrapped));
        Box::pin(async move { opened().map_err(PathError::new) })
    }

    fn renewed<'a>(&'a self, vault: VaultId) -> PathFuture<'a, Box<dyn UnsealPath>> {
        Box::pin(async move {
            let renewed = self.renewed_for(vault).map_err(PathError::new)?;
            Ok(Box::new(renewed) as Box<dyn UnsealPath>)
        })
    }

    fn settle<'a>(&'a self, vault: VaultId, wraps: &'a Wraps) -> PathFuture<'a, ()> {
        Box::pin(async move { self.settled(vault, wraps).map_err(PathError::new) })
    }

    fn destroy_others<'a>(&'a self, vault: VaultId, wraps: &'a Wraps) -> PathFuture<'a, ()> {
        Box::pin(async move { self.others_destroyed(vault, wraps).map_err(PathError::new) })
    }
}

/// How many of the wraps a key opens.
fn opened(key: &PathKey, vault: VaultId, wraps: &Wraps) -> usize {
    let roots = wraps.roots.iter().filter(|wrapped| unwrap_root(key, vault, wrapped).is_ok()).count();
    let domain = wraps.domain.iter().filter(|wrapped| unwrap_domain(key, vault, wrapped).is_ok()).count();
    roots.saturating_add(domain)
}

fn make(path: &Path) -> Result<(), UnsealError> {
    let bytes = Zeroizing::new(random());
    let aside = behind(path, ".new");
    // Left by an attempt that was interrupted: of no use to anyone.
    drop(remove_file(&aside));
    let made = written(&aside, path, &bytes);
    drop(remove_file(&aside));
    made.map_err(|cause| match cause.kind() {
        io::ErrorKind::AlreadyExists => UnsealError::Exists { path: path.into() },
        _ => failed(path, cause),
    })
}

/// The key in a file that is there and for its owner alone.
fn private_key(path: &Path) -> Result<PathKey, UnsealError> {
    key_of(path, |mode| mode & 0o077 == 0)
}

/// The same, if there is such a file.
fn found(path: &Path) -> Result<Option<PathKey>, UnsealError> {
    match private_key(path) {
        Err(UnsealError::Missing { .. }) => Ok(None),
        other => other.map(Some),
    }
}

/// The key in a regular file of exactly 32 bytes, whose permission bits are good.
pub(crate) fn key_of(path: &Path, good: impl Fn(u32) -> bool) -> Result<PathKey, UnsealError> {
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
    if !good(mode) {
        return Err(UnsealError::TooOpen { path: path.into(), mode });
    }
    let bytes = read_key(file).map_err(|cause| failed(path, cause))?;
    let key = bytes.as_slice().first_chunk().filter(|_| bytes.len() == KEY_LEN);
    let key = key.ok_or_else(|| UnsealError::WrongLength { path: path.into() })?;
    Ok(PathKey::from_bytes(key))
}

/// Overwrites a key where it stands: what the file system keeps of it besides is beyond us.
fn overwrite(path: &Path) -> Result<(), UnsealError> {
    let over = |path: &Path| {
        let mut file = OpenOptions::new().write(true).open(path)?;
        file.write_all(&random::<KEY_LEN>())?;
        file.sync_all()
    };
    over(path).map_err(|cause| failed(path, cause))
}

/// Overwrites a key and removes its file.
fn gone(path: &Path) -> Result<(), UnsealError> {
    overwrite(path)?;
    let removed = remove_file(path).and_then(|()| File::open(directory_of(path))?.sync_all());
    removed.map_err(|cause| failed(path, cause))
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

fn behind(path: &Path, more: &str) -> PathBuf {
    let mut name = path.file_name().unwrap_or_default().to_owned();
    name.push(more);
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
