//! Trust an issuer no more.

use crate::commands::ask;
use crate::error::Refusal;
use crate::policy_row::Editing;
use crate::room::Room;
use crate::run::{Effect, Execute};
use keystead_access::Permit;
use keystead_model::Target;

/// Believes the tokens of an issuer no more, those that were verified before included.
pub struct RemoveIssuer {
    /// `iss` of its tokens.
    pub iss: String,
}
ask!(RemoveIssuer, RemoveIssuer, |c| Target::Vault);

impl Execute for RemoveIssuer {
    type Output = ();

    async fn execute(permit: &Permit<Self>, room: &Room<'_>) -> Result<Effect<()>, Refusal> {
        let mut editing = Editing::of(permit, room).await?;
        let issuers = &mut editing.document().issuers;
        let at = issuers.iter().position(|i| i.iss == permit.ask().iss);
        issuers.remove(at.ok_or(Refusal::NotInPolicy { what: "issuer" })?);
        editing.removed(room, ())
    }
}
