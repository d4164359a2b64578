//! The table of an authority, and the one order in which a request is looked at.

use crate::bad::BadParameter;
use crate::parts::{Context, Parts};
use crate::path::{Pattern, Segments};
use crate::peer::ClientCertificates;
use crate::protocol::{Front, NoRoute, Operation, Protocol, RouteInfo};
use crate::reply::{Reply, Response};
use crate::route::{OpenRoute, ProofRoute, Route, Served, TokenAsk, TokenFault, TokenProof, run};
use crate::stamp::Stamp;
use bytes::Bytes;
use hyper::header::{AUTHORIZATION, HOST};
use hyper::{HeaderMap, Method, Request};
use keystead_engine::{NotLetIn, TurnedAway, TurnedAwayReason, Vault};
use keystead_identity::{Caller, NotAuthenticated, Proof};
use keystead_model::{Authority, Moment, OperationId};
use std::net::IpAddr;
use std::sync::Arc;
use tracing::{Instrument as _, trace_span};

/// Everything that answers at a vault's authority.
pub struct Table {
    front: Front,
    protocols: Vec<Protocol>,
    stamp: Stamp,
}

/// Why the rest of a long body is not read.
pub enum NotAdmitted {
    /// Nothing that is asked for without a caller has a body of that length.
    TooLong,
    /// Nobody has proven himself, or nobody is let in: this is the answer.
    Answer(Response),
}

/// A reply, its receipt, and the route that made it.
struct Outcome {
    reply: Reply,
    receipt: Option<(String, OperationId)>,
    route: Option<RouteInfo>,
}

impl Table {
    /// A table of these protocols. `seed`: 16 random bytes for the request ids, new at each start.
    pub fn new(front: Front, protocols: Vec<Protocol>, seed: [u8; 16]) -> Self {
        Self { front, protocols, stamp: Stamp::new(seed) }
    }

    /// Every row, in the order of matching.
    pub fn entries(&self) -> impl Iterator<Item = RouteInfo> {
        self.protocols.iter().flat_map(Protocol::entries)
    }

    /// A reply to what belongs to no vault or never got as far as one (unknown authority, too large, too many), with
    /// the common headers.
    pub fn reject(&self, request: &HeaderMap, reply: Reply) -> Response {
        self.stamp.finish(request, reply, None)
    }

    /// Answers a request to this vault. `request` has its whole body, bounded by the embedder; `peer` is where it came
    /// from.
    ///
    /// The order is fixed: the vault's state; routes without a caller; the caller; the route; the protocol's version;
    /// the command. Clients send their first request without token and body to learn the challenge, so nothing of the
    /// request is looked at before the caller is known.
    pub async fn dispatch(
        &self,
        vault: &Arc<Vault>,
        request: Request<Bytes>,
        peer: Option<IpAddr>,
        at: Moment,
    ) -> Response {
        let path = Segments::parse(request.uri().path()).unwrap_or(Segments::none());
        let outcome = match authority(&request, vault) {
            Some(authority) => {
                let request = &request;
                let visit = Visit { table: self, vault, request, path: &path, authority: &authority, peer, at };
                visit.answer().await
            }
            None => nowhere(),
        };
        self.finish(&request, outcome)
    }

    /// Whether more of a long body is to be read: asked with the head alone. Bodies without a caller are short, and of
    /// callers those count who have proven themselves.
    pub async fn admit(
        &self,
        vault: &Arc<Vault>,
        head: &Request<Bytes>,
        peer: Option<IpAddr>,
        at: Moment,
    ) -> Result<(), NotAdmitted> {
        let path = Segments::parse(head.uri().path()).unwrap_or(Segments::none());
        let outcome = match authority(head, vault) {
            Some(authority) => {
                let visit = Visit { table: self, vault, request: head, path: &path, authority: &authority, peer, at };
                if visit.is_without_caller() {
                    return Err(NotAdmitted::TooLong);
                }
                match visit.known().await {
                    Ok(_) => return Ok(()),
                    Err(outcome) => outcome,
                }
            }
            None => nowhere(),
        };
        Err(NotAdmitted::Answer(self.finish(head, outcome)))
    }

