//! Routes: each a command with a parser and a formatter. What runs is the vault's `run`; there is nothing else to call.

use crate::bad::BadParameter;
use crate::parts::{Context, Parts};
use crate::path::Pattern;
use crate::proposed::{Proposing, proposed};
use crate::reply::{Body, Reply};
use futures_util::future::BoxFuture;
use hyper::{Method, StatusCode};
use keystead_engine::{Command, IssueToken, IssuedToken, Propose, Refusal, TurnedAway, Vault};
use keystead_identity::{Caller, NotAuthenticated};
use keystead_model::{Action, Moment, OperationId};
use std::sync::Arc;
use zeroize::Zeroizing;

/// From a request to a command.
pub type Parse<C> = fn(&Parts<'_>) -> Result<C, BadParameter>;

/// From a command's output to a body.
pub type Format<T> = fn(T, &Context<'_>) -> Body;

/// A route that needs a caller. Made only by [`route`], so that whatever it does goes through `run`:
///
/// ```
/// # use {hyper::{Method, StatusCode}, keystead_api_table::{Body, Route, route}, keystead_engine::SealVault};
/// let row = route(Method::POST, "/seal", |_| Ok(SealVault), StatusCode::OK, |(), _| Body::empty());
/// let other: Route = row;
/// ```
///
/// ```compile_fail,E0451
/// # use {hyper::{Method, StatusCode}, keystead_api_table::{Body, Route, route}, keystead_engine::SealVault};
/// let row = route(Method::POST, "/seal", |_| Ok(SealVault), StatusCode::OK, |(), _| Body::empty());
/// let other = Route { method: Method::GET, ..row };
/// ```
pub struct Route {
    pub(crate) method: Method,
    pub(crate) pattern: Pattern,
    pub(crate) action: Action,
    pub(crate) ok: StatusCode,
    pub(crate) serve: Box<dyn Serve>,
}

/// One row of a protocol's table: this method and pattern become `C`, whose output is formatted and sent with status
/// `ok`. The action is the command's own, so the two cannot differ.
pub fn route<C: Command>(
    method: Method,
    pattern: &'static str,
    parse: Parse<C>,
    ok: StatusCode,
    format: Format<C::Output>,
) -> Route {
    let serve = Box::new(Erased::<C> { parse, format });
    Route { method, pattern: Pattern::new(pattern), action: C::ACTION, ok, serve }
}

/// What a command came to: its receipt, and a body or a refusal.
pub(crate) struct Served {
    pub(crate) receipt: String,
    pub(crate) operation: OperationId,
    pub(crate) result: Result<Body, Refusal>,
    /// If it is not the route's own.
    pub(crate) status: Option<StatusCode>,
}

/// A parsed command on its way through `run`.
pub(crate) type Serving<'a> = BoxFuture<'a, Result<Served, TurnedAway>>;

/// A route with its command's type forgotten.
pub(crate) trait Serve: Send + Sync {
    fn serve<'a>(
        &self,
        vault: &'a Arc<Vault>,
        caller: Caller,
        context: &'a Context<'a>,
        at: Moment,
    ) -> Result<Serving<'a>, BadParameter>;
}

struct Erased<C: Command> {
    parse: Parse<C>,
    format: Format<C::Output>,
}

impl<C: Command> Serve for Erased<C> {
    fn serve<'a>(
        &self,
        vault: &'a Arc<Vault>,
        caller: Caller,
        context: &'a Context<'a>,
        at: Moment,
    ) -> Result<Serving<'a>, BadParameter> {
        let ask = (self.parse)(&context.parts)?;
        if let Some(Proposing { reason, hours }) = Proposing::of(&context.parts)? {
            let ask = Propose::of(ask, reason, hours);
            return Ok(Box::pin(async move {
                let served = run(vault, caller, ask, at, |view| proposed(&view)).await?;
                Ok(Served { status: Some(StatusCode::ACCEPTED), ..served })
            }));
        }
        let format = self.format;
        Ok(Box::pin(async move { run(vault, caller, ask, at, |output| format(output, context)).await }))
    }
}

/// Runs a command. An answer has a receipt, whatever it says.
pub(crate) async fn run<C: Command>(
    vault: &Arc<Vault>,
    caller: Caller,
    ask: C,
    at: Moment,
    format: impl FnOnce(C::Output) -> Body,
) -> Result<Served, TurnedAway> {
    let (receipt, result) = vault.run(caller, ask, at).await?.into_parts();
    Ok(Served { receipt: receipt.header(), operation: receipt.operation(), result: result.map(format), status: None })
}

/// Serves a route that needs no caller.
pub type Open = for<'a> fn(&'a Arc<Vault>, &'a Context<'a>) -> BoxFuture<'a, Reply>;

/// A route that needs no caller, gets no challenge and leaves no record: discovery, health, tiles, checkpoints. It
/// reads what anybody may read.
pub struct OpenRoute {
    /// Method.
    pub method: Method,
    /// What it answers to.
    pub pattern: Pattern,
    /// For metrics.
    pub name: &'static str,
    /// Whether it also answers while the vault is sealed or inactive: what needs no root does.
    pub always: bool,
    /// What it does.
    pub serve: Open,
}

/// What proves the client of a request for a token.
pub enum TokenProof {
    /// Its secret.
    Secret(Zeroizing<String>),
    /// A signed token (RFC 7523).
    Assertion(Zeroizing<String>),
}

/// What a request for a token brings.
pub struct TokenAsk {
    /// The client's id.
    pub client: String,
    /// What proves it.
    pub proof: TokenProof,
    /// What is asked for, once the client is proven.
    pub ask: IssueToken,
}

/// Why a request for a token failed. Token endpoints have an error shape of their own (RFC 6749, section 5.2).
#[derive(Debug)]
pub enum TokenFault<'a> {
    /// The request makes no sense.
    BadParameter(&'a BadParameter),
    /// The client did not prove itself.
    NotAuthenticated(&'a NotAuthenticated),
    /// Refused after the decision.
    Refusal(&'a Refusal),
    /// Turned away before it.
    TurnedAway(&'a TurnedAway),
}

/// A route whose request carries its own proof: a request for a token. `IssueToken` runs with the proven client as
/// caller.
pub struct ProofRoute {
    /// Method.
    pub method: Method,
    /// What it answers to.
    pub pattern: Pattern,
    /// For metrics.
    pub name: &'static str,
    /// From a request to the proof and the command.
    pub parse: fn(&Context<'_>) -> Result<TokenAsk, BadParameter>,
    /// The answer.
    pub format: Format<IssuedToken>,
    /// The one match for everything else.
    pub fault: fn(&TokenFault<'_>, &Context<'_>) -> Reply,
}
