//! A data directory checked from the first record to the last, without any key but the published one.
//!
//! [`verify_dir`] reads every segment of the journal, recomputes each log's entries and tree, and compares them with
//! the entry bundles, the hash tiles, the signed checkpoint and the checkpoints kept elsewhere. It names the first bad
//! record, or the file where only a tile, checkpoint or key is damaged. Alone it finds damage inside a log; truncation,
//! fork and rollback of everything at once are found against a kept checkpoint only.
//!
//! It may run beside a node that is writing: checkpoints are read first and the journal after them, so the journal must
//! hold whatever they cover. Behind the last record of each segment, and in the preallocated next one, there must be
//! zeros. Where there are none, a write may be under way: it is looked at again for three seconds, and bytes that are
//! still the same then and no part of a record are a finding, a write that a crash tore included. The journal's oldest
//! segments may be gone only as far as somebody says that they were archived: then the entry bundles stand for them.
//!
//! Memory: one unfinished tile per level for each log, and the operations of the last 65,536 records.
//!
//! - [`finding`]: what can be found, and where
//! - `published`, `walk`: what is read; `reading`, `log`, `order`, `tail`: what must hold; `judge`: who is right when
//!   they disagree

pub mod finding;
mod judge;
mod log;
mod order;
mod published;
mod reading;
mod tail;
mod walk;

use std::path::Path;

use keystead_model::{Revision, VaultId};

pub use finding::{BadKept, Damage, Finding, NotVerified, Spot};

use crate::journal::disk;
use crate::tlog::VerifierKey;
use published::Published;
use reading::Reading;

/// A checkpoint that was kept where whoever can write the directory cannot.
#[derive(Debug, Clone)]
pub struct KeptCheckpoint {
    /// The signed note, as it was fetched.
    pub note: Vec<u8>,
    /// The log's verifier key, if that was kept too; otherwise the directory's is believed.
    pub key: Option<VerifierKey>,
}

/// What is known from elsewhere about a directory.
#[derive(Debug, Clone, Default)]
pub struct Elsewhere {
    /// Checkpoints of its logs.
    pub kept: Vec<KeptCheckpoint>,
    /// The records before this frame were archived: their segments may be gone. 0: none were.
    pub archived: u64,
}

/// A directory in which nothing was found wrong.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Report {
    /// Records read from the journal.
    pub records: u64,
    /// Older records whose segments were archived; their entries were checked in the tiles.
    pub archived: u64,
    /// Segments read.
    pub segments: u64,
    /// Each log, in the order of vault ids.
    pub logs: Vec<LogReport>,
    /// Vaults with a revision that has no record yet, and the first such. Only while a node runs, where it is late;
    /// otherwise it is a finding.
    pub awaited: Vec<(VaultId, Revision)>,
    /// Whether the journal grew all the time and its end was never seen at rest: what came last was not read. Never on
    /// a stopped node: there a write that a crash tore is a finding.
    pub unfinished: bool,
}

/// One log of a [`Report`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogReport {
    /// Whose log; zeros for the node's own.
    pub vault: VaultId,
    /// The log's name.
    pub origin: String,
    /// Records found.
    pub size: u64,
    /// The oldest of them, whose segments were archived.
    pub archived: u64,
    /// Records under the log's own checkpoint.
    pub published: u64,
    /// Kept checkpoints it agrees with. None: truncation, fork and rollback would not have been noticed.
    pub kept: usize,
}

/// Verifies the data directory `dir` against its own checkpoints and what is known from elsewhere. `progress` is told
/// now and then how many records have been read.
pub fn verify_dir(dir: &Path, known: &Elsewhere, progress: &mut dyn FnMut(u64)) -> Result<Report, NotVerified> {
    let mut read = |stopped| {
        let published = Published::read(dir, &known.kept)?;
        let mut reading = Reading::new(dir, published, known.archived);
        let end = reading.read_journal(progress)?;
        reading.conclude(end, stopped)
    };
    let report = read(false)?;
    if report.awaited.is_empty() || !is_stopped(dir)? {
        return Ok(report);
    }
    // Whatever a node had under way is written by now, unless one starts meanwhile.
    match read(true) {
        Err(NotVerified::Found(Finding { damage: Damage::RevisionMissing { .. }, .. })) if !is_stopped(dir)? => {
            Ok(report)
        }
        other => other,
    }
}

/// Whether no node has the directory.
fn is_stopped(dir: &Path) -> Result<bool, NotVerified> {
    let path = dir.join("journal").join("lock");
    disk::is_free(&path).map_err(|source| NotVerified::Io { path, source })
}
