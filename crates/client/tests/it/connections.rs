//! Connections: kept, lost, refused, too slow.

use std::time::Duration;

use keystead_client::{Client, ClientError, Config, Credential};
use keystead_model::{KeyRef, Name, SignAlgorithm};
use keystead_server::Limits;

use crate::support::{answer, in_time, open_vault, start, until};

fn key(name: &str) -> KeyRef {
    KeyRef { name: Name::parse(name).unwrap(), version: None }
}

#[tokio::test]
async fn one_connection_serves_many_calls() {
    let vault = open_vault().await;
    let client = vault.anonymous();
    for _ in 0..50 {
        client.list_keys(None).await.unwrap();
    }
    assert_eq!(vault.counters.read().connections, 1);
}

#[tokio::test]
async fn a_connection_that_the_server_closed_is_replaced() {
    let limits = Limits { idle_timeout: Duration::from_millis(200), ..Limits::default() };
    let vault = start(limits, None).await;
    let client = vault.anonymous();
    for _ in 0..3 {
        vault.then(answer(200, r#"{"kid":"k","value":"AA"}"#));
        client.sign(&key("a"), SignAlgorithm::Es256, &[0; 32]).await.unwrap();
        until(|| vault.counters.read().connections_open == 0).await;
    }
    assert_eq!(vault.counters.read().connections, 3);
}

#[tokio::test]
async fn an_answer_after_the_deadline_is_not_awaited() {
    let vault = open_vault().await;
    let config = Config { deadline: Duration::from_millis(500), ..vault.config(Credential::Anonymous) };
    let client = Client::new(config).unwrap();
    // The answer would come after ten minutes.
    let failed = in_time(client.get_key(&key("slow"))).await.unwrap_err();
    assert!(matches!(failed, ClientError::Deadline { .. }), "{failed}");
}

#[tokio::test]
async fn an_answer_over_the_bound_is_not_read() {
    let vault = open_vault().await;
    let client = Client::new(Config { max_answer: 1000, ..vault.config(Credential::Anonymous) }).unwrap();
    vault.then(answer(200, &" ".repeat(1001)));
    assert!(matches!(client.list_keys(None).await, Err(ClientError::AnswerTooLarge { bound: 1000 })));
    vault.then(answer(200, &format!("{:>1000}", "{}")));
    client.list_keys(None).await.unwrap();
}

#[tokio::test]
async fn a_redirect_is_not_followed() {
    let vault = open_vault().await;
    let mut elsewhere = answer(302, "");
    elsewhere.headers_mut().insert("location", "https://evil.example/".parse().unwrap());
    vault.then(elsewhere);
    assert!(matches!(vault.anonymous().list_keys(None).await, Err(ClientError::Refused { status: 302, .. })));
    assert_eq!(vault.lines().len(), 1);
}

#[tokio::test]
async fn a_server_is_trusted_by_its_ca_and_its_name_only() {
    let vault = open_vault().await;
    let other = open_vault().await;
    let stranger = Config { ca_pem: Some(other.ca.clone()), ..vault.config(Credential::Anonymous) };
    let failed = Client::new(stranger).unwrap().list_keys(None).await.map(|_| ()).unwrap_err();
    assert!(matches!(failed, ClientError::Tls { .. }), "{failed}");
    for host in ["other.localhost", "127.0.0.1"] {
        let base_url = format!("https://{host}:{}", vault.address.port());
        let config = Config { base_url, ..vault.config(Credential::Anonymous) };
        let failed = Client::new(config).unwrap().list_keys(None).await.map(|_| ()).unwrap_err();
        assert!(matches!(failed, ClientError::Tls { .. }), "{failed}");
    }
    assert!(vault.lines().is_empty());
}

#[tokio::test]
async fn nobody_there_is_told_with_the_address() {
    let vault = open_vault().await;
    let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let base_url = format!("https://dev.localhost:{}", free.port());
    let client = Client::new(Config { base_url, ..vault.config(Credential::Anonymous) }).unwrap();
    let failed = client.list_keys(None).await.map(|_| ()).unwrap_err();
    assert!(matches!(&failed, ClientError::Connect { to, .. } if to.ends_with(&free.port().to_string())), "{failed}");
}
