//! Whether requests can be served now, and why not: for load balancers, for orchestrators and for `--wait`. Whether the
//! process lives is another question: a restart helps against that only.

use futures_util::future::{BoxFuture, FutureExt as _, ready};
use hyper::StatusCode;
use keystead_api_table::{Body, Context, Reply};
use keystead_audit::journal::JournalState;
use keystead_engine::{Instance, TokenHealth, TurnedAway, Vault};
use serde::Serialize;
use std::sync::Arc;

/// One thing that stands in the way. The codes never change their meaning.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Reason {
    /// For programs.
    pub code: &'static str,
    /// For people: what is wrong and what helps.
    pub message: &'static str,
}

#[derive(Serialize)]
struct Readiness<'a> {
    ready: bool,
    reasons: &'a [Reason],
    /// What stands in the way of no request, and is to be seen to.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    warnings: Vec<Reason>,
    #[serde(skip_serializing_if = "Option::is_none")]
    vaults: Option<Vec<State<'a>>>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    tokens: Vec<Token<'a>>,
}

/// A token of the node, for its operator.
#[derive(Serialize)]
pub(crate) struct Token<'a> {
    name: &'a str,
    status: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<&'a str>,
}

impl<'a> Token<'a> {
    pub(crate) fn of(token: &'a TokenHealth) -> Self {
        Self { name: &token.name, status: token.state, reason: token.reason.as_deref() }
    }
}

#[derive(Serialize)]
struct State<'a> {
    name: &'a str,
    status: &'static str,
}

/// `GET /keystead/v1/live`: 200 while the process answers at all.
pub(crate) fn live<'a>(_: &'a Arc<Vault>, _: &'a Context<'a>) -> BoxFuture<'a, Reply> {
    ready(alive()).boxed()
}

/// `GET /keystead/v1/ready`: 200 if a request to this vault can be served, else 503 with the reasons.
pub(crate) fn serve<'a>(vault: &'a Arc<Vault>, _: &'a Context<'a>) -> BoxFuture<'a, Reply> {
    async move {
        let of_vault = vault.ready().err().map(|why| of_vault(&why));
        let of_hsm = vault.lacks_its_hsm().then_some(HSM);
        let of_journal = of_journal(&vault.journal().health().state);
        let of_store = (!vault.store_answers().await).then_some(STORE);
        let reasons: Vec<Reason> = of_vault.into_iter().chain(of_hsm).chain(of_journal).chain(of_store).collect();
        let warnings = vault.doubt().map(|_| CLOCK).into_iter().collect();
        reply(&Readiness { ready: reasons.is_empty(), reasons: &reasons, warnings, vaults: None, tokens: Vec::new() })
    }
    .boxed()
}

/// What keeps this node from serving any vault. A sealed vault does not: it waits for its own key.
pub async fn of_node(instance: &Instance) -> Vec<Reason> {
    let of_journal = of_journal(&instance.journal().health().state);
    let of_store = (!instance.store_answers().await).then_some(STORE);
    of_journal.into_iter().chain(of_store).collect()
}

/// The node's readiness with each vault's and each token's state, for its operator.
pub async fn node(instance: &Instance) -> Reply {
    let (reasons, vaults, tokens) = (of_node(instance).await, instance.list(), instance.tokens());
    let states = vaults.iter().map(|v| State { name: &v.info.name, status: v.state }).collect();
    reply(&Readiness {
        ready: reasons.is_empty(),
        reasons: &reasons,
        warnings: warnings_of_node(instance),
        vaults: Some(states),
        tokens: tokens.iter().map(Token::of).collect(),
    })
}

/// The node's readiness without names, for whoever may reach the port of the metrics.
pub async fn node_without_names(instance: &Instance) -> Reply {
    let (reasons, warnings) = (of_node(instance).await, warnings_of_node(instance));
    reply(&Readiness { ready: reasons.is_empty(), reasons: &reasons, warnings, vaults: None, tokens: Vec::new() })
}

