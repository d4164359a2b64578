use super::*;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Instant;

const ISS: &str = "https://idp.example";

fn issuer() -> TrustedIssuer {
    let metadata = Some(discovery::metadata_url(ISS));
    TrustedIssuer { iss: ISS.to_owned(), metadata, ..TrustedIssuer::default() }
}

fn at(seconds: i64) -> Moment {
    Moment { now: Time::from_secs(1_000_000 + seconds), deadline: Instant::now() + Duration::from_secs(30) }
}

/// An issuer that counts how often its keys are fetched, and fails while it is told to.
fn counting(failing: bool) -> (Arc<Issuers>, Arc<AtomicUsize>) {
    let count = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&count);
    let fetch: Fetch = Arc::new(move |url| {
        let count = Arc::clone(&counted);
        Box::pin(async move {
            tokio::task::yield_now().await;
            if url.ends_with("/.well-known/openid-configuration") {
                return Ok(format!(r#"{{"issuer":"{ISS}","jwks_uri":"{ISS}/keys"}}"#).into_bytes());
            }
            count.fetch_add(1, Ordering::SeqCst);
            let x = "AQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQE";
            let set = format!(r#"{{"keys":[{{"kty":"EC","crv":"P-256","kid":"1","x":"{x}","y":"{x}"}}]}}"#);
            if failing { Err("not now".to_owned()) } else { Ok(set.into_bytes()) }
        })
    });
    (Issuers::new(fetch), count)
}

#[tokio::test]
async fn an_issuer_is_asked_twice_a_minute_at_most_whether_it_answers_or_not() {
    for failing in [false, true] {
        let (issuers, count) = counting(failing);
        for second in 0..60 {
            for _ in 0..50 {
                let seen = Some(at(second).now);
                issuers.newer(&issuer(), seen, at(second)).await;
            }
        }
        assert_eq!(count.load(Ordering::SeqCst), 2, "failing: {failing}");
        issuers.newer(&issuer(), Some(at(200).now), at(200)).await;
        assert_eq!(count.load(Ordering::SeqCst), 3);
    }
}

#[tokio::test]
async fn a_flood_at_once_leaves_the_second_look_for_half_a_minute_later() {
    let (issuers, count) = counting(false);
    for second in [0, 0, 1, 29] {
        issuers.newer(&issuer(), Some(at(second).now), at(second)).await;
        assert_eq!(count.load(Ordering::SeqCst), 1, "after {second} s");
    }
    assert_eq!(issuers.newer(&issuer(), Some(at(0).now), at(30)).await.map(|p| p.at), Some(at(30).now));
    assert_eq!(count.load(Ordering::SeqCst), 2);
}

#[tokio::test]
async fn many_who_ask_at_once_cost_one_fetch_and_all_get_its_keys() {
    let (issuers, count) = counting(false);
    let asked = (0..WAITING).map(|_| {
        let issuers = Arc::clone(&issuers);
        tokio::spawn(async move { issuers.newer(&issuer(), None, at(0)).await })
    });
    for asked in asked.collect::<Vec<_>>() {
        assert_eq!(asked.await.unwrap().unwrap().at, at(0).now);
    }
    assert_eq!(count.load(Ordering::SeqCst), 1);
    // What is newer than what the asker saw is given without a fetch.
    assert!(issuers.newer(&issuer(), Some(at(-1).now), at(500)).await.is_some());
    assert_eq!(count.load(Ordering::SeqCst), 1);
}

#[tokio::test]
async fn metadata_of_another_issuer_gives_no_keys() {
    let (issuers, count) = counting(false);
    let other = TrustedIssuer { iss: "https://other.example".to_owned(), ..issuer() };
    assert!(issuers.newer(&other, None, at(0)).await.is_none());
    assert!(issuers.newer(&TrustedIssuer { metadata: None, ..issuer() }, None, at(0)).await.is_none());
    assert_eq!(count.load(Ordering::SeqCst), 0);
}
