//! A place for a server, and the server's process in it.

use super::{Http, Vault};
use rustix::process::{Pid, Signal, kill_process};
use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::Write as _;
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Output, Stdio};
use std::sync::atomic::{AtomicU16, AtomicU32, Ordering};
use std::thread::sleep;
use std::time::{Duration, Instant};
use tempfile::TempDir;

/// How long a server may take to start or to end.
const PATIENCE: Duration = Duration::from_secs(120);

/// A directory and two ports, which servers use one after the other.
pub(crate) struct Place {
    temp: TempDir,
    /// Data directory, `--data`.
    pub(crate) data: PathBuf,
    /// The vault `dev`.
    pub(crate) port: u16,
    /// The vault `dev-hsm`.
    pub(crate) hsm_port: u16,
}

/// A running server. Dropped, it is killed.
pub(crate) struct Server {
    child: Child,
    /// Host, port, CA and credential of the vault `dev`, as in dev.env.
    pub(crate) env: BTreeMap<String, String>,
    port: u16,
    ca: PathBuf,
    log: PathBuf,
}

/// The process ended before it was ready.
#[derive(Debug)]
pub(crate) struct NotStarted {
    pub(crate) status: ExitStatus,
    /// Its standard error.
    pub(crate) text: String,
}

impl Place {
    /// A new temporary directory and two free ports.
    pub(crate) fn new() -> Self {
        let temp = tempfile::tempdir().unwrap();
        let data = temp.path().join("data");
        let (port, hsm_port) = (free_port(), free_port());
        Self { temp, data, port, hsm_port }
    }

    /// A path beside the data directory.
    pub(crate) fn beside(&self, name: &str) -> PathBuf {
        self.temp.path().join(name)
    }

    /// The data directory, for command lines.
    pub(crate) fn data_str(&self) -> &str {
        self.data.to_str().unwrap()
    }

    /// `keystead dev`, ready.
    pub(crate) fn dev(&self) -> Server {
        self.dev_with(&[]).unwrap_or_else(|e| panic!("keystead dev ended with {}: {}", e.status, e.text))
    }

    /// `keystead dev` with more environment (`LD_PRELOAD`, ...).
    pub(crate) fn dev_with(&self, env: &[(&str, &str)]) -> Result<Server, NotStarted> {
        let (first, second) = (format!("127.0.0.1:{}", self.port), format!("127.0.0.1:{}", self.hsm_port));
        self.dev_at(&["--listen", &first, "--listen-hsm", &second], env)
    }

    /// `keystead dev` at these addresses.
    pub(crate) fn dev_at(&self, addresses: &[&str], env: &[(&str, &str)]) -> Result<Server, NotStarted> {
        // Its appearance says that the server is ready.
        let _ = fs::remove_file(self.data.join("dev.env"));
        let mut command = self.command(&["dev", "--data", self.data_str()]);
        command.args(addresses).envs(env.iter().copied());
        let ready = self.data.join("dev.env");
        self.start(command, || ready.exists())
    }

    /// `keystead serve` over a directory that `dev` has filled: the same vaults, CA, credential and first port.
    /// `audit` and `limits` are the lines of these sections.
    pub(crate) fn serve(&self, audit: &str, limits: &str) -> Result<Server, NotStarted> {
        let (chain, key) = self.certificate();
        let (data, port) = (self.data_str(), self.port);
        let config = self.beside("keystead.toml");
        let text = format!(
            "[node]\ndata = {data:?}\n[listen]\ntls = [\"127.0.0.1:{port}\"]\ncertificate = {chain:?}\n\
             private_key = {key:?}\n[custody]\nkey_file = \"{data}/path.key\"\n[audit]\n{audit}\n[limits]\n{limits}\n"
        );
        fs::write(&config, text).unwrap();
        let command = self.command(&["serve", "--config", config.to_str().unwrap()]);
        self.start(command, || TcpStream::connect((Ipv4Addr::LOCALHOST, port)).is_ok())
    }

    /// `keystead ARGS...` run to its end, with the settings of dev.env if there is one.
    pub(crate) fn cli(&self, args: &[&str]) -> Output {
        let mut command = self.command(args);
        command.envs(read_env(&self.data.join("dev.env")));
        command.output().unwrap()
    }

    /// The same with these bytes as standard input.
    pub(crate) fn cli_reading(&self, args: &[&str], input: &[u8]) -> Output {
        let mut command = self.command(args);
        command.envs(read_env(&self.data.join("dev.env"))).stdin(Stdio::piped());
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        // A command that fails may not read it.
        let _ = child.stdin.take().unwrap().write_all(input);
        child.wait_with_output().unwrap()
    }

    /// `keystead ARGS...`: nothing of the caller's environment, kept checkpoints under this place.
    pub(crate) fn command(&self, args: &[&str]) -> Command {
        let mut command = self.program(env!("CARGO_BIN_EXE_keystead"));
        command.args(args);
        command
    }

