//! A vault's state, for whoever asks: no names and no numbers but these.

use futures_util::future::{BoxFuture, FutureExt as _, ready};
use hyper::StatusCode;
use keystead_api_table::{Body, Context, Reply};
use keystead_audit::journal::JournalState;
use keystead_engine::{StoreState, Vault};
use serde::Serialize;
use std::sync::Arc;

#[derive(Serialize)]
struct Health<'a> {
    state: &'static str,
    custody: &'a str,
    journal: &'static str,
    store: &'static str,
    /// Known while the vault is open.
    #[serde(skip_serializing_if = "Option::is_none")]
    clock: Option<&'static str>,
}

/// `GET /keystead/v1/health`: 200 while the vault is open, its records can be made durable and its rows be read, else
/// 503. A full store refuses changes only, and a doubted clock what is done by itself at the end of a retention: they
/// are shown and make no 503.
pub(crate) fn serve<'a>(vault: &'a Arc<Vault>, _: &'a Context<'a>) -> BoxFuture<'a, Reply> {
    ready(reply(vault)).boxed()
}

fn reply(vault: &Vault) -> Reply {
    let journal = vault.journal().health().state;
    let store = vault.store_state();
    let health = Health {
        state: vault.state().name(),
        custody: &vault.info().custody,
        journal: word(&journal),
        store: store.name(),
        clock: vault.ready().ok().map(|()| if vault.doubt().is_some() { "doubted" } else { "ok" }),
    };
    let durable = matches!(journal, JournalState::Ready | JournalState::Low);
    let good = vault.ready().is_ok() && durable && store != StoreState::Unavailable;
    let status = if good { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    Reply::new(status, Body::json(&health))
}

/// The journal's state in one word.
pub(crate) const fn word(state: &JournalState) -> &'static str {
    match state {
        JournalState::Ready => "ready",
        JournalState::Low => "low",
        JournalState::Full => "full",
        JournalState::Failed(_) => "failed",
        JournalState::Closed => "closed",
    }
}
