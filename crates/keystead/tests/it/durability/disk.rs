//! Full disks. A journal without room refuses everything; a store without room refuses changes.

use crate::support::{Http, Place, Server, Vault};
use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::thread::{scope, sleep};
use std::time::{Duration, Instant};

/// A segment has 16 MiB. With this budget no second one can be allocated.
const ONE_SEGMENT: &str = "max_bytes = 18000000";

/// A small file system, mounted as long as this lives.
struct Mount(PathBuf);

impl Mount {
    /// `None` where only root could mount it: `tests/run/unit` says so, as what a test prints is not shown.
    fn new(place: &Path, size: &str) -> Option<Self> {
        fs::create_dir_all(place).unwrap();
        let options = format!("size={size},mode=700");
        let mut mount = Command::new("mount");
        let mounted = mount.args(["-t", "tmpfs", "-o", &options, "tmpfs"]).arg(place).output().unwrap();
        if mounted.status.success() {
            return Some(Self(place.to_owned()));
        }
        assert!(!rustix::process::geteuid().is_root(), "{}", String::from_utf8_lossy(&mounted.stderr));
        eprintln!("\nSKIPPED: a full disk was NOT tested: only root can mount a file system\n");
        None
    }

    fn resize(&self, size: &str) {
        let options = format!("remount,size={size}");
        assert!(Command::new("mount").args(["-o", &options]).arg(&self.0).status().unwrap().success());
    }
}

impl Drop for Mount {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("-l").arg(&self.0).status();
    }
}

/// Long names make long records: asks until the journal is full, and gives the last receipts before that.
fn fill(vault: &Vault) -> Vec<String> {
    let name = "n".repeat(127);
    scope(|threads| {
        let clients: Vec<_> = (0..4)
            .map(|_| {
                let (mut vault, name) = (vault.another(), &name);
                threads.spawn(move || {
                    let mut last = String::new();
                    loop {
                        let reply = vault.get(name).unwrap();
                        match reply.status {
                            404 => last = reply.receipt().unwrap().to_owned(),
                            503 => return last,
                            _ => panic!("{reply:?}"),
                        }
                    }
                })
            })
            .collect();
        clients.into_iter().map(|client| client.join().unwrap()).filter(|last| !last.is_empty()).collect()
    })
}

fn health(http: &mut Http) -> (u16, String) {
    let reply = http.get("/keystead/v1/health").unwrap();
    (reply.status, reply.json()["journal"].as_str().unwrap().to_owned())
}

fn store_health(server: &Server) -> (u16, String) {
    let reply = server.http().get("/keystead/v1/health").unwrap();
    (reply.status, reply.json()["store"].as_str().unwrap().to_owned())
}

/// Nothing is done: no receipt, a code and a time to come back.
fn check_refused(server: &Server, vault: &Vault) {
    assert_eq!(health(&mut server.http()), (503, "full".to_owned()));
    // The old connection may have been idle for too long.
    let mut vault = vault.another();
    for reply in [vault.create("refused", "EC"), vault.sign("kept", &[1; 32]), vault.get("kept")] {
        let reply = reply.unwrap();
        assert_eq!((reply.status, reply.receipt()), (503, None), "{reply:?}");
        assert!(!reply.code().is_empty(), "{reply:?}");
        assert!(reply.header("retry-after").is_some(), "{reply:?}");
    }
}

fn check_healed(place: &Place, vault: &Vault, receipts: &[String]) {
    let mut vault = vault.another();
    vault.sign("kept", &[1; 32]).unwrap().ok();
    assert_eq!(vault.get("refused").unwrap().status, 404, "what was refused was not done");
    vault.create("after", "EC").unwrap().ok();
    let verified = place.cli(&["audit", "verify", "--data", place.data_str()]);
    assert!(verified.status.success(), "{}", String::from_utf8_lossy(&verified.stderr));
    for receipt in receipts {
        let proved = place.cli(&["audit", "prove", receipt, "--data", place.data_str()]);
        assert!(proved.status.success(), "{}", String::from_utf8_lossy(&proved.stderr));
    }
}

/// A place with a vault and the key `kept`, and no server.
fn prepared() -> Place {
    let place = Place::new();
    let server = place.dev();
    server.vault().create("kept", "EC").unwrap().ok();
    assert!(server.stop().success());
    place
}

