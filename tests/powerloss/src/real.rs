//! The system calls themselves, past the functions this library stands in for.

use libc::{c_char, c_int, c_long, mode_t};
use std::ffi::CString;

/// A system call's value, or `errno`.
pub(crate) type Result<T> = std::result::Result<T, c_int>;

/// A file, whatever its names.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Id {
    dev: u64,
    ino: u64,
}

/// What is asked of a file.
pub(crate) struct Stat {
    pub(crate) id: Id,
    pub(crate) size: u64,
    pub(crate) mode: mode_t,
}

impl Stat {
    pub(crate) const fn is_file(&self) -> bool {
        self.mode & libc::S_IFMT == libc::S_IFREG
    }

    pub(crate) const fn is_dir(&self) -> bool {
        self.mode & libc::S_IFMT == libc::S_IFDIR
    }
}

pub(crate) fn errno() -> c_int {
    // SAFETY: the thread's own errno is always there.
    unsafe { *libc::__errno_location() }
}

pub(crate) fn set_errno(code: c_int) {
    // SAFETY: as above.
    unsafe { *libc::__errno_location() = code }
}

/// What `libc::syscall` returned, as a result.
pub(crate) fn checked(ret: c_long) -> Result<c_long> {
    if ret < 0 { Err(errno()) } else { Ok(ret) }
}

/// # Safety
/// `path` is a C string.
pub(crate) unsafe fn openat(dir: c_int, path: *const c_char, flags: c_int, mode: mode_t) -> Result<c_int> {
    // SAFETY: the caller's.
    checked(unsafe { libc::syscall(libc::SYS_openat, dir, path, flags, mode) }).map(to_fd)
}

pub(crate) fn open(path: &[u8], flags: c_int, mode: mode_t) -> Result<c_int> {
    let path = c_string(path)?;
    // SAFETY: a C string that lives through the call.
    unsafe { openat(libc::AT_FDCWD, path.as_ptr(), flags | libc::O_CLOEXEC, mode) }
}

pub(crate) fn close(fd: c_int) {
    // SAFETY: a number; the callers close only what they opened.
    unsafe { libc::syscall(libc::SYS_close, fd) };
}

pub(crate) fn fstat(fd: c_int) -> Option<Stat> {
    // SAFETY: all-zero bytes are a stat, and fstat writes only there.
    unsafe {
        let mut st: libc::stat64 = std::mem::zeroed();
        (libc::fstat64(fd, &raw mut st) == 0).then(|| to_stat(&st))
    }
}

/// Of the name itself, should it be a symbolic link.
pub(crate) fn stat(path: &[u8]) -> Option<Stat> {
    let path = c_string(path).ok()?;
    // SAFETY: a C string, and all-zero bytes are a stat.
    unsafe {
        let mut st: libc::stat64 = std::mem::zeroed();
        let flags = libc::AT_SYMLINK_NOFOLLOW;
        (libc::fstatat64(libc::AT_FDCWD, path.as_ptr(), &raw mut st, flags) == 0).then(|| to_stat(&st))
    }
}

/// The path of what `fd` has open.
pub(crate) fn path_of(fd: c_int) -> Option<Vec<u8>> {
    let link = c_string(format!("/proc/self/fd/{fd}").as_bytes()).ok()?;
    let mut path = vec![0_u8; 4096];
    // SAFETY: readlink writes at most the length it is given.
    let n = unsafe { libc::readlink(link.as_ptr(), path.as_mut_ptr().cast(), path.len()) };
    path.truncate(usize::try_from(n).ok()?);
    Some(path)
}

pub(crate) fn pread(fd: c_int, at: u64, len: u64) -> Vec<u8> {
    let mut bytes = vec![0_u8; usize::try_from(len).unwrap_or(0)];
    let mut done = 0_usize;
    while let Some(rest) = bytes.get_mut(done..).filter(|rest| !rest.is_empty()) {
        let offset = to_offset(at.saturating_add(done as u64));
        // SAFETY: writes at most the slice's length.
        let n = unsafe { libc::pread64(fd, rest.as_mut_ptr().cast(), rest.len(), offset) };
        match usize::try_from(n) {
            Ok(0) => break,
            Ok(n) => done = done.saturating_add(n),
            Err(_) if errno() == libc::EINTR => {}
            Err(_) => break,
        }
    }
    bytes.truncate(done);
    bytes
}

pub(crate) fn pwrite(fd: c_int, mut at: u64, mut bytes: &[u8]) {
    while !bytes.is_empty() {
        // SAFETY: reads at most the slice's length.
        let n = unsafe { libc::syscall(libc::SYS_pwrite64, fd, bytes.as_ptr(), bytes.len(), to_offset(at)) };
        match usize::try_from(n) {
            Ok(n) if n > 0 => {
                bytes = bytes.get(n..).unwrap_or_default();
                at = at.saturating_add(n as u64);
            }
            _ if errno() == libc::EINTR => {}
            _ => fatal("a file could not be put back"),
        }
    }
}

pub(crate) fn ftruncate(fd: c_int, size: u64) -> Result<c_long> {
    // SAFETY: numbers only.
    checked(unsafe { libc::syscall(libc::SYS_ftruncate, fd, to_offset(size)) })
}

pub(crate) fn rename(from: &[u8], to: &[u8]) -> Result<c_long> {
    let (from, to, here) = (c_string(from)?, c_string(to)?, libc::AT_FDCWD);
    // SAFETY: C strings that live through the call.
    checked(unsafe { libc::syscall(libc::SYS_renameat2, here, from.as_ptr(), here, to.as_ptr(), 0) })
}

pub(crate) fn unlink(path: &[u8]) -> Result<c_long> {
    let path = c_string(path)?;
    // SAFETY: a C string that lives through the call.
    checked(unsafe { libc::syscall(libc::SYS_unlinkat, libc::AT_FDCWD, path.as_ptr(), 0) })
}

/// Ends the process: a test must not go on with files in a state nobody chose.
pub(crate) fn fatal(what: &str) -> ! {
    let line = format!("keystead-powerloss: {what} (errno {})\n", errno());
    // SAFETY: reads the line's bytes; abort has no preconditions.
    unsafe {
        libc::syscall(libc::SYS_write, 2, line.as_ptr(), line.len());
        libc::abort()
    }
}

fn c_string(bytes: &[u8]) -> Result<CString> {
    CString::new(bytes).map_err(|_| libc::EINVAL)
}

fn to_stat(st: &libc::stat64) -> Stat {
    Stat { id: Id { dev: st.st_dev, ino: st.st_ino }, size: u64::try_from(st.st_size).unwrap_or(0), mode: st.st_mode }
}

fn to_fd(ret: c_long) -> c_int {
    c_int::try_from(ret).unwrap_or(-1)
}

fn to_offset(n: u64) -> i64 {
    i64::try_from(n).unwrap_or(i64::MAX)
}
