//! The journal's promises, on real files.

mod recovery;
mod replay;
mod sinks;
mod writing;

use super::segment::{Header, put_frame};
use super::*;
use crate::draft::{Draft, Outcome};
use keystead_model::Action;
use std::fs;

const NODE: NodeId = NodeId::from_bytes([0xb2; 16]);
const INSTANCE: InstanceId = InstanceId::from_bytes([0xa1; 16]);
const NODES_LOG: VaultId = VaultId::from_bytes([0; 16]);

fn node() -> Node {
    Node { instance: INSTANCE, node: NODE, key: SigningKey::from_seed(&[7; 32]) }
}

fn small() -> Limits {
    Limits { segment_bytes: 64 << 10, max_bytes: u64::MAX, slots: 64 }
}

fn try_open(dir: &Path, limits: Limits) -> Result<(Journal, Repairs), OpenError> {
    Journal::open(dir, node(), limits, system_clock())
}

fn open(dir: &Path) -> Journal {
    try_open(dir, small()).unwrap().0
}

fn vault(n: u8) -> VaultId {
    VaultId::from_bytes([n; 16])
}

fn operation(n: u64) -> OperationId {
    OperationId::from_bytes(u128::from(n).to_be_bytes())
}

/// A record in the log of vault `log` (0: the node's), with a clear body of some length.
fn record(log: u8, n: u64, len: usize) -> Record {
    let draft = match log {
        0 => Draft::node(Action::VaultUnsealed, vault(9), vec![0xf6; len], operation(n), Time(1_000)),
        log => Draft::vault(Action::VaultCreated, vault(log), vec![0xf6; len], operation(n), Time(1_000)),
    };
    draft.encode(Outcome::DONE, None, NODE)
}

async fn write(journal: &Journal, record: &Record) -> Receipt {
    journal.reserve().unwrap().write(record.clone()).await.unwrap()
}

fn run<T>(work: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap().block_on(work)
}

/// Waits for something that happens by itself.
async fn until(what: &str, mut done: impl FnMut() -> bool) {
    for _ in 0..1_200 {
        if done() {
            return;
        }
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    }
    panic!("not within a minute: {what}");
}

/// Everything in a directory, as a crash leaves it: the files as they stand, while the journal is still open.
fn crash(from: &Path) -> tempfile::TempDir {
    fn copy(from: &Path, to: &Path) {
        fs::create_dir_all(to).unwrap();
        for entry in fs::read_dir(from).unwrap() {
            let entry = entry.unwrap();
            let to = to.join(entry.file_name());
            match entry.file_type().unwrap().is_dir() {
                true => copy(&entry.path(), &to),
                // Files that are renamed meanwhile are of no interest.
                false => _ = fs::copy(entry.path(), to),
            }
        }
    }
    let to = tempfile::tempdir().unwrap();
    copy(from, to.path());
    to
}

fn operations(journal: &Journal, log: u8) -> Vec<OperationId> {
    let records = journal.read(vault(log), 0, u16::MAX).unwrap();
    assert!(records.iter().enumerate().all(|(i, (index, _))| *index == i as u64));
    records.into_iter().map(|(_, r)| r.operation()).collect()
}

/// A first segment made by hand, and where each frame begins and ends.
struct Made {
    bytes: Vec<u8>,
    frames: Vec<(u8, u64, std::ops::Range<usize>)>,
}

/// From groups of (log, number of the operation).
fn made(groups: &[&[(u8, u64)]]) -> Made {
    let mut bytes = Header { instance: INSTANCE, node: NODE, first: 0, logs: Vec::new() }.encode();
    let mut frames: Vec<(u8, u64, _)> = Vec::new();
    for group in groups {
        for (i, (log, n)) in group.iter().enumerate() {
            let index = frames.iter().filter(|f| f.0 == *log).count() as u64;
            let (at, record) = (bytes.len(), record(*log, *n, 5));
            put_frame(&mut bytes, index, i == 0, &record, &record.entry());
            frames.push((*log, index, at..bytes.len()));
        }
    }
    Made { bytes, frames }
}

/// A data directory with this as its only segment.
fn with_segment(bytes: &[u8]) -> tempfile::TempDir {
    let dir = tempfile::tempdir().unwrap();
    fs::create_dir_all(dir.path().join("journal")).unwrap();
    fs::write(segment::path_of(&dir.path().join("journal"), 0), bytes).unwrap();
    dir
}
