//! `keystead domain recover`: a domain goes on in another vault, under another authority. Nothing of the domain
//! changes: its key pair, its file and its custodians are the same. The record is new, as it says what the new vault
//! is.

use super::approvals;
use super::files::{DOMAIN, RECORD, TRANSFER};
use super::new::{agreed, offer, print};
use super::opened::{Opened, QuorumArgs};
use crate::exit::Failure;
use crate::new_files;
use crate::output::OutputArgs;
use crate::vault::policy::FirstPolicy;
use keystead_custody::activation::{ActivationRecord, AllowedPath};
use keystead_custody::offer::TransferOffer;
use keystead_custody::send_working_keys;
use keystead_model::VaultKind;
use std::path::PathBuf;

#[derive(clap::Args)]
#[command(after_help = "\
Example:
  keystead domain recover --domain payments-domain --key alice.key.pem --key bob.key.pem \\
    --transfer-key new.offer.json --policy policy.toml --out recovered-domain

Run it on a machine of your own that has no network. The vault that waits takes
the domain over (`keystead vault activate --domain recovered-domain`): backups
of the old vault restore in it, and the same custodians open it. The policy
names who administers it from then on, and who approves what: no restore brings
approvers and rules back. You are asked whether the words of the node are those
that the operator reads from the new server; --node says so without asking.")]
pub(crate) struct Recover {
    /// The directory of the security domain, as `domain new` made it
    #[arg(long, value_name = "DIR")]
    domain: PathBuf,
    #[command(flatten)]
    custodians: QuorumArgs,
    /// What the vault that waits says of itself, as its server wrote it
    #[arg(long, value_name = "FILE")]
    transfer_key: PathBuf,
    /// The words of the new server's node, as its operator reads them to you; without, you are asked
    #[arg(long, value_name = "WORDS")]
    node: Option<String>,
    /// The first policy of the new vault, as for `keystead vault create`
    #[arg(long, value_name = "FILE.toml")]
    policy: PathBuf,
    /// Nobody may purge before the retention has passed; always so if the old vault had it
    #[arg(long)]
    purge_protection: bool,
    /// An unseal path that may open the new vault besides its custodians; repeat: without it, none may
    #[arg(long, value_name = "NAME:KIND")]
    allow_path: Vec<AllowedPath>,
    /// The policy names no approvers, and the old vault's did: what those had to approve needs nobody's approval
    #[arg(long)]
    without_approvals: bool,
    /// A new directory for what is made
    #[arg(long, value_name = "DIR")]
    out: PathBuf,
}

impl Recover {
    pub(crate) fn run(self, shown: OutputArgs) -> Result<(), Failure> {
        let offer = offer(&self.transfer_key)?;
        let policy = FirstPolicy::read(&self.policy)?;
        policy.check()?;
        agreed(&offer, self.node.as_deref())?;
        let policy = serde_json::to_value(policy)
            .map_err(|e| Failure::unavailable(format!("the policy cannot be written as JSON: {e}")))?;
        let opened = self.custodians.open(&self.domain)?;
        approvals::kept(&opened.record.policy, &policy, self.without_approvals)?;
        let record = record_for(&opened, &offer, policy, (self.purge_protection, self.allow_path))?;
        let transfer = transfer_for(&opened, &offer)?;
        let (file, record_bytes) = (opened.file, record.to_bytes());
        new_files::write_directory(&self.out, &[(DOMAIN, &file), (RECORD, &record_bytes), (TRANSFER, &transfer)])?;
        print(&self.out, &record, &offer, shown)
    }
}

/// What the vault of this offer is to be, in the domain that was opened.
pub(crate) fn record_for(
    opened: &Opened,
    offer: &TransferOffer,
    policy: serde_json::Value,
    (purge_protection, paths): (bool, Vec<AllowedPath>),
) -> Result<ActivationRecord, Failure> {
    if offer.kind == VaultKind::Hsm && opened.secrets.working.wrapping.is_none() {
        return Err(Failure::usage(
            "the domain has no key for an HSM, and the vault that waits is of kind hsm: let the operator make one of \
             kind vault",
        ));
    }
    let record = ActivationRecord {
        vault: offer.vault,
        name: offer.name.clone(),
        kind: offer.kind,
        authorities: offer.authorities.clone(),
        tenant: offer.tenant.clone(),
        retention_days: offer.retention_days,
        purge_protection: purge_protection || opened.record.purge_protection,
        policy,
        nodes: vec![offer.node],
        // Those of the old vault are another operator's.
        paths,
        ..opened.record.clone()
    };
    record.check().map_err(|e| Failure::usage(e.to_string()))?;
    Ok(record)
}

/// What the vault of this offer works with, for its transfer key.
pub(crate) fn transfer_for(opened: &Opened, offer: &TransferOffer) -> Result<Vec<u8>, Failure> {
    let blob = send_working_keys(&opened.secrets.working, &offer.transfer_key);
    Ok(blob.map_err(|e| Failure::unavailable(e.to_string()))?.to_json().into_bytes())
}
