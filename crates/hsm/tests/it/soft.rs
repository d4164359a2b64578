//! A SoftHSM2 token of its own for each test, and its worker as the system shows it.

use keystead_hsm::worker::{Select, Settings};
use keystead_hsm::{Client, Config, HsmError, TokenState};
use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::time::{Duration, Instant};
use tempfile::TempDir;
use tokio::time::sleep;

pub(crate) const PIN: &str = "a-pin-like-no-other-4711";
pub(crate) const SOFTHSM: &str = "/usr/lib/softhsm/libsofthsm2.so";

/// A token in a directory of its own.
pub(crate) struct Soft {
    dir: PathBuf,
    _owned: Option<TempDir>,
}

impl Soft {
    pub(crate) fn new() -> Self {
        let owned = tempfile::tempdir().unwrap();
        let soft = Self { dir: owned.path().to_owned(), _owned: Some(owned) };
        let tokens = soft.dir.join("tokens");
        fs::create_dir(&tokens).unwrap();
        let text = format!("directories.tokendir = {}\nlog.level = ERROR\n", tokens.display());
        fs::write(soft.conf(), text).unwrap();
        let made = soft.util(&["--init-token", "--free", "--label", "soft", "--so-pin", "87654321", "--pin", PIN]);
        assert!(made.status.success(), "{made:?}");
        soft
    }

    /// A token that is there already, in a directory that another process owns.
    pub(crate) fn at(dir: &Path) -> Self {
        Self { dir: dir.to_owned(), _owned: None }
    }

    pub(crate) fn dir(&self) -> &Path {
        &self.dir
    }

    pub(crate) fn conf(&self) -> PathBuf {
        self.dir.join("softhsm2.conf")
    }

    fn util(&self, arguments: &[&str]) -> Output {
        Command::new("softhsm2-util").args(arguments).env("SOFTHSM2_CONF", self.conf()).output().unwrap()
    }

    pub(crate) fn config(&self) -> Config {
        let select = Select::Label("soft".to_owned());
        let settings =
            Settings { module: SOFTHSM.into(), select, pin: PIN.to_owned().into(), sessions: Some(4), guest: false };
        let mut config = Config::new("soft", env!("CARGO_BIN_EXE_keystead-hsm-worker"), settings);
        config.env = vec![variable("SOFTHSM2_CONF", self.conf())];
        config
    }

    /// With the module that fails when [`Self::rules`] say so.
    pub(crate) fn faulty(&self) -> Config {
        let mut config = self.config();
        config.settings.module = shim();
        config.env.push(variable("KEYSTEAD_P11FAULT_MODULE", SOFTHSM));
        config.env.push(variable("KEYSTEAD_P11FAULT_CONTROL", self.control()));
        config
    }

    fn control(&self) -> PathBuf {
        self.dir.join("rules")
    }

    /// What goes wrong from now on.
    pub(crate) fn rules(&self, rules: &str) {
        let new = self.dir.join("rules.new");
        fs::write(&new, rules).unwrap();
        fs::rename(new, self.control()).unwrap();
    }
}

/// The process of the token's worker.
pub(crate) fn process(client: &Client) -> u32 {
    client.worker().unwrap()
}

pub(crate) fn variable(name: &str, value: impl Into<OsString>) -> (OsString, OsString) {
    (name.into(), value.into())
}

/// The module that fails when it is told to: built with these tests.
fn shim() -> PathBuf {
    let library = std::env::current_exe().unwrap().with_file_name("libkeystead_p11fault.so");
    assert!(library.exists(), "{} is built with these tests", library.display());
    library
}

/// Milliseconds in which a token is surely open again.
pub(crate) const SOON: u64 = 30_000;

pub(crate) fn within(millis: u64) -> Instant {
    Instant::now() + Duration::from_millis(millis)
}

/// A client whose token is open.
pub(crate) async fn ready(config: Config) -> Client {
    let client = Client::new(config);
    client.check(within(SOON)).await.unwrap();
    assert_eq!(client.state(), TokenState::Ready);
    client
}

/// Waits until something is so.
pub(crate) async fn eventually(what: &str, mut so: impl FnMut() -> bool) -> Duration {
    let began = Instant::now();
    while !so() {
        assert!(began.elapsed() < Duration::from_millis(SOON), "not soon: {what}");
        sleep(Duration::from_millis(2)).await;
    }
    began.elapsed()
}

/// Waits until the token answers again: how long that took.
pub(crate) async fn recovered(client: &Client) -> Duration {
    let began = Instant::now();
    loop {
        match client.random(8, within(2_000)).await {
            Ok(_) => return began.elapsed(),
            Err(HsmError::Down { .. } | HsmError::Deadline) if began.elapsed() < Duration::from_millis(SOON) => {}
            Err(e) => panic!("{e}"),
        }
        sleep(Duration::from_millis(1)).await;
    }
}

pub(crate) fn kill(process: u32) {
    let process = rustix::process::Pid::from_raw(process.try_into().unwrap()).unwrap();
    match rustix::process::kill_process(process, rustix::process::Signal::KILL) {
        // It went before.
        Ok(()) | Err(rustix::io::Errno::SRCH) => {}
        Err(e) => panic!("{e}"),
    }
}

pub(crate) fn is_alive(process: u32) -> bool {
    let state = fs::read_to_string(format!("/proc/{process}/stat")).unwrap_or_default();
    // The state stands behind the name in parentheses; a zombie is not alive.
    state.rsplit(')').next().is_some_and(|rest| rest.trim().starts_with(|c: char| c != 'Z' && c != 'X'))
}

pub(crate) fn status(process: u32, field: &str) -> String {
    let status = fs::read_to_string(format!("/proc/{process}/status")).unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix(field)?.strip_prefix(':'));
    line.unwrap_or_default().split_whitespace().collect::<Vec<_>>().join(" ")
}

pub(crate) fn maps(process: u32, module: &Path) -> bool {
    let module = module.canonicalize().unwrap();
    fs::read_to_string(format!("/proc/{process}/maps")).unwrap().contains(module.to_str().unwrap())
}
