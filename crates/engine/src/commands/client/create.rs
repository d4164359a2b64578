//! Create a built-in client.

use super::{CreatedClient, NewCredential, guid, make};
use crate::commands::ask;
use crate::error::Refusal;
use crate::policy_row::Editing;
use crate::room::Room;
use crate::run::{Effect, Execute};
use keystead_access::{Ask as _, Operation, Permit, Policy, Rule, Who};
use keystead_identity::Client;
use keystead_model::{Target, Time};
use serde_json::json;

/// Creates a client with new ids and perhaps a first credential. It has no role until one is assigned to it.
pub struct CreateClient {
    /// Name people read.
    pub name: String,
    /// Its first credential.
    pub credential: Option<NewCredential>,
    /// When that ends.
    pub expires: Option<Time>,
}
ask!(CreateClient, CreateClient, |c| Target::Vault);

/// Longest name, in bytes.
const MAX_NAME: usize = 256;

impl Execute for CreateClient {
    type Output = CreatedClient;

    fn approval(&self, _: &Who, _: &Policy) -> Option<Operation> {
        let credential = self.credential.as_ref().map(NewCredential::shown);
        let parameters = json!({ "name": self.name, "credential": credential, "expires": self.expires.map(|t| t.0) });
        Some(Operation::new(&[Rule::Policy], Self::ACTION, &self.target(), &parameters))
    }

    async fn execute(permit: &Permit<Self>, room: &Room<'_>) -> Result<Effect<CreatedClient>, Refusal> {
        let ask = permit.ask();
        if ask.name.is_empty() || ask.name.len() > MAX_NAME {
            return Err(Refusal::OverBound { what: "a client's name has 1 to 256 bytes" });
        }
        let mut editing = Editing::of(permit, room).await?;
        let mut client = Client { id: guid(), name: ask.name.clone(), subject: guid(), ..Client::default() };
        let made = ask.credential.as_ref().map(|new| make(new, ask.expires, room)).transpose()?;
        let (credential, secret) = made.unzip();
        let id = credential.as_ref().map(|c| c.id.clone());
        client.credentials.extend(credential);
        editing.document().clients.push(client.clone());
        editing.added(room, CreatedClient { client, credential: id, secret: secret.flatten() })
    }
}
