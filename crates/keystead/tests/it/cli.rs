//! The command line: what it does beside OpenSSL, and its exit codes.

mod approvals;
mod domain;
mod readme;
mod story;
mod verbs;

use crate::support::Place;
use std::fs;
use std::process::{Command, Output};

fn text(output: &Output) -> String {
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout.clone()).unwrap()
}

fn code(output: &Output) -> Option<i32> {
    output.status.code()
}

#[test]
fn openssl_verifies_what_the_command_line_signs_and_the_receipt_proves() {
    let place = Place::new();
    let server = place.dev();
    let (message, signature, public) = (place.beside("message"), place.beside("sig"), place.beside("p.pem"));
    fs::write(&message, "hello\n").unwrap();
    let path = |p: &std::path::Path| p.to_str().unwrap().to_owned();

    assert!(text(&place.cli(&["key", "create", "payments", "--kty", "EC"])).contains("payments"));
    let sign = ["key", "sign", "payments", "--receipt", "--format", "der"];
    let signed = place.cli(&[&sign[..], &["--in", &path(&message), "--out", &path(&signature)]].concat());
    let shown = String::from_utf8(signed.stderr.clone()).unwrap();
    let receipt = shown.split_whitespace().find(|word| word.starts_with("1.")).unwrap().to_owned();
    fs::write(&public, text(&place.cli(&["key", "show", "payments", "--pem"]))).unwrap();
    let verified = Command::new("openssl")
        .args(["dgst", "-sha256", "-verify", &path(&public), "-signature", &path(&signature), &path(&message)])
        .output()
        .unwrap();
    assert_eq!(text(&verified), "Verified OK\n");

    assert!(text(&place.cli(&["audit", "prove", &receipt])).contains("proven"));
    assert!(text(&place.cli(&["audit", "tail", "-n", "20"])).contains("keys/sign"));
    assert!(text(&place.cli(&["audit", "checkpoint"])).starts_with("keystead/"));
    assert!(text(&place.cli(&["audit", "verify", "--data", place.data_str()])).contains("whole"));
    assert!(server.stop().success());
}

#[test]
fn what_the_command_line_encrypts_and_wraps_it_gives_back() {
    let place = Place::new();
    let _server = place.dev();
    let (plain, sealed, back) = (place.beside("plain"), place.beside("sealed"), place.beside("back"));
    fs::write(&plain, b"thirty-two bytes of key material").unwrap();
    let path = |p: &std::path::Path| p.to_str().unwrap().to_owned();
    for (name, kty, there, again) in [("aes", "oct", "encrypt", "decrypt"), ("rsa", "RSA", "wrap", "unwrap")] {
        text(&place.cli(&["key", "create", name, "--kty", kty]));
        text(&place.cli(&["key", there, name, "--in", &path(&plain), "--out", &path(&sealed)]));
        text(&place.cli(&["key", again, name, "--in", &path(&sealed), "--out", &path(&back)]));
        assert_eq!(fs::read(&plain).unwrap(), fs::read(&back).unwrap(), "{name}");
        assert_ne!(fs::read(&plain).unwrap(), fs::read(&sealed).unwrap(), "{name}");
    }
}

#[test]
fn a_key_is_listed_deleted_recovered_and_purged_and_exit_codes_tell_why_not() {
    let place = Place::new();
    let server = place.dev();
    text(&place.cli(&["key", "create", "k", "--kty", "EC"]));
    assert!(text(&place.cli(&["key", "list"])).contains('k'));
    let json: serde_json::Value =
        serde_json::from_str(&text(&place.cli(&["key", "list", "--output", "json"]))).unwrap();
    assert!(json.to_string().contains("/keys/k"), "{json}");
    text(&place.cli(&["key", "delete", "k"]));
    assert_eq!(code(&place.cli(&["key", "show", "k"])), Some(3));
    text(&place.cli(&["key", "recover", "k"]));
    text(&place.cli(&["key", "show", "k"]));
    text(&place.cli(&["key", "delete", "k"]));
    text(&place.cli(&["key", "purge", "k", "--yes"]));
    assert_eq!(code(&place.cli(&["key", "recover", "k"])), Some(3));
    assert_eq!(code(&place.cli(&["key", "create"])), Some(2));
    assert!(server.stop().success());
    assert_eq!(code(&place.cli(&["key", "list"])), Some(4));
}

