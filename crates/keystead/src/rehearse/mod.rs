//! `keystead rehearse`: whether what a customer keeps would bring his vault back, tried on a machine of his own.
//!
//! - [`scratch`]: a real store with the real engine in a directory that goes away again
//! - [`inventory`]: what the live vault said it holds; [`compare`]: what of it did not come back; [`log`]: how the
//!   checkpoints stand to each other; [`report`]: the end

mod compare;
mod inventory;
mod log;
mod report;
mod scratch;

use crate::compare::{NODE, agree};
use crate::config;
use crate::domain::opened::{Opened, QuorumArgs};
use crate::exit::Failure;
use crate::output::{self, OutputArgs, time};
use compare::Comparison;
use inventory::{About, Inventory};
use keystead_crypto::sealed::{Sealer, Usage};
use keystead_custody::BackupKey;
use keystead_engine::{NotTold, Told};
use keystead_formats::backup::{Header, MAX_START, Said};
use keystead_model::{VaultId, VaultKind};
use report::Report;
use scratch::Scratch;
use std::fs::File;
use std::io::{Read as _, Seek as _, SeekFrom};
use std::path::{Path, PathBuf};
use tokio::signal::unix::{SignalKind, signal};

#[derive(clap::Args)]
#[command(after_help = "\
Examples:
  keystead backup inventory --out inventory.json           (at the live vault)
  keystead rehearse --domain payments-domain --key alice.key.pem --key bob.key.pem \\
    --backup vault.ksbackup --inventory inventory.json --scratch /tmp/rehearsal
  keystead rehearse ... --hsm tokens.toml --output json

No server is asked. The custodians' keys open the domain, the domain opens the
backup, the backup is restored in the scratch directory by the same code that a
server restores with, and each key is used once. Then all of it is held against
the inventory: keys, policy, settings, and the head of the log. Exit code 0
only if everything is there, the same, and works. A key that is resident in a
token is in no backup: it is told, and no difference. A node that the activation
record does not name needs its words compared; --node says so without asking.

The directory is made for this and removed at the end. What is in it is sealed
to the domain; nothing on the machine's disk opens it.")]
pub(crate) struct Args {
    /// The directory of the security domain, as `domain new` made it
    #[arg(long, value_name = "DIR")]
    domain: PathBuf,
    #[command(flatten)]
    custodians: QuorumArgs,
    /// The backup
    #[arg(long, value_name = "FILE")]
    backup: PathBuf,
    /// What the live vault holds, as `keystead backup inventory` wrote it; without, nothing is compared
    #[arg(long, value_name = "FILE")]
    inventory: Option<PathBuf>,
    /// The words of the node that signed the inventory, as its operator reads them to you, if the record does not name
    /// it; without, you are asked
    #[arg(long, value_name = "WORDS", requires = "inventory")]
    node: Option<String>,
    /// A new directory, which is removed at the end
    #[arg(long, value_name = "DIR")]
    scratch: PathBuf,
    /// Keep the scratch directory
    #[arg(long)]
    keep: bool,
    /// A file with sections `[[hsm]]` as in docs/keystead.example.toml: empty tokens for the keys of an HSM
    #[arg(long, value_name = "FILE")]
    hsm: Option<PathBuf>,
    #[command(flatten)]
    output: OutputArgs,
}

/// Runs the command. Whatever ends it, the scratch directory goes.
pub(crate) async fn run(args: Args) -> Result<(), Failure> {
    let opened = args.custodians.open(&args.domain)?;
    let (required, custodians) = (opened.record.quorum.required(), opened.record.custodians.len());
    let (domain, name) = (opened.record.domain_public.id(), &opened.record.name);
    output::note(&format!("{required} of {custodians} custodians opened the security domain {domain} of '{name}'"));
    let (said, told) = backup_of(&args.backup, &opened)?;
    output::note(&format!("the domain's key opens the backup of {}", time::millis(said.taken)));
    let inventory = match &args.inventory {
        Some(file) => Some(Inventory::read(file, &opened.record, VaultId::from_bytes(*said.domain))?),
        None => None,
    };
    if let Some(Inventory { about, .. }) = &inventory {
        believe(about, args.node.as_deref())?;
    }
    let hsms = args.hsm.as_deref().map(config::read_hsm).transpose()?.unwrap_or_default();
    if opened.record.kind == VaultKind::Hsm && hsms.is_empty() {
        return Err(Failure::usage("the vault is of kind hsm: name empty tokens for its keys (--hsm FILE)"));
    }
    let directory = scratch::Directory::new(&args.scratch, args.keep)?;
    let work = rehearsed(&args, opened, (said, told), inventory, hsms, &directory);
    let mut stop =
        signal(SignalKind::terminate()).map_err(|e| Failure::unavailable(format!("cannot be told to stop: {e}")))?;
    let report = tokio::select! {
        done = work => done?,
        _ = tokio::signal::ctrl_c() => return Err(Failure::unavailable("the rehearsal was broken off")),
        _ = stop.recv() => return Err(Failure::unavailable("the rehearsal was broken off")),
    };
    drop(directory);
    report.print(args.output)?;
    report.verdict()
}

