//! A security domain, made offline, confirmed by its custodians and opened with their answers.

mod bed;
mod cards;

use super::{code, text};
use bed::{Bed, NODE_SEED};
use keystead_crypto::ed25519::SigningKey;
use keystead_custody::activation::{ActivationRecord, NodeIdentity};
use keystead_custody::challenge::{Answer, SingleUseKey};
use keystead_custody::confirmation::Confirmation;
use keystead_custody::shares::ShareError;
use keystead_custody::{DomainPublic, Restored, open_domain, receive, words};
use keystead_formats::security_domain::RestoreBlob;
use keystead_model::{NodeId, VaultId};
use std::fs;
use std::os::unix::fs::PermissionsExt as _;

#[test]
fn a_domain_that_was_made_offline_opens_with_the_answers_of_its_quorum() {
    let bed = Bed::new();
    let shown = bed.new_domain("domain", &[]);
    let (record, file) = (bed.record("domain"), bed.security_domain("domain"));
    assert!(shown.contains(&words(&record.digest())) && shown.contains(&bed.node().words()), "{shown}");
    assert_eq!(text(&bed.run(&["domain", "show", "domain"])).lines().next(), shown.lines().next());
    for name in ["security-domain.json", "activation.json", "transfer.json"] {
        let mode = fs::metadata(bed.at(&format!("domain/{name}"))).unwrap().permissions().mode();
        assert_eq!(mode & 0o7777, 0o600, "{name}");
    }
    // What the vault is sent: the keys of which the record speaks, and not the private one.
    let transfer = RestoreBlob::parse(&fs::read(bed.at("domain/transfer.json")).unwrap()).unwrap();
    match receive(&transfer, &transfer.key.thumbprint, &bed.transfer_key()).unwrap() {
        Restored::Working(keys) => assert_eq!(keys.digest(), record.working_keys),
        Restored::Domain(_) => panic!("the private key was sent along"),
    }
    // The custodians' keys are in three forms.
    let key = SingleUseKey::generate();
    let asked = bed.ask(&key, record.domain_public, 60);
    let mut gathering = record.gathering().unwrap();
    for (name, given) in [("carol", 1), ("alice", 2)] {
        let said = text(&bed.as_custodian(name, &["answer", "--challenge", &asked.0, "--domain", "domain"]));
        let share = Answer::parse_text(&said).unwrap().open(&asked.1, &key, bed.now()).unwrap();
        assert_eq!(gathering.add(share), Ok(given));
    }
    let secrets = open_domain(&file, &gathering).unwrap();
    assert_eq!(secrets.key.public(), record.domain_public);
    assert_eq!(secrets.working.digest(), record.working_keys);
    // The same custodian again is no third one.
    let again = text(&bed.as_custodian("alice", &["answer", "--challenge", &asked.0, "--domain", "domain"]));
    let share = Answer::parse_text(&again).unwrap().open(&asked.1, &key, bed.now()).unwrap();
    assert_eq!(gathering.add(share), Err(ShareError::Duplicate { number: 1 }));
}

#[test]
fn who_needs_which_files_is_shown_again_of_a_directory_whose_printed_output_was_lost() {
    let bed = Bed::new();
    let printed = bed.new_domain("domain", &[]);
    let shown = text(&bed.run(&["domain", "show", "domain"]));
    for part in [
        "Give each custodian: security-domain.json, activation.json\n",
        "keystead custodian confirm --record DIR --domain DIR",
        "Give the operator: security-domain.json, activation.json, transfer.json\n",
        "keystead vault activate payments --domain DIR --hsm TOKEN\n",
    ] {
        assert!(printed.contains(part) && shown.contains(part), "{part}: {shown}");
    }
    let json = |directory: &str| -> serde_json::Value {
        serde_json::from_str(&text(&bed.run(&["domain", "show", directory, "--output", "json"]))).unwrap()
    };
    let all = json("domain");
    assert_eq!(all["words"], words(&bed.record("domain").digest()));
    assert_eq!(all["parties"]["custodian"]["files"], serde_json::json!(["security-domain.json", "activation.json"]));
    assert_eq!((all["custodians"].as_array().unwrap().len(), &all["parties"]["missing"]), (3, &serde_json::json!([])));
    // A copy that was cut short says what it lacks.
    fs::create_dir(bed.at("copy")).unwrap();
    for name in ["security-domain.json", "activation.json"] {
        fs::copy(bed.at(&format!("domain/{name}")), bed.at(&format!("copy/{name}"))).unwrap();
    }
    assert!(text(&bed.run(&["domain", "show", "copy"])).contains("Not in this directory: transfer.json"));
    assert_eq!(json("copy")["parties"]["missing"], serde_json::json!(["transfer.json"]));
}

