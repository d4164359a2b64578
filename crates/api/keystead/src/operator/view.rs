//! What the operator sees.

use crate::health::word;
use crate::ready;
use keystead_api_table::Body;
use keystead_audit::JournalHealth;
use keystead_audit::journal::JournalState;
use keystead_engine::{
    Erased, Finding, Health, OldCopy, PathReport, PathView, QuorumView, RotationView, SharesView, StoreSays,
    VaultSummary, Verdict,
};
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
    /// The generation of its root; known while the vault is open.
    #[serde(skip_serializing_if = "Option::is_none")]
    root: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    rotation: Option<Rotation>,
    /// What people know its domain by; known while the vault is open.
    #[serde(skip_serializing_if = "Option::is_none")]
    domain: Option<String>,
    /// Of a sealed vault that is shown by itself; nothing of it is proven.
    #[serde(skip_serializing_if = "Option::is_none")]
    store_says: Option<Told>,
    /// Of a sealed vault of custodians that is shown by itself.
    #[serde(skip_serializing_if = "Option::is_none")]
    shares: Option<Shares<'a>>,
    /// Its custodians, of a vault in their custody.
    #[serde(skip_serializing_if = "Option::is_none")]
    quorum: Option<Quorum>,
    /// Why it did not open, if it was tried.
    #[serde(skip_serializing_if = "Option::is_none")]
    not_opened: Option<&'a str>,
    created: i64,
}

/// How many custodians open a vault, how many there are, and how many confirmed its activation record.
#[derive(Serialize)]
struct Quorum {
    required: u8,
    custodians: u8,
    confirmed: u8,
}

impl From<QuorumView> for Quorum {
    fn from(q: QuorumView) -> Self {
        Self { required: q.required, custodians: q.custodians, confirmed: q.confirmed }
    }
}

/// A rotation of the root that is under way.
#[derive(Serialize)]
struct Rotation {
    from: u32,
    to: u32,
    step: &'static str,
    rows_left: u64,
    after_purge: bool,
    custodians: bool,
    begun: i64,
    #[serde(skip_serializing_if = "Option::is_none")]
    waits_for: Option<String>,
}

impl Rotation {
    fn of(view: &RotationView) -> Self {
        Self {
            from: view.from.0,
            to: view.to.0,
            step: view.step,
            rows_left: view.rows_left,
            after_purge: view.after_purge,
            custodians: view.custodians,
            begun: view.begun.0,
            waits_for: view.waits_for.clone(),
        }
    }
}

/// What the store says of a sealed vault, unproven.
#[derive(Serialize)]
pub(super) struct Told {
    domain: String,
    generation: u32,
    #[serde(skip_serializing_if = "Option::is_none")]
    rotation: Option<Unfinished>,
    /// Whether its custodians took the place of others.
    custodians_replaced: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    replaced_at: Option<i64>,
    /// All of it in words.
    says: String,
}

/// A rotation that goes on once the vault is open.
#[derive(Serialize)]
struct Unfinished {
    from: u32,
    to: u32,
    step: &'static str,
    custodians: bool,
}

impl Told {
    pub(super) fn of(says: &StoreSays) -> Self {
        let rotation =
            says.rotation.map(|r| Unfinished { from: r.from.0, to: r.to.0, step: r.step, custodians: r.custodians });
        Self {
            domain: says.domain.to_string(),
            generation: says.generation.0,
            rotation,
            custodians_replaced: says.replaced.is_some(),
            replaced_at: says.replaced.flatten().map(|at| at.0),
            says: says.to_string(),
        }
    }
}

/// Whose shares are there.
#[derive(Serialize)]
struct Shares<'a> {
    required: u8,
    given: &'a [u8],
    missing: u8,
}

