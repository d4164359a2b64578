//! Give a built-in client another credential.

use super::{CreatedClient, NewCredential, find, make};
use crate::commands::ask;
use crate::error::Refusal;
use crate::policy_row::Editing;
use crate::room::Room;
use crate::run::{Effect, Execute};
use keystead_access::Permit;
use keystead_model::{Target, Time};

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
