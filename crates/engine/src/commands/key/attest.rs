//! What is stated about where a key was made and is kept.

use crate::commands::{ask, no_approval};
use crate::error::Refusal;
use crate::room::Room;
use crate::run::{Effect, Execute};
use crate::view::KeyView;
use keystead_access::Permit;
use keystead_model::{KeyRef, Target};
use keystead_protection::Standing;

/// Reads a key with what this server states of its protection. A server's word, not a device's: it says so.
pub struct GetKeyAttestation {
    /// Which key.
    pub key: KeyRef,
}
ask!(GetKeyAttestation, GetKeyAttestation, |c| Target::Key(c.key.name.clone()));

/// A key, and where it stands.
pub struct AttestedKey {
    /// The key.
    pub key: KeyView,
    /// Where its private half is.
    pub standing: Standing,
}

impl Execute for GetKeyAttestation {
    type Output = AttestedKey;
    no_approval!();

    async fn execute(permit: &Permit<Self>, room: &Room<'_>) -> Result<Effect<AttestedKey>, Refusal> {
        let v = room.version(&permit.ask().key).await?;
        let standing = room.standing(permit, &v).await?;
        let attested = AttestedKey { key: room.view(&v), standing };
        Ok(Effect::read(attested).about(v.id, Some(v.version)))
    }
}
