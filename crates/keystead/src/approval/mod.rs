//! `keystead approval`: what was proposed to a vault's approvers, and their signatures.
//!
//! - [`show`]: what there is; [`vote`]: signing and bringing it, with a [`key`]; [`verify`]: checking without a server
//! - [`rules`]: who approves what; [`file`]: proposals and signatures in files

mod file;
mod key;
mod rules;
mod show;
mod verify;
mod vote;

use crate::exit::Failure;
use crate::key::connection::ConnectionArgs;
use crate::key::{Session, Shown};
use serde_json::Value;

#[derive(clap::Args)]
#[command(after_help = "\
An operation for which the vault's policy asks for approvals is proposed with
--propose REASON, signed by approvers, and then done by whoever proposed it, with
the same command without --propose. What counts is the signature of an approver's
key: it can be made on a machine without network, and brought by anybody who may.

Examples:
  keystead key purge payments --yes --propose 'replaced by payments-2'
  keystead approval show ID
  keystead approval approve ID --key alice.pem
  keystead key purge payments --yes

With a key in a token: --pkcs11 /usr/lib/opensc-pkcs11.so --label alice
--pin-file pin in place of --key.

  keystead approval show ID --out proposal.json
  keystead approval sign --file proposal.json --key alice.pem --out alice.vote.json
  keystead approval submit ID alice.vote.json
  keystead approval verify --file proposal.json --approver alice.pub.pem --approver bob.pub.pem --needed 2
  keystead audit search --action approvals/vote --output json > votes.json
  keystead approval verify --file proposal.json --records votes.json --approvers rules.toml")]
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
    /// List what was proposed, the newest first
    #[command(after_help = "Example:\n  keystead approval list --output json")]
    List,
    /// Show a proposal, and exactly what its approvers sign
    Show(show::Show),
    /// Sign that it may be done
    #[command(after_help = "Example:\n  keystead approval approve 0123456789abcdef0123456789abcdef --key alice.pem")]
    Approve(vote::Vote),
    /// Sign that it may not be done
    #[command(after_help = "Example:\n  keystead approval reject 0123456789abcdef0123456789abcdef --key alice.pem")]
    Reject(vote::Vote),
    /// Sign a proposal from a file, without a server
    Sign(vote::Sign),
    /// Bring a signature that was made elsewhere
    Submit(vote::Submit),
    /// Check a proposal's signatures against approvers' public keys; exit code 1 if they do not hold
    Verify(verify::Verify),
    /// Show who approves what, or say it
    Rules(rules::Rules),
}

/// Runs one command.
pub(crate) async fn run(args: Args) -> Result<(), Failure> {
    let shown = args.shown;
    let connect = async || Ok::<_, Failure>(Session { client: args.connection.client().await?, shown });
    match args.command {
        Command::List => show::list(&connect().await?).await,
        Command::Show(c) => c.run(&connect().await?).await,
        Command::Approve(c) => c.run(&connect().await?, keystead_access::Verdict::Approve).await,
        Command::Reject(c) => c.run(&connect().await?, keystead_access::Verdict::Reject).await,
        Command::Sign(c) => c.run(shown).await,
        Command::Submit(c) => c.run(&connect().await?).await,
        Command::Verify(c) => match c.id() {
            Some(id) => {
                let session = connect().await?;
                let done = session.client.proposal(id).await.map_err(|e| shown.failure(&e))?;
                c.run(file::Exported::of(&done.value)?, shown)
            }
            None => c.run(c.read()?, shown),
        },
        Command::Rules(c) => c.run(&connect().await?).await,
    }
}

/// What to do after something was proposed.
pub(crate) fn told(proposal: &Value) -> String {
    let member = |path: &str| {
        let text = proposal.pointer(path).and_then(Value::as_str).unwrap_or_default();
        crate::output::printable(text)
    };
    let needed = proposal.pointer("/needed").and_then(Value::as_u64).unwrap_or_default();
    let id = member("/proposal/id");
    format!(
        "proposed {} on {} as {id}: it needs {needed} approvals (`keystead approval approve {id} --key FILE`); then \
         repeat the command without --propose",
        member("/proposal/operation"),
        member("/proposal/target"),
    )
}

#[cfg(test)]
pub(crate) use file::fuzz;

#[cfg(test)]
mod tests {
    use clap::Args as _;

    #[test]
    fn the_command_line_is_consistent() {
        super::Args::augment_args(clap::Command::new("approval")).debug_assert();
    }
}
