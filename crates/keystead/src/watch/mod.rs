//! What an operator sees of a running server: numbers for Prometheus, a line per request in the log, a warning when
//! the node's state changes. Nothing here names a key, a caller or a secret.
//!
//! - [`metrics`]: what is counted per route; [`page`]: how numbers are written; [`gather`]: all of them
//! - [`port`]: the plain port on this machine that shows them; [`log`]: how lines are written
//! - [`traces`]: where a request's time went, for a collector
//! - [`state`]: what is said when the journal's or the store's state changes

pub(crate) mod gather;
pub(crate) mod log;
pub(crate) mod metrics;
mod page;
pub(crate) mod port;
pub(crate) mod state;
pub(crate) mod traces;

use keystead_api_table::{Operation, RouteInfo};
use keystead_server::{Observe, Response, Seen};
use metrics::Metrics;
use std::sync::Arc;

/// Counts each answer and, at level `debug`, writes a line about it.
pub(crate) fn observe(metrics: &Arc<Metrics>) -> Observe {
    let metrics = Arc::clone(metrics);
    Arc::new(move |seen: &Seen<'_>| {
        let extensions = seen.answer.extensions();
        let route = extensions.get::<RouteInfo>();
        metrics.count(route.map(|r| (r.protocol, r.name)), seen.answer.status(), seen.took);
        if tracing::enabled!(target: "keystead::request", tracing::Level::DEBUG) {
            line(seen, route, extensions.get::<Operation>());
        }
    })
}

/// Notes in a request's span what came of it.
pub(crate) fn note(span: &tracing::Span, answer: &Response) {
    if span.is_none() {
        return;
    }
    if let Some(route) = answer.extensions().get::<RouteInfo>() {
        span.record("protocol", route.protocol).record("route", route.name);
    }
    if let Some(operation) = answer.extensions().get::<Operation>() {
        span.record("operation", tracing::field::display(operation.0));
    }
    span.record("status", u64::from(answer.status().as_u16()));
}

fn line(seen: &Seen<'_>, route: Option<&RouteInfo>, operation: Option<&Operation>) {
    let id = seen.answer.headers().get("x-ms-request-id").and_then(|v| v.to_str().ok()).unwrap_or_default();
    let micros = u64::try_from(seen.took.as_micros()).unwrap_or(u64::MAX);
    tracing::debug!(
        target: "keystead::request",
        protocol = route.map_or("none", |r| r.protocol),
        route = route.map_or("none", |r| r.name),
        status = seen.answer.status().as_u16(),
        operation = operation.map(|o| tracing::field::display(o.0)),
        request = id,
        fault = seen.fault.map(tracing::field::debug),
        micros,
        "answered"
    );
}
