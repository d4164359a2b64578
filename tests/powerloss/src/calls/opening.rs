//! `open` and its kin.

use super::give;
use crate::real::{self, Result};
use crate::watch::{self, Change, Place, Watch};
use libc::{AT_FDCWD, c_char, c_int, mode_t};

/// # Safety
/// As `openat(2)`.
unsafe fn opened(dir: c_int, path: *const c_char, flags: c_int, mode: mode_t) -> Result<c_int> {
    // SAFETY: the caller's, here and below.
    let real_open = |flags| unsafe { real::openat(dir, path, flags, mode) };
    if path.is_null() || flags & (libc::O_PATH | libc::O_DIRECTORY) != 0 {
        return real_open(flags);
    }
    let under_lock = watch::with(|watch| match unsafe { watch.locate(dir, path) } {
        Some(place) => open_watched(watch, &place, flags, real_open),
        None => {
            let fd = real_open(flags)?;
            // Its inode may have been a watched file's, now gone.
            if let Some(stat) = real::fstat(fd).filter(|stat| flags & libc::O_CREAT != 0 && watch.knows(stat.id)) {
                watch.lost_sight(stat.id);
            }
            Ok(fd)
        }
    });
    under_lock.unwrap_or_else(|| real_open(flags))
}

fn open_watched(
    watch: &mut Watch,
    place: &Place,
    flags: c_int,
    real_open: impl FnOnce(c_int) -> Result<c_int>,
) -> Result<c_int> {
    let existed = real::stat(&place.path).is_some();
    let truncate = flags & libc::O_TRUNC != 0;
    let mut granted = flags & !(libc::O_TRUNC | libc::O_DIRECT);
    if truncate || flags & libc::O_ACCMODE == libc::O_WRONLY {
        // Readable as well, to look at what a write replaces.
        granted = granted & !libc::O_ACCMODE | libc::O_RDWR;
    }
    let fd = real_open(granted)?;
    let Some(stat) = real::fstat(fd).filter(real::Stat::is_file) else { return Ok(fd) };
    if existed {
        watch.found(stat.id, &place.path);
    } else {
        watch.created(stat.id, place);
    }
    if truncate && stat.size > 0 {
        let cut = real::pread(fd, 0, stat.size);
        real::ftruncate(fd, 0)?;
        watch.changed(stat.id, Change::Resize { old_size: stat.size, new_size: 0, cut }, false);
    }
    Ok(fd)
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

const CREAT: c_int = libc::O_CREAT | libc::O_WRONLY | libc::O_TRUNC;

stand_in! {
    open(path: *const c_char, flags: c_int, mode: mode_t) = opened(AT_FDCWD, path, flags, mode);
    open64(path: *const c_char, flags: c_int, mode: mode_t) = opened(AT_FDCWD, path, flags, mode);
    openat(dir: c_int, path: *const c_char, flags: c_int, mode: mode_t) = opened(dir, path, flags, mode);
    openat64(dir: c_int, path: *const c_char, flags: c_int, mode: mode_t) = opened(dir, path, flags, mode);
    creat(path: *const c_char, mode: mode_t) = opened(AT_FDCWD, path, CREAT, mode);
    creat64(path: *const c_char, mode: mode_t) = opened(AT_FDCWD, path, CREAT, mode);
}
