//! Take a credential away from a built-in client.

use super::{end_tokens, find, next_second};
use crate::commands::ask;
use crate::error::Refusal;
use crate::policy_row::Editing;
use crate::room::Room;
use crate::run::{Effect, Execute};
use keystead_access::{Ask as _, Operation, Permit, Policy, Rule, Who};
use keystead_identity::By;
use keystead_model::Target;
use serde_json::json;

/// Removes a credential, and refuses the tokens that the client has: they may have been got with it.
pub struct RemoveCredential {
    /// Id of the client.
    pub client: String,
    /// Id of the credential; of a secret that has none, its SHA-256 in hex.
    pub credential: String,
}
ask!(RemoveCredential, RemoveCredential, |c| Target::Vault);

impl Execute for RemoveCredential {
    type Output = ();

    fn approval(&self, _: &Who, _: &Policy) -> Option<Operation> {
        Some(Operation::new(
            &[Rule::Policy],
            Self::ACTION,
            &self.target(),
            &json!({ "client": self.client, "credential": self.credential }),
        ))
    }

    async fn execute(permit: &Permit<Self>, room: &Room<'_>) -> Result<Effect<()>, Refusal> {
        let ask = permit.ask();
        let mut editing = Editing::of(permit, room).await?;
        let client = find(&mut editing.document().clients, &ask.client)?;
        let before = client.credentials.len().saturating_add(client.secrets.len());
        client.credentials.retain(|c| c.id != ask.credential && !is_digest(&c.by, &ask.credential));
        client.secrets.retain(|digest| hex::encode(digest) != ask.credential);
        if client.credentials.len().saturating_add(client.secrets.len()) == before {
            return Err(Refusal::NotInPolicy { what: "credential" });
        }
        let subject = client.subject.clone();
        end_tokens(&mut editing.document().callers, &subject, next_second(room.at.now), room);
        editing.removed(room, ())
    }
}

fn is_digest(by: &By, text: &str) -> bool {
    matches!(by, By::Secret(digest) if hex::encode(digest) == text)
}