fn warnings_of_node(instance: &Instance) -> Vec<Reason> {
    if instance.doubted() > 0 { vec![CLOCK] } else { Vec::new() }
}

/// The process lives.
pub fn alive() -> Reply {
    #[derive(Serialize)]
    struct Live {
        live: bool,
    }
    Reply::new(StatusCode::OK, Body::json(&Live { live: true }))
}

fn reply(readiness: &Readiness<'_>) -> Reply {
    let status = if readiness.ready { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    let reply = Reply::new(status, Body::json(readiness));
    if readiness.ready { reply } else { reply.retry_after(1) }
}

const STORE: Reason =
    Reason { code: "store", message: "the store does not answer: look at its disk and at the server's log" };

const HSM: Reason = Reason {
    code: "hsm",
    message: "no token of the vault's HSM answers: the operator's `/keystead/v1/operator/health` says why",
};

const CLOCK: Reason = Reason {
    code: "clock",
    message: "the clock is doubted, and purges at the end of a retention wait: an administrator of the vault looks at it \
              with `keystead clock show` and confirms it with `keystead clock confirm`",
};

/// What the journal's state means, if it stands in the way.
fn of_journal(state: &JournalState) -> Option<Reason> {
    let message = match state {
        JournalState::Ready | JournalState::Low => return None,
        JournalState::Full => "the audit journal is full: make room on its disk or raise audit.max_bytes",
        JournalState::Failed(_) => "the audit journal cannot be written: look at its disk, then start the server again",
        JournalState::Closed => "the server is stopping",
    };
    Some(Reason { code: "journal", message })
}

fn of_vault(why: &TurnedAway) -> Reason {
    let (code, message) = match why {
        TurnedAway::Sealed => ("sealed", "the vault is sealed: its operator unseals it with `keystead vault unseal`"),
        TurnedAway::Inactive { .. } => ("inactive", "the vault waits for something that is not configured"),
        TurnedAway::Deleted => ("deleted", "the vault is deleted"),
        TurnedAway::JournalFull | TurnedAway::JournalDown => ("journal", "the audit journal takes no records"),
        TurnedAway::OutcomeUnknown => ("store", "the store failed while it made a change"),
        TurnedAway::Busy | TurnedAway::Throttled { .. } => ("busy", "too much is under way"),
        TurnedAway::Stopping => ("stopping", "the server is stopping"),
    };
    Reason { code, message }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_journal_that_takes_no_records_stands_in_the_way() {
        assert_eq!(of_journal(&JournalState::Ready), None);
        assert_eq!(of_journal(&JournalState::Low), None);
        for state in [JournalState::Full, JournalState::Failed("io".into()), JournalState::Closed] {
            assert_eq!(of_journal(&state).unwrap().code, "journal");
        }
    }

    #[test]
    fn not_ready_is_503_and_names_its_reasons() {
        let none =
            Readiness { ready: false, reasons: &[STORE], warnings: Vec::new(), vaults: None, tokens: Vec::new() };
        let answer = reply(&none);
        assert_eq!(answer.status, StatusCode::SERVICE_UNAVAILABLE);
        let text = String::from_utf8(answer.body.bytes().to_vec()).unwrap();
        assert!(text.starts_with(r#"{"ready":false,"reasons":[{"code":"store","#), "{text}");
    }

    #[test]
    fn a_warning_makes_nobody_unready() {
        let warned = Readiness { ready: true, reasons: &[], warnings: vec![CLOCK], vaults: None, tokens: Vec::new() };
        let answer = reply(&warned);
        assert_eq!(answer.status, StatusCode::OK);
        let text = String::from_utf8(answer.body.bytes().to_vec()).unwrap();
        assert!(text.starts_with(r#"{"ready":true,"reasons":[],"warnings":[{"code":"clock","#), "{text}");
    }
}
