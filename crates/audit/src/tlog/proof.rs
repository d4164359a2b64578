//! Proofs of RFC 6962 (2.1.1, 2.1.2; RFC 9162, 2.1.3.2 and 2.1.4.2): computed from tiles, verified without them.
//!
//! First the plan, then the computation, so that tiles can come from a disk or over any network:
//!
//! ```
//! # use keystead_audit::tlog::{Hash, NoProof, Tiles, proof};
//! fn prove(index: u64, size: u64, fetch: impl Fn(&str) -> Vec<u8>) -> Result<Vec<Hash>, NoProof> {
//!     let mut tiles = Tiles::new();
//!     for path in proof::inclusion_tiles(index, size) {
//!         tiles.put(path, fetch(&path.to_string()));
//!     }
//!     proof::inclusion(index, size, &tiles)
//! }
//! ```

use std::collections::{BTreeMap, BTreeSet};

use super::tile::{self, TileKind, TilePath};
use super::tree::{complete, fold};
use super::{Hash, node_hash};

/// Why a proof could not be computed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum NoProof {
    /// The entry is not in a tree of this size, or the older tree is larger than the newer.
    #[error("the tree does not reach that far: take a newer checkpoint")]
    OutOfRange,
    /// A tile of the plan was not given, or is narrower than the tree makes it.
    #[error("{0} is missing or too narrow: fetch it, or the full tile in its place")]
    Missing(TilePath),
    /// A tile is not made of whole hashes.
    #[error("{0} is damaged: fetch it again")]
    Damaged(TilePath),
}

/// A proof that does not prove it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the proof does not lead to the root: the log was altered or the proof belongs to something else")]
pub struct BadProof;

/// Hash tiles at hand. A full or wider tile serves where a narrower one is asked for: servers remove partial tiles once
/// the full one stands.
#[derive(Debug, Clone, Default)]
pub struct Tiles {
    held: BTreeMap<(TileKind, u64), (TilePath, Vec<u8>)>,
}

impl Tiles {
    /// None yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds the bytes found at a path. The wider of two for one place is kept.
    pub fn put(&mut self, path: TilePath, bytes: Vec<u8>) {
        let held = self.held.entry((path.kind(), path.index())).or_insert_with(|| (path, Vec::new()));
        if bytes.len() >= held.1.len() {
            *held = (path, bytes);
        }
    }

    fn hash(&self, subtree: Subtree, size: u64) -> Result<Hash, NoProof> {
        let (path, from, count) = subtree.place(size).ok_or(NoProof::OutOfRange)?;
        let (_, bytes) = self.held.get(&(path.kind(), path.index())).ok_or(NoProof::Missing(path))?;
        let hashes = tile::parse_hashes(bytes).map_err(|_| NoProof::Damaged(path))?;
        let within = hashes.get(from..from.saturating_add(count)).ok_or(NoProof::Missing(path))?;
        Ok(complete(within))
    }

    fn range(&self, range: Range, size: u64) -> Result<Hash, NoProof> {
        let hashes: Result<Vec<Hash>, NoProof> = range.subtrees().map(|s| self.hash(s, size)).collect();
        Ok(fold(&hashes?))
    }
}

/// The tiles that an inclusion proof of entry `index` in a tree of `size` entries needs. None if it is not in it.
pub fn inclusion_tiles(index: u64, size: u64) -> Vec<TilePath> {
    tiles_of(&inclusion_ranges(index, size).unwrap_or_default(), size)
}

/// The inclusion proof of entry `index` in the tree of `size` entries: sibling hashes, from the leaf upwards.
pub fn inclusion(index: u64, size: u64, tiles: &Tiles) -> Result<Vec<Hash>, NoProof> {
    let ranges = inclusion_ranges(index, size).ok_or(NoProof::OutOfRange)?;
    ranges.into_iter().map(|r| tiles.range(r, size)).collect()
}

/// The tiles that a consistency proof between trees of `old` and `new` entries needs. None if `old` is the larger.
pub fn consistency_tiles(old: u64, new: u64) -> Vec<TilePath> {
    tiles_of(&consistency_ranges(old, new).unwrap_or_default(), new)
}

/// The proof that the tree of `new` entries begins with the tree of `old` entries. Empty for `old` 0 and for equals.
pub fn consistency(old: u64, new: u64, tiles: &Tiles) -> Result<Vec<Hash>, NoProof> {
    let ranges = consistency_ranges(old, new).ok_or(NoProof::OutOfRange)?;
    ranges.into_iter().map(|r| tiles.range(r, new)).collect()
}

