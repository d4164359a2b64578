//! Key versions that were read and opened, bounded, never older than the last commit.
//!
//! A reader notes the shard's epoch before it reads the store and may insert only if no commit has touched the shard
//! since; a commit bumps the epoch and drops what it touched under the same lock. So nothing read before a commit can
//! be found after it.

use keystead_model::Version;
use quick_cache::unsync::Cache;
use std::sync::{Mutex, MutexGuard, PoisonError};

const SHARDS: usize = 64;

/// What names an entry: the key's lookup tag, and the version that was asked for (`None`: the newest).
type Id = ([u8; 32], Option<Version>);

struct Shard<V> {
    epoch: u64,
    entries: Cache<Id, V>,
    /// Which versions of a tag are present, so that a commit can drop them all.
    present: std::collections::HashMap<[u8; 32], Vec<Option<Version>>>,
}

/// A bounded cache of `V` by key and version.
pub(crate) struct KeyCache<V> {
    shards: Vec<Mutex<Shard<V>>>,
}

/// The epoch a reader saw before it read the store.
#[derive(Clone, Copy)]
pub(crate) struct Seen(u64);

impl<V: Clone> KeyCache<V> {
    pub(crate) fn new(capacity: usize) -> Self {
        let each = capacity.div_ceil(SHARDS).max(1);
        let shard = || Shard { epoch: 0, entries: Cache::new(each), present: std::collections::HashMap::new() };
        Self { shards: (0..SHARDS).map(|_| Mutex::new(shard())).collect() }
    }

    fn shard(&self, tag: &[u8; 32]) -> Option<MutexGuard<'_, Shard<V>>> {
        let at = usize::from(tag[0]) % SHARDS;
        self.shards.get(at).map(|s| s.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// The entry, or the epoch to bring back when inserting.
    pub(crate) fn get(&self, tag: &[u8; 32], version: Option<Version>) -> Result<V, Seen> {
        match self.shard(tag) {
            Some(s) => match s.entries.get(&(*tag, version)) {
                Some(v) => Ok(v.clone()),
                None => Err(Seen(s.epoch)),
            },
            None => Err(Seen(0)),
        }
    }

    /// Inserts what was read after `seen`, unless a commit touched the shard since.
    pub(crate) fn insert(&self, seen: Seen, tag: [u8; 32], version: Option<Version>, value: V) {
        let Some(mut s) = self.shard(&tag) else { return };
        if s.epoch == seen.0 {
            s.entries.insert((tag, version), value);
            let shard = &mut *s;
            let entries = &shard.entries;
            let list = shard.present.entry(tag).or_default();
            list.retain(|v| *v != version && entries.peek(&(tag, *v)).is_some());
            list.push(version);
            if shard.present.len() > shard.entries.len().saturating_mul(2).saturating_add(16) {
                shard.present.retain(|t, vs| vs.iter().any(|v| entries.peek(&(*t, *v)).is_some()));
            }
        }
    }

    /// How many entries are held.
    pub(crate) fn len(&self) -> usize {
        let held = |s: &Mutex<Shard<V>>| s.lock().unwrap_or_else(PoisonError::into_inner).entries.len();
        self.shards.iter().map(held).fold(0, usize::saturating_add)
    }

    /// Drops everything of a key: called after its commit, before its answer.
    pub(crate) fn forget(&self, tag: &[u8; 32]) {
        let Some(mut s) = self.shard(tag) else { return };
        s.epoch = s.epoch.wrapping_add(1);
        for version in s.present.remove(tag).unwrap_or_default() {
            s.entries.remove(&(*tag, version));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TAG: [u8; 32] = [7; 32];

    #[test]
    fn what_was_read_before_a_commit_is_not_kept_after_it() {
        let cache = KeyCache::new(100);
        let Err(seen) = cache.get(&TAG, None) else { panic!("empty") };
        cache.forget(&TAG);
        cache.insert(seen, TAG, None, "old");
        assert!(cache.get(&TAG, None).is_err());
    }

    #[test]
    fn a_commit_drops_every_version_of_the_key_and_nothing_else() {
        let cache = KeyCache::new(100);
        let version = Some(Version::from_bytes([1; 16]));
        let mut other = TAG;
        other[31] = 8;
        for (tag, v) in [(TAG, None), (TAG, version), (other, None)] {
            let Err(seen) = cache.get(&tag, v) else { panic!("empty") };
            cache.insert(seen, tag, v, "value");
        }
        cache.forget(&TAG);
        assert!(cache.get(&TAG, None).is_err() && cache.get(&TAG, version).is_err());
        assert!(cache.get(&other, None).is_ok());
    }

    #[test]
    fn it_is_bounded() {
        let cache = KeyCache::new(64);
        for i in 0..10_000u32 {
            let mut tag = [0; 32];
            tag[..4].copy_from_slice(&i.to_be_bytes());
            tag[0] = (i % 256) as u8;
            let Err(seen) = cache.get(&tag, None) else { continue };
            cache.insert(seen, tag, None, i);
        }
        let held: usize = cache.shards.iter().map(|s| s.lock().unwrap().present.len()).sum();
        assert!(held <= 64 * 18 * 2, "{held}");
    }
}
