//! One log's files: `<dir>/tile/...` and `<dir>/checkpoint`.
//!
//! Tiles are written first, the checkpoint last, each by renaming a finished file, so a reader of the checkpoint finds
//! the tiles it covers. Full tiles are on disk when the checkpoint is written. Partial tiles and the checkpoint are not
//! waited for: after a power cut they may be older or damaged, [`Publisher::open`] says so, and the journal, which is
//! the truth, rebuilds them. Partial tiles are removed only once the full tile stands. Those of earlier checkpoints are
//! put right by [`Publisher::mend_partials`].

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use keystead_crypto::ed25519::SigningKey;

use super::checkpoint::{BadCheckpoint, Checkpoint};
use super::note::VerifierKey;
use super::tile::{self, TOP_LEVEL, TileKind, TilePath, WIDTH};
use super::tree::{Tree, complete};
use super::{Hash, leaf_hash};

/// Full tiles behind the newest, at whose places partial ones may have come back after a power cut.
const BACK: u64 = 16;

/// Why a log could not be opened or published.
#[derive(Debug, thiserror::Error)]
pub enum PublishError {
    /// The disk refused.
    #[error("{}: {source}: check the disk and the directory's owner", path.display())]
    Io {
        /// What was read or written.
        path: PathBuf,
        /// The system's reason.
        source: io::Error,
    },
    /// The checkpoint cannot be read.
    #[error("the checkpoint cannot be read ({0}): rebuild the log's tiles from the journal")]
    Checkpoint(#[from] BadCheckpoint),
    /// A tile that the checkpoint covers is missing or does not lead to its root.
    #[error("{} is missing or not the checkpoint's: rebuild the log's tiles from the journal", .0.display())]
    Tile(PathBuf),
    /// The entries given do not continue what this node signed before. Never sign over it.
    #[error(
        "the journal does not continue the checkpoint of {signed} entries that this node signed (it has {found}): \
         it was truncated or replaced; restore it, or announce the restore"
    )]
    Contradicts {
        /// Entries in the signed checkpoint.
        signed: u64,
        /// Entries found.
        found: u64,
    },
}

/// Writes one log. There must be one per log at a time.
pub struct Publisher {
    dir: PathBuf,
    key: VerifierKey,
    state: State,
    /// Size in the checkpoint on disk; `None` without one.
    signed: Option<u64>,
}

/// The tree and what is not yet in full tiles.
#[derive(Clone, Default)]
struct State {
    tree: Tree,
    /// Entries of the unfinished bundle.
    entries: Vec<Hash>,
    /// Hashes of the unfinished tile, by level.
    tails: Vec<Vec<Hash>>,
}

impl Publisher {
    /// Opens the log in `dir`, which may not exist yet, and proves that its newest tiles lead to its checkpoint.
    pub fn open(dir: &Path, origin: &str, signer: &SigningKey) -> Result<Self, PublishError> {
        let key = VerifierKey::new(origin, signer.public());
        let signed = read_checkpoint(dir, &key)?;
        let state = match &signed {
            Some(checkpoint) => State::load(dir, checkpoint)?,
            None => State::default(),
        };
        Ok(Self { dir: dir.to_owned(), key, state, signed: signed.map(|c| c.size) })
    }

    /// Writes all tiles anew from the entries of the journal, then the checkpoint. Refuses entries that contradict a
    /// checkpoint this node signed, if a readable one is still there.
    pub fn rebuild(
        dir: &Path,
        origin: &str,
        signer: &SigningKey,
        entries: impl IntoIterator<Item = Hash>,
    ) -> Result<Self, PublishError> {
        let key = VerifierKey::new(origin, signer.public());
        let signed = read_checkpoint(dir, &key).ok().flatten();
        let fresh = dir.join("tile.new");
        remove_dir(&fresh)?;
        let mut state = State::default();
        let mut signed_root = signed.as_ref().filter(|c| c.size == 0).map(|c| c.root);
        let out = Out { dir, tile: "tile.new" };
        for entry in entries {
            state.add(&entry, &out)?;
            if signed.as_ref().is_some_and(|c| c.size == state.tree.size()) {
                signed_root = Some(state.tree.root());
            }
        }
        if let Some(checkpoint) = &signed
            && signed_root != Some(checkpoint.root)
        {
            return Err(PublishError::Contradicts { signed: checkpoint.size, found: state.tree.size() });
        }
        state.write_partials(0, &out)?;
        let stands = dir.join("tile");
        remove_dir(&stands)?;
        if fresh.exists() {
            fs::rename(&fresh, &stands).map_err(io_at(&stands))?;
        }
        let mut log = Self { dir: dir.to_owned(), key, state, signed: None };
        log.write_checkpoint(signer)?;
        Ok(log)
    }

