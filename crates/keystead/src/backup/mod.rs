//! `keystead backup` and `keystead restore`: the whole vault, over HTTPS.
//!
//! - [`restore`]: back from a backup; [`place`]: where it is; [`wait`]: until the work has ended
//! - [`header`]: what a file of a backup says in the clear; [`inventory`]: what the vault holds, signed

mod header;
mod inventory;
mod log_proof;
mod place;
pub(crate) mod restore;
mod wait;

use crate::exit::Failure;
use crate::key::connection::ConnectionArgs;
use crate::key::view::Receipted;
use crate::key::{Session, Shown};
use crate::output::{self, or_dash, time};
use keystead_client::ListedJob;
use place::{FolderArgs, TokenArgs};
use std::path::PathBuf;

#[derive(clap::Args)]
#[command(after_help = "\
A backup holds the policy and all keys, live and deleted, sealed to the vault's
security domain. It goes to the server's own directory, or to a container of an
object store with a SAS token. The vault and the credential are found as
`keystead key --help` says.

Examples:
  keystead backup start
  keystead backup start --to https://account.blob.core.windows.net/backups --token-file sas.txt
  keystead backup verify mhsm-dev-2027013112000000
  keystead backup list --output json")]
pub(crate) struct Args {
    #[command(subcommand)]
    command: Command,
    #[command(flatten)]
    common: Common,
}

/// Where the commands go, and how results are shown.
#[derive(clap::Args)]
pub(crate) struct Common {
    #[command(flatten)]
    connection: ConnectionArgs,
    #[command(flatten)]
    shown: Shown,
}

impl Common {
    async fn session(&self) -> Result<Session, Failure> {
        Ok(Session { client: self.connection.client().await?, shown: self.shown })
    }
}

#[derive(clap::Subcommand)]
enum Command {
    /// Make a backup of the whole vault, and wait for its end
    Start(Start),
    /// Show how a backup stands, or what a file of one says in the clear
    Show(Show),
    /// Read a whole backup and prove it; nothing is changed
    Verify(Verify),
    /// List all that the vault holds, signed, for `keystead rehearse`
    Inventory(inventory::Inventory),
    /// List the newest backups and restores
    #[command(after_help = "Example:\n  keystead backup list")]
    List,
}

#[derive(clap::Args)]
#[command(after_help = "\
Example:
  keystead backup start --to https://account.blob.core.windows.net/backups --token-file sas.txt")]
struct Start {
    /// The container; else the server's own directory
    #[arg(long, value_name = "URL")]
    to: Option<String>,
    #[command(flatten)]
    token: TokenArgs,
    /// Only look whether a backup could be made
    #[arg(long)]
    check: bool,
    /// Do not wait for its end
    #[arg(long)]
    no_wait: bool,
}

impl Start {
    async fn run(self, session: &Session) -> Result<(), Failure> {
        let to = place::container(session, self.to.as_deref(), &self.token)?;
        let begun = session.client.start_backup(&to, self.check).await.map_err(|e| session.shown.failure(&e))?;
        wait::shown(session, wait::Kind::Backup, begun, self.no_wait).await
    }
}

#[derive(clap::Args)]
#[command(after_help = "\
Examples:
  keystead backup show 0123456789abcdef0123456789abcdef
  keystead backup show --file vault.ksbackup")]
struct Show {
    /// The job's id, as `start` and `list` print it
    #[arg(value_name = "JOB", required_unless_present = "file", conflicts_with = "file")]
    job: Option<String>,
    /// A file of a backup: what it says in the clear. No server is asked
    #[arg(long, value_name = "FILE")]
    file: Option<PathBuf>,
}

#[derive(clap::Args)]
#[command(after_help = "\
Examples:
  keystead backup verify mhsm-dev-2027013112000000
  keystead backup verify https://account.blob.core.windows.net/backups/mhsm-dev-2027013112000000 --token-file sas.txt

Every frame is opened: what was changed, cut off or is of another domain is named. Exit code 1 if it is not whole.")]
struct Verify {
    #[command(flatten)]
    folder: FolderArgs,
    /// Do not wait for its end
    #[arg(long)]
    no_wait: bool,
}

impl Verify {
    async fn run(self, session: &Session) -> Result<(), Failure> {
        let (from, folder) = self.folder.place(session)?;
        let begun = session.client.start_restore(&from, &folder, (true, false)).await;
        let begun = begun.map_err(|e| session.shown.failure(&e))?;
        wait::shown(session, wait::Kind::Restore, begun, self.no_wait).await
    }
}

/// Runs one command.
pub(crate) async fn run(args: Args) -> Result<(), Failure> {
    let common = args.common;
    match args.command {
        Command::Start(c) => c.run(&common.session().await?).await,
        Command::Verify(c) => c.run(&common.session().await?).await,
        Command::Show(Show { file: Some(file), .. }) => header::show(&file, common.shown),
        Command::Show(Show { job, .. }) => {
            let session = common.session().await?;
            let done = session.client.backup_job(&job.unwrap_or_default()).await;
            wait::print(&session, &done.map_err(|e| session.shown.failure(&e))?)
        }
        Command::Inventory(c) => c.run(&common).await,
        Command::List => list(&common.session().await?).await,
    }
}

async fn list(session: &Session) -> Result<(), Failure> {
    let done = session.client.backup_jobs().await.map_err(|e| session.shown.failure(&e))?;
    if session.shown.is_json() {
        let value = serde_json::json!({ "value": done.value });
        return output::json(&Receipted { value: &value, receipt: done.receipt.as_deref() });
    }
    output::table(&["job", "kind", "state", "started", "folder", "details"], done.value.iter().map(row))?;
    session.shown.receipt(done.receipt.as_deref());
    Ok(())
}

fn row(job: &ListedJob) -> Vec<String> {
    let kind = if job.check { format!("{} (check)", job.kind) } else { job.kind.clone() };
    let said = job.error.as_ref().map(|e| e.message.clone()).or_else(|| job.details.clone());
    let (id, state) = (job.id.clone(), job.state.clone());
    vec![id, kind, state, time::millis(job.started), or_dash(job.folder.as_ref()), or_dash(said)]
}

#[cfg(test)]
mod tests {
    use clap::Args as _;

    #[test]
    fn the_command_lines_are_consistent() {
        super::Args::augment_args(clap::Command::new("backup")).debug_assert();
        super::restore::Args::augment_args(clap::Command::new("restore")).debug_assert();
    }
}
