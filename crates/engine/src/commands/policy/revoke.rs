//! Refuse tokens that were issued before a time.

use crate::commands::ask;
use crate::error::Refusal;
use crate::policy_row::Editing;
use crate::room::Room;
use crate::run::{Effect, Execute};
use keystead_access::{Ask as _, Operation, Permit, Policy, Rule, Who};
use keystead_identity::NotBefore;
use keystead_model::{Target, Time};
use serde_json::json;

/// Refuses the tokens of a principal, or of a whole issuer, that were issued before a time. It never makes a time that
/// stands already earlier.
pub struct RevokeTokens {
    /// `iss` of the tokens; [`crate::BUILT_IN`] means the vault's own.
    pub issuer: String,
    /// Their subject; everybody's if none.
    pub subject: Option<String>,
    /// Issued before this time, which is now at the latest; now if none.
    pub before: Option<Time>,
}
ask!(RevokeTokens, RevokeTokens, |c| Target::Vault);

/// Longest issuer or subject, in bytes.
const MAX_TEXT: usize = 1024;

impl Execute for RevokeTokens {
    type Output = NotBefore;

    fn approval(&self, _: &Who, _: &Policy) -> Option<Operation> {
        let before = self.before.map(|t| t.0);
        let parameters = json!({ "issuer": self.issuer, "subject": self.subject, "before": before });
        Some(Operation::new(&[Rule::Policy], Self::ACTION, &self.target(), &parameters))
    }

    async fn execute(permit: &Permit<Self>, room: &Room<'_>) -> Result<Effect<NotBefore>, Refusal> {
        let ask = permit.ask();
        let texts = [Some(&ask.issuer), ask.subject.as_ref()];
        if texts.into_iter().flatten().any(|t| t.is_empty() || t.len() > MAX_TEXT) {
            return Err(Refusal::OverBound { what: "an issuer or subject has 1 to 1024 bytes" });
        }
        // Tokens say whole seconds: whatever was issued in this one is refused.
        let now = Time::from_secs(room.at.now.secs().saturating_add(1));
        let before = ask.before.unwrap_or(now);
        if before > now {
            return Err(Refusal::BadDates);
        }
        let own = || room.open().issuer.info().iss;
        let issuer = if ask.issuer == crate::BUILT_IN { own() } else { ask.issuer.clone() };
        let mut editing = Editing::of(permit, room).await?;
        editing.document().callers.revoke(&issuer, ask.subject.as_deref(), before);
        let same = |n: &&NotBefore| n.issuer == issuer && n.subject == ask.subject;
        let set = editing.document().callers.not_before.iter().find(same).cloned().ok_or(Refusal::Fault)?;
        editing.removed(room, set)
    }
}
