//! Approvals by the command line: proposed, read, signed by a key of each kind, here and on a machine without a server.

mod cards;

use super::{code, text};
use crate::support::Place;
use serde_json::Value;
use std::fs;
use std::path::PathBuf;
use std::process::{Command, Output};

/// Approvers' keys, as OpenSSL makes them.
struct People<'a> {
    place: &'a Place,
}

impl People<'_> {
    fn openssl(&self, args: &[&str]) {
        let done = Command::new("openssl").current_dir(self.directory()).args(args).output().unwrap();
        assert!(done.status.success(), "{args:?}: {}", String::from_utf8_lossy(&done.stderr));
    }

    fn directory(&self) -> PathBuf {
        self.place.beside("people")
    }

    fn file(&self, name: &str) -> String {
        self.directory().join(name).to_str().unwrap().to_owned()
    }

    /// Alice has an Ed25519 key, Bob an encrypted one of P-256, Carol one of P-256 that only OpenSSL uses.
    fn make(&self) {
        fs::create_dir(self.directory()).unwrap();
        self.openssl(&["genpkey", "-algorithm", "ed25519", "-out", "alice.pem"]);
        let p256 = ["genpkey", "-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-256"];
        fs::write(self.file("word"), "correct horse\n").unwrap();
        self.openssl(&[&p256[..], &["-aes256", "-pass", "file:word", "-out", "bob.pem"]].concat());
        self.openssl(&[&p256[..], &["-out", "carol.pem"]].concat());
        let mut rules = String::new();
        for name in ["alice", "bob", "carol"] {
            let (key, public) = (format!("{name}.pem"), format!("{name}.pub.pem"));
            self.openssl(&["pkey", "-in", &key, "-passin", "file:word", "-pubout", "-out", &public]);
            let pem = fs::read_to_string(self.file(&public)).unwrap();
            rules.push_str(&format!("[[approvers]]\nname = \"{name}\"\nkey = \"\"\"\n{pem}\"\"\"\n\n"));
        }
        rules.push_str("[approvals]\npurge = 2\n");
        fs::write(self.file("rules.toml"), rules).unwrap();
        for secret in ["alice.pem", "bob.pem", "word"] {
            use std::os::unix::fs::PermissionsExt as _;
            fs::set_permissions(self.file(secret), fs::Permissions::from_mode(0o600)).unwrap();
        }
    }
}

