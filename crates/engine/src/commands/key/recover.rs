//! Undo a deletion.

use super::delete::moved;
use crate::commands::{ask, no_approval};
use crate::error::Refusal;
use crate::records::KeyRecord;
use crate::room::Room;
use crate::run::{Effect, Execute};
use crate::view::KeyView;
use keystead_access::Permit;
use keystead_model::{Name, Target};
use keystead_store::Kind;

/// Brings a deleted key back, with all its versions as they were.
pub struct RecoverKey {
    /// Which key.
    pub name: Name,
}
ask!(RecoverKey, RecoverKey, |c| Target::Key(c.name.clone()));

impl Execute for RecoverKey {
    type Output = KeyView;
    no_approval!();

    async fn execute(permit: &Permit<Self>, room: &Room<'_>) -> Result<Effect<KeyView>, Refusal> {
        let name = &permit.ask().name;
        let key = room.deleted(name).await?;
        let missing = || Refusal::DeletedKeyNotFound { name: name.clone() };
        let newest = room.newest(&key).await?.ok_or_else(missing)?;
        let record = KeyRecord { deletion: None, ..key.record.clone() };
        let changes = moved(room, &key, Kind::Key, &record)?;
        Ok(Effect::change(room.view(&newest), changes).about(key.id, None))
    }
}
