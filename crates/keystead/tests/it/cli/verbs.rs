//! Each verb of `keystead key`, as a table and as JSON, from a file and from standard input.

use super::{code, text};
use crate::support::{Place, unb64};
use aws_lc_rs::signature::{ECDSA_P256_SHA256_FIXED, UnparsedPublicKey};
use serde_json::Value;
use std::collections::BTreeSet;
use std::fs;

const MESSAGE: &[u8] = b"thirty-two bytes of key material";

/// What a command is given to read.
enum Input {
    Nothing,
    Message,
    /// What the row before gave.
    Before,
}

/// What it gives.
enum Gives {
    /// These words for people; for programs a member that holds a text.
    Shown(&'static [&'static str], &'static str, &'static str),
    /// An ES256 signature of the message.
    Signature,
    /// A file that the next row opens.
    Sealed,
    /// The message again.
    Message,
}

use Gives::{Sealed, Shown, Signature};
use Input::{Before, Nothing};

/// One life of three keys. `%` becomes something else in each way, so that no name comes twice.
const ROWS: &[(&str, Input, Gives)] = &[
    ("create ec-% --kty EC --tag stage=live", Nothing, Shown(&["EC P-256", "stage=live"], "/tags/stage", "live")),
    ("create oct-% --kty oct", Nothing, Shown(&["oct 256", "encrypt"], "/key/kid", "/keys/oct-%/")),
    ("create rsa-% --kty RSA --ops wrapKey,unwrapKey", Nothing, Shown(&["RSA 2048"], "/key/kty", "RSA")),
    ("list", Nothing, Shown(&["NAME", "ENABLED", "ec-%", "oct-%", "rsa-%"], "/value", "/keys/oct-%")),
    ("show ec-%", Nothing, Shown(&["kid", "7 days", "stage=live"], "/key/crv", "P-256")),
    ("sign ec-%", Input::Message, Signature),
    ("encrypt oct-%", Input::Message, Sealed),
    ("decrypt oct-%", Before, Gives::Message),
    ("wrap rsa-%", Input::Message, Sealed),
    ("unwrap rsa-%", Before, Gives::Message),
    ("delete ec-%", Nothing, Shown(&["deleted", "purged", "20"], "/recoveryId", "/deletedkeys/ec-%")),
    ("list --deleted", Nothing, Shown(&["NAME", "PURGED", "ec-%"], "/value", "/deletedkeys/ec-%")),
    ("recover ec-%", Nothing, Shown(&["EC P-256", "stage=live"], "/key/kid", "/keys/ec-%/")),
    ("delete ec-%", Nothing, Shown(&["deleted"], "/recoveryId", "/deletedkeys/ec-%")),
    ("purge ec-% --yes", Nothing, Shown(&["purged ec-%"], "/purged", "ec-%")),
];

const VERBS: &[&str] =
    &["create", "list", "show", "sign", "encrypt", "decrypt", "wrap", "unwrap", "delete", "recover", "purge"];

/// How the commands are run.
struct Way<'a> {
    place: &'a Place,
    number: usize,
    json: bool,
    /// From a file and into one, or through standard input and output.
    files: bool,
}

#[test]
fn each_verb_gives_a_table_and_json_and_takes_files_and_standard_input() {
    let place = Place::new();
    let _server = place.dev();
    let verbs: BTreeSet<&str> = ROWS.iter().map(|(words, ..)| words.split(' ').next().unwrap()).collect();
    assert_eq!(verbs, VERBS.iter().copied().collect());
    for (number, (json, files)) in [(false, false), (false, true), (true, false), (true, true)].into_iter().enumerate()
    {
        let way = Way { place: &place, number, json, files };
        let mut before = Vec::new();
        for (words, input, gives) in ROWS {
            let given = match input {
                Nothing => None,
                Input::Message => Some(MESSAGE),
                Before => Some(before.as_slice()),
            };
            let result = way.run(words, given);
            way.check(words, gives, &result);
            before = result;
        }
    }
}

