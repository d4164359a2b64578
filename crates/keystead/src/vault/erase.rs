//! `keystead vault erase`: destroys a vault and tells what copies of its store are still worth.

use super::{name, quorum};
use crate::exit::Failure;
use crate::key::connection::{ProposeArgs, proposed_or_failed};
use crate::output::{self, OutputArgs};
use keystead_client::{CopyInfo, ErasedInfo, OperatorClient};
use keystead_model::Name;

#[derive(clap::Args)]
#[command(after_help = "\
Examples:
  keystead vault erase payments --confirm payments

The vault must be open, so that its purge protection is known, or never have
been activated. Every wrap of its root, its rows, its resident keys in tokens
and the keys of its unseal paths that are its alone are destroyed. Copies of
the store from before are not reached: each path is then tried against what
such a copy holds, and the answer is printed. The audit log stays.")]
pub(super) struct Erase {
    /// Which vault
    #[arg(value_parser = name)]
    name: Name,
    /// Its name again
    #[arg(long, value_name = "NAME", value_parser = name)]
    confirm: Name,
    #[command(flatten)]
    proposing: ProposeArgs,
}

impl Erase {
    pub(super) async fn run(self, client: &OperatorClient, shown: OutputArgs) -> Result<(), Failure> {
        if self.confirm != self.name {
            return Err(Failure::usage("--confirm is not the name of the vault: nothing was done"));
        }
        let erased = client.erase_vault(&self.name, self.proposing.get()).await;
        let erased = erased.map_err(|e| proposed_or_failed(&e, shown))?.value;
        if shown.is_json() { output::json(&erased) } else { told(&self.name, &erased) }
    }
}

fn told(name: &Name, erased: &ErasedInfo) -> Result<(), Failure> {
    let ErasedInfo { vault, keys, copies, custodians, left, approved } = erased;
    output::text(&format!("{name} is erased: {keys} keys, and all by which the server could open it (vault {vault})"))?;
    if let Some(custodians) = custodians {
        let all = quorum::in_words(custodians);
        output::text(&format!("copies of its store from before, and its backups: its custodians open them ({all})"))?;
    }
    for CopyInfo { path, kind, opens } in copies {
        let worth = match opens {
            Some(true) => "still opened by",
            Some(false) => "no longer opened by",
            None => "not tried, for this is not configured here:",
        };
        output::text(&format!("copies of its store from before: {worth} the unseal path '{path}' ({kind})"))?;
    }
    left.iter().try_for_each(|what| output::text(&format!("left: {what}")))?;
    let Some(approved) = approved else { return Ok(()) };
    output::text("what approved it, which the server has no more; `keystead approval verify --file` checks it:")?;
    output::json(approved)
}
