//! What a release wrote is opened by every later one.

use super::super::quorum::{SIGN, good, offer};
use super::super::{Site, private, stop};
use super::{as_client, create, site};
use crate::hsm::bed::{Maker, Token};
use crate::support::Reply;
use serde_json::{Value, json};
use std::fs;
use std::path::{Path, PathBuf};

/// One vault that a release kept: its name, which is its address too, and where its domain and its other files are.
struct Kept {
    name: &'static str,
    kind: &'static str,
    domain: &'static str,
    files: &'static str,
}

const FIRST: Kept = Kept { name: "golden", kind: "vault", domain: "domain", files: "." };
const SECOND: Kept = Kept { files: "domain", ..FIRST };
const SECOND_HSM: Kept = Kept { name: "golden-hsm", kind: "hsm", domain: "domain-hsm", files: "domain-hsm" };

fn golden(release: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden").join(release)
}

/// A site with all that is kept of a release, and its server's data.
fn unpacked(release: &str, more: &str) -> Site {
    let site = site(more);
    let here = site.place.beside(".");
    let _ = fs::remove_dir_all(&site.place.data);
    good(site.place.program("cp").arg("-r").arg(golden(release).join(".")).arg(&here).output().unwrap());
    good(site.place.program("tar").args(["-xzf", "data.tar.gz"]).output().unwrap());
    if site.place.beside("data") != site.place.data {
        fs::rename(site.place.beside("data"), &site.place.data).unwrap();
    }
    for name in ["alice", "bob", "carol"] {
        let key = site.place.beside(&format!("{name}.key.pem"));
        private(&key, &fs::read_to_string(&key).unwrap());
    }
    site
}

impl Kept {
    fn host(&self) -> String {
        format!("{}.example", self.name)
    }

    fn file(&self, site: &Site, name: &str) -> String {
        site.place.beside(self.files).join(name).to_str().unwrap().to_owned()
    }

    fn call(&self, site: &Site, token: &str, method: &str, path: &str, body: &str) -> Reply {
        let (host, bearer) = (self.host(), format!("Bearer {token}"));
        let headers = [("host", host.as_str()), ("authorization", &bearer)];
        site.http().send(method, &format!("{path}?api-version=7.6"), &headers, body.as_bytes()).unwrap()
    }

    fn token(&self, site: &Site) -> String {
        let host = self.host();
        let form = format!(
            "grant_type=client_credentials&client_id=golden&client_secret=golden-secret&scope=https://{host}/.default"
        );
        let reply = site.http().send("POST", "/adfs/oauth2/v2.0/token", &[("host", &host)], form.as_bytes()).unwrap();
        reply.ok()["access_token"].as_str().unwrap().to_owned()
    }

    /// Bob and Carol open it.
    fn unseal(&self, site: &Site) {
        let (name, domain) = (self.name, self.domain);
        let challenge = format!("{name}.challenge");
        good(site.operator("unseal", &[name, "--out", &challenge]));
        for who in ["bob", "carol"] {
            let (key, answer) = (format!("{who}.key.pem"), format!("{name}.{who}.answer"));
            let words = ["custodian", "answer", "--challenge", &challenge, "--domain", domain, "--key", &key];
            good(site.place.cli(&[&words[..], &["--out", &answer]].concat()));
            good(site.operator("unseal", &[name, "--answer", &answer]));
        }
    }

    /// The key `sign` is the one that was kept. The address at which it answers is not the vault's identity.
    fn has_its_key(&self, site: &Site, now: &Value) {
        let kept: Value = serde_json::from_slice(&fs::read(self.file(site, "sign.json")).unwrap()).unwrap();
        let version = |key: &Value| key["key"]["kid"].as_str().unwrap().rsplit('/').next().unwrap().to_owned();
        assert_eq!((&now["key"]["x"], version(now)), (&kept["key"]["x"], version(&kept)));
    }

