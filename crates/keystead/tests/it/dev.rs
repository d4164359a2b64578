//! `keystead dev`: what a first start leaves, what a restart keeps, sealing, and what must not stand on the disk.

mod canary;
mod clock;

use crate::matrix::{caller_rows, path};
use crate::support::{Place, Server, Vault};
use std::collections::BTreeSet;
use std::fs;
use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt as _;
use std::process::Stdio;
use std::thread::sleep;
use std::time::Duration;

const DIGEST: [u8; 32] = [7; 32];

fn mode(file: &std::path::Path) -> u32 {
    fs::metadata(file).unwrap().permissions().mode() & 0o7777
}

/// The operator's command, which must succeed; what it printed.
fn operator(place: &Place, words: &[&str]) -> String {
    let socket = place.data.join("operator.sock");
    let done = place.cli(&[&["vault", "--socket", socket.to_str().unwrap()], words].concat());
    assert!(done.status.success(), "{words:?}: {}", String::from_utf8_lossy(&done.stderr));
    String::from_utf8(done.stdout).unwrap()
}

/// Every route that needs a caller answers 403 with this code, without a challenge.
fn closed(server: &Server, token: &str, code: &str) {
    let mut http = server.http();
    let bearer = format!("Bearer {token}");
    for row in caller_rows() {
        let target = format!("{}?api-version=7.6", path(&row, "kept", "0"));
        let reply = http.send(row.method.as_str(), &target, &[("authorization", &bearer)], b"{}").unwrap();
        assert_eq!((reply.status, reply.code().as_str()), (403, code), "{} {}", row.method, row.pattern);
        assert!(reply.header("www-authenticate").is_none() && reply.receipt().is_none());
    }
    assert_eq!(http.get("/keystead/v1/health").unwrap().status, 503);
}

#[test]
fn a_first_start_leaves_all_that_a_client_needs_for_the_owner_alone_and_says_what_to_do() {
    let place = Place::new();
    let shown = place.beside("shown");
    let mut command = place.command(&["dev", "--data", place.data_str()]);
    command.args(["--listen", &format!("127.0.0.1:{}", place.port)]);
    command.args(["--listen-hsm", &format!("127.0.0.1:{}", place.hsm_port)]);
    let mut child = command.stdout(fs::File::create(&shown).unwrap()).stderr(Stdio::null()).spawn().unwrap();
    while !fs::read_to_string(&shown).unwrap().contains("Ctrl-C") {
        assert!(child.try_wait().unwrap().is_none(), "it ended");
        sleep(Duration::from_millis(5));
    }
    let (port, hsm, env) = (place.port, place.hsm_port, place.data.join("dev.env"));
    let banner = fs::read_to_string(&shown).unwrap();
    for part in [
        "Keystead is ready".to_owned(),
        format!("https://dev.localhost:{port}"),
        format!("https://dev-hsm.localhost:{hsm}"),
        "waits for an HSM, setting [[hsm]]".to_owned(),
        format!("set -a; . {}; set +a", env.display()),
        format!("{} key create payments --kty EC", env!("CARGO_BIN_EXE_keystead")),
    ] {
        assert!(banner.contains(&part), "{part} is not in: {banner}");
    }
    let text = fs::read_to_string(&env).unwrap();
    let names: BTreeSet<&str> = text.lines().map(|l| l.split_once('=').unwrap().0).collect();
    let expected = [
        "AZURE_AUTHORITY_HOST",
        "AZURE_CLIENT_ID",
        "AZURE_CLIENT_SECRET",
        "AZURE_IDENTITY_DISABLE_MULTITENANTAUTH",
        "AZURE_TENANT_ID",
        "IDENTITY_ENDPOINT",
        "IDENTITY_HEADER",
        "KEYSTEAD_CA_FILE",
        "KEYSTEAD_HSM_URL",
        "KEYSTEAD_VAULT_URL",
        "NODE_EXTRA_CA_CERTS",
        "REQUESTS_CA_BUNDLE",
        "SSL_CERT_FILE",
    ];
    assert_eq!(names, BTreeSet::from(expected));
    for file in [
        "dev.env",
        "dev.client",
        "clock",
        "path.key",
        "node.key",
        "store/keystead.db",
        "tls/ca.key",
        "tls/server.key",
        "operator.sock",
    ] {
        assert_eq!(mode(&place.data.join(file)), 0o600, "{file}");
    }
    for directory in ["", "store", "audit", "tls"] {
        assert_eq!(mode(&place.data.join(directory)), 0o700, "{directory}");
    }
    let kill = std::process::Command::new("kill").args(["-TERM", &child.id().to_string()]).status().unwrap();
    assert!(kill.success() && child.wait().unwrap().success());
}

