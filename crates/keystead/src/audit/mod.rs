//! `keystead audit`: who did what, and whether the log that says so is whole.
//!
//! - [`tail`], [`search`], [`last_use`]: records with names, by a caller who may read them; [`pages`]: how they are
//!   read; [`record`]: one of them
//! - [`verify`]: a server's audit directory, offline
//! - [`prove`], [`checkpoint`]: what anybody can check without a token
//! - [`log`]: a log's checkpoint and tiles, in a directory or at a vault; [`trust`]: what is accepted as its next
//!   checkpoint; [`kept`]: those that were, on this machine

mod checkpoint;
mod kept;
mod last_use;
pub(crate) mod log;
mod pages;
pub(crate) mod prove;
mod record;
mod search;
mod tail;
mod trust;
mod verify;

pub(crate) use last_use::last_use;

use crate::exit::Failure;

#[derive(clap::Args)]
#[command(after_help = "\
Examples:
  keystead audit tail -n 50
  keystead audit search --key payments --action keys/sign --since 2026-01-01
  keystead audit verify --data ./keystead-dev
  keystead audit prove 1.0123456789abcdef0123456789abcdef.7.AbCd...
  keystead audit checkpoint

The newest checkpoint of each log that was seen is kept in
${XDG_STATE_HOME:-~/.local/state}/keystead/checkpoints. The key that signed
the first is trusted from then on; truncation, fork and rollback are found
against them.")]
pub(crate) struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(clap::Subcommand)]
enum Command {
    /// Show the newest records (needs the role Keystead Audit Reader)
    Tail(tail::Tail),
    /// Find records by what they say (needs the role Keystead Audit Reader)
    Search(search::Search),
    /// Check a server's whole audit directory, offline
    Verify(verify::Verify),
    /// Prove that the record of a receipt stands in the log
    Prove(prove::Prove),
    /// Print the log's signed checkpoint, and keep it
    Checkpoint(checkpoint::Print),
}

/// Runs one command.
pub(crate) async fn run(args: Args) -> Result<(), Failure> {
    match args.command {
        Command::Tail(c) => c.run().await,
        Command::Search(c) => c.run().await,
        Command::Verify(c) => c.run(),
        Command::Prove(c) => c.run().await,
        Command::Checkpoint(c) => c.run().await,
    }
}

#[cfg(test)]
mod tests {
    use clap::Args as _;

    #[test]
    fn the_command_line_is_consistent() {
        super::Args::augment_args(clap::Command::new("audit")).debug_assert();
    }
}
