//! Every command of the binary that could open something, run by somebody who has all of the server's disk, its backup,
//! the customer's files and one custodian less than the quorum: each fails, and names what is missing.

use super::super::quorum::{SIGN, good, offer};
use super::super::{Site, private, said, stop};
use super::{Before, site};
use serde_json::Value;
use std::fs;
use std::process::{Command, Output};

/// What is run, its exit code, and what it must say. `{backup}` is the file, `{folder}` its name at the server,
/// `{node}` the words of the server.
const OPENING: &[(&str, i32, &str)] = &[
    ("unseal pay --answer alice.answer", 1, "given twice: another custodian is needed"),
    // It opens nothing, and nothing is amiss with a vault that waits for its custodians.
    ("doctor", 0, "missing: 1"),
    ("vault unseal pay", 3, "its custodians open it: `keystead unseal pay`"),
    ("vault activate pay --domain domain", 3, "needs it to be inactive"),
    ("vault activate other --domain domain", 2, "the vault id in the activation record is not the vault's"),
    ("vault enrol pay --token one", 4, "needs it to be open"),
    ("vault offer pay", 3, "needs it to be inactive"),
    ("vault offer pay --replace", 4, "needs it to be open"),
    ("vault rotate-root pay", 4, "there: of custodian 1; missing: 1"),
    ("vault replace-custodians pay --domain domain", 4, "needs it to be open"),
    ("vault replace-custodians pay --answer alice.answer", 4, "needs it to be open"),
    ("vault appoint pay --principal built-in s", 4, "needs it to be open"),
    ("vault appoint pay --answer alice.answer", 4, "needs it to be open"),
    ("vault erase pay --confirm pay", 4, "needs it to be open"),
    ("path add pay file", 4, "needs it to be open"),
    ("path prove pay file", 4, "needs it to be open"),
    ("path remove pay file", 4, "needs it to be open"),
    ("path test pay file", 1, "no wrap of the unseal path 'file'"),
    ("rehearse --domain domain --key alice.key.pem --backup {backup} --scratch none", 3, "1 more custodian is needed"),
    (
        "domain recover --domain domain --key alice.key.pem --transfer-key offer --node {node} \
         --policy policy.toml --out none",
        3,
        "1 more custodian is needed",
    ),
    (
        "domain recover --domain domain --key alice.key.pem --key stranger.key.pem --transfer-key offer --node {node} \
         --policy policy.toml --out none",
        3,
        "stranger.key.pem: the key is of nobody",
    ),
    (
        "domain recover --domain domain --key alice.key.pem --key alice.key.pem --transfer-key offer --node {node} \
         --policy policy.toml --out none",
        3,
        "given twice: another custodian is needed",
    ),
    (
        "rehearse --domain domain --key alice.key.pem --key alice.key.pem --backup {backup} --scratch none",
        3,
        "given twice: another custodian is needed",
    ),
    (
        "rehearse --domain domain --key alice.key.pem --key stranger.key.pem --backup {backup} --scratch none",
        3,
        "stranger.key.pem: the key is of nobody",
    ),
    (
        "rehearse --domain domain --key alice.key.pem --key bob.pem --backup {backup} --scratch none",
        2,
        "bob.pem has no private key",
    ),
    ("custodian answer --challenge challenge --domain domain --key stranger.key.pem", 3, "the key is of nobody"),
    ("custodian answer --challenge challenge --domain domain --key bob.pem", 2, "bob.pem has no private key"),
    ("custodian answer --challenge alice.answer --domain domain --key alice.key.pem", 2, "challenge"),
    ("custodian confirm --record domain --domain domain --key stranger.key.pem", 3, "the key is of nobody"),
    ("key list", 4, "The vault is sealed"),
    ("key sign sign --in policy.toml", 4, "The vault is sealed"),
    ("key backup sign --out none", 4, "The vault is sealed"),
    ("key create another --kty EC", 4, "The vault is sealed"),
    ("backup start", 4, "The vault is sealed"),
    ("backup verify {folder}", 4, "The vault is sealed"),
    ("backup inventory --out none", 4, "The vault is sealed"),
    ("backup list", 4, "The vault is sealed"),
    ("restore start {folder}", 4, "The vault is sealed"),
    ("restore key sign {folder}", 4, "The vault is sealed"),
    ("restore show 0123456789abcdef0123456789abcdef", 4, "The vault is sealed"),
    ("audit tail", 4, "The vault is sealed"),
    ("policy show", 4, "The vault is sealed"),
    ("clock show", 4, "The vault is sealed"),
    ("role assignments", 4, "The vault is sealed"),
    ("approval list", 4, "The vault is sealed"),
    ("issuer list", 4, "The vault is sealed"),
    ("client list", 4, "The vault is sealed"),
    ("certificate list", 4, "The vault is sealed"),
];

/// Of each group the commands that open nothing: they make what is new, show what stands in the clear, or close.
/// `serve` is what the others ask here.
const OTHERS: &[(&str, &str)] = &[
    ("", "dev serve byok hsm completions help"),
    ("vault", "create confirm list show seal help"),
    ("path", "list help"),
    ("domain", "new show help"),
    ("custodian", "help"),
    ("backup", "show help"),
    ("restore", "help"),
];

