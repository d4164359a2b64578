//! What a worker gives up before it loads a vendor's library: memory that others can read, files that are not its own,
//! the network, rights. It holds no secret until then, and whatever cannot be given up ends it.

mod sockets;

use crate::account::Account;
use crate::error::HsmError;
use minicbor::{Decode, Encode};
use rustix::fs::Mode;
use rustix::io::Errno;
use rustix::process::{
    DumpableBehavior, Gid, Resource, Rlimit, Signal, Uid, getegid, geteuid, getppid, set_dumpable_behavior,
    set_parent_process_death_signal, setrlimit,
};
use rustix::thread::{
    CapabilitySet, CapabilitySets, UnshareFlags, clear_ambient_capability_set, set_capabilities, set_no_new_privs,
    set_thread_groups, set_thread_res_gid, set_thread_res_uid, unshare_unsafe,
};
use std::os::fd::{AsRawFd as _, BorrowedFd, RawFd};

/// What the server says of it.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
pub(crate) struct Confinement {
    /// The server's process id: the worker ends with it.
    #[n(0)]
    pub(crate) server: i32,
    /// The token is reached over the network, which is left as it is.
    #[n(1)]
    pub(crate) network: bool,
    /// Who to become.
    #[n(2)]
    pub(crate) account: Option<Account>,
}

/// Gives all of it up, for good. Only while the process has one thread: threads to come inherit it.
pub(crate) fn confine(to: &Confinement, socket: BorrowedFd<'_>) -> Result<(), HsmError> {
    rustix::process::umask(Mode::from_raw_mode(0o077));
    setrlimit(Resource::Core, Rlimit { current: Some(0), maximum: Some(0) }).map_err(|e| cannot("forbid dumps", e))?;
    close_others(socket)?;
    let mut apart = to.network || unshare(UnshareFlags::NEWNET).is_ok();
    if let Some(account) = &to.account {
        become_account(account)?;
    }
    apart = apart || leave_network_as_user().is_ok();
    drop_capabilities().map_err(|e| cannot("drop its capabilities", e))?;
    set_no_new_privs(true).map_err(|e| cannot("forbid new privileges", e))?;
    if !apart {
        sockets::forbid().map_err(|why| no_way_off_the_network(&why))?;
    }
    // Last: a change of account takes both back.
    set_parent_process_death_signal(Some(Signal::KILL)).map_err(|e| cannot("end with its server", e))?;
    set_dumpable_behavior(DumpableBehavior::NotDumpable).map_err(|e| cannot("hide its memory", e))?;
    let parent = getppid().map(|id| id.as_raw_nonzero().get());
    if parent == Some(to.server) { Ok(()) } else { Err(cannot("find its server", Errno::SRCH)) }
}

fn cannot(what: &str, error: Errno) -> HsmError {
    HsmError::Setting { why: format!("its worker cannot {what}: {error}") }
}

fn no_way_off_the_network(why: &str) -> HsmError {
    let remedy = "allow the server network namespaces or seccomp filters, or say `network = true` for a token that is \
                  reached over the network";
    HsmError::Setting { why: format!("the kernel lets its worker not give up the network ({why}): {remedy}") }
}

/// Whatever the server had open and a careless library of its left inheritable.
fn close_others(socket: BorrowedFd<'_>) -> Result<(), HsmError> {
    let failed = |e: std::io::Error| HsmError::Setting { why: format!("its worker cannot list its files: {e}") };
    let names = std::fs::read_dir("/proc/self/fd").map_err(failed)?.map(|entry| entry.map(|e| e.file_name()));
    let names: Vec<_> = names.collect::<Result<_, _>>().map_err(failed)?;
    let numbers = names.iter().filter_map(|name| name.to_str()?.parse::<RawFd>().ok());
    for number in numbers.filter(|number| *number > 2 && *number != socket.as_raw_fd()) {
        #[expect(unsafe_code, reason = "files that came from another program have no owner here")]
        // SAFETY: this process owns its standard streams and the socket alone; the directory just read is closed.
        unsafe {
            rustix::io::close(number);
        }
    }
    Ok(())
}

fn unshare(flags: UnshareFlags) -> Result<(), Errno> {
    #[expect(unsafe_code, reason = "only the sharing of file descriptors is unsafe to give up")]
    // SAFETY: `FILES` is not among the flags.
    unsafe {
        unshare_unsafe(flags)
    }
}

/// Root in its own user namespace may make a network namespace; it is itself there, too, and nobody else.
fn leave_network_as_user() -> Result<(), String> {
    let (uid, gid) = (geteuid().as_raw(), getegid().as_raw());
    unshare(UnshareFlags::NEWUSER | UnshareFlags::NEWNET).map_err(|e| e.to_string())?;
    // The maps of a process that hides its memory belong to root.
    set_dumpable_behavior(DumpableBehavior::Dumpable).map_err(|e| e.to_string())?;
    let write = |file: &str, text: String| std::fs::write(file, text).map_err(|e| format!("{file}: {e}"));
    write("/proc/self/setgroups", "deny".to_owned())?;
    write("/proc/self/uid_map", format!("{uid} {uid} 1"))?;
    write("/proc/self/gid_map", format!("{gid} {gid} 1"))
}

fn become_account(account: &Account) -> Result<(), HsmError> {
    if geteuid().as_raw() == account.uid {
        return Ok(());
    }
    let (uid, gid) = (Uid::from_raw(account.uid), Gid::from_raw(account.gid));
    let groups: Vec<Gid> = account.groups.iter().map(|group| Gid::from_raw(*group)).collect();
    let changed = set_thread_groups(&groups)
        .and_then(|()| set_thread_res_gid(gid, gid, gid))
        .and_then(|()| set_thread_res_uid(uid, uid, uid));
    changed.map_err(|e| cannot("become its `user`, which needs a server that runs as root", e))
}

fn drop_capabilities() -> Result<(), Errno> {
    let none = CapabilitySet::empty();
    clear_ambient_capability_set()?;
    set_capabilities(None, CapabilitySets { effective: none, permitted: none, inheritable: none })
}
