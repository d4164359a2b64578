//! What the figures were measured on.

use serde::Serialize;
use std::path::Path;
use std::process::Command;

/// This machine and this tree.
#[derive(Serialize)]
pub(crate) struct Machine {
    pub(crate) cpu: String,
    pub(crate) cores: usize,
    pub(crate) kernel: String,
    pub(crate) system: String,
    /// Of the servers' state.
    pub(crate) filesystem: String,
    pub(crate) rustc: String,
    pub(crate) commit: String,
    pub(crate) date: String,
    /// Runnable processes over the minute before the run: what else was going on.
    pub(crate) load_before: String,
}

impl Machine {
    pub(crate) fn look(state: &Path) -> Self {
        Self {
            cpu: line_value("/proc/cpuinfo", "model name").unwrap_or_else(|| std::env::consts::ARCH.to_owned()),
            cores: std::thread::available_parallelism().map_or(1, std::num::NonZero::get),
            kernel: read("/proc/sys/kernel/osrelease").trim().to_owned(),
            system: line_value("/etc/os-release", "PRETTY_NAME").unwrap_or_else(|| "unknown".to_owned()),
            filesystem: filesystem(&read("/proc/mounts"), state),
            rustc: said("rustc", &["--version"]).unwrap_or_else(|| "unknown".to_owned()),
            commit: commit(),
            date: said("date", &["-u", "+%Y-%m-%d"]).unwrap_or_else(|| "unknown".to_owned()),
            load_before: read("/proc/loadavg").split(' ').next().unwrap_or_default().to_owned(),
        }
    }
}

fn read(path: &str) -> String {
    std::fs::read_to_string(path).unwrap_or_default()
}

/// The value of the first `name = value` or `name : value` line.
fn line_value(path: &str, name: &str) -> Option<String> {
    let text = read(path);
    let line = text.lines().find_map(|line| line.strip_prefix(name))?;
    let value = line.trim_start().trim_start_matches([':', '=']).trim().trim_matches('"');
    Some(value.to_owned())
}

/// The sort of the mount that holds the path: the one with the longest mount point above it.
fn filesystem(mounts: &str, path: &Path) -> String {
    let mounts = mounts.lines().filter_map(|line| {
        let mut words = line.split(' ').skip(1);
        let (at, kind) = (words.next()?, words.next()?);
        path.starts_with(at).then_some((at.len(), kind))
    });
    mounts.max_by_key(|(len, _)| *len).map_or("unknown", |(_, kind)| kind).to_owned()
}

fn commit() -> String {
    let Some(id) = said("git", &["rev-parse", "--short=12", "HEAD"]) else { return "not committed".to_owned() };
    match said("git", &["status", "--porcelain", "--untracked-files=no"]) {
        Some(changes) if !changes.is_empty() => format!("{id}, with changes"),
        _ => id,
    }
}

fn said(program: &str, args: &[&str]) -> Option<String> {
    let output = Command::new(program).args(args).output().ok().filter(|output| output.status.success())?;
    Some(String::from_utf8_lossy(&output.stdout).trim().to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_nearest_mount_tells_the_filesystem() {
        let mounts = "/dev/a / ext4 rw 0 0\ntmpfs /tmp tmpfs rw 0 0\nproc /proc proc rw 0 0\n";
        assert_eq!(filesystem(mounts, Path::new("/tmp/x")), "tmpfs");
        assert_eq!(filesystem(mounts, Path::new("/tmpx")), "ext4");
        assert_eq!(filesystem("", Path::new("/")), "unknown");
    }
}
