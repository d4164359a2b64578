//! Certificates that vouch for clients.

use crate::commands::ask;
use crate::error::Refusal;
use crate::policy_row::Editing;
use crate::room::Room;
use crate::run::{Effect, Execute};
use keystead_access::{Ask as _, Operation, Permit, Policy, Rule, Who};
use keystead_identity::CertificateAuthority;
use keystead_model::Target;
use serde_json::json;

/// Believes the client certificates that somebody vouches for.
pub struct AddAuthority {
    /// Who.
    pub authority: CertificateAuthority,
}
ask!(AddAuthority, AddAuthority, |c| Target::Vault);

impl Execute for AddAuthority {
    type Output = CertificateAuthority;

    fn approval(&self, _: &Who, _: &Policy) -> Option<Operation> {
        Some(Operation::new(&[Rule::Policy], Self::ACTION, &self.target(), &json!({ "certificate": self.authority })))
    }

    async fn execute(permit: &Permit<Self>, room: &Room<'_>) -> Result<Effect<CertificateAuthority>, Refusal> {
        let authority = &permit.ask().authority;
        let mut editing = Editing::of(permit, room).await?;
        editing.document().callers.authorities.push(authority.clone());
        editing.added(room, authority.clone())
    }
}

/// Believes them no more.
pub struct RemoveAuthority {
    /// SHA-256 of the certificate, in hex.
    pub thumbprint: String,
}
ask!(RemoveAuthority, RemoveAuthority, |c| Target::Vault);

impl Execute for RemoveAuthority {
    type Output = ();

    fn approval(&self, _: &Who, _: &Policy) -> Option<Operation> {
        Some(Operation::new(&[Rule::Policy], Self::ACTION, &self.target(), &json!({ "thumbprint": self.thumbprint })))
    }

    async fn execute(permit: &Permit<Self>, room: &Room<'_>) -> Result<Effect<()>, Refusal> {
        let mut editing = Editing::of(permit, room).await?;
        let authorities = &mut editing.document().callers.authorities;
        let at = authorities.iter().position(|a| a.thumbprint().eq_ignore_ascii_case(&permit.ask().thumbprint));
        authorities.remove(at.ok_or(Refusal::NotInPolicy { what: "certificate" })?);
        editing.removed(room, ())
    }
}