#[test]
fn with_json_an_error_is_one_object_on_standard_error() {
    let place = Place::new();
    let server = place.dev();
    let error = |words: &[&str], exit: i32| -> serde_json::Value {
        let done = place.cli(&[words, &["--output", "json"]].concat());
        assert!(code(&done) == Some(exit) && done.stdout.is_empty(), "{done:?}");
        let said: serde_json::Value = serde_json::from_slice(&done.stderr).unwrap();
        assert_eq!(said["error"]["exit_code"], exit, "{said}");
        assert!(!said["error"]["message"].as_str().unwrap().is_empty(), "{said}");
        said["error"].clone()
    };
    assert_eq!(error(&["key", "show", "nothing"], 3)["code"], "KeyNotFound");
    assert_eq!(error(&["key", "show", "k", "--vault", "nonsense"], 2)["code"], "Usage");
    assert_eq!(error(&["key", "sgin"], 2)["code"], "Usage");
    // What is sealed is so to the operator and to clients.
    let socket = place.data.join("operator.sock");
    let socket = ["--socket", socket.to_str().unwrap()];
    text(&place.cli(&[&["vault", "seal", "dev"][..], &socket].concat()));
    assert_eq!(error(&["key", "list"], 4)["code"], "VaultSealed");
    let operator = error(&[&["vault", "rotate-root", "dev"][..], &socket].concat(), 4);
    assert_eq!(operator["innererror"]["code"], "VaultSealed");
    assert!(server.stop().success());
    assert_eq!(error(&[&["vault", "list"][..], &socket].concat(), 4)["code"], "Unavailable");
}

#[test]
fn a_search_finds_the_records_that_fit_page_by_page() {
    let place = Place::new();
    let _server = place.dev();
    text(&place.cli(&["key", "create", "payments", "--kty", "EC"]));
    text(&place.cli(&["key", "create", "other", "--kty", "EC"]));
    for _ in 0..3 {
        text(&place.cli(&["key", "sign", "payments", "--in", "/dev/null", "--out", "/dev/null"]));
    }
    assert_eq!(code(&place.cli(&["key", "show", "nothing"])), Some(3));
    let search = |words: &[&str]| -> serde_json::Value {
        let all = [&["audit", "search", "--output", "json"], words].concat();
        serde_json::from_str(&text(&place.cli(&all))).unwrap()
    };
    let records = |found: &serde_json::Value| found["records"].as_array().unwrap().clone();

    let signed = records(&search(&["--key", "PAYMENTS", "--action", "keys/sign"]));
    assert_eq!(signed.len(), 3);
    assert!(signed.iter().all(|r| r["target"] == "/keys/payments"), "{signed:?}");
    let page = search(&["--key", "payments", "--action", "keys/sign", "--limit", "2"]);
    assert_eq!(records(&page), signed[1..], "the newest first");
    let before = page["before"].as_u64().unwrap().to_string();
    assert_eq!(records(&search(&["--action", "keys/sign", "--before", &before])), signed[..1]);
    let failed = records(&search(&["--outcome", "failed", "--key", "nothing"]));
    assert!(failed.len() == 1 && failed[0]["action"] == "keys/read", "{failed:?}");
    let operation = signed[0]["operation"].as_str().unwrap();
    assert_eq!(records(&search(&["--operation", operation])), signed[..1]);
    assert!(records(&search(&["--since", "2001-01-01", "--until", "2001-01-02"])).is_empty());
    let who = signed[0]["subject"].as_str().unwrap();
    assert_eq!(records(&search(&["--caller", who, "--action", "keys/sign"])).len(), 3);
    let shown = text(&place.cli(&["audit", "search", "--action", "keys/create"]));
    assert!(shown.starts_with("INDEX") && shown.lines().count() == 3, "{shown}");

    let out = place.cli(&["key", "sign", "other", "--receipt", "--in", "/dev/null", "--out", "/dev/null"]);
    let said = String::from_utf8(out.stderr).unwrap();
    let receipt = said.split_whitespace().find(|w| w.starts_with("1.")).unwrap();
    let found = records(&search(&["--by-receipt", receipt]));
    assert!(found.len() == 1 && found[0]["target"] == "/keys/other", "{found:?}");
    let foreign = format!("1.{}.0.{}", "0a".repeat(16), receipt.rsplit_once('.').unwrap().1);
    assert_eq!(code(&place.cli(&["audit", "search", "--by-receipt", &foreign])), Some(3));
    assert_eq!(code(&place.cli(&["audit", "search", "--by-receipt", "1.2.3"])), Some(2));
}

