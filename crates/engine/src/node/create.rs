//! A new vault.

use super::{CUSTODY, Instance, QUORUM, VaultSummary, summary};
use crate::birth::{self, Domain};
use crate::opening;
use crate::operate::OperateError;
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

impl Instance {
    /// Creates a vault and, where a path to a root is configured, opens it. Kind hsm waits for its HSM.
    pub async fn create(&self, new: NewVault, at: Moment) -> Result<VaultSummary, OperateError> {
        check(&new)?;
        let _one_at_a_time = self.operating.lock().await;
        // Kind hsm without an HSM is there, and waits.
        let waits = new.quorum || (new.kind == VaultKind::Hsm && new.tokens.is_empty());
        if !new.tokens.is_empty() {
            self.known_tokens(&new.tokens)?;
        }
        let row = VaultRow {
            id: VaultId::from_bytes(keystead_crypto::random()),
            name: new.name,
            kind: new.kind,
            status: if waits { VaultStatus::Inactive } else { VaultStatus::Active },
            authorities: new.authorities,
            custody: match (new.quorum, waits) {
                // What it waits for is kept with it, so that nothing else activates it.
                (true, _) => QUORUM,
                (false, true) => "none",
                (false, false) => CUSTODY,
            }
            .to_owned(),
            created: at.now,
            retention_days: new.retention_days,
            tenant: new.tenant,
            revision: Revision(0),
        };
        let vault = self.vault_of(&row);
        let (root, changes) = if waits {
            (None, Changes::default())
        } else {
            let path = self.birth_path()?;
            let born =
                birth::birth(&vault, Domain::Here(&*path), new.policy, new.purge_protection, &new.tokens, at).await?;
            (Some(born.0), born.1)
        };
        let digest = crate::room::digest(&changes);
        let (operation, make) = self.vault_record(
            &vault,
            Action::VaultCreated,
            self.first(&vault, new.purge_protection, None)?,
            at,
            digest,
        );
        let slot = self.parts.journal.reserve()?;
        let committed = self.parts.store.create_vault(row, changes, make).await?;
        // It stands, whatever comes now: sealed, if it does not open.
        self.register(Arc::clone(&vault));
        self.append(slot, operation, &committed.record).await?;
        if let Some(root) = root {
            match opening::open(&vault, &root.into(), VaultStatus::Active, at).await {
                Ok(open) => {
                    vault.set_open(open, at);
                }
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
