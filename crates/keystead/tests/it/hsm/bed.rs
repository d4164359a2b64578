//! Tokens to serve vaults, each in a directory of its own, and nodes inside the test's process that have them.

use crate::inside::{Inside, moment, now};
use keystead_access::PolicyDocument;
use keystead_access::policy::AssignmentDocument;
use keystead_engine::{BUILT_IN, Command, CreateKey, Hsms, NewVault, Refusal, SetAttributes, Sign, Vault};
use keystead_hsm::worker::{Select, Settings};
use keystead_hsm::{Client, Config};
use keystead_identity::{Client as Registered, Principal, Proof, secret_digest};
use keystead_model::{KeyRef, KeySpec, Name, Placement, ProtectionLevel, SignAlgorithm, VaultKind};
use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command as Process;
use std::sync::Arc;

const PIN: &str = "7531-user";
const OFFICER_PIN: &str = "8642-officer";

/// Whose token.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Maker {
    SoftHsm2,
    Kryoptic,
}

impl Maker {
    fn module(self) -> PathBuf {
        let (variable, usual) = match self {
            Self::SoftHsm2 => ("KEYSTEAD_SOFTHSM2", "/usr/lib/softhsm/libsofthsm2.so"),
            Self::Kryoptic => {
                ("KEYSTEAD_KRYOPTIC", concat!(env!("CARGO_MANIFEST_DIR"), "/../../.cache/kryoptic/libkryoptic.so"))
            }
        };
        let named = std::env::var_os(variable).map(PathBuf::from);
        let found = named.into_iter().chain([usual.into()]).find(|path| path.exists());
        found.unwrap_or_else(|| panic!("{self:?} is not here: run `tests/run/install apt kryoptic`, or set {variable}"))
    }

    const fn variable(self) -> &'static str {
        match self {
            Self::SoftHsm2 => "SOFTHSM2_CONF",
            Self::Kryoptic => "KRYOPTIC_CONF",
        }
    }
}

/// One token.
pub(crate) struct Token {
    maker: Maker,
    label: String,
    dir: PathBuf,
}

impl Token {
    /// A new one in this directory, under a label that is also its name for servers.
    pub(crate) fn new(maker: Maker, beside: &Path, label: &str) -> Self {
        let token = Self::configured(maker, beside, label);
        let slot = ["--slot", "0"];
        let made = match maker {
            Maker::SoftHsm2 => vec![token.run(Process::new("softhsm2-util").args([
                "--init-token",
                "--free",
                "--label",
                label,
                "--so-pin",
                OFFICER_PIN,
                "--pin",
                PIN,
            ]))],
            Maker::Kryoptic => vec![
                token.run(token.tool().args(slot).args(["--init-token", "--label", label, "--so-pin", OFFICER_PIN])),
                token.run(token.tool().args(slot).args([
                    "--init-pin",
                    "--login",
                    "--so-pin",
                    OFFICER_PIN,
                    "--new-pin",
                    PIN,
                ])),
            ],
        };
        made.iter().for_each(|(good, text)| assert!(good, "{text}"));
        token
    }

    /// One of SoftHSM2 whose objects are kept in this archive.
    pub(crate) fn kept(beside: &Path, label: &str, archive: &Path) -> Self {
        let token = Self::configured(Maker::SoftHsm2, beside, label);
        let unpacked = Process::new("tar").arg("-xzf").arg(archive).arg("-C").arg(&token.dir).status();
        assert!(unpacked.unwrap().success());
        token
    }

    /// Where there is nothing in it yet.
    fn configured(maker: Maker, beside: &Path, label: &str) -> Self {
        let token = Self { maker, label: label.to_owned(), dir: beside.join(label) };
        fs::create_dir_all(token.objects()).unwrap();
        let text = match maker {
            Maker::SoftHsm2 => format!("directories.tokendir = {}\nlog.level = ERROR\n", token.objects().display()),
            Maker::Kryoptic => {
                let file = token.objects().join("0.sql");
                format!("[[slots]]\nslot = 0\ndbtype = \"sqlite\"\ndbargs = \"{}\"\n", file.display())
            }
        };
        fs::write(token.configuration(), text).unwrap();
        fs::write(token.pin(), PIN).unwrap();
        fs::set_permissions(token.pin(), std::os::unix::fs::PermissionsExt::from_mode(0o600)).unwrap();
        token
    }

    /// Its library.
    pub(crate) fn module(&self) -> PathBuf {
        self.maker.module()
    }

    /// `NAME=VALUE` that its library needs.
    pub(crate) fn environment(&self) -> String {
        format!("{}={}", self.maker.variable(), self.configuration().display())
    }

    fn configuration(&self) -> PathBuf {
        self.dir.join("token.conf")
    }

    /// The file with its PIN.
    pub(crate) fn pin(&self) -> PathBuf {
        self.dir.join("pin")
    }

    /// Where the library keeps the objects.
    pub(crate) fn objects(&self) -> PathBuf {
        self.dir.join("tokens")
    }

    /// Another token of the same library (SoftHSM2).
    pub(super) fn beside(&self, label: &str) {
        let pins = ["--so-pin", OFFICER_PIN, "--pin", PIN];
        let (good, text) =
            self.run(Process::new("softhsm2-util").args(["--init-token", "--free", "--label", label]).args(pins));
        assert!(good, "{text}");
    }

    fn tool(&self) -> Process {
        let mut tool = Process::new("pkcs11-tool");
        tool.arg("--module").arg(self.maker.module());
        tool
    }