/// The tiles that the root of a tree of `size` entries needs.
pub fn root_tiles(size: u64) -> Vec<TilePath> {
    tiles_of(&[Range { from: 0, to: size }], size)
}

/// The root of the tree of `size` entries, from its tiles.
pub fn root(size: u64, tiles: &Tiles) -> Result<Hash, NoProof> {
    tiles.range(Range { from: 0, to: size }, size)
}

/// Checks that the entry with this leaf hash has the place `index` in the tree of `size` entries with this root.
pub fn verify_inclusion(index: u64, size: u64, leaf: &Hash, proof: &[Hash], root: &Hash) -> Result<(), BadProof> {
    if index >= size {
        return Err(BadProof);
    }
    let (mut node, mut last, mut hash) = (index, size.wrapping_sub(1), *leaf);
    for sibling in proof {
        if last == 0 {
            return Err(BadProof);
        }
        if node & 1 == 1 || node == last {
            hash = node_hash(sibling, &hash);
            let up = if node & 1 == 1 { 0 } else { node.trailing_zeros().min(63) };
            (node, last) = (shr(node, up), shr(last, up));
        } else {
            hash = node_hash(&hash, sibling);
        }
        (node, last) = (node >> 1, last >> 1);
    }
    if last == 0 && hash == *root { Ok(()) } else { Err(BadProof) }
}

/// Checks that the tree of `new` entries begins with the tree of `old` entries.
pub fn verify_consistency(
    old: u64,
    new: u64,
    old_root: &Hash,
    new_root: &Hash,
    proof: &[Hash],
) -> Result<(), BadProof> {
    if old > new {
        return Err(BadProof);
    }
    if old == new || old == 0 {
        let same = if old == 0 { *old_root == super::EMPTY_ROOT } else { old_root == new_root };
        return if same && proof.is_empty() { Ok(()) } else { Err(BadProof) };
    }
    let mut path = proof.iter();
    // A complete old tree is a node of the new one: its root is where the proof starts.
    let start = if old.is_power_of_two() { old_root } else { path.next().ok_or(BadProof)? };
    let (mut node, mut last) = (old.wrapping_sub(1), new.wrapping_sub(1));
    let up = node.trailing_ones().min(63);
    (node, last) = (shr(node, up), shr(last, up));
    let (mut to_old, mut to_new) = (*start, *start);
    for sibling in path {
        if last == 0 {
            return Err(BadProof);
        }
        if node & 1 == 1 || node == last {
            (to_old, to_new) = (node_hash(sibling, &to_old), node_hash(sibling, &to_new));
            let up = if node & 1 == 1 { 0 } else { node.trailing_zeros().min(63) };
            (node, last) = (shr(node, up), shr(last, up));
        } else {
            to_new = node_hash(&to_new, sibling);
        }
        (node, last) = (node >> 1, last >> 1);
    }
    if last == 0 && to_old == *old_root && to_new == *new_root { Ok(()) } else { Err(BadProof) }
}

/// Entries `from..to`, a node of the tree: `from` is a multiple of the next power of two of its length.
#[derive(Debug, Clone, Copy)]
struct Range {
    from: u64,
    to: u64,
}

/// The complete subtree of entries `index << level .. (index + 1) << level`.
#[derive(Debug, Clone, Copy)]
struct Subtree {
    level: u32,
    index: u64,
}

impl Range {
    /// The complete subtrees that make the node, largest first.
    fn subtrees(self) -> impl Iterator<Item = Subtree> {
        let mut from = self.from;
        let len = self.to.saturating_sub(self.from);
        (0..64_u32).rev().filter(move |level| shr(len, *level) & 1 == 1).map(move |level| {
            let subtree = Subtree { level, index: shr(from, level) };
            from = from.saturating_add(1_u64.checked_shl(level).unwrap_or(0));
            subtree
        })
    }

    /// Its left and right child; `None` for a leaf.
    fn split(self) -> Option<(Self, Self)> {
        let len = self.to.saturating_sub(self.from);
        // The largest power of two below the length.
        let last = len.checked_sub(1).filter(|n| *n > 0)?;
        let half = 1_u64.checked_shl(last.ilog2())?;
        let middle = self.from.saturating_add(half);
        Some((Self { to: middle, ..self }, Self { from: middle, ..self }))
    }
}

impl Subtree {
    /// The tile that holds it in a tree of `size` entries, and which of its hashes make it.
    fn place(self, size: u64) -> Option<(TilePath, usize, usize)> {
        let kind = TileKind::Hashes(u8::try_from(self.level / 8).ok()?);
        let within = self.level % 8;
        let first = self.index.checked_shl(within)?;
        let path = TilePath::at_size(kind, first / 256, size)?;
        let from = usize::try_from(first % 256).ok()?;
        Some((path, from, 1_usize.checked_shl(within)?))
    }
}

