//! A vault gets the domain that its customer made: from here on it has a root, which only his custodians and the paths
//! that were asked for open. Everything that was given must agree, or nothing is changed.

use super::{CUSTODY, Instance, QUORUM, VaultSummary, summary};
use crate::birth::{self, Custodians, Domain};
use crate::error::Refusal;
use crate::info::VaultInfo;
use crate::opening;
use crate::operate::OperateError;
use crate::room::digest;
use crate::vault::Vault;
use keystead_access::PolicyDocument;
use keystead_custody::activation::{ActivationRecord, BadActivation};
use keystead_custody::{DomainError, Restored, WorkingKeys, receive};
use keystead_formats::security_domain::{BadSecurityDomain, RestoreBlob, SecurityDomain};
use keystead_model::{Action, Moment, VaultId, VaultKind, VaultStatus};
use keystead_store::Kind;
use std::sync::Arc;

/// The domain that the customer made, in the files as he sent them.
pub struct DomainFiles {
    /// The activation record.
    pub record: Vec<u8>,
    /// The security domain.
    pub security_domain: Vec<u8>,
    /// The working keys, for the transfer key.
    pub transfer: Vec<u8>,
}

/// What a vault gets that waits for its customer's domain.
pub struct DomainActivation {
    /// The domain.
    pub domain: DomainFiles,
    /// The names of the tokens of its HSM, in the order in which they are asked.
    pub tokens: Vec<String>,
    /// The names of the unseal paths that open it besides its custodians.
    pub paths: Vec<String>,
}

/// Why what was given does not activate the vault.
#[derive(Debug, thiserror::Error)]
pub enum NotActivated {
    /// The record is none.
    #[error("{0}")]
    Record(BadActivation),
    /// The record is of another vault.
    #[error("the {0} in the activation record is not the vault's: make the domain with the offer of this vault")]
    Differs(&'static str),
    /// The security domain is none, or what was sent along.
    #[error("the {what}: {why}")]
    File {
        /// Which file.
        what: &'static str,
        /// Why.
        why: BadSecurityDomain,
    },
    /// Record and file do not belong together.
    #[error(
        "the security domain is not the one of which the activation record speaks: give both as `domain new` wrote them"
    )]
    OtherDomain,
    /// There is no transfer key.
    #[error("no transfer key is there: get an offer, and make the domain with it (a restart makes another key)")]
    NoTransferKey,
    /// What was sent does not open.
    #[error("the keys that were sent along: {0}")]
    NotReceived(DomainError),
    /// More than a server may have was sent.
    #[error(
        "the domain's private key was sent along, which no server of such a vault may have: destroy that \
         file and the domain"
    )]
    PrivateKey,
    /// Other keys were sent than the custodians confirm.
    #[error("the keys that were sent along are not those of which the activation record speaks")]
    OtherKeys,
    /// The policy cannot be read.
    #[error("the policy in the activation record: {0}")]
    Policy(String),
    /// A domain that the vault has, or that was born with it.
    #[error(
        "the domain has an id that is in use, and what is bound to it would be taken for the new one's: make the \
         domain with an offer that `keystead vault offer --replace` wrote"
    )]
    UsedDomain,
    /// A path of which the custodians do not know.
    #[error(
        "the activation record does not allow the unseal path '{0}': make the domain with `--allow-path {0}`, or do \
         without the path (`keystead path remove`)"
    )]
    Path(String),
    /// Keys of its HSM that the new custodians could not bring back.
    #[error(
        "the domain has not the key that wraps the vault's HSM keys: make it with `domain new --hsm-from DIR`, where DIR is \
         the domain that the vault has"
    )]
    OtherWrappingKey,
    /// There is no key for the tokens.
    #[error("the domain has no key for an HSM: make it with `--hsm`, or name no token")]
    NoWrappingKey,
}

impl NotActivated {
    pub(super) fn path(name: &str, kind: &str) -> Self {
        Self::Path(format!("{name}:{kind}"))
    }
}

/// Reads a policy in JSON, as it stands in requests.
pub type PolicyReader<'a> = &'a (dyn Fn(&[u8]) -> Result<PolicyDocument, String> + Send + Sync);

/// What was checked.
struct Checked {
    record: ActivationRecord,
    policy: PolicyDocument,
    keys: WorkingKeys,
}

impl Instance {
    /// Activates a vault that waits, and opens it.
    pub async fn activate_domain(
        &self,
        name: &str,
        new: DomainActivation,
        read: PolicyReader<'_>,
        at: Moment,
    ) -> Result<VaultSummary, OperateError> {
        let _one_at_a_time = self.operating.lock().await;
        let waiting = self.waiting(name)?;
        let Checked { record, policy, keys } = self.checked(&waiting.info, &new.domain, read)?;
        let tokens = self.tokens_of(waiting.info.kind, &new.tokens, &keys)?;
        let paths = new.paths.iter().map(|path| self.its_path(path)).collect::<Result<Vec<_>, _>>()?;
        if let Some(path) = paths.iter().find(|path| !record.allows(path.name(), path.kind())) {
            return Err(NotActivated::path(path.name(), path.kind()).into());
        }
        let (public, activation, purge_protection) = (record.domain_public, record.digest(), record.purge_protection);
        let rows = vec![(Kind::Activation, new.domain.record), (Kind::SecurityDomain, new.domain.security_domain)];
        let domain = Domain::Custodians(Custodians { public, keys, activation, paths, rows });
        self.begin(&waiting, domain, (policy, purge_protection), tokens, at).await
    }

