//! Data directories for the tests: written by a real journal, then taken apart and put together again.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::{FileExt as _, MetadataExt as _};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, OnceLock};

use keystead_audit::journal::scan::{Next, Scan};
use keystead_audit::journal::segment::{Header, LogStart, list, path_of, put_frame};
use keystead_audit::tlog::Tree;
use keystead_audit::verify::{Elsewhere, Finding, KeptCheckpoint, NotVerified, Report, Spot, verify_dir};
use keystead_audit::{Journal, Limits, Node, Record, system_clock};
use keystead_crypto::ed25519::SigningKey;
use keystead_crypto::sha256;
use keystead_model::{InstanceId, NodeId, VaultId};
use tempfile::TempDir;

pub(crate) const NODE: VaultId = VaultId::from_bytes([0; 16]);
pub(crate) const SMALL: VaultId = VaultId::from_bytes([0x11; 16]);
pub(crate) const LARGE: VaultId = VaultId::from_bytes([0x22; 16]);

/// Records in the directory of [`copy`], and the revision each vault has reached.
pub(crate) const RECORDS: u64 = 900;

/// Records in the directory of [`few`], and those of them under no checkpoint after a crash.
pub(crate) const FEW: u64 = 400;
pub(crate) const AHEAD: u64 = 12;

/// Opens the journal of the one test node, with segments as small as they get.
pub(crate) fn open(dir: &Path, seed: u8) -> Journal {
    open_with(dir, seed, Limits { segment_bytes: 64 << 10, ..Limits::default() })
}

pub(crate) fn open_with(dir: &Path, seed: u8, limits: Limits) -> Journal {
    let node = Node {
        instance: InstanceId::from_bytes([0xa1; 16]),
        node: NodeId::from_bytes([0xb2; 16]),
        key: SigningKey::from_seed(&[seed; 32]),
    };
    Journal::open(dir, node, limits, system_clock()).unwrap().0
}

/// The `n`th record of a history: mostly of the large log, every third one a change of its vault.
pub(crate) fn record(n: u64, history: u8, revisions: &mut BTreeMap<VaultId, u64>) -> Record {
    sized_record(n, history, revisions, 200 + (n % 90) as usize)
}

/// The same with a clear part of `len` bytes.
pub(crate) fn sized_record(n: u64, history: u8, revisions: &mut BTreeMap<VaultId, u64>, len: usize) -> Record {
    let log = match n % 10 {
        0 => NODE,
        1 | 2 => SMALL,
        _ => LARGE,
    };
    let mut bytes = vec![1, 0, 0, 13, 0, 0, 0, 0];
    bytes.extend((1_700_000_000_000 + n as i64 * 20_000).to_be_bytes());
    bytes.extend(log.as_bytes());
    bytes.extend([0xb2; 16]);
    bytes.extend(&sha256(&[&[history], &n.to_be_bytes()])[..16]);
    let vault = if log == NODE { SMALL } else { log };
    bytes.extend(vault.as_bytes());
    bytes.extend([0; 16]);
    let revision = if n.is_multiple_of(3) {
        let last = revisions.entry(vault).or_default();
        *last += 1;
        *last
    } else {
        0
    };
    bytes.extend(revision.to_be_bytes());
    bytes.extend([0; 40]);
    let clear = vec![history; len];
    bytes.extend((clear.len() as u16).to_be_bytes());
    bytes.extend([0; 2]);
    bytes.extend(clear);
    Record::parse(&bytes).unwrap()
}

/// Appends records `from..to` of a history, publishing now and then, and closes.
pub(crate) fn append(dir: &Path, from: u64, to: u64, history: u8, seed: u8) {
    let mut revisions = BTreeMap::new();
    (0..from).for_each(|n| _ = record(n, history, &mut revisions));
    let mut at = from;
    // Closing publishes, so that there are stale partial tiles too.
    for stop in [from + (to - from) / 5, from + (to - from) / 2, to - 1, to] {
        write(dir, seed, (at..stop).map(|n| record(n, history, &mut revisions)));
        at = stop;
    }
}

/// Writes records one after the other and closes.
fn write(dir: &Path, seed: u8, records: impl Iterator<Item = Record>) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let journal = open(dir, seed);
        for record in records {
            let _receipt = journal.reserve().unwrap().write(record).await.unwrap();
        }
        journal.close().await;
    });
}

/// A directory of [`RECORDS`] records in three logs and several segments.
pub(crate) fn copy() -> TempDir {
    static ORIGINAL: OnceLock<TempDir> = OnceLock::new();
    let original = ORIGINAL.get_or_init(|| {
        let dir = tempfile::tempdir().unwrap();
        append(dir.path(), 0, RECORDS, 1, 5);
        dir
    });
    copy_of(original.path())
}

