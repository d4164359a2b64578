//! A worker's process, seen from the server: started, killed, waited for.

use super::Config;
use rustix::process::{Pid, PidfdFlags, Signal, pidfd_open, pidfd_send_signal};
use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream as Socket;
use std::os::unix::process::CommandExt as _;
use std::process::{Command, ExitStatus, Stdio};
use std::thread;
use std::time::Duration;
use tokio::net::UnixStream;
use tokio::sync::oneshot;
use tokio::time::timeout;

/// A process. It is killed when this is dropped.
pub(super) struct Child {
    /// Names this process for ever, not the next one with its number.
    process: OwnedFd,
    id: u32,
    ended: Option<oneshot::Receiver<ExitStatus>>,
}

impl Drop for Child {
    fn drop(&mut self) {
        self.kill();
    }
}

impl Child {
    /// Starts a worker. The thread that starts a process is the one that it dies with, so each has a thread of its own.
    pub(super) async fn start(config: &Config) -> io::Result<(Self, UnixStream)> {
        let (ours, theirs) = Socket::pair()?;
        ours.set_nonblocking(true)?;
        let mut command = Command::new(&config.program);
        command.args(&config.arguments).env_clear().envs(config.env.iter().map(|(name, value)| (name, value)));
        // Its own group: a Ctrl-C at the server's terminal is for the server, which ends its workers itself.
        command.stdin(OwnedFd::from(theirs)).stdout(Stdio::null()).process_group(0);
        let (started, start) = oneshot::channel();
        thread::Builder::new().name("hsm-parent".to_owned()).spawn(move || parent(command, started))?;
        let child = start.await.map_err(|_| io::Error::other("its parent thread ended"))??;
        Ok((child, UnixStream::from_std(ours)?))
    }

    pub(super) fn id(&self) -> u64 {
        self.id.into()
    }

    pub(super) fn kill(&self) {
        let _ = pidfd_send_signal(&self.process, Signal::KILL);
    }

    /// Gives it some time to end, kills it then, and says how it ended.
    pub(super) async fn end(mut self, within: Duration) -> String {
        let Some(mut ended) = self.ended.take() else { return String::new() };
        let mut status = timeout(within, &mut ended).await;
        if status.is_err() {
            self.kill();
            status = timeout(TO_DIE, ended).await;
        }
        match status {
            Ok(Ok(status)) => status.to_string(),
            _ => "it does not die".to_owned(),
        }
    }
}

/// A process in the middle of a system call that never returns outlives its kill.
const TO_DIE: Duration = Duration::from_secs(1);

/// The life of the thread.
fn parent(mut command: Command, started: oneshot::Sender<io::Result<Child>>) {
    let begun = command.spawn();
    // The worker must see the end of its socket when the server drops its own.
    drop(command);
    let mut process = match begun {
        Ok(process) => process,
        Err(e) => return drop(started.send(Err(e))),
    };
    let (tell, ended) = oneshot::channel();
    let id = process.id();
    match handle(id) {
        // If nobody wants it any more it is dropped here, and killed.
        Ok(handle) => drop(started.send(Ok(Child { process: handle, id, ended: Some(ended) }))),
        Err(e) => {
            let _ = process.kill();
            drop(started.send(Err(e)));
        }
    }
    if let Ok(status) = process.wait() {
        let _ = tell.send(status);
    }
}

fn handle(id: u32) -> io::Result<OwnedFd> {
    let id = i32::try_from(id).ok().and_then(Pid::from_raw).ok_or(io::ErrorKind::InvalidInput)?;
    Ok(pidfd_open(id, PidfdFlags::empty())?)
}
