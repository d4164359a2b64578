//! A protocol: its routes, and one match for each way a request can fail.

use crate::bad::BadParameter;
use crate::parts::{Context, Parts};
use crate::reply::Reply;
use crate::route::{OpenRoute, ProofRoute, Route};
use hyper::Method;
use keystead_engine::{Refusal, TurnedAway};
use keystead_identity::NotAuthenticated;
use keystead_model::{Action, OperationId};

/// A protocol as data.
pub struct Protocol {
    /// For metrics and listings.
    pub name: &'static str,
    /// Routes that need a caller. The first that matches wins: literals stand before parameters.
    pub routes: Vec<Route>,
    /// Routes that need none.
    pub open_routes: Vec<OpenRoute>,
    /// Requests for tokens.
    pub proof_routes: Vec<ProofRoute>,
    /// Whether the request names a version of the protocol that is served. Asked of `routes` only.
    pub version: fn(&Parts<'_>) -> Result<(), BadParameter>,
    /// Refused after the decision.
    pub refusal: fn(&Refusal, &Context<'_>) -> Reply,
    /// Turned away before it.
    pub turned_away: fn(&TurnedAway, &Context<'_>) -> Reply,
    /// The request cannot become a command.
    pub bad_parameter: fn(&BadParameter, &Context<'_>) -> Reply,
}

/// How an authority answers before a route is known: it has one challenge, whatever was asked.
pub struct Front {
    /// No valid proof: 401 with a challenge.
    pub not_authenticated: fn(&NotAuthenticated, &Context<'_>) -> Reply,
    /// The vault lets nobody in: 403 without a challenge.
    pub turned_away: fn(&TurnedAway, &Context<'_>) -> Reply,
    /// No such route.
    pub no_route: fn(&NoRoute, &Context<'_>) -> Reply,
}

/// Why no route matched.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum NoRoute {
    /// Nothing has this path.
    Path,
    /// Something has this path, with other methods.
    Method {
        /// Those methods.
        allowed: Vec<Method>,
    },
}

/// Who may use a route.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Access {
    /// A caller with a permit.
    Caller,
    /// Whoever brings the proof in the request itself.
    Proof,
    /// Anybody.
    Anybody,
}

/// The operation whose record an answer's receipt names. Stands in the extensions of each response with a receipt.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Operation(pub OperationId);

/// One row, as the authorisation matrix, the metrics and the API description see it. Also stands in the extensions of
/// each response that a route made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RouteInfo {
    /// The protocol's name.
    pub protocol: &'static str,
    /// Method.
    pub method: Method,
    /// Pattern, as written in the table.
    pub pattern: &'static str,
    /// What a permit is asked for; none on open routes.
    pub action: Option<Action>,
    /// The action's name, or the open route's.
    pub name: &'static str,
    /// Who may use it.
    pub access: Access,
    /// Status of success.
    pub ok: u16,
}

impl Protocol {
    /// Its rows.
    pub fn entries(&self) -> impl Iterator<Item = RouteInfo> {
        let routes = self.routes.iter().map(|r| r.info(self.name));
        let proof = self.proof_routes.iter().map(|r| r.info(self.name));
        let open = self.open_routes.iter().map(|r| r.info(self.name));
        routes.chain(proof).chain(open)
    }
}

impl Route {
    pub(crate) fn info(&self, protocol: &'static str) -> RouteInfo {
        let (pattern, action) = (self.pattern.text(), self.action);
        let (method, ok) = (self.method.clone(), self.ok.as_u16());
        RouteInfo { protocol, method, pattern, action: Some(action), name: action.name(), access: Access::Caller, ok }
    }
}

impl ProofRoute {
    pub(crate) fn info(&self, protocol: &'static str) -> RouteInfo {
        let (method, pattern, action) = (self.method.clone(), self.pattern.text(), Some(Action::IssueToken));
        RouteInfo { protocol, method, pattern, action, name: self.name, access: Access::Proof, ok: 200 }
    }
}

impl OpenRoute {
    pub(crate) fn info(&self, protocol: &'static str) -> RouteInfo {
        let (method, pattern) = (self.method.clone(), self.pattern.text());
        RouteInfo { protocol, method, pattern, action: None, name: self.name, access: Access::Anybody, ok: 200 }
    }
}