    fn finish(&self, request: &Request<Bytes>, outcome: Outcome) -> Response {
        let receipt = outcome.receipt.as_ref().map(|(text, _)| text.as_str());
        let mut response = self.stamp.finish(request.headers(), outcome.reply, receipt);
        if let Some((_, operation)) = outcome.receipt {
            response.extensions_mut().insert(Operation(operation));
        }
        if let Some(route) = outcome.route {
            response.extensions_mut().insert(route);
        }
        response
    }

    fn routes(&self) -> impl Iterator<Item = (&Protocol, &Route)> {
        self.protocols.iter().flat_map(|p| p.routes.iter().map(move |r| (p, r)))
    }

    fn open_routes(&self) -> impl Iterator<Item = (&Protocol, &OpenRoute)> {
        self.protocols.iter().flat_map(|p| p.open_routes.iter().map(move |r| (p, r)))
    }

    fn proof_routes(&self) -> impl Iterator<Item = (&Protocol, &ProofRoute)> {
        self.protocols.iter().flat_map(|p| p.proof_routes.iter().map(move |r| (p, r)))
    }
}

fn nowhere() -> Outcome {
    let message = "This vault answers at no authority.";
    Outcome::of(Reply::error(hyper::StatusCode::BAD_REQUEST, "BadParameter", None, message))
}

/// Host and port as the client wrote them, if they are the vault's; else its first authority. Ids, links and the
/// challenge are built from it, so it is never one that somebody else holds.
fn authority(request: &Request<Bytes>, vault: &Vault) -> Option<Authority> {
    let header = request.headers().get(HOST).and_then(|v| v.to_str().ok());
    let asked = request.uri().authority().map(|a| a.as_str()).or(header).and_then(|text| text.parse().ok());
    let own = &vault.info().authorities;
    asked.filter(|a| own.contains(a)).or_else(|| own.first().cloned())
}

/// One request on its way through the table.
#[derive(Clone, Copy)]
struct Visit<'a> {
    table: &'a Table,
    vault: &'a Arc<Vault>,
    request: &'a Request<Bytes>,
    path: &'a Segments<'a>,
    authority: &'a Authority,
    peer: Option<IpAddr>,
    at: Moment,
}

impl<'a> Visit<'a> {
    async fn answer(&self) -> Outcome {
        if let Some((protocol, route)) = self.find(self.table.open_routes(), |r| (&r.method, &r.pattern)) {
            return self.open(protocol, route).await;
        }
        if let Some((protocol, route)) = self.find(self.table.proof_routes(), |r| (&r.method, &r.pattern)) {
            return self.token(protocol, route).await;
        }
        let context = self.context(None);
        let caller = match self.known().await {
            Ok(caller) => caller,
            Err(outcome) => return outcome,
        };
        match self.find(self.table.routes(), |r| (&r.method, &r.pattern)) {
            Some((protocol, route)) => self.command(protocol, route, caller).await,
            None => {
                self.count(TurnedAwayReason::Malformed);
                Outcome::of((self.table.front.no_route)(&self.no_route(), &context))
            }
        }
    }

    fn is_without_caller(&self) -> bool {
        self.find(self.table.open_routes(), |r| (&r.method, &r.pattern)).is_some()
            || self.find(self.table.proof_routes(), |r| (&r.method, &r.pattern)).is_some()
    }

    /// The caller, or what whoever is none is told.
    async fn known(&self) -> Result<Caller, Outcome> {
        let context = self.context(None);
        let identity = trace_span!(target: "keystead::walk", "identity");
        self.caller().instrument(identity).await.map_err(|why| match why {
            NotLetIn::TurnedAway(why) => {
                self.count_state(why);
                Outcome::of((self.table.front.turned_away)(&why, &context))
            }
            NotLetIn::NotAuthenticated(why) => {
                self.count(TurnedAwayReason::NotAuthenticated);
                Outcome::of((self.table.front.not_authenticated)(&why, &context))
            }
        })
    }

