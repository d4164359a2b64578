//! Who was here lately: a map that stays within its bound whoever comes.

use std::collections::HashMap;
use std::hash::Hash;
use std::sync::Arc;

/// Two generations: whoever comes is in the young one; when that is full it becomes the old one, and of those that were
/// old only those at work are kept.
pub(super) struct Known<K, V> {
    young: HashMap<K, Arc<V>>,
    old: HashMap<K, Arc<V>>,
    most: usize,
    /// The size at which the young one is full: half, and those at work that were carried over.
    full: usize,
}

impl<K: Hash + Eq + Clone, V> Known<K, V> {
    /// Remembers about `most`, and those at work besides.
    pub(super) fn new(most: usize) -> Self {
        Self { young: HashMap::new(), old: HashMap::new(), most, full: half(most) }
    }

    /// What is known of this one; made if nothing is. Whoever holds what is returned is at work.
    pub(super) fn get(&mut self, key: &K, make: impl FnOnce() -> V) -> Arc<V> {
        if let Some(found) = self.young.get(key) {
            return Arc::clone(found);
        }
        let value = self.old.remove(key).unwrap_or_else(|| Arc::new(make()));
        if self.young.len() >= self.full {
            let mut kept = std::mem::replace(&mut self.old, std::mem::take(&mut self.young));
            kept.retain(|_, value| Arc::strong_count(value) > 1);
            self.full = half(self.most).saturating_add(kept.len());
            self.young = kept;
        }
        self.young.insert(key.clone(), Arc::clone(&value));
        value
    }

    #[cfg(test)]
    pub(super) fn len(&self) -> usize {
        self.young.len() + self.old.len()
    }
}

const fn half(most: usize) -> usize {
    let half = most / 2;
    if half == 0 { 1 } else { half }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_flood_of_distinct_callers_cannot_grow_it() {
        let mut known = Known::new(100);
        for n in 0..100_000 {
            known.get(&n, || n);
            assert!(known.len() <= 100, "{}", known.len());
        }
    }

    #[test]
    fn who_is_at_work_is_never_forgotten_and_who_came_lately_is_not_either() {
        let mut known = Known::new(10);
        let at_work: Vec<_> = (0..8).map(|n| known.get(&n, || n)).collect();
        known.get(&50, || 51);
        for n in 100..1000 {
            known.get(&n, || n);
            assert_eq!(*known.get(&50, || 0), 51, "it comes all the time");
        }
        for (n, held) in at_work.iter().enumerate() {
            assert!(Arc::ptr_eq(held, &known.get(&n, || 99)), "{n}");
        }
        assert!(known.len() <= 10 + 2 * at_work.len(), "{}", known.len());
        assert_eq!(*known.get(&100, || 7), 7, "who came long ago is forgotten");
    }
}
