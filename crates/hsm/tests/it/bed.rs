//! Tokens to test on. Each test has a directory of its own with two tokens, and runs in a process of its own: the
//! libraries read where their tokens are from the environment, once.

use keystead_hsm::worker::{Hand, Select, Settings, Token};
use std::path::{Path, PathBuf};
use std::process::Command;

pub(crate) const PIN: &str = "7531-user";
const SO_PIN: &str = "8642-officer";

/// The labels of the two tokens.
pub(crate) const TOKEN: &str = "first";
pub(crate) const OTHER: &str = "second";

/// Where a child finds its tokens, and which part of the test it does.
const DIR: &str = "KEYSTEAD_HSM_TEST_DIR";
const PART: &str = "KEYSTEAD_HSM_TEST_PART";

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    SoftHsm2,
    Kryoptic,
}

impl Kind {
    pub(crate) fn module(self) -> PathBuf {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
        let (variable, places) = match self {
            Self::SoftHsm2 => (
                "KEYSTEAD_SOFTHSM2",
                ["/usr/lib/softhsm", "/usr/lib64/softhsm", "/usr/local/lib/softhsm", "/usr/lib64/pkcs11"]
                    .map(|dir| Path::new(dir).join("libsofthsm2.so"))
                    .to_vec(),
            ),
            Self::Kryoptic => ("KEYSTEAD_KRYOPTIC", vec![root.join(".cache/kryoptic/libkryoptic.so")]),
        };
        let named = std::env::var_os(variable).map(PathBuf::from);
        let found = named.into_iter().chain(places).find(|path| path.exists());
        found.unwrap_or_else(|| panic!("{self:?} is not here: run `tests/run/install apt kryoptic`, or set {variable}"))
    }

    fn variable(self) -> &'static str {
        match self {
            Self::SoftHsm2 => "SOFTHSM2_CONF",
            Self::Kryoptic => "KRYOPTIC_CONF",
        }
    }
}

/// Runs a test in a process of its own, with two new tokens.
pub(crate) fn on(kind: Kind, module: &str, test: &str, body: fn(&Bed)) {
    // As the test is called on the command line: without the name of the crate.
    let test = format!("{}::{test}", module.split_once("::").unwrap().1);
    match std::env::var_os(DIR) {
        Some(dir) => body(&Bed { kind, dir: dir.into(), test }),
        None => {
            let dir = tempfile::tempdir().unwrap();
            let bed = Bed { kind, dir: dir.path().to_owned(), test };
            bed.make(&[TOKEN, OTHER]);
            println!("{}", bed.run(""));
        }
    }
}

/// A directory with tokens.
pub(crate) struct Bed {
    pub(crate) kind: Kind,
    pub(crate) dir: PathBuf,
    test: String,
}

impl Bed {
    fn configuration(&self) -> PathBuf {
        self.dir.join("token.conf")
    }

    /// New tokens with these labels, two at most, instead of whatever there was.
    pub(crate) fn make(&self, labels: &[&str]) {
        let tokens = self.dir.join("tokens");
        let _ = std::fs::remove_dir_all(&tokens);
        std::fs::create_dir_all(&tokens).unwrap();
        let text = match self.kind {
            Kind::SoftHsm2 => format!("directories.tokendir = {}\nlog.level = ERROR\n", tokens.display()),
            Kind::Kryoptic => [0, 1]
                .map(|slot| {
                    let file = tokens.join(format!("{slot}.sql"));
                    format!("[[slots]]\nslot = {slot}\ndbtype = \"sqlite\"\ndbargs = \"{}\"\n", file.display())
                })
                .concat(),
        };
        std::fs::write(self.configuration(), text).unwrap();
        for (slot, label) in labels.iter().enumerate() {
            match self.kind {
                Kind::SoftHsm2 => {
                    self.done(
                        Command::new("softhsm2-util")
                            .args(["--init-token", "--free", "--label", label])
                            .args(["--so-pin", SO_PIN, "--pin", PIN]),
                    );
                }
                Kind::Kryoptic => {
                    let slot = slot.to_string();
                    let init = ["--slot", &slot, "--init-token", "--label", label, "--so-pin", SO_PIN];
                    self.done(self.tool().args(init));
                    let pin = ["--slot", &slot, "--init-pin", "--login", "--so-pin", SO_PIN, "--new-pin", PIN];
                    self.done(self.tool().args(pin));
                }
            }
        }
    }

    /// Runs a part of this test in another process. Says what it wrote.
    pub(crate) fn run(&self, part: &str) -> String {
        let exe = std::env::current_exe().unwrap();
        let args = ["--exact", &self.test, "--nocapture", "--test-threads", "1"];
        self.done(Command::new(exe).args(args).env(DIR, &self.dir).env(PART, part))
    }

    /// The part of this test that this process is to do.
    pub(crate) fn part(&self) -> String {
        std::env::var(PART).unwrap()
    }

    /// `pkcs11-tool`, with the token's library.
    fn tool(&self) -> Command {
        let mut tool = Command::new("pkcs11-tool");
        tool.arg("--module").arg(self.kind.module());
        tool
    }

    /// `pkcs11-tool` with the PIN on one of the tokens.
    pub(crate) fn with_pin(&self, label: &str, args: &[&str]) -> String {
        self.done(self.tool().args(["--token-label", label, "--login", "--pin", PIN]).args(args))
    }

    fn done(&self, command: &mut Command) -> String {
        let output = command.env(self.kind.variable(), self.configuration()).output().unwrap();
        let text = [output.stdout, output.stderr].map(|bytes| String::from_utf8_lossy(&bytes).into_owned()).concat();
        assert!(output.status.success(), "{command:?}: {}\n{text}", output.status);
        text
    }

    pub(crate) fn settings(&self, label: &str) -> Settings {
        Settings {
            module: self.kind.module(),
            select: Select::Label(label.to_owned()),
            pin: PIN.to_owned().into(),
            sessions: None,
            guest: false,
        }
    }

    pub(crate) fn open(&self, label: &str) -> Token {
        Token::open(&self.settings(label)).unwrap_or_else(|error| panic!("{label}: {error}"))
    }

    pub(crate) fn hand(&self, label: &str) -> (Token, Hand) {
        let token = self.open(label);
        let hand = token.session().unwrap();
        (token, hand)
    }
}
