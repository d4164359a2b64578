//! One connection, from greeting to close.

use std::convert::Infallible;
use std::io;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::watch;
use tokio::time::{sleep_until, timeout};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;

use crate::Peer;
use crate::exchange::exchange;
use crate::pace::{Next, Pace, Paced, Phase};
use crate::server::{Shared, Stop};

/// The first byte of every TLS connection: a record of type handshake (RFC 8446, section 5.1).
const TLS_HANDSHAKE: u8 = 0x16;

/// What a client that speaks plain HTTP to a TLS port reads.
const USE_HTTPS: &[u8] = b"HTTP/1.1 400 Bad Request\r\ncontent-type: text/plain; charset=utf-8\r\n\
    content-length: 36\r\nconnection: close\r\n\r\nthis port speaks TLS: use https://\r\n";

/// The TLS handshake, in time; none if the other end does not finish one.
pub(crate) async fn greet(shared: &Shared, acceptor: &TlsAcceptor, tcp: TcpStream) -> Option<TlsStream<TcpStream>> {
    let _ = tcp.set_nodelay(true);
    let greeting = async {
        let mut first = [0];
        match tcp.peek(&mut first).await {
            Ok(1) if first == [TLS_HANDSHAKE] => acceptor.accept(tcp).await.ok(),
            Ok(1) if first[0].is_ascii_uppercase() => {
                shared.counters.plain_http.up();
                let _ = say_use_https(tcp).await;
                None
            }
            _ => None,
        }
    };
    let greeted = timeout(shared.limits.handshake_timeout, greeting).await.ok().flatten();
    if greeted.is_none() {
        shared.counters.handshakes_failed.up();
    }
    greeted
}

/// Answers in the clear, then reads what comes for a moment: a close with bytes unread would take the answer back.
async fn say_use_https(mut tcp: TcpStream) -> io::Result<()> {
    tcp.write_all(USE_HTTPS).await?;
    tcp.shutdown().await?;
    let mut scratch = [0; 2048];
    let rest = async {
        for _ in 0..32 {
            if tcp.read(&mut scratch).await? == 0 {
                break;
            }
        }
        Ok(())
    };
    timeout(Duration::from_secs(1), rest).await.unwrap_or(Ok(()))
}

/// Serves requests until either end is done, a time limit passes or the server stops.
pub(crate) async fn serve<S>(shared: Arc<Shared>, stream: S, peer: Peer, mut stop: watch::Receiver<Stop>)
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let pace = Arc::new(Pace::new(Arc::clone(&shared.lingering)));
    let io = TokioIo::new(Paced::new(stream, Arc::clone(&pace)));
    let service = service_fn(|request| {
        let (shared, pace, peer) = (Arc::clone(&shared), Arc::clone(&pace), peer.clone());
        async move { Ok::<_, Infallible>(exchange(&shared, &pace, peer, request).await) }
    });
    let mut connection = pin!(shared.http.serve_connection(io, service));
    let mut timer = pin!(sleep_until(tokio::time::Instant::now()));
    loop {
        tokio::select! {
            biased;
            _ = connection.as_mut() => return,
            () = timer.as_mut() => match pace.next(&shared.limits) {
                Next::Check(at) => timer.as_mut().reset(at),
                Next::Over(Phase::Idle) => {
                    pace.enter(Phase::Closing);
                    connection.as_mut().graceful_shutdown();
                }
                Next::Over(_) => return shared.counters.connections_timed_out.up(),
            },
            // The server being gone is the same as the end of its grace.
            changed = stop.changed() => match changed.map(|()| *stop.borrow_and_update()) {
                Ok(Stop::Not) => {}
                Ok(Stop::Drain) => connection.as_mut().graceful_shutdown(),
                Ok(Stop::Now) | Err(_) => return,
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::USE_HTTPS;

    #[test]
    fn the_plain_answer_says_its_own_length() {
        let text = std::str::from_utf8(USE_HTTPS).unwrap();
        let (head, body) = text.split_once("\r\n\r\n").unwrap();
        assert!(head.contains(&format!("content-length: {}", body.len())), "{} bytes", body.len());
    }
}
