//! Getting, keeping and renewing a token, and not giving the secret away.

use std::sync::atomic::Ordering::SeqCst;
use std::time::Duration;

use keystead_client::{Client, ClientError, Credential};

use crate::support::{TENANT, Vault, answer, guarded_vault, open_vault};

async fn list(client: &Client) -> Result<(), ClientError> {
    client.list_keys(None).await.map(|_| ())
}

#[tokio::test]
async fn a_client_logs_in_as_the_challenge_says_and_keeps_the_token() {
    let vault = guarded_vault().await;
    let client = vault.with_secret();
    list(&client).await.unwrap();
    list(&client).await.unwrap();
    let seen = vault.take_seen();
    let port = vault.address.port();
    let summary: Vec<_> = seen.iter().map(|s| (s.line.as_str(), s.token.as_deref())).collect();
    let token_url = format!("POST /{TENANT}/oauth2/v2.0/token");
    assert_eq!(
        summary,
        [
            ("GET /keys?api-version=2025-07-01", None),
            (token_url.as_str(), None),
            ("GET /keys?api-version=2025-07-01", Some("Bearer token-1")),
            ("GET /keys?api-version=2025-07-01", Some("Bearer token-1")),
        ]
    );
    assert_eq!(seen[0].host, format!("dev.localhost:{port}"));
    assert_eq!(seen[1].host, format!("localhost:{port}"));
    assert_eq!(
        seen[1].body,
        format!(
            "client_id=the-client&client_secret=s3cret%20%26%2B&grant_type=client_credentials\
             &scope=https%3A%2F%2Flocalhost%3A{port}%2F.default"
        )
    );
}

#[tokio::test]
async fn many_calls_at_once_log_in_once() {
    let vault = guarded_vault().await;
    let client = vault.with_secret();
    let calls: Vec<_> = (0..16)
        .map(|_| {
            let client = client.clone();
            tokio::spawn(async move { list(&client).await })
        })
        .collect();
    for call in calls {
        call.await.unwrap().unwrap();
    }
    assert_eq!(vault.logins(), 1);
}

#[tokio::test]
async fn a_token_is_renewed_before_it_expires() {
    let vault = guarded_vault().await;
    // Nine tenths of five seconds is long enough to be used before it is renewed, on a busy machine too.
    vault.script.lives.store(5, SeqCst);
    let client = vault.with_secret();
    list(&client).await.unwrap();
    tokio::time::sleep(Duration::from_millis(4_600)).await;
    list(&client).await.unwrap();
    assert_eq!(vault.logins(), 2);
    assert!(vault.lines().iter().filter(|line| line.starts_with("GET")).count() == 3, "no call was refused");
}

#[tokio::test]
async fn a_token_that_is_refused_is_replaced_once() {
    let vault = guarded_vault().await;
    let client = vault.with_secret();
    list(&client).await.unwrap();
    *vault.script.good.lock().unwrap() = Some("another".to_owned());
    list(&client).await.unwrap();
    assert_eq!(vault.logins(), 2);
}

#[tokio::test]
async fn a_fixed_token_that_is_refused_is_an_error() {
    let vault = guarded_vault().await;
    let bearer = Credential::Bearer("fixed".to_owned().into());
    let refused = list(&Client::new(vault.config(bearer)).unwrap()).await.unwrap_err();
    assert!(matches!(refused, ClientError::Refused { status: 401, .. }), "{refused}");
    assert_eq!(vault.lines().len(), 1);
    let refused = list(&vault.anonymous()).await.unwrap_err();
    assert!(matches!(refused, ClientError::Refused { status: 401, .. }), "{refused}");
}

#[tokio::test]
async fn a_wrong_secret_is_told_in_the_authoritys_words() {
    let vault = guarded_vault().await;
    let body = r#"{"error":"invalid_client","error_description":"AADSTS7000215: wrong\u001b secret"}"#;
    *vault.script.no_login.lock().unwrap() = Some((401, body.to_owned()));
    let failed = list(&vault.with_secret()).await.unwrap_err();
    assert!(matches!(&failed, ClientError::LoginFailed { error, description, .. }
        if error == "invalid_client" && description == "AADSTS7000215: wrong  secret"));
}

async fn refused_challenge(vault: &Vault, challenge: &str) {
    *vault.script.challenge.lock().unwrap() = challenge.to_owned();
    let refused = list(&vault.with_secret()).await.unwrap_err();
    assert!(matches!(refused, ClientError::BadChallenge(_)), "{refused}");
    assert!(vault.lines().iter().all(|line| line.starts_with("GET /keys")), "the secret was sent");
}

#[tokio::test]
async fn a_vault_cannot_send_the_secret_elsewhere_or_ask_for_anothers_token() {
    let vault = guarded_vault().await;
    refused_challenge(&vault, r#"Bearer authorization="https://evil.example/t", resource="https://localhost""#).await;
    refused_challenge(&vault, r#"Bearer authorization="https://localhost/t", resource="https://vault.example""#).await;
    refused_challenge(&vault, r#"Bearer authorization="http://localhost/t", resource="https://localhost""#).await;
    refused_challenge(&vault, "Basic realm=\"x\"").await;
}

#[tokio::test]
async fn an_authority_that_was_configured_is_used_whatever_the_challenge_says() {
    let vault = guarded_vault().await;
    let other = open_vault().await;
    let both = [vault.ca.clone(), other.ca.clone()].concat();
    let challenge = r#"Bearer authorization="https://login.example/t-9", resource="https://localhost""#;
    *vault.script.challenge.lock().unwrap() = challenge.to_owned();
    let credential = Credential::ClientSecret {
        client_id: "c".to_owned(),
        client_secret: "s".to_owned().into(),
        authority: Some(format!("https://localhost:{}", other.address.port())),
    };
    *vault.script.good.lock().unwrap() = Some("token-1".to_owned());
    let mut config = vault.config(credential);
    config.ca_pem = Some(both);
    list(&Client::new(config).unwrap()).await.unwrap();
    assert_eq!(other.lines(), ["POST /t-9/oauth2/v2.0/token"]);
}

#[tokio::test]
async fn an_unknown_vault_is_told_without_a_login() {
    let vault = open_vault().await;
    vault.then(answer(404, r#"{"error":{"code":"VaultNotFound","message":"no such vault"}}"#));
    let refused = list(&vault.with_secret()).await.unwrap_err();
    assert!(matches!(refused, ClientError::Refused { status: 404, .. }), "{refused}");
    assert_eq!(vault.logins(), 0);
}