fn tiles_of(ranges: &[Range], size: u64) -> Vec<TilePath> {
    let subtrees = ranges.iter().flat_map(|r| r.subtrees());
    let paths: BTreeSet<TilePath> = subtrees.filter_map(|s| s.place(size)).map(|(path, ..)| path).collect();
    paths.into_iter().collect()
}

/// The nodes of PATH(index, D[size]), from the leaf upwards.
fn inclusion_ranges(index: u64, size: u64) -> Option<Vec<Range>> {
    if index >= size {
        return None;
    }
    let mut ranges = Vec::new();
    let mut at = Range { from: 0, to: size };
    while let Some((left, right)) = at.split() {
        let (down, sibling) = if index < left.to { (left, right) } else { (right, left) };
        ranges.push(sibling);
        at = down;
    }
    ranges.reverse();
    Some(ranges)
}

/// The nodes of PROOF(old, D[new]), in the order of the RFC.
fn consistency_ranges(old: u64, new: u64) -> Option<Vec<Range>> {
    if old > new {
        return None;
    }
    if old == 0 || old == new {
        return Some(Vec::new());
    }
    let mut ranges = Vec::new();
    let mut at = Range { from: 0, to: new };
    while at.to != old {
        let (left, right) = at.split()?;
        let (down, sibling) = if old <= left.to { (left, right) } else { (right, left) };
        ranges.push(sibling);
        at = down;
    }
    if at.from > 0 {
        ranges.push(at);
    }
    ranges.reverse();
    Some(ranges)
}

