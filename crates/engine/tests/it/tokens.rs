//! The vault's own tokens.

use crate::support::*;
use keystead_engine::{GetKey, IssueToken, IssuedToken, NotLetIn, Refusal};
use keystead_identity::{NotAuthenticated, Proof};
use keystead_model::{KeySpec, Time};

async fn token(node: &Node, who: Who, audience: &str, lifetime_secs: u32) -> Result<IssuedToken, Refusal> {
    node.run_as(who, IssueToken { audience: audience.to_owned(), lifetime_secs }, T0).await
}

fn secs(n: i64) -> Time {
    Time(T0.0 + n * 1_000)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_is_its_clients_caller_until_it_expires_and_over_a_restart() {
    let node = Node::new().await;
    node.run(create("k", KeySpec::EcP256)).await.unwrap();
    let issued = token(&node, USER, "https://localhost:8443", 600).await.unwrap_or_else(|e| panic!("{e}"));
    assert_eq!((issued.expires, issued.lifetime_secs), (secs(600), 600));
    let proof = || Proof::Bearer(&issued.jwt);
    let node = node.restart().await;
    let address = Some([10, 0, 0, 1].into());
    let caller = node.vault().authenticate(proof(), address, T0).unwrap();
    assert_eq!(caller.principal().subject(), subject(USER));
    assert_eq!(caller.application(), Some(USER.0));
    // What is remembered is who it was, not where the request came from.
    assert_eq!(node.vault().authenticate(proof(), None, secs(1)).unwrap().address(), None);
    assert_eq!(node.vault().authenticate(proof(), address, secs(1)).unwrap().address(), address);
    let (_, read) = node.vault().run(caller, GetKey { key: key("k") }, at(T0)).await.unwrap().into_parts();
    assert!(read.is_ok());
    let late = node.vault().authenticate(proof(), None, secs(600 + 61)).unwrap_err();
    assert!(
        matches!(late, NotLetIn::NotAuthenticated(NotAuthenticated::Expired)),
        "although it was remembered: {late}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_for_another_resource_or_of_another_vault_lets_nobody_in() {
    let node = Node::new().await;
    node.instance.create(new_vault("two"), at(T0)).await.unwrap();
    let elsewhere = token(&node, USER, "https://elsewhere.example", 600).await.unwrap_or_else(|e| panic!("{e}"));
    let refused = node.vault().authenticate(Proof::Bearer(&elsewhere.jwt), None, T0).unwrap_err();
    assert!(matches!(refused, NotLetIn::NotAuthenticated(NotAuthenticated::WrongAudience)), "{refused}");
    let shared = token(&node, USER, "https://vault.azure.net", 600).await.unwrap_or_else(|e| panic!("{e}"));
    assert!(node.vault().authenticate(Proof::Bearer(&shared.jwt), None, T0).is_ok());
    let two = node.instance.named("two").unwrap();
    let refused = two.authenticate(Proof::Bearer(&shared.jwt), None, T0).unwrap_err();
    assert!(matches!(refused, NotLetIn::NotAuthenticated(NotAuthenticated::UnknownIssuer)), "{refused}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_tokens_lifetime_and_audience_are_bounded() {
    let node = Node::new().await;
    let day = token(&node, USER, "a", u32::MAX).await.unwrap_or_else(|e| panic!("{e}"));
    assert_eq!((day.lifetime_secs, day.expires), (86_400, secs(86_400)));
    assert!(token(&node, USER, &"a".repeat(512), 1).await.is_ok());
    assert!(matches!(token(&node, USER, &"a".repeat(513), 1).await.err(), Some(Refusal::OverBound { .. })));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wrong_secret_or_an_unknown_client_is_let_in_nowhere() {
    let node = Node::new().await;
    for (client, secret) in [(OFFICER.0, USER.1), (OFFICER.0, ""), ("", OFFICER.1), ("nobody", OFFICER.1)] {
        let refused = node.vault().authenticate(Proof::ClientSecret { client, secret }, None, T0).unwrap_err();
        assert!(matches!(refused, NotLetIn::NotAuthenticated(_)), "{refused}");
    }
}