#[test]
fn a_journal_at_its_budget_refuses_everything_until_there_is_room() {
    let place = prepared();
    let server = place.serve(ONE_SEGMENT, "").unwrap();
    let vault = server.vault();
    assert_eq!(health(&mut server.http()), (200, "low".to_owned()));
    let receipts = fill(&vault);
    check_refused(&server, &vault);
    assert!(server.stop().success());
    let server = place.serve("", "").unwrap();
    assert_eq!(health(&mut server.http()), (200, "ready".to_owned()));
    check_healed(&place, &server.vault(), &receipts);
}

#[test]
fn a_journal_on_a_full_disk_refuses_everything_and_heals_by_itself() {
    let place = Place::new();
    let Some(mount) = Mount::new(&place.data.join("audit/journal"), "17m") else { return };
    let server = place.dev();
    let mut vault = server.vault();
    vault.create("kept", "EC").unwrap().ok();
    let receipts = fill(&vault);
    check_refused(&server, &vault);
    mount.resize("64m");
    let until = Instant::now() + Duration::from_secs(120);
    while health(&mut server.http()) != (200, "ready".to_owned()) {
        assert!(Instant::now() < until, "it heals: {}", server.log());
        sleep(Duration::from_millis(50));
    }
    check_healed(&place, &vault, &receipts);
    assert!(server.stop().success());
}

#[test]
fn a_store_on_a_full_disk_refuses_changes_and_nothing_else() {
    let place = Place::new();
    let store = place.data.join("store");
    let Some(_mount) = Mount::new(&store, "8m") else { return };
    let server = place.dev();
    let mut vault = server.vault();
    vault.create("kept", "EC").unwrap().ok();
    assert_eq!(store_health(&server), (200, "ok".to_owned()));
    let filler = store.join("filler");
    let mut file = fs::File::create(&filler).unwrap();
    while file.write_all(&[7; 4096]).is_ok() {}
    drop(file);
    let mut made = Vec::new();
    let refused = loop {
        assert!(made.len() < 5_000, "the disk is full");
        let name = format!("key-{}", made.len());
        let reply = vault.create(&name, "EC").unwrap();
        if reply.status != 200 {
            break (name, reply);
        }
        made.push(reply.json()["key"]["kid"].as_str().unwrap().to_owned());
    };
    let (name, reply) = refused;
    assert_eq!(reply.status, 503, "{reply:?}");
    assert_eq!(store_health(&server), (200, "full".to_owned()), "keys can still be used");
    assert!(reply.receipt().is_some(), "a decision was made, and the record says what came of it: {reply:?}");
    vault.sign("kept", &[1; 32]).unwrap().ok();
    fs::remove_file(&filler).unwrap();
    vault.create(&name, "EC").unwrap().ok();
    assert_eq!(store_health(&server), (200, "ok".to_owned()));
    server.kill();
    let server = place.dev();
    let mut vault = server.vault();
    for kid in &made {
        vault.sign(kid, &[2; 32]).unwrap().ok();
    }
    check_healed(&place, &vault, &[]);
    assert!(server.stop().success());
}

/// What was written of it is gone; nothing that is not whole passes as a backup.
#[test]
fn a_backup_that_finds_its_disk_full_fails_by_name_and_leaves_no_backup() {
    let place = Place::new();
    let backups = place.data.join("backups");
    let Some(mount) = Mount::new(&backups, "64k") else { return };
    let server = place.dev();
    let mut vault = server.vault();
    for n in 0..150 {
        vault.create(&format!("key-{n}"), "EC").unwrap().ok();
    }
    let to = serde_json::json!({ "storageResourceUri": format!("https://localhost:{}/backups", place.port) });
    let begun = vault.call("POST", "/backup", Some(&to)).unwrap();
    assert_eq!(begun.status, 202, "{begun:?}");
    let job = begun.json()["jobId"].as_str().unwrap().to_owned();
    let mut ended = || {
        let end = Instant::now() + Duration::from_secs(60);
        loop {
            let status = vault.call("GET", &format!("/backup/{job}/pending"), None).unwrap().ok();
            if status["status"] != "InProgress" {
                return status;
            }
            assert!(Instant::now() < end, "{status}");
            sleep(Duration::from_millis(100));
        }
    };
    let failed = ended();
    assert_eq!((&failed["status"], &failed["error"]["code"]), (&"Failed".into(), &"StorageFull".into()), "{failed}");
    assert_eq!(fs::read_dir(backups.join("backups")).unwrap().count(), 0, "nothing is left of it");
    mount.resize("8m");
    let again = place.cli(&["backup", "start"]);
    assert!(again.status.success(), "{}", String::from_utf8_lossy(&again.stderr));
    assert!(server.stop().success());
}
