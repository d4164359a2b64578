//! Trust an issuer.

use crate::commands::ask;
use crate::error::Refusal;
use crate::policy_row::Editing;
use crate::room::Room;
use crate::run::{Effect, Execute};
use keystead_access::{Ask as _, Operation, Permit, Policy, Rule, Who};
use keystead_identity::TrustedIssuer;
use keystead_model::Target;
use serde_json::json;

/// Believes the tokens of an issuer. One that is known is refused: remove it first.
pub struct AddIssuer {
    /// The issuer.
    pub issuer: TrustedIssuer,
}
ask!(AddIssuer, AddIssuer, |c| Target::Vault);

impl Execute for AddIssuer {
    type Output = TrustedIssuer;

    fn approval(&self, _: &Who, _: &Policy) -> Option<Operation> {
        Some(Operation::new(&[Rule::Policy], Self::ACTION, &self.target(), &json!({ "issuer": self.issuer })))
    }

    async fn execute(permit: &Permit<Self>, room: &Room<'_>) -> Result<Effect<TrustedIssuer>, Refusal> {
        let issuer = &permit.ask().issuer;
        let mut editing = Editing::of(permit, room).await?;
        editing.document().issuers.push(issuer.clone());
        editing.added(room, issuer.clone())
    }
}