#[test]
fn openssl_reads_an_exported_public_key_in_pem_and_der() {
    let place = Place::new();
    let _server = place.dev();
    for (name, kty) in [("ec", "EC"), ("rsa", "RSA")] {
        text(&place.cli(&["key", "create", name, "--kty", kty]));
        let (pem, der) = (place.beside("k.pem"), place.beside("k.der"));
        text(&place.cli(&["key", "public", name, "--out", pem.to_str().unwrap()]));
        text(&place.cli(&["key", "public", name, "--format", "der", "--out", der.to_str().unwrap()]));
        let read = |file: &std::path::Path, form: &str| {
            let args = ["pkey", "-pubin", "-inform", form, "-in", file.to_str().unwrap(), "-pubout", "-outform", "DER"];
            Command::new("openssl").args(args).output().unwrap().stdout
        };
        assert_eq!(read(&pem, "PEM"), fs::read(&der).unwrap(), "{name}");
        assert_eq!(read(&der, "DER"), fs::read(&der).unwrap(), "{name}");
        let jwk: serde_json::Value =
            serde_json::from_str(&text(&place.cli(&["key", "public", name, "--format", "jwk"]))).unwrap();
        assert!(jwk["kty"] == kty && jwk.get("d").is_none() && jwk.get("key_ops").is_none(), "{jwk}");
    }
    text(&place.cli(&["key", "create", "aes", "--kty", "oct"]));
    assert_eq!(code(&place.cli(&["key", "public", "aes"])), Some(2));
}

#[test]
fn a_profile_is_used_whole_and_only_if_its_secret_is_the_owners_alone() {
    use std::os::unix::fs::PermissionsExt as _;
    let place = Place::new();
    let server = place.dev();
    let env = |name: &str| server.env[name].clone();
    let profiles = place.beside("config/keystead/profiles.toml");
    fs::create_dir_all(profiles.parent().unwrap()).unwrap();
    let lines = format!(
        "[here]\nvault = \"{}\"\nca = \"{}\"\nclient_id = \"{}\"\nclient_secret = \"{}\"\n",
        env("KEYSTEAD_VAULT_URL"),
        env("KEYSTEAD_CA_FILE").trim_matches('\''),
        env("AZURE_CLIENT_ID"),
        env("AZURE_CLIENT_SECRET"),
    );
    fs::write(&profiles, lines).unwrap();
    let cli = |mode: u32, named: Option<&str>, words: &[&str]| {
        fs::set_permissions(&profiles, fs::Permissions::from_mode(mode)).unwrap();
        let mut command = place.command(words);
        command.env("XDG_CONFIG_HOME", place.beside("config"));
        if let Some(name) = named {
            command.env("KEYSTEAD_PROFILE", name);
        }
        command.output().unwrap()
    };
    text(&cli(0o600, None, &["key", "create", "mine", "--profile", "here"]));
    assert!(text(&cli(0o600, Some("here"), &["key", "list"])).contains("mine"));
    assert_eq!(code(&cli(0o600, None, &["key", "list", "--profile", "there"])), Some(2));
    let refused = cli(0o644, None, &["key", "list", "--profile", "here"]);
    let said = String::from_utf8_lossy(&refused.stderr).into_owned();
    assert!(code(&refused) == Some(2) && said.contains("chmod 600"), "{said}");
    assert!(!said.contains(&env("AZURE_CLIENT_SECRET")), "{said}");
}

#[test]
fn wait_says_what_it_waits_for_and_goes_on_once_the_vault_is_open() {
    let place = Place::new();
    let server = place.dev();
    let socket = place.data.join("operator.sock");
    let operator = |verb: &str| text(&place.cli(&["vault", "--socket", socket.to_str().unwrap(), verb, "dev"]));
    operator("seal");
    assert_eq!(code(&place.cli(&["key", "list"])), Some(4), "sealed is unavailable, whether it is waited for or not");
    let hsm = format!("https://localhost:{}", place.hsm_port);
    assert_eq!(code(&place.cli(&["key", "list", "--vault", &hsm])), Some(4), "so is an inactive one");
    let late = place.cli(&["key", "list", "--wait=1"]);
    let said = String::from_utf8_lossy(&late.stderr).into_owned();
    assert!(code(&late) == Some(4) && said.contains("sealed"), "{said}");

    let log = place.beside("wait.log");
    let mut command = place.command(&["key", "list", "--wait", "--env", place.data.join("dev.env").to_str().unwrap()]);
    let mut waiting = command.stderr(fs::File::create(&log).unwrap()).spawn().unwrap();
    let until = std::time::Instant::now() + std::time::Duration::from_secs(30);
    while !fs::read_to_string(&log).unwrap().contains("sealed") {
        assert!(std::time::Instant::now() < until && waiting.try_wait().unwrap().is_none());
        std::thread::sleep(std::time::Duration::from_millis(20));
    }
    operator("unseal");
    assert!(waiting.wait().unwrap().success(), "{}", fs::read_to_string(&log).unwrap());
    assert!(server.stop().success());
    let gone = place.cli(&["key", "list", "--wait=1"]);
    assert_eq!(code(&gone), Some(4), "{gone:?}");
}

#[test]
fn each_shell_gets_a_completion_script() {
    let place = Place::new();
    for (shell, part) in [("bash", "complete -F"), ("zsh", "#compdef keystead"), ("fish", "complete -c keystead")] {
        let script = text(&place.cli(&["completion", shell]));
        assert!(script.contains(part) && script.contains("search"), "{shell}");
    }
}

