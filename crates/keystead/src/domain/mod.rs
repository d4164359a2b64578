//! `keystead domain`: the security domain of a vault, made by the customer on a machine of his own, without a network.
//!
//! - [`new`]: makes one; [`recover`]: gives one to another vault; [`show`]: what one says, for people to compare;
//!   [`parties`]: who needs which of its files
//! - `approvals`: what a recovery would lose of them
//! - [`files`]: where its parts stand; [`opened`]: its custodians open it here, or [`gather`] from elsewhere

mod approvals;
pub(crate) mod files;
mod gather;
mod new;
pub(crate) mod opened;
mod parties;
pub(crate) mod recover;
pub(crate) mod show;

use crate::exit::Failure;
use crate::output::OutputArgs;

#[derive(clap::Args)]
#[command(after_help = "\
Examples:
  keystead domain new --custodian alice.pem --custodian bob.pem \\
    --custodian carol.pem --quorum 2 --transfer-key payments.offer.json \\
    --policy policy.toml --out payments-domain
  keystead domain show payments-domain

All of it runs on a machine of the customer's, without a network.")]
pub(crate) struct Args {
    #[command(subcommand)]
    command: Command,
    #[command(flatten)]
    output: OutputArgs,
}

#[derive(clap::Subcommand)]
enum Command {
    /// Make the security domain and the activation record of a vault, offline
    New(Box<new::New>),
    /// Give a security domain to a vault that waits, on another server: its custodians open it here, offline
    Recover(Box<recover::Recover>),
    /// Show what a security domain or an activation record says, with the words to compare; of a directory, also who
    /// needs which of its files, and for what
    Show(show::Show),
}

/// Runs one command.
pub(crate) fn run(args: Args) -> Result<(), Failure> {
    match args.command {
        Command::New(new) => new.run(args.output),
        Command::Recover(recover) => recover.run(args.output),
        Command::Show(show) => show.run(args.output),
    }
}

#[cfg(test)]
mod tests {
    use clap::Args as _;

    #[test]
    fn the_command_line_is_consistent() {
        super::Args::augment_args(clap::Command::new("domain")).debug_assert();
    }
}
