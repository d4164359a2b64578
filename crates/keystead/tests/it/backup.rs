//! Backups of the whole vault by the real command at a real server: what is made is restored, and kills in the midst
//! cost nothing.

use crate::support::{Place, Server, Vault};
use serde_json::Value;
use std::fs;
use std::io::{BufRead as _, BufReader};
use std::ops::Range;
use std::path::PathBuf;
use std::process::Stdio;
use std::thread::sleep;
use std::time::{Duration, Instant};

fn json(place: &Place, words: &[&str]) -> Value {
    let done = place.cli(&[words, &["--output", "json"]].concat());
    let (out, error) = (String::from_utf8_lossy(&done.stdout), String::from_utf8_lossy(&done.stderr));
    assert!(done.status.success(), "{words:?}: {out}{error}");
    serde_json::from_str(&out).unwrap()
}

fn table(place: &Place, words: &[&str]) -> String {
    let done = place.cli(words);
    assert!(done.status.success(), "{words:?}: {}", String::from_utf8_lossy(&done.stderr));
    String::from_utf8(done.stdout).unwrap()
}

/// The backup's folder in the server's own directory.
fn folder(job: &Value) -> String {
    let uri = job["azureStorageBlobContainerUri"].as_str().unwrap_or_else(|| panic!("{job}"));
    uri.rsplit('/').next().unwrap().to_owned()
}

fn files(place: &Place) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut left = vec![place.data.join("backups")];
    while let Some(directory) = left.pop() {
        for entry in fs::read_dir(directory).into_iter().flatten() {
            let path = entry.unwrap().path();
            if path.is_dir() { left.push(path) } else { found.push(path) }
        }
    }
    found
}

fn ended(vault: &mut Vault, kind: &str, job: &str) -> Value {
    let end = Instant::now() + Duration::from_secs(120);
    loop {
        let reply = vault.call("GET", &format!("/{kind}/{job}/pending"), None).unwrap();
        let status = reply.ok();
        if status["status"] != "InProgress" {
            return status;
        }
        assert!(Instant::now() < end, "{status}");
        sleep(Duration::from_millis(100));
    }
}

#[test]
fn the_command_line_backs_up_verifies_lists_shows_and_restores() {
    let place = Place::new();
    let _server = place.dev();
    for name in ["one", "two"] {
        table(&place, &["key", "create", name, "--kty", "EC"]);
    }
    let key = json(&place, &["key", "show", "one"]);
    assert!(table(&place, &["backup", "start", "--check"]).contains("Succeeded"));
    assert_eq!(files(&place), Vec::<PathBuf>::new());
    let made = json(&place, &["backup", "start"]);
    let folder = folder(&made);
    assert!(made["receipt"].as_str().unwrap().starts_with("1."), "{made}");
    let file = place.data.join("backups/backups").join(&folder).join("vault.ksbackup");
    assert_eq!(files(&place), std::slice::from_ref(&file));
    let shown = table(&place, &["backup", "show", "--file", file.to_str().unwrap()]);
    assert!(shown.contains("revision") && shown.contains("keystead/"), "{shown}");
    assert!(table(&place, &["backup", "show", made["jobId"].as_str().unwrap()]).contains("key versions backed up: 2"));
    assert!(table(&place, &["backup", "verify", &folder]).contains("key versions read: 2"));
    assert!(table(&place, &["restore", "start", &folder]).contains("key versions restored: 2"));
    for words in [["key", "delete", "one"].as_slice(), &["key", "purge", "one", "--yes"]] {
        table(&place, words);
    }
    let older = place.cli(&["restore", "start", &folder]);
    let why = String::from_utf8_lossy(&older.stderr).into_owned();
    assert!(older.status.code() == Some(3) || why.contains("changed since"), "{why}");
    let one = json(&place, &["restore", "key", "one", &folder]);
    assert!(table(&place, &["restore", "show", one["jobId"].as_str().unwrap()]).contains("Succeeded"));
    assert_eq!(json(&place, &["key", "show", "one"])["key"], key["key"]);
    let listed = json(&place, &["backup", "list"]);
    assert_eq!(listed["value"].as_array().unwrap().len(), 5, "{listed}");
    assert!(table(&place, &["backup", "list"]).contains("restore"));
    // What is not whole is named, with the exit code of a check that failed.
    let whole = fs::read(&file).unwrap();
    fs::write(&file, &whole[..whole.len() - 10]).unwrap();
    let cut = place.cli(&["backup", "verify", &folder]);
    assert_eq!(cut.status.code(), Some(1), "{}", String::from_utf8_lossy(&cut.stderr));
    assert!(String::from_utf8_lossy(&cut.stderr).contains("cut short"));
    // So is what is none from its first byte on, or has another header.
    let altered: Vec<u8> = whole.iter().enumerate().map(|(at, byte)| byte ^ u8::from(at == 40)).collect();
    for bytes in [b"".as_slice(), b"not a backup".as_slice(), &altered[..]] {
        fs::write(&file, bytes).unwrap();
        let bad = place.cli(&["backup", "verify", &folder, "--output", "json"]);
        assert_eq!(bad.status.code(), Some(1), "{}", String::from_utf8_lossy(&bad.stderr));
        let error: serde_json::Value = serde_json::from_slice(last_line(&bad.stderr)).unwrap();
        assert_eq!(error["error"]["exit_code"], 1, "{error}");
    }
    let audit = table(&place, &["audit", "tail", "-n", "200"]);
    for action in ["backup/start", "backup/continue", "restore/start", "keys/restore-from-backup"] {
        assert!(audit.contains(action), "{audit}");
    }
}