    fn run(&self, process: &mut Process) -> (bool, String) {
        let done = process.env(self.maker.variable(), self.configuration()).output();
        let done = done.expect("pkcs11-tool, softhsm2-util: tests/run/install apt");
        let text = [done.stdout, done.stderr].map(|bytes| String::from_utf8_lossy(&bytes).into_owned()).concat();
        (done.status.success(), text)
    }

    /// `pkcs11-tool` with the PIN, which must succeed: what it printed.
    pub(crate) fn with_pin(&self, words: &[&str]) -> String {
        let login = ["--token-label", &self.label, "--login", "--pin", PIN];
        let (good, text) = self.run(self.tool().args(login).args(words));
        assert!(good, "{text}");
        text
    }

    /// The labels of all keys in it, in order.
    pub(crate) fn labels(&self) -> Vec<String> {
        let listed = self.with_pin(&["--list-objects"]);
        let label = |line: &str| line.trim().strip_prefix("label:").map(|label| label.trim().to_owned());
        let mut all: Vec<_> = listed.lines().filter_map(label).collect();
        all.sort();
        all
    }

    /// Its section of a server's configuration.
    pub(crate) fn section(&self, placement: &str) -> String {
        let (name, module) = (&self.label, self.maker.module());
        format!(
            "[[hsm]]\nname = {name:?}\nmodule = {module:?}\nlabel = {name:?}\npin_file = {:?}\n\
             placement = {placement:?}\nenvironment = {{ {} = {:?} }}\n",
            self.pin(),
            self.maker.variable(),
            self.configuration()
        )
    }

    /// Its worker, of the released program, for a node inside the test.
    pub(super) fn client(&self) -> Client {
        let select = Select::Label(self.label.clone());
        let settings = Settings {
            module: self.maker.module(),
            select,
            pin: PIN.to_owned().into(),
            sessions: Some(4),
            guest: false,
        };
        let mut config = Config::new(&self.label, env!("CARGO_BIN_EXE_keystead"), settings);
        config.arguments = vec!["hsm-worker".into()];
        config.env = vec![(self.maker.variable().into(), self.configuration().into())];
        Client::new(config)
    }
}

/// A file with these tokens, for `keystead dev --hsm`.
pub(super) fn hsm_file(at: &Path, tokens: &[&Token], placement: &str) -> String {
    let text: String = tokens.iter().map(|token| token.section(placement)).collect();
    fs::write(at, text).unwrap();
    at.to_str().unwrap().to_owned()
}

const CLIENT: &str = "11111111-1111-4111-8111-111111111111";
const SECRET: &str = "officer-secret-9b1f";

/// A node inside the test with these tokens.
pub(super) async fn node(at: &Path, clients: &[Client], placement: Placement) -> Inside {
    let hsms = Hsms::new(clients.iter().map(|client| (client.clone(), placement)));
    Inside::open_with(&at.join("data"), &at.join("path.key"), hsms).await
}

/// A new vault, software and HSM keys in it.
pub(super) async fn vault(node: &Inside, name: &str, tokens: &[&str]) -> Arc<Vault> {
    let officer = Principal::new(BUILT_IN, "officer");
    let role = AssignmentDocument {
        id: [1; 16],
        scope: "/".to_owned(),
        principal: officer.clone().into(),
        role: "Key Vault Crypto Officer".to_owned(),
    };
    let client = Registered {
        id: CLIENT.to_owned(),
        name: "officer".to_owned(),
        subject: "officer".to_owned(),
        secrets: vec![secret_digest(SECRET)],
        ..Registered::default()
    };
    let new = NewVault {
        name: name.to_owned(),
        kind: VaultKind::Vault,
        authorities: vec![format!("{name}.localhost:8443").parse().unwrap()],
        retention_days: 7,
        purge_protection: false,
        tenant: "adfs".to_owned(),
        tokens: tokens.iter().map(|token| (*token).to_owned()).collect(),
        quorum: false,
        policy: PolicyDocument {
            administrators: vec![officer],
            assignments: vec![role],
            clients: vec![client],
            ..PolicyDocument::default()
        },
    };
    node.instance.create(new, moment(now())).await.unwrap();
    node.instance.named(name).unwrap()
}

/// As the officer of the vault.
pub(super) async fn run<C: Command>(vault: &Arc<Vault>, ask: C) -> Result<C::Output, Refusal> {
    let proof = Proof::ClientSecret { client: CLIENT, secret: SECRET };
    let caller = vault.authenticate(proof, Some([127, 0, 0, 1].into()), now()).unwrap();
    vault.run(caller, ask, moment(now())).await.unwrap().into_parts().1
}

pub(super) fn name(text: &str) -> Name {
    Name::parse(text).unwrap()
}

pub(super) async fn create(vault: &Arc<Vault>, key: &str, spec: KeySpec) {
    let ask = CreateKey {
        name: name(key),
        spec,
        exponent: Default::default(),
        level: ProtectionLevel::Hsm,
        ops: None,
        attributes: SetAttributes::default(),
        tags: BTreeMap::new(),
        release: None,
    };
    run(vault, ask).await.unwrap();
}

pub(super) async fn sign(vault: &Arc<Vault>, key: &str) -> Result<(), Refusal> {
    let key = KeyRef { name: name(key), version: None };
    run(vault, Sign { key, algorithm: SignAlgorithm::Es256, digest: vec![7; 32] }).await.map(drop)
}
