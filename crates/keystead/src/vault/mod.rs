//! `keystead vault`: what the operator does to vaults, over the server's local socket. He has no role inside any.
//!
//! - [`create`]: a new vault; [`enrol`]: another token; [`rotate`]: another root; [`erase`]: its end
//! - [`policy`]: the document that says who may do what in it
//! - [`custodians`]: what its custodians agree on while it is open: others in their place, another administrator

mod create;
mod custodians;
mod enrol;
mod erase;
pub(crate) mod policy;
mod quorum;
mod rotate;

use crate::exit::Failure;
use crate::key::connection::failure;
use crate::output::{self, OutputArgs, time};
use crate::socket::SocketArgs;
use keystead_client::{OperatorClient, VaultInfo};
use keystead_model::Name;

#[derive(clap::Args)]
#[command(after_help = "\
Examples:
  keystead vault list
  keystead vault seal dev
  keystead vault list --socket /var/lib/keystead/operator.sock

Who may open the socket is the operator: root and the server's own user.")]
pub(crate) struct Args {
    #[command(subcommand)]
    command: Command,
    #[command(flatten)]
    socket: SocketArgs,
    #[command(flatten)]
    output: OutputArgs,
}

#[derive(clap::Subcommand)]
enum Command {
    /// Create a vault with its first policy
    Create(Box<create::Create>),
    /// Give an inactive vault its HSM and its first policy, or the domain of its custodians
    Activate(Box<create::Activate>),
    /// Give a token the wrapping key of a vault: a new token, or one that was cleared
    Enrol(enrol::Enrol),
    /// Write what a vault that waits says of itself, for `keystead domain new`
    #[command(after_help = "\
Examples:
  keystead vault offer payments --out payments.offer.json
  keystead vault offer payments --replace --out payments.others.json")]
    Offer(quorum::Offer),
    /// Store custodians' confirmations of a vault's activation record
    #[command(
        after_help = "Example:\n  keystead vault confirm payments --confirmation alice.json --confirmation bob.json"
    )]
    Confirm(quorum::Confirm),
    /// List vaults
    #[command(after_help = "Example:\n  keystead vault list --output json")]
    List,
    /// Show one vault
    #[command(after_help = "Example:\n  keystead vault show dev")]
    Show(Named),
    /// Seal a vault: nobody can use it until it is unsealed, over restarts too
    #[command(after_help = "Example:\n  keystead vault seal dev")]
    Seal(Named),
    /// Unseal a vault through its configured path
    #[command(after_help = "Example:\n  keystead vault unseal dev")]
    Unseal(Named),
    /// Replace a vault's root: make the next generation, reseal every row under it, destroy the one before
    RotateRoot(rotate::Rotate),
    /// Destroy a vault and its keys, and tell what copies from before still open
    Erase(erase::Erase),
    /// Replace the custodians of a vault, with their agreement: another domain, another root
    ReplaceCustodians(custodians::Replace),
    /// Make somebody an administrator of a vault, by the agreement of its custodians
    Appoint(custodians::Appoint),
}

#[derive(clap::Args)]
struct Named {
    /// Which vault
    #[arg(value_parser = name)]
    name: Name,
}

fn name(text: &str) -> Result<Name, String> {
    Name::parse(text).map_err(|e| e.to_string())
}

/// Runs one command.
pub(crate) async fn run(args: Args) -> Result<(), Failure> {
    let client = args.socket.client();
    let failed = |e| failure(&e);
    match args.command {
        Command::Create(create) => create.run(&client, args.output).await,
        Command::Activate(activate) => activate.run(&client, args.output).await,
        Command::Enrol(enrol) => enrol.run(&client, args.output).await,
        Command::Offer(offer) => offer.run(&client, args.output).await,
        Command::Confirm(confirm) => confirm.run(&client, args.output).await,
        Command::List => list(&client.vaults().await.map_err(failed)?.value, args.output),
        Command::Show(v) => show(&client, &v.name, args.output).await,
        Command::Seal(v) => {
            client.seal_vault(&v.name).await.map_err(failed)?;
            show(&client, &v.name, args.output).await
        }
        Command::Unseal(v) => {
            client.unseal_vault(&v.name).await.map_err(failed)?;
            show(&client, &v.name, args.output).await
        }
        Command::Erase(erase) => erase.run(&client, args.output).await,
        Command::RotateRoot(rotate) => rotate.run(&client, args.output).await,
        Command::ReplaceCustodians(replace) => replace.run(&client, args.output).await,
        Command::Appoint(appoint) => appoint.run(&client, args.output).await,
    }
}

