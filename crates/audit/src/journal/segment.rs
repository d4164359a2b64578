//! The journal's file format, version 1. All numbers are big-endian.
//!
//! A segment is `<number of its first frame, 16 hex>.seg`: a header, then frames, then zeros up to the preallocated
//! length. Frames are numbered over all logs, from 0, in the order in which they were made durable.
//!
//! ```text
//! header  magic "KEYSTJNL" 8 | version 1 | zero 3 | header length u32
//!         instance 16 | node 16 | number of the first frame u64 | logs u32 | zero u32
//!         per log, in the order of vault ids: vault 16 | records u64 | frontier, 32 for each bit set in records
//!         SHA-256 of all of that, 32
//! frame   length of the record u32 (bit 31: first frame of a group) | index in its log u64 | check 8 | record
//! ```
//!
//! `check` is the first 8 bytes of SHA-256(length | index | entry), where the entry is SHA-256 of the record. The
//! records of all logs together are as many as the first frame's number, so a header proves its own sums.
//!
//! A *group* is what one write and one sync made durable. A group is written only after the group before it was
//! synced, so the start of a later group proves that what lies before it was once complete: this is how recovery tells
//! a torn write from damage.

use crate::error::BadHeader;
use crate::record::Record;
use crate::tlog::Tree;
use keystead_crypto::sha256;
use keystead_model::{InstanceId, NodeId, VaultId};
use std::path::{Path, PathBuf};
use std::{fs, io};

/// First bytes of a segment.
pub const MAGIC: &[u8; 8] = b"KEYSTJNL";
const VERSION: u8 = 1;
const GROUP: u32 = 1 << 31;
/// Bytes of a header before its logs.
const FIXED: usize = 64;

/// Bytes of a frame before its record.
pub const FRAME_HEAD: usize = 20;
/// Bytes of the longest frame.
pub const FRAME_MAX: usize = FRAME_HEAD + Record::MAX;

/// How far one log was when the segment began.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogStart {
    /// Whose log.
    pub vault: VaultId,
    /// Records before this segment.
    pub size: u64,
    /// The hashes of the complete subtrees over them, largest first.
    pub frontier: Vec<[u8; 32]>,
}

/// A segment's header.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Header {
    /// Whose journal.
    pub instance: InstanceId,
    /// Which node's.
    pub node: NodeId,
    /// Number of the first frame.
    pub first: u64,
    /// Every log with a record before this segment, in the order of vault ids.
    pub logs: Vec<LogStart>,
}

impl Header {
    /// The bytes. `logs` must be sorted.
    pub fn encode(&self) -> Vec<u8> {
        let logs: Vec<u8> = self.logs.iter().flat_map(LogStart::encode).collect();
        let len = FIXED.saturating_add(logs.len()).saturating_add(32);
        let mut out = Vec::with_capacity(len);
        out.extend_from_slice(MAGIC);
        out.extend_from_slice(&[VERSION, 0, 0, 0]);
        out.extend_from_slice(&u32::try_from(len).unwrap_or(u32::MAX).to_be_bytes());
        out.extend_from_slice(self.instance.as_bytes());
        out.extend_from_slice(self.node.as_bytes());
        out.extend_from_slice(&self.first.to_be_bytes());
        out.extend_from_slice(&u32::try_from(self.logs.len()).unwrap_or(u32::MAX).to_be_bytes());
        out.extend_from_slice(&[0; 4]);
        out.extend_from_slice(&logs);
        let hash = sha256(&[&out]);
        out.extend_from_slice(&hash);
        out
    }

    /// Length of the header that begins so, from its first 16 bytes.
    fn length(start: &[u8; 16]) -> Result<usize, BadHeader> {
        let mut at = Cursor(start);
        if at.take::<8>() != Some(*MAGIC) {
            return Err(BadHeader::Magic);
        }
        match at.take::<4>() {
            Some([VERSION, 0, 0, 0]) => at.u32().and_then(|n| usize::try_from(n).ok()).ok_or(BadHeader::Damaged),
            Some([version, ..]) => Err(BadHeader::Version(version)),
            None => Err(BadHeader::Damaged),
        }
    }

