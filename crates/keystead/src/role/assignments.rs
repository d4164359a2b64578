//! Role assignments: list, assign, unassign.

use super::{all, find, guid};
use crate::exit::Failure;
use crate::key::view::Receipted;
use crate::key::{Session, Shown, manage};
use crate::new_client::new_guid;
use crate::output;
use keystead_client::{Done, RoleAssignment, RoleDefinition};
use keystead_identity::Principal;
use keystead_model::{Guid, Target};

#[derive(clap::Args)]
#[command(after_help = "\
Examples:
  keystead role assignments
  keystead role assignments --scope /keys/payments
  keystead role assignments --principal 6f1c2f0e-5d0b-4f0e-9a53-0d7c3f9b2a11")]
pub(crate) struct List {
    /// What bears on this scope: /, /keys or /keys/NAME
    #[arg(long, default_value = "/", value_parser = scope)]
    scope: Target,
    /// Only this principal's
    #[arg(long, value_name = "GUID", value_parser = guid)]
    principal: Option<Guid>,
}

impl List {
    pub(crate) async fn run(self, session: &Session) -> Result<(), Failure> {
        let page = async |next: Option<&_>| session.client.role_assignments(&self.scope, self.principal, next).await;
        let listed = manage::all(session, page).await?;
        // Names are a courtesy: who may not read definitions sees GUIDs.
        let roles = if session.shown.is_json() { Vec::new() } else { all(session).await.unwrap_or_default().0 };
        listed.print(session, &["role", "scope", "principal", "id"], |a| row(a, &roles))
    }
}

#[derive(clap::Args)]
#[command(after_help = "\
Examples:
  keystead role assign 'Key Vault Crypto User' 6f1c2f0e-5d0b-4f0e-9a53-0d7c3f9b2a11 --scope /keys
  keystead role assign 'Managed HSM Policy Administrator' 6f1c2f0e-5d0b-4f0e-9a53-0d7c3f9b2a11")]
pub(crate) struct Assign {
    /// GUID or name of the role
    role: String,
    /// Who gets it
    #[arg(value_parser = guid)]
    principal: Guid,
    /// Where it holds: /, /keys or /keys/NAME
    #[arg(long, default_value = "/", value_parser = scope)]
    scope: Target,
    /// The assignment's own GUID; else a new one
    #[arg(long, value_name = "GUID", value_parser = guid)]
    id: Option<Guid>,
}

impl Assign {
    pub(crate) async fn run(self, session: &Session) -> Result<(), Failure> {
        let role = find(session, &self.role).await?;
        let id = self.id.unwrap_or_else(new_guid);
        let done = session.client.assign_role(&self.scope, id, &role.id, self.principal).await;
        print(session, &done.map_err(|e| session.shown.failure(&e))?, &[role])
    }
}

#[derive(clap::Args)]
#[command(after_help = "\
Examples:
  keystead role unassign 0d7c3f9b-2a11-4f0e-9a53-6f1c2f0e5d0b --scope /keys

It counts at once: what was sent before the answer may still be done, what is sent after it is not.")]
pub(crate) struct Unassign {
    /// The assignment's GUID, as `keystead role assignments` shows it
    #[arg(value_parser = guid)]
    id: Guid,
    /// Where it holds
    #[arg(long, default_value = "/", value_parser = scope)]
    scope: Target,
}

impl Unassign {
    pub(crate) async fn run(self, session: &Session) -> Result<(), Failure> {
        let done = session.client.unassign_role(&self.scope, self.id).await.map_err(|e| session.shown.failure(&e))?;
        print(session, &done, &[])
    }
}

#[derive(clap::Args)]
#[command(after_help = "\
Examples:
  keystead role principal-id https://token.actions.example repo:acme/payments:ref:refs/heads/main
  keystead role principal-id https://login.example/realms/acme /signers --group

It is a UUID of version 8, made of SHA-256(issuer | 00 | subject), of a group SHA-256(issuer | 01 | group).
A subject or a group of the vault's directory that is a GUID stands for itself instead.")]
pub(crate) struct PrincipalId {
    /// `iss` of its tokens
    issuer: String,
    /// The claim that names it; of a group, what stands in the claim `groups`
    subject: String,
    /// It is a group: everybody whom the issuer's tokens put into it
    #[arg(long)]
    group: bool,
}

impl PrincipalId {
    pub(crate) fn run(self, shown: Shown) -> Result<(), Failure> {
        let id = match self.group {
            false => Principal::new(self.issuer, self.subject).derived_id(),
            true => Principal::group(self.issuer, self.subject).derived_id(),
        };
        if shown.is_json() {
            return output::json(&serde_json::json!({ "principalId": id.to_string() }));
        }
        output::text(&id.to_string())
    }
}

fn scope(text: &str) -> Result<Target, String> {
    text.parse().map_err(|e: keystead_model::BadScope| e.to_string())
}

fn print(session: &Session, done: &Done<RoleAssignment>, roles: &[RoleDefinition]) -> Result<(), Failure> {
    if session.shown.is_json() {
        return output::json(&Receipted { value: &done.value, receipt: done.receipt.as_deref() });
    }
    output::fields(["role", "scope", "principal", "id"].into_iter().zip(row(&done.value, roles)))?;
    session.shown.receipt(done.receipt.as_deref());
    Ok(())
}

fn row(a: &RoleAssignment, roles: &[RoleDefinition]) -> Vec<String> {
    let p = &a.properties;
    let role = roles.iter().find(|r| r.id == p.role_definition_id).map(|r| r.properties.role_name.clone());
    let guid = || p.role_definition_id.rsplit('/').next().unwrap_or_default().to_owned();
    vec![role.unwrap_or_else(guid), p.scope.clone(), p.principal_id.clone(), a.name.clone()]
}