async fn rehearsed(
    args: &Args,
    opened: Opened,
    (said, told): (Said, Told),
    inventory: Option<Inventory>,
    hsms: Vec<crate::hsm::settings::HsmSection>,
    directory: &scratch::Directory,
) -> Result<Report, Failure> {
    let (quorum, domain) = (opened.record.quorum, opened.record.domain_public.id());
    let scratch = Scratch::activated(directory.path(), opened, &args.backup, hsms).await?;
    output::note("a vault in the scratch directory has the domain");
    scratch.restore().await?;
    output::note("the backup is restored; each key is used once");
    let (about, mut comparison) = match inventory {
        Some(Inventory { about, keys }) => (Some(about), Comparison::with(keys)),
        None => (None, Comparison::without()),
    };
    let mut after = None;
    loop {
        let page = scratch.page(after).await?;
        page.page.objects.into_iter().for_each(|object| comparison.see(object));
        page.failed.into_iter().for_each(|(key, version, why)| comparison.failed(key, version.to_string(), why));
        match page.page.next {
            None => break,
            Some(next) => after = Some(next),
        }
    }
    scratch.close().await;
    if let Some(about) = &about {
        compare_vault(&mut comparison, about, &said, &told);
    }
    Ok(Report::new((quorum, domain), &said, about, comparison.end()))
}

/// Anybody can sign an inventory with a key of his own: the signer must be a node that the record names, or one whose
/// words were compared.
fn believe(about: &About, given: Option<&str>) -> Result<(), Failure> {
    if about.node_known && given.is_none() {
        return Ok(());
    }
    let agreed = agree(&about.node_words, given, NODE);
    // Where nobody can be asked it is no matter of the command line: this inventory proves nothing.
    agreed.map_err(|failure| Failure::check(failure.into_message()))
}

/// What a vault is besides its keys.
fn compare_vault(comparison: &mut Comparison, about: &About, said: &Said, told: &Told) {
    if let Some(live) = &about.told {
        if live.policy != told.policy {
            comparison.vault("(policy)", "the policy in the backup is not the one that the inventory speaks of");
        }
        if live.settings != told.settings {
            comparison.vault("(settings)", "kind, retention or purge protection are not those of the inventory");
        }
    }
    if VaultId::from_bytes(*said.vault).to_string() != about.vault {
        comparison.vault("(vault)", "the inventory is of another vault of the domain: take one of the backup's own");
    }
    if let Some(why) = log::wrong(said, about) {
        comparison.vault("(log)", why);
    }
}

/// What the header and the first frame say, if the domain's private key alone opens the backup, and the blob key opens
/// the same.
fn backup_of(file: &Path, opened: &Opened) -> Result<(Said, Told), Failure> {
    let shown = file.display();
    let failed = |e| Failure::usage(format!("cannot read {shown}: {e}"));
    let (mut start, most) = (Vec::new(), u64::try_from(MAX_START).unwrap_or(u64::MAX));
    File::open(file).map_err(failed)?.take(most).read_to_end(&mut start).map_err(failed)?;
    let (header, length) = Header::parse(&start).map_err(|e| Failure::check(format!("{shown}: {e}")))?;
    let damaged = || Failure::check(format!("{shown}: its header was altered: take another copy"));
    let said = header.said().ok_or_else(damaged)?;
    let (domain, own) = (VaultId::from_bytes(*said.domain), opened.secrets.working.domain);
    if domain != own {
        return Err(Failure::check(format!(
            "{shown} is a backup of the security domain {}, and the custodians opened {}: give the domain that the \
             backup is of",
            said.domain_name(),
            opened.record.domain_public.id()
        )));
    }
    let key = opened.secrets.key.open_backup(domain, &header.said, &header.sealed_key).map_err(|_| damaged())?;
    let blobs = Sealer::new(opened.secrets.working.blob.expose(), Usage::Backup, 1);
    let same = BackupKey::unwrap(&blobs, domain, *said.id, &header.said, &header.wrapped_key);
    let same = same.is_ok_and(|other| keystead_crypto::same(other.expose(), key.expose()));
    if !same {
        return Err(damaged());
    }
    start.truncate(length);
    let told = Told::in_backup(&start, &key, |at, most| {
        let mut from = File::open(file)?;
        from.seek(SeekFrom::Start(at))?;
        let mut bytes = Vec::new();
        from.take(u64::try_from(most).unwrap_or(u64::MAX)).read_to_end(&mut bytes)?;
        Ok(bytes)
    });
    let told = told.map_err(|e| match e {
        NotTold::Io(e) => failed(e),
        NotTold::Backup(e) => Failure::check(format!("{shown}: {e}")),
    })?;
    Ok((said, told))
}

#[cfg(test)]
mod tests {
    use clap::Args as _;

    #[test]
    fn the_command_line_is_consistent() {
        super::Args::augment_args(clap::Command::new("rehearse")).debug_assert();
    }
}