#[test]
fn the_second_vault_is_at_the_next_port_if_no_other_is_given() {
    let place = std::iter::repeat_with(Place::new).find(|place| place.hsm_port == place.port + 1).unwrap();
    let server = place.dev_at(&["--listen", &format!("127.0.0.1:{}", place.port)], &[]).unwrap();
    assert_eq!(server.env["KEYSTEAD_HSM_URL"], format!("https://localhost:{}", place.port + 1));
    let health = server.http_at(place.port + 1).get("/keystead/v1/health").unwrap();
    assert_eq!((health.status, &health.json()["state"]), (503, &"inactive".into()));
    assert_eq!(server.http().get("/keystead/v1/health").unwrap().ok()["state"], "open");
    assert!(server.stop().success());
    let last = Place::new().cli(&["dev", "--listen", "127.0.0.1:65535"]);
    assert_eq!(last.status.code(), Some(2), "{last:?}");
    assert!(String::from_utf8_lossy(&last.stderr).contains("give --listen-hsm"), "{last:?}");
}

#[test]
fn a_restart_keeps_keys_ca_client_and_tokens() {
    let place = Place::new();
    let server = place.dev();
    let mut vault = server.vault();
    let (client, secret) = (server.env["AZURE_CLIENT_ID"].clone(), server.env["AZURE_CLIENT_SECRET"].clone());
    let ca = fs::read(place.data.join("tls/ca.pem")).unwrap();
    vault.create("kept", "EC").unwrap().ok();
    let key = vault.get("kept").unwrap().ok();
    let token = vault.token.clone();
    assert!(server.stop().success(), "SIGTERM");

    let server = place.dev();
    assert_eq!((&server.env["AZURE_CLIENT_ID"], &server.env["AZURE_CLIENT_SECRET"]), (&client, &secret));
    assert_eq!(fs::read(place.data.join("tls/ca.pem")).unwrap(), ca);
    let mut vault = Vault { http: server.http(), token };
    assert_eq!(vault.get("kept").unwrap().ok(), key, "with the token of before");
    assert_eq!(server.vault().sign("kept", &DIGEST).unwrap().ok()["kid"], key["key"]["kid"]);
    assert!(server.stop().success());
}

#[test]
fn dev_env_is_there_only_while_the_server_was_ready() {
    let place = Place::new();
    assert!(place.dev().stop().success());
    let env = place.data.join("dev.env");
    assert!(env.exists());
    let taken = TcpListener::bind(("127.0.0.1", place.port)).unwrap();
    let listen = format!("127.0.0.1:{}", place.port);
    let failed = place.cli(&["dev", "--data", place.data_str(), "--listen", &listen]);
    assert_eq!(failed.status.code(), Some(4));
    let text = String::from_utf8_lossy(&failed.stderr);
    assert!(text.contains(&listen) && text.contains("cannot listen"), "{text}");
    assert!(!env.exists(), "it would lead clients to a server that is not there");
    drop(taken);
    assert!(place.dev().stop().success());
}

#[test]
fn a_vault_of_kind_hsm_names_the_setting_it_waits_for() {
    let place = Place::new();
    let server = place.dev();
    for token in [None, Some("Bearer a.b.c")] {
        let headers: Vec<_> = token.map(|t| ("authorization", t)).into_iter().collect();
        let reply = server.http_at(place.hsm_port).send("GET", "/keys?api-version=7.6", &headers, b"").unwrap();
        assert_eq!((reply.status, reply.code().as_str()), (403, "VaultNotActivated"));
        let message = reply.json()["error"]["message"].as_str().unwrap().to_owned();
        assert!(message.contains("[[hsm]]"), "{message}");
    }
    assert!(server.stop().success());
}

