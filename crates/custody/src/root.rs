//! A generation of a vault's root.

use crate::secret::Secret;
use keystead_crypto::sealed::{Sealer, Usage};
use keystead_model::Generation;

/// The key above all of a vault's records, of one generation: 32 random bytes, in memory only while the vault is open,
/// cleared when dropped.
pub struct Root {
    key: Secret,
    generation: Generation,
}

impl Root {
    /// A new random root.
    pub fn generate(generation: Generation) -> Self {
        Self { key: Secret::random(), generation }
    }

    /// Which generation it is.
    pub fn generation(&self) -> Generation {
        self.generation
    }

    /// What seals and opens this generation's records of one usage.
    pub fn sealer(&self, usage: Usage) -> Sealer {
        Sealer::new(self.key(), usage, self.generation.0)
    }

    /// The same, which also opens what an earlier generation's sealer opens.
    pub fn sealer_after(&self, older: Sealer) -> Sealer {
        Sealer::after(older, self.key(), self.generation.0)
    }

    /// Whether both are the same key of the same generation; in constant time. How a wrap is proven.
    pub fn same_as(&self, other: &Self) -> bool {
        self.generation == other.generation && keystead_crypto::same(self.key(), other.key())
    }

    /// What came out of a wrap, if it has a root's length.
    pub(crate) fn from_opened(opened: &[u8], generation: Generation) -> Option<Self> {
        Some(Self { key: Secret::of(opened)?, generation })
    }

    /// For wrapping.
    pub(crate) fn key(&self) -> &[u8; 32] {
        self.key.bytes()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use keystead_crypto::sealed::{Binding, OpenFailed};

    #[test]
    fn a_generation_opens_its_own_records_and_names_others() {
        let place = Binding { vault: [1; 16], kind: 8, object: [2; 16], version: [0; 16], counter: 1 };
        let (first, second) = (Root::generate(Generation(1)), Root::generate(Generation(2)));
        let sealed = first.sealer(Usage::Records).seal(&place, b"", b"plain");
        assert!(first.sealer(Usage::Records).open(&place, b"", &sealed).is_ok());
        let refused = second.sealer(Usage::Records).open(&place, b"", &sealed);
        assert_eq!(refused.err(), Some(OpenFailed::Generation { found: 1, held: 2 }));
    }

    #[test]
    fn the_same_bytes_of_another_generation_are_another_root() {
        let root = Root::generate(Generation(1));
        assert!(Root::from_opened(root.key(), Generation(1)).is_some_and(|other| other.same_as(&root)));
        assert!(Root::from_opened(root.key(), Generation(2)).is_some_and(|other| !other.same_as(&root)));
        assert!(Root::from_opened(&[0; 31], Generation(1)).is_none());
        assert!(!Root::generate(Generation(1)).same_as(&root));
    }
}
