//! Files that are made once: for their owner alone, whole or not there, and never in the place of another, unless that
//! is what was asked for.

use crate::exit::Failure;
use rustix::fs::{CWD, RenameFlags, renameat_with};
use rustix::io::Errno;
use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

/// Writes a new file, durable when it returns. One that is there already is not touched.
pub(crate) fn write(file: &Path, bytes: &[u8]) -> Result<(), Failure> {
    let temporary = beside(file)?;
    let done = create(&temporary, bytes).and_then(|()| publish(&temporary, file));
    finish(file, done, || fs::remove_file(&temporary))
}

/// The same, in the place of the file that is there, if there is one: that stays until the new one is whole.
pub(crate) fn replace(file: &Path, bytes: &[u8]) -> Result<(), Failure> {
    let file = &fs::canonicalize(file).unwrap_or_else(|_| file.to_owned());
    let temporary = beside(file)?;
    let publish = || {
        fs::rename(&temporary, file)?;
        sync_directory_of(file)
    };
    let done = create(&temporary, bytes).and_then(|()| publish());
    finish(file, done, || fs::remove_file(&temporary))
}

/// A new file that is written bit by bit. It has its name once it is whole, and is gone if it never is.
pub(crate) struct NewFile {
    temporary: PathBuf,
    path: PathBuf,
    out: File,
}

impl NewFile {
    pub(crate) fn create(path: &Path) -> Result<Self, Failure> {
        let temporary = beside(path)?;
        let out = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&temporary);
        match out {
            Ok(out) => Ok(Self { temporary, path: path.to_owned(), out }),
            Err(e) => Err(refused(path, &e)),
        }
    }

    pub(crate) fn write(&mut self, bytes: &[u8]) -> Result<(), Failure> {
        self.out.write_all(bytes).map_err(|e| refused(&self.path, &e))
    }

    /// Durable when it returns.
    pub(crate) fn finish(self) -> Result<(), Failure> {
        let done = self.out.sync_all().and_then(|()| publish(&self.temporary, &self.path));
        done.map_err(|e| refused(&self.path, &e))
    }
}

impl Drop for NewFile {
    fn drop(&mut self) {
        let _ = fs::remove_file(&self.temporary);
    }
}

/// Writes a new directory with these files, all or none.
pub(crate) fn write_directory(directory: &Path, files: &[(&str, &[u8])]) -> Result<(), Failure> {
    let temporary = beside(directory)?;
    let fill = || {
        DirBuilder::new().mode(0o700).create(&temporary)?;
        files.iter().try_for_each(|(name, bytes)| create(&temporary.join(name), bytes))?;
        File::open(&temporary)?.sync_all()?;
        publish(&temporary, directory)
    };
    finish(directory, fill(), || fs::remove_dir_all(&temporary))
}

/// A name that nobody else has, in the same directory.
fn beside(path: &Path) -> Result<PathBuf, Failure> {
    let name = path.file_name().ok_or_else(|| Failure::usage(format!("{} names no file", path.display())))?;
    let mut name = name.to_owned();
    name.push(format!(".{}.new", hex::encode(keystead_crypto::random::<8>())));
    Ok(path.with_file_name(name))
}

fn create(file: &Path, bytes: &[u8]) -> io::Result<()> {
    let mut out = OpenOptions::new().write(true).create_new(true).mode(0o600).open(file)?;
    out.write_all(bytes)?;
    out.sync_all()
}

/// Gives it its name, unless something has that already.
fn publish(temporary: &Path, path: &Path) -> io::Result<()> {
    match renameat_with(CWD, temporary, CWD, path, RenameFlags::NOREPLACE) {
        // Not every file system can: a link does not replace anything either, but a directory has none.
        Err(Errno::INVAL | Errno::NOSYS | Errno::NOTSUP) if temporary.is_file() => {
            fs::hard_link(temporary, path)?;
            fs::remove_file(temporary)?;
        }
        done => done?,
    }
    sync_directory_of(path)
}

