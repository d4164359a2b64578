//! The plain port for the machine's own scraper and probes: `/metrics`, `/ready`, `/live`. It knows no caller and
//! serves nothing that one would need to be known for, so it stays on loopback addresses (`config` refuses others).

use super::gather::Sources;
use crate::exit::Failure;
use hyper::header::{CONTENT_TYPE, HeaderMap, HeaderValue};
use hyper::{Method, StatusCode};
use keystead_api_own::ready;
use keystead_api_table::{Body, Reply, Stamp};
use keystead_server::{Fault, FaultAnswer, Handler, Limits, Request, Response, Server};
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

/// What Prometheus calls its text format.
const FORMAT: HeaderValue = HeaderValue::from_static("text/plain; version=0.0.4; charset=utf-8");

/// A server with this port alone.
pub(crate) async fn server(address: SocketAddr, sources: &Arc<Sources>) -> Result<Server, Failure> {
    let stamp = Arc::new(Stamp::new(keystead_crypto::random()));
    let mut server = Server::new(limits(), handler(sources, &stamp), faults(&stamp));
    let bound = server.listen_plain(address).await.map_err(|e| Failure::unavailable(e.to_string()))?;
    tracing::info!("metrics, readiness and liveness at http://{bound}/metrics, /ready and /live");
    Ok(server)
}

/// A scraper and a few probes are all there should be.
fn limits() -> Limits {
    Limits {
        max_connections: 16,
        max_in_flight: 4,
        max_body: 0,
        request_deadline: Duration::from_secs(5),
        shutdown_grace: Duration::from_secs(1),
        ..Limits::default()
    }
}

fn handler(sources: &Arc<Sources>, stamp: &Arc<Stamp>) -> Handler {
    let (sources, stamp) = (Arc::clone(sources), Arc::clone(stamp));
    Arc::new(move |request, _, _| {
        let (sources, stamp) = (Arc::clone(&sources), Arc::clone(&stamp));
        Box::pin(async move { answer(&sources, &stamp, &request).await })
    })
}

async fn answer(sources: &Sources, stamp: &Stamp, request: &Request) -> Response {
    let known = matches!(request.uri().path(), "/metrics" | "/ready" | "/live");
    let reply = match (request.method(), request.uri().path()) {
        (&Method::GET, "/metrics") => {
            let page = Reply::new(StatusCode::OK, Body::text(sources.page().await));
            let mut response = stamp.finish(request.headers(), page, None);
            response.headers_mut().insert(CONTENT_TYPE, FORMAT);
            return response;
        }
        (&Method::GET, "/ready") => ready::node_without_names(&sources.instance).await,
        (&Method::GET, "/live") => ready::alive(),
        _ if known => {
            Reply::error(StatusCode::METHOD_NOT_ALLOWED, "MethodNotAllowed", None, "Only GET is allowed here.")
        }
        _ => Reply::error(StatusCode::NOT_FOUND, "NotFound", None, "Here are /metrics, /ready and /live."),
    };
    stamp.finish(request.headers(), reply, None)
}

fn faults(stamp: &Arc<Stamp>) -> FaultAnswer {
    let stamp = Arc::clone(stamp);
    Arc::new(move |fault: Fault| {
        let reply = Reply::error(fault.status(), "NotServed", None, fault.to_string());
        stamp.finish(&HeaderMap::new(), reply, None)
    })
}