    /// Makes a vault that waits active, in the custody of whose the domain is, and opens it.
    pub(super) async fn begin(
        &self,
        waiting: &Vault,
        domain: Domain<'_>,
        (policy, purge_protection): (PolicyDocument, bool),
        tokens: &[String],
        at: Moment,
    ) -> Result<VaultSummary, OperateError> {
        let (custody, activation) = match &domain {
            Domain::Here(_) => (CUSTODY, None),
            Domain::Custodians(given) => (QUORUM, Some(given.activation)),
        };
        let rows = self.parts.store.vaults().await.map_err(Refusal::from)?;
        let mut row = rows.into_iter().find(|row| row.id == waiting.info.id).ok_or(OperateError::Damaged)?;
        row.status = VaultStatus::Active;
        custody.clone_into(&mut row.custody);
        let vault = self.vault_of(&row);
        let (root, changes) = birth::birth(&vault, domain, policy, purge_protection, tokens, at).await?;
        let first = self.first(&vault, purge_protection, activation)?;
        let (operation, make) = self.vault_record(&vault, Action::VaultActivated, first, at, digest(&changes));
        let slot = self.parts.journal.reserve()?;
        let committed = self.parts.store.activate(vault.info.id, custody, changes, make).await?;
        self.transfers.forget(vault.info.id);
        self.look_at_custodians(&vault).await;
        self.register(Arc::clone(&vault));
        self.append(slot, operation, &committed.record).await?;
        let open = opening::open(&vault, &root.into(), VaultStatus::Active, at).await?;
        vault.set_open(open, at);
        self.note(Action::VaultActivated, vault.info.id, at).await?;
        Ok(summary(&vault))
    }

    fn checked(&self, vault: &VaultInfo, new: &DomainFiles, read: PolicyReader<'_>) -> Result<Checked, NotActivated> {
        let (record, keys) = self.agreeing(vault, new)?;
        let policy = read(record.policy.to_string().as_bytes()).map_err(NotActivated::Policy)?;
        Ok(Checked { record, policy, keys })
    }

    /// The record and the keys that were sent along, if all of it is of this vault and belongs together.
    pub(super) fn agreeing(
        &self,
        vault: &VaultInfo,
        new: &DomainFiles,
    ) -> Result<(ActivationRecord, WorkingKeys), NotActivated> {
        let record = ActivationRecord::parse(&new.record).map_err(NotActivated::Record)?;
        of_this_vault(vault, &record)?;
        let file = |what| move |why| NotActivated::File { what, why };
        let domain = SecurityDomain::parse(&new.security_domain).map_err(file("security domain"))?;
        if !record.is_of(&new.security_domain) || !record.agrees_with(&domain) {
            return Err(NotActivated::OtherDomain);
        }
        let blob = RestoreBlob::parse(&new.transfer).map_err(file("keys that were sent along"))?;
        let keys = self.received(vault.id, &blob)?;
        // The domain is born with this vault, or the vault adopts it with its id: the record's digest is over that, too.
        if keys.digest() != record.working_keys {
            return Err(NotActivated::OtherKeys);
        }
        Ok((record, keys))
    }

    fn received(&self, vault: VaultId, blob: &RestoreBlob) -> Result<WorkingKeys, NotActivated> {
        let transfer = self.transfers.of(vault).ok_or(NotActivated::NoTransferKey)?;
        match receive(blob, &transfer.certificate.thumbprint(), &transfer.key).map_err(NotActivated::NotReceived)? {
            Restored::Working(keys) => Ok(keys),
            Restored::Domain(_) => Err(NotActivated::PrivateKey),
        }
    }

    fn tokens_of<'a>(
        &self,
        kind: VaultKind,
        tokens: &'a [String],
        keys: &WorkingKeys,
    ) -> Result<&'a [String], OperateError> {
        if tokens.is_empty() && kind == VaultKind::Vault {
            return Ok(tokens);
        }
        self.known_tokens(tokens)?;
        if keys.wrapping.is_none() {
            return Err(NotActivated::NoWrappingKey.into());
        }
        Ok(tokens)
    }
}

fn of_this_vault(vault: &VaultInfo, record: &ActivationRecord) -> Result<(), NotActivated> {
    let members = [
        ("vault id", record.vault == vault.id),
        ("name", record.name == vault.name),
        ("kind", record.kind == vault.kind),
        ("list of authorities", record.authorities == vault.authorities),
        ("tenant", record.tenant == vault.tenant),
        ("retention", record.retention_days == vault.retention_days),
    ];
    match members.into_iter().find(|(_, same)| !same) {
        Some((what, _)) => Err(NotActivated::Differs(what)),
        None => Ok(()),
    }
}
