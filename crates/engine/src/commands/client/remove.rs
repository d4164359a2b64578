//! Remove a built-in client.

use super::{end_tokens, find};
use crate::commands::ask;
use crate::error::Refusal;
use crate::policy_row::Editing;
use crate::room::Room;
use crate::run::{Effect, Execute};
use keystead_access::{Ask as _, Operation, Permit, Policy, Rule, Who};
use keystead_identity::Principal;
use keystead_model::Target;
use serde_json::json;

/// Removes a client; the tokens that it has are refused from then on. The only administrator is not removed.
pub struct RemoveClient {
    /// Its id.
    pub client: String,
}
ask!(RemoveClient, RemoveClient, |c| Target::Vault);

/// A token that the client asked for before it was removed may be made while that is written, and says when it was
/// asked for. No token of the client's can be good any more, so it is no harm that this is well beyond the deadline of
/// any request.
const UNDER_WAY_MS: i64 = 120_000;

impl Execute for RemoveClient {
    type Output = ();

    fn approval(&self, _: &Who, _: &Policy) -> Option<Operation> {
        Some(Operation::new(&[Rule::Policy], Self::ACTION, &self.target(), &json!({ "client": self.client })))
    }

    async fn execute(permit: &Permit<Self>, room: &Room<'_>) -> Result<Effect<()>, Refusal> {
        let mut editing = Editing::of(permit, room).await?;
        let document = editing.document();
        let client = find(&mut document.clients, &permit.ask().client)?.clone();
        let issuer = room.open().issuer.info().iss;
        let principal = Principal::new(&issuer, &client.subject);
        document.clients.retain(|c| c.id != client.id);
        end_tokens(&mut document.callers, &client.subject, room.at.now.plus_millis(UNDER_WAY_MS), room);
        // Where nobody else administers the vault, what is left is no policy.
        editing.edit.no_administrator(&principal);
        editing.removed(room, ())
    }
}