/// The names that a group's help lists.
fn listed(help: &str) -> impl Iterator<Item = &str> {
    let of = help.lines().skip_while(|line| *line != "Commands:").skip(1).take_while(|line| !line.is_empty());
    of.filter_map(|line| line.strip_prefix("  ").filter(|rest| !rest.starts_with(' '))?.split(' ').next())
}

/// Who has the disk of `before`, at the address that its vault answers at.
struct Thief<'a> {
    copy: Site,
    before: &'a Before,
    node: String,
}

impl Thief<'_> {
    fn run(&self, line: &str) -> Output {
        let of = &self.before.customer;
        let known = [("{backup}", &*self.before.backup()), ("{folder}", &*self.before.folder), ("{node}", &*self.node)];
        let word = |word: &str| known.iter().fold(word.to_owned(), |word, (name, value)| word.replace(name, value));
        let words: Vec<String> = line.split_whitespace().map(word).collect();
        let mut command = of.site.place.command(&words.iter().map(String::as_str).collect::<Vec<_>>());
        command.env("KEYSTEAD_OPERATOR_SOCKET", self.copy.place.data.join("operator.sock"));
        command.env("KEYSTEAD_VAULT_URL", format!("https://localhost:{}", self.copy.place.port));
        command.env("KEYSTEAD_CA_FILE", self.copy.place.beside("chain.pem"));
        let client = |member: &str| of.client["client"][member].as_str().unwrap().to_owned();
        command.env("AZURE_CLIENT_ID", client("id")).env("AZURE_CLIENT_SECRET", client("secret")).output().unwrap()
    }
}

#[test]
fn no_command_opens_anything_with_one_custodian_less_than_the_quorum_and_each_names_what_is_missing() {
    let mut before = Before::new();
    drop(before.running.take());
    let mut copy = site("");
    copy.place.port = before.customer.site.place.port;
    let backups = copy.place.beside("backups");
    private(&copy.config, &format!("{}\n[backup]\ndirectory = {backups:?}\n", copy.text()));
    let copied = [
        (&before.customer.site.place.data, &copy.place.data),
        (&before.customer.site.place.beside("backups"), &backups),
    ];
    for (from, to) in copied {
        assert!(Command::new("cp").arg("-a").args([from, to]).status().unwrap().success());
    }
    let running = copy.start();
    let customer = &before.customer;
    let node = other(&copy, &customer.file("offer"));
    let thief = Thief { copy, before: &before, node };
    let stranger = customer.file("stranger.key.pem");
    let made = Command::new("openssl").args(["genpkey", "-algorithm", "RSA", "-out", &stranger]).output().unwrap();
    assert!(made.status.success());
    // Files of keys are their owner's alone, or they are not looked at.
    for file in [&stranger, &customer.file("bob.pem")] {
        private(file.as_ref(), &fs::read_to_string(file).unwrap());
    }
    good(thief.run("unseal pay --out challenge"));
    let answer = |name: &str| {
        let files = format!("--key {name}.key.pem --out {name}.answer");
        good(thief.run(&format!("custodian answer --challenge challenge --domain domain {files}")));
        thief.run(&format!("unseal pay --answer {name}.answer"))
    };
    assert!(good(answer("alice")).contains("missing: 1"));

    for (line, code, part) in OPENING {
        let done = thief.run(line);
        let told = format!("{}{}", String::from_utf8_lossy(&done.stdout), said(&done));
        assert!(done.status.code() == Some(*code) && told.contains(part), "{line}: {:?}: {told}", done.status);
        assert!(!customer.site.place.beside("none").exists(), "{line} leaves something");
        let shown: Value = serde_json::from_str(&good(thief.run("vault show pay --output json"))).unwrap();
        assert_eq!(shown["status"], "sealed", "{line}");
    }
    // No command is left out.
    for (group, others) in OTHERS {
        let help = good(thief.run(&format!("{group} --help")));
        for name in listed(&help) {
            let line = format!("{group} {name}");
            let tried =
                OPENING.iter().any(|(opening, ..)| format!("{opening} ").starts_with(&format!("{} ", line.trim())));
            assert!(tried || others.split(' ').any(|other| other == name), "{line} is neither tried nor harmless");
        }
    }
    // With one custodian more it opens.
    assert_eq!(good(answer("bob")).trim(), "pay is open");
    let signed = thief.copy.call("pay", &before.token, "POST", "/keys/sign/sign", SIGN);
    assert_eq!(signed.status, 200, "{signed:?}");
    stop(running);
}

/// Another vault that waits, with its offer in this file; the words of the node.
fn other(copy: &Site, file: &str) -> String {
    let authority = format!("other.localhost:{}", copy.place.port);
    good(copy.vault(&["create", "other", "--custody", "quorum", "--authority", &authority, "--retention", "7"]));
    offer(copy, &["other", "--out", file])
}
