//! One log while the journal is read: its tree grows record by record, and each tile is compared when it is complete.

use std::path::{Path, PathBuf};

use keystead_model::VaultId;

use super::finding::{Damage, Finding, NotVerified};
use super::published::{names, read};
use crate::tlog::tree::complete;
use crate::tlog::{Checkpoint, Hash, TileKind, TilePath, Tree, leaf_hash, tile};

/// A log under verification. Memory: one unfinished tile for each level.
pub(super) struct Log {
    vault: VaultId,
    dir: PathBuf,
    tree: Tree,
    /// The unfinished bundle, then the unfinished tile of each level.
    tails: Vec<(TileKind, Vec<Hash>)>,
    signed: Option<Checkpoint>,
    kept: Vec<Checkpoint>,
    /// Root at the size of the signed checkpoint, once it is reached.
    root: Option<Hash>,
    /// Sizes of kept checkpoints with another root.
    forks: Vec<u64>,
    bad_file: Option<Finding>,
}

impl Log {
    pub(super) fn new(vault: VaultId, dir: PathBuf, signed: Option<Checkpoint>, kept: Vec<Checkpoint>) -> Self {
        let tails = TileKind::all().map(|kind| (kind, Vec::new())).collect();
        let mut log =
            Self { vault, dir, tree: Tree::new(), tails, signed, kept, root: None, forks: Vec::new(), bad_file: None };
        log.compare_roots();
        log
    }

    pub(super) fn tree(&self) -> &Tree {
        &self.tree
    }

    pub(super) fn signed(&self) -> Option<&Checkpoint> {
        self.signed.as_ref()
    }

    pub(super) fn kept(&self) -> &[Checkpoint] {
        &self.kept
    }

    /// Whether the records lead to the root that the node signed. True without a checkpoint.
    pub(super) fn is_as_signed(&self) -> bool {
        self.signed.as_ref().is_none_or(|signed| self.root == Some(signed.root))
    }

    /// Whether fewer records were found than the node signed.
    pub(super) fn is_short(&self) -> bool {
        self.signed.as_ref().is_some_and(|signed| self.tree.size() < signed.size)
    }

    /// The first file that does not belong to the records.
    pub(super) fn bad_file(&self) -> Option<&Finding> {
        self.bad_file.as_ref()
    }

    /// The first kept checkpoint that the records contradict.
    pub(super) fn against_kept(&self) -> Option<Finding> {
        let size = self.signed.as_ref().map_or(self.tree.size(), |c| c.size.max(self.tree.size()));
        let fork = self.forks.first().map(|size| Damage::Forked { size: *size });
        let newer = self.kept.iter().find(|kept| kept.size > size);
        let back = newer.map(|kept| Damage::RolledBack { log: self.vault, kept: kept.size, found: size });
        fork.or(back).map(|damage| Finding::file(self.dir.join("checkpoint"), damage))
    }

    /// Adds the next record's entry.
    pub(super) fn add(&mut self, entry: &Hash) -> Result<(), NotVerified> {
        self.tree.append(entry);
        self.compare_roots();
        self.fill(TileKind::Entries, *entry)?;
        let mut hash = leaf_hash(entry);
        for level in 0..=tile::TOP_LEVEL {
            match self.fill(TileKind::Hashes(level), hash)? {
                Some(above) => hash = above,
                None => break,
            }
        }
        Ok(())
    }

    /// After the last record: compares the tiles that are not full.
    pub(super) fn finish(&mut self) -> Result<(), NotVerified> {
        for (kind, items) in std::mem::take(&mut self.tails) {
            let index = kind.full_tiles(self.tree.size());
            if !items.is_empty() {
                self.compare(TilePath::full(kind, index), &items)?;
            }
        }
        Ok(())
    }

    fn compare_roots(&mut self) {
        let size = self.tree.size();
        let wanted = |c: &&Checkpoint| c.size == size;
        if self.signed.iter().chain(&self.kept).any(|c| c.size == size) {
            let root = self.tree.root();
            if self.signed.as_ref().filter(wanted).is_some() {
                self.root = Some(root);
            }
            let others = self.kept.iter().filter(wanted).filter(|c| c.root != root);
            self.forks.extend(others.map(|c| c.size));
        }
    }

    /// Adds an item to the unfinished tile of its kind; the hash of the tile if that made it full.
    fn fill(&mut self, kind: TileKind, item: Hash) -> Result<Option<Hash>, NotVerified> {
        let Some((_, tail)) = self.tails.iter_mut().find(|(k, _)| *k == kind) else { return Ok(None) };
        tail.push(item);
        if tail.len() < usize::from(tile::WIDTH) {
            return Ok(None);
        }
        let items = std::mem::take(tail);
        let index = kind.full_tiles(self.tree.size()).saturating_sub(1);
        self.compare(TilePath::full(kind, index), &items)?;
        Ok(Some(complete(&items)))
    }

    /// Compares every file at the place of a tile with what the records make of it.
    fn compare(&mut self, path: TilePath, items: &[Hash]) -> Result<(), NotVerified> {
        if self.bad_file.is_some() {
            return Ok(());
        }
        let size = self.signed.as_ref().map_or(0, |c| c.size);
        let needed = TilePath::at_size(path.kind(), path.index(), size);
        let mut widest = 0;
        for at in self.files_at(path)? {
            let file = self.dir.join(at.to_string());
            // A partial tile may go while we look, once the full one stands.
            let Some(bytes) = read(&file)? else { continue };
            widest = widest.max(at.width());
            // A tile that is ahead of the records we read holds more: its beginning is compared.
            let known = items.get(..usize::from(at.width())).unwrap_or(items);
            let expected = tile::encode(path.kind(), known);
            let whole = tile::parse(path.kind(), &bytes).is_ok_and(|found| found.len() == usize::from(at.width()));
            if !whole || !bytes.starts_with(&expected) {
                let twin = (known.len() == usize::from(at.width())).then(|| self.twin(&file, &expected)).flatten();
                let damage = twin.map_or(Damage::Altered, |with| Damage::Swapped { with });
                self.bad_file = Some(Finding::file(file, damage));
                return Ok(());
            }
        }
        if let Some(needed) = needed.filter(|needed| widest < needed.width()) {
            self.bad_file = Some(Finding::file(self.dir.join(needed.to_string()), Damage::Removed));
        }
        Ok(())
    }

    /// The tiles that stand at a place: partial ones, then the full one.
    fn files_at(&self, path: TilePath) -> Result<Vec<TilePath>, NotVerified> {
        let widths = names(&self.dir.join(path.partials()))?;
        let partial = widths.iter().filter_map(|w| format!("{}/{w}", path.partials()).parse().ok());
        Ok(partial.chain([path]).collect())
    }

    /// Another tile of any log of the node that holds exactly these bytes.
    fn twin(&self, file: &Path, bytes: &[u8]) -> Option<PathBuf> {
        let mut todo = vec![self.dir.parent()?.to_owned()];
        while let Some(dir) = todo.pop() {
            for name in names(&dir).ok()? {
                let path = dir.join(name);
                if path.is_dir() {
                    todo.push(path);
                } else if path != file && read(&path).ok().flatten().as_deref() == Some(bytes) {
                    return Some(path);
                }
            }
        }
        None
    }
}