    /// It serves, and its backup takes back what was changed since.
    fn serve_and_restore(&self, site: &Site) {
        let token = self.token(site);
        self.has_its_key(site, &self.call(site, &token, "GET", "/keys/sign", "").ok());
        self.call(site, &token, "POST", "/keys/sign/sign", SIGN).ok();
        self.call(site, &token, "DELETE", "/keys/rsa", "").ok();
        let folder = site.place.beside("backups/backups").join(self.name);
        fs::create_dir_all(&folder).unwrap();
        fs::copy(self.file(site, "vault.ksbackup"), folder.join("vault.ksbackup")).unwrap();
        let container = format!("https://{}/backups", self.host());
        let restore = json!({ "sasTokenParameters": { "storageResourceUri": container },
                              "folderToRestore": self.name, "rollback": true });
        let job = self.call(site, &token, "PUT", "/restore", &restore.to_string()).ok();
        let pending = format!("/restore/{}/pending", job["jobId"].as_str().unwrap());
        let ended = loop {
            let job = self.call(site, &token, "GET", &pending, "").ok();
            if job["status"] != "InProgress" {
                break job;
            }
            std::thread::sleep(std::time::Duration::from_millis(100));
        };
        assert_eq!(ended["status"], "Succeeded", "{ended}");
        self.call(site, &token, "GET", "/keys/rsa", "").ok();
        self.call(site, &token, "POST", "/keys/sign/sign", SIGN).ok();
    }

    /// The report of its rehearsal, which found nothing wrong.
    fn rehearse(&self, site: &Site, more: &[&str]) -> Value {
        let (backup, inventory) = (self.file(site, "vault.ksbackup"), self.file(site, "inventory.json"));
        let words = ["rehearse", "--domain", self.domain, "--key", "alice.key.pem", "--key", "bob.key.pem"];
        let files = ["--backup", &backup, "--inventory", &inventory, "--scratch", "scratch", "--output", "json"];
        let report: Value = serde_json::from_str(&good(site.place.cli(&[&words[..], &files, more].concat()))).unwrap();
        assert_eq!((&report["equal"], &report["worked"]), (&true.into(), &report["versions"]), "{report}");
        assert_eq!(report["inventory"]["node_known"], true, "{report}");
        report
    }

    /// It comes back in an empty directory, under another address.
    fn recover(&self, from: &Site, more: &str, activate: &[&str]) {
        let after = site(more);
        let running = after.start();
        create(&after, "other", self.kind);
        let at = |name: &str| after.place.beside(name).to_str().unwrap().to_owned();
        let (file, domain) = (at("offer.json"), at("recovered"));
        let node = offer(&after, &["other", "--out", &file]);
        fs::write(from.place.beside("new-policy.toml"), policy()).unwrap();
        let words =
            ["domain", "recover", "--domain", self.domain, "--policy", "new-policy.toml", "--without-approvals"];
        let keys = ["--key", "carol.key.pem", "--key", "alice.key.pem"];
        let files = ["--transfer-key", &file, "--node", &node, "--out", &domain];
        good(from.place.cli(&[&words[..], &keys, &files].concat()));
        good(after.vault(&[&["activate", "other", "--domain", &domain], activate].concat()));
        let folder = after.place.beside("backups/backups/kept");
        fs::create_dir_all(&folder).unwrap();
        fs::copy(self.file(from, "vault.ksbackup"), folder.join("vault.ksbackup")).unwrap();
        let client = json!({ "name": "other", "client": { "id": "golden", "secret": "golden-secret" } });
        good(as_client(&after, &client, &["restore", "start", "kept"]));
        let token = after.token(&client);
        self.has_its_key(from, &after.call("other", &token, "GET", "/keys/sign", "").ok());
        after.call("other", &token, "POST", "/keys/sign/sign", SIGN).ok();
        stop(running);
    }
}

fn policy() -> String {
    let of = "issuer = \"built-in\"\nsubject = \"golden\"\n";
    let secret = hex::encode(keystead_identity::secret_digest("golden-secret"));
    format!(
        "[[administrators]]\n{of}\n[[clients]]\nid = \"golden\"\nname = \"golden\"\nsubject = \"golden\"\n\
         secrets = [\"{secret}\"]\n\n[[assignments]]\nscope = \"/\"\nrole = \"Key Vault Crypto Officer\"\n\
         principal = {{ issuer = \"built-in\", subject = \"golden\" }}\n"
    )
}

