//! Read the policy.

use crate::commands::{ask, no_approval};
use crate::error::Refusal;
use crate::policy_row::stored;
use crate::room::Room;
use crate::run::{Effect, Execute};
use keystead_access::{Permit, PolicyDocument};
use keystead_model::{Revision, Target};

/// Reads who is believed, and who may do what.
pub struct ReadPolicy;
ask!(ReadPolicy, ReadPolicy, |c| Target::Vault);

/// The policy at a revision.
pub struct PolicyView {
    /// When it was stored.
    pub revision: Revision,
    /// `iss` of the vault's own issuer, which is always believed.
    pub own_issuer: String,
    /// What stands in it.
    pub document: PolicyDocument,
}

impl Execute for ReadPolicy {
    type Output = PolicyView;
    no_approval!();

    async fn execute(_: &Permit<Self>, room: &Room<'_>) -> Result<Effect<PolicyView>, Refusal> {
        let (document, revision) = stored(room).await?;
        let own_issuer = room.open().issuer.info().iss;
        Ok(Effect::read(PolicyView { revision, own_issuer, document }))
    }
}
