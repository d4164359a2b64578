//! Give a built-in client another credential.

use super::{CreatedClient, NewCredential, find, make};
use crate::commands::ask;
use crate::error::Refusal;
use crate::policy_row::Editing;
use crate::room::Room;
use crate::run::{Effect, Execute};
use keystead_access::{Ask as _, Operation, Permit, Policy, Rule, Who};
use keystead_model::{Target, Time};
use serde_json::json;

/// Adds a credential; those there are stay good.
pub struct AddCredential {
    /// Id of the client.
    pub client: String,
    /// The credential.
    pub credential: NewCredential,
    /// When it ends.
    pub expires: Option<Time>,
}
ask!(AddCredential, AddCredential, |c| Target::Vault);

impl Execute for AddCredential {
    type Output = CreatedClient;

    fn approval(&self, _: &Who, _: &Policy) -> Option<Operation> {
        let (credential, expires) = (self.credential.shown(), self.expires.map(|t| t.0));
        let parameters = json!({ "client": self.client, "credential": credential, "expires": expires });
        Some(Operation::new(&[Rule::Policy], Self::ACTION, &self.target(), &parameters))
    }

    async fn execute(permit: &Permit<Self>, room: &Room<'_>) -> Result<Effect<CreatedClient>, Refusal> {
        let ask = permit.ask();
        let mut editing = Editing::of(permit, room).await?;
        let client = find(&mut editing.document().clients, &ask.client)?;
        let (credential, secret) = make(&ask.credential, ask.expires, room)?;
        let id = Some(credential.id.clone());
        client.credentials.push(credential);
        let made = CreatedClient { client: client.clone(), credential: id, secret };
        editing.added(room, made)
    }
}
