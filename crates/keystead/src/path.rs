//! `keystead path`: the unseal paths of a vault, over the operator's socket.

use crate::exit::Failure;
use crate::key::connection::{ProposeArgs, failure, proposed_or_failed};
use crate::output::{self, OutputArgs, time};
use crate::socket::SocketArgs;
use keystead_client::{PathInfo, PathReport};
use keystead_model::Name;

#[derive(clap::Args)]
#[command(after_help = "\
Examples:
  keystead path list payments
  keystead path add payments boot
  keystead path prove payments boot
  keystead path test payments boot
  keystead path remove payments file
  keystead path remove payments file --propose 'the disk is replaced'

A path is a `[[path]]` of the server's configuration, or `file`, which is its
`custody.key_file`. Who may open the socket is the operator.")]
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
    /// List a vault's paths and those it could have
    #[command(after_help = "Example:\n  keystead path list payments")]
    List(Vault),
    /// Wrap an open vault's root by another path, proven by opening
    #[command(after_help = "Example:\n  keystead path add payments boot")]
    Add(Proposable),
    /// Open every wrap of a path and hold it against the open vault; exit code 1 if one is another
    #[command(after_help = "Example:\n  keystead path prove payments boot")]
    Prove(Of),
    /// Do all that an unseal by this path does, and change nothing; exit code 1 if it would not open
    #[command(after_help = "Example:\n  keystead path test payments boot")]
    Test(Of),
    /// Destroy a path's wraps of an open vault, and its key where that is the vault's alone
    #[command(after_help = "Example:\n  keystead path remove payments file --propose 'the disk is replaced'")]
    Remove(Proposable),
}

#[derive(clap::Args)]
struct Proposable {
    #[command(flatten)]
    of: Of,
    #[command(flatten)]
    proposing: ProposeArgs,
}

#[derive(clap::Args)]
struct Vault {
    /// Which vault
    #[arg(value_parser = name)]
    vault: Name,
}

#[derive(clap::Args)]
struct Of {
    /// Which vault
    #[arg(value_parser = name)]
    vault: Name,
    /// Which path
    #[arg(value_parser = name)]
    path: Name,
}

fn name(text: &str) -> Result<Name, String> {
    Name::parse(text).map_err(|e| e.to_string())
}

pub(crate) async fn run(args: Args) -> Result<(), Failure> {
    let (client, shown) = (args.socket.client(), args.output);
    let failed = |e| failure(&e);
    match args.command {
        Command::List(of) => list(&client.paths(&of.vault).await.map_err(failed)?.value, shown),
        Command::Add(Proposable { of, proposing }) => {
            let done = match proposing.get() {
                Some(proposing) => client.propose_path_addition(&of.vault, &of.path, proposing).await,
                None => client.add_path(&of.vault, &of.path).await,
            };
            list(&done.map_err(|e| proposed_or_failed(&e, shown))?.value, shown)
        }
        Command::Remove(Proposable { of, proposing }) => {
            let done = match proposing.get() {
                Some(proposing) => client.propose_path_removal(&of.vault, &of.path, proposing).await,
                None => client.remove_path(&of.vault, &of.path).await,
            };
            list(&done.map_err(|e| proposed_or_failed(&e, shown))?.value, shown)
        }
        Command::Prove(of) => report(&client.prove_path(&of.vault, &of.path).await.map_err(failed)?.value, shown),
        Command::Test(of) => report(&client.test_path(&of.vault, &of.path).await.map_err(failed)?.value, shown),
    }
}

fn list(paths: &[PathInfo], shown: OutputArgs) -> Result<(), Failure> {
    if shown.is_json() {
        return output::json(&serde_json::json!({ "paths": paths }));
    }
    let row = |path: &PathInfo| {
        let state = match (path.of_vault, path.configured) {
            (true, true) => "opens the vault",
            (true, false) => "of the vault, not configured here",
            (false, _) => "not of the vault",
        };
        vec![path.name.clone(), path.kind.clone(), state.to_owned(), output::or_dash(path.added.map(time::millis))]
    };
    output::table(&["name", "kind", "state", "added"], paths.iter().map(row))
}

fn report(report: &PathReport, shown: OutputArgs) -> Result<(), Failure> {
    let why = report.why.clone().unwrap_or_default();
    if shown.is_json() {
        output::json(report)?;
    } else if let Some(generation) = report.generation {
        output::text(&format!("{} opens root generation {generation}", report.name))?;
    }
    if report.ok { Ok(()) } else { Err(Failure::check(format!("{} does not open the vault: {why}", report.name))) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::Args as _;

    #[test]
    fn the_command_line_is_consistent() {
        Args::augment_args(clap::Command::new("path")).debug_assert();
    }
}
