//! Unseal paths of a real server: a systemd credential, and what the doctor says of it all.

use super::{Running, Site, private, said, stop};
use serde_json::Value;
use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::process::Output;

fn json(output: &Output) -> Value {
    serde_json::from_slice(&output.stdout).unwrap_or_else(|e| panic!("{e}: {output:?}"))
}

fn good(output: Output) -> String {
    assert!(output.status.success(), "{output:?}");
    String::from_utf8(output.stdout).unwrap()
}

/// A site whose server may have the path `boot`: a credential, in the directory that is given.
fn site() -> (Site, String) {
    let site = Site::new();
    let directory = site.place.beside("credentials");
    fs::create_dir(&directory).unwrap();
    fs::write(directory.join("root"), [7; 32]).unwrap();
    fs::set_permissions(directory.join("root"), fs::Permissions::from_mode(0o400)).unwrap();
    let path = "[[path]]\nname = \"boot\"\nkind = \"credential\"\ncredential = \"root\"\n";
    private(&site.config, &format!("{}\n{path}", site.text()));
    (site, directory.to_str().unwrap().to_owned())
}

fn with(site: &Site, directory: &str) -> Running {
    site.start_with(&[("CREDENTIALS_DIRECTORY", directory)])
}

#[test]
fn a_vault_behind_a_credential_opens_by_it_alone_and_the_doctor_proves_every_path() {
    let (site, directory) = site();
    let running = with(&site, &directory);
    let token = site.token(&site.create("one"));
    site.call("one", &token, "POST", "/keys/k/create", r#"{"kty":"EC"}"#).ok();
    let list = || good(site.operator("path", &["list", "one"]));
    assert!(list().lines().any(|l| l.starts_with("boot") && l.contains("not of the vault")), "{}", list());
    good(site.operator("path", &["add", "one", "boot"]));
    for verb in ["prove", "test"] {
        let said = good(site.operator("path", &[verb, "one", "boot"]));
        assert_eq!(said.trim(), "boot opens root generation 1");
    }
    let found = json(&site.operator("doctor", &["--output", "json"]));
    assert_eq!(found["ok"], true, "{found}");
    let paths: Vec<_> = found["findings"].as_array().unwrap().iter().filter(|f| f["what"] == "path").collect();
    assert!(paths.len() == 2 && paths.iter().all(|f| f["says"] == "opens root generation 1"), "{found}");
    assert!(good(site.operator("doctor", &[])).contains("opens root generation 1"));

    good(site.operator("path", &["remove", "one", "file"]));
    let refused = site.operator("path", &["remove", "one", "boot"]);
    assert!(refused.status.code() == Some(3) && said(&refused).contains("last unseal path"), "{refused:?}");
    stop(running);
    // Whoever has the store and the key file has nothing: it wraps nothing of the vault any more.
    let running = site.start();
    assert_eq!(site.call("one", &token, "GET", "/keys", "").code(), "VaultSealed");
    let shown = good(site.vault(&["show", "one"]));
    assert!(shown.contains("did not open") && shown.contains("LoadCredential=root"), "{shown}");
    let found = site.operator("doctor", &["--output", "json"]);
    assert_eq!((found.status.code(), &json(&found)["ok"]), (Some(1), &Value::Bool(false)));
    stop(running);
    let running = with(&site, &directory);
    let sign = r#"{"alg":"ES256","value":"BwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwc"}"#;
    site.call("one", &token, "POST", "/keys/k/sign", sign).ok();
    assert!(site.operator("doctor", &[]).status.success());
    stop(running);
}

#[test]
fn a_path_that_does_not_open_is_named_and_costs_the_check_its_exit_code() {
    let (site, directory) = site();
    let running = with(&site, &directory);
    site.create("one");
    good(site.operator("path", &["add", "one", "boot"]));
    let file = format!("{directory}/root");
    fs::remove_file(&file).unwrap();
    fs::write(&file, [8; 32]).unwrap();
    fs::set_permissions(&file, fs::Permissions::from_mode(0o400)).unwrap();
    for (command, words) in
        [("path", &["prove", "one", "boot"][..]), ("path", &["test", "one", "boot"]), ("doctor", &[])]
    {
        let failed = site.operator(command, words);
        assert_eq!(failed.status.code(), Some(1), "{failed:?}");
    }
    let failed = site.operator("path", &["prove", "one", "boot"]);
    assert!(said(&failed).contains("does not open"), "{failed:?}");
    let shown = String::from_utf8(site.operator("doctor", &[]).stdout).unwrap();
    let bad: Vec<_> = shown.lines().filter(|line| line.starts_with("bad")).collect();
    assert!(bad.len() == 1 && bad[0].contains("boot"), "{shown}");
    let unknown = site.operator("path", &["add", "one", "elsewhere"]);
    assert!(said(&unknown).contains("[[path]]"), "{unknown:?}");
    stop(running);
}
