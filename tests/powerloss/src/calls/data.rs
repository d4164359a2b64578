//! What changes a file's bytes or size.

use super::{give, to_int};
use crate::real::{self, Id, Result};
use crate::watch::{self, Change, Watch};
use libc::{c_int, c_long, c_void, iovec, off64_t, size_t, ssize_t};

/// The inode behind `fd`, if it is a file: nothing else takes the lock, so that a write to a pipe may wait, and a
/// signal handler may write to one.
fn file_behind(fd: c_int) -> Option<Id> {
    if !watch::is_on() {
        return None;
    }
    let errno = real::errno();
    let stat = real::fstat(fd).filter(real::Stat::is_file);
    real::set_errno(errno);
    stat.map(|stat| stat.id)
}

/// Runs `change` under the lock if `fd` is a watched file, `plain` otherwise.
fn if_watched<T>(
    fd: c_int,
    change: impl FnOnce(&mut Watch, Id) -> Result<T>,
    plain: impl FnOnce() -> Result<T>,
) -> Result<T> {
    let done = file_behind(fd)
        .and_then(|id| watch::with(|watch| if watch.knows(id) { Some(change(watch, id)) } else { None }))
        .flatten();
    done.unwrap_or_else(plain)
}

/// A write of `parts` at `at`, or at the descriptor's position.
///
/// # Safety
/// `parts` describes readable memory; `call` is the write itself.
unsafe fn written(
    fd: c_int,
    at: Option<off64_t>,
    parts: &[iovec],
    call: impl Fn() -> Result<c_long>,
) -> Result<ssize_t> {
    let watched = |watch: &mut Watch, id: Id| {
        // SAFETY: numbers only.
        let flags = unsafe { libc::fcntl(fd, libc::F_GETFL) };
        let old_size = real::fstat(fd).map_or(0, |stat| stat.size);
        let at = if flags & libc::O_APPEND != 0 {
            old_size
        } else {
            // SAFETY: numbers only.
            let at = at.unwrap_or_else(|| unsafe { libc::lseek64(fd, 0, libc::SEEK_CUR) });
            u64::try_from(at).map_err(|_| libc::EINVAL)?
        };
        let len = parts.iter().fold(0_u64, |sum, part| sum.saturating_add(part.iov_len as u64));
        let before = real::pread(fd, at, len.min(old_size.saturating_sub(at)));
        let n = call()?;
        if n > 0 {
            // SAFETY: the caller's; what was written was readable.
            let data = unsafe { gather(parts, n) };
            let overwritten = before.get(..data.len()).map_or(before.clone(), <[u8]>::to_vec);
            let durable = flags & libc::O_DSYNC != 0;
            watch.changed(id, Change::Write { at, before: overwritten, old_size, data }, durable);
        }
        Ok(n)
    };
    if_watched(fd, watched, &call).map(|n| ssize_t::try_from(n).unwrap_or(-1))
}

/// # Safety
/// The first `n` bytes of `parts` are readable.
unsafe fn gather(parts: &[iovec], n: c_long) -> Vec<u8> {
    let mut left = usize::try_from(n).unwrap_or(0);
    let mut data = Vec::with_capacity(left);
    for part in parts {
        let take = left.min(part.iov_len);
        if take > 0 {
            // SAFETY: the caller's.
            data.extend_from_slice(unsafe { std::slice::from_raw_parts(part.iov_base.cast::<u8>(), take) });
        }
        left = left.saturating_sub(take);
    }
    data
}

/// # Safety
/// As `writev(2)`.
unsafe fn parts_of<'a>(parts: *const iovec, count: c_int) -> &'a [iovec] {
    match usize::try_from(count) {
        // SAFETY: the caller's.
        Ok(count) if !parts.is_null() => unsafe { std::slice::from_raw_parts(parts, count) },
        _ => &[],
    }
}

const fn part(buf: *const c_void, len: size_t) -> [iovec; 1] {
    [iovec { iov_base: buf.cast_mut(), iov_len: len }]
}

/// # Safety
/// As `write(2)`.
#[unsafe(no_mangle)]
unsafe extern "C" fn write(fd: c_int, buf: *const c_void, len: size_t) -> ssize_t {
    // SAFETY: the caller's.
    let call = || real::checked(unsafe { libc::syscall(libc::SYS_write, fd, buf, len) });
    // SAFETY: the caller's.
    give(unsafe { written(fd, None, &part(buf, len), call) })
}

/// # Safety
/// As `writev(2)`.
#[unsafe(no_mangle)]
unsafe extern "C" fn writev(fd: c_int, parts: *const iovec, count: c_int) -> ssize_t {
    // SAFETY: the caller's.
    let call = || real::checked(unsafe { libc::syscall(libc::SYS_writev, fd, parts, count) });
    // SAFETY: the caller's.
    give(unsafe { written(fd, None, parts_of(parts, count), call) })
}

/// # Safety
/// As `pwrite(2)`.
#[unsafe(no_mangle)]
unsafe extern "C" fn pwrite(fd: c_int, buf: *const c_void, len: size_t, at: off64_t) -> ssize_t {
    // SAFETY: the caller's.
    let call = || real::checked(unsafe { libc::syscall(libc::SYS_pwrite64, fd, buf, len, at) });
    // SAFETY: the caller's.
    give(unsafe { written(fd, Some(at), &part(buf, len), call) })
}

