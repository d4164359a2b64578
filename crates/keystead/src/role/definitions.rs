//! Role definitions: list, show, define, remove.

use super::{all, find, guid};
use crate::exit::Failure;
use crate::key::Session;
use crate::key::view::{Listed, Receipted};
use crate::new_client::new_guid;
use crate::output;
use keystead_client::{Done, RoleDefinition, RolePermission, RoleProperties};
use keystead_model::Guid;

#[derive(clap::Args)]
#[command(after_help = "\
Examples:
  keystead role list
  keystead role list --custom --output json")]
pub(crate) struct List {
    /// Custom roles only
    #[arg(long)]
    custom: bool,
}

impl List {
    pub(crate) async fn run(self, session: &Session) -> Result<(), Failure> {
        let (mut items, receipts) = all(session).await?;
        items.retain(|r| !self.custom || r.properties.kind == "CustomRole");
        Listed { items, receipts }.print(session, &["role", "guid", "type"], |r| {
            vec![r.properties.role_name.clone(), r.name.clone(), r.properties.kind.clone()]
        })
    }
}

#[derive(clap::Args)]
#[command(after_help = "\
Examples:
  keystead role show 'Managed HSM Crypto User'")]
pub(crate) struct Show {
    /// GUID or name
    role: String,
}

impl Show {
    pub(crate) async fn run(self, session: &Session) -> Result<(), Failure> {
        let role = role_id(&find(session, &self.role).await?)?;
        let done = session.client.role_definition(role).await.map_err(|e| session.shown.failure(&e))?;
        print(session, &done)
    }
}

#[derive(clap::Args)]
#[command(after_help = "\
Examples:
  keystead role define Signer --allow Microsoft.KeyVault/managedHsm/keys/sign/action
  keystead role define Signer --id 6f1c2f0e-5d0b-4f0e-9a53-0d7c3f9b2a11 --allow ...

`keystead role show` of a built-in role shows names of data actions. Whoever is
no administrator of the vault defines no more than he has at / himself.")]
pub(crate) struct Define {
    /// Its name
    name: String,
    /// The role to change; else a new one is made
    #[arg(long, value_name = "GUID", value_parser = guid)]
    id: Option<Guid>,
    /// What it gives
    #[arg(long, value_name = "DATA-ACTION,..", value_delimiter = ',')]
    allow: Vec<String>,
    /// What it takes from that
    #[arg(long, value_name = "DATA-ACTION,..", value_delimiter = ',')]
    except: Vec<String>,
    /// What it is for
    #[arg(long, value_name = "TEXT", default_value = "")]
    description: String,
}

impl Define {
    pub(crate) async fn run(self, session: &Session) -> Result<(), Failure> {
        let what = RoleProperties {
            role_name: self.name,
            description: self.description,
            kind: "CustomRole".to_owned(),
            permissions: vec![RolePermission { data_actions: self.allow, not_data_actions: self.except }],
        };
        let id = self.id.unwrap_or_else(new_guid);
        let done = session.client.set_role_definition(id, &what).await.map_err(|e| session.shown.failure(&e))?;
        print(session, &done)
    }
}

#[derive(clap::Args)]
#[command(after_help = "\
Examples:
  keystead role remove Signer

Whoever has it loses it: `keystead role assignments` shows who that is.")]
pub(crate) struct Remove {
    /// GUID or name
    role: String,
}

impl Remove {
    pub(crate) async fn run(self, session: &Session) -> Result<(), Failure> {
        let role = role_id(&find(session, &self.role).await?)?;
        let done = session.client.delete_role_definition(role).await.map_err(|e| session.shown.failure(&e))?;
        if session.shown.is_json() {
            return output::json(&Receipted { value: &done.value, receipt: done.receipt.as_deref() });
        }
        output::text(&output::printable(&format!("removed {}", done.value.properties.role_name)))?;
        session.shown.receipt(done.receipt.as_deref());
        Ok(())
    }
}

/// The GUID that a definition bears.
fn role_id(role: &RoleDefinition) -> Result<Guid, Failure> {
    role.name.parse().map_err(|_| Failure::unavailable("the server's role has no GUID"))
}

fn print(session: &Session, done: &Done<RoleDefinition>) -> Result<(), Failure> {
    if session.shown.is_json() {
        return output::json(&Receipted { value: &done.value, receipt: done.receipt.as_deref() });
    }
    let RoleDefinition { name, properties: p, .. } = &done.value;
    let mut fields = vec![
        ("role", p.role_name.clone()),
        ("guid", name.clone()),
        ("type", p.kind.clone()),
        ("description", p.description.clone()),
    ];
    for permission in &p.permissions {
        fields.extend(permission.data_actions.iter().map(|d| ("allows", d.clone())));
        fields.extend(permission.not_data_actions.iter().map(|d| ("except", d.clone())));
    }
    output::fields(fields)?;
    session.shown.receipt(done.receipt.as_deref());
    Ok(())
}
