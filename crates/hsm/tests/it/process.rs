//! What a worker may and may not do, seen from outside; its start and its end.

use crate::soft::*;
use keystead_hsm::{Account, Client, HsmError, TokenState};
use std::fs;
use std::os::unix::fs::MetadataExt as _;
use std::os::unix::process::CommandExt as _;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

fn namespace(process: u32, kind: &str) -> String {
    fs::read_link(format!("/proc/{process}/ns/{kind}")).unwrap().display().to_string()
}

fn interfaces(process: u32) -> Vec<String> {
    let text = fs::read_to_string(format!("/proc/{process}/net/dev")).unwrap();
    text.lines().skip(2).filter_map(|line| Some(line.split_once(':')?.0.trim().to_owned())).collect()
}

/// Others see what a worker says of itself and no more: it hides its memory and its files from its own user.
fn is_root() -> bool {
    rustix::process::geteuid().is_root()
}

#[tokio::test]
async fn only_the_worker_maps_the_module() {
    if !is_root() {
        return;
    }
    let soft = Soft::new();
    let client = ready(soft.config()).await;
    assert!(maps(process(&client), Path::new(SOFTHSM)));
    assert!(!maps(std::process::id(), Path::new(SOFTHSM)));
    drop(client);
}

#[tokio::test]
async fn the_worker_has_no_network_unless_its_token_is_reached_over_it() {
    if !is_root() {
        return;
    }
    let soft = Soft::new();
    let client = ready(soft.config()).await;
    let worker = process(&client);
    assert_ne!(namespace(worker, "net"), namespace(std::process::id(), "net"));
    assert_eq!(interfaces(worker), ["lo"]);
    client.stop().await;

    let mut config = soft.config();
    config.network = true;
    let client = ready(config).await;
    assert_eq!(namespace(process(&client), "net"), namespace(std::process::id(), "net"));
    drop(client);
}

#[tokio::test]
async fn nothing_secret_is_in_the_workers_arguments_or_environment() {
    if !is_root() {
        return;
    }
    let soft = Soft::new();
    let client = ready(soft.config()).await;
    let worker = process(&client);
    for file in ["cmdline", "environ"] {
        let bytes = fs::read(format!("/proc/{worker}/{file}")).unwrap();
        assert!(!bytes.windows(PIN.len()).any(|part| part == PIN.as_bytes()), "{file}");
    }
    let environment = fs::read(format!("/proc/{worker}/environ")).unwrap();
    let names: Vec<_> = environment.split(|b| *b == 0).filter(|line| !line.is_empty()).collect();
    assert_eq!(names.len(), 1, "only what the configuration names");
    drop(client);
}

#[tokio::test]
async fn the_worker_has_no_rights_and_gets_none() {
    let soft = Soft::new();
    let client = ready(soft.config()).await;
    let worker = process(&client);
    for set in ["CapInh", "CapPrm", "CapEff", "CapAmb"] {
        assert_eq!(status(worker, set), "0000000000000000", "{set}");
    }
    assert_eq!(status(worker, "NoNewPrivs"), "1");
    let limits = fs::read_to_string(format!("/proc/{worker}/limits")).unwrap();
    let core = limits.lines().find(|line| line.starts_with("Max core file size")).unwrap();
    assert_eq!(core.split_whitespace().collect::<Vec<_>>()[4..6], ["0", "0"]);
    drop(client);
}

#[tokio::test]
async fn the_worker_keeps_no_file_that_the_server_left_open() {
    if !is_root() {
        return;
    }
    let soft = Soft::new();
    let name = soft.dir().join("left open");
    let file = fs::File::create(&name).unwrap();
    // A duplicate is inherited.
    let _left = rustix::io::dup(&file).unwrap();
    let client = ready(soft.config()).await;
    let open = |process: u32| -> Vec<_> {
        let files = fs::read_dir(format!("/proc/{process}/fd")).unwrap();
        files.filter_map(|file| fs::read_link(file.unwrap().path()).ok()).collect()
    };
    assert!(open(std::process::id()).contains(&name));
    let worker = open(process(&client));
    assert!(!worker.contains(&name), "{worker:?}");
    let sockets = worker.iter().filter(|file| file.to_str().unwrap().starts_with("socket:")).count();
    assert_eq!(sockets, 1, "{worker:?}");
    drop(client);
}

