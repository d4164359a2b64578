//! Power loss, simulated for one process: what it wrote and did not sync may be gone, in part or whole.
//!
//! Load the library with `LD_PRELOAD` and say where and when:
//!
//! | variable | meaning |
//! |---|---|
//! | `KEYSTEAD_POWERLOSS_DIR` | files under this directory are watched; without it the library does nothing |
//! | `KEYSTEAD_POWERLOSS_AFTER` | the power fails with the n-th change under the directory (write, resize, create, rename, unlink) |
//! | `KEYSTEAD_POWERLOSS_SEED` | chooses what survives (default 0) |
//! | `KEYSTEAD_POWERLOSS_DEAF` | syncs of files with this in their path do nothing, as on a disk that lies |
//!
//! `SIGUSR2` makes the power fail at once. Either way the process ends with status 99, and the files stand as a disk
//! might hold them:
//!
//! - What `fsync` or `fdatasync` covered before it returned is whole.
//! - Each later write is kept, dropped, or torn: any subset of its 512-byte sectors, with zeros in place of the missing
//!   ones where it made the file longer, or the file shorter. Resizes (`ftruncate`, `fallocate`, `O_TRUNC`) are kept or
//!   dropped. Each is chosen independently of the others.
//! - Names: the creations, renames and unlinks not yet durable are kept up to some point and undone behind it, in the
//!   order of a metadata journal, independently of the data. A creation or rename is durable once its directory or the
//!   file itself was synced, an unlink once its directory was. Making, removing or renaming a directory is durable at
//!   once.
//!
//! Memory maps are not watched: files named `*-shm` (the index of SQLite's WAL, rebuilt by the next process) are
//! ignored altogether. Only calls through the C library are seen: static binaries, raw system calls (rustix's default
//! back end, io_uring) and `stdio` pass by. `sync_file_range` promises nothing and is not touched. Files are known by
//! inode, so `close` and `dup` need no attention. Linux only.
//!
//! - `calls`: the functions that stand in for the C library's
//! - `watch`: what is watched, what is not yet durable
//! - `loss`: what survives
//! - `trigger`: the signal, the count, the environment
//! - `real`: the system calls themselves
#![cfg(target_os = "linux")]
#![allow(unsafe_code, reason = "stands in for functions of the C library; loaded into tests only")]

mod calls;
mod loss;
mod real;
mod trigger;
mod watch;