/// A directory of [`FEW`] records: each kind of file is there, and it is verified in half the time. Not to be
/// written to.
pub(crate) fn few() -> &'static Path {
    few_twice()[0].path()
}

/// The same as a crash leaves it: the last [`AHEAD`] records are under no checkpoint.
pub(crate) fn few_crashed() -> &'static Path {
    few_twice()[1].path()
}

fn few_twice() -> &'static [TempDir; 2] {
    static ORIGINALS: OnceLock<[TempDir; 2]> = OnceLock::new();
    ORIGINALS.get_or_init(|| closed_and_crashed(FEW, 250))
}

/// A directory of so many records, each with a clear part of `len` bytes, whole and as a crash leaves it: what is
/// published there stands as it stood before the last [`AHEAD`].
pub(crate) fn closed_and_crashed(records: u64, len: usize) -> [TempDir; 2] {
    let dir = tempfile::tempdir().unwrap();
    let mut revisions = BTreeMap::new();
    let mut records_to = |from, to| write(dir.path(), 5, (from..to).map(|n| sized_record(n, 1, &mut revisions, len)));
    records_to(0, records - AHEAD);
    let before = copy_of(dir.path());
    records_to(records - AHEAD, records);
    let crashed = tempfile::tempdir().unwrap();
    copy_files(dir.path(), all_files(dir.path()), crashed.path());
    fs::remove_dir_all(crashed.path().join("logs")).unwrap();
    fs::rename(before.path().join("logs"), crashed.path().join("logs")).unwrap();
    [dir, crashed]
}

/// What says something in a directory.
pub(crate) fn copy_of(from: &Path) -> TempDir {
    let to = tempfile::tempdir().unwrap();
    copy_files(from, files(from), to.path());
    to
}

fn copy_files(from: &Path, files: Vec<PathBuf>, to: &Path) {
    for file in files {
        let target = to.join(file.strip_prefix(from).unwrap());
        fs::create_dir_all(target.parent().unwrap()).unwrap();
        fs::copy(&file, target).unwrap();
    }
}

/// A directory that shares the files of another one: to be spoiled through [`Self::put`] and
/// [`Self::flipped`] only.
pub(crate) struct Linked {
    dir: TempDir,
    original: PathBuf,
}

impl Linked {
    fn of(original: &Path) -> Self {
        let dir = tempfile::tempdir().unwrap();
        for file in all_files(original) {
            let target = dir.path().join(file.strip_prefix(original).unwrap());
            fs::create_dir_all(target.parent().unwrap()).unwrap();
            fs::hard_link(&file, target).unwrap();
        }
        Self { dir, original: original.to_owned() }
    }

    pub(crate) fn path(&self) -> &Path {
        self.dir.path()
    }

    /// Puts other bytes, or nothing, in the place of a file.
    pub(crate) fn put(&self, file: &Path, bytes: Option<&[u8]>) {
        let path = self.path().join(file);
        fs::remove_file(&path).unwrap();
        bytes.into_iter().for_each(|bytes| fs::write(&path, bytes).unwrap());
    }

    /// Runs `check` while bits of one byte are flipped.
    pub(crate) fn flipped(&self, file: &Path, at: u64, bits: u8, check: impl FnOnce()) {
        let path = self.path().join(file);
        if fs::metadata(&path).unwrap().nlink() > 1 {
            self.put(file, Some(&fs::read(&path).unwrap()));
        }
        let file = fs::OpenOptions::new().read(true).write(true).open(&path).unwrap();
        let mut byte = [0];
        file.read_exact_at(&mut byte, at).unwrap();
        file.write_all_at(&[byte[0] ^ bits], at).unwrap();
        check();
        file.write_all_at(&byte, at).unwrap();
    }

    /// Puts the original file back.
    pub(crate) fn heal(&self, file: &Path) {
        let path = self.path().join(file);
        let _ = fs::remove_file(&path);
        fs::hard_link(self.original.join(file), path).unwrap();
    }

    /// The finding, and the file that it names, from this directory on.
    pub(crate) fn finding(&self) -> (Finding, PathBuf) {
        let found = finding(self.path());
        let file = named_file(&found).strip_prefix(self.path()).unwrap().to_owned();
        (found, file)
    }
}

/// Runs each case in a directory like `original`, in so many threads: verification of damage at the end of a journal
/// waits for a writer, and does not compute.
pub(crate) fn each<T: Send>(original: &Path, threads: usize, cases: Vec<T>, run: impl Fn(&Linked, T) + Sync) {
    let threads = threads.min(cases.len());
    let cases = Mutex::new(cases.into_iter());
    std::thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(|| {
                let linked = Linked::of(original);
                let next = || cases.lock().unwrap().next();
                while let Some(case) = next() {
                    run(&linked, case);
                }
            });
        }
    });
}

