//! Clients that want too much, or are too slow.

use std::sync::Arc;
use std::time::{Duration, Instant};

use keystead_server::{Handler, Limits, Response};
use tokio::io::AsyncWriteExt;
use tokio::sync::Semaphore;

use crate::support::{answer, ask, closed, echo, get, in_time, patient, post, post_long, start, until};

const HEAD: &str = "POST / HTTP/1.1\r\nhost: v\r\n";

/// The time for a head, where a test waits for its end.
const SLOW: Duration = Duration::from_secs(4);

/// Sends one byte every 20 ms for as long as the other end takes them.
async fn trickle(stream: &mut (impl AsyncWriteExt + Unpin), bytes: impl Iterator<Item = u8>) {
    for byte in bytes {
        if stream.write_all(&[byte]).await.is_err() || stream.flush().await.is_err() {
            return;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

#[tokio::test]
async fn slow_heads_are_cut_and_their_places_given_to_others() {
    // Long enough for three to connect before the first is cut.
    let server = start(Limits { max_connections: 3, header_read_timeout: SLOW, ..patient() }, echo()).await;
    let mut slow = Vec::new();
    for _ in 0..3 {
        slow.push(server.connect().await);
    }
    until(|| server.counters.read().connections_open == 3).await;
    assert!(in_time(server.try_connect(&server.client)).await.is_err(), "the fourth is closed at once");
    let tasks: Vec<_> = slow
        .into_iter()
        .map(|mut stream| {
            tokio::spawn(async move {
                trickle(&mut stream, HEAD.bytes().chain(std::iter::repeat(b'x')).take(5000)).await;
            })
        })
        .collect();
    for task in tasks {
        in_time(task).await.unwrap();
    }
    until(|| server.counters.read().connections_open == 0).await;
    let counts = server.counters.read();
    assert_eq!((counts.connections_turned_away, counts.connections_timed_out, counts.requests), (1, 3, 0));
    assert_eq!(ask(&mut server.connect().await, &get("/")).await.unwrap().status, 200);
}

#[tokio::test]
async fn a_slow_head_after_a_good_request_is_cut_too() {
    let server = start(Limits { header_read_timeout: SLOW, ..patient() }, echo()).await;
    let mut stream = server.connect().await;
    ask(&mut stream, &get("/")).await.unwrap();
    let began = Instant::now();
    stream.write_all(b"GET / HT").await.unwrap();
    closed(&mut stream).await;
    assert!(began.elapsed() > SLOW / 2, "not before its time");
}

#[tokio::test]
async fn a_connection_that_never_shakes_hands_is_closed() {
    let server = start(Limits { handshake_timeout: Duration::from_secs(1), ..patient() }, echo()).await;
    let mut silent = tokio::net::TcpStream::connect(server.address).await.unwrap();
    let mut half = tokio::net::TcpStream::connect(server.address).await.unwrap();
    half.write_all(&[0x16, 3, 1]).await.unwrap();
    closed(&mut silent).await;
    closed(&mut half).await;
    until(|| server.counters.read().handshakes_failed == 2).await;
}

#[tokio::test]
async fn an_idle_connection_is_closed_after_its_time_and_not_before() {
    let idle = Duration::from_secs(5);
    let server = start(Limits { idle_timeout: idle, ..patient() }, echo()).await;
    let mut stream = server.connect().await;
    ask(&mut stream, &get("/")).await.unwrap();
    tokio::time::sleep(Duration::from_millis(500)).await;
    let began = Instant::now();
    assert_eq!(ask(&mut stream, &get("/")).await.unwrap().status, 200);
    closed(&mut stream).await;
    // The rest began after this clock: only its own rounding can make it seem shorter.
    assert!(began.elapsed() > idle - Duration::from_millis(100), "{:?}", began.elapsed());
    until(|| server.counters.read().connections_open == 0).await;
    assert_eq!(server.counters.read().connections_timed_out, 0);
}

#[tokio::test]
async fn a_slow_body_is_answered_408_and_closed() {
    let server = start(Limits { body_timeout: Duration::from_millis(400), ..patient() }, echo()).await;
    let mut stream = server.connect().await;
    let head = format!("{HEAD}content-length: 100\r\n\r\nhalf");
    let said = ask(&mut stream, &head).await.unwrap();
    assert_eq!((said.status, said.body.as_str()), (408, "FAULT BodyLate"));
    assert!(said.head.contains("connection: close"), "{}", said.head);
    closed(&mut stream).await;
    assert_eq!(server.counters.read().bodies_unfinished, 1);
}

#[tokio::test]
async fn a_body_that_breaks_its_framing_is_answered_400() {
    let server = start(patient(), echo()).await;
    let mut stream = server.connect().await;
    let said = ask(&mut stream, &format!("{HEAD}transfer-encoding: chunked\r\n\r\nnonsense\r\n")).await.unwrap();
    assert_eq!((said.status, said.body.as_str()), (400, "FAULT BodyBroken"));
}

#[tokio::test]
async fn an_oversize_body_is_answered_413_whether_or_not_it_says_its_length() {
    let server = start(Limits { max_body: 1000, ..patient() }, echo()).await;
    let mut stream = server.connect().await;
    assert_eq!(ask(&mut stream, &post("/", &"x".repeat(1000))).await.unwrap().status, 200);
    let said = ask(&mut stream, &post("/", &"x".repeat(1001))).await.unwrap();
    assert_eq!((said.status, said.body.as_str()), (413, "FAULT BodyTooLarge"));
    closed(&mut stream).await;
    let mut stream = server.connect().await;
    let chunk = "x".repeat(0x300);
    let chunked = format!("{HEAD}transfer-encoding: chunked\r\n\r\n300\r\n{chunk}\r\n300\r\n{chunk}\r\n0\r\n\r\n");
    assert_eq!(ask(&mut stream, &chunked).await.unwrap().status, 413);
    assert_eq!(server.counters.read().bodies_too_large, 2);
}

#[tokio::test]
async fn a_client_that_sends_all_of_an_oversize_body_first_still_reads_the_413() {
    let server = start(Limits { max_body: 1000, ..patient() }, echo()).await;
    for _ in 0..5 {
        let mut stream = server.connect().await;
        let said = ask(&mut stream, &post("/", &"x".repeat(4 << 20))).await.expect("an answer, not a reset");
        assert_eq!(said.status, 413);
    }
}

#[tokio::test]
async fn an_announced_oversize_body_is_not_even_asked_for() {
    let server = start(Limits { max_body: 1000, ..patient() }, echo()).await;
    let mut stream = server.connect().await;
    let head = format!("{HEAD}expect: 100-continue\r\ncontent-length: 1001\r\n\r\n");
    assert_eq!(ask(&mut stream, &head).await.unwrap().status, 413);
}

#[tokio::test]
async fn too_many_headers_or_bytes_of_them_are_answered_431() {
    let server = start(Limits { max_headers: 20, ..patient() }, echo()).await;
    let many: String = (0..21).map(|i| format!("x-{i}: y\r\n")).collect();
    let said = ask(&mut server.connect().await, &format!("GET / HTTP/1.1\r\n{many}\r\n")).await.unwrap();
    assert_eq!(said.status, 431);
    let long = format!("GET / HTTP/1.1\r\nhost: v\r\nx: {}\r\n\r\n", "y".repeat(100_000));
    assert_eq!(ask(&mut server.connect().await, &long).await.unwrap().status, 431);
    let fits = format!("GET / HTTP/1.1\r\nhost: v\r\nx: {}\r\n\r\n", "y".repeat(16_000));
    assert_eq!(ask(&mut server.connect().await, &fits).await.unwrap().status, 200);
}

/// Waits for a permit before each answer.
fn gated(gate: Arc<Semaphore>) -> Handler {
    Arc::new(move |_, _, _| {
        let gate = Arc::clone(&gate);
        Box::pin(async move {
            gate.acquire().await.unwrap().forget();
            Response::new("through".into())
        })
    })
}

#[tokio::test]
async fn one_request_too_many_is_refused_at_once_and_its_connection_kept() {
    let gate = Arc::new(Semaphore::new(0));
    let server = start(Limits { max_in_flight: 2, ..patient() }, gated(Arc::clone(&gate))).await;
    let mut waiting = Vec::new();
    for _ in 0..2 {
        let mut stream = server.connect().await;
        waiting.push(tokio::spawn(async move { ask(&mut stream, &get("/")).await.unwrap().body }));
    }
    until(|| server.counters.read().requests_in_flight == 2).await;
    let mut stream = server.connect().await;
    let said = ask(&mut stream, &post("/", "body")).await.unwrap();
    assert_eq!((said.status, said.body.as_str()), (429, "FAULT Busy"));
    gate.add_permits(3);
    for task in waiting {
        assert_eq!(in_time(task).await.unwrap(), "through");
    }
    assert_eq!(ask(&mut stream, &get("/")).await.unwrap().body, "through");
    assert_eq!(server.counters.read().requests_busy, 1);
}

#[tokio::test]
async fn memory_for_bodies_is_bounded_over_all_connections() {
    let gate = Arc::new(Semaphore::new(0));
    let server =
        start(Limits { body_memory: 100 << 10, free_body: 16 << 10, ..patient() }, gated(Arc::clone(&gate))).await;
    let mut holder = server.connect().await;
    holder.write_all(post_long("/", &"x".repeat(100_000)).as_bytes()).await.unwrap();
    holder.flush().await.unwrap();
    // Its body is held as long as its handler works.
    until(|| server.counters.read().requests_in_flight == 1).await;
    let said = ask(&mut server.connect().await, &post_long("/", &"y".repeat(110_000))).await.unwrap();
    assert_eq!((said.status, said.body.as_str()), (429, "FAULT Busy"));
    let mut small = server.connect().await;
    small.write_all(post("/", &"y".repeat(8000)).as_bytes()).await.unwrap();
    small.flush().await.unwrap();
    until(|| server.counters.read().requests_in_flight == 2).await;
    gate.add_permits(3);
    assert_eq!(answer(&mut small).await.unwrap().status, 200);
    assert_eq!(answer(&mut holder).await.unwrap().status, 200);
    assert_eq!(ask(&mut server.connect().await, &post_long("/", &"y".repeat(110_000))).await.unwrap().status, 200);
}

#[tokio::test]
async fn a_long_body_is_read_of_those_only_whom_the_gate_knows() {
    let server = start(Limits { free_body: 1000, ..patient() }, echo()).await;
    let mut stream = server.connect().await;
    assert_eq!(ask(&mut stream, &post("/", &"x".repeat(1000))).await.unwrap().status, 200);
    let long = "x".repeat(300_000);
    assert_eq!(ask(&mut stream, &post_long("/", &long)).await.unwrap().body.len(), "POST / ".len() + long.len());
    // Only its head has come: nothing more is waited for.
    let said = ask(&mut stream, &format!("{HEAD}content-length: 300000\r\n\r\n")).await.unwrap();
    assert_eq!((said.status, said.body.as_str()), (401, "say the word"));
    assert!(said.head.contains("connection: close"), "{}", said.head);
    closed(&mut stream).await;
    for (word, status) in [("no", 413), ("panic", 500)] {
        let head = format!("{HEAD}word: {word}\r\nexpect: 100-continue\r\ncontent-length: 300000\r\n\r\n");
        assert_eq!(ask(&mut server.connect().await, &head).await.unwrap().status, status, "{word}");
    }
}

#[tokio::test]
async fn a_body_that_does_not_say_its_length_is_asked_about_when_it_becomes_long() {
    let server = start(Limits { free_body: 1000, ..patient() }, echo()).await;
    let chunk = "x".repeat(0x300);
    let twice = format!("300\r\n{chunk}\r\n300\r\n{chunk}\r\n0\r\n\r\n");
    let mut stream = server.connect().await;
    let said = ask(&mut stream, &format!("{HEAD}word: please\r\ntransfer-encoding: chunked\r\n\r\n{twice}")).await;
    assert_eq!(said.unwrap().status, 200);
    let said = ask(&mut stream, &format!("{HEAD}transfer-encoding: chunked\r\n\r\n{twice}")).await;
    assert_eq!(said.unwrap().status, 401);
}

#[tokio::test]
async fn of_refused_bodies_no_more_than_the_bound_are_read_to_their_end() {
    let server = start(Limits { max_lingering: 2, ..patient() }, echo()).await;
    let mut open = Vec::new();
    for n in 0..4 {
        let mut stream = server.connect().await;
        let said = ask(&mut stream, &format!("{HEAD}content-length: 1000000\r\n\r\n")).await.unwrap();
        assert_eq!(said.status, 401, "{n}");
        open.push(stream);
    }
    until(|| server.counters.read().connections_open == 2).await;
    for mut stream in open {
        closed(&mut stream).await;
    }
    until(|| server.counters.read().connections_open == 0).await;
}

#[tokio::test]
async fn a_client_that_does_not_read_its_answer_is_cut() {
    let handler: Handler = Arc::new(|_, _, _| Box::pin(async { Response::new(vec![b'x'; 32 << 20].into()) }));
    let server = start(Limits { write_timeout: Duration::from_secs(1), ..patient() }, handler).await;
    let mut stream = server.connect().await;
    stream.write_all(get("/").as_bytes()).await.unwrap();
    stream.flush().await.unwrap();
    until(|| server.counters.read().connections_timed_out == 1).await;
    until(|| server.counters.read().connections_open == 0).await;
}
