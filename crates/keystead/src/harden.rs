//! What the process denies to others before it holds any secret.

use rustix::mm::{MlockAllFlags, mlockall};
use rustix::process::{DumpableBehavior, Resource, Rlimit, geteuid, getrlimit, set_dumpable_behavior, setrlimit};

/// No core dumps, no attaching by others of the same user, and files for the owner alone. Best effort: where the kernel
/// says no, the file modes set at creation still hold.
pub(crate) fn process() {
    let _ = setrlimit(Resource::Core, Rlimit { current: Some(0), maximum: Some(0) });
    let _ = set_dumpable_behavior(DumpableBehavior::NotDumpable);
    rustix::process::umask(rustix::fs::Mode::from_raw_mode(0o077));
}

/// Keeps the server's memory out of swap, where the system lets it: roots, opened keys and all else. Why it is not so,
/// if it is not. A finite limit would make later allocations fail, so it is tried only without one.
pub(crate) fn lock_memory() -> Option<&'static str> {
    let unlimited = geteuid().is_root() || getrlimit(Resource::Memlock).current.is_none();
    let flags = MlockAllFlags::CURRENT | MlockAllFlags::FUTURE | MlockAllFlags::ONFAULT;
    if unlimited && mlockall(flags).is_ok() {
        return None;
    }
    let why = "memory is not locked, so swap may hold keys: set LimitMEMLOCK=infinity for the service";
    tracing::warn!("{why}");
    Some(why)
}
