//! Remove a deleted key for good.

use crate::commands::ask;
use crate::error::Refusal;
use crate::records::Work;
use crate::room::{KeyVersion, Room};
use crate::run::{Effect, Execute};
use crate::vault::Open;
use keystead_access::{Ask as _, Operation, Permit, Policy, Rule, Who};
use keystead_model::{Name, Target, Version};
use keystead_store::{Changes, Kind, RowKey};
use serde_json::json;

/// Removes a deleted key and all its versions. Older copies of the disk stay openable by whoever can open their root.
pub struct PurgeKey {
    /// Which key.
    pub name: Name,
}
ask!(PurgeKey, PurgeKey, |c| Target::Key(c.name.clone()));

impl Execute for PurgeKey {
    type Output = ();

    fn approval(&self, _: &Who, _: &Policy) -> Option<Operation> {
        Some(Operation::new(&[Rule::Purge], Self::ACTION, &self.target(), &json!({ "name": self.name.as_str() })))
    }

    async fn execute(permit: &Permit<Self>, room: &Room<'_>) -> Result<Effect<()>, Refusal> {
        let key = room.deleted(&permit.ask().name).await?;
        room.still_due(permit, &key, Work::Purge)?;
        if room.open().purge_protection && matches!(permit.who(), Who::Caller(_)) {
            return Err(Refusal::PurgeProtected);
        }
        let mut removes = vec![(key.at(), key.counter)];
        let versions = room.all_versions(&key, usize::MAX).await?;
        let at = |v: &KeyVersion| RowKey { kind: Kind::KeyVersion, lookup: v.tag, version: Some(v.version) };
        removes.extend(versions.iter().map(|v| (at(v), v.counter)));
        let changes = Changes { removes, ..Changes::default() };
        let purged: Vec<Version> = changes.removes.iter().filter_map(|(at, _)| at.version).collect();
        let forget = move |open: &Open, _| {
            for version in purged {
                open.uses.forget(version);
                open.purged.add(*version.as_bytes());
            }
        };
        Ok(Effect::change((), changes).about(key.id, None).after(forget))
    }
}