#[test]
fn every_custodian_confirms_what_he_was_shown() {
    let bed = Bed::new();
    bed.new_domain("domain", &["--purge-protection"]);
    let record = bed.record("domain");
    assert!(record.purge_protection);
    let agreed = words(&record.digest());
    for (number, name) in [(1, "alice"), (2, "bob"), (3, "carol")] {
        let out = format!("{name}.json");
        let confirm = ["confirm", "--record", "domain", "--domain", "domain", "--words", &agreed];
        let done = bed.as_custodian(name, &[&confirm[..], &["--out", &out]].concat());
        assert!(text(&done).contains(&format!("custodian {number} has confirmed")));
        let read = String::from_utf8_lossy(&done.stderr).into_owned();
        assert!(["payments", "your share opens", "administrators"].iter().all(|part| read.contains(part)), "{read}");
        let confirmation = Confirmation::parse(&fs::read(bed.at(&out)).unwrap()).unwrap();
        assert_eq!(confirmation.verify(&record), Ok(number));
        // Nothing is overwritten.
        assert_eq!(code(&bed.as_custodian(name, &[&confirm[..], &["--out", &out]].concat())), Some(2));
    }
    let confirm = ["confirm", "--record", "domain", "--domain", "domain"];
    let wrong = agreed.replacen(agreed.split(' ').next().unwrap(), "abandon", 1);
    // Other words, and nobody there to be asked: neither shows what would be right.
    for (more, exit) in [(&["--words", &*wrong][..], 1), (&[], 2)] {
        let done = bed.as_custodian("alice", &[&confirm[..], more].concat());
        assert_eq!(code(&done), Some(exit));
        assert!(!String::from_utf8_lossy(&done.stderr).contains(&agreed), "{done:?}");
    }
    assert_eq!(code(&bed.as_custodian("dave", &[&confirm[..], &["--words", &agreed]].concat())), Some(3));
}

#[test]
fn a_record_or_a_domain_that_was_changed_is_not_confirmed() {
    let bed = Bed::new();
    bed.new_domain("domain", &[]);
    bed.new_domain("other", &[]);
    let record = bed.record("domain");
    let agreed = words(&record.digest());
    let confirm = |record: &str, domain: &str| {
        code(&bed.as_custodian("alice", &["confirm", "--record", record, "--domain", domain, "--words", &agreed]))
    };
    assert_eq!(confirm("domain", "other"), Some(1), "another domain");
    assert_eq!(confirm("other", "other"), Some(1), "other words");
    let changed = ActivationRecord { retention_days: 7, ..record.clone() };
    bed.write("changed.json", &changed.to_bytes());
    assert_eq!(confirm("changed.json", "domain"), Some(1), "a record with another retention has other words");
    // Another's share in his place: the record knows.
    let mut swapped = bed.security_domain("domain");
    swapped.shares[0].value = bed.security_domain("other").shares[0].value.clone();
    let swapped = swapped.to_json();
    let agreeing = ActivationRecord { security_domain: keystead_crypto::sha256(&[swapped.as_bytes()]), ..record };
    bed.write("swapped.json", swapped.as_bytes());
    bed.write("agreeing.json", &agreeing.to_bytes());
    let done = bed.as_custodian(
        "alice",
        &["confirm", "--record", "agreeing.json", "--domain", "swapped.json", "--words", &words(&agreeing.digest())],
    );
    assert_eq!(code(&done), Some(1));
    assert!(String::from_utf8_lossy(&done.stderr).contains("not the one that the record names"));
}

