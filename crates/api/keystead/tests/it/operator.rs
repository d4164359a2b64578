//! The operator's table before a real node.

use crate::node::{Answer, Node, moment};
use bytes::Bytes;
use hyper::{Method, Request, StatusCode};
use keystead_api_own::Operator;
use serde_json::json;

const VAULTS: &str = "/keystead/v1/operator/vaults";

async fn call(node: &Node, method: Method, target: &str, body: &str) -> Answer {
    let request = Request::builder().method(method).uri(target).body(Bytes::copy_from_slice(body.as_bytes())).unwrap();
    Answer::of(Operator::new([5; 16]).dispatch(&node.instance, request, moment()).await).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_vault_is_created_listed_sealed_and_unsealed() {
    let node = crate::node().await;
    let document = json!({
        "name": "pay", "authorities": ["pay.localhost:8443"], "retention_days": 30,
        "purge_protection": true,
        "policy": { "administrators": [{"issuer": "built-in", "subject": "s"}],
                    "assignments": [{"scope": "/keys", "principal": {"issuer": "built-in", "subject": "s"}, "role": "Key Vault Crypto User"}] },
    })
    .to_string();
    let made = call(&node, Method::POST, VAULTS, &document).await;
    assert_eq!(
        (made.status, &made.json()["status"], &made.json()["custody"]),
        (StatusCode::CREATED, &json!("open"), &json!("file"))
    );
    assert_eq!(made.json()["purge_protection"], true);
    assert!(node.instance.vault(&"pay.localhost:8443".parse().unwrap()).is_some());
    let again = call(&node, Method::POST, VAULTS, &document).await;
    assert_eq!(again.error(), (409, "Conflict".to_owned()));

    let listed = call(&node, Method::GET, VAULTS, "").await.json();
    let names: Vec<_> = listed["vaults"].as_array().unwrap().iter().map(|v| v["name"].as_str().unwrap()).collect();
    assert_eq!(names, ["dev", "pay"]);
    for (verb, status, state) in
        [("seal", 200, "sealed"), ("seal", 409, "sealed"), ("unseal", 200, "open"), ("unseal", 409, "open")]
    {
        let answer = call(&node, Method::POST, &format!("{VAULTS}/pay/{verb}"), "").await;
        assert_eq!(answer.status.as_u16(), status, "{verb}");
        assert_eq!(call(&node, Method::GET, &format!("{VAULTS}/pay"), "").await.json()["status"], state);
    }
    let health = call(&node, Method::GET, "/keystead/v1/operator/health", "").await.json();
    assert_eq!((&health["journal"]["state"], &health["vaults"][1]["status"]), (&json!("ready"), &json!("open")));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_document_that_cannot_be_a_vault_is_refused_by_name() {
    let node = crate::node().await;
    let with = |from: &str, to: &str| {
        r#"{"name":"pay","authorities":["pay.localhost"],"policy":{"administrators":[{"issuer":"i","subject":"s"}]}}"#
            .replace(from, to)
    };
    for (from, to, word) in [
        ("\"pay\"", "\"P\"", "name"),
        ("[\"pay.localhost\"]", "[]", "authority"),
        ("[{\"issuer\":\"i\",\"subject\":\"s\"}]", "[]", "administrator"),
        ("\"policy\"", "\"retention_days\":6,\"policy\"", "retention"),
        ("\"policy\"", "\"tenant\":\"a b\",\"policy\"", "tenant"),
    ] {
        let answer = call(&node, Method::POST, VAULTS, &with(from, to)).await;
        assert_eq!(answer.error(), (400, "BadParameter".to_owned()), "{to}");
        let message = answer.json()["error"]["message"].as_str().unwrap().to_owned();
        assert!(message.contains(word), "{message}");
    }
    assert_eq!(
        call(&node, Method::GET, &format!("{VAULTS}/none"), "").await.error(),
        (404, "VaultNotFound".to_owned())
    );
}
