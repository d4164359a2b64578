//! Bounds on what one caller, one vault and one network address may cause.

use crate::support::{NARROW, Node, OFFICER, STRANGER, T0, USER, at, create, key};
use keystead_engine::{Bound, Bounds, GetKey, NotLetIn, Rate, Refusal, Share, Sign, TurnedAway};
use keystead_identity::{NotAuthenticated, Proof};
use keystead_model::{KeySpec, SignAlgorithm, Time};
use std::future::poll_fn;
use std::task::Poll;

fn rate(per_second: u32, burst: u32) -> Rate {
    Rate { per_second, burst }
}

fn bounds() -> Bounds {
    let caller = Share { rate: rate(10, 20), at_once: 8 };
    Bounds { caller, wrong_proofs: rate(1, 3), ..Bounds::default() }
}

fn get() -> GetKey {
    GetKey { key: key("k") }
}

fn throttled<T>(answer: Result<T, TurnedAway>) -> (Bound, u16) {
    match answer {
        Err(TurnedAway::Throttled { bound, seconds }) => (bound, seconds),
        Err(other) => panic!("{other}"),
        Ok(_) => panic!("let in"),
    }
}

#[tokio::test]
async fn over_its_rate_a_caller_is_turned_away_without_a_record_and_others_are_not() {
    let node = Node::bounded(bounds()).await;
    node.run(create("k", KeySpec::EcP256)).await.unwrap();
    for _ in 0..20 {
        node.run_as(USER, get(), T0).await.unwrap();
    }
    let before = node.records().len();
    for _ in 0..50 {
        assert_eq!(throttled(node.try_run(USER, get(), T0).await), (Bound::CallerRate, 1));
    }
    assert_eq!(node.records().len(), before, "what is turned away leaves no record of its own");
    node.run_as(OFFICER, get(), T0).await.unwrap();
    node.run_as(USER, get(), Time(T0.0 + 1000)).await.unwrap();
    node.stop_and_verify().await;
}

#[tokio::test]
async fn who_has_no_role_cannot_fill_the_journal_with_denials() {
    let node = Node::bounded(bounds()).await;
    let before = node.records().len();
    let mut turned_away = 0;
    for request in 0..600 {
        match node.try_run(STRANGER, get(), Time(T0.0 + request * 100)).await {
            Ok(denied) => assert!(matches!(denied, Err(Refusal::Denied(_)))),
            Err(TurnedAway::Throttled { bound: Bound::CallerRate, seconds }) => {
                assert!(seconds <= 10);
                turned_away += 1;
            }
            Err(other) => panic!("{other}"),
        }
    }
    let records = node.records().len() - before;
    assert!(records <= 35 && records + turned_away == 600, "{records} records in a minute at 10 requests a second");
    node.stop_and_verify().await;
}

#[tokio::test]
async fn a_caller_has_no_more_under_way_than_its_number() {
    let node = Node::bounded(bounds()).await;
    node.run(create("k", KeySpec::Rsa2048)).await.unwrap();
    let sign = || Sign { key: key("k"), algorithm: SignAlgorithm::Rs256, digest: vec![7; 32] };
    let (vault, user) = (node.vault(), node.caller(USER));
    let mut under_way = Vec::new();
    for _ in 0..8 {
        let mut run = Box::pin(vault.run(user.clone(), sign(), at(T0)));
        assert!(poll_fn(|cx| Poll::Ready(run.as_mut().poll(cx).is_pending())).await);
        under_way.push(run);
    }
    assert_eq!(throttled(vault.run(user.clone(), sign(), at(T0)).await), (Bound::CallerAtOnce, 1));
    assert!(vault.run(node.caller(NARROW), get(), at(T0)).await.is_ok(), "others are let in");
    for run in under_way {
        assert!(run.await.unwrap().into_parts().1.is_ok());
    }
    assert!(vault.run(user, sign(), at(T0)).await.is_ok());
    node.stop_and_verify().await;
}

/// A token of the vault's own issuer.
async fn token(node: &Node, lifetime_secs: u32) -> String {
    let audience = keystead_engine::resource(&node.vault().info().authorities[0]);
    node.run_as(USER, keystead_engine::IssueToken { audience, lifetime_secs }, T0).await.unwrap().jwt.to_string()
}

