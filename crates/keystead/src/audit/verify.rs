//! `keystead audit verify`.

use super::kept::Store;
use super::log::{audit_directory, node_key};
use crate::exit::Failure;
use crate::output::{self, OutputArgs};
use keystead_audit::tlog::{Checkpoint, VerifierKey, parse_origin};
use keystead_audit::verify::{Elsewhere, KeptCheckpoint, LogReport, NotVerified, Report, verify_dir};
use keystead_model::{Revision, VaultId};
use std::io::{IsTerminal as _, Write as _};
use std::path::{Path, PathBuf};

#[derive(clap::Args)]
#[command(after_help = "\
Examples:
  keystead audit verify
  keystead audit verify --data /var/lib/keystead --checkpoint yesterday.checkpoint

Reads the journal from the first record to the last and compares it with tiles
and checkpoints; no key is needed, and the server may be running. Alone it
finds damage inside a log. Truncation, fork and rollback of everything at once
are found against checkpoints that were kept elsewhere: those given, and those
this machine has seen.

The oldest segments may be gone only as far as --archived says; their entries
are then checked in the tiles. A segment's name is the number of its first
frame in hexadecimal.")]
pub(crate) struct Verify {
    /// Data directory of the server
    #[arg(long, value_name = "DIR", default_value = "keystead-dev")]
    data: PathBuf,
    /// A checkpoint that was kept elsewhere; repeat for more
    #[arg(long, value_name = "FILE")]
    checkpoint: Vec<PathBuf>,
    /// The records before this frame (numbered over all logs from 0) were archived
    #[arg(long, value_name = "FRAME", default_value_t = 0, hide_default_value = true)]
    archived: u64,
    #[command(flatten)]
    output: OutputArgs,
}

/// A checkpoint to verify against, and where it comes from.
struct Against {
    name: String,
    kept: KeptCheckpoint,
}

impl Verify {
    pub(crate) fn run(self) -> Result<(), Failure> {
        let audit = audit_directory(&self.data)?;
        let against = self.against()?;
        let known = Elsewhere { kept: against.iter().map(|a| a.kept.clone()).collect(), archived: self.archived };
        let terminal = std::io::stderr().is_terminal();
        let mut progress = |records: u64| {
            if terminal {
                let _ = write!(std::io::stderr(), "\r{records} records");
            }
        };
        let verified = verify_dir(&audit, &known, &mut progress);
        if terminal {
            let _ = write!(std::io::stderr(), "\r\u{1b}[K");
        }
        let report = verified.map_err(|e| failed(&e, &against))?;
        self.print(&report)
    }

    /// The checkpoints given, then those kept of this node's logs.
    fn against(&self) -> Result<Vec<Against>, Failure> {
        let seen = match Store::open() {
            Ok(store) => store.all()?,
            Err(_) => Vec::new(),
        };
        let pinned = |note: &[u8]| -> Option<VerifierKey> {
            let origin = Checkpoint::unproven(note).ok()?.origin;
            seen.iter().find(|kept| kept.key.name() == origin).map(|kept| kept.key.clone())
        };
        let mut against = Vec::new();
        for file in &self.checkpoint {
            let note = read(file)?;
            against
                .push(Against { name: file.display().to_string(), kept: KeptCheckpoint { key: pinned(&note), note } });
        }
        // A damaged key of the directory is for the verification to report.
        let Ok(node) = node_key(&self.data) else { return Ok(against) };
        for kept in seen.iter().filter(|kept| same_node(kept.key.name(), node.name())) {
            let Some(newest) = &kept.newest else { continue };
            let name = format!("the checkpoint of {} kept on this machine", kept.key.name());
            let kept = KeptCheckpoint { note: newest.note.clone(), key: Some(kept.key.clone()) };
            against.push(Against { name, kept });
        }
        Ok(against)
    }

    fn print(&self, report: &Report) -> Result<(), Failure> {
        if self.output.is_json() {
            return output::json(&json(report));
        }
        output::table(&["log", "records", "published", "kept checkpoints", "result"], report.logs.iter().map(row))?;
        output::text(&format!("whole: {} records in {} segments", report.records, report.segments))?;
        notes(report).iter().for_each(|note| output::note(note));
        Ok(())
    }
}

