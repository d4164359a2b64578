//! The growing Merkle tree of RFC 6962, as the hashes of its complete subtrees: at most 64 of them, largest first.

use super::{EMPTY_ROOT, Hash, leaf_hash, node_hash};

/// A frontier whose number of hashes does not fit its size.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a tree of {size} entries has {wanted} complete subtrees, not {found}: the frontier belongs to another size")]
pub struct BadFrontier {
    /// Entries the tree is said to have.
    pub size: u64,
    /// Complete subtrees a tree of that size has.
    pub wanted: usize,
    /// Hashes given.
    pub found: usize,
}

/// An append-only tree that remembers only its frontier.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Tree {
    size: u64,
    frontier: Vec<Hash>,
}

impl Tree {
    /// Without entries.
    pub fn new() -> Self {
        Self::default()
    }

    /// From the hashes of the complete subtrees, largest first: one for each bit set in `size`.
    pub fn from_frontier(size: u64, hashes: Vec<Hash>) -> Result<Self, BadFrontier> {
        let wanted = size.count_ones() as usize;
        if hashes.len() != wanted {
            return Err(BadFrontier { size, wanted, found: hashes.len() });
        }
        Ok(Self { size, frontier: hashes })
    }

    /// Adds one entry and returns its index, from 0.
    pub fn append(&mut self, entry: &Hash) -> u64 {
        self.append_leaf(leaf_hash(entry))
    }

    /// Entries so far.
    pub fn size(&self) -> u64 {
        self.size
    }

    /// The Merkle tree hash of all entries.
    pub fn root(&self) -> Hash {
        fold(&self.frontier)
    }

    /// The hashes of the complete subtrees, largest first.
    pub fn frontier(&self) -> &[Hash] {
        &self.frontier
    }

    /// Adds a leaf that is already hashed and returns its index.
    pub(crate) fn append_leaf(&mut self, leaf: Hash) -> u64 {
        let index = self.size;
        let mut hash = leaf;
        for _ in 0..index.trailing_ones() {
            if let Some(left) = self.frontier.pop() {
                hash = node_hash(&left, &hash);
            }
        }
        self.frontier.push(hash);
        self.size = index.wrapping_add(1);
        index
    }
}

/// The hash of a row of subtrees, larger to the left: how a root is made of complete subtrees.
pub(crate) fn fold(subtrees: &[Hash]) -> Hash {
    subtrees.iter().rev().copied().reduce(|right, left| node_hash(&left, &right)).unwrap_or(EMPTY_ROOT)
}

/// The root of a complete subtree from its hashes, whose number is a power of two.
pub(crate) fn complete(hashes: &[Hash]) -> Hash {
    let mut tree = Tree::new();
    for hash in hashes {
        tree.append_leaf(*hash);
    }
    tree.root()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// MTH as RFC 6962 2.1 writes it.
    fn mth(leaves: &[Hash]) -> Hash {
        match leaves {
            [] => EMPTY_ROOT,
            [one] => leaf_hash(one),
            more => {
                let k = more.len().next_power_of_two() / 2;
                node_hash(&mth(&more[..k]), &mth(&more[k..]))
            }
        }
    }

    fn entries(n: usize) -> Vec<Hash> {
        (0..n).map(|i| keystead_crypto::sha256(&[&i.to_be_bytes()])).collect()
    }

    #[test]
    fn the_root_is_the_merkle_tree_hash_of_the_rfc_for_every_size() {
        let all = entries(600);
        let mut tree = Tree::new();
        assert_eq!(tree.root(), EMPTY_ROOT);
        for (i, entry) in all.iter().enumerate() {
            assert_eq!(tree.append(entry), i as u64);
            assert_eq!(tree.root(), mth(&all[..=i]), "size {}", i + 1);
        }
    }

    #[test]
    fn a_frontier_of_another_size_is_refused() {
        assert_eq!(Tree::from_frontier(5, vec![[0; 32]]), Err(BadFrontier { size: 5, wanted: 2, found: 1 }));
        assert!(Tree::from_frontier(0, vec![]).is_ok());
    }

    proptest! {
        #[test]
        fn a_tree_goes_on_from_its_frontier(n in 0_usize..400, more in 0_usize..100) {
            let all = entries(n + more);
            let mut whole = Tree::new();
            for e in &all[..n] {
                whole.append(e);
            }
            let mut resumed = Tree::from_frontier(whole.size(), whole.frontier().to_vec()).unwrap();
            for e in &all[n..] {
                whole.append(e);
                resumed.append(e);
            }
            prop_assert_eq!(whole.root(), mth(&all));
            prop_assert_eq!(resumed, whole);
        }
    }
}
