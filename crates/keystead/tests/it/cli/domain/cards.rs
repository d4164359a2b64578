//! Custodians whose keys are in tokens.

use super::bed::Bed;
use super::{code, text};
use crate::hsm::bed::{Maker, Token};
use keystead_custody::challenge::{Answer, SingleUseKey};
use keystead_custody::confirmation::Confirmation;
use keystead_custody::{open_domain, words};
use std::fs;
use std::process::Output;

/// A domain of alice and bob, whose keys are in files, and carol, whose key was born in a token.
struct Desk {
    bed: Bed,
    token: Token,
}

impl Desk {
    fn new(maker: Maker) -> Self {
        let bed = Bed::new();
        let token = Token::new(maker, &bed.at("tokens"), "hers");
        let pair = |kind, label, id| {
            let what = ["--keypairgen", "--key-type", kind, "--label", label, "--id", id, "--sensitive"];
            token.with_pin(&[&what[..], &["--usage-sign"], decrypts(kind)].concat());
        };
        pair("rsa:2048", "carol", "03");
        pair("rsa:2048", "another", "04");
        pair("EC:prime256v1", "ec", "05");
        let public = bed.at("carol.der");
        token.with_pin(&["--read-object", "--type", "pubkey", "--id", "03", "-o", public.to_str().unwrap()]);
        // Who signs a custodian's certificate is nobody's question: its key is.
        bed.openssl(&[
            "x509",
            "-new",
            "-force_pubkey",
            "carol.der",
            "-key",
            "dave.key.pem",
            "-subj",
            "/CN=carol",
            "-out",
            "card.pem",
        ]);
        text(&bed.make("domain", &["alice.pem", "bob.pem", "card.pem"], "2", &[]));
        Self { bed, token }
    }

    fn module(&self) -> String {
        self.token.module().to_str().unwrap().to_owned()
    }

    fn custodian(&self, module: &str, variables: &[String], words: &[&str]) -> Output {
        let pin = self.token.pin();
        let card = ["custodian", words[0], "--pkcs11", module, "--pin-file", pin.to_str().unwrap()];
        let variables: Vec<_> = variables.iter().flat_map(|variable| ["--environment", variable]).collect();
        self.bed.run(&[&card[..], &variables, &words[1..]].concat())
    }

    /// `confirm` with the words that the record has.
    fn confirm(&self, which: &[&str]) -> Output {
        let agreed = words(&self.bed.record("domain").digest());
        let files = ["confirm", "--record", "domain", "--domain", "domain", "--words", &agreed];
        self.custodian(&self.module(), &[self.token.environment()], &[&files[..], which].concat())
    }

    /// The same with the module that hides mechanisms.
    fn confirm_without(&self, mechanisms: &str) -> Output {
        let shim = std::env::current_exe().unwrap().with_file_name("libkeystead_p11fault.so");
        let variables = [
            self.token.environment(),
            format!("KEYSTEAD_P11FAULT_MODULE={}", self.module()),
            format!("KEYSTEAD_P11FAULT_MECHANISMS={mechanisms}"),
        ];
        let agreed = words(&self.bed.record("domain").digest());
        let files = ["confirm", "--record", "domain", "--domain", "domain", "--words", &agreed, "--label", "carol"];
        self.custodian(shim.to_str().unwrap(), &variables, &files)
    }

    fn answer(&self, words: &[&str]) -> Output {
        self.custodian(&self.module(), &[self.token.environment()], &[&["answer"], words].concat())
    }
}

fn decrypts(kind: &str) -> &'static [&'static str] {
    if kind.starts_with("rsa") { &["--usage-decrypt"] } else { &[] }
}

/// Exit code and what was said.
fn refused(done: &Output) -> (Option<i32>, String) {
    assert!(done.stdout.is_empty(), "nothing is given out");
    (code(done), String::from_utf8_lossy(&done.stderr).into_owned())
}

const TOKENS: [Maker; 2] = [Maker::SoftHsm2, Maker::Kryoptic];

#[test]
fn a_custodian_confirms_and_answers_with_a_key_that_stays_in_its_token() {
    TOKENS.into_iter().for_each(confirms_and_answers);
}

