//! The audit's open routes, and the one that needs a token.

use keystead_client::{ClientError, LogInfo};
use serde_json::Value;

use crate::support::{answer, guarded_vault, open_vault};

const LOG: &str = "00112233445566778899aabbccddeeff";

#[tokio::test]
async fn logs_checkpoints_and_tiles_are_read_without_a_token() {
    let vault = open_vault().await;
    let client = vault.with_secret();
    vault.then(answer(200, &format!(r#"{{"logs":[{{"origin":"keystead/a/b/c","id":"{LOG}","vkey":"v+1+k"}}]}}"#)));
    let logs = client.audit_logs().await.unwrap().value;
    assert_eq!(logs, [LogInfo { origin: "keystead/a/b/c".into(), id: LOG.into(), vkey: "v+1+k".into() }]);
    vault.then(answer(200, "keystead/a/b/c\n1\n"));
    assert_eq!(client.audit_checkpoint(LOG).await.unwrap().value, "keystead/a/b/c\n1\n");
    vault.then(answer(200, "tile bytes"));
    assert_eq!(&client.audit_tile(LOG, "tile/0/000.p/3").await.unwrap().value[..], b"tile bytes");
    assert!(matches!(client.audit_tile(LOG, "../keys").await, Err(ClientError::BadArgument(_))));
    let seen = vault.take_seen();
    let base = format!("GET /keystead/v1/audit/logs/{LOG}");
    let lines: Vec<_> = seen.iter().map(|s| s.line.as_str()).collect();
    assert_eq!(
        lines,
        ["GET /keystead/v1/audit/logs", &format!("{base}/checkpoint"), &format!("{base}/tile/0/000.p/3")]
    );
    assert!(seen.iter().all(|s| s.token.is_none()));
    assert_eq!(vault.logins(), 0);
}

#[tokio::test]
async fn records_are_read_with_a_token() {
    let vault = guarded_vault().await;
    vault.then(answer(200, r#"{"records":[]}"#));
    let records = vault.with_secret().audit_records::<Value>(LOG, 5, 10).await.unwrap();
    assert_eq!(records.value["records"], Value::Array(vec![]));
    let last = vault.take_seen().pop().unwrap();
    assert_eq!(last.line, format!("GET /keystead/v1/audit/records?log={LOG}&from=5&n=10"));
    assert_eq!(last.token.as_deref(), Some("Bearer token-1"));
}
