//! Read a key's public part and attributes.

use crate::commands::{ask, no_approval};
use crate::error::Refusal;
use crate::room::Room;
use crate::run::{Effect, Execute};
use crate::view::KeyView;
use keystead_access::Permit;
use keystead_model::{KeyRef, Target};

/// Reads a key version, or the newest.
pub struct GetKey {
    /// Which.
    pub key: KeyRef,
}
ask!(GetKey, GetKey, |c| Target::Key(c.key.name.clone()));

impl Execute for GetKey {
    type Output = KeyView;
    no_approval!();

    async fn execute(permit: &Permit<Self>, room: &Room<'_>) -> Result<Effect<KeyView>, Refusal> {
        let found = room.version(&permit.ask().key).await?;
        Ok(Effect::read(room.view(&found)).about(found.id, Some(found.version)))
    }
}