    /// Another program in the same way.
    pub(crate) fn program(&self, program: &str) -> Command {
        let mut command = Command::new(program);
        command.env_clear().current_dir(self.temp.path());
        command.env("XDG_STATE_HOME", self.beside("state")).stdin(Stdio::null());
        for name in ["PATH", "KEYSTEAD_LOG"] {
            if let Some(value) = std::env::var_os(name) {
                command.env(name, value);
            }
        }
        command
    }

    fn start(&self, mut command: Command, ready: impl Fn() -> bool) -> Result<Server, NotStarted> {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let log = self.beside(&format!("server-{}.log", COUNT.fetch_add(1, Ordering::Relaxed)));
        command.stdout(Stdio::null()).stderr(File::create(&log).unwrap());
        let mut child = command.spawn().unwrap();
        let until = Instant::now() + PATIENCE;
        while !ready() {
            if let Some(status) = child.try_wait().unwrap() {
                return Err(NotStarted { status, text: fs::read_to_string(&log).unwrap() });
            }
            if Instant::now() > until {
                let _ = child.kill();
                panic!("the server is not ready: {}", fs::read_to_string(&log).unwrap());
            }
            sleep(Duration::from_millis(5));
        }
        let env = read_env(&self.data.join("dev.env"));
        Ok(Server { child, env, port: self.port, ca: self.data.join("tls/ca.pem"), log })
    }

    /// A certificate for `localhost` from the CA that `dev` made, and its key, as files.
    fn certificate(&self) -> (PathBuf, PathBuf) {
        use rcgen::{BasicConstraints, CertificateParams, DistinguishedName, DnType, IsCa, Issuer, KeyPair};
        let (chain, key) = (self.beside("chain.pem"), self.beside("key.pem"));
        if !chain.exists() {
            let mut ca = CertificateParams::default();
            ca.distinguished_name = DistinguishedName::new();
            ca.distinguished_name.push(DnType::CommonName, "Keystead development CA");
            ca.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
            let ca_key = fs::read_to_string(self.data.join("tls/ca.key")).unwrap();
            let issuer = Issuer::new(ca, KeyPair::from_pem(&ca_key).unwrap());
            let leaf_key = KeyPair::generate().unwrap();
            let leaf = CertificateParams::new(vec!["localhost".to_owned()]).unwrap();
            fs::write(&key, leaf_key.serialize_pem()).unwrap();
            fs::set_permissions(&key, fs::Permissions::from_mode(0o600)).unwrap();
            fs::write(&chain, leaf.signed_by(&leaf_key, &issuer).unwrap().pem()).unwrap();
        }
        (chain, key)
    }
}

impl Server {
    /// A connection to the vault `dev`, not made yet.
    pub(crate) fn http(&self) -> Http {
        Http::new(&self.ca, self.port)
    }

    /// A connection to another port of this server.
    pub(crate) fn http_at(&self, port: u16) -> Http {
        Http::new(&self.ca, port)
    }

    /// The vault `dev`, as the client of dev.env.
    pub(crate) fn vault(&self) -> Vault {
        Vault::log_in(self.http(), &self.env["AZURE_CLIENT_ID"], &self.env["AZURE_CLIENT_SECRET"])
    }

    /// Process id.
    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    /// What it has written to standard error.
    pub(crate) fn log(&self) -> String {
        fs::read_to_string(&self.log).unwrap()
    }

    /// Sends a signal.
    pub(crate) fn signal(&self, signal: Signal) {
        let pid = Pid::from_raw(self.child.id().try_into().unwrap()).unwrap();
        kill_process(pid, signal).unwrap();
    }

    /// SIGTERM, and how it ended.
    pub(crate) fn stop(mut self) -> ExitStatus {
        self.signal(Signal::TERM);
        self.wait()
    }

    /// SIGKILL, and gone when it returns.
    pub(crate) fn kill(mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    /// How it ended, if it has.
    pub(crate) fn ended(&mut self) -> Option<ExitStatus> {
        self.child.try_wait().unwrap()
    }

    /// Waits for its end.
    pub(crate) fn wait(&mut self) -> ExitStatus {
        let until = Instant::now() + PATIENCE;
        loop {
            if let Some(status) = self.ended() {
                return status;
            }
            assert!(Instant::now() < until, "the server does not end: {}", self.log());
            sleep(Duration::from_millis(5));
        }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// `NAME=value` lines; empty if there is no such file.
fn read_env(file: &Path) -> BTreeMap<String, String> {
    let text = fs::read_to_string(file).unwrap_or_default();
    text.lines().filter_map(|line| line.split_once('=')).map(|(n, v)| (n.to_owned(), v.to_owned())).collect()
}

/// Free now, and below what the system gives to outgoing connections, so that it stays free while a server restarts.
fn free_port() -> u16 {
    static NEXT: AtomicU16 = AtomicU16::new(0);
    loop {
        let step = NEXT.fetch_add(1, Ordering::Relaxed);
        let port = 10_240 + (std::process::id().wrapping_mul(97) as u16).wrapping_add(step) % 22_000;
        if TcpListener::bind((Ipv4Addr::LOCALHOST, port)).is_ok() {
            return port;
        }
    }
}
