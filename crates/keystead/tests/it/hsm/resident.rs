//! Resident keys: in their token for good, until a purge or the sweep takes them out.

use super::bed::{self, Maker, Token, create, hsm_file, name, run, sign};
use super::vault;
use crate::inside::{moment, now};
use crate::support::{Place, b64};
use keystead_engine::{DeleteKey, NODE_LOG, PurgeKey};
use keystead_model::{Action, KeySpec, Placement};
use serde_json::json;
use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::time::{Duration, Instant};

/// How a backup or a restore ended.
fn ended(hsm: &mut crate::support::Vault, what: &str, job: &serde_json::Value) -> serde_json::Value {
    let pending = format!("/{what}/{}/pending", job["jobId"].as_str().unwrap_or_else(|| panic!("{job}")));
    let until = Instant::now() + Duration::from_secs(30);
    loop {
        let status = hsm.call("GET", &pending, None).unwrap().ok();
        if status["status"] != "InProgress" {
            return status;
        }
        assert!(Instant::now() < until, "{status}");
        std::thread::sleep(Duration::from_millis(100));
    }
}

#[test]
fn resident_keys_work_have_no_backup_and_leave_the_token_with_the_purge() {
    let place = Place::new();
    let token = Token::new(Maker::SoftHsm2, &place.beside("tokens"), "main");
    let file = hsm_file(&place.beside("hsm.toml"), &[&token], "resident");
    let (first, second) = (format!("127.0.0.1:{}", place.port), format!("127.0.0.1:{}", place.hsm_port));
    let server = place.dev_at(&["--hsm", &file, "--listen", &first, "--listen-hsm", &second], &[]).unwrap();
    let mut hsm = vault(&place, &server);
    for (key, kty) in [("ec", "EC-HSM"), ("rsa", "RSA-HSM"), ("oct", "oct-HSM")] {
        hsm.call("POST", &format!("/keys/{key}/create"), Some(&json!({"kty": kty}))).unwrap().ok();
    }
    for (key, alg) in [("ec", "ES256"), ("rsa", "PS256")] {
        let signed = hsm.call("POST", &format!("/keys/{key}/sign"), Some(&json!({"alg": alg, "value": b64(&[7; 32])})));
        let check = json!({"alg": alg, "digest": b64(&[7; 32]), "value": signed.unwrap().ok()["value"]});
        assert_eq!(hsm.call("POST", &format!("/keys/{key}/verify"), Some(&check)).unwrap().ok()["value"], true);
    }
    let sealed = hsm.encrypt("oct", b"plain").unwrap().ok();
    assert_eq!(crate::support::Vault::plain(&hsm.decrypt("oct", &sealed).unwrap()), b"plain");
    let refused = hsm.call("POST", "/keys/ec/backup", None).unwrap();
    assert_eq!(refused.status, 400, "{}", refused.message());
    assert!(refused.message().contains("resident key never leaves its HSM"), "{}", refused.message());
    let to = json!({ "storageResourceUri": format!("https://localhost:{}/backups", place.hsm_port) });
    let job = hsm.call("POST", "/backup", Some(&to)).unwrap().json();
    let whole = ended(&mut hsm, "backup", &job);
    let said = "Number of key versions backed up: 0, resident in the HSM and not backed up: 3";
    assert_eq!(whole["statusDetails"], said, "{whole}");
    // A restore leaves them as they are: it has nothing to put in their place.
    let folder = whole["azureStorageBlobContainerUri"].as_str().unwrap().rsplit_once('/').unwrap().1.to_owned();
    let from = json!({ "sasTokenParameters": to, "folderToRestore": folder });
    let job = hsm.call("PUT", "/restore", Some(&from)).unwrap().json();
    let restored = ended(&mut hsm, "restore", &job);
    assert_eq!(restored["status"], "Succeeded", "{restored}");
    assert!(!restored["statusDetails"].as_str().unwrap().contains("deleted"), "{restored}");
    hsm.sign("ec", &[7; 32]).unwrap().ok();
    let keys = || token.labels().into_iter().filter(|label| label.starts_with("keystead key ")).collect::<Vec<_>>();
    let all = keys();
    assert!(all.len() == 3 && all.iter().all(|label| *label == all[0] && label.len() == 13 + 32), "{all:?}");
    hsm.delete("ec").unwrap();
    assert_eq!(keys().len(), 3, "a deleted key can be recovered");
    hsm.recover("ec").unwrap();
    hsm.delete("rsa").unwrap();
    assert_eq!(hsm.purge("rsa").unwrap().status, 204);
    let until = Instant::now() + Duration::from_secs(30);
    while keys().len() != 2 {
        assert!(Instant::now() < until, "{:?}", keys());
        std::thread::sleep(Duration::from_millis(200));
    }
    hsm.sign("ec", &[7; 32]).unwrap().ok();
    assert!(server.stop().success());
}

