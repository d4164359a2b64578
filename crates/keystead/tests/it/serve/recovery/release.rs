//! What a release wrote is opened by every later one.

use super::super::quorum::{SIGN, good};
use super::super::{Site, private, stop};
use super::site;
use crate::support::Reply;
use serde_json::Value;
use std::fs;
use std::path::Path;

const HOST: &str = "golden.example";

fn call(site: &Site, token: &str, method: &str, path: &str, body: &str) -> Reply {
    let bearer = format!("Bearer {token}");
    let headers = [("host", HOST), ("authorization", &bearer)];
    site.http().send(method, &format!("{path}?api-version=7.6"), &headers, body.as_bytes()).unwrap()
}

fn token(site: &Site) -> String {
    let form = "grant_type=client_credentials&client_id=golden&client_secret=golden-secret\
                &scope=https://golden.example/.default";
    let reply = site.http().send("POST", "/adfs/oauth2/v2.0/token", &[("host", HOST)], form.as_bytes()).unwrap();
    reply.ok()["access_token"].as_str().unwrap().to_owned()
}

#[test]
fn what_the_first_release_wrote_is_unsealed_served_restored_and_rehearsed() {
    let golden = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden/release-1");
    let site = site("");
    let at = |name: &str| site.place.beside(name);
    let here = at(".");
    let _ = fs::remove_dir_all(&site.place.data);
    good(site.place.program("tar").arg("-xzf").arg(golden.join("data.tar.gz")).arg("-C").arg(&here).output().unwrap());
    if at("data") != site.place.data {
        fs::rename(at("data"), &site.place.data).unwrap();
    }
    good(site.place.program("cp").arg("-r").args([golden.join("domain"), at("domain")]).output().unwrap());
    for name in ["alice", "bob", "carol"] {
        let key = format!("{name}.key.pem");
        private(&at(&key), &fs::read_to_string(golden.join(&key)).unwrap());
    }
    for name in ["vault.ksbackup", "inventory.json"] {
        fs::copy(golden.join(name), at(name)).unwrap();
    }
    let folder = at("backups/backups/kept");
    fs::create_dir_all(&folder).unwrap();
    fs::copy(golden.join("vault.ksbackup"), folder.join("vault.ksbackup")).unwrap();
    // The log on the disk is whole before anything is added to it, and after.
    good(site.place.cli(&["audit", "verify", "--data", site.place.data_str()]));
    let running = site.start();
    good(site.operator("unseal", &["golden", "--out", "challenge"]));
    for name in ["bob", "carol"] {
        let (key, answer) = (format!("{name}.key.pem"), format!("{name}.answer"));
        let words = ["custodian", "answer", "--challenge", "challenge", "--domain", "domain", "--key", &key];
        good(site.place.cli(&[&words[..], &["--out", &answer]].concat()));
        good(site.operator("unseal", &["golden", "--answer", &answer]));
    }
    let token = token(&site);
    let kept: Value = serde_json::from_slice(&fs::read(golden.join("sign.json")).unwrap()).unwrap();
    let now = call(&site, &token, "GET", "/keys/sign", "").ok();
    // The address that it answered at is not the vault's identity.
    let version = |key: &Value| key["key"]["kid"].as_str().unwrap().rsplit('/').next().unwrap().to_owned();
    assert_eq!((&now["key"]["x"], version(&now)), (&kept["key"]["x"], version(&kept)));
    call(&site, &token, "POST", "/keys/sign/sign", SIGN).ok();
    call(&site, &token, "POST", "/deletedkeys/gone/recover", "").ok();
    // Its backup takes that back.
    let restore = r#"{"sasTokenParameters":{"storageResourceUri":"https://golden.example/backups"},
        "folderToRestore":"kept","rollback":true}"#;
    let job = call(&site, &token, "PUT", "/restore", restore).ok();
    let pending = format!("/restore/{}/pending", job["jobId"].as_str().unwrap());
    let ended = loop {
        let job = call(&site, &token, "GET", &pending, "").ok();
        if job["status"] != "InProgress" {
            break job;
        }
        std::thread::sleep(std::time::Duration::from_millis(100));
    };
    assert_eq!(ended["status"], "Succeeded", "{ended}");
    call(&site, &token, "GET", "/deletedkeys/gone", "").ok();
    call(&site, &token, "POST", "/keys/sign/sign", SIGN).ok();
    stop(running);
    good(site.place.cli(&["audit", "verify", "--data", site.place.data_str()]));
    let words = ["rehearse", "--domain", "domain", "--key", "alice.key.pem", "--key", "bob.key.pem"];
    let files = ["--backup", "vault.ksbackup", "--inventory", "inventory.json", "--scratch", "scratch"];
    let report = good(site.place.cli(&[&words[..], &files].concat()));
    assert!(report.contains("4 of 4 versions"), "{report}");
}
