//! A customer with four custodians, whose keys OpenSSL made, and a server that offers a transfer key and asks.

use crate::support::Place;
use keystead_crypto::ed25519::SigningKey;
use keystead_crypto::rsa::PrivateKey;
use keystead_custody::activation::{ActivationRecord, NodeIdentity};
use keystead_custody::challenge::{Challenge, Purpose, SignedChallenge, SingleUseKey};
use keystead_custody::offer::TransferOffer;
use keystead_custody::{Certificate, DomainPublic};
use keystead_formats::security_domain::SecurityDomain;
use keystead_model::{NodeId, Time, VaultId, VaultKind};
use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::time::{SystemTime, UNIX_EPOCH};

pub(super) const NODE_SEED: u8 = 7;
const POLICY: &str = r#"
[[administrators]]
issuer = "built-in"
subject = "6f1c2f0e-5d0b-4f0e-9a53-0d7c3f9b2a11"
"#;

pub(super) struct Bed {
    place: Place,
}

impl Bed {
    pub(super) fn new() -> Self {
        let bed = Self { place: Place::new() };
        bed.custodian("alice", &["genpkey", "-algorithm", "RSA", "-out", "alice.key.pem"]);
        bed.custodian("bob", &["genrsa", "-traditional", "-out", "bob.key.pem", "3072"]);
        bed.custodian("dave", &["genpkey", "-algorithm", "RSA", "-out", "dave.key.pem"]);
        bed.custodian("transfer", &["genpkey", "-algorithm", "RSA", "-out", "transfer.key.pem"]);
        bed.custodian("ec", &["ecparam", "-name", "prime256v1", "-genkey", "-noout", "-out", "ec.key.pem"]);
        bed.certificate("alice.key.pem", "alice-again.pem", "alice");
        // Carol's is encrypted after her certificate was made of it.
        bed.custodian("carol", &["genpkey", "-algorithm", "RSA", "-out", "plain.pem"]);
        bed.openssl(&[
            "pkcs8",
            "-topk8",
            "-in",
            "plain.pem",
            "-passout",
            "pass:correct horse",
            "-out",
            "carol.key.pem",
        ]);
        bed.write("passphrase", b"correct horse\n");
        bed.write("policy.toml", POLICY.as_bytes());
        let offer = TransferOffer {
            vault: VaultId::from_bytes([1; 16]),
            name: "payments".to_owned(),
            kind: VaultKind::Hsm,
            authorities: vec!["payments.example".parse().unwrap()],
            tenant: "adfs".to_owned(),
            retention_days: 90,
            transfer_key: bed.parsed("transfer"),
            node: bed.node(),
            replacement: None,
        };
        bed.write("offer.json", &offer.sign(&bed.node_key()));
        bed
    }

    pub(super) fn at(&self, name: &str) -> PathBuf {
        self.place.beside(name)
    }

    pub(super) fn read(&self, name: &str) -> Vec<u8> {
        fs::read(self.at(name)).unwrap()
    }

    /// For its owner alone, as keys must be.
    pub(super) fn write(&self, name: &str, bytes: &[u8]) {
        fs::write(self.at(name), bytes).unwrap();
        fs::set_permissions(self.at(name), fs::Permissions::from_mode(0o600)).unwrap();
    }

    pub(super) fn command(&self, args: &[&str]) -> Command {
        self.place.command(args)
    }

    pub(super) fn run(&self, args: &[&str]) -> Output {
        self.command(args).output().unwrap()
    }

    pub(super) fn as_custodian(&self, name: &str, args: &[&str]) -> Output {
        let key = format!("{name}.key.pem");
        self.run(&[&["custodian"], args, &["--key", &key, "--passphrase-file", "passphrase"]].concat())
    }

    /// `domain new`, whatever comes of it.
    pub(super) fn make(&self, out: &str, custodians: &[&str], quorum: &str, more: &[&str]) -> Output {
        let node = self.node().words();
        let custodians = custodians.iter().flat_map(|file| ["--custodian", file]);
        let fixed = ["domain", "new", "--transfer-key", "offer.json", "--policy", "policy.toml", "--node", &node];
        let args: Vec<&str> = fixed.into_iter().chain(custodians).chain(["--quorum", quorum, "--out", out]).collect();
        self.run(&[&args, more].concat())
    }

