//! What changes names: `rename`, `unlink`, `link` and their kin.

use super::{give, to_int};
use crate::real::{self, Result};
use crate::watch::{self, Kept, NameKind, Place, Watch};
use libc::{AT_FDCWD, c_char, c_int, c_uint};

/// # Safety
/// As `renameat2(2)`.
unsafe fn renamed(
    from_dir: c_int,
    from: *const c_char,
    to_dir: c_int,
    to: *const c_char,
    flags: c_uint,
) -> Result<c_int> {
    let call = || {
        // SAFETY: the caller's.
        real::checked(unsafe { libc::syscall(libc::SYS_renameat2, from_dir, from, to_dir, to, flags) }).map(to_int)
    };
    let under_lock = watch::with(|watch| {
        // SAFETY: the caller's.
        match unsafe { (watch.locate(from_dir, from), watch.locate(to_dir, to)) } {
            (Some(from), Some(to)) => rename_watched(watch, &from, &to, call),
            (Some(from), None) => {
                let file = real::stat(&from.path);
                let done = call()?;
                file.iter().for_each(|file| watch.lost_sight(file.id));
                Ok(done)
            }
            (None, Some(to)) => {
                let done = call()?;
                if let Some(file) = real::stat(&to.path).filter(real::Stat::is_file) {
                    watch.found(file.id, &to.path);
                }
                Ok(done)
            }
            (None, None) => call(),
        }
    });
    under_lock.unwrap_or_else(call)
}

fn rename_watched(watch: &mut Watch, from: &Place, to: &Place, call: impl FnOnce() -> Result<c_int>) -> Result<c_int> {
    let Some(moved) = real::stat(&from.path) else { return call() };
    let there = real::stat(&to.path);
    if moved.is_dir() || there.as_ref().is_some_and(|there| there.id == moved.id) {
        let done = call()?;
        watch.moved_dir(&from.path, &to.path);
        return Ok(done);
    }
    let replaced = there.and_then(|_| Kept::open(&to.path));
    let done = call()?;
    watch.found(moved.id, &to.path);
    let (from, path, file) = (from.path.clone(), to.path.clone(), moved.id);
    watch.renamed(to, NameKind::Rename { from, to: path, file, replaced });
    Ok(done)
}

/// # Safety
/// As `unlinkat(2)`.
unsafe fn unlinked(dir: c_int, path: *const c_char, flags: c_int) -> Result<c_int> {
    // SAFETY: the caller's.
    let call = || real::checked(unsafe { libc::syscall(libc::SYS_unlinkat, dir, path, flags) }).map(to_int);
    if flags & libc::AT_REMOVEDIR != 0 {
        return call();
    }
    let under_lock = watch::with(|watch| {
        // SAFETY: the caller's.
        let place = unsafe { watch.locate(dir, path) };
        let kept = place.and_then(|place| {
            let kept = real::stat(&place.path).filter(real::Stat::is_file).and_then(|_| Kept::open(&place.path));
            kept.map(|kept| (place, kept))
        });
        let done = call()?;
        if let Some((place, kept)) = kept {
            watch.renamed(&place, NameKind::Unlink { path: place.path.clone(), kept });
        }
        Ok(done)
    });
    under_lock.unwrap_or_else(call)
}

/// A second name is a creation of it.
///
/// # Safety
/// As `linkat(2)`.
unsafe fn linked(
    from_dir: c_int,
    from: *const c_char,
    to_dir: c_int,
    to: *const c_char,
    flags: c_int,
) -> Result<c_int> {
    let call = || {
        // SAFETY: the caller's.
        real::checked(unsafe { libc::syscall(libc::SYS_linkat, from_dir, from, to_dir, to, flags) }).map(to_int)
    };
    let under_lock = watch::with(|watch| {
        let done = call()?;
        // SAFETY: the caller's.
        let place = unsafe { watch.locate(to_dir, to) };
        if let Some((place, file)) = place.and_then(|place| real::stat(&place.path).map(|stat| (place, stat.id))) {
            watch.found(file, &place.path);
            watch.renamed(&place, NameKind::Create { path: place.path.clone(), file });
        }
        Ok(done)
    });
    under_lock.unwrap_or_else(call)
}

macro_rules! stand_in {
    ($($name:ident($($arg:ident: $ty:ty),*) = $call:expr;)+) => {$(
        /// # Safety
        /// As the C library's function of this name.
        #[unsafe(no_mangle)]
        unsafe extern "C" fn $name($($arg: $ty),*) -> c_int {
            // SAFETY: the caller's.
            give(unsafe { $call })
        }
    )+};
}

stand_in! {
    rename(from: *const c_char, to: *const c_char) = renamed(AT_FDCWD, from, AT_FDCWD, to, 0);
    renameat(from_dir: c_int, from: *const c_char, to_dir: c_int, to: *const c_char) =
        renamed(from_dir, from, to_dir, to, 0);
    renameat2(from_dir: c_int, from: *const c_char, to_dir: c_int, to: *const c_char, flags: c_uint) =
        renamed(from_dir, from, to_dir, to, flags);
    unlink(path: *const c_char) = unlinked(AT_FDCWD, path, 0);
    unlinkat(dir: c_int, path: *const c_char, flags: c_int) = unlinked(dir, path, flags);
    link(from: *const c_char, to: *const c_char) = linked(AT_FDCWD, from, AT_FDCWD, to, 0);
    linkat(from_dir: c_int, from: *const c_char, to_dir: c_int, to: *const c_char, flags: c_int) =
        linked(from_dir, from, to_dir, to, flags);
}
