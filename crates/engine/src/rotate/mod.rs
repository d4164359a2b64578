//! Another generation of a vault's root. It is made, wrapped by every path of the vault, sealed to the domain, each of
//! these proven by opening, and written in one commit ([`begin`]). From then on it seals; what the generation before
//! sealed still opens. Row by row is resealed in the background ([`turn`]), beside the vault's normal work, until none
//! needs the generation before; then its wraps are destroyed.
//!
//! What outlives the process is one row, sealed under the new generation: which is being replaced, and whether its
//! wraps are gone. Whatever the process was doing when it died, opening the vault finds where to go on.

mod begin;
mod other_domain;
mod turn;

pub(crate) use other_domain::{OtherDomain, no_jobs};

use crate::birth::singleton;
use crate::error::Refusal;
use crate::records::{self, RootRotationRecord, RotationStep};
use crate::room::{Place, row_binding, seal_row};
use crate::vault::Vault;
use crate::wraps;
use keystead_crypto::sealed::Sealer;
use keystead_model::{Generation, ObjectId, Time, Version};
use keystead_store::{Kind, Row, RowKey};

/// Where the row stands.
pub(crate) const PLACE: RowKey = singleton(Kind::RootRotation);

/// A rotation as the operator sees it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RotationView {
    /// The generation that is replaced.
    pub from: Generation,
    /// The generation that seals.
    pub to: Generation,
    /// `resealing`, `proving` or `destroying keys`.
    pub step: &'static str,
    /// Rows that are still to be looked at in this step.
    pub rows_left: u64,
    /// Whether every path has a new key.
    pub after_purge: bool,
    /// Whether the vault got other custodians with it.
    pub custodians: bool,
    /// When it began.
    pub begun: Time,
    /// What it waits for, if it does.
    pub waits_for: Option<String>,
}

/// What is being done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Phase {
    /// Rows are sealed again.
    Resealing,
    /// Every row is opened without the generation before.
    Proving,
    /// Keys of paths that nothing needs any more are destroyed.
    Settling,
}

/// Where a pass over all rows is.
#[derive(Debug, Clone, Copy, Default)]
struct Cursor {
    /// How many kinds of row it is through with.
    kinds: usize,
    /// The last row of the next kind.
    after: Option<([u8; 32], Option<Version>)>,
    passed: u64,
    /// Rows there were at its start.
    total: Option<u64>,
}

/// A rotation that is under way.
pub(crate) struct Rotation {
    pub(crate) record: RootRotationRecord,
    id: ObjectId,
    counter: u64,
    phase: Phase,
    cursor: Cursor,
    waits_for: Option<String>,
}

impl Rotation {
    fn new(record: RootRotationRecord, id: ObjectId, counter: u64) -> Result<Self, Refusal> {
        let phase = match record.step()? {
            RotationStep::Resealing => Phase::Resealing,
            RotationStep::Destroyed => Phase::Settling,
        };
        Ok(Self { record, id, counter, phase, cursor: Cursor::default(), waits_for: None })
    }

    /// The one that the vault's row tells of.
    pub(crate) async fn stored(vault: &Vault, newest: &Sealer) -> Result<Option<Self>, Refusal> {
        let Some(row) = wraps::get(vault, PLACE).await? else { return Ok(None) };
        let record = records::decode(&newest.open(&row_binding(vault, &row), &[], &row.sealed)?)?;
        let mut rotation = Self::new(record, row.id, row.counter)?;
        rotation.cursor.total = Some(turn::count(vault).await?);
        Ok(Some(rotation))
    }

    /// The generation that rows may still need.
    pub(crate) fn needs(&self) -> Option<Generation> {
        (self.phase != Phase::Settling).then_some(Generation(self.record.from))
    }

    pub(crate) fn view(&self) -> RotationView {
        let step = match self.phase {
            Phase::Resealing => "resealing",
            Phase::Proving => "proving",
            Phase::Settling => "destroying keys",
        };
        RotationView {
            from: Generation(self.record.from),
            to: Generation(self.record.to),
            step,
            rows_left: self.cursor.total.unwrap_or(0).saturating_sub(self.cursor.passed),
            after_purge: self.record.after_purge,
            custodians: self.record.custodians.unwrap_or(false),
            begun: Time(self.record.begun),
            waits_for: self.waits_for.clone(),
        }
    }

    /// Goes through all rows again.
    fn enter(&mut self, phase: Phase) {
        let total = self.cursor.total;
        (self.phase, self.cursor) = (phase, Cursor { total, ..Cursor::default() });
    }
}

/// The row of a rotation.
fn row(
    vault: &Vault,
    records: &Sealer,
    record: &RootRotationRecord,
    (id, counter): (ObjectId, u64),
) -> Result<Row, Refusal> {
    let place = Place { kind: PLACE.kind, tag: PLACE.lookup, version: None, id, counter, due: None };
    seal_row(vault, records, place, record)
}
