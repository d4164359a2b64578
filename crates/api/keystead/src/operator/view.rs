//! What the operator sees.

use crate::health::word;
use crate::ready;
use keystead_api_table::Body;
use keystead_audit::JournalHealth;
use keystead_audit::journal::JournalState;
use keystead_engine::{Health, VaultSummary};
use keystead_model::Authority;
use serde::Serialize;

/// Times are milliseconds since the epoch.
#[derive(Serialize)]
struct Vault<'a> {
    name: &'a str,
    id: String,
    kind: &'static str,
    status: &'static str,
    custody: &'a str,
    authorities: Vec<&'a str>,
    tenant: &'a str,
    retention_days: u8,
    /// Known while the vault is open.
    #[serde(skip_serializing_if = "Option::is_none")]
    purge_protection: Option<bool>,
    /// The tokens of its HSM; known while the vault is open.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    tokens: Vec<&'a str>,
    /// Likewise.
    #[serde(skip_serializing_if = "Option::is_none")]
    clock: Option<&'static str>,
    created: i64,
}

impl<'a> Vault<'a> {
    fn of(v: &'a VaultSummary) -> Self {
        Self {
            name: &v.info.name,
            id: v.info.id.to_string(),
            kind: v.info.kind.name(),
            status: v.state,
            custody: &v.info.custody,
            authorities: v.info.authorities.iter().map(Authority::as_str).collect(),
            tenant: &v.info.tenant,
            retention_days: v.info.retention_days,
            purge_protection: v.purge_protection,
            tokens: v.tokens.iter().map(String::as_str).collect(),
            clock: v.clock_doubted.map(|doubted| if doubted { "doubted" } else { "ok" }),
            created: v.info.created.0,
        }
    }
}

/// All vaults.
pub(super) fn list(all: &[VaultSummary]) -> Body {
    #[derive(Serialize)]
    struct Vaults<'a> {
        vaults: Vec<Vault<'a>>,
    }
    Body::json(&Vaults { vaults: all.iter().map(Vault::of).collect() })
}

/// One vault.
pub(super) fn one(vault: &VaultSummary) -> Body {
    Body::json(&Vault::of(vault))
}

/// The journal, each vault's state, and what else is amiss.
pub(super) fn health(health: &Health) -> Body {
    #[derive(Serialize)]
    struct Whole<'a> {
        journal: Journal<'a>,
        vaults: Vec<State<'a>>,
        #[serde(skip_serializing_if = "Vec::is_empty")]
        tokens: Vec<ready::Token<'a>>,
        #[serde(skip_serializing_if = "Vec::is_empty")]
        troubles: Vec<Trouble<'a>>,
    }
    #[derive(Serialize)]
    struct Trouble<'a> {
        what: &'static str,
        why: &'a str,
    }
    #[derive(Serialize)]
    struct State<'a> {
        name: &'a str,
        status: &'static str,
    }
    let vaults = health.vaults.iter().map(|(name, status)| State { name, status }).collect();
    let troubles = health.troubles.iter().map(|(what, why)| Trouble { what, why }).collect();
    let tokens = health.tokens.iter().map(ready::Token::of).collect();
    Body::json(&Whole { journal: Journal::of(&health.journal), vaults, tokens, troubles })
}

#[derive(Serialize)]
struct Journal<'a> {
    state: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    failure: Option<&'a str>,
    frames: u64,
    segments: usize,
    used_bytes: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    max_bytes: Option<u64>,
    room_bytes: u64,
    unpublished: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    publish_error: Option<&'a str>,
}

impl<'a> Journal<'a> {
    fn of(j: &'a JournalHealth) -> Self {
        let failure = match &j.state {
            JournalState::Failed(why) => Some(why.as_str()),
            _ => None,
        };
        Self {
            state: word(&j.state),
            failure,
            frames: j.frames,
            segments: j.segments,
            used_bytes: j.used_bytes,
            max_bytes: (j.max_bytes != u64::MAX).then_some(j.max_bytes),
            room_bytes: j.room_bytes,
            unpublished: j.unpublished,
            publish_error: j.publish_error.as_deref(),
        }
    }
}
