//! Trust an issuer no more.

use crate::commands::ask;
use crate::commands::client::{end_tokens, next_second};
use crate::error::Refusal;
use crate::policy_row::Editing;
use crate::room::Room;
use crate::run::{Effect, Execute};
use keystead_access::{Ask as _, Operation, Permit, Policy, Rule, Who};
use keystead_identity::{By, Client};
use keystead_model::Target;
use serde_json::json;

/// Believes the tokens of an issuer no more, those that were verified before included. Built-in clients that are
/// federated with it lose the tokens that they have: they may have been got with its.
pub struct RemoveIssuer {
    /// `iss` of its tokens.
    pub iss: String,
}
ask!(RemoveIssuer, RemoveIssuer, |c| Target::Vault);

impl Execute for RemoveIssuer {
    type Output = ();

    fn approval(&self, _: &Who, _: &Policy) -> Option<Operation> {
        Some(Operation::new(&[Rule::Policy], Self::ACTION, &self.target(), &json!({ "iss": self.iss })))
    }

    async fn execute(permit: &Permit<Self>, room: &Room<'_>) -> Result<Effect<()>, Refusal> {
        let mut editing = Editing::of(permit, room).await?;
        let (document, iss) = (editing.document(), &permit.ask().iss);
        let at = document.issuers.iter().position(|i| i.iss == *iss);
        document.issuers.remove(at.ok_or(Refusal::NotInPolicy { what: "issuer" })?);
        for client in document.clients.iter().filter(|c| is_federated(c, iss)) {
            end_tokens(&mut document.callers, &client.subject, next_second(room.at.now), room);
        }
        editing.removed(room, ())
    }
}

fn is_federated(client: &Client, iss: &str) -> bool {
    client.credentials.iter().any(|c| matches!(&c.by, By::Federated(f) if f.iss == iss))
}
