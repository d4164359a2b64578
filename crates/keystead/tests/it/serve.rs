//! `keystead serve`: what a configuration may say, the path key's first start, and vaults that know nothing of one
//! another.

mod bounds;
mod certificate;
mod configuration;
mod custodians;
mod erase;
mod memory;
mod paths;
mod quorum;
mod recovery;
mod rotation;
mod security_domain;
mod steps;

use crate::support::{Http, Place, Reply};
use serde_json::Value;
use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::thread::sleep;
use std::time::Duration;

/// A place with a certificate and a configuration, and no `dev` before it.
struct Site {
    place: Place,
    config: PathBuf,
    key_file: PathBuf,
}

/// A running `keystead serve`. Dropped, it is killed.
struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

impl Site {
    /// Self-signed for `localhost`; the path key lies beside the data, in a directory that is not there yet.
    fn new() -> Self {
        let place = Place::new();
        let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
        fs::write(place.beside("chain.pem"), made.cert.pem()).unwrap();
        private(&place.beside("key.pem"), &made.signing_key.serialize_pem());
        let (config, key_file) = (place.beside("keystead.toml"), place.beside("keys/path.key"));
        let site = Self { place, config, key_file };
        fs::write(&site.config, site.text()).unwrap();
        site
    }

    /// The configuration, with every path in it.
    fn text(&self) -> String {
        let path = |name: &str| self.place.beside(name).display().to_string();
        format!(
            "[node]\ndata = \"{}\"\n\n[listen]\ntls = [\"127.0.0.1:{}\"]\ncertificate = \"{}\"\n\
             private_key = \"{}\"\n\n[custody]\nkey_file = \"{}\"\n",
            self.place.data_str(),
            self.place.port,
            path("chain.pem"),
            path("key.pem"),
            self.key_file.display()
        )
    }

    fn command(&self) -> Command {
        self.place.command(&["serve", "--config", self.config.to_str().unwrap()])
    }

    /// Started, and answering.
    fn start(&self) -> Running {
        self.start_with(&[])
    }

    /// The same, with more environment.
    fn start_with(&self, env: &[(&str, &str)]) -> Running {
        let log = fs::File::create(self.place.beside("serve.log")).unwrap();
        let mut command = self.command();
        command.envs(env.iter().copied());
        let mut running = Running(command.stdout(Stdio::null()).stderr(log).spawn().unwrap());
        while self.http().get("/keystead/v1/health").is_err() {
            let ended = running.0.try_wait().unwrap();
            assert!(ended.is_none(), "{}", self.log());
            sleep(Duration::from_millis(10));
        }
        running
    }

    fn log(&self) -> String {
        fs::read_to_string(self.place.beside("serve.log")).unwrap()
    }

    fn http(&self) -> Http {
        Http::new(&self.place.beside("chain.pem"), self.place.port)
    }

    /// `keystead vault WORDS...` at this server's socket.
    fn vault(&self, words: &[&str]) -> Output {
        self.operator("vault", words)
    }

    /// `keystead COMMAND WORDS...` at this server's socket.
    fn operator(&self, command: &str, words: &[&str]) -> Output {
        let socket = self.place.data.join("operator.sock");
        self.place.cli(&[&[command, "--socket", socket.to_str().unwrap()], words].concat())
    }

    /// A vault with one client that has every role on keys and reads the audit; as the command prints it.
    fn create(&self, name: &str) -> Value {
        let authority = format!("{name}.localhost:{}", self.place.port);
        let officer = ["--role", "Key Vault Crypto Officer", "--role", "Keystead Audit Reader", "--output", "json"];
        let words = [&["create", name, "--authority", &authority, "--retention", "7", "--client", "a"], &officer[..]];
        let made = self.vault(&words.concat());
        assert!(made.status.success(), "{made:?}");
        serde_json::from_slice(&made.stdout).unwrap()
    }

    /// A call at one of the vaults.
    fn call(&self, name: &str, token: &str, method: &str, path: &str, body: &str) -> Reply {
        let (host, bearer) = (format!("{name}.localhost:{}", self.place.port), format!("Bearer {token}"));
        let headers = [("host", host.as_str()), ("authorization", &bearer)];
        self.http().send(method, &format!("{path}?api-version=7.6"), &headers, body.as_bytes()).unwrap()
    }

    /// A token of a vault's own client.
    fn token(&self, made: &Value) -> String {
        let (name, client) = (made["name"].as_str().unwrap(), &made["client"]);
        let form = format!(
            "grant_type=client_credentials&client_id={}&client_secret={}&scope=https://localhost:{}/.default",
            client["id"].as_str().unwrap(),
            client["secret"].as_str().unwrap(),
            self.place.port
        );
        let host = format!("{name}.localhost:{}", self.place.port);
        let reply = self.http().send("POST", "/adfs/oauth2/v2.0/token", &[("host", &host)], form.as_bytes()).unwrap();
        reply.ok()["access_token"].as_str().unwrap().to_owned()
    }
}

