//! A backup in a folder of the server's own directory: written under another name, which it loses when it is whole.

use crate::backup::BackupError;
use crate::backup::place::FILE;
use std::fs::{DirBuilder, File, OpenOptions};
use std::io::{self, ErrorKind, Read as _, Seek as _, SeekFrom, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

/// One backup's folder.
pub(super) struct Folder {
    path: PathBuf,
}

const PART: &str = "vault.ksbackup.part";

impl Folder {
    pub(super) const fn new(path: PathBuf) -> Self {
        Self { path }
    }

    /// Writes at this byte; what stood from there on is gone.
    pub(super) fn put(&self, at: u64, bytes: &[u8]) -> Result<(), BackupError> {
        if at == 0 {
            if self.whole().exists() {
                return Err(BackupError::Exists);
            }
            DirBuilder::new().recursive(true).mode(0o700).create(&self.path).map_err(failed)?;
        }
        let mut options = OpenOptions::new();
        options.read(true).write(true).create(at == 0).mode(0o600);
        let mut file = options.open(self.begun()).map_err(lost)?;
        if file.metadata().map_err(failed)?.len() < at {
            return Err(BackupError::Lost);
        }
        file.set_len(at).map_err(failed)?;
        file.seek(SeekFrom::Start(at)).map_err(failed)?;
        file.write_all(bytes).map_err(failed)?;
        file.sync_all().map_err(failed)?;
        if at == 0 { self.sync_names() } else { Ok(()) }
    }

    /// Gives it its name, if it is as long as it was written.
    pub(super) fn finish(&self, length: u64) -> Result<(), BackupError> {
        let is = |path: &Path| path.metadata().is_ok_and(|found| found.len() == length);
        match is(&self.begun()) {
            true => std::fs::rename(self.begun(), self.whole()).map_err(failed)?,
            // The step that did it was cut off.
            false if is(&self.whole()) => {}
            false => return Err(BackupError::Lost),
        }
        self.sync_names()
    }

    /// What is left of it is of no use.
    pub(super) fn abandon(&self) {
        let _ = std::fs::remove_file(self.begun());
        let _ = std::fs::remove_dir(&self.path);
    }

    pub(super) fn read(&self, from: u64, most: usize) -> Result<Vec<u8>, BackupError> {
        let mut file = File::open(self.whole()).map_err(|e| match e.kind() {
            ErrorKind::NotFound | ErrorKind::NotADirectory => BackupError::NotFound,
            _ => failed(e),
        })?;
        file.seek(SeekFrom::Start(from)).map_err(failed)?;
        let mut bytes = Vec::new();
        let most = u64::try_from(most).unwrap_or(u64::MAX);
        file.take(most).read_to_end(&mut bytes).map_err(failed)?;
        Ok(bytes)
    }

    /// The names in the folder, and the folder's own above it.
    fn sync_names(&self) -> Result<(), BackupError> {
        let sync = |path: &Path| File::open(path).and_then(|d| d.sync_all()).map_err(failed);
        sync(&self.path)?;
        self.path.parent().map_or(Ok(()), sync)
    }

    fn whole(&self) -> PathBuf {
        self.path.join(FILE)
    }

    fn begun(&self) -> PathBuf {
        self.path.join(PART)
    }
}

fn lost(e: io::Error) -> BackupError {
    if e.kind() == ErrorKind::NotFound { BackupError::Lost } else { failed(e) }
}

fn failed(e: io::Error) -> BackupError {
    match e.kind() {
        ErrorKind::StorageFull | ErrorKind::QuotaExceeded | ErrorKind::FileTooLarge => BackupError::Full,
        _ => BackupError::Unreachable { why: e.to_string() },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_part_that_was_cut_off_is_written_again_and_nothing_is_a_backup_before_its_end() {
        let dir = tempfile::tempdir().unwrap();
        let folder = Folder::new(dir.path().join("c/f"));
        folder.put(0, b"head").unwrap();
        folder.put(4, b"cut off").unwrap();
        folder.put(4, b"part").unwrap();
        assert_eq!(folder.read(0, 100), Err(BackupError::NotFound));
        assert_eq!(folder.put(9, b"x"), Err(BackupError::Lost), "there is a hole before it");
        assert_eq!(folder.finish(9), Err(BackupError::Lost));
        folder.finish(8).unwrap();
        folder.finish(8).unwrap();
        assert_eq!((folder.read(2, 4).unwrap(), folder.read(8, 4).unwrap()), (b"adpa".to_vec(), Vec::new()));
        assert_eq!(folder.put(0, b"another"), Err(BackupError::Exists));
        let other = Folder::new(dir.path().join("c/g"));
        assert_eq!(other.put(4, b"x"), Err(BackupError::Lost));
        other.put(0, b"head").unwrap();
        other.abandon();
        assert!(!dir.path().join("c/g").exists() && dir.path().join("c/f").exists());
    }
}