/// Root alone can become somebody else.
#[tokio::test]
async fn the_worker_of_a_root_server_becomes_its_account_and_hides_its_memory() {
    if !is_root() {
        return;
    }
    let soft = Soft::new();
    give_away(soft.dir(), NOBODY);
    let mut config = soft.config();
    config.account = Some(Account { uid: NOBODY, gid: NOBODY, groups: vec![70_001] });
    let client = ready(config).await;
    let worker = process(&client);
    let thrice = [NOBODY; 4].map(|id| id.to_string()).join(" ");
    assert_eq!((status(worker, "Uid"), status(worker, "Gid")), (thrice.clone(), thrice));
    assert_eq!(status(worker, "Groups"), "70001");
    assert_ne!(namespace(worker, "net"), namespace(std::process::id(), "net"));
    let memory = fs::metadata(format!("/proc/{worker}/mem")).unwrap();
    assert_eq!(memory.uid(), 0, "others of the same account cannot read it");
    drop(client);
}

const NOBODY: u32 = 65_534;

fn give_away(path: &Path, to: u32) {
    std::os::unix::fs::chown(path, Some(to), Some(to)).unwrap();
    if path.is_dir() {
        fs::read_dir(path).unwrap().for_each(|entry| give_away(&entry.unwrap().path(), to));
    }
}

/// This test binary once more, as a server of its own: see [`a_server`].
fn server(soft: &Soft) -> Command {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.args(["--exact", "process::a_server", "--nocapture"]).env(SERVER, soft.dir());
    command.stdout(Stdio::null());
    command
}

const SERVER: &str = "KEYSTEAD_TEST_SERVER";

/// Not a test by itself: a server with the token in that directory, until it is killed.
#[tokio::test]
async fn a_server() {
    let Ok(dir) = std::env::var(SERVER) else { return };
    let soft = Soft::at(Path::new(&dir));
    let client = ready(soft.config()).await;
    fs::write(Path::new(&dir).join("ready"), process(&client).to_string()).unwrap();
    std::future::pending::<()>().await;
    drop(client);
}

async fn started(soft: &Soft, mut server: Child) -> (Child, u32) {
    let file = soft.dir().join("ready");
    eventually("the other server is ready", || {
        assert!(server.try_wait().unwrap().is_none(), "the other server ended");
        fs::read_to_string(&file).is_ok_and(|text| !text.is_empty())
    })
    .await;
    let worker = fs::read_to_string(file).unwrap().parse().unwrap();
    (server, worker)
}

#[tokio::test]
async fn the_worker_dies_with_its_server() {
    let soft = Soft::new();
    let (mut server, worker) = started(&soft, server(&soft).spawn().unwrap()).await;
    assert!(is_alive(worker));
    server.kill().unwrap();
    server.wait().unwrap();
    let took = eventually("the worker is gone", || !is_alive(worker)).await;
    assert!(took < Duration::from_secs(2), "{took:?}");
}

/// Root tries it as somebody else, too; others are that already.
#[tokio::test]
async fn the_worker_of_a_server_without_rights_has_no_network_either() {
    if !is_root() {
        return;
    }
    let soft = Soft::new();
    give_away(soft.dir(), NOBODY);
    let (mut server, worker) = started(&soft, server(&soft).uid(NOBODY).gid(NOBODY).spawn().unwrap()).await;
    assert_ne!(namespace(worker, "net"), namespace(server.id(), "net"));
    assert_eq!(interfaces(worker), ["lo"]);
    assert_eq!(status(worker, "CapEff"), "0000000000000000");
    server.kill().unwrap();
    server.wait().unwrap();
}

/// In a user namespace that may have no network namespaces below it.
#[tokio::test]
async fn where_the_kernel_grants_no_namespace_the_worker_makes_no_sockets_but_local_ones() {
    if !is_root() {
        return;
    }
    let soft = Soft::new();
    let inside = server(&soft);
    let script =
        "echo 0 >/proc/sys/user/max_net_namespaces && echo 0 >/proc/sys/user/max_user_namespaces && exec \"$@\"";
    let mut command = Command::new("unshare");
    command.args(["--user", "--map-root-user", "sh", "-c", script, "sh"]).arg(inside.get_program());
    command.args(inside.get_args()).env(SERVER, soft.dir()).stdout(Stdio::null());
    let (mut server, worker) = started(&soft, command.spawn().unwrap()).await;
    assert_eq!(namespace(worker, "net"), namespace(server.id(), "net"), "the kernel granted one");
    assert_eq!(status(worker, "Seccomp"), "2");
    server.kill().unwrap();
    server.wait().unwrap();
}