fn last_line(bytes: &[u8]) -> &[u8] {
    bytes.trim_ascii_end().rsplit(|byte| *byte == b'\n').next().unwrap()
}

/// Keys enough for work that takes a while.
fn filled(server: &Server, keys: usize) {
    made(server, 0..keys, &serde_json::json!({ "kty": "EC" }));
}

/// The keys of these numbers, four at a time.
fn made(server: &Server, keys: Range<usize>, parameters: &Value) {
    let vault = server.vault();
    std::thread::scope(|threads| {
        for part in 0..4 {
            let (mut vault, own) = (vault.another(), keys.clone().skip(part).step_by(4));
            threads.spawn(move || {
                for n in own {
                    vault.call("POST", &format!("/keys/key-{n}/create"), Some(parameters)).unwrap().ok();
                }
            });
        }
    });
}

/// Healthy, and what is under way is named. Whether it was under way when the server was killed: a job that had ended
/// is not at work at the next start.
fn is_healthy(place: &Place, vault: &mut Vault, kind: &str, job: &str) -> bool {
    let before = vault.call("GET", &format!("/{kind}/{job}/pending"), None).unwrap().ok();
    let socket = place.data.join("operator.sock");
    let found = json(place, &["doctor", "--socket", socket.to_str().unwrap()]);
    let after = vault.call("GET", &format!("/{kind}/{job}/pending"), None).unwrap().ok();
    let named = found["findings"].as_array().unwrap().iter().any(|f| {
        f["what"] == "job" && f["name"] == job && f["says"].as_str().unwrap().starts_with(&format!("{kind} under way"))
    });
    if before["status"] == "InProgress" && after["status"] == "InProgress" {
        assert!(named, "{found}");
    }
    before["status"] == "InProgress"
}

#[test]
fn a_backup_and_a_restore_go_on_after_kills_and_every_key_signs_as_before() {
    let place = Place::new();
    let mut server = place.dev();
    filled(&server, 400);
    let mut vault = server.vault();
    let signed = vault.sign("key-7", &[7; 32]).unwrap().ok();
    let to = serde_json::json!({ "storageResourceUri": format!("https://localhost:{}/backups", place.port) });
    let begun = vault.call("POST", "/backup", Some(&to)).unwrap();
    assert_eq!(begun.status, 202, "{begun:?}");
    let job = begun.json()["jobId"].as_str().unwrap().to_owned();
    for pause in [0, 300, 700, 1_000, 1_100] {
        sleep(Duration::from_millis(pause));
        server.kill();
        assert!(files(&place).iter().filter(|f| f.extension() == Some("ksbackup".as_ref())).count() <= 1);
        server = place.dev();
        is_healthy(&place, &mut server.vault(), "backup", &job);
    }
    let done = ended(&mut server.vault(), "backup", &job);
    assert_eq!(done["status"], "Succeeded", "{done}");
    let folder = folder(&done);
    let mut vault = server.vault();
    for name in ["key-7", "key-8"] {
        vault.delete(name).unwrap().ok();
        assert_eq!(vault.call("DELETE", &format!("/deletedkeys/{name}"), None).unwrap().status, 204);
    }
    let from = serde_json::json!({ "sasTokenParameters": to, "folderToRestore": folder, "rollback": true });
    let (mut met, mut rounds) = (0, 0);
    // A machine may be so fast that a kill comes too late: then it is restored once more.
    while met == 0 {
        rounds += 1;
        assert!(rounds < 6, "no kill met the restore at work");
        let begun = vault.call("PUT", "/restore", Some(&from)).unwrap();
        assert_eq!(begun.status, 202, "{begun:?}");
        let job = begun.json()["jobId"].as_str().unwrap().to_owned();
        for pause in [0, 300, 700, 1_000, 1_100] {
            sleep(Duration::from_millis(pause));
            server.kill();
            server = place.dev();
            met += usize::from(is_healthy(&place, &mut server.vault(), "restore", &job));
        }
        vault = server.vault();
        let done = ended(&mut vault, "restore", &job);
        assert_eq!(done["status"], "Succeeded", "{done}");
    }
    let kid = signed["kid"].as_str().unwrap();
    let body = serde_json::json!({
        "alg": "ES256", "digest": "BwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwc", "value": signed["value"],
    });
    let version = kid.rsplit('/').next().unwrap();
    let verified = vault.call("POST", &format!("/keys/key-7/{version}/verify"), Some(&body)).unwrap();
    assert_eq!(verified.ok()["value"], true);
    for n in [0, 8, 399] {
        vault.sign(&format!("key-{n}"), &[1; 32]).unwrap().ok();
    }
    assert!(server.stop().success());
    assert!(table(&place, &["audit", "verify", "--data", place.data_str()]).contains("whole"));
}