    /// From the start of a segment; gives the header's length too.
    pub fn parse(bytes: &[u8]) -> Result<(Self, usize), BadHeader> {
        let len = Self::length(bytes.first_chunk().ok_or(BadHeader::Magic)?)?;
        let whole = bytes.get(..len).ok_or(BadHeader::Damaged)?;
        let (body, hash) = whole.split_last_chunk::<32>().ok_or(BadHeader::Damaged)?;
        if sha256(&[body]) != *hash {
            return Err(BadHeader::Damaged);
        }
        let header = Self::parse_body(body).filter(Self::is_consistent).ok_or(BadHeader::Damaged)?;
        Ok((header, len))
    }

    fn parse_body(body: &[u8]) -> Option<Self> {
        let mut at = Cursor(body.get(16..)?);
        let instance = InstanceId::from_bytes(at.take()?);
        let node = NodeId::from_bytes(at.take()?);
        let first = at.u64()?;
        let count = at.u32()?;
        at.take::<4>().filter(|zero| *zero == [0; 4])?;
        let mut logs = Vec::new();
        for _ in 0..count {
            let (vault, size) = (VaultId::from_bytes(at.take()?), at.u64()?);
            let frontier = (0..size.count_ones()).map(|_| at.take()).collect::<Option<_>>()?;
            logs.push(LogStart { vault, size, frontier });
        }
        at.0.is_empty().then_some(Self { instance, node, first, logs })
    }

    fn is_consistent(&self) -> bool {
        let sum = self.logs.iter().try_fold(0_u64, |n, log| n.checked_add(log.size));
        sum == Some(self.first) && self.logs.is_sorted_by(|a, b| a.vault < b.vault)
    }

    /// Reads the header of the segment at `path`, whose name must agree with it; gives its length too.
    pub fn read(path: &Path) -> io::Result<Result<(Self, usize), BadHeader>> {
        use std::os::unix::fs::FileExt as _;
        let file = fs::File::open(path)?;
        let size = file.metadata()?.len();
        let mut start = [0; 16];
        if size < start.len() as u64 {
            return Ok(Err(BadHeader::Magic));
        }
        file.read_exact_at(&mut start, 0)?;
        let len = match Self::length(&start) {
            Ok(len) if len as u64 <= size => len,
            Ok(_) => return Ok(Err(BadHeader::Damaged)),
            Err(e) => return Ok(Err(e)),
        };
        let mut bytes = vec![0; len];
        file.read_exact_at(&mut bytes, 0)?;
        Ok(Self::parse(&bytes).and_then(|found| match number_of(path) {
            Some(first) if first == found.0.first => Ok(found),
            _ => Err(BadHeader::Misnamed),
        }))
    }

    /// How far a log was when the segment began; 0 if it had no record yet.
    pub fn size_of(&self, log: VaultId) -> u64 {
        self.logs.binary_search_by_key(&log, |l| l.vault).ok().and_then(|i| self.logs.get(i)).map_or(0, |l| l.size)
    }
}

impl LogStart {
    /// Where the tree of this log stands now.
    pub(super) fn of(vault: VaultId, tree: &Tree) -> Self {
        Self { vault, size: tree.size(), frontier: tree.frontier().to_vec() }
    }

    /// Bytes it takes in a header.
    pub(super) fn len(size: u64) -> usize {
        usize::try_from(size.count_ones()).unwrap_or(64).saturating_mul(32).saturating_add(24)
    }

    fn encode(&self) -> Vec<u8> {
        let mut out = Vec::with_capacity(Self::len(self.size));
        out.extend_from_slice(self.vault.as_bytes());
        out.extend_from_slice(&self.size.to_be_bytes());
        self.frontier.iter().for_each(|hash| out.extend_from_slice(hash));
        out
    }
}