fn list(vaults: &[VaultInfo], shown: OutputArgs) -> Result<(), Failure> {
    if shown.is_json() {
        return output::json(&serde_json::json!({ "vaults": vaults }));
    }
    let row = |v: &VaultInfo| {
        vec![v.name.clone(), v.status.clone(), v.kind.clone(), v.custody.clone(), v.authorities.join(", ")]
    };
    output::table(&["name", "status", "kind", "custody", "authorities"], vaults.iter().map(row))
}

async fn show(client: &OperatorClient, name: &Name, shown: OutputArgs) -> Result<(), Failure> {
    let vault = client.vault(name).await.map_err(|e| failure(&e))?.value;
    if shown.is_json() { output::json(&vault) } else { output::fields(fields(&vault)) }
}

/// A vault's lines: the known ones, then whatever else the server tells.
fn fields(vault: &VaultInfo) -> Vec<(&str, String)> {
    let known = [
        ("name", vault.name.clone()),
        ("status", vault.status.clone()),
        ("kind", vault.kind.clone()),
        ("custody", vault.custody.clone()),
        ("authorities", vault.authorities.join(", ")),
    ];
    let more = vault.more.iter().map(|(name, value)| match (name.as_str(), value) {
        ("created", value) => ("created", value.as_i64().map_or_else(|| value.to_string(), time::millis)),
        ("retention_days", value) => ("retention", format!("{value} days")),
        ("quorum", value) => ("custodians", quorum::in_words(value)),
        ("purge_protection", value) => ("purge protection", value.to_string()),
        ("root", value) => ("root generation", value.to_string()),
        ("domain", serde_json::Value::String(id)) => ("security domain", id.clone()),
        ("store_says", value) => ("root", text(value, "says")),
        ("shares", value) => ("shares", quorum::shares(value)),
        ("rotation", value) => ("rotation", rotate::shown(value)),
        ("not_opened", serde_json::Value::String(why)) => ("did not open", why.clone()),
        (name, serde_json::Value::String(text)) => (name, text.clone()),
        (name, value) => (name, value.to_string()),
    });
    known.into_iter().chain(more).collect()
}

fn text(value: &serde_json::Value, member: &str) -> String {
    value.get(member).and_then(serde_json::Value::as_str).map_or_else(|| value.to_string(), str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::Args as _;

    #[test]
    fn the_command_line_is_consistent() {
        Args::augment_args(clap::Command::new("vault")).debug_assert();
    }

    #[test]
    fn a_vault_is_shown_with_all_the_server_tells() {
        let text = r#"{"name":"dev","status":"open","kind":"vault","custody":"file","authorities":["a","b:1"],
                       "created":0,"retention_days":7,"tenant":"adfs","new":[1],"root":3,
                       "rotation":{"from":2,"to":3,"step":"resealing","rows_left":17,"waits_for":"a token"}}"#;
        let vault: VaultInfo = serde_json::from_str(text).unwrap();
        let fields = fields(&vault);
        for wanted in [
            ("authorities", "a, b:1"),
            ("created", "1970-01-01T00:00:00.000Z"),
            ("retention", "7 days"),
            ("tenant", "adfs"),
            ("new", "[1]"),
            ("root generation", "3"),
            ("rotation", "rotating root 2 -> 3: resealing, 17 rows left; it waits: a token"),
        ] {
            assert!(fields.iter().any(|(n, v)| (*n, v.as_str()) == wanted), "{wanted:?}");
        }
    }
}
