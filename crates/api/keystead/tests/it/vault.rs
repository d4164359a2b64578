//! The audit, sealing and health at a vault's authority.

use crate::node::{Answer, Node, OFFICER, STRANGER, moment};
use hyper::{Method, StatusCode};
use keystead_audit::ReceiptText;
use keystead_audit::tlog::{Checkpoint, VerifierKey};
use serde_json::{Value, json};
use std::time::Duration;

async fn get(node: &Node, target: &str, token: Option<&str>) -> Answer {
    node.send(Method::GET, target, token, "").await
}

async fn log(node: &Node) -> Value {
    get(node, "/keystead/v1/audit/logs", None).await.json()["logs"][0].clone()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_receipt_names_a_record_that_its_reader_finds() {
    let node = crate::node().await;
    let token = node.token(OFFICER).await;
    let made = node.send(Method::POST, "/keys/pay/create?api-version=7.6", Some(&token), r#"{"kty":"EC"}"#).await;
    let receipt = made.header("x-keystead-receipt").unwrap();
    let text: ReceiptText = receipt.parse().unwrap();
    let id = log(&node).await["id"].as_str().unwrap().to_owned();
    assert_eq!(receipt.split('.').nth(1), Some(id.as_str()));

    let target = format!("/keystead/v1/audit/records?log={id}&from={}&n=1", text.index);
    let answer = get(&node, &target, Some(&token)).await;
    let record = answer.json()["records"][0].clone();
    assert_eq!((&record["action"], &record["outcome"]), (&json!("keys/create"), &json!("done")));
    assert_eq!((&record["target"], &record["address"]), (&json!("/keys/pay"), &json!("127.0.0.1")));
    assert!(record["revision"].as_u64().unwrap() > 0 && answer.has_receipt());
}

#[tokio::test(flavor = "multi_thread")]
async fn records_are_for_readers_of_this_log() {
    let node = crate::node().await;
    let (officer, stranger) = (node.token(OFFICER).await, node.token(STRANGER).await);
    let records = "/keystead/v1/audit/records";
    assert_eq!(get(&node, records, None).await.error(), (401, "Unauthorized".to_owned()));
    let denied = get(&node, records, Some(&stranger)).await;
    assert_eq!(denied.json()["error"]["innererror"]["code"], "ForbiddenByRbac");
    assert!(denied.has_receipt());
    let other = get(&node, &format!("{records}?log={}", "0".repeat(32)), Some(&officer)).await;
    assert_eq!(other.error(), (404, "LogNotFound".to_owned()));
    assert_eq!(get(&node, &format!("{records}?n=0"), Some(&officer)).await.error(), (400, "BadParameter".to_owned()));
}

#[tokio::test(flavor = "multi_thread")]
async fn anybody_reads_checkpoints_and_tiles_and_nothing_beside_them() {
    let node = crate::node().await;
    node.token(OFFICER).await;
    let log = log(&node).await;
    let base = format!("/keystead/v1/audit/logs/{}", log["id"].as_str().unwrap());
    let checkpoint = published(&node, &format!("{base}/checkpoint")).await;
    let key = VerifierKey::parse(log["vkey"].as_str().unwrap()).unwrap();
    let opened = Checkpoint::open(&checkpoint.body, &key).unwrap();
    let tile = get(&node, &format!("{base}/tile/0/000.p/{}", opened.size), None).await;
    assert_eq!((tile.status, tile.body.len() as u64), (StatusCode::OK, 32 * opened.size));
    let other = format!("/keystead/v1/audit/logs/{}/checkpoint", "0".repeat(32));
    for target in [
        format!("{base}/tile/0/001"),
        format!("{base}/tile/%2e%2e/checkpoint"),
        format!("{base}/tile/0/..%2f..%2fcheckpoint"),
        other,
    ] {
        assert_eq!(get(&node, &target, None).await.error(), (404, "LogNotFound".to_owned()), "{target}");
    }
}

/// Checkpoints follow the records within a second.
async fn published(node: &Node, target: &str) -> Answer {
    for _ in 0..600 {
        let answer = get(node, target, None).await;
        if answer.status == StatusCode::OK {
            return answer;
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    panic!("no checkpoint within a minute");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_administrator_seals_and_what_needs_no_root_still_answers() {
    let node = crate::node().await;
    let (officer, stranger) = (node.token(OFFICER).await, node.token(STRANGER).await);
    let base = format!("/keystead/v1/audit/logs/{}/checkpoint", log(&node).await["id"].as_str().unwrap());
    published(&node, &base).await;
    let seal = |token: String| {
        let node = &node;
        async move { node.send(Method::POST, "/keystead/v1/vault/seal", Some(&token), "").await }
    };
    assert_eq!(seal(stranger).await.status, StatusCode::FORBIDDEN);
    let health = get(&node, "/keystead/v1/health", None).await;
    assert_eq!(
        (health.status, health.json()),
        (
            StatusCode::OK,
            json!({ "state": "open", "custody": "file", "journal": "ready", "store": "ok", "clock": "ok" })
        )
    );

    let sealed = seal(officer.clone()).await;
    assert_eq!(sealed.status, StatusCode::NO_CONTENT);
    assert!(sealed.has_receipt());
    assert_eq!(seal(officer).await.error(), (403, "VaultSealed".to_owned()));
    let health = get(&node, "/keystead/v1/health", None).await;
    assert_eq!((health.status, &health.json()["state"]), (StatusCode::SERVICE_UNAVAILABLE, &json!("sealed")));
    assert_eq!(get(&node, &base, None).await.status, StatusCode::OK);

    node.instance.unseal("dev", moment()).await.unwrap();
    assert_eq!(get(&node, "/keystead/v1/health", None).await.status, StatusCode::OK);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_operators_table_is_not_at_the_vaults_authority() {
    let node = crate::node().await;
    let token = node.token(OFFICER).await;
    let answer = get(&node, "/keystead/v1/operator/vaults?api-version=7.4", Some(&token)).await;
    assert_eq!(answer.status, StatusCode::NOT_FOUND);
}
