//! Tokens and workers that fail: no wrong answer, no wait past the deadline, no lost key, and others are not touched.

use crate::soft::*;
use keystead_hsm::{Client, HsmError, TokenState};
use std::time::{Duration, Instant};
use tokio::task::JoinHandle;
use tokio::time::sleep;

type Random = JoinHandle<Result<Vec<u8>, HsmError>>;

fn random(client: &Client, by: u64) -> Random {
    let client = client.clone();
    tokio::spawn(async move { client.random(8, within(by)).await })
}

#[tokio::test]
async fn a_full_queue_refuses_at_once_and_a_dropped_call_frees_its_place() {
    let soft = Soft::new();
    let mut config = soft.faulty();
    config.settings.sessions = Some(1);
    config.waiting = 3;
    let client = ready(config).await;
    soft.rules("C_GenerateRandom 1.. sleep 400");
    let mut calls = Vec::new();
    for waiting in 0..4 {
        calls.push(random(&client, 10_000));
        eventually("it waits", || client.figures().under_way == 1 && client.figures().waiting == waiting).await;
    }
    let began = Instant::now();
    assert_eq!(client.random(8, within(10_000)).await, Err(HsmError::Busy));
    assert!(began.elapsed() < Duration::from_millis(300), "{:?}", began.elapsed());
    calls.pop().unwrap().abort();
    eventually("its place is free", || client.figures().waiting == 2).await;
    calls.push(random(&client, 10_000));
    for call in calls {
        assert_eq!(call.await.unwrap().unwrap().len(), 8);
    }
    assert_eq!((client.figures().busy, client.figures().restarts), (1, 0));
}

#[tokio::test]
async fn a_call_that_is_held_past_its_deadline_is_answered_then_and_its_worker_killed() {
    let soft = Soft::new();
    let client = ready(soft.faulty()).await;
    let worker = process(&client);
    soft.rules("C_GenerateRandom 1 once sleep 60000");
    let began = Instant::now();
    assert_eq!(client.random(8, within(300)).await, Err(HsmError::Deadline));
    let took = began.elapsed();
    assert!((300..1_000).contains(&took.as_millis()), "{took:?}");
    eventually("the worker is killed", || !is_alive(worker)).await;
    assert!(began.elapsed() < Duration::from_millis(3_000), "{:?}", began.elapsed());
    client.random(8, within(SOON)).await.unwrap();
    let figures = client.figures();
    assert_eq!((figures.kills, figures.late), (1, 1));
}

#[tokio::test]
async fn a_call_that_waits_past_its_deadline_is_answered_then_and_never_begun() {
    let soft = Soft::new();
    let mut config = soft.faulty();
    config.settings.sessions = Some(1);
    let client = ready(config).await;
    soft.rules("C_GenerateRandom 1 once sleep 800");
    let holding = random(&client, 5_000);
    eventually("the session is busy", || client.figures().under_way == 1).await;
    let began = Instant::now();
    assert_eq!(client.random(8, within(100)).await, Err(HsmError::Deadline));
    assert!(began.elapsed() < Duration::from_millis(600));
    holding.await.unwrap().unwrap();
    assert_eq!((client.figures().kills, client.figures().waiting), (0, 0));
}

#[tokio::test]
async fn a_call_that_a_crash_took_along_is_made_once_more() {
    let soft = Soft::new();
    let client = ready(soft.faulty()).await;
    soft.rules("C_GenerateRandom 1 once abort");
    let began = Instant::now();
    client.random(8, within(SOON)).await.unwrap();
    println!("a call that met a crash was answered after {:?}", began.elapsed());
    assert_eq!((client.figures().retried, client.figures().restarts), (1, 1));
}

#[tokio::test]
async fn a_call_that_always_crashes_is_made_twice_and_then_refused() {
    let soft = Soft::new();
    let client = ready(soft.faulty()).await;
    soft.rules("C_GenerateRandom 1.. abort");
    let Err(HsmError::Down { why }) = client.random(8, within(SOON)).await else { panic!("made") };
    assert!(why.contains("signal: 6"), "{why}");
    assert_eq!(client.figures().retried, 1);
    soft.rules("");
    recovered(&client).await;
}

