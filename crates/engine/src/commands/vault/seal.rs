//! Seal the vault from inside.

use crate::clear_row;
use crate::commands::{ask, no_approval};
use crate::error::Refusal;
use crate::room::Room;
use crate::run::{Effect, Execute};
use keystead_access::Permit;
use keystead_model::{Target, VaultStatus};

/// Seals the vault: the root and everything opened with it leave memory. It stays sealed over a restart; the operator
/// unseals it.
pub struct SealVault;
ask!(SealVault, SealVault, |c| Target::Vault);

impl Execute for SealVault {
    type Output = ();
    no_approval!();

    async fn execute(_: &Permit<Self>, room: &Room<'_>) -> Result<Effect<()>, Refusal> {
        let changes = clear_row::with_status(room.vault(), room.records(), VaultStatus::Sealed).await?;
        Ok(Effect::status((), VaultStatus::Sealed).with(changes))
    }
}