impl Way<'_> {
    fn name(&self, text: &str) -> String {
        text.replace('%', &self.number.to_string())
    }

    /// What the command gave.
    fn run(&self, words: &str, input: Option<&[u8]>) -> Vec<u8> {
        let words = self.name(words);
        let mut args: Vec<&str> = ["key"].into_iter().chain(words.split(' ')).collect();
        if self.json {
            args.extend(["--output", "json"]);
        }
        let (from, to) = (self.place.beside("from"), self.place.beside("to"));
        let Some(input) = input else { return text(&self.place.cli(&args)).into_bytes() };
        if !self.files {
            let done = self.place.cli_reading(&args, input);
            assert!(done.status.success(), "{words}: {}", String::from_utf8_lossy(&done.stderr));
            return done.stdout;
        }
        fs::write(&from, input).unwrap();
        args.extend(["--in", from.to_str().unwrap(), "--out", to.to_str().unwrap()]);
        assert_eq!(text(&self.place.cli(&args)), "", "{words}: all of it goes into the file");
        fs::read(to).unwrap()
    }

    fn check(&self, words: &str, gives: &Gives, result: &[u8]) {
        let text = String::from_utf8_lossy(result);
        let json = || -> Value {
            let json: Value = serde_json::from_slice(result).unwrap_or_else(|e| panic!("{words}: {e}: {text}"));
            let receipts = json["receipts"].as_array();
            let receipt = receipts.and_then(|all| all.first()).unwrap_or(&json["receipt"]);
            assert!(receipt.as_str().is_some_and(|r| r.starts_with("1.")), "{words}: no receipt in {text}");
            json
        };
        match gives {
            Shown(_, member, part) if self.json => {
                let found = json().pointer(member).unwrap_or_else(|| panic!("{words}: {text}")).to_string();
                assert!(found.contains(&self.name(part)), "{words}: {part} is not in {found}");
            }
            Shown(parts, ..) => {
                assert!(parts.iter().all(|part| text.contains(&self.name(part))), "{words}: {parts:?}: {text}");
                assert!(serde_json::from_str::<Value>(&text).is_err(), "{words}: this is no table: {text}");
            }
            Signature if self.json => self.verify(&json(), json()["signature"].as_str().unwrap()),
            Signature => self.verify(&Value::Null, text.trim_end()),
            // What is sealed is JSON in any case; with its receipt where JSON is asked for.
            Sealed => {
                let file: Value = serde_json::from_slice(result).unwrap();
                assert!(["kid", "alg", "value"].iter().all(|member| file[member].is_string()), "{words}: {text}");
                assert!(!self.json || json()["value"].is_string());
            }
            Gives::Message if self.json => assert_eq!(unb64(json()["value"].as_str().unwrap()), MESSAGE, "{words}"),
            Gives::Message => assert_eq!(result, MESSAGE, "{words}"),
        }
    }

    /// That a signature is of the message, with the key that is shown.
    fn verify(&self, said: &Value, signature: &str) {
        let shown = text(&self.place.cli(&["key", "show", &self.name("ec-%"), "--output", "json"]));
        let shown: Value = serde_json::from_str(&shown).unwrap();
        let key = &shown["key"];
        assert!(said.is_null() || (&said["kid"], &said["alg"]) == (&key["kid"], &"ES256".into()), "{said}");
        let number = |name: &str| unb64(key[name].as_str().unwrap());
        let public = [vec![4], number("x"), number("y")].concat();
        UnparsedPublicKey::new(&ECDSA_P256_SHA256_FIXED, public).verify(MESSAGE, &unb64(signature)).unwrap();
    }
}

#[test]
fn a_purge_that_nobody_confirmed_is_not_done() {
    let place = Place::new();
    let _server = place.dev();
    text(&place.cli(&["key", "create", "k", "--kty", "EC"]));
    text(&place.cli(&["key", "delete", "k"]));
    // Words in a pipe are nobody's confirmation.
    assert_eq!(code(&place.cli_reading(&["key", "purge", "k"], b"k\n")), Some(2));
    text(&place.cli(&["key", "recover", "k"]));
}

#[test]
fn what_cannot_be_read_or_opened_is_said_and_nothing_is_written() {
    let place = Place::new();
    let _server = place.dev();
    text(&place.cli(&["key", "create", "aes", "--kty", "oct"]));
    let sealed = place.cli_reading(&["key", "encrypt", "aes"], MESSAGE);
    let mut file: Value = serde_json::from_str(&text(&sealed)).unwrap();
    file["tag"] = "AAAAAAAAAAAAAAAAAAAAAA".into();
    for input in [b"".as_slice(), b"no JSON", file.to_string().as_bytes()] {
        let refused = place.cli_reading(&["key", "decrypt"], input);
        assert!(code(&refused) == Some(2) && refused.stdout.is_empty(), "{refused:?}");
    }
    assert_eq!(code(&place.cli(&["key", "encrypt", "aes", "--in", "/nowhere"])), Some(2));
    assert_eq!(code(&place.cli_reading(&["key", "encrypt", "aes"], &vec![0; (1 << 20) + 1])), Some(2));
}

#[test]
fn vaults_are_listed_and_shown_as_tables() {
    let place = Place::new();
    let _server = place.dev();
    let socket = place.data.join("operator.sock");
    let vault = |words: &[&str]| text(&place.cli(&[&["vault", "--socket", socket.to_str().unwrap()], words].concat()));
    let listed = vault(&["list"]);
    let rows: Vec<Vec<&str>> = listed.lines().map(|line| line.split_whitespace().take(4).collect()).collect();
    assert_eq!(rows[0], ["NAME", "STATUS", "KIND", "CUSTODY"], "{listed}");
    assert!(rows.contains(&vec!["dev", "open", "vault", "file"]), "{listed}");
    assert!(rows.iter().any(|row| row.starts_with(&["dev-hsm", "inactive", "hsm"])), "{listed}");
    assert!(listed.contains(&format!("dev.localhost:{}", place.port)), "{listed}");
    let shown = vault(&["show", "dev"]);
    for (name, value) in
        [("name", "dev"), ("status", "open"), ("kind", "vault"), ("custody", "file"), ("retention", "7")]
    {
        let line = shown.lines().find(|line| line.split_whitespace().next() == Some(name));
        assert!(line.is_some_and(|line| line.split_whitespace().nth(1) == Some(value)), "{name}: {shown}");
    }
    let json: Value = serde_json::from_str(&vault(&["list", "--output", "json"])).unwrap();
    assert_eq!(json["vaults"].as_array().unwrap().len(), 2, "{json}");
}
