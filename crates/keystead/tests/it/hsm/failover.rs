//! Several tokens: two for one vault, and two makers' in one server.

use super::bed::{self, Maker, Token, create, hsm_file, sign};
use super::vault;
use crate::inside::{moment, now};
use crate::support::{Place, Server, b64};
use keystead_engine::OperateError;
use keystead_model::{KeySpec, Placement};
use rustix::process::{Pid, Signal, kill_process};
use serde_json::{Value, json};
use std::fs;
use std::io::{Read as _, Write as _};
use std::os::unix::net::UnixStream;
use std::process::Output;
use std::time::{Duration, Instant};

fn start(place: &Place, tokens: &[&Token]) -> Server {
    let file = hsm_file(&place.beside("hsm.toml"), tokens, "wrapped");
    let (first, second) = (format!("127.0.0.1:{}", place.port), format!("127.0.0.1:{}", place.hsm_port));
    place.dev_at(&["--hsm", &file, "--listen", &first, "--listen-hsm", &second], &[]).unwrap()
}

fn enrol(place: &Place, token: &str) -> Output {
    let socket = place.data.join("operator.sock");
    place.cli(&["vault", "--socket", socket.to_str().unwrap(), "enrol", "dev-hsm", "--token", token])
}

/// What the operator's socket answers.
fn operator(place: &Place, target: &str) -> String {
    let mut socket = UnixStream::connect(place.data.join("operator.sock")).unwrap();
    let head = format!("GET /keystead/v1/operator/{target} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n");
    socket.write_all(head.as_bytes()).unwrap();
    let mut text = String::new();
    socket.read_to_string(&mut text).unwrap();
    text
}

fn tokens(place: &Place) -> Vec<Value> {
    let text = operator(place, "ready");
    let body = text.split_once("\r\n\r\n").unwrap().1;
    serde_json::from_str::<Value>(body).unwrap()["tokens"].as_array().unwrap().clone()
}

#[test]
fn a_vault_with_two_tokens_goes_on_signing_with_its_keys_when_the_first_is_gone() {
    let place = Place::new();
    let beside = place.beside("tokens");
    let [first, second] = ["first", "second"].map(|label| Token::new(Maker::SoftHsm2, &beside, label));
    let server = start(&place, &[&first]);
    let mut hsm = vault(&place, &server);
    let made = hsm.call("POST", "/keys/pay/create", Some(&json!({"kty": "EC-HSM"}))).unwrap().ok();
    assert!(server.stop().success());
    let server = start(&place, &[&first, &second]);
    let done = enrol(&place, "second");
    assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
    let mut hsm = vault(&place, &server);
    hsm.sign("pay", &[7; 32]).unwrap().ok();
    fs::rename(first.objects(), beside.join("aside")).unwrap();
    fs::create_dir(first.objects()).unwrap();
    let until = Instant::now() + Duration::from_secs(60);
    loop {
        let signed = hsm.sign("pay", &[7; 32]).unwrap().ok();
        assert_eq!(signed["kid"], made["key"]["kid"]);
        let check = json!({"alg": "ES256", "digest": b64(&[7; 32]), "value": signed["value"]});
        assert_eq!(hsm.call("POST", "/keys/pay/verify", Some(&check)).unwrap().ok()["value"], true);
        let shown = tokens(&place);
        if shown[0]["status"] == "down" {
            assert_eq!((&shown[0]["name"], &shown[1]["status"]), (&json!("first"), &json!("ready")));
            assert!(shown[0]["reason"].as_str().is_some_and(|why| !why.is_empty()), "{shown:?}");
            break;
        }
        assert!(Instant::now() < until, "{shown:?}");
        std::thread::sleep(Duration::from_millis(100));
    }
    // New keys are made where a token is, and the first opens them once it is back.
    let new = hsm.call("POST", "/keys/new/create", Some(&json!({"kty": "EC-HSM"}))).unwrap();
    assert_eq!(new.status, 200, "{}", new.message());
    hsm.sign("new", &[7; 32]).unwrap().ok();
    let page = operator(&place, "metrics");
    for line in
        [r#"keystead_token_state{token="first",state="down"} 1"#, r#"keystead_token_kills_total{token="second"} 0"#]
    {
        assert!(page.lines().any(|found| found.trim_end() == line), "{line} is not in\n{page}");
    }
    assert!(page.contains(r#"keystead_token_calls_total{token="second"} "#), "{page}");
    assert!(server.stop().success());
}

#[test]
fn while_the_first_token_is_new_and_empty_keys_are_made_in_the_second() {
    let place = Place::new();
    let beside = place.beside("tokens");
    let [first, second] = ["first", "second"].map(|label| Token::new(Maker::SoftHsm2, &beside, label));
    let server = start(&place, &[&first]);
    assert!(server.stop().success());
    let server = start(&place, &[&first, &second]);
    assert!(enrol(&place, "second").status.success());
    assert!(server.stop().success());
    fs::remove_dir_all(first.objects()).unwrap();
    let first = Token::new(Maker::SoftHsm2, &beside, "first");
    let server = start(&place, &[&first, &second]);
    let mut hsm = vault(&place, &server);
    let made = hsm.call("POST", "/keys/new/create", Some(&json!({"kty": "EC-HSM"}))).unwrap();
    assert_eq!(made.status, 200, "{}", made.message());
    hsm.sign("new", &[7; 32]).unwrap().ok();
    assert!(server.stop().success());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn tokens_of_two_makers_serve_two_vaults_and_a_crash_of_one_costs_the_other_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let soft = Token::new(Maker::SoftHsm2, dir.path(), "soft").client();
    let kryoptic = Token::new(Maker::Kryoptic, dir.path(), "kryoptic").client();
    let node = bed::node(dir.path(), &[soft.clone(), kryoptic.clone()], Placement::Wrapped).await;
    let (one, two) = (bed::vault(&node, "one", &["soft"]).await, bed::vault(&node, "two", &["kryoptic"]).await);
    for vault in [&one, &two] {
        create(vault, "pay", KeySpec::EcP256).await;
        sign(vault, "pay").await.unwrap();
    }
    let before = soft.figures();
    let worker = Pid::from_raw(kryoptic.worker().unwrap().try_into().unwrap()).unwrap();
    kill_process(worker, Signal::KILL).unwrap();
    for _ in 0..50 {
        sign(&one, "pay").await.unwrap();
    }
    let until = Instant::now() + Duration::from_secs(60);
    while sign(&two, "pay").await.is_err() {
        assert!(Instant::now() < until, "{:?}", kryoptic.state());
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    let after = soft.figures();
    assert_eq!((after.restarts, after.down, after.retried), (before.restarts, 0, 0));
    assert_eq!(kryoptic.figures().restarts, 1);
    // What the one wrapped, the other would not unwrap.
    let refused = node.instance.enrol_token("one", "kryoptic", moment(now())).await.unwrap_err();
    assert!(matches!(&refused, OperateError::OtherClass { name } if name == "kryoptic"), "{refused}");
    for client in [soft, kryoptic] {
        client.stop().await;
    }
    node.close().await;
}
