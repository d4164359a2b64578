//! The few calls to the file system that the journal makes besides reading and writing.

use rustix::fs::{FallocateFlags, FlockOperation, SeekFrom, fallocate, flock, seek, statvfs};
use rustix::io::Errno;
use std::fs::{self, File, OpenOptions};
use std::io;
use std::ops::Range;
use std::os::unix::fs::{DirBuilderExt as _, FileExt as _, MetadataExt as _, OpenOptionsExt as _};
use std::path::Path;

/// Makes a directory for this process's user alone, if it is not there.
pub(super) fn make_dir(path: &Path) -> io::Result<()> {
    fs::DirBuilder::new().recursive(true).mode(0o700).create(path)
}

/// Takes the directory for this process, until the file is dropped. `None`: another process has it.
pub(super) fn lock(path: &Path) -> io::Result<Option<File>> {
    let file = OpenOptions::new().create(true).truncate(false).write(true).mode(0o600).open(path)?;
    Ok(hold(&file)?.then_some(file))
}

/// Takes an open file for this process, until it is closed. False: somebody has it.
pub(crate) fn hold(file: &File) -> io::Result<bool> {
    match flock(file, FlockOperation::NonBlockingLockExclusive) {
        Ok(()) => Ok(true),
        Err(Errno::WOULDBLOCK) => Ok(false),
        Err(e) => Err(e.into()),
    }
}

/// Whether no process has the directory of this lock. Looking holds it for an instant, and changes nothing.
pub(crate) fn is_free(path: &Path) -> io::Result<bool> {
    let file = match File::open(path) {
        Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(true),
        other => other?,
    };
    match flock(&file, FlockOperation::NonBlockingLockShared) {
        Ok(()) => Ok(true),
        Err(Errno::WOULDBLOCK) => Ok(false),
        Err(e) => Err(e.into()),
    }
}

/// A new file of zeros, with its blocks allocated, so that writing into it cannot meet a full disk.
pub(super) fn allocate(path: &Path, len: u64) -> io::Result<File> {
    match fs::remove_file(path) {
        Err(e) if e.kind() != io::ErrorKind::NotFound => return Err(e),
        _ => {}
    }
    let file = OpenOptions::new().create_new(true).read(true).write(true).mode(0o600).open(path)?;
    if let Err(e) = fill(&file, 0, len) {
        // What was taken of a full disk is given back.
        let _ = fs::remove_file(path);
        return Err(e);
    }
    Ok(file)
}

/// Makes zeros of everything from `at` on, and keeps the file's length if there is room for that.
pub(super) fn erase_from(file: &File, at: u64, len: u64) -> io::Result<()> {
    file.set_len(at)?;
    file.sync_all()?;
    match fill(file, at, len.saturating_sub(at)) {
        Err(e) if !is_full(&e) => Err(e),
        _ => file.sync_all(),
    }
}

fn fill(file: &File, at: u64, len: u64) -> io::Result<()> {
    if len == 0 {
        return Ok(());
    }
    match fallocate(file, FallocateFlags::empty(), at, len) {
        Err(Errno::OPNOTSUPP) => write_zeros(file, at, len),
        other => Ok(other?),
    }
}

/// For file systems that cannot allocate ahead.
fn write_zeros(file: &File, at: u64, len: u64) -> io::Result<()> {
    let zeros = [0; 65_536];
    let mut done = 0;
    while done < len {
        let n = len.saturating_sub(done).min(zeros.len() as u64);
        let part = zeros.get(..usize::try_from(n).unwrap_or(0)).unwrap_or_default();
        file.write_all_at(part, at.saturating_add(done))?;
        done = done.saturating_add(n);
    }
    Ok(())
}

/// The next part of a file, from `at` and before `end`, that was ever written. Preallocated blocks that were not are
/// zeros; a file system that does not tell them apart gives everything.
pub(crate) fn next_data(file: &File, at: u64, end: u64) -> io::Result<Option<Range<u64>>> {
    if at >= end {
        return Ok(None);
    }
    let start = match seek(file, SeekFrom::Data(at)) {
        Ok(start) if start < end => start,
        Ok(_) | Err(Errno::NXIO) => return Ok(None),
        Err(Errno::INVAL | Errno::OPNOTSUPP) => return Ok(Some(at..end)),
        Err(e) => return Err(e.into()),
    };
    let stop = seek(file, SeekFrom::Hole(start)).unwrap_or(end);
    Ok(Some(start..stop.clamp(start, end)).filter(|part| !part.is_empty()))
}

/// Whether the disk, or the user's share of it, is full.
pub(super) fn is_full(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded | io::ErrorKind::FileTooLarge)
}

/// Whether the file is still the one at its path, and as long as it was. Writing into a file that was removed or
/// replaced succeeds, so nothing else would tell.
pub(super) fn still_there(file: &File, path: &Path, len: u64) -> io::Result<()> {
    let (held, named) = (file.metadata()?, fs::metadata(path)?);
    if (held.dev(), held.ino()) == (named.dev(), named.ino()) && held.len() == len {
        Ok(())
    } else {
        Err(io::Error::other("the segment was replaced or cut while it was written to"))
    }
}

/// Makes names in a directory durable.
pub(super) fn sync_dir(path: &Path) -> io::Result<()> {
    File::open(path)?.sync_all()
}

/// Bytes that the file system of a directory still has for this process's user.
pub(super) fn free(path: &Path) -> io::Result<u64> {
    let stat = statvfs(path)?;
    Ok(stat.f_bavail.saturating_mul(stat.f_frsize))
}

/// Bytes of all files in a directory.
pub(super) fn used(path: &Path) -> io::Result<u64> {
    let mut sum = 0_u64;
    for entry in fs::read_dir(path)? {
        match entry?.metadata() {
            Ok(meta) => sum = sum.saturating_add(meta.len()),
            Err(e) if e.kind() == io::ErrorKind::NotFound => {}
            Err(e) => return Err(e),
        }
    }
    Ok(sum)
}

/// Writes a small file whole and durably, by renaming a finished one into its place.
pub(crate) fn replace(path: &Path, bytes: &[u8]) -> io::Result<()> {
    use std::io::Write as _;
    let new = path.with_added_extension("new");
    let mut file = OpenOptions::new().create(true).truncate(true).write(true).mode(0o600).open(&new)?;
    file.write_all(bytes)?;
    file.sync_all()?;
    fs::rename(&new, path)?;
    path.parent().map_or(Ok(()), sync_dir)
}
