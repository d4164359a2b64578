//! Changes of who is believed: at once, for administrators, with a record each.

use crate::support::*;
use keystead_engine::{
    AddCredential, AddIssuer, BUILT_IN, CreateClient, IssueToken, NewCredential, NotLetIn, ReadPolicy, Refusal,
    RemoveClient, RemoveCredential, RemoveIssuer, RevokeTokens,
};
use keystead_identity::{Federation, NotAuthenticated, Proof, TrustedIssuer};
use keystead_model::Time;

fn later(seconds: i64) -> Time {
    T0.plus_millis(seconds * 1000)
}

async fn token(node: &Node, id: &str, secret: &str, now: Time) -> String {
    let proof = Proof::ClientSecret { client: id, secret };
    let caller = node.vault().authenticate(proof, None, now).unwrap();
    let ask = IssueToken { audience: "https://vault.azure.net".to_owned(), lifetime_secs: 3600 };
    let (_, issued) = node.vault().run(caller, ask, at(now)).await.unwrap().into_parts();
    issued.unwrap_or_else(|e| panic!("{e}")).jwt.to_string()
}

fn refusal(node: &Node, proof: Proof<'_>, now: Time) -> Option<NotAuthenticated> {
    match node.vault().authenticate(proof, None, now).err()? {
        NotLetIn::NotAuthenticated(why) => Some(why),
        NotLetIn::TurnedAway(why) => panic!("{why}"),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_removed_client_and_its_remembered_tokens_are_refused_at_once_and_after_a_restart() {
    let node = Node::new().await;
    let create = CreateClient { name: "a".into(), credential: Some(NewCredential::Secret), expires: Some(later(60)) };
    let made = node.run(create).await.unwrap_or_else(|e| panic!("{e}"));
    let (id, secret) = (made.client.id.clone(), made.secret.unwrap());
    let text = token(&node, &id, &secret, T0).await;
    assert_eq!(refusal(&node, Proof::Bearer(&text), later(1)), None);
    let proof = Proof::ClientSecret { client: &id, secret: &secret };
    assert_eq!(refusal(&node, proof, later(60)), Some(NotAuthenticated::WrongSecret), "it ended");

    let node = node.restart().await;
    assert_eq!(refusal(&node, Proof::Bearer(&text), later(1)), None);
    node.run(RemoveClient { client: id.to_uppercase() }).await.unwrap();
    for node in [&node, &Node::open(copy(&node).await, LIMITS).await] {
        assert_eq!(refusal(node, Proof::Bearer(&text), later(1)), Some(NotAuthenticated::Revoked));
        let proof = Proof::ClientSecret { client: &id, secret: &secret };
        assert_eq!(refusal(node, proof, later(1)), Some(NotAuthenticated::UnknownClient));
    }
    let again = node.run(RemoveClient { client: id }).await;
    assert!(matches!(again, Err(Refusal::NotInPolicy { what: "client" })));
    node.stop_and_verify().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_that_is_made_while_its_client_is_removed_is_refused_too() {
    let node = Node::new().await;
    let create = CreateClient { name: "a".into(), credential: Some(NewCredential::Secret), expires: None };
    let made = node.run(create).await.unwrap_or_else(|e| panic!("{e}"));
    let (id, secret) = (made.client.id.clone(), made.secret.unwrap());
    // It has proven itself before the removal, and asks in the second after the one in which that was asked for.
    let proof = Proof::ClientSecret { client: &id, secret: &secret };
    let caller = node.vault().authenticate(proof, None, later(1)).unwrap();
    node.run(RemoveClient { client: id }).await.unwrap();
    let ask = IssueToken { audience: "https://vault.azure.net".to_owned(), lifetime_secs: 3600 };
    let (_, issued) = node.vault().run(caller, ask, at(later(1))).await.unwrap().into_parts();
    let text = issued.unwrap_or_else(|e| panic!("{e}")).jwt;
    assert_eq!(refusal(&node, Proof::Bearer(&text), later(2)), Some(NotAuthenticated::Revoked));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_removed_issuer_ends_the_tokens_of_clients_that_are_federated_with_it_and_of_no_other() {
    let node = Node::new().await;
    for iss in ["https://a.example", "https://b.example"] {
        let (audiences, subject_claim) = (vec!["a".into()], "sub".into());
        let issuer = TrustedIssuer { iss: iss.into(), audiences, subject_claim, ..TrustedIssuer::default() };
        node.run(AddIssuer { issuer }).await.unwrap();
    }
    let create = CreateClient { name: "a".into(), credential: Some(NewCredential::Secret), expires: None };
    let made = node.run(create).await.unwrap_or_else(|e| panic!("{e}"));
    let (client, secret) = (made.client.id.clone(), made.secret.unwrap());
    let federation = Federation { iss: "https://a.example".into(), sub: "s".into(), aud: "a".into() };
    let credential = NewCredential::Federated(federation);
    node.run(AddCredential { client: client.clone(), credential, expires: None })
        .await
        .unwrap_or_else(|e| panic!("{e}"));
    let texts = [token(&node, &client, &secret, T0).await, token(&node, USER.0, USER.1, T0).await];
    let remove = async |iss: &str| node.run(RemoveIssuer { iss: iss.to_owned() }).await.unwrap();
    let refusals = || texts.each_ref().map(|text| refusal(&node, Proof::Bearer(text), later(1)));
    remove("https://b.example").await;
    assert_eq!(refusals(), [None, None]);
    remove("https://a.example").await;
    assert_eq!(refusals(), [Some(NotAuthenticated::Revoked), None]);
}

/// The node's directory as a backup would have it.
async fn copy(node: &Node) -> tempfile::TempDir {
    let dir = tempfile::tempdir().unwrap();
    let copied = std::process::Command::new("cp").arg("-r").arg(node.dir.path().join(".")).arg(dir.path()).status();
    assert!(copied.unwrap().success());
    dir
}

#[tokio::test(flavor = "multi_thread")]
async fn a_removed_credential_ends_the_clients_tokens_and_leaves_its_other_credentials() {
    let node = Node::new().await;
    let credential = NewCredential::Secret;
    let create = CreateClient { name: "a".into(), credential: Some(credential.clone()), expires: None };
    let first = node.run(create).await.unwrap_or_else(|e| panic!("{e}"));
    let (client, old) = (first.client.id.clone(), first.secret.unwrap());
    let add = AddCredential { client: client.clone(), credential, expires: None };
    let second = node.run(add).await.unwrap_or_else(|e| panic!("{e}")).secret.unwrap();
    let text = token(&node, &client, &old, T0).await;
    let remove = RemoveCredential { client: client.clone(), credential: first.credential.unwrap() };
    node.run(remove).await.unwrap();
    assert_eq!(refusal(&node, Proof::Bearer(&text), later(1)), Some(NotAuthenticated::Revoked));
    let proof = Proof::ClientSecret { client: &client, secret: &old };
    assert_eq!(refusal(&node, proof, later(1)), Some(NotAuthenticated::WrongSecret));
    let fresh = token(&node, &client, &second, later(1)).await;
    assert_eq!(refusal(&node, Proof::Bearer(&fresh), later(1)), None);
}

#[tokio::test(flavor = "multi_thread")]
async fn revoking_everybodys_tokens_spares_those_that_are_issued_after_it() {
    let node = Node::new().await;
    let text = token(&node, USER.0, USER.1, T0).await;
    assert_eq!(refusal(&node, Proof::Bearer(&text), T0), None);
    let revoke = |before| RevokeTokens { issuer: BUILT_IN.to_owned(), subject: None, before };
    assert!(matches!(node.run(revoke(Some(later(60)))).await, Err(Refusal::BadDates)), "not in the future");
    node.run(revoke(None)).await.unwrap();
    assert_eq!(refusal(&node, Proof::Bearer(&text), T0), Some(NotAuthenticated::Revoked));
    // An earlier time takes nothing back.
    node.run(revoke(Some(Time(0)))).await.unwrap();
    assert_eq!(refusal(&node, Proof::Bearer(&text), T0), Some(NotAuthenticated::Revoked));
    let fresh = token(&node, USER.0, USER.1, later(2)).await;
    assert_eq!(refusal(&node, Proof::Bearer(&fresh), later(2)), None);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_policy_is_its_administrators_and_what_could_be_no_policy_is_refused() {
    let node = Node::new().await;
    let issuer = |iss: &str| TrustedIssuer {
        iss: iss.into(),
        audiences: vec!["a".into()],
        subject_claim: "sub".into(),
        ..TrustedIssuer::default()
    };
    let denied = node.run_as(USER, ReadPolicy, T0).await.err();
    assert!(matches!(denied, Some(Refusal::Denied(_))));
    let denied = node.run_as(USER, AddIssuer { issuer: issuer("https://a.example") }, T0).await.err();
    assert!(matches!(denied, Some(Refusal::Denied(_))));

    let own = node.vault().issuer().unwrap().iss;
    node.run(AddIssuer { issuer: issuer("https://a.example") }).await.unwrap();
    let clear = TrustedIssuer { metadata: Some("http://b.example".into()), ..issuer("https://b.example") };
    for bad in [issuer("https://a.example"), issuer(&own), issuer("x509:00"), clear] {
        let refused = node.run(AddIssuer { issuer: bad }).await.err();
        assert!(matches!(refused, Some(Refusal::PolicyRefused(_))), "{refused:?}");
    }
    let gone = node.run(RemoveIssuer { iss: own }).await.err();
    assert!(matches!(gone, Some(Refusal::NotInPolicy { what: "issuer" })), "the vault's own stays: {gone:?}");
    // OFFICER is the only administrator.
    let last = node.run(RemoveClient { client: OFFICER.0.to_owned() }).await.err();
    assert!(matches!(last, Some(Refusal::PolicyRefused(_))), "{last:?}");
    let view = node.run(ReadPolicy).await.unwrap_or_else(|e| panic!("{e}"));
    assert_eq!(view.document.issuers.len(), 1);
    assert_eq!(view.revision, node.revision().await);
    node.stop_and_verify().await;
}