fn shr(n: u64, by: u32) -> u64 {
    n.checked_shr(by).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::super::{EMPTY_ROOT, Tree, leaf_hash};
    use super::*;
    use proptest::prelude::*;

    fn entry(i: u64) -> Hash {
        keystead_crypto::sha256(&[&i.to_be_bytes()])
    }

    /// A log in memory: its roots by size, and its tiles.
    struct Log {
        roots: Vec<Hash>,
        levels: Vec<Vec<Hash>>,
    }

    impl Log {
        fn new(size: u64) -> Self {
            let mut tree = Tree::new();
            let mut roots = vec![EMPTY_ROOT];
            for i in 0..size {
                tree.append(&entry(i));
                roots.push(tree.root());
            }
            let mut levels = vec![(0..size).map(|i| leaf_hash(&entry(i))).collect::<Vec<_>>()];
            while levels.last().unwrap().len() >= 256 {
                levels.push(levels.last().unwrap().chunks_exact(256).map(complete).collect());
            }
            Self { roots, levels }
        }

        fn tiles(&self, paths: Vec<TilePath>) -> Tiles {
            let mut tiles = Tiles::new();
            for path in paths {
                let TileKind::Hashes(level) = path.kind() else { panic!("a proof needs no entries") };
                let from = path.index() as usize * 256;
                let hashes = &self.levels[usize::from(level)][from..from + usize::from(path.width())];
                tiles.put(path, tile::encode_hashes(hashes));
            }
            tiles
        }

        fn inclusion(&self, index: u64, size: u64) -> Vec<Hash> {
            inclusion(index, size, &self.tiles(inclusion_tiles(index, size))).unwrap()
        }

        fn consistency(&self, old: u64, new: u64) -> Vec<Hash> {
            consistency(old, new, &self.tiles(consistency_tiles(old, new))).unwrap()
        }

        fn root(&self, size: u64) -> &Hash {
            &self.roots[size as usize]
        }
    }

    #[test]
    fn every_record_of_every_size_is_proven_to_stand_in_its_place_and_in_no_other() {
        let log = Log::new(300);
        for size in (1..80).chain([127, 128, 129, 254, 255, 256, 257, 258, 259, 299, 300]) {
            for index in 0..size {
                let proof = log.inclusion(index, size);
                let leaf = leaf_hash(&entry(index));
                assert_eq!(verify_inclusion(index, size, &leaf, &proof, log.root(size)), Ok(()), "{index} of {size}");
                for other in [index.wrapping_sub(1), index + 1, index ^ 2, size] {
                    assert!(verify_inclusion(other, size, &leaf, &proof, log.root(size)).is_err(), "{other} of {size}");
                }
            }
        }
    }

    #[test]
    fn every_two_sizes_are_proven_consistent() {
        let log = Log::new(520);
        for new in (0..70).chain([127, 128, 129, 255, 256, 257, 300, 511, 512, 513, 520]) {
            for old in 0..=new {
                let proof = log.consistency(old, new);
                let ok = verify_consistency(old, new, log.root(old), log.root(new), &proof);
                assert_eq!(ok, Ok(()), "{old} to {new}");
            }
        }
    }

    #[test]
    fn the_root_is_computed_from_tiles_at_every_level() {
        let log = Log::new(66_000);
        for size in [0, 1, 255, 256, 257, 511, 4_096, 65_535, 65_536, 65_537, 65_793, 66_000] {
            assert_eq!(root(size, &log.tiles(root_tiles(size))).as_ref(), Ok(log.root(size)), "{size}");
        }
        for (index, size) in [(0, 66_000), (65_535, 65_536), (65_536, 65_537), (65_999, 66_000), (300, 65_800)] {
            let proof = log.inclusion(index, size);
            assert_eq!(verify_inclusion(index, size, &leaf_hash(&entry(index)), &proof, log.root(size)), Ok(()));
            assert_eq!(
                verify_consistency(index, size, log.root(index), log.root(size), &log.consistency(index, size)),
                Ok(())
            );
        }
    }

    #[test]
    fn a_wider_tile_serves_where_a_partial_one_is_gone() {
        let log = Log::new(300);
        let mut tiles = Tiles::new();
        tiles.put(TilePath::full(TileKind::Hashes(0), 0), tile::encode_hashes(&log.levels[0][..256]));
        let proof = inclusion(3, 77, &tiles).unwrap();
        assert_eq!(verify_inclusion(3, 77, &leaf_hash(&entry(3)), &proof, log.root(77)), Ok(()));
    }

    #[test]
    fn a_missing_or_damaged_tile_is_named() {
        let path = TilePath::at_size(TileKind::Hashes(0), 0, 5).unwrap();
        assert_eq!(inclusion(0, 5, &Tiles::new()), Err(NoProof::Missing(path)));
        let mut tiles = Tiles::new();
        tiles.put(path, vec![0; 33]);
        assert_eq!(inclusion(0, 5, &tiles), Err(NoProof::Damaged(path)));
        tiles.put(path, vec![0; 64]);
        assert_eq!(inclusion(0, 5, &tiles), Err(NoProof::Missing(path)));
        assert_eq!(inclusion(5, 5, &tiles), Err(NoProof::OutOfRange));
        assert_eq!(consistency(6, 5, &tiles), Err(NoProof::OutOfRange));
    }

    proptest! {
        #[test]
        fn an_altered_inclusion_proof_fails(size in 1_u64..400, pick: u64, at: usize, bit in 0_usize..256) {
            let log = Log::new(size);
            let index = pick % size;
            let leaf = leaf_hash(&entry(index));
            let proof = log.inclusion(index, size);
            let flip = |hash: &Hash| { let mut h = *hash; h[bit / 8] ^= 1 << (bit % 8); h };
            prop_assert!(verify_inclusion(index, size, &leaf, &proof, log.root(size)).is_ok());
            prop_assert!(verify_inclusion(index, size, &flip(&leaf), &proof, log.root(size)).is_err());
            prop_assert!(verify_inclusion(index, size, &leaf, &proof, &flip(log.root(size))).is_err());
            let mut longer = proof.clone();
            longer.push([0; 32]);
            prop_assert!(verify_inclusion(index, size, &leaf, &longer, log.root(size)).is_err());
            if !proof.is_empty() {
                let mut other = proof.clone();
                let at = at % other.len();
                other[at] = flip(&other[at]);
                prop_assert!(verify_inclusion(index, size, &leaf, &other, log.root(size)).is_err());
                prop_assert!(verify_inclusion(index, size, &leaf, &proof[1..], log.root(size)).is_err());
            }
        }

        #[test]
        fn an_altered_consistency_proof_fails(new in 2_u64..400, pick: u64, at: usize, bit in 0_usize..256) {
            let log = Log::new(new);
            let old = 1 + pick % (new - 1);
            let proof = log.consistency(old, new);
            let flip = |hash: &Hash| { let mut h = *hash; h[bit / 8] ^= 1 << (bit % 8); h };
            let (a, b) = (log.root(old), log.root(new));
            prop_assert!(verify_consistency(old, new, a, b, &proof).is_ok());
            prop_assert!(verify_consistency(old, new, &flip(a), b, &proof).is_err());
            prop_assert!(verify_consistency(old, new, a, &flip(b), &proof).is_err());
            prop_assert!(verify_consistency(new, old, b, a, &proof).is_err());
            let mut other = proof.clone();
            let at = at % other.len();
            other[at] = flip(&other[at]);
            prop_assert!(verify_consistency(old, new, a, b, &other).is_err());
            prop_assert!(verify_consistency(old, new, a, b, &proof[1..]).is_err());
        }
    }
}
