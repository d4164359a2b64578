//! `keystead role`: roles of one vault and who has them, over HTTPS.
//!
//! - [`definitions`]: which roles there are
//! - [`assignments`]: who has which

mod assignments;
mod definitions;

use crate::exit::Failure;
use crate::key::connection::ConnectionArgs;
use crate::key::{Session, Shown};
use keystead_client::RoleDefinition;
use keystead_model::Guid;

#[derive(clap::Args)]
#[command(after_help = "\
A role is named by its GUID or its name. A principal is a GUID: a subject or a
group of the vault's directory (for the vault's own clients: the `oid` of their
tokens), or what `principal-id` prints for any other. The vault and the credential
are found as `keystead key --help` says.

Examples:
  keystead role list
  keystead role assign 'Managed HSM Crypto User' 6f1c2f0e-5d0b-4f0e-9a53-0d7c3f9b2a11 --scope /keys/payments
  keystead role assignments --principal 6f1c2f0e-5d0b-4f0e-9a53-0d7c3f9b2a11")]
pub(crate) struct Args {
    #[command(subcommand)]
    command: Command,
    #[command(flatten)]
    connection: ConnectionArgs,
    #[command(flatten)]
    shown: Shown,
}

#[derive(clap::Subcommand)]
enum Command {
    /// List roles, built-in and custom
    List(definitions::List),
    /// Show what a role permits
    Show(definitions::Show),
    /// Make a custom role, or change one for all who have it
    Define(definitions::Define),
    /// Remove a custom role, and take it from all who have it
    Remove(definitions::Remove),
    /// List who has which role
    Assignments(assignments::List),
    /// Give somebody a role
    Assign(assignments::Assign),
    /// Take a role from somebody
    Unassign(assignments::Unassign),
    /// Print the GUID of a subject or a group of an issuer that is not the vault's directory
    PrincipalId(assignments::PrincipalId),
}

/// Runs one command.
pub(crate) async fn run(args: Args) -> Result<(), Failure> {
    let connect = async || Ok(Session { client: args.connection.client().await?, shown: args.shown });
    match args.command {
        Command::List(c) => c.run(&connect().await?).await,
        Command::Show(c) => c.run(&connect().await?).await,
        Command::Define(c) => c.run(&connect().await?).await,
        Command::Remove(c) => c.run(&connect().await?).await,
        Command::Assignments(c) => c.run(&connect().await?).await,
        Command::Assign(c) => c.run(&connect().await?).await,
        Command::Unassign(c) => c.run(&connect().await?).await,
        Command::PrincipalId(c) => c.run(args.shown),
    }
}

/// All roles, with the receipt of the list.
async fn all(session: &Session) -> Result<(Vec<RoleDefinition>, Vec<String>), Failure> {
    let done = session.client.role_definitions().await.map_err(|e| session.shown.failure(&e))?;
    Ok((done.value.value, done.receipt.into_iter().collect()))
}

/// The role of this GUID or name.
async fn find(session: &Session, role: &str) -> Result<RoleDefinition, Failure> {
    let named = |r: &RoleDefinition| r.name.eq_ignore_ascii_case(role) || r.properties.role_name == role;
    let found = all(session).await?.0.into_iter().find(named);
    found.ok_or_else(|| {
        Failure::refused(format!("there is no role '{role}': `keystead role list` shows those there are"))
    })
}

fn guid(text: &str) -> Result<Guid, String> {
    text.parse().map_err(|e: keystead_model::BadGuid| e.to_string())
}

#[cfg(test)]
mod tests {
    use clap::Args as _;

    #[test]
    fn the_command_line_is_consistent() {
        super::Args::augment_args(clap::Command::new("role")).debug_assert();
    }
}