/// The same token with another signature.
fn forged(token: &str) -> String {
    let (signed, _) = token.rsplit_once('.').unwrap();
    format!("{signed}.{}", "A".repeat(86))
}

fn over<T>(answer: Result<T, NotLetIn>) -> bool {
    let over = TurnedAway::Throttled { bound: Bound::WrongProofs, seconds: 1 };
    matches!(answer, Err(NotLetIn::TurnedAway(why)) if why == over)
}

#[tokio::test]
async fn wrong_signatures_are_not_verified_without_end_for_one_address() {
    let node = Node::bounded(bounds()).await;
    let (vault, token, new) = (node.vault(), token(&node, 600).await, token(&node, 601).await);
    let (here, there) = (Some([192, 0, 2, 1].into()), Some([192, 0, 2, 2].into()));
    assert!(vault.authenticate(Proof::Bearer(&token), here, T0).is_ok());
    for _ in 0..3 {
        let refused = vault.authenticate(Proof::Bearer(&forged(&token)), here, T0);
        assert!(matches!(refused, Err(NotLetIn::NotAuthenticated(NotAuthenticated::BadSignature))));
    }
    assert!(over(vault.authenticate(Proof::Bearer(&new), here, T0)), "the right one is not told either");
    assert!(vault.authenticate(Proof::Bearer(&token), here, T0).is_ok(), "a token that was proven before is known");
    assert!(vault.authenticate(Proof::Bearer(&new), there, T0).is_ok());
    let right = Proof::ClientSecret { client: USER.0, secret: USER.1 };
    assert!(vault.authenticate(right, here, T0).is_ok(), "secrets are counted apart");
    assert!(vault.authenticate(Proof::Bearer(&new), here, Time(T0.0 + 1000)).is_ok());
}

#[tokio::test]
async fn secrets_are_not_tried_without_end_and_guesses_at_one_client_keep_no_other_out() {
    let node = Node::bounded(bounds()).await;
    let vault = node.vault();
    let (here, there) = (Some([192, 0, 2, 1].into()), Some([192, 0, 2, 2].into()));
    let secret = |client, secret| Proof::ClientSecret { client, secret };
    for _ in 0..3 {
        let refused = vault.authenticate(secret(USER.0, "guessed"), here, T0);
        assert!(matches!(refused, Err(NotLetIn::NotAuthenticated(NotAuthenticated::WrongSecret))));
    }
    assert!(over(vault.authenticate(secret(USER.0, USER.1), here, T0)), "the right one is not told either");
    assert!(vault.authenticate(secret(OFFICER.0, OFFICER.1), here, T0).is_ok());
    assert!(vault.authenticate(Proof::Bearer(&token(&node, 600).await), here, T0).is_ok());
    assert!(vault.authenticate(secret(USER.0, USER.1), there, T0).is_ok());
    assert!(vault.authenticate(secret(USER.0, USER.1), here, Time(T0.0 + 1000)).is_ok());
}

#[tokio::test]
async fn a_flood_of_junk_from_an_address_takes_nothing_from_new_tokens_and_secrets_of_the_same_address() {
    let node = Node::bounded(bounds()).await;
    let (vault, here) = (node.vault(), Some([192, 0, 2, 1].into()));
    let token = token(&node, 600).await;
    let (header, rest) = token.split_once('.').unwrap();
    let kid = |n: u32| format!("{}x{n}", header.get(..header.len() - 4).unwrap());
    for n in 0..1000 {
        for junk in ["a.b.c".to_owned(), format!("{}.{rest}", kid(n)), format!("{header}.e30.AA")] {
            let refused = vault.authenticate(Proof::Bearer(&junk), here, T0);
            assert!(matches!(refused, Err(NotLetIn::NotAuthenticated(_))), "{junk}");
        }
        let expired = vault.authenticate(Proof::Bearer(&token), here, Time(T0.0 + 3_600_000));
        assert!(matches!(expired, Err(NotLetIn::NotAuthenticated(NotAuthenticated::Expired))));
    }
    assert!(vault.authenticate(Proof::Bearer(&token), here, T0).is_ok());
    assert!(vault.authenticate(Proof::ClientSecret { client: USER.0, secret: USER.1 }, here, T0).is_ok());
}