fn row(log: &LogReport) -> Vec<String> {
    let kept = if log.kept == 0 { "none".to_owned() } else { log.kept.to_string() };
    vec![log_name(log.vault), log.size.to_string(), log.published.to_string(), kept, "whole".to_owned()]
}

/// What whoever reads "whole" should know besides.
fn notes(report: &Report) -> Vec<String> {
    let mut notes = Vec::new();
    for log in report.logs.iter().filter(|log| log.archived > 0) {
        let (name, n) = (log_name(log.vault), log.archived);
        notes.push(format!(
            "log {name}: archived, the oldest records: {n}; only their entries in the tiles were checked"
        ));
    }
    for (vault, revision) in &report.awaited {
        let revision = revision.0;
        notes.push(format!("vault {vault}: no record of revision {revision} yet; verify again in a moment"));
    }
    if report.unfinished {
        notes.push("the server wrote all the time: its last records were not read".to_owned());
    }
    let bare = report.logs.iter().filter(|log| log.kept == 0).count();
    if bare > 0 {
        notes.push(format!(
            "{bare} logs have no kept checkpoint: truncation, fork and rollback would not be noticed there"
        ));
    }
    notes
}

fn json(report: &Report) -> serde_json::Value {
    let log = |log: &LogReport| {
        serde_json::json!({
            "vault": log.vault.to_string(), "origin": log.origin, "size": log.size, "archived": log.archived,
            "published": log.published, "kept": log.kept, "result": "whole",
        })
    };
    let awaited = |(vault, revision): &(VaultId, Revision)| {
        let (vault, revision) = (vault.to_string(), revision.0);
        serde_json::json!({ "vault": vault, "revision": revision })
    };
    serde_json::json!({
        "verified": true, "records": report.records, "archived": report.archived, "segments": report.segments,
        "unfinished": report.unfinished, "logs": report.logs.iter().map(log).collect::<Vec<_>>(),
        "awaited": report.awaited.iter().map(awaited).collect::<Vec<_>>(),
    })
}

fn log_name(vault: VaultId) -> String {
    if *vault.as_bytes() == [0; 16] { "node".to_owned() } else { vault.to_string() }
}

fn failed(e: &NotVerified, against: &[Against]) -> Failure {
    match e {
        NotVerified::Found(finding) => Failure::check(finding.to_string()),
        NotVerified::Io { .. } => Failure::unavailable(e.to_string()),
        NotVerified::Kept { number, why } => {
            let name = against.get(*number).map_or("a kept checkpoint", |a| &a.name);
            Failure::check(format!("{name}: {why}"))
        }
    }
}

fn same_node(a: &str, b: &str) -> bool {
    let node = |origin: &str| parse_origin(origin).map(|(instance, _, node)| (instance, node));
    node(a).is_some() && node(a) == node(b)
}

fn read(file: &Path) -> Result<Vec<u8>, Failure> {
    std::fs::read(file).map_err(|e| Failure::usage(format!("cannot read {}: {e}", file.display())))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn logs_of_one_node_belong_together() {
        let origin =
            |vault: &str, node: &str| format!("keystead/{}/{}/{}", "0a".repeat(16), vault.repeat(16), node.repeat(16));
        assert!(same_node(&origin("00", "01"), &origin("02", "01")));
        assert!(!same_node(&origin("00", "01"), &origin("00", "02")));
        assert!(!same_node("x", "x"));
    }

    #[test]
    fn what_is_not_proven_is_said() {
        let vault = VaultId::from_bytes([0; 16]);
        let log = LogReport { vault, origin: String::new(), size: 2, archived: 1, published: 1, kept: 0 };
        let report =
            Report { records: 1, archived: 1, segments: 1, logs: vec![log], awaited: Vec::new(), unfinished: true };
        assert_eq!(notes(&report).len(), 3);
        assert!(notes(&report)[0].starts_with("log node: archived, the oldest records: 1;"));
        assert_eq!(row(&report.logs[0]), ["node", "2", "1", "none", "whole"]);
    }
}