#[test]
fn a_challenge_is_answered_only_in_time_to_a_node_that_is_believed() {
    let bed = Bed::new();
    bed.new_domain("domain", &[]);
    let domain = bed.record("domain").domain_public;
    let key = SingleUseKey::generate();
    let answer = |challenge: &str, more: &[&str]| {
        bed.as_custodian("bob", &[&["answer", "--challenge", challenge, "--domain", "domain"][..], more].concat())
    };
    let late = bed.ask(&key, domain, -1).0;
    let refused = answer(&late, &[]);
    assert_eq!(code(&refused), Some(1));
    assert!(String::from_utf8_lossy(&refused.stderr).contains("expired"));
    let elsewhere = bed.ask(&key, DomainPublic::from_bytes([9; 32]), 60).0;
    assert_eq!(code(&answer(&elsewhere, &[])), Some(1), "another domain");
    let stranger = SigningKey::from_seed(&[NODE_SEED + 1; 32]);
    let node = NodeIdentity { id: NodeId::from_bytes([8; 16]), key: stranger.public() };
    let (unknown, _) = bed.ask_as(&stranger, node, &key, domain, 60);
    let untold = |more: &[&str], exit: i32| {
        let done = answer(&unknown, more);
        let said = String::from_utf8_lossy(&done.stderr).into_owned();
        assert!(code(&done) == Some(exit) && !said.contains(&node.words()) && said.contains("--node"), "{done:?}");
    };
    // Nobody is there to compare words, and other words.
    untold(&[], 2);
    untold(&["--node", &bed.node().words()], 1);
    let said = text(&answer(&unknown, &["--node", &node.words()]));
    assert!(said.starts_with("keystead-answer."));
    // Without the record every node is unknown, and the share is found by its key.
    let known = bed.ask(&key, domain, 60).0;
    let alone = ["answer", "--challenge", &known, "--domain", "domain/security-domain.json"];
    assert_eq!(code(&bed.as_custodian("bob", &alone)), Some(2));
    let said = text(&bed.as_custodian("bob", &[&alone[..], &["--node", &bed.node().words()]].concat()));
    assert!(said.starts_with("keystead-answer."));
    assert_eq!(code(&bed.as_custodian("dave", &[&alone[..], &["--node", &bed.node().words()]].concat())), Some(3));
    bed.write("cut.txt", &fs::read(bed.at(&known)).unwrap()[..100]);
    assert_eq!(code(&answer("cut.txt", &[])), Some(2));
}

#[test]
fn a_domain_that_could_not_be_opened_or_would_replace_another_is_not_made() {
    let bed = Bed::new();
    let three = ["alice.pem", "bob.pem", "carol.pem"];
    let refused = |custodians: &[&str], quorum: &str, part: &str| {
        let done = bed.make("refused", custodians, quorum, &[]);
        assert_eq!(code(&done), Some(2), "{part}");
        let said = String::from_utf8_lossy(&done.stderr).into_owned();
        assert!(said.contains(part) && !bed.at("refused").exists(), "{part}: {said}");
    };
    refused(&three[..2], "2", "3 to 10 custodians");
    refused(&three, "1", "at least 2");
    refused(&three, "4", "at most all");
    refused(&["alice.pem", "bob.pem", "alice.pem"], "2", "custodian 3");
    refused(&["alice.pem", "bob.pem", "alice-again.pem"], "2", "custodian 3");
    refused(&["alice.pem", "bob.pem", "ec.pem"], "2", "ec.pem: not a certificate");
    refused(&["alice.pem", "bob.pem", "alice.key.pem"], "2", "alice.key.pem has 0 certificates");
    fs::write(bed.at("both.pem"), [bed.read("alice.pem"), bed.read("carol.pem")].concat()).unwrap();
    refused(&["alice.pem", "bob.pem", "both.pem"], "2", "both.pem has 2 certificates");
    bed.new_domain("domain", &[]);
    let before = bed.read("domain/security-domain.json");
    assert_eq!(code(&bed.make("domain", &three, "2", &[])), Some(2));
    assert_eq!(bed.read("domain/security-domain.json"), before);
    // An offer that was changed on its way is a check that failed.
    let offer = String::from_utf8(bed.read("offer.json")).unwrap();
    bed.write("offer.json", offer.replace("payments", "paymentz").as_bytes());
    assert_eq!(code(&bed.make("refused", &three, "2", &[])), Some(1));
}