fn stop(mut running: Running) {
    let kill = Command::new("kill").args(["-TERM", &running.0.id().to_string()]).status().unwrap();
    assert!(kill.success() && running.0.wait().unwrap().success());
}

/// Writes a file for its owner alone.
fn private(file: &Path, text: &str) {
    fs::write(file, text).unwrap();
    fs::set_permissions(file, fs::Permissions::from_mode(0o600)).unwrap();
}

fn said(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

#[test]
fn two_vaults_on_one_server_know_nothing_of_one_another() {
    let site = Site::new();
    let running = site.start();
    let (one, two) = (site.create("one"), site.create("two"));
    let (first, second) = (site.token(&one), site.token(&two));
    let mut kids = Vec::new();
    for (name, token, other) in [("one", &first, "two"), ("two", &second, "one")] {
        let made = site.call(name, token, "POST", "/keys/same/create", r#"{"kty":"EC"}"#).ok();
        kids.push(made["key"]["x"].as_str().unwrap().to_owned());
        assert!(made["key"]["kid"].as_str().unwrap().starts_with(&format!("https://{name}.localhost:")));
        site.call(name, token, "POST", &format!("/keys/only-{name}/create"), r#"{"kty":"EC"}"#).ok();
        for (method, path, body) in [
            ("GET", "/keys", ""),
            ("GET", "/keys/same", ""),
            ("POST", "/keys/same/create", r#"{"kty":"EC"}"#),
            ("DELETE", "/keys/same", ""),
            ("GET", "/keystead/v1/audit/records", ""),
            ("POST", "/keystead/v1/vault/seal", ""),
        ] {
            let reply = site.call(other, token, method, path, body);
            assert_eq!((reply.status, reply.receipt()), (401, None), "{name}'s token at {other}: {method} {path}");
            let challenge = reply.header("www-authenticate").unwrap();
            assert!(challenge.contains(&format!("https://{other}.localhost:")), "{challenge}");
        }
    }
    assert_ne!(kids[0], kids[1], "the same name in two vaults is two keys");
    for (name, token) in [("one", &first), ("two", &second)] {
        let list = site.call(name, token, "GET", "/keys", "").ok();
        let names: Vec<&str> = list["value"].as_array().unwrap().iter().map(|k| k["kid"].as_str().unwrap()).collect();
        assert!(names.len() == 2 && names.iter().all(|k| k.contains(&format!("//{name}."))), "{names:?}");
    }
    assert!(site.vault(&["seal", "one"]).status.success());
    assert_eq!(site.call("one", &first, "GET", "/keys", "").code(), "VaultSealed");
    site.call("two", &second, "GET", "/keys/only-two", "").ok();
    stop(running);
    let running = site.start();
    assert_eq!(site.call("one", &first, "GET", "/keys", "").code(), "VaultSealed");
    site.call("two", &second, "GET", "/keys/only-two", "").ok();
    stop(running);
}

#[test]
fn the_path_key_is_made_once_and_never_again() {
    let site = Site::new();
    let running = site.start();
    let key = fs::read(&site.key_file).unwrap();
    assert_eq!((key.len(), fs::metadata(&site.key_file).unwrap().permissions().mode() & 0o7777), (32, 0o600));
    stop(running);
    let running = site.start();
    assert_eq!(fs::read(&site.key_file).unwrap(), key, "the one that is there is used");
    let token = site.token(&site.create("one"));
    stop(running);

    fs::rename(&site.key_file, site.place.beside("aside")).unwrap();
    let running = site.start();
    assert_eq!(site.call("one", &token, "GET", "/keys", "").code(), "VaultSealed");
    assert!(!site.key_file.exists() && site.log().contains("is missing"), "{}", site.log());
    let refused = site.vault(&["unseal", "one"]);
    assert!(refused.status.code() == Some(3) && said(&refused).contains("does not exist"), "{refused:?}");
    stop(running);
    fs::rename(site.place.beside("aside"), &site.key_file).unwrap();
    let running = site.start();
    site.call("one", &token, "GET", "/keys", "").ok();
    stop(running);
}

#[test]
fn a_vault_that_cannot_be_is_refused_and_leaves_nothing() {
    let site = Site::new();
    let running = site.start();
    let authority = format!("one.localhost:{}", site.place.port);
    site.create("one");
    let before = site.vault(&["list", "--output", "json"]).stdout;
    let policy = site.place.beside("policy.toml");
    let policy = policy.to_str().unwrap();
    fs::write(policy, "[[assignments]]\nscope = \"/keys\"\nrole = \"Key Vault Crypto User\"\n").unwrap();
    let client = ["--client", "a", "--role", "Key Vault Crypto User"];
    let with = |words: &[&'static str]| [words, &client].concat();
    let cases: Vec<(Vec<&str>, i32, &str)> = vec![
        (with(&["ab", "--authority", "b.localhost:1"]), 2, "3 to 24"),
        (with(&["1abc", "--authority", "b.localhost:1"]), 2, "letter"),
        (with(&["Abc", "--authority", "b.localhost:1"]), 2, "a-z"),
        (with(&["a_bc", "--authority", "b.localhost:1"]), 2, "a-z"),
        (with(&["abcdefghijklmnopqrstuvwxy", "--authority", "b.localhost:1"]), 2, "3 to 24"),
        (with(&["one", "--authority", "b.localhost:1"]), 3, "already exists"),
        ([&["another", "--authority", &authority], &client[..]].concat(), 3, "already exists"),
        (with(&["another", "--authority", "https://b"]), 2, "without scheme"),
        (with(&["another"]), 2, "--authority"),
        (with(&["another", "--authority", "b.localhost:1", "--retention", "6"]), 2, "7..=90"),
        (with(&["another", "--authority", "b.localhost:1", "--retention", "91"]), 2, "7..=90"),
        (with(&["another", "--authority", "b.localhost:1", "--tenant", "a/b"]), 2, "tenant"),
        (vec!["another", "--authority", "b.localhost:1"], 2, "--policy"),
        (
            vec!["another", "--authority", "b.localhost:1", "--client", "a", "--role", "Owner"],
            2,
            "Key Vault Crypto Officer",
        ),
        (vec!["another", "--authority", "b.localhost:1", "--policy", policy], 2, "policy.toml:1"),
        (vec!["another", "--authority", "b.localhost:1", "--policy", "/nowhere"], 2, "/nowhere"),
        (with(&["another", "--authority", "b.localhost:1", "--kind", "hsm"]), 2, "kind hsm"),
    ];
    for (words, code, part) in cases {
        let refused = site.vault(&[&["create"], &words[..]].concat());
        assert_eq!(refused.status.code(), Some(code), "{words:?}: {}", said(&refused));
        assert!(said(&refused).contains(part) && refused.stdout.is_empty(), "{words:?}: {}", said(&refused));
    }
    fs::write(policy, "[[clients]]\nid = \"a\"\nname = \"a\"\nsubject = \"s\"\nsecrets = []\n").unwrap();
    let nobody = site.vault(&["create", "another", "--authority", "b.localhost:1", "--policy", policy]);
    assert!(nobody.status.code() == Some(2) && said(&nobody).contains("administrator"), "{nobody:?}");
    for words in [["show", "another"], ["seal", "another"], ["unseal", "another"]] {
        let refused = site.vault(&words);
        assert!(refused.status.code() == Some(3) && said(&refused).contains("another"), "{refused:?}");
    }
    let wrong_state = site.vault(&["unseal", "one"]);
    assert!(wrong_state.status.code() == Some(3) && said(&wrong_state).contains("open"), "{wrong_state:?}");
    assert_eq!(site.vault(&["list", "--output", "json"]).stdout, before);
    stop(running);
}

#[test]
fn a_policy_file_lets_in_whom_it_names_where_it_says() {
    let site = Site::new();
    let running = site.start();
    let secret = "correct horse battery staple".replace(' ', "-");
    let digest = hex::encode(keystead_identity::secret_digest(&secret));
    let policy = site.place.beside("policy.toml");
    let who = "principal = { issuer = \"built-in\", subject = \"s\" }";
    let text = format!(
        "[[administrators]]\nissuer = \"built-in\"\nsubject = \"admin\"\n\n\
         [[clients]]\nid = \"c1\"\nname = \"c\"\nsubject = \"s\"\nsecrets = [\"{digest}\"]\n\n\
         [[assignments]]\nscope = \"/keys/mine\"\nrole = \"Key Vault Crypto Officer\"\n{who}\n"
    );
    fs::write(&policy, text).unwrap();
    let authority = format!("pay.localhost:{}", site.place.port);
    let words = ["create", "pay", "--authority", &authority, "--policy", policy.to_str().unwrap(), "--output", "json"];
    let made = site.vault(&words);
    assert!(made.status.success() && !String::from_utf8_lossy(&made.stdout).contains("secret"), "{made:?}");
    let client = serde_json::json!({ "name": "pay", "client": { "id": "c1", "secret": secret } });
    let token = site.token(&client);
    site.call("pay", &token, "POST", "/keys/mine/create", r#"{"kty":"EC"}"#).ok();
    for (method, path, body) in [
        ("POST", "/keys/other/create", r#"{"kty":"EC"}"#),
        ("GET", "/keys", ""),
        ("GET", "/keys/other", ""),
        ("POST", "/keystead/v1/vault/seal", ""),
    ] {
        let reply = site.call("pay", &token, method, path, body);
        assert_eq!((reply.status, reply.code().as_str()), (403, "Forbidden"), "{method} {path}");
        assert!(reply.receipt().is_some());
    }
    stop(running);
}