fn confirms_and_answers(maker: Maker) {
    let desk = Desk::new(maker);
    let (bed, record) = (&desk.bed, desk.bed.record("domain"));
    let before = desk.token.labels();
    let confirmation = Confirmation::parse(text(&desk.confirm(&["--label", "carol"])).as_bytes()).unwrap();
    assert_eq!(confirmation.verify(&record), Ok(3));
    let said = text(&desk.confirm(&["--id", "03", "--token", "hers", "--out", "carol.json"]));
    assert!(said.contains("custodian 3 has confirmed"), "{said}");
    // He and one whose key is in a file open the domain.
    let key = SingleUseKey::generate();
    let asked = bed.ask(&key, record.domain_public, 60);
    let mut gathering = record.gathering().unwrap();
    let words = ["--challenge", &asked.0, "--domain", "domain", "--label", "carol"];
    let alice = bed.as_custodian("alice", &["answer", "--challenge", &asked.0, "--domain", "domain"]);
    for (given, done) in [(1, desk.answer(&words)), (2, alice)] {
        let share = Answer::parse_text(&text(&done)).unwrap().open(&asked.1, &key, bed.now()).unwrap();
        assert_eq!(gathering.add(share), Ok(given));
    }
    let secrets = open_domain(&bed.security_domain("domain"), &gathering).unwrap();
    assert_eq!(secrets.key.public(), record.domain_public);
    // Without the record the token is asked of each share whose it is.
    let node = bed.node().words();
    let alone = ["--challenge", &asked.0, "--domain", "domain/security-domain.json", "--node", &node];
    let said = text(&desk.answer(&[&alone[..], &["--label", "carol"]].concat()));
    assert!(said.starts_with("keystead-answer."));
    assert_eq!(refused(&desk.answer(&[&alone[..], &["--label", "another"]].concat())).0, Some(3));
    assert_eq!(desk.token.labels(), before, "nothing of ours stays in the token");
}

#[test]
fn a_token_that_is_not_the_custodians_or_does_not_open_is_named() {
    TOKENS.into_iter().for_each(is_named);
}

fn is_named(maker: Maker) {
    let desk = Desk::new(maker);
    for (words, wanted, part) in [
        (&["--label", "another"][..], 3, "nobody who is a custodian"),
        (&["--label", "nobody"], 3, "\"nobody\""),
        (&["--label", "carol", "--id", "04"], 3, "the id 04"),
        (&["--label", "ec"], 2, "not RSA"),
        (&["--label", "carol", "--token", "his"], 2, "no token has the label \"his\""),
        (&["--label", "carol", "--key", "alice.key.pem"], 2, "--key"),
        (&["--label", "carol", "--passphrase-file", "passphrase"], 2, "--passphrase-file"),
        (&[], 2, "--label"),
    ] {
        let (found, said) = refused(&desk.confirm(words));
        assert!(found == Some(wanted) && said.contains(part), "{words:?}: {found:?}: {said}");
    }
    let none = desk.bed.run(&["custodian", "confirm", "--record", "domain", "--domain", "domain"]);
    assert!(code(&none) == Some(2) && refused(&none).1.contains("--pkcs11"), "{none:?}");
    fs::write(desk.token.pin(), "0000-wrong").unwrap();
    let (found, said) = refused(&desk.confirm(&["--label", "carol"]));
    assert!(found == Some(3) && said.contains("refused the PIN"), "{found:?}: {said}");
}

#[test]
fn a_token_that_cannot_open_the_share_or_sign_is_refused_by_mechanism_and_nothing_is_confirmed() {
    for maker in TOKENS {
        let desk = Desk::new(maker);
        for (mechanisms, part) in [("-0x9 -0x3", "CKM_RSA_X_509"), ("-0xd", "CKM_RSA_PKCS_PSS")] {
            let (found, said) = refused(&desk.confirm_without(mechanisms));
            assert!(found == Some(1) && said.contains(part), "{maker:?} {mechanisms}: {found:?}: {said}");
            assert!(said.contains("a key in a file"), "{said}");
        }
        let confirmation = Confirmation::parse(text(&desk.confirm_without("-0x9")).as_bytes()).unwrap();
        assert_eq!(confirmation.verify(&desk.bed.record("domain")), Ok(3), "{maker:?} by bare RSA");
    }
}