#[tokio::test]
async fn a_refused_pin_is_final() {
    let soft = Soft::new();
    let mut config = soft.faulty();
    config.settings.pin = "wrong".to_owned().into();
    let client = Client::new(config);
    assert_eq!(client.check(within(SOON)).await, Err(HsmError::PinRefused));
    assert_eq!(client.state(), TokenState::Refused);
    tokio::time::sleep(Duration::from_millis(300)).await;
    assert_eq!((client.figures().restarts, client.worker()), (0, None));
    let began = Instant::now();
    assert_eq!(client.check(within(SOON)).await, Err(HsmError::PinRefused));
    assert!(began.elapsed() < Duration::from_millis(300));
}

#[tokio::test]
async fn a_module_that_is_not_there_is_named_and_looked_for_again() {
    let soft = Soft::new();
    let module = soft.dir().join("vendor.so");
    let mut config = soft.config();
    config.settings.module = module.clone();
    let client = Client::new(config);
    let Err(HsmError::Setting { why }) = client.check(within(SOON)).await else { panic!("opened") };
    assert!(why.contains("vendor.so"), "{why}");
    assert!(matches!(client.state(), TokenState::Down { why: HsmError::Setting { .. }, .. }));
    std::os::unix::fs::symlink(SOFTHSM, module).unwrap();
    eventually("the token is open", || client.state() == TokenState::Ready).await;
    client.check(within(5_000)).await.unwrap();
}

#[tokio::test]
async fn a_program_that_is_not_there_is_named() {
    let soft = Soft::new();
    let mut config = soft.config();
    config.program = "/nowhere/keystead".into();
    let Err(HsmError::Setting { why }) = Client::new(config).check(within(SOON)).await else { panic!("started") };
    assert!(why.contains("/nowhere/keystead"), "{why}");
}

#[tokio::test]
async fn a_worker_of_another_release_is_said_to_be_one() {
    let soft = Soft::new();
    let mut config = soft.config();
    config.program = "/bin/sh".into();
    // A frame of version 250.
    config.arguments = vec!["-c".into(), r"printf '\0\0\0\2\372\0' >&0; sleep 5".into()];
    let Err(HsmError::Setting { why }) = Client::new(config).check(within(SOON)).await else { panic!("understood") };
    assert!(why.contains("version 250"), "{why}");
}

#[tokio::test]
async fn a_worker_that_says_nothing_is_killed() {
    let soft = Soft::new();
    let mut config = soft.config();
    config.program = "/bin/sleep".into();
    config.arguments = vec!["1000".into()];
    config.opening = Duration::from_millis(200);
    let client = Client::new(config);
    eventually("one is started", || client.worker().is_some()).await;
    let first = process(&client);
    let Err(HsmError::Down { why }) = client.check(within(SOON)).await else { panic!("open") };
    assert!(why.contains("in time"), "{why}");
    eventually("the next one is started", || client.worker().is_some_and(|next| next != first)).await;
    assert!(!is_alive(first));
}

#[test]
fn the_worker_program_without_a_socket_says_what_it_is() {
    let worker = env!("CARGO_BIN_EXE_keystead-hsm-worker");
    let ended = Command::new(worker).stdin(Stdio::null()).output().unwrap();
    assert_eq!(ended.status.code(), Some(2));
    assert!(String::from_utf8(ended.stderr).unwrap().contains("started by the server"));
}

#[tokio::test]
async fn stop_lets_calls_end_and_then_the_worker() {
    let soft = Soft::new();
    let client = ready(soft.faulty()).await;
    let worker = process(&client);
    soft.rules("C_GenerateRandom 1.. sleep 300");
    let other = client.clone();
    let under_way = tokio::spawn(async move { other.random(8, within(5_000)).await });
    eventually("it is under way", || client.figures().under_way == 1).await;
    client.stop().await;
    assert_eq!(under_way.await.unwrap().unwrap().len(), 8);
    assert!(!is_alive(worker));
    assert!(matches!(client.random(8, within(5_000)).await, Err(HsmError::Down { .. })));
}

#[tokio::test]
async fn the_worker_ends_with_the_last_clone_of_its_client() {
    let soft = Soft::new();
    let client = ready(soft.config()).await;
    let other = client.clone();
    let worker = process(&client);
    drop(client);
    other.check(within(5_000)).await.unwrap();
    drop(other);
    eventually("the worker is gone", || !is_alive(worker)).await;
}
