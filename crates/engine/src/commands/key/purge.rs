//! Remove a deleted key for good.

use crate::commands::ask;
use crate::error::Refusal;
use crate::room::{Key, Room};
use crate::run::{Effect, Execute};
use crate::vault::Open;
use keystead_access::Permit;
use keystead_model::{Name, Target, Version};
use keystead_store::{Changes, Kind, RowKey};

/// Removes a deleted key and all its versions. Older copies of the disk stay openable by whoever can open their root.
pub struct PurgeKey {
    /// Which key.
    pub name: Name,
}
ask!(PurgeKey, PurgeKey, |c| Target::Key(c.name.clone()));

impl Execute for PurgeKey {
    type Output = ();

    async fn execute(permit: &Permit<Self>, room: &Room<'_>) -> Result<Effect<()>, Refusal> {
        let key = room.deleted(&permit.ask().name).await?;
        room.still_due(permit, &key)?;
        let mut removes = vec![(key.at(), key.counter)];
        removes.extend(versions(room, &key).await?);
        let changes = Changes { removes, ..Changes::default() };
        let purged: Vec<Version> = changes.removes.iter().filter_map(|(at, _)| at.version).collect();
        let forget = move |open: &Open, _| purged.iter().for_each(|version| open.uses.forget(*version));
        Ok(Effect::change((), changes).about(key.id, None).after(forget))
    }
}

async fn versions(room: &Room<'_>, key: &Key) -> Result<Vec<(RowKey, u64)>, Refusal> {
    const PAGE: u16 = 500;
    let (mut all, mut after) = (Vec::new(), None);
    loop {
        let page = room.versions(key, after, PAGE).await?;
        after = page.last().map(|v| v.version);
        let done = page.len() < usize::from(PAGE);
        all.extend(
            page.iter()
                .map(|v| (RowKey { kind: Kind::KeyVersion, lookup: v.tag, version: Some(v.version) }, v.counter)),
        );
        if done {
            return Ok(all);
        }
    }
}
