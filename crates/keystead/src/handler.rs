//! From a request to its vault: the authority selects it, the tables do the rest.

use crate::watch;
use crate::watch::gather::Sources;
use crate::watch::metrics::Metrics;
use hyper::StatusCode;
use keystead_api_own::Operator;
use keystead_api_table::{ClientCertificates, NotAdmitted, Reply, Table};
use keystead_engine::{Instance, TurnedAwayReason};
use keystead_model::Authority;
use keystead_server::{Fault, FaultAnswer, Gate, Handler, Limits, Peer, Request, Response, Server, Verdict};
use std::sync::{Arc, OnceLock};
use tracing::{Instrument as _, Span};

/// What stands behind the listeners: the vaults' tables, the operator's, and what is counted of both.
pub(crate) struct Front {
    instance: Arc<Instance>,
    table: Arc<Table>,
    operator: Arc<Operator>,
    sources: Arc<OnceLock<Arc<Sources>>>,
    /// How many traces are begun; none if none are wanted.
    ratio: Option<f64>,
    pub(crate) metrics: Arc<Metrics>,
}

impl Front {
    pub(crate) fn new(instance: &Arc<Instance>, ratio: Option<f64>) -> Self {
        let protocols = vec![keystead_api_azure::protocol(), keystead_api_own::protocol()];
        let table = Arc::new(Table::new(keystead_api_azure::front(), protocols, keystead_crypto::random()));
        let sources: Arc<OnceLock<Arc<Sources>>> = Arc::default();
        let page = Arc::clone(&sources);
        let operator = Operator::new(keystead_crypto::random()).with_metrics(Arc::new(move || {
            let sources = page.get().cloned();
            Box::pin(async move {
                match sources {
                    Some(sources) => sources.page().await,
                    None => String::new(),
                }
            })
        }));
        let routes = table.entries().chain(operator.infos()).map(|r| (r.protocol, r.name));
        let metrics = Arc::new(Metrics::new(routes));
        Self { instance: Arc::clone(instance), table, operator: Arc::new(operator), sources, ratio, metrics }
    }

    /// A server without listeners that answers with this.
    pub(crate) fn server(&self, limits: Limits) -> Server {
        Server::new(limits, self.handler(), faults(&self.instance, &self.table))
            .gated_by(self.gate())
            .observed_by(watch::observe(&self.metrics))
    }

    /// What the operator's metrics are made of, once the server is there.
    pub(crate) fn show(&self, sources: &Arc<Sources>) {
        // Said once, at the start.
        let _ = self.sources.set(Arc::clone(sources));
    }

    /// Whose long bodies are read.
    fn gate(&self) -> Gate {
        let (instance, table) = (Arc::clone(&self.instance), Arc::clone(&self.table));
        Arc::new(move |head, peer, at| {
            let (instance, table) = (Arc::clone(&instance), Arc::clone(&table));
            Box::pin(async move {
                let head = with_certificates(head, &peer);
                let Some(vault) = authority(&head).and_then(|a| instance.vault(&a)) else {
                    return Verdict::Answer(unknown(&instance, &table, &head));
                };
                match table.admit(&vault, &head, peer.address.map(|a| a.ip()), at).await {
                    Ok(()) => Verdict::Read,
                    Err(NotAdmitted::TooLong) => Verdict::TooLong,
                    Err(NotAdmitted::Answer(answer)) => Verdict::Answer(answer),
                }
            })
        })
    }

    /// The handler of every listener: vaults' tables over TLS, the operator's over the local socket.
    fn handler(&self) -> Handler {
        let (instance, table, operator) =
            (Arc::clone(&self.instance), Arc::clone(&self.table), Arc::clone(&self.operator));
        let ratio = self.ratio;
        Arc::new(move |request, peer, at| {
            let (instance, table, operator) = (Arc::clone(&instance), Arc::clone(&table), Arc::clone(&operator));
            Box::pin(async move {
                if peer.unix_uid.is_some() {
                    return operator.dispatch(&instance, request, at).await;
                }
                let request = with_certificates(request, &peer);
                let span = ratio.map_or_else(Span::none, |ratio| root(ratio, &request));
                let answer = async {
                    match authority(&request).and_then(|a| instance.vault(&a)) {
                        Some(vault) => table.dispatch(&vault, request, peer.address.map(|a| a.ip()), at).await,
                        None => unknown(&instance, &table, &request),
                    }
                };
                let answer = answer.instrument(span.clone()).await;
                watch::note(&span, &answer);
                answer
            })
        })
    }
}

/// What the handshake proved, where proofs are looked for.
fn with_certificates(mut request: Request, peer: &Peer) -> Request {
    if let Some(chain) = &peer.certificates {
        request.extensions_mut().insert(ClientCertificates(Arc::clone(chain)));
    }
    request
}

fn root(ratio: f64, request: &Request) -> Span {
    let parent = request.headers().get("traceparent").and_then(|v| v.to_str().ok());
    watch::traces::root(ratio, parent)
}

/// What the server says itself, in the protocol's shape.
fn faults(instance: &Arc<Instance>, table: &Arc<Table>) -> FaultAnswer {
    let (instance, table) = (Arc::clone(instance), Arc::clone(table));
    Arc::new(move |fault: Fault| {
        if let Some(why) = counted(fault) {
            instance.turned_away(why);
        }
        let reply = Reply::error(fault.status(), code(fault.status()), None, fault.to_string());
        let busy = matches!(fault.status(), StatusCode::TOO_MANY_REQUESTS | StatusCode::SERVICE_UNAVAILABLE);
        table.reject(&hyper::HeaderMap::new(), if busy { reply.retry_after(1) } else { reply })
    })
}

/// What never came as far as a vault is counted in the node's log.
const fn counted(fault: Fault) -> Option<TurnedAwayReason> {
    match fault {
        Fault::BodyTooLarge => Some(TurnedAwayReason::TooLarge),
        Fault::BodyLate | Fault::BodyBroken => Some(TurnedAwayReason::Malformed),
        Fault::Busy => Some(TurnedAwayReason::OverBound),
        // These came as far as the handler, which has its own account of them.
        Fault::Deadline | Fault::Panicked => None,
    }
}

fn code(status: StatusCode) -> &'static str {
    match status {
        StatusCode::PAYLOAD_TOO_LARGE => "RequestEntityTooLarge",
        StatusCode::TOO_MANY_REQUESTS => "Throttled",
        StatusCode::SERVICE_UNAVAILABLE => "ServiceUnavailable",
        StatusCode::INTERNAL_SERVER_ERROR => "InternalServerError",
        _ => "BadParameter",
    }
}

fn authority(request: &Request) -> Option<Authority> {
    let named = request.uri().authority().map(|a| a.as_str().to_owned());
    let host = || request.headers().get(hyper::header::HOST)?.to_str().ok().map(str::to_owned);
    named.or_else(host)?.parse().ok()
}

fn unknown(instance: &Instance, table: &Table, request: &Request) -> Response {
    instance.turned_away(TurnedAwayReason::UnknownHost);
    let message = "No vault answers at this host name. The operator's `keystead vault list` shows the authorities.";
    table.reject(request.headers(), Reply::error(StatusCode::NOT_FOUND, "VaultNotFound", None, message))
}
