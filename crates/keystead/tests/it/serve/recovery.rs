//! A vault comes back from what its customer keeps: his security domain, M of its custodians and a backup. Fewer open
//! nothing.

mod activation;
mod every_command;
mod inventory;
mod release;
mod short;
mod tokens;

use super::quorum::{Customer, SIGN, asks, good, offer};
use super::{Running, Site, private, said, stop};
use serde_json::Value;
use std::fs;
use std::path::Path;
use std::process::{Output, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

/// A site whose server keeps backups in a directory of its own.
pub(super) fn site(more: &str) -> Site {
    let site = Site::new();
    let backups = site.place.beside("backups");
    private(&site.config, &format!("{}\n[backup]\ndirectory = {backups:?}\n\n{more}", site.text()));
    site
}

/// `keystead WORDS...` as the client of the vault that answers at `localhost`.
pub(super) fn as_client(site: &Site, client: &Value, words: &[&str]) -> Output {
    let url = format!("https://localhost:{}", site.place.port);
    let text = |member: &str| client["client"][member].as_str().unwrap().to_owned();
    let mut command = site.place.command(words);
    command.env("KEYSTEAD_VAULT_URL", &url).env("AZURE_AUTHORITY_HOST", &url).env("AZURE_TENANT_ID", "adfs");
    command.env("KEYSTEAD_CA_FILE", site.place.beside("chain.pem"));
    command.env("AZURE_CLIENT_ID", text("id")).env("AZURE_CLIENT_SECRET", text("secret")).output().unwrap()
}

/// Waits until what was done so far stands under a checkpoint of the vault's log.
fn checkpointed(site: &Site, client: &Value) {
    let size = || -> Option<u64> {
        let note = as_client(site, client, &["audit", "checkpoint"]);
        String::from_utf8_lossy(&note.stdout).lines().nth(1)?.parse().ok()
    };
    let before = size();
    good(as_client(site, client, &["key", "list"]));
    let end = Instant::now() + Duration::from_secs(60);
    while size() <= before {
        assert!(Instant::now() < end, "no checkpoint was signed");
        sleep(Duration::from_millis(100));
    }
}

/// A vault of custodians with keys of each kind, live and deleted; its backup and its inventory.
struct Before {
    customer: Customer,
    running: Option<Running>,
    token: String,
    folder: String,
}

impl Before {
    fn new() -> Self {
        let before = Self::empty("", &[], "vault");
        let site = &before.customer.site;
        let keys = [("sign", r#"{"kty":"EC"}"#), ("rsa", r#"{"kty":"RSA"}"#), ("gone", r#"{"kty":"EC"}"#)];
        for (name, body) in keys {
            site.call("pay", &before.token, "POST", &format!("/keys/{name}/create"), body).ok();
        }
        let tagged = r#"{"kty":"EC","crv":"P-384","tags":{"for":"payroll"},"attributes":{"enabled":false}}"#;
        site.call("pay", &before.token, "POST", "/keys/sign/create", r#"{"kty":"EC"}"#).ok();
        site.call("pay", &before.token, "POST", "/keys/tagged/create", tagged).ok();
        let secret = r#"{"key":{"kty":"oct","k":"AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8"}}"#;
        site.call("pay", &before.token, "PUT", "/keys/secret", secret).ok();
        site.call("pay", &before.token, "DELETE", "/keys/gone", "").ok();
        before.backed_up()
    }

    /// Activated, with nothing in it.
    fn empty(more: &str, activate: &[&str], kind: &str) -> Self {
        let customer = Customer::of(site(more));
        let site = &customer.site;
        let running = site.start();
        create(site, "pay", kind);
        customer.make_domain("domain");
        good(site.vault(&[&["activate", "pay", "--domain", "domain"], activate].concat()));
        let token = site.token(&customer.client);
        Self { customer, running: Some(running), token, folder: String::new() }
    }

    fn backed_up(mut self) -> Self {
        let (site, client) = (&self.customer.site, &self.customer.client);
        checkpointed(site, client);
        let made = good(as_client(site, client, &["backup", "start", "--output", "json"]));
        let made: Value = serde_json::from_str(&made).unwrap();
        let uri = made["azureStorageBlobContainerUri"].as_str().unwrap().to_owned();
        uri.rsplit('/').next().unwrap().clone_into(&mut self.folder);
        let inventory = as_client(site, client, &["backup", "inventory", "--out", "inventory.json"]);
        assert!(good(inventory).contains("signed by"));
        self
    }

    fn backup(&self) -> String {
        self.customer.file(&format!("backups/backups/{}/vault.ksbackup", self.folder))
    }

    /// The rehearsal with the keys of these custodians.
    fn rehearse(&self, custodians: &[&str], more: &[&str]) -> Output {
        let keys: Vec<String> = custodians.iter().map(|name| format!("{name}.key.pem")).collect();
        let keys: Vec<&str> = keys.iter().flat_map(|key| ["--key", key]).collect();
        let backup = self.backup();
        let words = ["rehearse", "--domain", "domain", "--backup", &backup, "--scratch", "scratch"];
        let done = self.customer.site.place.cli(&[&words[..], &keys, more].concat());
        assert!(!Path::new(&self.customer.file("scratch")).exists(), "the scratch directory is gone: {done:?}");
        done
    }

    /// `domain recover` for a vault that waits at another site.
    fn recover(&self, (offer, node): (&str, &str), custodians: &[&str], out: &str) -> Output {
        let keys: Vec<String> = custodians.iter().map(|name| format!("{name}.key.pem")).collect();
        let keys: Vec<&str> = keys.iter().flat_map(|key| ["--key", key]).collect();
        let words = ["domain", "recover", "--domain", "domain", "--policy", "policy.toml"];
        self.customer
            .site
            .place
            .cli(&[&words[..], &keys, &["--transfer-key", offer, "--node", node, "--out", out]].concat())
    }

    fn lose(&mut self) {
        drop(self.running.take());
        fs::remove_dir_all(&self.customer.site.place.data).unwrap();
    }
}

/// A vault that waits for the domain of its custodians, and answers at `localhost`, too.
pub(super) fn create(site: &Site, name: &str, kind: &str) {
    let port = site.place.port;
    let at = [format!("{name}.localhost:{port}"), format!("localhost:{port}")];
    let at = at.iter().flat_map(|authority| ["--authority", authority]);
    let words = ["create", name, "--custody", "quorum", "--kind", kind, "--retention", "7"];
    good(site.vault(&words.into_iter().chain(at).collect::<Vec<_>>()));
}

/// The domain of `before`, recovered into the vault `other` of another site: running, and the client of its policy.
fn recovered(before: &Before, after: &Site, kind: &str, activate: &[&str]) -> (Running, Value) {
    let running = after.start();
    create(after, "other", kind);
    let file = after.place.beside("offer.json").to_str().unwrap().to_owned();
    let node = offer(after, &["other", "--out", &file]);
    good(before.recover((&file, &node), &["carol", "alice"], "recovered"));
    let domain = before.customer.file("recovered");
    good(after.vault(&[&["activate", "other", "--domain", &domain], activate].concat()));
    let mut client = before.customer.client.clone();
    client["name"] = "other".into();
    (running, client)
}

/// The backup where the other site's server finds it.
fn carry(before: &Before, after: &Site) {
    let folder = after.place.beside("backups/backups").join(&before.folder);
    fs::create_dir_all(&folder).unwrap();
    fs::copy(before.backup(), folder.join("vault.ksbackup")).unwrap();
}

#[test]
fn m_custodians_and_a_backup_bring_a_vault_back_in_an_empty_directory_under_another_authority() {
    let mut before = Before::new();
    let made = before.customer.site.call("pay", &before.token, "GET", "/keys/sign", "").ok();
    before.lose();
    let after = site("");
    let (running, client) = recovered(&before, &after, "vault", &[]);
    let shown: Value = serde_json::from_str(&good(after.vault(&["show", "other", "--output", "json"]))).unwrap();
    assert_eq!((&shown["status"], &shown["quorum"]["confirmed"]), (&"open".into(), &0.into()), "{shown}");
    // Each custodian confirms the new record as he did the old one, and none the old one for the new vault.
    let confirmation = before.customer.file(&before.customer.confirm("bob", "recovered"));
    good(after.vault(&["confirm", "other", "--confirmation", &confirmation]));
    let foreign = before.customer.file(&before.customer.confirm("alice", "domain"));
    let refused = after.vault(&["confirm", "other", "--confirmation", &foreign]);
    assert!(!refused.status.success() && said(&refused).contains("another activation record"), "{refused:?}");
    carry(&before, &after);
    let restored = good(as_client(&after, &client, &["restore", "start", &before.folder]));
    assert!(restored.contains("key versions restored: 6"), "{restored}");
    // Its policy came back with it, so that its clients sign in as before.
    let token = after.token(&client);
    let again = after.call("other", &token, "GET", "/keys/sign", "").ok();
    assert_eq!((&again["key"]["x"], &again["key"]["y"]), (&made["key"]["x"], &made["key"]["y"]));
    let signed = after.call("other", &token, "POST", "/keys/sign/sign", SIGN).ok();
    assert!(signed["kid"].as_str().unwrap().starts_with("https://other.localhost:"), "{signed}");
    let digest = r#"{"alg":"PS256","value":"BwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwc"}"#;
    after.call("other", &token, "POST", "/keys/rsa/sign", digest).ok();
    after.call("other", &token, "POST", "/deletedkeys/gone/recover", "").ok();
    stop(running);
    // The same custodians open it at each start.
    let running = after.start();
    assert_eq!(after.call("other", &token, "GET", "/keys", "").code(), "VaultSealed");
    let challenge = after.place.beside("challenge").to_str().unwrap().to_owned();
    good(after.operator("unseal", &["other", "--out", &challenge]));
    for name in ["bob", "carol"] {
        let (key, answer) = (format!("{name}.key.pem"), before.customer.file(&format!("{name}.late")));
        let words = ["custodian", "answer", "--challenge", &challenge, "--domain", "recovered", "--key", &key];
        good(before.customer.site.place.cli(&[&words[..], &["--out", &answer]].concat()));
        good(after.operator("unseal", &["other", "--answer", &answer]));
    }
    after.call("other", &token, "POST", "/keys/sign/sign", SIGN).ok();
    stop(running);
}

#[test]
fn a_rehearsal_restores_compares_and_uses_every_key_and_leaves_nothing_behind() {
    let before = Before::new();
    let done = before.rehearse(&["alice", "bob"], &["--inventory", "inventory.json", "--output", "json"]);
    let report: Value = serde_json::from_str(&good(done)).unwrap();
    assert_eq!((&report["equal"], &report["keys"]), (&true.into(), &5.into()), "{report}");
    assert_eq!((&report["versions"], &report["worked"]), (&6.into(), &6.into()), "{report}");
    assert_eq!(report["inventory"]["node_known"], true, "{report}");
    let table = good(before.rehearse(&["bob", "carol"], &["--inventory", "inventory.json"]));
    assert!(table.contains("is there and works") && table.contains("6 of 6 versions"), "{table}");
    // Without an inventory it is said what was not compared.
    let alone = good(before.rehearse(&["alice", "carol"], &[]));
    assert!(alone.contains("not compared") && alone.contains("there is no inventory"), "{alone}");
    // A vault that went on has another inventory than the backup.
    let (site, client) = (&before.customer.site, &before.customer.client);
    site.call("pay", &before.token, "POST", "/keys/newer/create", r#"{"kty":"EC"}"#).ok();
    site.call("pay", &before.token, "PATCH", "/keys/rsa", r#"{"attributes":{"enabled":false}}"#).ok();
    checkpointed(site, client);
    good(as_client(site, client, &["backup", "inventory", "--out", "later.json"]));
    let later = before.rehearse(&["alice", "bob"], &["--inventory", "later.json", "--output", "json"]);
    assert!(later.status.code() == Some(1) && said(&later).contains("older than the inventory"), "{later:?}");
    let report: Value = serde_json::from_slice(&later.stdout).unwrap();
    let told: Vec<_> = report["differences"].as_array().unwrap().iter().map(|d| (&d["what"], &d["key"])).collect();
    assert!(told.contains(&(&"missing".into(), &"newer".into())), "{report}");
    assert!(told.contains(&(&"differs".into(), &"rsa".into())), "{report}");
    assert_eq!(report["difference_count"], 2, "{report}");
    // Taken with the backup, the log proves besides that it went on from the backup's head.
    let unproven = |report: &Value| report["not_compared"].to_string().contains("whether the log went on");
    assert!(unproven(&report), "{report}");
    let backup = before.backup();
    let taken = good(as_client(site, client, &["backup", "inventory", "--backup", &backup, "--out", "with.json"]));
    assert!(taken.contains("records go on from the backup's"), "{taken}");
    let with = before.rehearse(&["alice", "bob"], &["--inventory", "with.json", "--output", "json"]);
    let report: Value = serde_json::from_slice(&with.stdout).unwrap();
    assert!(report["difference_count"] == 2 && !unproven(&report), "{report}");
    let text = fs::read_to_string(before.customer.file("with.json")).unwrap();
    let at = text.rfind('"').unwrap() - 1;
    let other = if text.as_bytes()[at] == b'0' { "1" } else { "0" };
    fs::write(before.customer.file("other.json"), [&text[..at], other, &text[at + 1..]].concat()).unwrap();
    let other = before.rehearse(&["alice", "bob"], &["--inventory", "other.json", "--output", "json"]);
    let report: Value = serde_json::from_slice(&other.stdout).unwrap();
    assert!(report["difference_count"] == 3 && report["differences"].to_string().contains("does not hold"), "{report}");
    let foreign = as_client(site, client, &["backup", "inventory", "--backup", "alice.pem", "--out", "none.json"]);
    assert!(!foreign.status.success() && !Path::new(&before.customer.file("none.json")).exists(), "{foreign:?}");
    // An inventory that was changed, or cut short, is none.
    let whole = fs::read_to_string(before.customer.file("later.json")).unwrap();
    for (text, part) in [(whole.replace("newer", "never"), "signature"), (String::new(), "cut short")] {
        fs::write(before.customer.file("bad.json"), text).unwrap();
        let bad = before.rehearse(&["alice", "bob"], &["--inventory", "bad.json"]);
        assert!(bad.status.code() == Some(1) && said(&bad).contains(part), "{bad:?}");
    }
    // So is a backup that was.
    let file = before.backup();
    let mut bytes = fs::read(&file).unwrap();
    let at = bytes.len() - 40;
    bytes[at] ^= 1;
    fs::write(&file, bytes).unwrap();
    let altered = before.rehearse(&["alice", "bob"], &["--inventory", "inventory.json"]);
    assert!(altered.status.code() == Some(1) && said(&altered).contains("changed or damaged"), "{altered:?}");
}

#[test]
fn custodians_at_other_machines_answer_a_rehearsal_as_they_do_a_server() {
    let before = Before::empty("", &[], "vault").backed_up();
    let (place, backup) = (&before.customer.site.place, before.backup());
    let words = ["rehearse", "--domain", "domain", "--backup", &backup, "--scratch", "scratch"];
    let from = ["--key", "alice.key.pem", "--challenge", "asked.txt", "--answers", "answers"];
    // What cannot be answered asks nobody, and leaves nothing that would be in the way.
    let nowhere = place.cli(&[&words[..], &from].concat());
    assert!(nowhere.status.code() == Some(2) && said(&nowhere).contains("answers is no directory"), "{nowhere:?}");
    assert!(!place.beside("asked.txt").exists() && !place.beside("scratch").exists());
    fs::create_dir(place.beside("answers")).unwrap();
    fs::write(place.beside("answers/junk"), "no answer").unwrap();
    let log = fs::File::create(place.beside("rehearse.log")).unwrap();
    let mut waiting = place.command(&[&words[..], &from].concat()).stderr(log).stdout(Stdio::null()).spawn().unwrap();
    let told = || fs::read_to_string(place.beside("rehearse.log")).unwrap();
    let node = &asks(&mut waiting, &told);
    let words = ["custodian", "answer", "--challenge", "asked.txt", "--domain", "domain", "--key", "carol.key.pem"];
    let unknown = place.cli(&words);
    assert!(unknown.status.code() == Some(2), "nobody is there to compare words: {unknown:?}");
    good(place.cli(&[&words[..], &["--node", node, "--out", "answers/carol"]].concat()));
    assert!(waiting.wait().unwrap().success(), "{}", told());
    assert!(told().contains("junk: ") && told().contains("custodian 3 has answered"), "{}", told());
    assert!(!place.beside("asked.txt").exists(), "nothing answers it any more");
}

#[test]
fn a_domain_that_is_not_the_backups_is_refused_by_name() {
    let (before, other) = (Before::new(), Before::empty("", &[], "vault"));
    let (backup, own) = (before.backup(), &other.customer);
    let words = ["rehearse", "--domain", "domain", "--backup", &backup, "--scratch", "scratch"];
    let done = own.site.place.cli(&[&words[..], &["--key", "alice.key.pem", "--key", "bob.key.pem"]].concat());
    let id = |customer: &Customer| customer.record("domain").domain_public.id().to_string();
    let (ours, theirs) = (id(own), id(&before.customer));
    assert!(done.status.code() == Some(1) && said(&done).contains(&ours) && said(&done).contains(&theirs), "{done:?}");
    assert!(good(own.site.place.cli(&["backup", "show", "--file", &backup])).contains(&theirs));
    assert!(good(own.site.place.cli(&["domain", "show", "domain"])).contains(&ours));
    // A server refuses it, too.
    carry(&before, &own.site);
    let refused = as_client(&own.site, &own.client, &["restore", "start", &before.folder]);
    let names = said(&refused).contains(&ours) && said(&refused).contains(&theirs);
    assert!(!refused.status.success() && names, "{refused:?}");
}
