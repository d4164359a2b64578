//! Requests that are as they should be, and what the handler may do to them.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::SeqCst};
use std::time::{Duration, Instant, SystemTime};

use keystead_server::{Handler, Limits, Response};
use rustls::{HandshakeKind, NamedGroup, ProtocolVersion};

use crate::support::{answer, ask, client_config, echo, get, in_time, patient, post, post_long, start};

#[tokio::test]
async fn a_request_goes_round_over_tls_1_3_with_the_hybrid_key_exchange() {
    let server = start(patient(), echo()).await;
    let mut stream = server.connect().await;
    let said = ask(&mut stream, &post("/a/b?c", "hello")).await.unwrap();
    assert_eq!((said.status, said.body.as_str()), (200, "POST /a/b hello"));
    assert!(said.head.contains("\r\ndate: "), "{}", said.head);
    let tls = stream.get_ref().1;
    assert_eq!(tls.protocol_version(), Some(ProtocolVersion::TLSv1_3));
    assert_eq!(tls.negotiated_key_exchange_group().map(|group| group.name()), Some(NamedGroup::X25519MLKEM768));
    assert_eq!(tls.alpn_protocol(), Some(&b"http/1.1"[..]));
}

#[tokio::test]
async fn tls_1_2_is_still_served() {
    let server = start(patient(), echo()).await;
    let old = client_config(&server.certificate, &[&rustls::version::TLS12]);
    let mut stream = server.try_connect(&old).await.unwrap();
    assert_eq!(ask(&mut stream, &get("/")).await.unwrap().status, 200);
    assert_eq!(stream.get_ref().1.protocol_version(), Some(ProtocolVersion::TLSv1_2));
}

#[tokio::test]
async fn a_client_that_comes_back_resumes_its_session() {
    let server = start(patient(), echo()).await;
    let mut first = server.connect().await;
    ask(&mut first, &get("/")).await.unwrap();
    let mut second = server.connect().await;
    ask(&mut second, &get("/")).await.unwrap();
    assert_eq!(second.get_ref().1.handshake_kind(), Some(HandshakeKind::Resumed));
}

#[tokio::test]
async fn one_connection_carries_many_requests() {
    let server = start(patient(), echo()).await;
    let mut stream = server.connect().await;
    for i in 0..200 {
        let said = ask(&mut stream, &post(&format!("/{i}"), "x")).await.unwrap();
        assert_eq!(said.body, format!("POST /{i} x"));
    }
    let counts = server.counters.read();
    assert_eq!((counts.connections, counts.requests, counts.requests_in_flight), (1, 200, 0));
}

#[tokio::test]
async fn a_body_in_pieces_arrives_whole() {
    let server = start(patient(), echo()).await;
    let mut stream = server.connect().await;
    let chunk = "y".repeat(0x8000);
    let chunked = format!(
        "POST / HTTP/1.1\r\nhost: v\r\nword: please\r\ntransfer-encoding: chunked\r\n\r\n8000\r\n{chunk}\r\n8000\r\n{chunk}\r\n0\r\n\r\n"
    );
    assert_eq!(ask(&mut stream, &chunked).await.unwrap().body.len(), "POST / ".len() + 0x10000);
    let large = "z".repeat(1 << 20);
    assert_eq!(ask(&mut stream, &post_long("/", &large)).await.unwrap().body.len(), "POST / ".len() + (1 << 20));
    assert_eq!(ask(&mut stream, &get("/again")).await.unwrap().body, "GET /again ");
}

#[tokio::test]
async fn the_handler_is_told_who_asks_and_by_when() {
    let handler: Handler = Arc::new(|_, peer, moment| {
        Box::pin(async move {
            let left = moment.deadline.saturating_duration_since(Instant::now());
            let wall = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap().as_millis();
            assert!(left > Duration::from_secs(540) && left <= Duration::from_secs(600));
            assert!(wall.abs_diff(u128::try_from(moment.now.0).unwrap()) < 60_000);
            assert_eq!(peer.unix_uid, None);
            Response::new(peer.address.unwrap().ip().to_string().into())
        })
    });
    let server = start(Limits { request_deadline: Duration::from_secs(600), ..patient() }, handler).await;
    let mut stream = server.connect().await;
    assert_eq!(ask(&mut stream, &get("/")).await.unwrap().body, "127.0.0.1");
}

/// Panics at once on `/now`, after a wait on `/later`, while others are waiting on `/wait`.
fn brittle() -> Handler {
    Arc::new(|request, _, _| {
        assert_ne!(request.uri().path(), "/now", "asked to");
        Box::pin(async move {
            tokio::time::sleep(Duration::from_millis(100)).await;
            assert_ne!(request.uri().path(), "/later", "asked to");
            Response::new("calm".into())
        })
    })
}

#[tokio::test]
async fn a_panic_costs_its_own_request_a_500_and_nobody_else_anything() {
    let server = start(patient(), brittle()).await;
    let mut peer = server.connect().await;
    let mut stream = server.connect().await;
    let calm = tokio::spawn(async move { ask(&mut peer, &get("/wait")).await.unwrap().body });
    for path in ["/now", "/later"] {
        let said = ask(&mut stream, &get(path)).await.unwrap();
        assert_eq!((said.status, said.body.as_str()), (500, "FAULT Panicked"));
    }
    assert_eq!(ask(&mut stream, &get("/")).await.unwrap().body, "calm");
    assert_eq!(in_time(calm).await.unwrap(), "calm");
    let counts = server.counters.read();
    assert_eq!((counts.panics, counts.connections, counts.requests_in_flight), (2, 2, 0));
}

#[tokio::test]
async fn a_handler_past_its_deadline_is_answered_for_and_dropped() {
    struct Told(Arc<AtomicBool>);
    impl Drop for Told {
        fn drop(&mut self) {
            self.0.store(true, SeqCst);
        }
    }
    let dropped = Arc::new(AtomicBool::new(false));
    let seen = Arc::clone(&dropped);
    let handler: Handler = Arc::new(move |_, _, _| {
        let told = Told(Arc::clone(&seen));
        Box::pin(async move {
            std::future::pending::<()>().await;
            drop(told);
            Response::default()
        })
    });
    let short = Duration::from_millis(200);
    let server = start(Limits { request_deadline: short, overrun: short, ..patient() }, handler).await;
    let mut stream = server.connect().await;
    let said = ask(&mut stream, &get("/")).await.unwrap();
    assert_eq!((said.status, said.body.as_str()), (503, "FAULT Deadline"));
    assert!(dropped.load(SeqCst));
    assert_eq!(server.counters.read().deadlines_missed, 1);
}

#[tokio::test]
async fn plain_http_on_the_tls_port_is_told_so_in_the_clear() {
    let server = start(patient(), echo()).await;
    let mut tcp = tokio::net::TcpStream::connect(server.address).await.unwrap();
    let said = ask(&mut tcp, &post("/keys", &"k".repeat(4000))).await.unwrap();
    assert_eq!(said.status, 400);
    assert!(said.body.contains("use https://"), "{}", said.body);
    assert!(answer(&mut tcp).await.is_none(), "closed after the answer");
    assert_eq!(server.counters.read().plain_http, 1);
}
