//! Remove a deleted key for good.

use super::as_it_is;
use crate::birth::singleton;
use crate::commands::ask;
use crate::error::Refusal;
use crate::records::{PurgedRecord, Work};
use crate::room::{Key, Place, Room};
use crate::run::{Effect, Execute};
use crate::vault::Open;
use keystead_access::{Ask as _, Operation, Permit, Policy, Rule, Who};
use keystead_model::{Name, Target, Version};
use keystead_store::{Changes, Kind, Row};
use serde_json::{Value, json};

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

    async fn found(&self, room: &Room<'_>) -> Result<Option<Value>, Refusal> {
        Ok(Some(as_it_is(&room.deleted(&self.name).await?)))
    }

    async fn execute(permit: &Permit<Self>, room: &Room<'_>) -> Result<Effect<()>, Refusal> {
        let key = room.deleted(&permit.ask().name).await?;
        room.still_approved(&as_it_is(&key))?;
        room.still_due(permit, &key, Work::Purge)?;
        if room.open().purge_protection && matches!(permit.who(), Who::Caller(_)) {
            return Err(Refusal::PurgeProtected);
        }
        let mut removes = vec![(key.at(), key.counter)];
        // With what a restore that came to no end left under the name.
        removes.extend(room.version_rows(key.tag).await?);
        let changes = Changes { puts: vec![mark(room, &key).await?], removes, ..Changes::default() };
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

/// The row by which a restore learns that something was purged: what is removed leaves no other behind. There are 256
/// of them, so that purges seldom wait for each other.
async fn mark(room: &Room<'_>, key: &Key) -> Result<Row, Refusal> {
    let mut at = singleton(Kind::Purged);
    let ([mark, ..], [first, ..]) = (&mut at.lookup, &key.tag);
    *mark = *first;
    let stands = room.row_at(at).await?;
    room.row(Place::behind(at, stands.as_ref()), &PurgedRecord { at: room.at.now.0 })
}
