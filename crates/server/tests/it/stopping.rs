//! How a server stops.

use std::sync::Arc;
use std::time::Duration;

use keystead_server::{Handler, Limits, Response};

use crate::support::{NEVER, ask, closed, get, in_time, patient, start, until};
use tokio::sync::Semaphore;

/// Each answer needs a permit.
fn gated(gate: &Arc<Semaphore>) -> Handler {
    let gate = Arc::clone(gate);
    Arc::new(move |_, _, _| {
        let gate = Arc::clone(&gate);
        Box::pin(async move {
            gate.acquire().await.unwrap().forget();
            Response::new("finished".into())
        })
    })
}

#[tokio::test]
async fn a_stop_lets_requests_under_way_finish_and_closes_the_rest() {
    let gate = Arc::new(Semaphore::new(1));
    let server = start(patient(), gated(&gate)).await;
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

    let done = server.say_stop();
    in_time(async {
        closed(&mut idle).await;
        closed(&mut never_used).await;
    })
    .await;
    assert_eq!(counters.read().requests_in_flight, 1, "idle connections close before the request under way ends");
    assert!(tokio::net::TcpStream::connect(address).await.is_err(), "no longer accepting");
    gate.add_permits(1);
    let said = in_time(answered).await.unwrap();
    assert_eq!((said.status, said.body.as_str()), (200, "finished"));
    assert!(said.head.contains("connection: close"), "{}", said.head);
    assert_eq!(in_time(done).await.unwrap().cut, 0);
    assert_eq!(counters.read().connections_open, 0);
}

#[tokio::test]
async fn a_request_that_outlasts_the_grace_is_cut_and_counted() {
    // Nothing but the end of the grace ends it: see `NEVER`.
    let limits = Limits { request_deadline: NEVER, shutdown_grace: Duration::from_millis(200), ..patient() };
    let server = start(limits, gated(&Arc::new(Semaphore::new(0)))).await;
    let counters = Arc::clone(&server.counters);
    let mut stream = server.connect().await;
    let cut = tokio::spawn(async move { ask(&mut stream, &get("/")).await.is_none() });
    until(|| counters.read().requests_in_flight == 1).await;
    assert_eq!(server.stop().await.cut, 1);
    assert!(in_time(cut).await.unwrap());
    assert_eq!((counters.read().connections_open, counters.read().requests_in_flight), (0, 0));
}
