//! Delete a key, recoverably.

use crate::commands::{ask, no_approval};
use crate::error::Refusal;
use crate::records::{DeletionRecord, KeyRecord};
use crate::room::{Key, Place, Room};
use crate::run::{Effect, Execute};
use crate::view::DeletedKeyView;
use keystead_access::Permit;
use keystead_model::{Name, Target, Time};
use keystead_store::{Changes, Kind};

/// Deletes a key with all its versions. It stays recoverable for the vault's retention.
pub struct DeleteKey {
    /// Which key.
    pub name: Name,
}
ask!(DeleteKey, DeleteKey, |c| Target::Key(c.name.clone()));

impl Execute for DeleteKey {
    type Output = DeletedKeyView;
    no_approval!();

    async fn execute(permit: &Permit<Self>, room: &Room<'_>) -> Result<Effect<DeletedKeyView>, Refusal> {
        let name = &permit.ask().name;
        let key = room.live(name).await?;
        let missing = || Refusal::KeyNotFound { name: name.clone(), version: None };
        let newest = room.newest(&key).await?.ok_or_else(missing)?;
        let now = room.at.now;
        let purge_at = now.plus_days(u32::from(room.vault().info.retention_days));
        let deletion = DeletionRecord { deleted: now.0, purge_at: purge_at.0 };
        let record = KeyRecord { deletion: Some(deletion), ..key.record.clone() };
        let changes = moved(room, &key, Kind::DeletedKey, &record)?;
        let view = DeletedKeyView { key: room.view(&newest), deleted: now, purge_at };
        Ok(Effect::change(view, changes).about(key.id, None))
    }
}

/// Moves a key's row to another kind, where it goes on counting. Its versions stay where they are: they are found only
/// through the row.
pub(crate) fn moved(room: &Room<'_>, key: &Key, to: Kind, record: &KeyRecord) -> Result<Changes, Refusal> {
    let place = Place {
        kind: to,
        tag: key.tag,
        version: None,
        id: key.id,
        counter: key.counter.saturating_add(1),
        due: record.due(),
    };
    let (puts, removes) = (vec![room.row(place, record)?], vec![(key.at(), key.counter)]);
    Ok(Changes { puts, removes, ..Changes::default() })
}

/// The view of a key that is deleted; `None` if it was purged since its row was read.
pub(super) async fn view(room: &Room<'_>, key: &Key) -> Result<Option<DeletedKeyView>, Refusal> {
    let deletion = key.record.deletion.ok_or(Refusal::Damaged)?;
    let newest = room.newest(key).await?;
    Ok(newest.map(|newest| DeletedKeyView {
        key: room.view(&newest),
        deleted: Time(deletion.deleted),
        purge_at: Time(deletion.purge_at),
    }))
}
