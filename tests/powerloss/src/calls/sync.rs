//! `fsync` and `fdatasync`: what makes changes durable, once it returns.

use super::{give, to_int};
use crate::real::{self, Result};
use crate::watch;
use libc::{c_int, c_long};

/// Changes made while the call runs are not covered by it. The lock is free meanwhile: a sync takes long.
fn synced(fd: c_int, call: c_long) -> Result<c_int> {
    let before = watch::with(|watch| watch.now());
    // SAFETY: numbers only.
    let done = real::checked(unsafe { libc::syscall(call, fd) })?;
    if let (Some(upto), Some(stat)) = (before, real::fstat(fd)) {
        watch::with(
            |watch| if stat.is_dir() { watch.dir_synced(stat.id, upto) } else { watch.file_synced(stat.id, upto) },
        );
    }
    Ok(to_int(done))
}

#[unsafe(no_mangle)]
extern "C" fn fsync(fd: c_int) -> c_int {
    give(synced(fd, libc::SYS_fsync))
}

#[unsafe(no_mangle)]
extern "C" fn fdatasync(fd: c_int) -> c_int {
    give(synced(fd, libc::SYS_fdatasync))
}