/// One record as it lies in the journal.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Frame {
    /// Index in its log.
    pub index: u64,
    /// Whether it was the first of a group.
    pub starts_group: bool,
    /// The record.
    pub record: Record,
    /// Its entry.
    pub entry: [u8; 32],
}

impl Frame {
    /// Bytes on disk.
    pub fn len(&self) -> usize {
        FRAME_HEAD.saturating_add(self.record.bytes().len())
    }

    /// Never: a frame holds a record.
    pub fn is_empty(&self) -> bool {
        false
    }
}

/// What stands at some place in a segment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Step {
    /// A whole frame.
    Frame(Frame),
    /// Zeros, or the end of the file: no frame was written here.
    End,
    /// Something else.
    Bad,
}

fn check(length: &[u8; 4], index: &[u8; 8], entry: &[u8; 32]) -> [u8; 8] {
    let [a, b, c, d, e, f, g, h, ..] = sha256(&[length, index, entry]);
    [a, b, c, d, e, f, g, h]
}

/// Appends a frame. The record must not be longer than [`Record::MAX`].
pub fn put_frame(out: &mut Vec<u8>, index: u64, starts_group: bool, record: &Record, entry: &[u8; 32]) {
    let len = u32::try_from(record.bytes().len()).unwrap_or(0);
    let length = if starts_group { len | GROUP } else { len }.to_be_bytes();
    let index = index.to_be_bytes();
    out.extend_from_slice(&length);
    out.extend_from_slice(&index);
    out.extend_from_slice(&check(&length, &index, entry));
    out.extend_from_slice(record.bytes());
}

/// Reads the frame at the start of `bytes`, which reach to the end of the file or over at least [`FRAME_MAX`] bytes.
pub fn frame_at(bytes: &[u8]) -> Step {
    match whole_frame(bytes) {
        Some(frame) => Step::Frame(frame),
        None if bytes.iter().take(FRAME_HEAD).all(|b| *b == 0) => Step::End,
        None => Step::Bad,
    }
}

fn whole_frame(bytes: &[u8]) -> Option<Frame> {
    let mut at = Cursor(bytes);
    let length: [u8; 4] = at.take()?;
    let word = u32::from_be_bytes(length);
    let len = usize::try_from(word & !GROUP).ok().filter(|n| (Record::HEADER..=Record::MAX).contains(n))?;
    let index: [u8; 8] = at.take()?;
    let found: [u8; 8] = at.take()?;
    let record = Record::parse(at.0.get(..len)?).ok()?;
    let entry = record.entry();
    (check(&length, &index, &entry) == found).then(|| Frame {
        index: u64::from_be_bytes(index),
        starts_group: word & GROUP != 0,
        record,
        entry,
    })
}

/// A segment's name.
pub fn path_of(dir: &Path, first: u64) -> PathBuf {
    dir.join(format!("{first:016x}.seg"))
}

/// The first frame's number that a path names, if it names a segment.
pub fn number_of(path: &Path) -> Option<u64> {
    let stem = path.file_name()?.to_str()?.strip_suffix(".seg")?;
    u64::from_str_radix(stem, 16).ok().filter(|n| format!("{n:016x}") == stem)
}

/// The numbers of the segments in a directory, ascending.
pub fn list(dir: &Path) -> io::Result<Vec<u64>> {
    let mut found = Vec::new();
    for entry in fs::read_dir(dir)? {
        found.extend(number_of(&entry?.path()));
    }
    found.sort_unstable();
    Ok(found)
}

/// Takes numbers from the front of bytes.
struct Cursor<'a>(&'a [u8]);