#[tokio::test]
async fn crashes_now_and_then_cost_nobody_a_wrong_answer_or_a_wait() {
    let soft = Soft::new();
    let client = ready(soft.faulty()).await;
    soft.rules("C_GenerateRandom /40 abort");
    let (mut answered, mut refused) = (0, 0);
    for _ in 0..6 {
        let began = Instant::now();
        for call in (0..30).map(|_| random(&client, 5_000)).collect::<Vec<_>>() {
            match call.await.unwrap() {
                Ok(bytes) => answered += usize::from(bytes.len() == 8 && bytes != [0; 8]),
                Err(HsmError::Down { .. } | HsmError::Deadline) => refused += 1,
                Err(e) => panic!("{e}"),
            }
        }
        assert!(began.elapsed() < Duration::from_millis(5_500), "{:?}", began.elapsed());
    }
    println!("a crash every 40 calls: {answered} answered, {refused} refused, {:?}", client.figures());
    assert!(answered > 60 && client.figures().restarts > 1);
}

#[tokio::test]
async fn a_lost_token_is_noticed_refused_at_once_and_found_when_it_is_back() {
    let soft = Soft::new();
    let mut config = soft.faulty();
    config.check_every = Duration::from_millis(200);
    let client = ready(config).await;
    soft.rules("token gone");
    // Nobody asks: the canary notices.
    let noticed = eventually("it is down", || matches!(client.state(), TokenState::Down { .. })).await;
    println!("a lost token was noticed after {noticed:?}");
    assert!(noticed < Duration::from_secs(5));
    let began = Instant::now();
    let refused = client.random(8, within(5_000)).await;
    assert!(matches!(refused, Err(HsmError::Down { .. } | HsmError::Setting { .. })), "{:?}", refused.err());
    assert!(began.elapsed() < Duration::from_millis(300));
    sleep(Duration::from_millis(500)).await;
    soft.rules("");
    let found = eventually("it is ready", || client.state() == TokenState::Ready).await;
    println!("a token that came back was found after {found:?}");
    client.random(8, within(5_000)).await.unwrap();
}

#[tokio::test]
async fn a_token_that_was_reset_is_opened_anew_and_the_call_answered() {
    let soft = Soft::new();
    let client = ready(soft.faulty()).await;
    soft.rules("token gone\nC_GenerateRandom 1.. rv CKR_GENERAL_ERROR");
    let lost = random(&client, 5_000);
    eventually("its worker ended", || client.figures().retried == 1).await;
    soft.rules("");
    // In its second try, or once the token is found again.
    if lost.await.unwrap().is_err() {
        recovered(&client).await;
    }
}

#[tokio::test]
async fn another_token_is_not_touched() {
    let (broken, whole) = (Soft::new(), Soft::new());
    let (broken_client, client) = (ready(broken.faulty()).await, ready(whole.config()).await);
    broken.rules("C_GenerateRandom 1.. sleep 60000");
    let stuck: Vec<_> = (0..40).map(|_| random(&broken_client, 300)).collect();
    let mut slowest = Duration::ZERO;
    for _ in 0..300 {
        let began = Instant::now();
        client.random(8, within(2_000)).await.unwrap();
        slowest = slowest.max(began.elapsed());
        sleep(Duration::from_millis(2)).await;
    }
    println!("beside a stuck token the slowest of 300 calls took {slowest:?}");
    for call in stuck {
        assert!(matches!(call.await.unwrap(), Err(HsmError::Deadline | HsmError::Down { .. })));
    }
    assert_eq!((client.figures().restarts, client.figures().late), (0, 0));
    assert!(broken_client.figures().kills >= 1);
}

#[tokio::test]
async fn a_killed_worker_is_replaced_within_a_moment() {
    let soft = Soft::new();
    let mut times = Vec::new();
    for _ in 0..5 {
        let client = ready(soft.config()).await;
        kill(process(&client));
        times.push(recovered(&client).await);
        client.stop().await;
    }
    println!("after kill -9 the token answered again in {times:?}");
    assert!(times.iter().all(|time| *time < Duration::from_secs(15)), "{times:?}");
}

#[tokio::test]
async fn a_token_is_tested_once_and_not_again_after_a_crash() {
    let soft = Soft::new();
    let client = ready(soft.faulty()).await;
    let described = client.describe(within(SOON)).await.unwrap();
    // Only the self-test copies objects.
    soft.rules("C_CopyObject 1 abort");
    kill(process(&client));
    recovered(&client).await;
    assert_eq!(client.describe(within(SOON)).await.unwrap(), described);
    assert_eq!(client.figures().restarts, 1);
}
