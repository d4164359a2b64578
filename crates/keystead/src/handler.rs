//! From a request to its vault: the authority selects it, the tables do the rest.

use hyper::StatusCode;
use keystead_api_table::{ClientCertificates, Reply, Table};
use keystead_engine::{Instance, TurnedAwayReason};
use keystead_model::Authority;
use keystead_server::{Fault, FaultAnswer, Handler, Request, Response};
use std::sync::Arc;

/// The handler of every listener: vaults' tables over TLS, the operator's over the local socket.
pub(crate) fn handler(instance: &Arc<Instance>, table: &Arc<Table>) -> Handler {
    let operator = Arc::new(keystead_api_own::Operator::new(keystead_crypto::random()));
    let (instance, table) = (Arc::clone(instance), Arc::clone(table));
    Arc::new(move |request, peer, at| {
        let (instance, table, operator) = (Arc::clone(&instance), Arc::clone(&table), Arc::clone(&operator));
        Box::pin(async move {
            if peer.unix_uid.is_some() {
                return operator.dispatch(&instance, request, at).await;
            }
            match authority(&request).and_then(|a| instance.vault(&a)) {
                Some(vault) => {
                    let mut request = request;
                    if let Some(chain) = peer.certificates {
                        request.extensions_mut().insert(ClientCertificates(chain));
                    }
                    table.dispatch(&vault, request, peer.address.map(|a| a.ip()), at).await
                }
                None => unknown(&instance, &table, &request),
            }
        })
    })
}

/// What the server says itself, in the protocol's shape.
pub(crate) fn faults(instance: &Arc<Instance>, table: &Arc<Table>) -> FaultAnswer {
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
