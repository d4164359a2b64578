//! Child processes and what the kernel counts of them.

use crate::Failure;
use rustix::process::{Pid, Signal, kill_process};
use std::fs::File;
use std::net::{SocketAddr, TcpListener};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

/// A child that ends with its owner.
pub(crate) struct Child(std::process::Child);

/// Ticks of /proc/PID/stat in a second: a constant of the kernel's interface on every architecture Rust knows.
const TICK_MICROS: f64 = 1e6 / 100.0;

impl Child {
    /// Starts a program; what it says goes into the file.
    pub(crate) fn start(command: &mut Command, said: &Path) -> Result<Self, Failure> {
        let said = File::create(said)?;
        let started = command.stdin(Stdio::null()).stdout(said.try_clone()?).stderr(said).spawn();
        Ok(Self(started.map_err(|e| format!("cannot start {}: {e}", command.get_program().display()))?))
    }

    pub(crate) fn id(&self) -> u32 {
        self.0.id()
    }

    /// An error if it has ended.
    pub(crate) fn check(&mut self) -> Result<(), Failure> {
        match self.0.try_wait()? {
            None => Ok(()),
            Some(status) => Err(format!("the server ended early: {status}").into()),
        }
    }

    /// User and system time of all its threads, the ended ones included, in microseconds.
    pub(crate) fn cpu_micros(&self) -> Result<f64, Failure> {
        let text = std::fs::read_to_string(format!("/proc/{}/stat", self.id()))?;
        ticks(&text).map(|ticks| ticks * TICK_MICROS).ok_or_else(|| "/proc/PID/stat has another form".into())
    }

    /// Bytes it caused to be written to disks; none where the kernel does not tell us.
    pub(crate) fn written(&self) -> Option<f64> {
        let text = std::fs::read_to_string(format!("/proc/{}/io", self.id())).ok()?;
        field(&text, "write_bytes:")
    }

    /// A size of /proc/PID/status (`VmRSS:`, `VmHWM:`) in MiB.
    pub(crate) fn mebibytes(&self, name: &str) -> Option<f64> {
        let text = std::fs::read_to_string(format!("/proc/{}/status", self.id())).ok()?;
        field(&text, name).map(|kib| kib / 1024.0)
    }

    /// Asks it to stop, and sees that it does.
    pub(crate) fn stop(&mut self) {
        let pid = i32::try_from(self.id()).ok().and_then(Pid::from_raw);
        let asked = pid.is_some_and(|pid| kill_process(pid, Signal::TERM).is_ok());
        let patience = if asked { Duration::from_secs(10) } else { Duration::ZERO };
        let began = Instant::now();
        while began.elapsed() < patience {
            if !matches!(self.0.try_wait(), Ok(None)) {
                return;
            }
            std::thread::sleep(Duration::from_millis(5));
        }
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

impl Drop for Child {
    fn drop(&mut self) {
        if matches!(self.0.try_wait(), Ok(None)) {
            self.stop();
        }
    }
}

/// Addresses on this machine that were free a moment ago.
pub(crate) fn free_addresses<const N: usize>() -> Result<[SocketAddr; N], Failure> {
    let held: Vec<_> = (0..N).map(|_| TcpListener::bind("127.0.0.1:0")).collect::<Result<_, _>>()?;
    let addresses: Vec<_> = held.iter().map(TcpListener::local_addr).collect::<Result<_, _>>()?;
    addresses.try_into().map_err(|_| "no free port".into())
}

/// utime and stime: fields 14 and 15, counted behind the name, which may hold anything.
fn ticks(stat: &str) -> Option<f64> {
    let (_, rest) = stat.rsplit_once(')')?;
    let mut fields = rest.split_ascii_whitespace().skip(11);
    let user: f64 = fields.next()?.parse().ok()?;
    let system: f64 = fields.next()?.parse().ok()?;
    Some(user + system)
}

fn field(text: &str, name: &str) -> Option<f64> {
    let rest = text.lines().find_map(|line| line.strip_prefix(name))?;
    rest.split_ascii_whitespace().next()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn user_and_system_time_are_found_behind_any_name() {
        let stat = "7 (a) b (c) S 1 7 7 0 -1 4194560 900 0 0 0 120 30 0 0 20 0 4 0 100 1000 200 0";
        assert_eq!(ticks(stat), Some(150.0));
        assert_eq!(ticks("7 (x) S"), None);
    }

    #[test]
    fn a_named_size_is_read() {
        assert_eq!(field("Name:\tx\nVmRSS:\t   2048 kB\n", "VmRSS:"), Some(2048.0));
        assert_eq!(field("Name:\tx\n", "VmRSS:"), None);
    }
}
