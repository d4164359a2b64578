//! What is found at start: the last segment is read from its header on; a torn last group is cut off, and anything else
//! that does not read back keeps the journal closed.

use super::disk;
use super::scan::{Found, Next, Scan};
use super::segment::{Header, list, path_of};
use super::{Limits, Node};
use crate::error::{OpenError, Place, ReadError};
use crate::tlog::Tree;
use keystead_model::VaultId;
use std::collections::HashMap;
use std::fs::{self, File, OpenOptions};
use std::os::unix::fs::FileExt as _;
use std::path::{Path, PathBuf};

/// Size and root under a log's own checkpoint.
pub(super) type Published = HashMap<VaultId, (u64, [u8; 32])>;

/// The state of a journal that can be written on.
pub(super) struct Recovered {
    pub(super) file: File,
    pub(super) path: PathBuf,
    /// Bytes of the last segment's file.
    pub(super) len: u64,
    /// Where the next frame goes.
    pub(super) at: u64,
    pub(super) frames: u64,
    pub(super) segments: Vec<u64>,
    pub(super) trees: HashMap<VaultId, Tree>,
    /// Sizes when the last segment began.
    pub(super) starts: HashMap<VaultId, u64>,
    /// Log, frame and offset of each record in the last segment.
    pub(super) placed: Vec<(VaultId, u64, u64)>,
    /// Bytes of a torn group that were cut off.
    pub(super) cut: u64,
}

/// Reads the last segment. `None`: there is no journal yet.
pub(super) fn recover(dir: &Path, node: &Node, published: &Published) -> Result<Option<Recovered>, OpenError> {
    // Left by the run before; it holds nothing.
    match fs::remove_file(dir.join("spare")) {
        Err(e) if e.kind() != std::io::ErrorKind::NotFound => return Err(io_at(dir)(e)),
        _ => {}
    }
    let segments = list(dir).map_err(io_at(dir))?;
    let Some(first) = segments.last().copied() else {
        covers(&HashMap::new(), published, dir)?;
        return Ok(None);
    };
    let path = path_of(dir, first);
    let (header, mut scan) = Scan::open(&path).map_err(open_error)?;
    if header.instance != node.instance || header.node != node.node {
        return Err(OpenError::Foreign { path, instance: header.instance, node: header.node });
    }
    let mut walk = Walk::begin(&header, published, &path)?;
    while let Next::Found(found) = scan.step().map_err(open_error)? {
        walk.add(&found)?;
    }
    let torn = find_torn(&scan)?;
    covers(&walk.trees, published, &path)?;
    let (at, frames) = (scan.offset(), scan.number());
    let file = OpenOptions::new().read(true).write(true).open(&path).map_err(io_at(&path))?;
    let len = file.metadata().map_err(io_at(&path))?.len();
    if torn {
        disk::erase_from(&file, at, len).map_err(io_at(&path))?;
    }
    // What a killed process wrote without syncing reads back, but is durable only now.
    file.sync_all().map_err(io_at(&path))?;
    let len_now = file.metadata().map_err(io_at(&path))?.len();
    Ok(Some(Recovered {
        len: len_now,
        at,
        frames,
        segments,
        starts: header.logs.iter().map(|l| (l.vault, l.size)).collect(),
        trees: walk.trees,
        placed: walk.placed,
        cut: if torn { len.saturating_sub(at) } else { 0 },
        file,
        path,
    }))
}

/// The first segment of a new journal.
pub(super) fn begin(dir: &Path, node: &Node, limits: Limits) -> Result<Recovered, OpenError> {
    let header = Header { instance: node.instance, node: node.node, first: 0, logs: Vec::new() }.encode();
    let (new, path) = (dir.join("spare"), path_of(dir, 0));
    let (at, len) = (header.len() as u64, limits.segment_bytes.saturating_add(header.len() as u64));
    let create = || {
        let file = disk::allocate(&new, len)?;
        file.write_all_at(&header, 0)?;
        file.sync_all()?;
        fs::rename(&new, &path)?;
        disk::sync_dir(dir)?;
        Ok(file)
    };
    let file = create().map_err(io_at(&path))?;
    let (trees, starts) = (HashMap::new(), HashMap::new());
    Ok(Recovered { file, path, len, at, frames: 0, segments: vec![0], trees, starts, placed: Vec::new(), cut: 0 })
}

/// Whether something of a torn group lies behind the last good frame. The start of another group behind it proves
/// that what does not read back was durable once: that is damage.
fn find_torn(scan: &Scan) -> Result<bool, OpenError> {
    let rest = scan.rest(scan.offset()).map_err(open_error)?;
    if rest.frames.iter().any(|frame| frame.starts_group) {
        return Err(OpenError::Damaged(scan.place()));
    }
    Ok(!rest.empty)
}

/// No checkpoint may cover more than the journal has.
fn covers(trees: &HashMap<VaultId, Tree>, published: &Published, path: &Path) -> Result<(), OpenError> {
    for (log, (size, _)) in published {
        let records = trees.get(log).map_or(0, Tree::size);
        if records < *size {
            return Err(OpenError::Short { log: *log, path: path.to_owned(), records, checkpoint: *size });
        }
    }
    Ok(())
}

/// The logs, while the segment is read.
struct Walk<'a> {
    path: &'a Path,
    published: &'a Published,
    trees: HashMap<VaultId, Tree>,
    placed: Vec<(VaultId, u64, u64)>,
}

impl<'a> Walk<'a> {
    fn begin(header: &Header, published: &'a Published, path: &'a Path) -> Result<Self, OpenError> {
        let mut walk = Self { path, published, trees: HashMap::new(), placed: Vec::new() };
        for log in &header.logs {
            let tree = Tree::from_frontier(log.size, log.frontier.clone())
                .map_err(|_| OpenError::BadSegment { path: path.to_owned(), why: crate::error::BadHeader::Damaged })?;
            walk.matches(log.vault, &tree)?;
            walk.trees.insert(log.vault, tree);
        }
        Ok(walk)
    }

    fn add(&mut self, found: &Found) -> Result<(), OpenError> {
        let log = found.frame.record.vault();
        let tree = self.trees.entry(log).or_default();
        if tree.size() != found.frame.index {
            return Err(OpenError::Damaged(Place {
                path: self.path.to_owned(),
                offset: found.offset,
                frame: found.number,
                record: Some((log, tree.size())),
            }));
        }
        tree.append(&found.frame.entry);
        self.placed.push((log, found.number, found.offset));
        match self.trees.get(&log) {
            Some(tree) => self.matches(log, tree),
            None => Ok(()),
        }
    }

    /// At the checkpoint's size the tree must have the checkpoint's root.
    fn matches(&self, log: VaultId, tree: &Tree) -> Result<(), OpenError> {
        match self.published.get(&log) {
            Some((size, root)) if *size == tree.size() && *root != tree.root() => {
                Err(OpenError::Forked { log, path: self.path.to_owned(), size: *size })
            }
            _ => Ok(()),
        }
    }
}

pub(super) fn open_error(error: ReadError) -> OpenError {
    match error {
        ReadError::Io { path, source } => OpenError::Io { path, source },
        ReadError::BadSegment { path, why } => OpenError::BadSegment { path, why },
        ReadError::Damaged(place) => OpenError::Damaged(place),
        ReadError::Archived { path } => OpenError::Io { path, source: std::io::ErrorKind::NotFound.into() },
    }
}

pub(super) fn io_at(path: &Path) -> impl FnOnce(std::io::Error) -> OpenError {
    let path = path.to_owned();
    move |source| OpenError::Io { path, source }
}