/// The caller is told to read the log.
#[test]
fn what_a_token_failed_with_is_in_the_servers_log() {
    let place = Place::new();
    let token = Token::new(Maker::SoftHsm2, &place.beside("tokens"), "small");
    let file = hsm_file(&place.beside("hsm.toml"), &[&token], "resident");
    let (first, second) = (format!("127.0.0.1:{}", place.port), format!("127.0.0.1:{}", place.hsm_port));
    let server = place.dev_at(&["--hsm", &file, "--listen", &first, "--listen-hsm", &second], &[]).unwrap();
    let mut hsm = vault(&place, &server);
    let objects = fs::read_dir(token.objects()).unwrap().next().unwrap().unwrap().path();
    fs::set_permissions(&objects, fs::Permissions::from_mode(0o500)).unwrap();
    let refused = hsm.call("POST", "/keys/pay/create", Some(&json!({"kty": "EC-HSM"}))).unwrap();
    assert_eq!(refused.status, 503, "{}", refused.message());
    let log = server.log();
    let line = log.lines().find(|line| line.contains("generate") && line.contains("CKR_"));
    assert!(line.is_some_and(|line| line.contains("small")), "{log}");
    fs::set_permissions(&objects, fs::Permissions::from_mode(0o700)).unwrap();
    hsm.call("POST", "/keys/pay/create", Some(&json!({"kty": "EC-HSM"}))).unwrap().ok();
    assert!(server.stop().success());
}

/// Puts an AES key into the token, as a crash or a stranger might have.
fn put(token: &Token, label: &str, id: &str) {
    token.with_pin(&["--keygen", "--key-type", "AES:32", "--sensitive", "--label", label, "--id", id]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_sweep_takes_the_vaults_own_orphans_out_and_nothing_else() {
    let dir = tempfile::tempdir().unwrap();
    let token = Token::new(Maker::SoftHsm2, dir.path(), "main");
    let client = token.client();
    let node = bed::node(dir.path(), std::slice::from_ref(&client), Placement::Resident).await;
    let (one, two) = (bed::vault(&node, "one", &["main"]).await, bed::vault(&node, "two", &["main"]).await);
    create(&one, "live", KeySpec::EcP256).await;
    create(&one, "deleted", KeySpec::EcP256).await;
    create(&two, "other", KeySpec::EcP256).await;
    run(&one, DeleteKey { name: name("deleted") }).await.unwrap();
    let label = |vault: &keystead_engine::Vault| format!("keystead key {}", vault.info().id);
    let stranger = format!("keystead key {}", "5a".repeat(16));
    put(&token, &label(&one), &"0a".repeat(16));
    put(&token, &stranger, &"0b".repeat(16));
    put(&token, "somebody's key", &"0c".repeat(16));
    let before = token.labels();
    let (start, minute) = (now(), 60_000);
    let sweep = async |minutes: i64| node.instance.sweep(moment(start.plus_millis(minutes * minute))).await;
    assert_eq!((sweep(0).await, sweep(9).await), (0, 0), "it may be in the making");
    assert_eq!(token.labels(), before);
    assert_eq!(sweep(20).await, 1);
    let mut after = before.clone();
    after.remove(after.iter().position(|found| *found == label(&one)).unwrap());
    assert_eq!(token.labels(), after);
    let recorded = node.journal.tail(NODE_LOG, 1).unwrap().remove(0).1;
    assert_eq!(
        (recorded.action(), recorded.object().map(|id| *id.as_bytes())),
        (Some(Action::OrphansDestroyed), Some(*one.info().id.as_bytes()))
    );
    sign(&one, "live").await.unwrap();
    sign(&two, "other").await.unwrap();
    run(&one, PurgeKey { name: name("deleted") }).await.unwrap();
    assert_eq!(sweep(21).await, 0, "a purged key is no orphan, and goes at once");
    assert_eq!(token.labels().len(), after.len() - 1);
    put(&token, &label(&one), &"0d".repeat(16));
    assert_eq!(sweep(600).await, 0);
    node.instance.watch_clock(moment(start.plus_millis(700 * minute)), 0).await;
    assert_eq!(sweep(700).await, 0, "the clock is doubted");
    assert_eq!(token.labels().len(), after.len());
    client.stop().await;
    node.close().await;
}