#[test]
fn without_its_path_key_or_with_another_the_vault_starts_sealed_on_every_route() {
    let place = Place::new();
    let server = place.dev();
    let mut vault = server.vault();
    vault.create("kept", "EC").unwrap().ok();
    let token = vault.token.clone();
    assert!(server.stop().success());
    let (file, aside) = (place.data.join("path.key"), place.beside("aside"));
    fs::rename(&file, &aside).unwrap();

    let server = place.dev();
    closed(&server, &token, "VaultSealed");
    assert!(!file.exists(), "a new key would open nothing");
    assert!(server.log().contains("path.key is missing"), "{}", server.log());
    assert!(server.stop().success());

    fs::write(&file, [7; 32]).unwrap();
    fs::set_permissions(&file, fs::Permissions::from_mode(0o600)).unwrap();
    let server = place.dev();
    closed(&server, &token, "VaultSealed");
    let socket = place.data.join("operator.sock");
    let refused = place.cli(&["vault", "unseal", "dev", "--socket", socket.to_str().unwrap()]);
    assert_eq!(refused.status.code(), Some(3), "{refused:?}");
    assert!(String::from_utf8_lossy(&refused.stderr).contains("does not open"), "{refused:?}");
    assert!(server.stop().success());

    for (bytes, permissions, part) in [(vec![7; 31], 0o600, "32 bytes"), (vec![7; 32], 0o640, "chmod 600")] {
        fs::write(&file, bytes).unwrap();
        fs::set_permissions(&file, fs::Permissions::from_mode(permissions)).unwrap();
        let Err(ended) = place.dev_with(&[]) else { panic!("it started with a key file that is none") };
        assert_eq!(ended.status.code(), Some(2), "{}", ended.text);
        assert!(ended.text.contains(part) && ended.text.contains("path.key"), "{}", ended.text);
    }
    fs::rename(&aside, &file).unwrap();
    let server = place.dev();
    server.vault().sign("kept", &DIGEST).unwrap().ok();
    assert!(server.stop().success());
}

#[test]
fn a_seal_by_operator_or_administrator_lasts_over_a_restart_until_the_operator_unseals() {
    let place = Place::new();
    let mut server = place.dev();
    let mut vault = server.vault();
    let kid = vault.create("kept", "EC").unwrap().ok()["key"]["kid"].clone();
    for by_administrator in [false, true] {
        let token = server.vault().token;
        let mut vault = Vault { http: server.http(), token: token.clone() };
        if by_administrator {
            let sealed = vault.call("POST", "/keystead/v1/vault/seal", None).unwrap();
            assert!(sealed.status == 204 && sealed.receipt().is_some(), "{sealed:?}");
        } else {
            let shown = operator(&place, &["seal", "dev", "--output", "json"]);
            assert_eq!(serde_json::from_str::<serde_json::Value>(&shown).unwrap()["status"], "sealed");
        }
        closed(&server, &token, "VaultSealed");
        assert!(server.stop().success());
        server = place.dev();
        closed(&server, &token, "VaultSealed");
        let shown = operator(&place, &["unseal", "dev", "--output", "json"]);
        assert_eq!(serde_json::from_str::<serde_json::Value>(&shown).unwrap()["status"], "open");
        assert_eq!(server.vault().sign("kept", &DIGEST).unwrap().ok()["kid"], kid);
    }
    let records = server.vault().records(0);
    let count = |action: &str| records.iter().filter(|r| r["action"] == action).count();
    assert_eq!((count("vault/sealed"), count("vault/seal"), count("vault/unsealed")), (1, 1, 2), "{records:#?}");
    let verified = place.cli(&["audit", "verify", "--data", place.data_str()]);
    assert!(verified.status.success(), "{verified:?}");
    assert!(server.stop().success());
}