impl<'a> Shares<'a> {
    fn of(view: &'a SharesView) -> Self {
        Self { required: view.required, given: &view.given, missing: view.missing }
    }
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
            root: v.root.map(|root| root.0),
            rotation: v.rotation.as_ref().map(Rotation::of),
            domain: v.domain.map(|domain| domain.to_string()),
            store_says: v.store_says.as_ref().map(Told::of),
            shares: v.shares.as_ref().map(Shares::of),
            quorum: v.quorum.map(Quorum::from),
            not_opened: v.not_opened.as_deref(),
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

/// The unseal paths of a vault, and those it could have.
pub(super) fn paths(all: &[PathView]) -> Body {
    #[derive(Serialize)]
    struct Paths<'a> {
        paths: Vec<Path<'a>>,
    }
    #[derive(Serialize)]
    struct Path<'a> {
        name: &'a str,
        kind: &'a str,
        configured: bool,
        of_vault: bool,
        #[serde(skip_serializing_if = "Option::is_none")]
        added: Option<i64>,
    }
    fn one(path: &PathView) -> Path<'_> {
        Path {
            name: &path.name,
            kind: &path.kind,
            configured: path.configured,
            of_vault: path.of_vault,
            added: path.added.map(|at| at.0),
        }
    }
    Body::json(&Paths { paths: all.iter().map(one).collect() })
}

/// What came of a path that was tried.
pub(super) fn report(report: &PathReport) -> Body {
    #[derive(Serialize)]
    struct Report<'a> {
        name: &'a str,
        kind: &'a str,
        ok: bool,
        #[serde(skip_serializing_if = "Option::is_none")]
        generation: Option<u32>,
        #[serde(skip_serializing_if = "Option::is_none")]
        why: Option<&'a str>,
    }
    let PathReport { name, kind, opened, why } = report;
    let generation = opened.map(|generation| generation.0);
    Body::json(&Report { name, kind, ok: opened.is_some(), generation, why: why.as_deref() })
}

/// What came of an erasure.
pub(super) fn erased(erased: &Erased) -> Body {
    #[derive(Serialize)]
    struct Document<'a> {
        vault: String,
        keys: u64,
        copies: Vec<Copy<'a>>,
        #[serde(skip_serializing_if = "Option::is_none")]
        custodians: Option<Quorum>,
        left: &'a [String],
        /// As `GET /keystead/v1/approvals/{id}` gave it.
        #[serde(skip_serializing_if = "Option::is_none")]
        approved: Option<serde_json::Value>,
    }
    #[derive(Serialize)]
    struct Copy<'a> {
        path: &'a str,
        kind: &'a str,
        /// None if nobody could try.
        opens: Option<bool>,
    }
    fn one(copy: &OldCopy) -> Copy<'_> {
        Copy { path: &copy.path, kind: &copy.kind, opens: copy.opens }
    }
    Body::json(&Document {
        vault: erased.vault.to_string(),
        keys: erased.keys,
        copies: erased.copies.iter().map(one).collect(),
        custodians: erased.custodians.map(Quorum::from),
        left: &erased.left,
        approved: erased.approved.as_deref().map(keystead_api_table::proposal),
    })
}

/// What the doctor found.
pub(super) fn findings(all: &[Finding]) -> Body {
    #[derive(Serialize)]
    struct Findings<'a> {
        ok: bool,
        findings: Vec<One<'a>>,
    }
    #[derive(Serialize)]
    struct One<'a> {
        what: &'static str,
        #[serde(skip_serializing_if = "Option::is_none")]
        vault: Option<&'a str>,
        #[serde(skip_serializing_if = "Option::is_none")]
        name: Option<&'a str>,
        verdict: &'static str,
        says: &'a str,
    }
    let ok = all.iter().all(|finding| finding.verdict != Verdict::Bad);
    fn one(f: &Finding) -> One<'_> {
        One {
            what: f.what,
            vault: f.vault.as_deref(),
            name: f.name.as_deref(),
            verdict: f.verdict.name(),
            says: &f.says,
        }
    }
    Body::json(&Findings { ok, findings: all.iter().map(one).collect() })
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
