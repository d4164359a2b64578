//! Walks over the frames of one segment, from any frame on.

use super::disk;
use super::segment::{FRAME_HEAD, FRAME_MAX, Frame, Header, Step, frame_at};
use crate::error::{Place, ReadError};
use keystead_model::VaultId;
use std::collections::HashMap;
use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt as _;
use std::path::{Path, PathBuf};

const CHUNK: usize = 256 * 1024;
/// Where in a frame the index stands, and the record's vault.
const INDEX_AT: u64 = 4;
const VAULT_AT: u64 = FRAME_HEAD as u64 + 16;

const ZEROS: &[u8; 4096] = &[0; 4096];

/// A walk over one segment.
pub struct Scan {
    file: File,
    path: PathBuf,
    /// Where the next frame begins, and its number.
    at: u64,
    number: u64,
    /// Nothing is read from here on.
    end: u64,
    chunk: Vec<u8>,
    chunk_at: u64,
}

/// A frame and where it lies.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Found {
    /// Over all logs, from 0.
    pub number: u64,
    /// Bytes from the start of the segment.
    pub offset: u64,
    /// The frame.
    pub frame: Frame,
}

/// What lies behind the last good frame.
pub(crate) struct Rest {
    /// Frames that can still be made out.
    pub(crate) frames: Vec<Frame>,
    /// Whether there are only zeros.
    pub(crate) empty: bool,
}

impl Rest {
    fn look_into(&mut self, mut bytes: &[u8]) {
        // Zeros compare fast in blocks.
        while let Some((block, more)) = bytes.split_first_chunk::<4096>()
            && block == ZEROS
        {
            bytes = more;
        }
        while let Some(skip) = bytes.iter().position(|b| *b != 0) {
            self.empty = false;
            // A frame's length may begin with zeros: step back to where the frame may begin.
            bytes = bytes.get(skip.saturating_sub(3)..).unwrap_or_default();
            let step = match frame_at(bytes) {
                Step::Frame(frame) => {
                    let len = frame.len();
                    self.frames.push(frame);
                    len
                }
                _ => 1,
            };
            bytes = bytes.get(step..).unwrap_or_default();
        }
    }
}

/// What the walk has come to.
#[derive(Debug)]
pub enum Next {
    /// A frame.
    Found(Found),
    /// No more frames.
    End,
    /// Bytes that are no frame.
    Bad,
}

impl Scan {
    /// From the first frame of the segment to its end.
    pub fn open(path: &Path) -> Result<(Header, Self), ReadError> {
        let failed = |source: io::Error| match source.kind() {
            io::ErrorKind::NotFound => ReadError::Archived { path: path.to_owned() },
            _ => ReadError::Io { path: path.to_owned(), source },
        };
        let (header, len) =
            Header::read(path).map_err(failed)?.map_err(|why| ReadError::BadSegment { path: path.to_owned(), why })?;
        let file = File::open(path).map_err(failed)?;
        let end = file.metadata().map_err(failed)?.len();
        let scan = Self::of(file, path.to_owned(), len as u64, header.first, end);
        Ok((header, scan))
    }

    /// From a known frame on. Nothing is read before [`Self::set_end`] says how far.
    pub(super) fn resume(path: &Path, at: u64, number: u64) -> Result<Self, ReadError> {
        let file = File::open(path).map_err(|source| ReadError::Io { path: path.to_owned(), source })?;
        Ok(Self::of(file, path.to_owned(), at, number, at))
    }

    fn of(file: File, path: PathBuf, at: u64, number: u64, end: u64) -> Self {
        Self { file, path, at, number, end, chunk: Vec::new(), chunk_at: 0 }
    }

    /// Reads up to here and no further: what lies behind may be being written.
    pub(super) fn set_end(&mut self, end: u64) {
        self.chunk.clear();
        self.chunk_at = self.at;
        self.end = end;
    }

    /// Reads up to the end of the file, and what was read ahead anew.
    pub(crate) fn set_end_of_file(&mut self) -> Result<(), ReadError> {
        let end = self.file.metadata().map_err(|e| self.io(e))?.len();
        self.set_end(end);
        Ok(())
    }

    /// Number of the frame that [`Self::step`] comes to next.
    pub fn number(&self) -> u64 {
        self.number
    }

    /// Where that frame begins.
    pub fn offset(&self) -> u64 {
        self.at
    }

