//! The authorisation matrix, from the table itself: a row that is added is tested, or fails here until it is.

use crate::node::{OFFICER, STRANGER};
use hyper::Method;
use keystead_api_table::{Access, RouteInfo};

/// A GUID that no role, assignment or principal has yet.
const CUSTOM: &str = "6f1c2f0e-5d0b-4f0e-9a53-0d7c3f9b2a11";
/// Managed HSM Crypto User.
const USER: &str = "21dbd100-6940-42c2-9190-5d6cb909625b";

/// In the directory of the node's.
const PLACE: &str = r#"{"storageResourceUri":"https://dev.localhost:8443/backups"}"#;

/// A request that each row would carry out for a caller who may.
fn request_of(row: &RouteInfo) -> (String, String) {
    let path = row.pattern.replace("{name}", "pay").replace("{version?}", "").replace("{setting}", "a");
    let path = path.replace("{role}", CUSTOM).replace("{assignment}", CUSTOM).replace("{job}", &"0".repeat(32));
    let digest = "A".repeat(43);
    let body = match row.pattern.rsplit('/').next().unwrap() {
        "sign" => format!(r#"{{"alg":"ES256","value":"{digest}"}}"#),
        "verify" => format!(r#"{{"alg":"ES256","digest":"{digest}","value":"AAAA"}}"#),
        "encrypt" | "wrapkey" => r#"{"alg":"A256GCM","value":"AA"}"#.to_owned(),
        "decrypt" | "unwrapkey" => r#"{"alg":"A256GCM","value":"AA","iv":"AA","tag":"AA"}"#.to_owned(),
        "{name}" if row.method == Method::PUT => r#"{"key":{"kty":"oct","k":"AA"}}"#.to_owned(),
        "rotationpolicy" if row.method == Method::PUT => "{}".to_owned(),
        "restore" if row.method == Method::POST => r#"{"value":"AA"}"#.to_owned(),
        "backup" | "prebackup" if row.pattern.matches('/').count() == 1 => PLACE.to_owned(),
        "restore" | "prerestore" => {
            format!(r#"{{"sasTokenParameters":{PLACE},"folderToRestore":"f","folder":"f"}}"#)
        }
        "download" => r#"{"certificates":[],"required":2}"#.to_owned(),
        "upload" if row.method == Method::POST => r#"{"value":"{}"}"#.to_owned(),
        "rng" => r#"{"count":1}"#.to_owned(),
        "create" => r#"{"kty":"EC"}"#.to_owned(),
        "{role}" if row.method == Method::PUT => r#"{"properties":{"permissions":[]}}"#.to_owned(),
        "{assignment}" if row.method == Method::PUT => {
            format!(r#"{{"properties":{{"roleDefinitionId":"x/{USER}","principalId":"{CUSTOM}"}}}}"#)
        }
        "{setting}" if row.method == Method::PATCH => r#"{"value":"true"}"#.to_owned(),
        _ if row.method == Method::PATCH => "{}".to_owned(),
        _ => String::new(),
    };
    (format!("{path}?api-version=7.6"), body)
}

fn rows() -> Vec<RouteInfo> {
    keystead_api_azure::protocol().entries().filter(|r| r.access == Access::Caller).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn without_a_token_every_row_is_a_challenge() {
    let node = crate::node().await;
    for row in rows() {
        let (target, body) = request_of(&row);
        let answer = node.send(row.method.clone(), &target, None, &body).await;
        assert_eq!(answer.status.as_u16(), 401, "{} {}", row.method, row.pattern);
        assert!(answer.header("www-authenticate").is_some() && !answer.has_receipt());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn without_a_role_every_row_is_a_denial_with_a_receipt() {
    let node = crate::node().await;
    let token = node.token(STRANGER).await;
    for row in rows() {
        let (target, body) = request_of(&row);
        let answer = node.send(row.method.clone(), &target, Some(&token), &body).await;
        assert_eq!(answer.status.as_u16(), 403, "{} {}: {:?}", row.method, row.pattern, answer.body);
        assert!(answer.has_receipt() && answer.header("www-authenticate").is_none());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn with_the_role_every_row_reaches_its_command() {
    let node = crate::node().await;
    let token = node.token(OFFICER).await;
    for row in rows() {
        let (target, body) = request_of(&row);
        let answer = node.send(row.method.clone(), &target, Some(&token), &body).await;
        assert!(!matches!(answer.status.as_u16(), 401 | 403 | 405 | 500..), "{} {}", row.method, row.pattern);
        assert!(answer.has_receipt(), "{} {}: {:?}", row.method, row.pattern, answer.body);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_body_that_does_not_parse_gets_no_receipt() {
    let node = crate::node().await;
    let token = node.token(OFFICER).await;
    for row in rows().into_iter().filter(|r| !request_of(r).1.is_empty()) {
        let (target, _) = request_of(&row);
        for body in ["", "{", "[]", "null", r#"{"alg":7,"kty":7,"tags":7,"key":7,"value":7,"count":"","attributes":7}"#]
        {
            let answer = node.send(row.method.clone(), &target, Some(&token), body).await;
            assert_eq!(answer.error(), (400, "BadParameter".to_owned()), "{} {body}", row.pattern);
            assert!(!answer.has_receipt());
        }
    }
}
