//! The operator's table, at the unix socket: who may open the socket is the operator, so no token is asked for. It
//! works on the instance and not through a vault's `run`: the operator acts *on* vaults and has no role *in* any. What
//! he does goes into the node's own log.

mod ask;
mod quorum;
mod view;

pub use ask::parse_new_vault;

use crate::{errors, ready};
use ask::Ask;
use bytes::Bytes;
use futures_util::future::BoxFuture;
use hyper::{HeaderMap, Method, Request, StatusCode};
use keystead_api_table::{
    Access, BadParameter, Body, Ids, Parts, Pattern, Reply, Response, RouteInfo, Segments, Stamp, proposed,
};
use keystead_engine::{ActKind, Approvable, Instance, OperateError};
use keystead_model::Moment;
use std::sync::Arc;

/// From a request to what the operator asks.
type Parse = fn(&Parts<'_>, &Ids) -> Result<Ask, BadParameter>;

/// Writes the node's metrics as Prometheus reads them.
pub type Metrics = Arc<dyn Fn() -> BoxFuture<'static, String> + Send + Sync>;

/// One row of the operator's table.
struct Row {
    method: Method,
    pattern: Pattern,
    name: &'static str,
    ok: StatusCode,
    parse: Parse,
}

/// The operator's table.
pub struct Operator {
    rows: Vec<Row>,
    ids: Arc<Ids>,
    stamp: Stamp,
    metrics: Option<Metrics>,
}

impl Operator {
    /// `seed`: 16 random bytes, new for each start of the process, for request ids and ids of assignments.
    pub fn new(seed: [u8; 16]) -> Self {
        Self { rows: rows(), ids: Arc::new(Ids::new(seed)), stamp: Stamp::new(seed), metrics: None }
    }

    /// With metrics to show.
    #[must_use]
    pub fn with_metrics(self, metrics: Metrics) -> Self {
        Self { metrics: Some(metrics), ..self }
    }

    /// Its rows as metrics name them.
    pub fn infos(&self) -> impl Iterator<Item = RouteInfo> {
        self.rows.iter().map(Row::info)
    }

    /// Methods and patterns, for listings.
    pub fn entries(&self) -> impl Iterator<Item = (&Method, &'static str)> {
        self.rows.iter().map(|r| (&r.method, r.pattern.text()))
    }

    /// Answers a request of the operator. What it began goes on to its end when the client hangs up.
    pub async fn dispatch(&self, instance: &Arc<Instance>, request: Request<Bytes>, at: Moment) -> Response {
        let (reply, route) = match self.understand(&request) {
            Ok((row, ask)) => (self.answer(instance, row, ask, at).await, Some(row.info())),
            Err(reply) => (reply, None),
        };
        let mut response = self.stamp.finish(request.headers(), reply, None);
        if let Some(route) = route {
            response.extensions_mut().insert(route);
        }
        response
    }

    async fn answer(&self, instance: &Arc<Instance>, row: &Row, ask: Ask, at: Moment) -> Reply {
        match ask {
            Ask::Ready => ready::node(instance).await,
            Ask::Metrics => match &self.metrics {
                Some(metrics) => Reply::new(row.ok, Body::text(metrics().await)),
                None => Reply::error(StatusCode::NOT_FOUND, "NotFound", None, "This server keeps no metrics."),
            },
            ask => {
                let ok = if matches!(
                    ask,
                    Ask::ProposePathAddition(..) | Ask::ProposePathRemoval(..) | Ask::ProposeErasure(..)
                ) {
                    StatusCode::ACCEPTED
                } else {
                    row.ok
                };
                carry_out(instance, ask, at).await.map_or_else(|e| refused(&e), |body| Reply::new(ok, body))
            }
        }
    }

    /// A reply of the embedder's with the common headers.
    pub fn reject(&self, request: &HeaderMap, reply: Reply) -> Response {
        self.stamp.finish(request, reply, None)
    }

    fn understand(&self, request: &Request<Bytes>) -> Result<(&Row, Ask), Reply> {
        let path = Segments::parse(request.uri().path()).unwrap_or(Segments::none());
        let row = self.rows.iter().find(|r| r.method == *request.method() && r.pattern.matches(&path));
        let Some(row) = row else { return Err(self.no_route(&path)) };
        let parts = Parts::new(request, &path, Some(&row.pattern));
        let ask = (row.parse)(&parts, &self.ids);
        let bad = |why: BadParameter| Reply::error(StatusCode::BAD_REQUEST, "BadParameter", None, why.to_string());
        ask.map(|ask| (row, ask)).map_err(bad)
    }

    fn no_route(&self, path: &Segments<'_>) -> Reply {
        if self.rows.iter().any(|r| r.pattern.matches(path)) {
            let text = "This method is not allowed here.";
            return Reply::error(StatusCode::METHOD_NOT_ALLOWED, "MethodNotAllowed", None, text);
        }
        let text =
            "Nothing of the operator's is at this path. Vaults answer at their own host names, not at this socket.";
        Reply::error(StatusCode::NOT_FOUND, "NotFound", None, text)
    }
}

impl Row {
    fn info(&self) -> RouteInfo {
        let (method, pattern, ok) = (self.method.clone(), self.pattern.text(), self.ok.as_u16());
        let (protocol, name) = ("operator", self.name);
        RouteInfo { protocol, method, pattern, action: None, name, access: Access::Anybody, ok }
    }
}

fn rows() -> Vec<Row> {
    let row = |method, name, pattern, ok, parse| Row { method, name, pattern: Pattern::new(pattern), ok, parse };
    vec![
        row(Method::GET, "vaults/list", "/keystead/v1/operator/vaults", StatusCode::OK, |_, _| Ok(Ask::List)),
        row(Method::POST, "vaults/create", "/keystead/v1/operator/vaults", StatusCode::CREATED, ask::create),
        row(Method::GET, "vaults/show", "/keystead/v1/operator/vaults/{name}", StatusCode::OK, |p, _| ask::show(p)),
        row(Method::POST, "vaults/seal", "/keystead/v1/operator/vaults/{name}/seal", StatusCode::OK, |p, _| {
            ask::seal(p)
        }),
        row(Method::POST, "vaults/unseal", "/keystead/v1/operator/vaults/{name}/unseal", StatusCode::OK, |p, _| {
            ask::unseal(p)
        }),
        row(
            Method::POST,
            "vaults/activate",
            "/keystead/v1/operator/vaults/{name}/activate",
            StatusCode::OK,
            ask::activate,
        ),
        row(Method::POST, "vaults/erase", "/keystead/v1/operator/vaults/{name}/erase", StatusCode::OK, |p, _| {
            ask::erase(p)
        }),
        row(Method::POST, "vaults/enrol", "/keystead/v1/operator/vaults/{name}/tokens", StatusCode::OK, |p, _| {
            ask::enrol(p)
        }),
        row(
            Method::POST,
            "vaults/rotate-root",
            "/keystead/v1/operator/vaults/{name}/root/rotate",
            StatusCode::ACCEPTED,
            |p, _| ask::rotate_root(p),
        ),
        row(Method::GET, "doctor", "/keystead/v1/operator/doctor", StatusCode::OK, |_, _| Ok(Ask::Doctor)),
        row(Method::GET, "health", "/keystead/v1/operator/health", StatusCode::OK, |_, _| Ok(Ask::Health)),
        row(Method::GET, "ready", "/keystead/v1/operator/ready", StatusCode::OK, |_, _| Ok(Ask::Ready)),
        row(Method::GET, "metrics", "/keystead/v1/operator/metrics", StatusCode::OK, |_, _| Ok(Ask::Metrics)),
    ]
    .into_iter()
    .chain(path_rows())
    .chain(quorum_rows())
    .collect()
}

/// Unseal paths of a vault.
fn path_rows() -> Vec<Row> {
    let row = |method, name, pattern, ok, parse| Row { method, name, pattern: Pattern::new(pattern), ok, parse };
    let (all, one) = ("/keystead/v1/operator/vaults/{name}/paths", "/keystead/v1/operator/vaults/{name}/paths/{path}");
    let (prove, test) = (
        "/keystead/v1/operator/vaults/{name}/paths/{path}/prove",
        "/keystead/v1/operator/vaults/{name}/paths/{path}/test",
    );
    vec![
        row(Method::GET, "paths/list", all, StatusCode::OK, |p, _| ask::paths(p)),
        row(Method::POST, "paths/add", all, StatusCode::CREATED, |p, _| ask::add_path(p)),
        row(Method::POST, "paths/prove", prove, StatusCode::OK, |p, _| ask::of_path(p, Ask::ProvePath)),
        row(Method::POST, "paths/test", test, StatusCode::OK, |p, _| ask::of_path(p, Ask::TestPath)),
        row(Method::DELETE, "paths/remove", one, StatusCode::OK, |p, _| ask::remove_path(p)),
    ]
}

/// What the customer and the custodians of a vault bring.
fn quorum_rows() -> Vec<Row> {
    let row = |name, pattern, parse| Row {
        method: Method::POST,
        name,
        pattern: Pattern::new(pattern),
        ok: StatusCode::OK,
        parse,
    };
    vec![
        row("domain/offer", "/keystead/v1/operator/vaults/{name}/domain/offer", |p, _| quorum::offer(p)),
        row("domain/activate", "/keystead/v1/operator/vaults/{name}/domain/activate", quorum::activate),
        row("domain/confirm", "/keystead/v1/operator/vaults/{name}/domain/confirmations", |p, _| quorum::confirm(p)),
        row("quorum/ask", "/keystead/v1/operator/vaults/{name}/unseal/challenge", |p, _| quorum::ask(p)),
        row("quorum/answer", "/keystead/v1/operator/vaults/{name}/unseal/answers", |p, _| {
            quorum::answer(p, ActKind::Unseal)
        }),
        row("custodians/replace", "/keystead/v1/operator/vaults/{name}/custodians/challenge", |p, _| {
            quorum::replace(p)
        }),
        row("custodians/answer", "/keystead/v1/operator/vaults/{name}/custodians/answers", |p, _| {
            quorum::answer(p, ActKind::Replace)
        }),
        row("administrator/appoint", "/keystead/v1/operator/vaults/{name}/administrator/challenge", |p, _| {
            quorum::appoint(p)
        }),
        row("administrator/answer", "/keystead/v1/operator/vaults/{name}/administrator/answers", |p, _| {
            quorum::answer(p, ActKind::Appoint)
        }),
        row("token/ask", "/keystead/v1/operator/vaults/{name}/tokens/challenge", |p, _| quorum::enrol(p)),
        row("token/answer", "/keystead/v1/operator/vaults/{name}/tokens/answers", |p, _| {
            quorum::answer(p, ActKind::Enrol)
        }),
    ]
}

/// In a task of its own, so that a change that was begun is not dropped with its request.
async fn carry_out(instance: &Arc<Instance>, ask: Ask, at: Moment) -> Result<Body, OperateError> {
    let instance = Arc::clone(instance);
    let work = tokio::spawn(async move { perform(&instance, ask, at).await });
    work.await.unwrap_or(Err(OperateError::Refused(keystead_engine::Refusal::Fault)))
}

async fn perform(instance: &Instance, ask: Ask, at: Moment) -> Result<Body, OperateError> {
    match ask {
        Ask::List => Ok(view::list(&instance.list())),
        Ask::Show(name) => instance.show(&name).await.map(|v| view::one(&v)),
        Ask::Create(new) => instance.create(*new, at).await.map(|v| view::one(&v)),
        Ask::Activate(name, activation) => instance.activate(&name, *activation, at).await.map(|v| view::one(&v)),
        Ask::Enrol(name, token) => instance.enrol_token(&name, &token, at).await.map(|v| view::one(&v)),
        Ask::Seal(name) => instance.seal(&name, at).await.map(|v| view::one(&v)),
        Ask::Unseal(name) => instance.unseal(&name, at).await.map(|v| view::one(&v)),
        Ask::Erase(name) => instance.erase(&name, at).await.map(|erased| view::erased(&erased)),
        Ask::RotateRoot(name, after_purge) => instance.rotate_root(&name, after_purge, at).await.map(|v| view::one(&v)),
        Ask::Paths(name) => instance.paths(&name).await.map(|paths| view::paths(&paths)),
        Ask::AddPath(name, path) => {
            instance.add_path(&name, &path, at).await?;
            instance.paths(&name).await.map(|paths| view::paths(&paths))
        }
        Ask::ProvePath(name, path) => instance.prove_path(&name, &path, at).await.map(|report| view::report(&report)),
        Ask::TestPath(name, path) => instance.test_path(&name, &path, at).await.map(|report| view::report(&report)),
        Ask::RemovePath(name, path) => {
            instance.remove_path(&name, &path, at).await?;
            instance.paths(&name).await.map(|paths| view::paths(&paths))
        }
        Ask::ProposePathAddition(name, path, reason) => {
            let view = instance.propose(&name, Approvable::PathAddition(&path), reason, at).await?;
            Ok(proposed(&view))
        }
        Ask::ProposePathRemoval(name, path, reason) => {
            let view = instance.propose(&name, Approvable::PathRemoval(&path), reason, at).await?;
            Ok(proposed(&view))
        }
        Ask::ProposeErasure(name, reason) => {
            let view = instance.propose(&name, Approvable::Erasure, reason, at).await?;
            Ok(proposed(&view))
        }
        Ask::Quorum(name, ask) => quorum::perform(instance, &name, ask, at).await,
        Ask::Doctor => Ok(view::findings(&instance.doctor(at).await)),
        Ask::Health => Ok(view::health(&instance.health())),
        // Answered before.
        Ask::Ready | Ask::Metrics => Ok(Body::empty()),
    }
}

/// The one match for what an operator's command can fail with.
fn refused(why: &OperateError) -> Reply {
    let text = why.to_string();
    let conflict = |inner| Reply::error(StatusCode::CONFLICT, "Conflict", Some(inner), &text);
    match why {
        OperateError::UnknownVault { .. } => Reply::error(StatusCode::NOT_FOUND, "VaultNotFound", None, text),
        OperateError::Exists => conflict("VaultExists"),
        OperateError::BadName | OperateError::BadRetention | OperateError::NoAuthority | OperateError::Policy(_) => {
            Reply::error(StatusCode::BAD_REQUEST, "BadParameter", None, text)
        }
        OperateError::NotActivated(_)
        | OperateError::NotReplaced(_)
        | OperateError::NotAppointed { .. }
        | OperateError::NotAClient
        | OperateError::NoTokens
        | OperateError::Confirmation { .. } => Reply::error(StatusCode::BAD_REQUEST, "BadParameter", None, text),
        OperateError::AwaitsActivation => conflict("AwaitsActivation"),
        OperateError::AwaitsQuorum { .. } | OperateError::WithCustodians => conflict("AwaitsQuorum"),
        OperateError::NoCustodians { .. } => conflict("NoCustodians"),
        OperateError::JobsRunning => conflict("JobsRunning"),
        OperateError::NotAsked { .. } => conflict("NotAsked"),
        OperateError::AskedElse { .. } => conflict("AskedElse"),
        OperateError::Domain(_) => conflict("UnsealFailed"),
        OperateError::Kept { .. } => {
            Reply::error(StatusCode::SERVICE_UNAVAILABLE, "ServiceUnavailable", Some("SharesKept"), text)
        }
        OperateError::UnknownToken { .. } => conflict("UnknownToken"),
        OperateError::OtherClass { .. } => conflict("OtherClass"),
        OperateError::NoHsm => conflict("NoHsm"),
        // The words that its clients get, too.
        OperateError::Closed { .. } | OperateError::WrongState { state: "sealed", needed: "open" } => {
            conflict("VaultSealed")
        }
        OperateError::WrongState { state: "inactive", needed: "open" } => conflict("VaultNotActivated"),
        OperateError::WrongState { .. } => conflict("WrongState"),
        OperateError::NoPath { .. } => conflict("NoUnsealPath"),
        OperateError::Path(_) | OperateError::NoPathOpens { .. } => conflict("UnsealFailed"),
        OperateError::UnknownPath { .. } => conflict("UnknownPath"),
        OperateError::NotItsPath { .. } => conflict("NotItsPath"),
        OperateError::PathExists { .. } => conflict("PathExists"),
        OperateError::PathNotAllowed { .. } | OperateError::PathRemovedBefore { .. } => conflict("PathNotAllowed"),
        OperateError::LastPath { .. } | OperateError::NoOtherPath { .. } => conflict("LastPath"),
        OperateError::PathFailed { .. } | OperateError::NotProven { .. } => conflict("PathFailed"),
        OperateError::Rotating { .. } => conflict("RootRotating"),
        OperateError::PurgeProtected { .. } => conflict("PurgeProtected"),
        OperateError::Damaged | OperateError::RowDamaged { .. } | OperateError::Outbox { .. } => {
            conflict("StoredRecordDamaged")
        }
        OperateError::Altered { .. } => conflict("VaultRowAltered"),
        OperateError::Refused(why) => errors::of_refusal(why),
        OperateError::TurnedAway(why) => errors::of_turned_away(why),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn understood(method: Method, target: &str, body: &'static [u8]) -> Result<StatusCode, StatusCode> {
        let mut request = Request::new(Bytes::from_static(body));
        *request.method_mut() = method;
        *request.uri_mut() = target.parse().unwrap();
        let operator = Operator::new([7; 16]);
        operator.understand(&request).map(|(row, _)| row.ok).map_err(|reply| reply.status)
    }

    #[test]
    fn each_row_is_reached() {
        let base = "/keystead/v1/operator";
        assert_eq!(understood(Method::GET, &format!("{base}/vaults/"), b""), Ok(StatusCode::OK));
        assert_eq!(understood(Method::GET, &format!("{base}/vaults/dev"), b""), Ok(StatusCode::OK));
        assert_eq!(understood(Method::POST, &format!("{base}/vaults/dev/seal"), b""), Ok(StatusCode::OK));
        assert_eq!(understood(Method::POST, &format!("{base}/vaults/dev/unseal"), b""), Ok(StatusCode::OK));
        let erase = |body| understood(Method::POST, &format!("{base}/vaults/dev/erase"), body);
        assert_eq!(erase(br#"{"confirm":"dev"}"#), Ok(StatusCode::OK));
        for body in [&b""[..], b"{}", br#"{"confirm":"other"}"#] {
            assert_eq!(erase(body), Err(StatusCode::BAD_REQUEST), "{body:?}");
        }
        for name in ["health", "ready", "metrics", "doctor"] {
            assert_eq!(understood(Method::GET, &format!("{base}/{name}"), b""), Ok(StatusCode::OK), "{name}");
        }
    }

    #[test]
    fn what_is_done_with_roots_and_paths_has_rows() {
        let vault = "/keystead/v1/operator/vaults/dev";
        for (method, rest, body, ok) in [
            (Method::POST, "root/rotate", &b""[..], StatusCode::ACCEPTED),
            (Method::POST, "root/rotate", br#"{"after_purge":true}"#, StatusCode::ACCEPTED),
            (Method::GET, "paths", b"", StatusCode::OK),
            (Method::POST, "paths", br#"{"path":"boot"}"#, StatusCode::CREATED),
            (Method::POST, "paths/boot/prove", b"", StatusCode::OK),
            (Method::POST, "paths/boot/test", b"", StatusCode::OK),
            (Method::DELETE, "paths/boot", b"", StatusCode::OK),
        ] {
            assert_eq!(understood(method, &format!("{vault}/{rest}"), body), Ok(ok), "{rest}");
        }
        for (rest, body) in [("root/rotate", &br#"{"purge":true}"#[..]), ("paths", b"{}"), ("paths", b"")] {
            let refused = understood(Method::POST, &format!("{vault}/{rest}"), body);
            assert_eq!(refused, Err(StatusCode::BAD_REQUEST), "{rest}");
        }
    }

    #[test]
    fn what_custodians_bring_has_rows() {
        let vault = "/keystead/v1/operator/vaults/dev";
        let activation = br#"{"record":"r","security_domain":"d","transfer":"t"}"#;
        for (rest, body) in [
            ("domain/offer", &b""[..]),
            ("domain/activate", activation),
            ("domain/confirmations", br#"{"confirmations":["c"]}"#),
            ("unseal/challenge", b""),
            ("unseal/answers", br#"{"answers":["a"]}"#),
            ("unseal/answers", br#"{"answers":[]}"#),
            ("domain/offer", br#"{"replace":true}"#),
            ("custodians/challenge", activation),
            ("custodians/answers", br#"{"answers":["a"]}"#),
            ("administrator/challenge", br#"{"issuer":"i","subject":"s"}"#),
            ("administrator/answers", br#"{"answers":["a"]}"#),
            ("tokens/challenge", br#"{"token":"t"}"#),
            ("tokens/answers", br#"{"answers":["a"]}"#),
        ] {
            assert_eq!(understood(Method::POST, &format!("{vault}/{rest}"), body), Ok(StatusCode::OK), "{rest}");
        }
        for (rest, body) in [
            ("domain/activate", &br#"{"record":"r","security_domain":"d"}"#[..]),
            ("domain/confirmations", b"{}"),
            ("unseal/answers", b"{}"),
            ("domain/confirmations", br#"{"confirmations":[]}"#),
            ("tokens/challenge", b""),
            ("tokens/challenge", br#"{"token":"t\n"}"#),
            ("administrator/challenge", br#"{"issuer":"","subject":"s"}"#),
            ("administrator/challenge", br#"{"issuer":"i","subject":"s\n"}"#),
            ("administrator/challenge", br#"{"issuer":"i","subject":"s","secret_sha256":"00"}"#),
        ] {
            let refused = understood(Method::POST, &format!("{vault}/{rest}"), body);
            assert_eq!(refused, Err(StatusCode::BAD_REQUEST), "{rest}");
        }
    }

    #[test]
    fn what_is_no_row_says_so() {
        let base = "/keystead/v1/operator";
        assert_eq!(understood(Method::DELETE, &format!("{base}/vaults/dev"), b""), Err(StatusCode::METHOD_NOT_ALLOWED));
        assert_eq!(understood(Method::GET, "/keys", b""), Err(StatusCode::NOT_FOUND));
        assert_eq!(understood(Method::POST, &format!("{base}/vaults"), b"{"), Err(StatusCode::BAD_REQUEST));
    }
}
