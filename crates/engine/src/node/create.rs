//! A new vault.

use super::{CUSTODY, Instance, QUORUM, VaultSummary, summary};
use crate::birth::{Domain, birth};
use crate::opening;
use crate::operate::OperateError;
use crate::room::digest;
use keystead_access::PolicyDocument;
use keystead_model::{Action, Authority, Moment, Revision, VaultId, VaultKind, VaultStatus};
use keystead_store::{Changes, VaultRow};
use std::sync::Arc;

/// A vault to be created.
pub struct NewVault {
    /// 3 to 24 characters of a-z, 0-9 and -.
    pub name: String,
    /// What it holds.
    pub kind: VaultKind,
    /// Where it answers.
    pub authorities: Vec<Authority>,
    /// 7 to 90; fixed from then on.
    pub retention_days: u8,
    /// Whether nobody may purge before the retention has passed; fixed from then on.
    pub purge_protection: bool,
    /// The tenant its clients configure.
    pub tenant: String,
    /// The names of the tokens of its HSM, in the order in which they are asked. None: kind vault has software keys
    /// only, and kind hsm waits for its activation.
    pub tokens: Vec<String>,
    /// Its first policy.
    pub policy: PolicyDocument,
    /// Whether it waits for the domain of its custodians. They bring policy and purge protection; those here count for
    /// nothing.
    pub quorum: bool,
}

impl NewVault {
    /// Kind hsm without an HSM is there, and waits.
    const fn waits(&self) -> bool {
        self.quorum || (matches!(self.kind, VaultKind::Hsm) && self.tokens.is_empty())
    }

    fn row(&self, at: Moment) -> VaultRow {
        let (status, custody) = match (self.quorum, self.waits()) {
            // What it waits for is kept with it, so that nothing else activates it.
            (true, _) => (VaultStatus::Inactive, QUORUM),
            (false, true) => (VaultStatus::Inactive, "none"),
            (false, false) => (VaultStatus::Active, CUSTODY),
        };
        VaultRow {
            id: VaultId::from_bytes(keystead_crypto::random()),
            name: self.name.clone(),
            kind: self.kind,
            status,
            authorities: self.authorities.clone(),
            custody: custody.to_owned(),
            created: at.now,
            retention_days: self.retention_days,
            tenant: self.tenant.clone(),
            revision: Revision(0),
        }
    }
}

impl Instance {
    /// Creates a vault and, where a path to a root is configured, opens it. Kind hsm waits for its HSM.
    pub async fn create(&self, new: NewVault, at: Moment) -> Result<VaultSummary, OperateError> {
        check(&new)?;
        let _one_at_a_time = self.operating.lock().await;
        if !new.tokens.is_empty() {
            self.known_tokens(&new.tokens)?;
        }
        let row = new.row(at);
        let vault = self.vault_of(&row);
        let first = self.first(&vault, new.purge_protection, None)?;
        let (root, changes) = match new.waits() {
            true => (None, Changes::default()),
            false => {
                let path = self.birth_path()?;
                let (policy, purges, tokens) = (new.policy, new.purge_protection, &new.tokens);
                let (root, changes) = birth(&vault, Domain::Here(&*path), policy, purges, tokens, at).await?;
                (Some(root), changes)
            }
        };
        let (operation, make) = self.vault_record(&vault, Action::VaultCreated, first, at, digest(&changes));
        let slot = self.parts.journal.reserve()?;
        let committed = self.parts.store.create_vault(row, changes, make).await?;
        // It stands, whatever comes now: sealed, if it does not open.
        self.register(Arc::clone(&vault));
        self.append(slot, operation, &committed.record).await?;
        if let Some(root) = root {
            match opening::open(&vault, &root.into(), VaultStatus::Active, at).await {
                Ok(open) => vault.set_open(open, at),
                Err(e) => tracing::warn!(vault = %vault.info.name, "created, and sealed: {e}"),
            }
        }
        self.note(Action::VaultCreated, vault.info.id, at).await?;
        Ok(summary(&vault))
    }
}

fn check(new: &NewVault) -> Result<(), OperateError> {
    let name = new.name.as_bytes();
    let letter = name.first().is_some_and(u8::is_ascii_lowercase);
    let good = |b: &u8| b.is_ascii_lowercase() || b.is_ascii_digit() || *b == b'-';
    if !letter || !(3..=24).contains(&name.len()) || !name.iter().all(good) {
        return Err(OperateError::BadName);
    }
    if !(7..=90).contains(&new.retention_days) {
        return Err(OperateError::BadRetention);
    }
    if new.authorities.is_empty() {
        return Err(OperateError::NoAuthority);
    }
    Ok(())
}