/// Every file that says something, sorted: not the lock, and not what is only preallocated.
pub(crate) fn files(dir: &Path) -> Vec<PathBuf> {
    all_files(dir).into_iter().filter(|p| !p.ends_with("journal/lock") && !p.ends_with("journal/spare")).collect()
}

/// Every file, sorted.
pub(crate) fn all_files(dir: &Path) -> Vec<PathBuf> {
    let (mut found, mut todo) = (Vec::new(), vec![dir.to_owned()]);
    while let Some(at) = todo.pop() {
        for item in fs::read_dir(at).unwrap() {
            let path = item.unwrap().path();
            if path.is_dir() {
                todo.push(path);
            } else {
                found.push(path);
            }
        }
    }
    found.sort();
    found
}

pub(crate) fn checkpoint(dir: &Path, log: VaultId) -> PathBuf {
    dir.join("logs").join(log.to_string()).join("checkpoint")
}

/// A frame of the journal, and where it is.
#[derive(Clone)]
pub(crate) struct Placed {
    pub(crate) path: PathBuf,
    pub(crate) offset: u64,
    pub(crate) len: u64,
    pub(crate) starts_group: bool,
    pub(crate) log: VaultId,
    pub(crate) index: u64,
    pub(crate) record: Record,
}

/// All frames, in order.
pub(crate) fn frames(dir: &Path) -> Vec<Placed> {
    let mut all = Vec::new();
    for first in list(&dir.join("journal")).unwrap() {
        let path = path_of(&dir.join("journal"), first);
        let (_, mut scan) = Scan::open(&path).unwrap();
        while let Next::Found(found) = scan.step().unwrap() {
            all.push(Placed {
                path: path.clone(),
                offset: found.offset,
                len: found.frame.len() as u64,
                starts_group: found.frame.starts_group,
                log: found.frame.record.vault(),
                index: found.frame.index,
                record: found.frame.record,
            });
        }
    }
    all
}

/// Writes the journal anew from frames, as its owner would: right numbers, right headers. With `keep_indices` the
/// records keep the indices they had.
pub(crate) fn rewrite(dir: &Path, frames: &[Placed], keep_indices: bool) {
    let journal = dir.join("journal");
    let numbers = list(&journal).unwrap();
    let (header, _) = Header::read(&path_of(&journal, numbers[0])).unwrap().unwrap();
    numbers.iter().for_each(|n| fs::remove_file(path_of(&journal, *n)).unwrap());
    let mut trees: BTreeMap<VaultId, Tree> = BTreeMap::new();
    let mut first = 0;
    for part in frames.chunks(frames.len().div_ceil(numbers.len())) {
        let start = |(vault, tree): (&VaultId, &Tree)| LogStart {
            vault: *vault,
            size: tree.size(),
            frontier: tree.frontier().to_vec(),
        };
        let logs = trees.iter().map(start).collect();
        let mut bytes = Header { instance: header.instance, node: header.node, first, logs }.encode();
        for frame in part {
            let entry = frame.record.entry();
            let index = trees.entry(frame.record.vault()).or_default().append(&entry);
            let index = if keep_indices { frame.index } else { index };
            put_frame(&mut bytes, index, frame.starts_group, &frame.record, &entry);
        }
        fs::write(path_of(&journal, first), bytes).unwrap();
        first += part.len() as u64;
    }
}

pub(crate) fn check(dir: &Path, kept: &[KeptCheckpoint]) -> Result<Report, Finding> {
    check_knowing(dir, &Elsewhere { kept: kept.to_vec(), archived: 0 })
}

pub(crate) fn check_knowing(dir: &Path, known: &Elsewhere) -> Result<Report, Finding> {
    verify_dir(dir, known, &mut |_| ()).map_err(|e| match e {
        NotVerified::Found(finding) => finding,
        other => panic!("{other}"),
    })
}

pub(crate) fn finding(dir: &Path) -> Finding {
    check(dir, &[]).expect_err("damage was not found")
}

pub(crate) fn keep(dir: &Path, log: VaultId) -> KeptCheckpoint {
    KeptCheckpoint { note: fs::read(checkpoint(dir, log)).unwrap(), key: None }
}

pub(crate) fn named_file(finding: &Finding) -> &Path {
    match &finding.at {
        Spot::Record(place) => &place.path,
        Spot::After { path, .. } | Spot::Byte { path, .. } | Spot::File(path) => path,
    }
}

/// The log and index that a finding names.
pub(crate) fn named_record(finding: &Finding) -> (VaultId, u64) {
    match &finding.at {
        Spot::Record(place) => place.record.unwrap_or_else(|| panic!("{finding} names no record")),
        _ => panic!("no record is named: {finding}"),
    }
}

/// Another record of the same shape.
pub(crate) fn forged(record: &Record) -> Record {
    let mut bytes = record.bytes().to_vec();
    bytes[50] ^= 0xff;
    Record::parse(&bytes).unwrap()
}