#[test]
fn a_server_that_is_killed_at_any_printed_step_of_a_backup_or_a_restore_goes_on_with_it() {
    let place = Place::new();
    let mut server = place.dev();
    filled(&server, 1_200);
    let mut vault = server.vault();
    let signed: Vec<Value> =
        [0, 7, 600, 1_199].iter().map(|n| vault.sign(&format!("key-{n}"), &[7; 32]).unwrap().ok()).collect();
    let all_sign = |vault: &mut Vault| {
        for before in &signed {
            let kid = before["kid"].as_str().unwrap();
            assert_eq!(vault.sign(kid, &[1; 32]).unwrap().ok()["kid"], kid);
        }
    };
    let (mut from, mut most) = (String::new(), 0);
    for kind in ["backup", "restore"] {
        let mut met = 0;
        for wanted in 1..=4 {
            let more = if kind == "backup" { vec![] } else { vec!["--rollback", from.as_str()] };
            let mut command = place.command(&[&[kind, "start"], &more[..]].concat());
            let mut working = command.envs(&server.env).stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
            let mut lines = BufReader::new(working.stderr.take().unwrap()).lines().map_while(Result::ok);
            let first = lines.next().unwrap();
            let job = first.strip_prefix("job ").unwrap_or_else(|| panic!("{first}")).to_owned();
            most = most.max(1 + lines.take(wanted - 1).count());
            server.kill();
            working.wait().unwrap();
            server = place.dev();
            met += usize::from(is_healthy(&place, &mut server.vault(), kind, &job));
            all_sign(&mut server.vault());
            let done = ended(&mut server.vault(), kind, &job);
            assert_eq!(done["status"], "Succeeded", "{done}");
            all_sign(&mut server.vault());
            if kind == "backup" {
                from = folder(&done);
            }
        }
        assert!(met > 0, "no kill met a {kind} at work");
    }
    assert!(most > 1, "no step was printed");
    assert!(server.stop().success());
    assert!(table(&place, &["audit", "verify", "--data", place.data_str()]).contains("whole"));
}

/// The most that the process ever held, KiB.
fn most_held(server: &Server) -> u64 {
    let status = fs::read_to_string(format!("/proc/{}/status", server.pid())).unwrap();
    let line = status.lines().find(|line| line.starts_with("VmHWM:")).unwrap();
    line.split_whitespace().nth(1).unwrap().parse().unwrap()
}

#[test]
fn a_backup_its_reading_and_its_restore_take_no_more_memory_for_a_vault_four_times_the_size() {
    let place = Place::new();
    let mut server = place.dev();
    let tags: Value = (0..15).map(|n| (format!("tag-{n}"), "x".repeat(256))).collect();
    let mut measured = Vec::new();
    // The first size is enough for every cache to be full.
    for keys in [0..2_000, 2_000..8_000] {
        made(&server, keys, &serde_json::json!({ "kty": "EC", "tags": tags }));
        server.kill();
        server = place.dev();
        let folder = folder(&json(&place, &["backup", "start"]));
        table(&place, &["backup", "verify", &folder]);
        table(&place, &["restore", "start", &folder, "--rollback"]);
        let file = place.data.join("backups/backups").join(&folder).join("vault.ksbackup");
        measured.push((fs::metadata(file).unwrap().len() >> 10, most_held(&server)));
    }
    let [(small, less), (large, more)] = measured[..] else { panic!("{measured:?}") };
    assert!(large > small * 3, "{measured:?}");
    // What held it all would take once the difference at least; the allocator's own ups and downs are a few MiB.
    assert!(more.saturating_sub(less) < (large - small) / 2, "KiB of backups and memory: {measured:?}");
}
