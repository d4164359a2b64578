//! When the power fails: the environment, the signal.

use crate::{loss, real, watch};
use libc::{c_int, c_void, sigset_t};
use std::mem::MaybeUninit;
use std::os::unix::ffi::OsStrExt;
use std::ptr;
use std::sync::atomic::{AtomicBool, AtomicI32, Ordering};

static PULLED: AtomicBool = AtomicBool::new(false);

/// Where the handler wakes the watcher; -1 before there is one.
static WAKE: AtomicI32 = AtomicI32::new(-1);

/// Run by the loader, before `main`.
#[used]
#[unsafe(link_section = ".init_array")]
static START: extern "C" fn() = start;

extern "C" fn start() {
    let Some(dir) = std::env::var_os("KEYSTEAD_POWERLOSS_DIR") else { return };
    let number = |name| std::env::var_os(name).and_then(|n| n.to_str()?.parse::<u64>().ok());
    let Some(dir) = canonical(dir.as_bytes()) else { real::fatal("KEYSTEAD_POWERLOSS_DIR is not a directory") };
    let after = number("KEYSTEAD_POWERLOSS_AFTER");
    let deaf = std::env::var_os("KEYSTEAD_POWERLOSS_DEAF").map(|part| part.as_bytes().to_vec());
    let deaf = deaf.filter(|part| !part.is_empty());
    watch::start(dir, after, deaf, number("KEYSTEAD_POWERLOSS_SEED").unwrap_or(0));
    if listen().is_err() {
        real::fatal("SIGUSR2 could not be watched");
    }
}

fn canonical(dir: &[u8]) -> Option<Vec<u8>> {
    let fd = real::open(dir, libc::O_PATH | libc::O_DIRECTORY, 0).ok()?;
    let path = real::path_of(fd);
    real::close(fd);
    path
}

/// The handler, and a thread that acts where the process itself is idle.
fn listen() -> Result<(), ()> {
    let mut ends = [-1; 2];
    // SAFETY: writes the two numbers.
    if unsafe { libc::pipe2(ends.as_mut_ptr(), libc::O_CLOEXEC) } != 0 {
        return Err(());
    }
    let [wait, wake] = ends;
    WAKE.store(wake, Ordering::SeqCst);
    // The thread inherits the mask: the process's signals are not its business.
    let mask = block_signals();
    let spawned = std::thread::Builder::new().name("powerloss".into()).spawn(move || {
        let mut byte = 0_u8;
        // SAFETY: writes at most one byte.
        while unsafe { libc::read(wait, (&raw mut byte).cast(), 1) } != 1 {}
        watch::with(|watch| loss::strike(watch));
    });
    restore_signals(&mask);
    spawned.map_err(drop)?;
    // SAFETY: all-zero bytes are a sigaction with an empty mask; the handler does only what a handler may.
    let installed = unsafe {
        let mut action: libc::sigaction = std::mem::zeroed();
        action.sa_sigaction = pull as extern "C" fn(c_int) as libc::sighandler_t;
        action.sa_flags = libc::SA_RESTART;
        libc::sigaction(libc::SIGUSR2, &raw const action, ptr::null_mut())
    };
    if installed == 0 { Ok(()) } else { Err(()) }
}

/// The signal handler.
extern "C" fn pull(_signal: c_int) {
    PULLED.store(true, Ordering::SeqCst);
    let errno = real::errno();
    let byte = 1_u8;
    // SAFETY: one byte to a pipe, past this library's own `write`.
    unsafe {
        libc::syscall(libc::SYS_write, WAKE.load(Ordering::SeqCst), ptr::from_ref(&byte).cast::<c_void>(), 1_usize)
    };
    real::set_errno(errno);
}

pub(crate) fn is_pulled() -> bool {
    PULLED.load(Ordering::SeqCst)
}

/// Returns the mask from before.
pub(crate) fn block_signals() -> sigset_t {
    let (mut all, mut before) = (MaybeUninit::uninit(), MaybeUninit::uninit());
    // SAFETY: sigfillset fills the first, pthread_sigmask the second.
    unsafe {
        libc::sigfillset(all.as_mut_ptr());
        libc::pthread_sigmask(libc::SIG_SETMASK, all.as_ptr(), before.as_mut_ptr());
        before.assume_init()
    }
}

pub(crate) fn restore_signals(mask: &sigset_t) {
    // SAFETY: a mask that block_signals returned.
    unsafe { libc::pthread_sigmask(libc::SIG_SETMASK, mask, ptr::null_mut()) };
}