    /// Adds the entries that follow [`Self::published_size`] and signs a checkpoint of all, with the key of `open`.
    /// After an error the log is as before: give the same entries again.
    pub fn publish(&mut self, new_entries: &[Hash], signer: &SigningKey) -> Result<(), PublishError> {
        if new_entries.is_empty() && self.signed.is_some() {
            return Ok(());
        }
        let out = Out { dir: &self.dir, tile: "tile" };
        let before = self.state.tree.size();
        let mut next = self.state.clone();
        for entry in new_entries {
            next.add(entry, &out)?;
        }
        next.write_partials(before, &out)?;
        let previous = std::mem::replace(&mut self.state, next);
        if let Err(error) = self.write_checkpoint(signer) {
            self.state = previous;
            return Err(error);
        }
        self.remove_stale(before);
        Ok(())
    }

    /// Puts right the partial tiles that are not this checkpoint's: a power cut may have damaged them, or brought some
    /// back. No proof of ours needs them, so failures are ignored.
    pub fn mend_partials(&self) {
        let size = self.state.tree.size();
        for kind in TileKind::all() {
            let now = kind.full_tiles(size);
            let mut path = TilePath::full(kind, now.saturating_sub(BACK));
            // Behind the checkpoint may stand what a lost one covered: full tiles, then one that was not full.
            loop {
                let place = self.dir.join(path.partials());
                if path.index() == now {
                    let _ = self.mend(path, &place);
                } else {
                    let _ = fs::remove_dir_all(place);
                }
                if path.index() >= now && !self.dir.join(path.to_string()).exists() {
                    break;
                }
                path = TilePath::full(kind, path.index().saturating_add(1));
            }
        }
    }

    /// The partial tiles at the unfinished place: beginnings of the newest, and none that goes beyond it.
    fn mend(&self, path: TilePath, place: &Path) -> io::Result<()> {
        let items = self.state.tail(path.kind());
        for file in fs::read_dir(place)? {
            let file = file?.path();
            let width = file.file_name().and_then(|name| name.to_str()?.parse::<u16>().ok());
            match width.and_then(|width| items.get(..usize::from(width))) {
                None => fs::remove_file(&file)?,
                // The checkpoint's own was proved when it was opened.
                Some(known) if known.len() == items.len() => {}
                Some(known) => {
                    let bytes = tile::encode(path.kind(), known);
                    if fs::read(&file)? != bytes {
                        write_file(&file, &bytes, false).map_err(io::Error::other)?;
                    }
                }
            }
        }
        Ok(())
    }

    /// Entries covered by the checkpoint on disk.
    pub fn published_size(&self) -> u64 {
        self.state.tree.size()
    }

    /// The root of those entries.
    pub fn root(&self) -> Hash {
        self.state.tree.root()
    }

    /// The hashes of the complete subtrees of those entries, largest first.
    pub fn frontier(&self) -> &[Hash] {
        self.state.tree.frontier()
    }

    /// The log's name.
    pub fn origin(&self) -> &str {
        self.key.name()
    }

    fn write_checkpoint(&mut self, signer: &SigningKey) -> Result<(), PublishError> {
        let size = self.state.tree.size();
        let note = Checkpoint::new(self.key.name(), size, self.state.tree.root()).sign(signer);
        write_file(&self.dir.join("checkpoint"), note.as_bytes(), false)?;
        self.signed = Some(size);
        Ok(())
    }

    /// Removes the partial tiles of places that became full since `before`. They do no harm, so failures are ignored.
    fn remove_stale(&self, before: u64) {
        let size = self.state.tree.size();
        for kind in TileKind::all() {
            let first = kind.full_tiles(before);
            for index in first..kind.full_tiles(size) {
                let _ = fs::remove_dir_all(self.dir.join(TilePath::full(kind, index).partials()));
            }
        }
    }
}

impl State {
    /// From the newest tiles, which must lead to the checkpoint's root.
    fn load(dir: &Path, checkpoint: &Checkpoint) -> Result<Self, PublishError> {
        let mut state = Self::default();
        let mut frontier = Vec::new();
        for level in (0..=TOP_LEVEL).rev() {
            let tail = read_tail(dir, TileKind::Hashes(level), checkpoint.size)?;
            frontier.extend(subtrees(&tail));
            if !tail.is_empty() || !state.tails.is_empty() {
                state.tails.push(tail);
            }
        }
        state.tails.reverse();
        state.entries = read_tail(dir, TileKind::Entries, checkpoint.size)?;
        let leaves: Vec<Hash> = state.entries.iter().map(leaf_hash).collect();
        if leaves != state.tails.first().cloned().unwrap_or_default() {
            return Err(PublishError::Tile(dir.join("tile/entries")));
        }
        state.tree = Tree::from_frontier(checkpoint.size, frontier)
            .ok()
            .filter(|tree| tree.root() == checkpoint.root)
            .ok_or_else(|| PublishError::Tile(dir.join("tile")))?;
        Ok(state)
    }