    /// The segment's path.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The next frame. Stays where it is at an end or at damage.
    pub fn step(&mut self) -> Result<Next, ReadError> {
        self.fill()?;
        let skip = usize::try_from(self.at.saturating_sub(self.chunk_at)).unwrap_or(usize::MAX);
        let frame = match frame_at(self.chunk.get(skip..).unwrap_or_default()) {
            Step::Frame(frame) => frame,
            Step::End => return Ok(Next::End),
            Step::Bad => return Ok(Next::Bad),
        };
        let found = Found { number: self.number, offset: self.at, frame };
        self.at = self.at.saturating_add(found.frame.len() as u64);
        self.number = self.number.saturating_add(1);
        Ok(Next::Found(found))
    }

    /// The next frame, or `None` at the end; damage is an error that names the record.
    pub fn read(&mut self) -> Result<Option<Found>, ReadError> {
        match self.step()? {
            Next::Found(found) => Ok(Some(found)),
            Next::End => Ok(None),
            Next::Bad => Err(ReadError::Damaged(self.place())),
        }
    }

    /// Where the walk stands, with the log and index of the record that should be there.
    pub fn place(&self) -> Place {
        Place {
            path: self.path.clone(),
            offset: self.at,
            frame: self.number,
            record: whose(&self.path, self.at).ok().flatten(),
        }
    }

    /// What lies from `from` on, wherever frames begin there. Holes, which is most of it, are not read.
    pub(crate) fn rest(&self, from: u64) -> Result<Rest, ReadError> {
        let mut found = Rest { frames: Vec::new(), empty: true };
        let mut at = from;
        while let Some(data) = disk::next_data(&self.file, at, self.end).map_err(|e| self.io(e))? {
            let mut bytes = vec![0; usize::try_from(data.end.saturating_sub(data.start)).unwrap_or(0)];
            self.file.read_exact_at(&mut bytes, data.start).map_err(|e| self.io(e))?;
            found.look_into(&bytes);
            at = data.end;
        }
        Ok(found)
    }

    fn fill(&mut self) -> Result<(), ReadError> {
        let chunk_end = self.chunk_at.saturating_add(self.chunk.len() as u64);
        let have = chunk_end.saturating_sub(self.at);
        if self.at >= self.chunk_at && (have >= FRAME_MAX as u64 || chunk_end == self.end) {
            return Ok(());
        }
        let want = usize::try_from(self.end.saturating_sub(self.at)).unwrap_or(CHUNK).min(CHUNK);
        self.chunk.resize(want, 0);
        self.chunk_at = self.at;
        let read = self.file.read_exact_at(&mut self.chunk, self.at);
        read.map_err(|e| {
            self.chunk.clear();
            self.io(e)
        })
    }

    fn io(&self, source: io::Error) -> ReadError {
        ReadError::Io { path: self.path.clone(), source }
    }
}

/// Whose record should stand at `offset` of a segment: the log in which the later frames leave a gap, or else what
/// the bytes there say about themselves.
fn whose(path: &Path, offset: u64) -> Result<Option<(VaultId, u64)>, ReadError> {
    let (header, mut scan) = Scan::open(path)?;
    let mut sizes: HashMap<VaultId, u64> = header.logs.iter().map(|l| (l.vault, l.size)).collect();
    while scan.offset() < offset {
        match scan.step()? {
            Next::Found(found) => _ = sizes.insert(found.frame.record.vault(), found.frame.index.saturating_add(1)),
            Next::End | Next::Bad => return Ok(None),
        }
    }
    let next = |log: VaultId| sizes.get(&log).copied().unwrap_or(0);
    let mut seen = HashMap::new();
    for frame in scan.rest(offset.saturating_add(1))?.frames {
        let log = frame.record.vault();
        if *seen.entry(log).or_insert(frame.index) > next(log) {
            return Ok(Some((log, next(log))));
        }
    }
    let (mut index, mut vault) = ([0; 8], [0; 16]);
    let read = scan.file.read_exact_at(&mut index, offset.saturating_add(INDEX_AT));
    let read = read.and_then(|()| scan.file.read_exact_at(&mut vault, offset.saturating_add(VAULT_AT)));
    let log = VaultId::from_bytes(vault);
    let plausible = sizes.contains_key(&log) || u64::from_be_bytes(index) == next(log);
    Ok(read.ok().filter(|()| plausible).map(|()| (log, next(log))))
}
