//! `keystead restore`.

use super::place::FolderArgs;
use super::{Common, wait};
use crate::exit::Failure;
use crate::key::{Session, words};
use keystead_model::Name;

#[derive(clap::Args)]
#[command(after_help = "\
A restore makes the vault what it was: keys become as they were, keys that the
backup has not are deleted and can be recovered, no version of a key is lost.
Where that takes back what was changed since the backup, say --rollback. The
policy comes back only if an administrator of the vault restores.

Examples:
  keystead restore start mhsm-dev-2027013112000000
  keystead restore start https://account.blob.core.windows.net/backups/mhsm-dev-2027013112000000 --token-file sas.txt
  keystead restore key payments mhsm-dev-2027013112000000")]
pub(crate) struct Args {
    #[command(subcommand)]
    command: Command,
    #[command(flatten)]
    common: Common,
}

#[derive(clap::Subcommand)]
enum Command {
    /// Restore the whole vault, and wait for its end
    Start(Start),
    /// Restore one key, deleted or purged as it may be; what there is of it stays
    Key(Key),
    /// Show how a restore stands
    Show(Show),
}

#[derive(clap::Args)]
#[command(after_help = "\
Example:
  keystead restore start mhsm-dev-2027013112000000 --rollback")]
struct Start {
    #[command(flatten)]
    folder: FolderArgs,
    /// Take back what was changed since the backup
    #[arg(long)]
    rollback: bool,
    /// Do not wait for its end
    #[arg(long)]
    no_wait: bool,
}

impl Start {
    async fn run(self, session: &Session) -> Result<(), Failure> {
        let (from, folder) = self.folder.place(session)?;
        let begun = session.client.start_restore(&from, &folder, (false, self.rollback)).await;
        wait::shown(session, wait::Kind::Restore, begun.map_err(|e| session.shown.failure(&e))?, self.no_wait).await
    }
}

#[derive(clap::Args)]
#[command(after_help = "\
Example:
  keystead restore key payments mhsm-dev-2027013112000000")]
struct Key {
    /// Which key
    #[arg(value_parser = words::name)]
    name: Name,
    #[command(flatten)]
    folder: FolderArgs,
    /// Do not wait for its end
    #[arg(long)]
    no_wait: bool,
}

impl Key {
    async fn run(self, session: &Session) -> Result<(), Failure> {
        let (from, folder) = self.folder.place(session)?;
        let begun = session.client.start_key_restore(&self.name, &from, &folder).await;
        wait::shown(session, wait::Kind::Restore, begun.map_err(|e| session.shown.failure(&e))?, self.no_wait).await
    }
}

#[derive(clap::Args)]
#[command(after_help = "\
Example:
  keystead restore show 0123456789abcdef0123456789abcdef")]
struct Show {
    /// The job's id
    job: String,
}

/// Runs one command.
pub(crate) async fn run(args: Args) -> Result<(), Failure> {
    let session = args.common.session().await?;
    match args.command {
        Command::Start(c) => c.run(&session).await,
        Command::Key(c) => c.run(&session).await,
        Command::Show(c) => {
            let done = session.client.restore_job(&c.job).await.map_err(|e| session.shown.failure(&e))?;
            wait::print(&session, &done)
        }
    }
}