    async fn open(&self, protocol: &Protocol, route: &'a OpenRoute) -> Outcome {
        let context = self.context(Some(&route.pattern));
        let admitted = if route.always { Ok(()) } else { self.vault.ready() };
        let reply = match admitted {
            Ok(()) => (route.serve)(self.vault, &context).await,
            Err(why) => {
                self.count_state(why);
                (protocol.turned_away)(&why, &context)
            }
        };
        Outcome { route: Some(route.info(protocol.name)), ..Outcome::of(reply) }
    }

    async fn token(&self, protocol: &Protocol, route: &'a ProofRoute) -> Outcome {
        let context = self.context(Some(&route.pattern));
        let (reply, receipt) = match self.issue(route, &context).await {
            Ok(Served { receipt, operation, result, .. }) => {
                let reply = match result {
                    Ok(body) => Reply::new(hyper::StatusCode::OK, body),
                    Err(refusal) => (route.fault)(&TokenFault::Refusal(&refusal), &context),
                };
                (reply, Some((receipt, operation)))
            }
            Err(reply) => (reply, None),
        };
        Outcome { reply, receipt, route: Some(route.info(protocol.name)) }
    }

    async fn issue(&self, route: &ProofRoute, context: &Context<'_>) -> Result<Served, Reply> {
        let fault = |why: TokenFault<'_>| (route.fault)(&why, context);
        let turned_away = |why| {
            self.count_state(why);
            fault(TokenFault::TurnedAway(&why))
        };
        self.vault.ready().map_err(turned_away)?;
        let TokenAsk { client, proof, ask } = (route.parse)(context).map_err(|why| {
            self.count(TurnedAwayReason::Malformed);
            fault(TokenFault::BadParameter(&why))
        })?;
        let endpoint = format!("{}{}", context.base(), self.request.uri().path());
        let proof = match &proof {
            TokenProof::Secret(secret) => Proof::ClientSecret { client: &client, secret },
            TokenProof::Assertion(assertion) => {
                Proof::ClientAssertion { client: &client, assertion, endpoint: &endpoint }
            }
        };
        let identity = trace_span!(target: "keystead::walk", "identity");
        let caller = self.vault.prove(proof, self.peer, self.at).instrument(identity).await;
        let caller = caller.map_err(|why| match why {
            NotLetIn::TurnedAway(why) => turned_away(why),
            NotLetIn::NotAuthenticated(why) => {
                self.count(TurnedAwayReason::NotAuthenticated);
                fault(TokenFault::NotAuthenticated(&why))
            }
        })?;
        let served = run(self.vault, caller, ask, self.at, |token| (route.format)(token, context)).await;
        served.map_err(turned_away)
    }

    /// A token goes before a certificate: the certificate may be the machine's, the token is what was meant.
    async fn caller(&self) -> Result<Caller, NotLetIn> {
        let certificates = self.request.extensions().get::<ClientCertificates>();
        match (bearer(self.request.headers()), certificates) {
            (Some(token), _) => self.vault.prove(Proof::Bearer(token), self.peer, self.at).await,
            (None, Some(c)) => self.vault.prove(Proof::Certificate(&c.0), self.peer, self.at).await,
            (None, None) => {
                self.vault.ready()?;
                Err(NotAuthenticated::Missing.into())
            }
        }
    }