/// # Safety
/// As `pwrite(2)`.
#[unsafe(no_mangle)]
unsafe extern "C" fn pwrite64(fd: c_int, buf: *const c_void, len: size_t, at: off64_t) -> ssize_t {
    // SAFETY: the caller's.
    unsafe { pwrite(fd, buf, len, at) }
}

/// # Safety
/// As `pwritev(2)`.
#[unsafe(no_mangle)]
unsafe extern "C" fn pwritev(fd: c_int, parts: *const iovec, count: c_int, at: off64_t) -> ssize_t {
    // SAFETY: the caller's. The kernel takes the offset as two words, of which 64-bit systems use the first.
    let call = || real::checked(unsafe { libc::syscall(libc::SYS_pwritev, fd, parts, count, at, 0) });
    // SAFETY: the caller's.
    give(unsafe { written(fd, Some(at), parts_of(parts, count), call) })
}

/// # Safety
/// As `pwritev(2)`.
#[unsafe(no_mangle)]
unsafe extern "C" fn pwritev64(fd: c_int, parts: *const iovec, count: c_int, at: off64_t) -> ssize_t {
    // SAFETY: the caller's.
    unsafe { pwritev(fd, parts, count, at) }
}

#[unsafe(no_mangle)]
extern "C" fn ftruncate(fd: c_int, size: off64_t) -> c_int {
    // SAFETY: numbers only.
    let call = || real::checked(unsafe { libc::syscall(libc::SYS_ftruncate, fd, size) });
    let watched = |watch: &mut Watch, id: Id| {
        let old_size = real::fstat(fd).map_or(0, |stat| stat.size);
        let new_size = u64::try_from(size).map_err(|_| libc::EINVAL)?;
        let cut = real::pread(fd, new_size, old_size.saturating_sub(new_size));
        let done = call()?;
        watch.changed(id, Change::Resize { old_size, new_size, cut }, false);
        Ok(done)
    };
    give(if_watched(fd, watched, call).map(to_int))
}

#[unsafe(no_mangle)]
extern "C" fn ftruncate64(fd: c_int, size: off64_t) -> c_int {
    ftruncate(fd, size)
}

fn allocated(fd: c_int, mode: c_int, at: off64_t, len: off64_t) -> Result<c_int> {
    // SAFETY: numbers only.
    let call = || real::checked(unsafe { libc::syscall(libc::SYS_fallocate, fd, mode, at, len) });
    let watched = |watch: &mut Watch, id: Id| {
        if mode & !libc::FALLOC_FL_KEEP_SIZE != 0 {
            return Err(libc::EOPNOTSUPP); // holes and the like: the caller has another way
        }
        let old_size = real::fstat(fd).map_or(0, |stat| stat.size);
        let done = call()?;
        let new_size = real::fstat(fd).map_or(old_size, |stat| stat.size);
        if new_size != old_size {
            watch.changed(id, Change::Resize { old_size, new_size, cut: Vec::new() }, false);
        }
        Ok(done)
    };
    if_watched(fd, watched, call).map(to_int)
}

#[unsafe(no_mangle)]
extern "C" fn fallocate(fd: c_int, mode: c_int, at: off64_t, len: off64_t) -> c_int {
    give(allocated(fd, mode, at, len))
}

#[unsafe(no_mangle)]
extern "C" fn fallocate64(fd: c_int, mode: c_int, at: off64_t, len: off64_t) -> c_int {
    give(allocated(fd, mode, at, len))
}

/// Returns the error itself, as POSIX has it.
#[unsafe(no_mangle)]
extern "C" fn posix_fallocate(fd: c_int, at: off64_t, len: off64_t) -> c_int {
    allocated(fd, 0, at, len).err().unwrap_or(0)
}

#[unsafe(no_mangle)]
extern "C" fn posix_fallocate64(fd: c_int, at: off64_t, len: off64_t) -> c_int {
    posix_fallocate(fd, at, len)
}

/// Not for watched files: the caller falls back to reading and writing.
///
/// # Safety
/// As `copy_file_range(2)`.
#[unsafe(no_mangle)]
unsafe extern "C" fn copy_file_range(
    from: c_int,
    from_at: *mut off64_t,
    to: c_int,
    to_at: *mut off64_t,
    len: size_t,
    flags: libc::c_uint,
) -> ssize_t {
    // SAFETY: the caller's.
    let call =
        || real::checked(unsafe { libc::syscall(libc::SYS_copy_file_range, from, from_at, to, to_at, len, flags) });
    let refused = |_: &mut Watch, _| Err(libc::EINVAL);
    give(if_watched(to, refused, call).map(|n| ssize_t::try_from(n).unwrap_or(-1)))
}

/// Not for watched files: the caller falls back to reading and writing.
///
/// # Safety
/// As `sendfile(2)`.
#[unsafe(no_mangle)]
unsafe extern "C" fn sendfile(to: c_int, from: c_int, from_at: *mut off64_t, len: size_t) -> ssize_t {
    // SAFETY: the caller's.
    let call = || real::checked(unsafe { libc::syscall(libc::SYS_sendfile, to, from, from_at, len) });
    let refused = |_: &mut Watch, _| Err(libc::EINVAL);
    give(if_watched(to, refused, call).map(|n| ssize_t::try_from(n).unwrap_or(-1)))
}

/// # Safety
/// As `sendfile(2)`.
#[unsafe(no_mangle)]
unsafe extern "C" fn sendfile64(to: c_int, from: c_int, from_at: *mut off64_t, len: size_t) -> ssize_t {
    // SAFETY: the caller's.
    unsafe { sendfile(to, from, from_at, len) }
}
