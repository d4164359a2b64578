//! A vault in a directory that goes away: store, journal and engine are those of a server, the activation and the
//! restore the same commands. Its root is in this memory and sealed to the domain; no unseal path wraps it.

use crate::config::LogSection;
use crate::domain::opened::Opened;
use crate::domain::recover::{record_for, transfer_for};
use crate::exit::Failure;
use crate::hsm::settings::HsmSection;
use crate::new_client::NewClient;
use crate::output;
use crate::setup::{Setup, Unheard, moment};
use crate::vault::policy::FirstPolicy;
use crate::watch::log::Level;
use keystead_access::PolicyDocument;
use keystead_custody::offer::TransferOffer;
use keystead_engine::{
    BackupPlace, Bounds, Command, DomainActivation, DomainFiles, InventoryPage, JobState, NewVault, ReadInventory,
    ReadRestore, StartRestore, Vault,
};
use keystead_identity::Proof;
use std::os::unix::fs::DirBuilderExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

/// The scratch directory: new, its owner's, and gone when this is dropped unless it is kept.
pub(super) struct Directory {
    path: PathBuf,
    keep: bool,
}

impl Directory {
    pub(super) fn new(path: &Path, keep: bool) -> Result<Self, Failure> {
        let made = std::fs::DirBuilder::new().mode(0o700).create(path);
        made.map_err(|e| {
            let shown = path.display();
            match e.kind() {
                std::io::ErrorKind::AlreadyExists => {
                    Failure::usage(format!("{shown} is there already: --scratch names a new directory"))
                }
                _ => Failure::usage(format!("cannot make the scratch directory {shown}: {e}")),
            }
        })?;
        Ok(Self { path: path.to_owned(), keep })
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }
}

impl Drop for Directory {
    fn drop(&mut self) {
        // What was broken off may be writing its last.
        let gone = |_| {
            let gone = std::fs::remove_dir_all(&self.path).is_ok() || !self.path.exists();
            if !gone {
                std::thread::sleep(Duration::from_millis(50));
            }
            gone
        };
        if !self.keep && !(0..20).any(gone) {
            output::note(&format!("remove {} yourself: it could not be removed", self.path.display()));
        }
    }
}

/// The vault in it.
pub(super) struct Scratch {
    node: Unheard,
    vault: Arc<Vault>,
    client: NewClient,
}

const NAME: &str = "rehearsal";
const AUTHORITY: &str = "rehearsal.invalid";
const CONTAINER: &str = "backup";
const FOLDER: &str = "given";

impl Scratch {
    /// Makes a vault and activates it with the domain, as a server and its customer do.
    pub(super) async fn activated(
        directory: &Path,
        opened: Opened,
        backup: &Path,
        hsms: Vec<HsmSection>,
    ) -> Result<Self, Failure> {
        let tokens: Vec<_> = hsms.iter().map(|hsm| hsm.name.clone()).collect();
        let node = node(directory, backup, hsms).await?;
        let record = &opened.record;
        let new = NewVault {
            name: NAME.to_owned(),
            kind: record.kind,
            authorities: vec![AUTHORITY.parse().map_err(|_| Failure::unavailable("no authority"))?],
            retention_days: record.retention_days,
            purge_protection: false,
            tenant: record.tenant.clone(),
            tokens: Vec::new(),
            policy: PolicyDocument::default(),
            quorum: true,
        };
        node.instance.create(new, moment(60)).await.map_err(|e| failed("a vault", e))?;
        let offer = node.instance.transfer_offer(NAME, false, moment(60)).await.map_err(|e| failed("an offer", e))?;
        let offer = TransferOffer::parse(&offer.file).map_err(|e| failed("an offer", e))?;
        let (client, policy) = policy();
        let document = policy.document()?;
        let policy = serde_json::to_value(&policy).map_err(|e| failed("a policy", e))?;
        let record = record_for(&opened, &offer, policy, (false, Vec::new()))?;
        let transfer = transfer_for(&opened, &offer)?;
        let Opened { file: security_domain, secrets, .. } = opened;
        drop(secrets);
        let domain = DomainFiles { record: record.to_bytes(), security_domain, transfer };
        let given = DomainActivation { domain, tokens, paths: Vec::new() };
        let read = move |_: &[u8]| Ok(document.clone());
        let activated = node.instance.activate_domain(NAME, given, &read, moment(120)).await;
        activated.map_err(|e| Failure::check(format!("the domain does not activate a vault: {e}")))?;
        let vault = node.instance.named(NAME).ok_or_else(|| Failure::unavailable("the vault was not made"))?;
        Ok(Self { node, vault, client })
    }