fn whole_log(site: &Site) {
    good(site.place.cli(&["audit", "verify", "--data", site.place.data_str()]));
}

#[test]
fn what_the_first_release_wrote_is_unsealed_served_restored_and_rehearsed() {
    let site = unpacked("release-1", "");
    // The log on the disk is whole before anything is added to it, and after.
    whole_log(&site);
    let running = site.start();
    FIRST.unseal(&site);
    let token = FIRST.token(&site);
    FIRST.call(&site, &token, "POST", "/deletedkeys/gone/recover", "").ok();
    FIRST.serve_and_restore(&site);
    FIRST.call(&site, &token, "GET", "/deletedkeys/gone", "").ok();
    stop(running);
    whole_log(&site);
    let report = FIRST.rehearse(&site, &[]);
    assert_eq!(report["worked"], 4, "{report}");
    FIRST.recover(&site, "", &[]);
}

#[test]
fn what_the_second_release_wrote_is_unsealed_served_restored_recovered_and_rehearsed() {
    let tokens = tempfile::tempdir().unwrap();
    let token = Token::kept(tokens.path(), "golden", &golden("release-2").join("token.tar.gz"));
    let empty = |name: &str| Token::new(Maker::SoftHsm2, tokens.path(), name).section("wrapped");
    let site = unpacked("release-2", &token.section("wrapped"));
    whole_log(&site);
    let running = site.start();
    for vault in [SECOND, SECOND_HSM] {
        vault.unseal(&site);
        vault.serve_and_restore(&site);
        // Two have confirmed it, and what they signed is what this release takes.
        let confirmation = format!("{}/alice.confirmation.json", vault.domain);
        good(site.vault(&["confirm", vault.name, "--confirmation", &confirmation]));
        let shown: Value = serde_json::from_str(&good(site.vault(&["show", vault.name, "--output", "json"]))).unwrap();
        assert_eq!(shown["quorum"], json!({ "required": 2, "custodians": 3, "confirmed": 2 }));
    }
    approval(&site);
    stop(running);
    whole_log(&site);
    fs::write(site.place.beside("empty.toml"), empty("empty")).unwrap();
    for (vault, versions, more) in [(SECOND, 4, &[][..]), (SECOND_HSM, 3, &["--hsm", "empty.toml"][..])] {
        let report = vault.rehearse(&site, more);
        assert_eq!((&report["worked"], &report["difference_count"]), (&versions.into(), &0.into()), "{report}");
        // All is compared that a backup has: policy and settings, too.
        assert_eq!(report["not_compared"].as_array().unwrap().len(), 2, "{report}");
    }
    SECOND.recover(&site, "", &[]);
    SECOND_HSM.recover(&site, &empty("other"), &["--hsm", "other"]);
}

/// The purge that was approved and carried out: by the server's word, and by what was signed.
fn approval(site: &Site) {
    let proposal: Value = serde_json::from_slice(&fs::read(site.place.beside("proposal.json")).unwrap()).unwrap();
    let id = proposal["proposal"]["id"].as_str().unwrap();
    let token = SECOND.token(site);
    let now = SECOND.call(site, &token, "GET", &format!("/keystead/v1/approvals/{id}"), "").ok();
    assert_eq!((&now["state"], &now["proposal"]), (&"executed".into(), &proposal["proposal"]));
    let keys = ["--approver", "approver.pub.pem", "--needed", "1"];
    let verified = site.place.cli(&[&["approval", "verify", "--file", "proposal.json"], &keys[..]].concat());
    assert!(String::from_utf8_lossy(&verified.stderr).contains(&text(site)), "the text that was signed: {verified:?}");
    good(verified);
}

fn text(site: &Site) -> String {
    fs::read_to_string(site.place.beside("proposal.txt")).unwrap()
}
