//! AES-GCM uses of a key version, reserved in blocks in its row (NIST SP 800-38D, section 8.3: at most 2^32 random
//! nonces under one key). A crash or a seal forfeits the rest of a block.

use keystead_model::Version;
use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, PoisonError, RwLock};
use tokio::sync::{Mutex, OwnedMutexGuard};

/// Uses reserved at a time.
pub(crate) const BLOCK: u64 = 1 << 20;
/// A version refuses to encrypt from here on.
pub(crate) const LIMIT: u64 = 1 << 32;
/// A warning is logged from here on.
pub(crate) const WARNING: u64 = 1 << 31;

/// What is left of the reserved blocks, per version.
#[derive(Default)]
pub(crate) struct Uses {
    left: RwLock<HashMap<Version, Arc<Left>>>,
}

#[derive(Default)]
struct Left {
    uses: AtomicU64,
    reserving: Arc<Mutex<()>>,
}

impl Uses {
    /// Takes one use of what is reserved; false if nothing is left.
    pub(crate) fn take(&self, version: Version) -> bool {
        let map = self.left.read().unwrap_or_else(PoisonError::into_inner);
        map.get(&version).is_some_and(|left| {
            left.uses.fetch_update(Ordering::AcqRel, Ordering::Acquire, |n| n.checked_sub(1)).is_ok()
        })
    }

    /// Waits for the turn to reserve a block. Held until the block is added, so that of many who find nothing left one
    /// reserves and the others use what it reserved.
    pub(crate) async fn turn(&self, version: Version) -> OwnedMutexGuard<()> {
        let reserving = Arc::clone(&self.entry(version).reserving);
        reserving.lock_owned().await
    }

    /// Adds a block that was committed.
    pub(crate) fn add(&self, version: Version, uses: u64) {
        self.entry(version).uses.fetch_add(uses, Ordering::AcqRel);
    }

    /// A version that was purged has none.
    pub(crate) fn forget(&self, version: Version) {
        self.left.write().unwrap_or_else(PoisonError::into_inner).remove(&version);
    }

    fn entry(&self, version: Version) -> Arc<Left> {
        let mut map = self.left.write().unwrap_or_else(PoisonError::into_inner);
        Arc::clone(map.entry(version).or_default())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(flavor = "multi_thread")]
    async fn a_purged_key_leaves_nothing_behind_in_memory() {
        use crate::support::*;
        use crate::{DeleteKey, Encrypt, PurgeKey};
        use keystead_model::{CipherAlgorithm, KeySpec};

        let node = Node::new().await;
        let open = node.vault().open().unwrap();
        let entries = || open.uses.left.read().unwrap().len();
        for named in ["kept", "gone"] {
            let algorithm = CipherAlgorithm::A256Gcm;
            let encrypt =
                || Encrypt { key: key(named), algorithm, plaintext: vec![1].into(), iv: None, aad: Vec::new() };
            for _ in 0..2 {
                node.run(create(named, KeySpec::Oct256)).await.unwrap();
                assert!(node.run(encrypt()).await.is_ok());
            }
        }
        assert_eq!(entries(), 4);
        node.run(DeleteKey { name: name("gone") }).await.unwrap();
        assert_eq!(entries(), 4, "it can be recovered");
        node.run(PurgeKey { name: name("gone") }).await.unwrap();
        assert_eq!(entries(), 2);
    }

    #[test]
    fn no_more_uses_are_taken_than_were_added() {
        let uses = Uses::default();
        let v = Version::from_bytes([1; 16]);
        assert!(!uses.take(v));
        uses.add(v, 1000);
        let taken: usize = std::thread::scope(|s| {
            let threads: Vec<_> = (0..4).map(|_| s.spawn(|| (0..1000).filter(|_| uses.take(v)).count())).collect();
            threads.into_iter().map(|t| t.join().unwrap()).sum()
        });
        assert_eq!(taken, 1000);
    }
}
