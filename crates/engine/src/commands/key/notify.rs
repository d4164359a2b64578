//! Tell that a key is about to expire.

use crate::commands::{ask, no_approval};
use crate::error::Refusal;
use crate::records::Work;
use crate::room::{Place, Room};
use crate::run::{Effect, Execute};
use keystead_access::Permit;
use keystead_model::{Name, Target};
use keystead_store::Changes;

/// Tells, once for each version, that it is about to expire: the record of it in the audit log is what is told, and
/// what the sinks pass on. Only a mandate asks for it.
pub struct NotifyExpiry {
    /// Which key.
    pub name: Name,
}
ask!(NotifyExpiry, NotifyExpiry, |c| Target::Key(c.name.clone()));

impl Execute for NotifyExpiry {
    type Output = ();
    no_approval!();

    async fn execute(permit: &Permit<Self>, room: &Room<'_>) -> Result<Effect<()>, Refusal> {
        let mut key = room.live(&permit.ask().name).await?;
        room.still_due(permit, &key, Work::Notify)?;
        key.record.notified = Some(key.record.newest.into());
        let newest = key.record.newest();
        let changes = Changes { puts: vec![room.row(Place::next(&key), &key.record)?], ..Changes::default() };
        Ok(Effect::change((), changes).about(key.id, Some(newest)))
    }
}
