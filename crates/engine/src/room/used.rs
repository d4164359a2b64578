//! The key versions a command used, looked at again before it is answered: one that was disabled, deleted or purged
//! meanwhile gives nothing out any more.

use super::{KeyVersion, Room};
use crate::error::Refusal;
use crate::lifecycle;
use keystead_model::{KeyOperation, KeyRef, Version};
use std::sync::{Arc, PoisonError};

/// A use of a key version.
pub(crate) struct Used {
    version: Arc<KeyVersion>,
    /// As it was asked for; `None`: the newest.
    asked: Option<Version>,
    op: KeyOperation,
}

impl Room<'_> {
    /// A version of a live key whose life cycle allows the operation now. Every use of a key begins here.
    pub(crate) async fn usable_version(&self, key: &KeyRef, op: KeyOperation) -> Result<Arc<KeyVersion>, Refusal> {
        let version = self.version(key).await?;
        lifecycle::usable(&version.record, op, self.at.now)?;
        let used = Used { version: Arc::clone(&version), asked: key.version, op };
        self.used.lock().unwrap_or_else(PoisonError::into_inner).push(used);
        Ok(version)
    }

    /// What was used so far.
    pub(crate) fn take_used(&self) -> Vec<Used> {
        std::mem::take(&mut self.used.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Whether what was used may still be used. Costs no read where nothing of the key was changed.
    pub(crate) async fn still_usable(&self, used: &[Used]) -> Result<(), Refusal> {
        for one in used {
            // A commit drops what it touched before it is answered, so what is still there was not touched.
            let same = |now: Arc<KeyVersion>| Arc::ptr_eq(&now, &one.version);
            if self.open.keys.get(&one.version.tag, one.asked).is_ok_and(same) {
                continue;
            }
            let KeyVersion { name, version, id, .. } = &*one.version;
            let missing = || Refusal::KeyNotFound { name: name.clone(), version: one.asked };
            let now = match self.version(&KeyRef { name: name.clone(), version: Some(*version) }).await {
                Err(Refusal::KeyNotFound { .. }) => return Err(missing()),
                found => found?,
            };
            if now.id != *id {
                return Err(missing());
            }
            lifecycle::usable(&now.record, one.op, self.at.now)?;
        }
        Ok(())
    }
}
