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

#[tokio::test]
async fn secrets_and_tokens_are_not_tried_without_end_from_one_address() {
    let node = Node::bounded(bounds()).await;
    let vault = node.vault();
    let token = {
        let audience = keystead_engine::resource(&vault.info().authorities[0]);
        let ask = keystead_engine::IssueToken { audience, lifetime_secs: 600 };
        node.run_as(USER, ask, T0).await.unwrap().jwt
    };
    let (here, there) = (Some([192, 0, 2, 1].into()), Some([192, 0, 2, 2].into()));
    let wrong = || Proof::ClientSecret { client: USER.0, secret: "guessed" };
    assert!(vault.authenticate(Proof::Bearer(&token), here, T0).is_ok());
    assert!(matches!(vault.authenticate(wrong(), here, T0), Err(NotLetIn::NotAuthenticated(_))));
    for _ in 0..2 {
        let refused = vault.authenticate(Proof::Bearer("a.b.c"), here, T0);
        assert!(matches!(refused, Err(NotLetIn::NotAuthenticated(NotAuthenticated::Malformed))));
    }
    let right = || Proof::ClientSecret { client: USER.0, secret: USER.1 };
    let over = TurnedAway::Throttled { bound: Bound::WrongProofs, seconds: 1 };
    let refused = vault.authenticate(right(), here, T0);
    assert!(matches!(refused, Err(NotLetIn::TurnedAway(why)) if why == over), "the right one is not told either");
    assert!(vault.authenticate(Proof::Bearer(&token), here, T0).is_ok(), "a token that was proven before is known");
    assert!(vault.authenticate(right(), there, T0).is_ok());
    assert!(vault.authenticate(right(), here, Time(T0.0 + 1000)).is_ok());
}