fn said(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

/// The id of a proposal that was just made.
fn proposed(output: &Output) -> String {
    let said = text(output);
    let id = said
        .split_whitespace()
        .map(|word| word.trim_end_matches(':'))
        .find(|word| word.len() == 32 && word.bytes().all(|b| b.is_ascii_hexdigit()));
    id.unwrap_or_else(|| panic!("{said}")).to_owned()
}

#[test]
fn a_key_is_purged_once_two_approvers_have_signed_and_not_before() {
    let place = Place::new();
    let server = place.dev();
    let people = People { place: &place };
    people.make();
    let cli = |args: &[&str]| place.cli(args);
    assert!(text(&cli(&["approval", "rules", "--set", &people.file("rules.toml")])).contains("purge: 2 approvals"));
    text(&cli(&["key", "create", "payments", "--kty", "EC"]));
    server.vault().sign("payments", &[7; 32]).unwrap().ok();
    text(&cli(&["key", "delete", "payments"]));

    let purge = ["key", "purge", "payments", "--yes"];
    let refused = cli(&purge);
    assert!(code(&refused) == Some(3) && said(&refused).contains("ApprovalRequired"), "{refused:?}");
    assert!(said(&refused).contains("--propose REASON"), "and says how");
    let id = proposed(&cli(&[&purge[..], &["--propose", "replaced by payments-2"]].concat()));

    // What is shown is what is signed.
    let signed = text(&cli(&["approval", "show", &id, "--text", "approve"]));
    for line in [
        "keystead approval 2",
        "verdict: approve",
        "rules: purge",
        "operation: keys/purge",
        "reason: replaced by payments-2",
    ] {
        assert!(signed.lines().any(|l| l == line), "{signed}");
    }
    let exported = people.file("proposal.json");
    let shown = text(&cli(&["approval", "show", &id, "--out", &exported]));
    assert!(shown.contains(&signed) && shown.contains("2 of 3 approvers") && shown.contains("pending"), "{shown}");
    assert!(shown.contains("keys/sign at 20"), "when the key was last used: {shown}");

    // Alice signs here, Bob where there is no server.
    let alice = ["approval", "approve", &id, "--key", &people.file("alice.pem"), "--yes"];
    assert!(text(&cli(&alice)).contains("1 of 2 approvals; the proposal is pending"));
    assert_eq!(code(&cli(&alice)), Some(2), "one vote each");
    assert_eq!(code(&cli(&purge)), Some(3));
    let (vote, word) = (people.file("bob.vote.json"), people.file("word"));
    let bob = people.file("bob.pem");
    let sign =
        ["approval", "sign", "--file", &exported, "--key", &bob, "--passphrase-file", &word, "--yes", "--out", &vote];
    text(&cli(&sign));
    assert!(text(&cli(&["approval", "submit", &id, &vote])).contains("2 of 2 approvals; the proposal is approved"));

    // Over a kill, and once.
    server.kill();
    let server = place.dev();
    assert!(text(&cli(&purge)).contains("purged payments"));
    assert_ne!(code(&cli(&purge)), Some(0));
    let listed: Value = serde_json::from_str(&text(&cli(&["approval", "list", "--output", "json"]))).unwrap();
    assert_eq!(listed["value"][0]["state"], "executed");
    let records = text(&cli(&["audit", "tail", "-n", "50", "--output", "json"]));
    assert!(records.contains(&format!("proposal {id}, approved by alice, bob")), "{records}");

    // The signatures hold for whoever has the public keys, and nothing else.
    let whole = people.file("executed.json");
    text(&cli(&["approval", "show", &id, "--out", &whole]));
    let keys = ["--approver", &people.file("alice.pub.pem"), "--approver", &people.file("bob.pub.pem")];
    let verify = |file: &str, keys: &[&str]| cli(&[&["approval", "verify", "--file", file][..], keys].concat());
    assert!(server.stop().success());
    assert!(text(&verify(&whole, &keys)).contains("2 of 2 approvals hold"));
    assert_eq!(code(&verify(&exported, &keys)), Some(1), "before there were votes");
    assert_eq!(code(&verify(&whole, &["--approver", &people.file("carol.pub.pem")])), Some(1), "of another");
    let altered = people.file("altered.json");
    fs::write(&altered, fs::read_to_string(&whole).unwrap().replace("/keys/payments", "/keys/other")).unwrap();
    assert_eq!(code(&verify(&altered, &keys)), Some(1));
}

#[test]
fn a_signature_that_another_tool_made_rejects() {
    let place = Place::new();
    let _server = place.dev();
    let people = People { place: &place };
    people.make();
    let cli = |args: &[&str]| place.cli(args);
    text(&cli(&["approval", "rules", "--set", &people.file("rules.toml")]));
    let fewer = people.file("fewer.toml");
    fs::write(&fewer, "").unwrap();
    assert_eq!(code(&cli(&["approval", "rules", "--set", &fewer])), Some(3), "nobody abolishes the rules alone");
    let id = proposed(&cli(&["approval", "rules", "--set", &fewer, "--propose", "we trust each other"]));
    fs::write(people.file("text"), text(&cli(&["approval", "show", &id, "--text", "reject"]))).unwrap();
    people.openssl(&["dgst", "-sha256", "-sign", "carol.pem", "-out", "carol.sig", "text"]);
    let (signature, public) = (people.file("carol.sig"), people.file("carol.pub.pem"));
    let submit = ["approval", "submit", &id, &signature, "--public", &public, "--verdict"];
    assert_eq!(code(&cli(&[&submit[..], &["approve"]].concat())), Some(2), "it was not what she signed");
    let taken = text(&cli(&[&submit[..], &["reject"]].concat()));
    assert!(taken.contains("reject taken; 0 of 2 approvals; the proposal is pending"), "{taken}");
    let reject = ["approval", "reject", &id, "--key", &people.file("alice.pem"), "--yes"];
    assert!(text(&cli(&reject)).contains("the proposal is rejected"));
    let shown = text(&cli(&["approval", "list"]));
    assert!(shown.contains("rejected") && shown.contains("policy/approvals/write"), "{shown}");
    assert!(text(&cli(&["policy", "show"])).contains("purge: 2 approvals"), "they stand");
}
