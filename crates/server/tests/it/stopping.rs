//! How a server stops.

use std::sync::Arc;
use std::time::{Duration, Instant};

use keystead_server::{Handler, Limits, Response};

use crate::support::{ask, closed, get, in_time, quick, start, until};

fn takes(time: Duration) -> Handler {
    Arc::new(move |_, _, _| {
        Box::pin(async move {
            tokio::time::sleep(time).await;
            Response::new("finished".into())
        })
    })
}

#[tokio::test]
async fn a_stop_lets_requests_under_way_finish_and_closes_the_rest() {
    let server = start(Limits::default(), takes(Duration::from_secs(2))).await;
    let (address, counters) = (server.address, Arc::clone(&server.counters));
    let mut never_used = server.connect().await;
    let mut idle = server.connect().await;
    ask(&mut idle, &get("/")).await.unwrap();
    let mut busy = server.connect().await;
    let answered = tokio::spawn(async move {
        let said = ask(&mut busy, &get("/")).await.unwrap();
        closed(&mut busy).await;
        said
    });
    until(|| counters.read().requests_in_flight == 1).await;

    let began = Instant::now();
    let done = server.say_stop();
    in_time(async {
        closed(&mut idle).await;
        closed(&mut never_used).await;
    })
    .await;
    assert!(began.elapsed() < Duration::from_millis(1500), "idle connections close at once: {:?}", began.elapsed());
    assert!(tokio::net::TcpStream::connect(address).await.is_err(), "no longer accepting");
    let said = in_time(answered).await.unwrap();
    assert_eq!((said.status, said.body.as_str()), (200, "finished"));
    assert!(said.head.contains("connection: close"), "{}", said.head);
    assert_eq!(in_time(done).await.unwrap().cut, 0);
    assert_eq!(counters.read().connections_open, 0);
}

#[tokio::test]
async fn a_request_that_outlasts_the_grace_is_cut_and_counted() {
    let limits =
        Limits { request_deadline: Duration::from_secs(60), shutdown_grace: Duration::from_millis(200), ..quick() };
    let server = start(limits, takes(Duration::from_secs(60))).await;
    let counters = Arc::clone(&server.counters);
    let mut stream = server.connect().await;
    let cut = tokio::spawn(async move { ask(&mut stream, &get("/")).await.is_none() });
    until(|| counters.read().requests_in_flight == 1).await;
    let began = Instant::now();
    assert_eq!(server.stop().await.cut, 1);
    assert!(began.elapsed() < Duration::from_secs(3));
    assert!(in_time(cut).await.unwrap());
    assert_eq!((counters.read().connections_open, counters.read().requests_in_flight), (0, 0));
}