    /// Restores the backup, to its end.
    pub(super) async fn restore(&self) -> Result<(), Failure> {
        let from = BackupPlace { container: format!("https://{AUTHORITY}/{CONTAINER}"), token: None };
        let start = StartRestore { from, folder: FOLDER.to_owned(), check: false, rollback: false };
        let mut job = self.run(start).await?;
        let mut said = None;
        while job.state == JobState::Running {
            // Nothing else that is due: no key is to be rotated.
            self.node.instance.continue_jobs(|| moment(120)).await;
            let before = job.details.clone();
            job = self.run(ReadRestore { job: job.id }).await?;
            if job.details == before && job.state == JobState::Running {
                // A step was refused: it is tried again as a server's is.
                tokio::time::sleep(Duration::from_millis(100)).await;
            } else if job.details != said {
                said.clone_from(&job.details);
                output::note(&output::printable(said.as_deref().unwrap_or_default()));
            }
        }
        match job.error {
            None => Ok(()),
            Some((_, why)) => Err(Failure::check(format!("the backup does not restore: {why}"))),
        }
    }

    /// A page of what it holds now, each key used once.
    pub(super) async fn page(&self, after: Option<String>) -> Result<InventoryPage, Failure> {
        let after = after.map(|text| text.parse()).transpose();
        let after = after.map_err(|_| Failure::unavailable("a page begins nowhere"))?;
        self.run(ReadInventory { after, trial: true }).await
    }

    /// Lets go of the files.
    pub(super) async fn close(self) {
        self.node.close().await;
    }

    async fn run<C: Command>(&self, ask: C) -> Result<C::Output, Failure> {
        let at = moment(600);
        let proof = Proof::ClientSecret { client: &self.client.id, secret: &self.client.secret };
        let caller = self.vault.authenticate(proof, None, at.now).map_err(|e| failed("a caller", e))?;
        let answer = self.vault.run(caller, ask, at).await.map_err(|e| failed("an answer", e))?;
        answer.into_parts().1.map_err(|e| Failure::check(format!("in the scratch directory: {e}")))
    }
}

/// An administrator who never comes, so that the vault's own policy does not come back, and a client that restores.
fn policy() -> (NewClient, FirstPolicy) {
    let (nobody, client) = (NewClient::generate("nobody"), NewClient::generate("rehearsal"));
    let mut policy = FirstPolicy::default();
    policy.add(&nobody, &[]);
    policy.add(&client, &["Managed HSM Restore User".to_owned(), "Managed HSM Backup User".to_owned()]);
    (client, policy)
}

async fn node(directory: &Path, backup: &Path, hsms: Vec<HsmSection>) -> Result<Unheard, Failure> {
    let place = directory.join("backups").join(CONTAINER).join(FOLDER);
    crate::setup::directory(&place)?;
    let backup = std::fs::canonicalize(backup).map_err(|e| failed("a link to the backup", e))?;
    let link = std::os::unix::fs::symlink(backup, place.join("vault.ksbackup"));
    link.map_err(|e| failed("a link to the backup", e))?;
    let lines = LogSection { level: Level::Error, ..LogSection::default() };
    let setup = Setup::prepare(&directory.join("data"), lines, None)?;
    let setup = Setup { bounds: Bounds::NONE, backups: (Some(directory.join("backups")), Vec::new()), hsms, ..setup };
    setup.node().await
}

fn failed(what: &str, e: impl std::fmt::Display) -> Failure {
    Failure::unavailable(format!("the rehearsal cannot make {what}: {e}"))
}
