//! The story of two machines, as it is written in the guide.

use crate::support::Place;
use rustix::process::{Pid, Signal, kill_process_group};
use std::fs::{self, File};
use std::os::unix::process::CommandExt as _;
use std::path::Path;
use std::process::{Child, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

const PAGE: &str = include_str!("../../../../../docs/two-machines.md");
/// The ports of the two servers in the guide.
const PORTS: [&str; 2] = [":8443", ":9443"];
const PATIENCE: Duration = Duration::from_secs(180);

/// A shell, and the servers that it started: all end with this.
struct Shell(Child);

impl Drop for Shell {
    fn drop(&mut self) {
        let group = i32::try_from(self.0.id()).ok().and_then(Pid::from_raw).unwrap();
        let _ = kill_process_group(group, Signal::KILL);
        let _ = self.0.wait();
    }
}

/// The blocks of the page in their order: commands, and the lines that they print.
fn blocks() -> Vec<(&'static str, &'static str)> {
    let fenced = |rest: &'static str| rest.split("```").next().unwrap();
    let block = |rest: &'static str| {
        let then = rest.split_once("```").unwrap().1.trim_start();
        (fenced(rest), then.strip_prefix("```text\n").map_or("", fenced))
    };
    PAGE.split("```sh\n").skip(1).map(block).collect()
}

/// Words with one space between them, as columns move.
fn plain(line: &str) -> String {
    line.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// Whether a line of the page, where `...` is anything, is this one.
fn is(shown: &str, printed: &str) -> bool {
    let shown = plain(shown);
    let mut parts = shown.split("...");
    let mut rest = printed.strip_prefix(parts.next().unwrap());
    for part in parts {
        rest = rest.and_then(|rest| rest.split_once(part)).map(|(_, after)| if part.is_empty() { "" } else { after });
    }
    rest == Some("")
}

/// Every line that the page shows was printed, in that order.
fn holds(shown: &str, printed: &str) {
    let printed: Vec<String> = printed.lines().map(plain).collect();
    let mut left = &printed[..];
    for line in shown.lines() {
        let at = left.iter().position(|other| is(line, other));
        let at = at.unwrap_or_else(|| panic!("'{line}' is not in:\n{}", printed.join("\n")));
        left = &left[at + 1..];
    }
}

#[test]
fn the_story_of_two_machines_goes_as_it_is_written_from_activation_to_recovery_and_another_custodian() {
    let (place, blocks) = (Place::new(), blocks());
    assert!(blocks.len() > 8 && blocks.iter().filter(|(_, shown)| !shown.is_empty()).count() > 5, "{blocks:?}");
    let mut script = "set -eu\n".to_owned();
    for (number, (commands, _)) in blocks.iter().enumerate() {
        script += &format!("echo '==== {number}'\n{commands}");
    }
    let ports = [place.port, place.hsm_port].map(|port| format!(":{port}"));
    let script = script.replace(PORTS[0], &ports[0]).replace(PORTS[1], &ports[1]);
    let built = Path::new(env!("CARGO_BIN_EXE_keystead")).parent().unwrap();
    let path = format!("{}:{}", built.display(), std::env::var("PATH").unwrap());
    fs::create_dir(place.beside("story")).unwrap();
    let log = File::create(place.beside("log")).unwrap();
    let mut command = place.program("sh");
    command.args(["-c", &script]).env("PATH", path).current_dir(place.beside("story")).process_group(0);
    command.stdin(Stdio::null()).stdout(log.try_clone().unwrap()).stderr(log);
    let mut shell = Shell(command.spawn().unwrap());
    let told = || fs::read_to_string(place.beside("log")).unwrap();
    let until = Instant::now() + PATIENCE;
    let ended = loop {
        if let Some(status) = shell.0.try_wait().unwrap() {
            break status;
        }
        assert!(Instant::now() < until, "it does not end: {}", told());
        sleep(Duration::from_millis(50));
    };
    assert!(ended.success(), "{ended}: {}", told());
    let told = told();
    let printed: Vec<&str> = told.split("==== ").skip(1).collect();
    assert_eq!(printed.len(), blocks.len(), "{told}");
    for ((_, shown), printed) in blocks.iter().zip(printed) {
        holds(shown, printed);
    }
}