fn sync_directory_of(path: &Path) -> io::Result<()> {
    let parent = path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
    File::open(parent)?.sync_all()
}

fn finish(path: &Path, done: io::Result<()>, undo: impl FnOnce() -> io::Result<()>) -> Result<(), Failure> {
    let Err(e) = done else { return Ok(()) };
    let _ = undo();
    Err(refused(path, &e))
}

fn refused(path: &Path, e: &io::Error) -> Failure {
    let shown = path.display();
    match e.kind() {
        io::ErrorKind::AlreadyExists => {
            Failure::usage(format!("{shown} is there already, and is not overwritten: name another, or move it away"))
        }
        io::ErrorKind::NotFound => Failure::usage(format!("cannot write {shown}: its directory does not exist")),
        _ => Failure::unavailable(format!("cannot write {shown}: {e}")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt as _;

    fn mode(path: &Path) -> u32 {
        fs::metadata(path).unwrap().permissions().mode() & 0o7777
    }

    fn names(directory: &Path) -> Vec<String> {
        let mut names: Vec<_> = fs::read_dir(directory).unwrap().map(|e| e.unwrap().file_name()).collect();
        names.sort();
        names.into_iter().map(|name| name.into_string().unwrap()).collect()
    }

    #[test]
    fn a_new_file_is_its_owners_and_takes_no_others_place() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("a");
        write(&file, b"1").unwrap();
        assert_eq!((fs::read(&file).unwrap(), mode(&file)), (b"1".to_vec(), 0o600));
        let refused = write(&file, b"2").unwrap_err();
        assert_eq!((refused.code(), fs::read(&file).unwrap()), (2, b"1".to_vec()));
        std::os::unix::fs::symlink("nowhere", dir.path().join("b")).unwrap();
        assert_eq!(write(&dir.path().join("b"), b"2").unwrap_err().code(), 2);
        assert_eq!(write(&dir.path().join("c/d"), b"2").unwrap_err().code(), 2);
        assert_eq!(names(dir.path()), ["a", "b"], "nothing half-made stays");
    }

    #[test]
    fn a_file_is_replaced_as_a_whole_and_stays_if_it_cannot_be() {
        let dir = tempfile::tempdir().unwrap();
        let (file, link) = (dir.path().join("a"), dir.path().join("b"));
        std::os::unix::fs::symlink("a", &link).unwrap();
        for (path, bytes) in [(&file, &b"1"[..]), (&file, b"2"), (&link, b"3")] {
            replace(path, bytes).unwrap();
            assert_eq!((fs::read(&file).unwrap(), mode(&file)), (bytes.to_vec(), 0o600));
        }
        assert!(link.is_symlink());
        fs::create_dir(dir.path().join("c")).unwrap();
        assert_eq!(replace(&dir.path().join("c"), b"4").unwrap_err().code(), 4, "a directory is no file");
        assert_eq!(replace(&dir.path().join("d/e"), b"4").unwrap_err().code(), 2);
        assert_eq!(names(dir.path()), ["a", "b", "c"], "nothing half-made stays");
    }

    #[test]
    fn a_new_directory_is_there_with_all_its_files_or_not_at_all() {
        let dir = tempfile::tempdir().unwrap();
        let made = dir.path().join("made");
        write_directory(&made, &[("a", b"1"), ("b", b"2")]).unwrap();
        assert_eq!((names(&made), mode(&made), mode(&made.join("b"))), (vec!["a".into(), "b".into()], 0o700, 0o600));
        assert_eq!(write_directory(&made, &[("c", b"3")]).unwrap_err().code(), 2);
        assert!(write_directory(&dir.path().join("other"), &[("a/b", b"1")]).is_err());
        assert_eq!((names(dir.path()), names(&made)), (vec!["made".to_owned()], vec!["a".into(), "b".into()]));
    }
}