    /// The same by one who has compared no words, or these.
    pub(super) fn make_with(&self, out: &str, node: &[&str]) -> Output {
        let fixed = ["domain", "new", "--transfer-key", "offer.json", "--policy", "policy.toml", "--quorum", "2"];
        let custodians = ["--custodian", "alice.pem", "--custodian", "bob.pem", "--custodian", "carol.pem"];
        self.run(&[&fixed[..], &custodians, &["--out", out], node].concat())
    }

    /// A domain of alice, bob and carol, of whom two open it; what was printed.
    pub(super) fn new_domain(&self, out: &str, more: &[&str]) -> String {
        super::text(&self.make(out, &["alice.pem", "bob.pem", "carol.pem"], "2", more))
    }

    pub(super) fn record(&self, directory: &str) -> ActivationRecord {
        ActivationRecord::parse(&self.read(&format!("{directory}/activation.json"))).unwrap()
    }

    pub(super) fn security_domain(&self, directory: &str) -> SecurityDomain {
        SecurityDomain::parse(&self.read(&format!("{directory}/security-domain.json"))).unwrap()
    }

    pub(super) fn transfer_key(&self) -> PrivateKey {
        self.openssl(&["pkcs8", "-topk8", "-nocrypt", "-in", "transfer.key.pem", "-outform", "DER", "-out", "t.der"]);
        PrivateKey::from_pkcs8(&self.read("t.der")).unwrap()
    }

    pub(super) fn node_key(&self) -> SigningKey {
        SigningKey::from_seed(&[NODE_SEED; 32])
    }

    pub(super) fn node(&self) -> NodeIdentity {
        NodeIdentity { id: NodeId::from_bytes([7; 16]), key: self.node_key().public() }
    }

    pub(super) fn now(&self) -> Time {
        let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
        Time(i64::try_from(since.as_millis()).unwrap())
    }

    /// A challenge of the server's node, in a file and as it is.
    pub(super) fn ask(&self, key: &SingleUseKey, domain: DomainPublic, seconds: i64) -> (String, SignedChallenge) {
        self.ask_as(&self.node_key(), self.node(), key, domain, seconds)
    }

    pub(super) fn ask_as(
        &self,
        signing: &SigningKey,
        node: NodeIdentity,
        key: &SingleUseKey,
        domain: DomainPublic,
        seconds: i64,
    ) -> (String, SignedChallenge) {
        let expires = self.now().plus_millis(seconds * 1000);
        let vault = VaultId::from_bytes([1; 16]);
        let (single_use, purpose) = (key.public(), Purpose::Unseal);
        let asked = Challenge { vault, domain, single_use, node, expires, purpose }.sign(signing);
        let name = format!("challenge-{}.txt", hex::encode(keystead_crypto::random::<4>()));
        self.write(&name, asked.to_text().as_bytes());
        (name, asked)
    }

    /// The content of every file under this place.
    pub(super) fn everything_written(&self) -> Vec<Vec<u8>> {
        fn all(directory: &Path, into: &mut Vec<Vec<u8>>) {
            for entry in fs::read_dir(directory).unwrap() {
                let path = entry.unwrap().path();
                if path.is_dir() { all(&path, into) } else { into.push(fs::read(&path).unwrap()) }
            }
        }
        let mut written = Vec::new();
        all(&self.at("."), &mut written);
        written
    }

    fn parsed(&self, name: &str) -> Certificate {
        self.openssl(&["x509", "-in", &format!("{name}.pem"), "-outform", "DER", "-out", "c.der"]);
        Certificate::parse(&self.read("c.der")).unwrap()
    }

    fn custodian(&self, name: &str, key: &[&str]) {
        self.openssl(key);
        self.certificate(key.iter().find(|word| word.ends_with(".pem")).unwrap(), &format!("{name}.pem"), name);
    }

    fn certificate(&self, key: &str, out: &str, name: &str) {
        self.openssl(&["req", "-x509", "-key", key, "-subj", &format!("/CN={name}"), "-days", "30", "-out", out]);
    }

    pub(super) fn openssl(&self, args: &[&str]) {
        let done = self.place.program("openssl").args(args).output().unwrap();
        assert!(done.status.success(), "{args:?}: {}", String::from_utf8_lossy(&done.stderr));
    }
}