#[test]
fn no_domain_is_made_for_a_node_whose_words_were_not_compared() {
    let bed = Bed::new();
    let refused = |node: &[&str], exit: i32, part: &str| {
        let done = bed.make_with("refused", node);
        let said = String::from_utf8_lossy(&done.stderr).into_owned();
        assert!(code(&done) == Some(exit) && said.contains(part), "{done:?}");
        // What the file says of itself is no second way: nobody can paste it back.
        assert!(!said.contains(&bed.node().words()) && said.contains("keystead vault offer"), "{said}");
        assert!(!bed.at("refused").exists());
    };
    refused(&[], 2, "say it with --node");
    let stranger = NodeIdentity { key: SigningKey::from_seed(&[NODE_SEED + 1; 32]).public(), ..bed.node() };
    refused(&["--node", &stranger.words()], 1, "the words differ");
    text(&bed.make_with("domain", &["--node", &bed.node().words().to_uppercase()]));
}

#[test]
fn what_is_shown_for_programs_is_json() {
    let bed = Bed::new();
    let done = bed.make("domain", &["alice.pem", "bob.pem", "carol.pem"], "2", &["--output", "json"]);
    let made: serde_json::Value = serde_json::from_str(&text(&done)).unwrap();
    let mut shown: serde_json::Value =
        serde_json::from_str(&text(&bed.run(&["domain", "show", "domain", "--output", "json"]))).unwrap();
    assert_eq!(made["parties"], shown.as_object_mut().unwrap().remove("parties").unwrap());
    assert_eq!(made["record"], shown);
    assert_eq!((&made["node_words"], &shown["required"]), (&bed.node().words().into(), &2.into()));
    assert_eq!(shown["vault"], VaultId::from_bytes([1; 16]).to_string());
    assert_eq!(shown["custodians"].as_array().unwrap().len(), 3);
    let file = text(&bed.run(&["domain", "show", "domain/security-domain.json", "--output", "json"]));
    assert!(file.contains("keystead_domain"), "{file}");
    assert_eq!(code(&bed.run(&["domain", "show", "policy.toml"])), Some(2));
}

#[test]
fn a_passphrase_is_needed_and_no_share_is_ever_written_in_clear() {
    let bed = Bed::new();
    bed.new_domain("domain", &[]);
    let record = bed.record("domain");
    let key = SingleUseKey::generate();
    let (challenge, asked) = bed.ask(&key, record.domain_public, 60);
    let answer = ["answer", "--challenge", &challenge, "--domain", "domain", "--out", "answer.txt"];
    let with = |more: &[&str], passphrase: Option<&str>| {
        let mut command = bed.command(&[&["custodian"][..], &answer, &["--key", "carol.key.pem"], more].concat());
        command.envs(passphrase.map(|value| ("KEYSTEAD_CUSTODIAN_PASSPHRASE", value)));
        command.output().unwrap()
    };
    assert_eq!(code(&with(&[], None)), Some(2), "nobody is there to be asked");
    assert_eq!(code(&with(&[], Some("wrong"))), Some(3));
    assert_eq!(code(&with(&["--passphrase-file", "passphrase"], Some("wrong"))), Some(0), "the file goes first");
    fs::remove_file(bed.at("answer.txt")).unwrap();
    let done = with(&[], Some("correct horse"));
    text(&done);
    let share = Answer::parse_text(&String::from_utf8(bed.read("answer.txt")).unwrap()).unwrap();
    let share = share.open(&asked, &key, bed.now()).unwrap().to_bytes();
    let written = bed.everything_written();
    assert!(written.len() > 10);
    for bytes in written.iter().chain([&done.stdout, &done.stderr]) {
        for form in [share.to_vec(), hex::encode(*share).into_bytes(), crate::support::b64(&*share).into_bytes()] {
            assert!(!bytes.windows(form.len()).any(|window| window == form));
        }
    }
}