    async fn command(&self, protocol: &Protocol, route: &'a Route, caller: Caller) -> Outcome {
        let context = self.context(Some(&route.pattern));
        let bad = |why: &BadParameter| {
            self.count(TurnedAwayReason::Malformed);
            Outcome::of((protocol.bad_parameter)(why, &context))
        };
        let parse = || {
            (protocol.version)(&context.parts)?;
            route.serve.serve(self.vault, caller, &context, self.at)
        };
        let parsed = trace_span!(target: "keystead::walk", "parse").in_scope(parse);
        let outcome = match parsed {
            Ok(serving) => match serving.await {
                Ok(Served { receipt, operation, result, status }) => {
                    let reply = match result {
                        Ok(body) => Reply::new(status.unwrap_or(route.ok), body),
                        Err(refusal) => (protocol.refusal)(&refusal, &context),
                    };
                    Outcome { receipt: Some((receipt, operation)), ..Outcome::of(reply) }
                }
                Err(why) => {
                    self.count_state(why);
                    Outcome::of((protocol.turned_away)(&why, &context))
                }
            },
            Err(why) => bad(&why),
        };
        Outcome { route: Some(route.info(protocol.name)), ..outcome }
    }

    fn find<R>(
        &self,
        mut routes: impl Iterator<Item = (&'a Protocol, &'a R)>,
        key: impl Fn(&R) -> (&Method, &Pattern),
    ) -> Option<(&'a Protocol, &'a R)> {
        routes.find(|(_, route)| {
            let (method, pattern) = key(route);
            method == self.request.method() && pattern.matches(self.path)
        })
    }

    fn no_route(&self) -> NoRoute {
        let all = self.table.routes().map(|(_, r)| (&r.method, &r.pattern));
        let proof = self.table.proof_routes().map(|(_, r)| (&r.method, &r.pattern));
        let open = self.table.open_routes().map(|(_, r)| (&r.method, &r.pattern));
        let mut allowed: Vec<Method> = Vec::new();
        for (method, pattern) in all.chain(proof).chain(open) {
            if pattern.matches(self.path) && !allowed.contains(method) {
                allowed.push(method.clone());
            }
        }
        if allowed.is_empty() { NoRoute::Path } else { NoRoute::Method { allowed } }
    }

    fn context(&self, pattern: Option<&'a Pattern>) -> Context<'a> {
        let info = self.vault.info();
        let parts = Parts::new(self.request, self.path, pattern);
        Context { parts, authority: self.authority, tenant: &info.tenant, vault: &info.name, kind: info.kind }
    }

    /// What never reaches a decision has no record of its own: it is counted in the vault's log.
    fn count(&self, why: TurnedAwayReason) {
        self.vault.turned_away(why);
    }

    fn count_state(&self, why: TurnedAway) {
        match why {
            TurnedAway::Sealed => self.count(TurnedAwayReason::Sealed),
            TurnedAway::Inactive { .. } | TurnedAway::Deleted => self.count(TurnedAwayReason::Inactive),
            TurnedAway::JournalFull | TurnedAway::JournalDown => self.count(TurnedAwayReason::JournalDown),
            TurnedAway::OutcomeUnknown => self.count(TurnedAwayReason::OutcomeUnknown),
            TurnedAway::Busy | TurnedAway::Throttled { .. } => self.count(TurnedAwayReason::OverBound),
            TurnedAway::Stopping => {}
        }
    }
}

impl Outcome {
    const fn of(reply: Reply) -> Self {
        Self { reply, receipt: None, route: None }
    }
}

/// The token of `Authorization: Bearer ...`; the scheme's case does not matter. `None` if there is none.
fn bearer(headers: &HeaderMap) -> Option<&str> {
    let (scheme, token) = headers.get(AUTHORIZATION)?.to_str().ok()?.trim().split_once(' ')?;
    let token = token.trim();
    (scheme.eq_ignore_ascii_case("bearer") && !token.is_empty()).then_some(token)
}

#[cfg(test)]
mod tests {
    use super::*;
    use hyper::header::HeaderValue;

    #[test]
    fn only_a_bearer_token_is_a_token() {
        for (text, token) in [
            ("Bearer abc", Some("abc")),
            ("bearer   abc ", Some("abc")),
            ("Bearer", None),
            ("Bearer ", None),
            ("PoP abc", None),
            ("Basic abc", None),
        ] {
            let mut headers = HeaderMap::new();
            headers.insert(AUTHORIZATION, HeaderValue::from_static(text));
            assert_eq!(bearer(&headers), token, "{text}");
        }
    }
}