impl Cursor<'_> {
    fn take<const N: usize>(&mut self) -> Option<[u8; N]> {
        let (head, rest) = self.0.split_first_chunk::<N>()?;
        self.0 = rest;
        Some(*head)
    }

    fn u32(&mut self) -> Option<u32> {
        self.take().map(u32::from_be_bytes)
    }

    fn u64(&mut self) -> Option<u64> {
        self.take().map(u64::from_be_bytes)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::draft::{Draft, Outcome};
    use keystead_model::{Action, OperationId, Time};

    fn header() -> Header {
        let log = |n: u8, size: u64| LogStart {
            vault: VaultId::from_bytes([n; 16]),
            size,
            frontier: (0..size.count_ones()).map(|i| [n ^ i as u8; 32]).collect(),
        };
        Header {
            instance: InstanceId::from_bytes([0xa1; 16]),
            node: NodeId::from_bytes([0xb2; 16]),
            first: 12,
            logs: vec![log(0, 5), log(7, 7)],
        }
    }

    fn record() -> Record {
        let (op, vault) = (OperationId::from_bytes([9; 16]), VaultId::from_bytes([7; 16]));
        let draft = Draft::node(Action::VaultUnsealed, vault, b"clear".to_vec(), op, Time(1));
        draft.encode(Outcome::DONE, None, NodeId::from_bytes([2; 16]))
    }

    #[test]
    fn a_header_parses_as_it_was_written() {
        let bytes = header().encode();
        assert_eq!(Header::parse(&bytes), Ok((header(), bytes.len())));
        assert_eq!(bytes.len(), FIXED + LogStart::len(5) + LogStart::len(7) + 32);
        assert_eq!([1, 5, 7, 8].map(|n| header().size_of(VaultId::from_bytes([n; 16]))), [0, 0, 7, 0]);
        assert_eq!(header().size_of(VaultId::from_bytes([0; 16])), 5);
    }

    #[test]
    fn a_header_with_any_byte_changed_or_missing_is_refused() {
        let bytes = header().encode();
        for at in 0..bytes.len() {
            let mut bad = bytes.clone();
            bad[at] ^= 0x10;
            assert!(Header::parse(&bad).is_err(), "byte {at}");
            assert!(Header::parse(&bytes[..at]).is_err(), "cut at {at}");
        }
    }

    #[test]
    fn a_header_whose_sums_do_not_hold_is_refused() {
        let spoils: [fn(&mut Header); 3] =
            [|h| h.first = 13, |h| h.logs.swap(0, 1), |h| h.logs[1].vault = h.logs[0].vault];
        for spoil in spoils {
            let mut bad = header();
            spoil(&mut bad);
            assert_eq!(Header::parse(&bad.encode()), Err(BadHeader::Damaged));
        }
    }

    #[test]
    fn a_frame_parses_as_it_was_written_and_any_changed_byte_shows() {
        let (record, mut bytes) = (record(), Vec::new());
        put_frame(&mut bytes, 41, true, &record, &record.entry());
        let frame = Frame { index: 41, starts_group: true, entry: record.entry(), record };
        assert_eq!(frame.len(), bytes.len());
        assert_eq!(frame_at(&bytes), Step::Frame(frame));
        for at in 0..bytes.len() {
            for flip in [0x01, 0x80] {
                let mut bad = bytes.clone();
                bad[at] ^= flip;
                assert_eq!(frame_at(&bad), Step::Bad, "byte {at}");
            }
            assert!(!matches!(frame_at(&bytes[..at]), Step::Frame(_)), "cut at {at}");
        }
        assert_eq!(frame_at(&[0; 64]), Step::End);
        assert_eq!(frame_at(&[]), Step::End);
    }

    #[test]
    fn only_names_of_one_spelling_are_segments() {
        let path = path_of(Path::new("/j"), 0xbeef);
        assert_eq!(path, Path::new("/j/000000000000beef.seg"));
        assert_eq!(number_of(&path), Some(0xbeef));
        for name in ["spare", "beef.seg", "000000000000BEEF.seg", "+00000000000beef.seg", "000000000000beef.seg.old"] {
            assert_eq!(number_of(Path::new(name)), None, "{name}");
        }
    }
}
