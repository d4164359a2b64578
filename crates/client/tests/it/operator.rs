//! The operator's calls over the unix socket.

use std::time::Duration;

use keystead_client::{ClientError, OperatorClient};
use keystead_model::Name;
use keystead_server::Limits;
use serde_json::json;

use crate::support::{answer, start};

#[tokio::test]
async fn the_operator_calls_over_the_socket_without_a_token() {
    let dir = tempfile::tempdir().unwrap();
    let socket = dir.path().join("operator.sock");
    let vault = start(Limits::default(), Some(&socket)).await;
    let operator = OperatorClient::new(&socket, Duration::from_secs(10));
    let name = Name::parse("dev").unwrap();
    let one = r#"{"name":"dev","status":"open","kind":"vault","custody":"file","authorities":["dev.localhost"],"x":1}"#;

    vault.then(answer(200, &format!(r#"{{"vaults":[{one}]}}"#)));
    let listed = operator.vaults().await.unwrap().value;
    assert_eq!((listed.len(), listed[0].status.as_str(), &listed[0].more["x"]), (1, "open", &json!(1)));
    vault.then(answer(200, one));
    assert_eq!(operator.vault(&name).await.unwrap().value, listed[0]);
    vault.then(answer(201, one));
    operator.create_vault(&json!({"name": "dev"})).await.unwrap();
    operator.seal_vault(&name).await.unwrap();
    operator.unseal_vault(&name).await.unwrap();
    vault.then(answer(200, r#"{"status":"ok"}"#));
    assert_eq!(operator.health().await.unwrap().value["status"], "ok");

    let seen = vault.take_seen();
    let lines: Vec<_> = seen.iter().map(|s| s.line.as_str()).collect();
    assert_eq!(
        lines,
        [
            "GET /keystead/v1/operator/vaults",
            "GET /keystead/v1/operator/vaults/dev",
            "POST /keystead/v1/operator/vaults",
            "POST /keystead/v1/operator/vaults/dev/seal",
            "POST /keystead/v1/operator/vaults/dev/unseal",
            "GET /keystead/v1/operator/health",
        ]
    );
    assert_eq!(seen[2].body, r#"{"name":"dev"}"#);
    assert!(seen.iter().all(|s| s.token.is_none() && s.host == "localhost"));
    assert_eq!(vault.counters.read().connections, 1);
}

#[tokio::test]
async fn a_socket_that_is_not_there_is_named() {
    let operator = OperatorClient::new("/nowhere/operator.sock".as_ref(), Duration::from_secs(10));
    let failed = operator.health().await.map(|_| ()).unwrap_err();
    assert!(matches!(&failed, ClientError::Connect { to, .. } if to == "/nowhere/operator.sock"), "{failed}");
}