    /// Adds an entry and writes the tiles that it fills.
    fn add(&mut self, entry: &Hash, out: &Out<'_>) -> Result<(), PublishError> {
        let mut index = self.tree.append(entry) / 256;
        self.entries.push(*entry);
        if self.entries.len() == usize::from(WIDTH) {
            out.write(TilePath::full(TileKind::Entries, index), &self.entries)?;
            self.entries.clear();
        }
        let mut hash = leaf_hash(entry);
        for level in 0..=TOP_LEVEL {
            let at = usize::from(level);
            if self.tails.len() == at {
                self.tails.push(Vec::new());
            }
            let Some(tail) = self.tails.get_mut(at) else { break };
            tail.push(hash);
            if tail.len() < usize::from(WIDTH) {
                break;
            }
            hash = complete(tail);
            out.write(TilePath::full(TileKind::Hashes(level), index), tail)?;
            tail.clear();
            index /= 256;
        }
        Ok(())
    }

    /// Writes the partial tiles that have changed since the tree had `before` entries.
    fn write_partials(&self, before: u64, out: &Out<'_>) -> Result<(), PublishError> {
        let size = self.tree.size();
        for kind in TileKind::all() {
            let path = TilePath::at_size(kind, kind.full_tiles(size), size);
            if let Some(path) = path.filter(|_| kind.items(before) != kind.items(size)) {
                out.write(path, self.tail(kind))?;
            }
        }
        Ok(())
    }

    /// The items of the unfinished tile of a kind.
    fn tail(&self, kind: TileKind) -> &[Hash] {
        match kind {
            TileKind::Entries => &self.entries,
            TileKind::Hashes(level) => self.tails.get(usize::from(level)).map(Vec::as_slice).unwrap_or_default(),
        }
    }
}

/// Where tiles go: `<dir>/tile`, or beside it while they are rebuilt.
struct Out<'a> {
    dir: &'a Path,
    tile: &'a str,
}

impl Out<'_> {
    fn write(&self, path: TilePath, items: &[Hash]) -> Result<(), PublishError> {
        let text = path.to_string();
        let place = self.dir.join(self.tile).join(text.strip_prefix("tile/").unwrap_or(&text));
        write_file(&place, &tile::encode(path.kind(), items), path.is_full())
    }
}

/// The complete subtrees of a tile that is not full, largest first.
fn subtrees(mut tail: &[Hash]) -> Vec<Hash> {
    let mut found = Vec::new();
    for bit in (0..8_u32).rev() {
        let width = 1_usize.checked_shl(bit).unwrap_or(0);
        if tail.len() & width != 0
            && let Some((left, right)) = tail.split_at_checked(width)
        {
            found.push(complete(left));
            tail = right;
        }
    }
    found
}

/// The items of the unfinished tile of a kind; those of the full tile if that already stands in its place.
fn read_tail(dir: &Path, kind: TileKind, size: u64) -> Result<Vec<Hash>, PublishError> {
    let Some(path) = TilePath::at_size(kind, kind.full_tiles(size), size) else { return Ok(Vec::new()) };
    let place = dir.join(path.to_string());
    let bytes = match fs::read(&place) {
        Err(e) if e.kind() == io::ErrorKind::NotFound => fs::read(dir.join(path.to_full().to_string())),
        other => other,
    };
    let bytes = match bytes {
        Err(e) if e.kind() == io::ErrorKind::NotFound => return Err(PublishError::Tile(place)),
        other => other.map_err(io_at(&place))?,
    };
    match tile::parse(kind, &bytes).ok().as_deref().and_then(|items| items.get(..usize::from(path.width()))) {
        Some(items) => Ok(items.to_vec()),
        None => Err(PublishError::Tile(place)),
    }
}

fn read_checkpoint(dir: &Path, key: &VerifierKey) -> Result<Option<Checkpoint>, PublishError> {
    let path = dir.join("checkpoint");
    match fs::read(&path) {
        Ok(note) => Ok(Some(Checkpoint::open(&note, key)?)),
        Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(e) => Err(io_at(&path)(e)),
    }
}

/// Writes a file by renaming a finished one into its place; `durable`: it is on disk when this returns.
fn write_file(path: &Path, bytes: &[u8], durable: bool) -> Result<(), PublishError> {
    let Some(dir) = path.parent() else { return Ok(()) };
    let new = path.with_added_extension("new");
    let write = || {
        let mut file = match File::create(&new) {
            Err(e) if e.kind() == io::ErrorKind::NotFound => {
                fs::create_dir_all(dir)?;
                File::create(&new)?
            }
            other => other?,
        };
        file.write_all(bytes)?;
        if durable {
            file.sync_all()?;
        }
        drop(file);
        fs::rename(&new, path)?;
        if durable { File::open(dir)?.sync_all() } else { Ok(()) }
    };
    write().map_err(io_at(path))
}

fn remove_dir(path: &Path) -> Result<(), PublishError> {
    match fs::remove_dir_all(path) {
        Err(e) if e.kind() != io::ErrorKind::NotFound => Err(io_at(path)(e)),
        _ => Ok(()),
    }
}

fn io_at(path: &Path) -> impl FnOnce(io::Error) -> PublishError {
    let path = path.to_owned();
    move |source| PublishError::Io { path, source }
}

#[cfg(test)]
mod tests;