#[test]
fn a_role_is_defined_given_listed_and_taken() {
    let place = Place::new();
    let _server = place.dev();
    let who = "6f1c2f0e-5d0b-4f0e-9a53-0d7c3f9b2a11";
    let sign = "Microsoft.KeyVault/managedHsm/keys/sign/action";
    assert!(text(&place.cli(&["role", "list"])).contains("Managed HSM Crypto User"));
    assert!(text(&place.cli(&["role", "show", "Managed HSM Crypto User"])).contains(sign));
    assert!(text(&place.cli(&["role", "define", "Signer", "--allow", sign])).contains(sign));
    assert!(text(&place.cli(&["role", "list", "--custom"])).contains("Signer"));
    let id = "0d7c3f9b-2a11-4f0e-9a53-6f1c2f0e5d0b";
    text(&place.cli(&["role", "assign", "Signer", who, "--scope", "/keys", "--id", id]));
    let shown = text(&place.cli(&["role", "assignments", "--principal", who]));
    assert!(["Signer", "/keys", who, id].iter().all(|word| shown.contains(word)), "{shown}");
    assert_eq!(code(&place.cli(&["role", "unassign", id])), Some(3), "it is at another scope");
    text(&place.cli(&["role", "unassign", id, "--scope", "/keys"]));
    text(&place.cli(&["role", "assign", "Signer", who, "--scope", "/keys", "--id", id]));
    text(&place.cli(&["role", "remove", "Signer"]));
    assert!(!text(&place.cli(&["role", "assignments"])).contains(id), "it went with its role");
    assert_eq!(code(&place.cli(&["role", "show", "Signer"])), Some(3));
    assert_eq!(code(&place.cli(&["role", "assign", "Signer", "nobody"])), Some(2));
    // sha256("a" 00 "b"), marked as version 8.
    let derived = text(&place.cli(&["role", "principal-id", "a", "b"]));
    assert_eq!(derived.trim().len(), 36);
    assert_eq!(derived.as_bytes()[14], b'8');
    let group = text(&place.cli(&["role", "principal-id", "a", "b", "--group"]));
    assert!(group.trim().len() == 36 && group != derived, "{group}");
    text(&place.cli(&["role", "assign", "Key Vault Reader", group.trim()]));
    assert!(text(&place.cli(&["role", "assignments"])).contains(group.trim()));
}

#[test]
fn a_key_goes_through_import_rotation_backup_and_restore_on_the_command_line() {
    let place = Place::new();
    let server = place.dev();
    let path = |name: &str| place.beside(name).to_str().unwrap().to_owned();
    let random = text(&place.cli(&["key", "random", "32"]));
    assert_eq!(random.trim().len(), 43, "{random}");
    assert!(text(&place.cli(&["key", "random", "32", "--raw", "--out", &path("raw")])).is_empty());
    assert_eq!(fs::read(path("raw")).unwrap().len(), 32);
    assert_eq!(code(&place.cli(&["key", "random", "129"])), Some(2));

    assert!(text(&place.cli(&["key", "import", "archive", "--raw", "--in", &path("raw")])).contains("oct 256"));
    fs::write(path("jwk"), format!(r#"{{"kty":"oct","k":"{}"}}"#, random.trim())).unwrap();
    assert!(text(&place.cli(&["key", "import", "archive", "--in", &path("jwk"), "--tag", "a=b"])).contains("a=b"));
    assert_eq!(code(&place.cli(&["key", "import", "archive", "--in", &path("raw")])), Some(2), "bytes are no JWK");

    assert!(text(&place.cli(&["key", "policy", "archive"])).contains("P30D before expiry"));
    let set = ["key", "policy", "archive", "--rotate-after", "P90D", "--expiry", "P4M"];
    assert!(text(&place.cli(&set)).contains("P90D after creation"));
    assert!(text(&place.cli(&["key", "rotate", "archive"])).contains("a=b"));
    let versions = text(&place.cli(&["key", "versions", "archive"]));

    text(&place.cli(&["key", "backup", "archive", "--out", &path("backup")]));
    assert!(!place.cli(&["key", "restore", "--in", &path("backup")]).status.success(), "the name is taken");
    text(&place.cli(&["key", "delete", "archive"]));
    text(&place.cli(&["key", "purge", "archive", "--yes"]));
    assert!(text(&place.cli(&["key", "restore", "--in", &path("backup")])).contains("archive"));
    assert_eq!(text(&place.cli(&["key", "versions", "archive"])), versions);
    assert!(text(&place.cli(&["key", "policy", "archive"])).contains("P4M"));
    assert!(server.stop().success());
}
