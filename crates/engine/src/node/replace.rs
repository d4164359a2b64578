//! Other custodians for an open vault: the customer makes another domain, and the custodians there are agree on it by
//! their shares. The operator alone cannot: without their domain's private key nothing is changed.

use super::Instance;
use super::activate::{DomainFiles, NotActivated};
use super::confirm::stored_record;
use super::quorum::{Act, Asked};
use crate::error::Refusal;
use crate::operate::OperateError;
use crate::rotate::{OtherDomain, no_jobs};
use crate::vault::{Open, Vault};
use crate::wraps;
use keystead_custody::activation::ActivationRecord;
use keystead_custody::{WorkingKeys, WrappingKey};
use keystead_model::{Action, Moment};
use minicbor::bytes::{ByteArray, ByteSlice};
use std::sync::Arc;

/// What the customer made, checked.
pub(super) struct Replacement {
    record: ActivationRecord,
    keys: WorkingKeys,
    security_domain: Vec<u8>,
}

impl Replacement {
    pub(super) fn digest(&self) -> [u8; 32] {
        self.record.digest()
    }
}

impl Instance {
    /// Asks the custodians of an open vault whether those of this record replace them. What was given must agree, or
    /// nobody is asked.
    pub async fn ask_replacement(
        &self,
        name: &str,
        new: DomainFiles,
        again: bool,
        at: Moment,
    ) -> Result<Asked, OperateError> {
        let _one_at_a_time = self.operating.lock().await;
        let (vault, open) = self.replaceable(name)?;
        let (record, keys) = self.agreeing(&vault.info, &new).map_err(OperateError::NotReplaced)?;
        follows(&vault, &open, &record, &keys).map_err(OperateError::NotReplaced)?;
        names_paths(&vault, &open, &record).await?;
        no_jobs(&vault).await?;
        let new = Replacement { record, keys, security_domain: new.security_domain };
        self.ask(&vault, Act::Replace(Box::new(new)), again, at).await
    }

    /// An open vault whose custodians can be replaced.
    pub(super) fn replaceable(&self, name: &str) -> Result<(Arc<Vault>, Arc<Open>), OperateError> {
        let vault = self.of_custodians(name)?;
        let open = self.now_open(&vault)?;
        self.not_rotating(&open)?;
        Ok((vault, open))
    }

    /// The custodians with these numbers have agreed.
    pub(super) async fn replace_custodians(
        &self,
        vault: &Arc<Vault>,
        new: &Replacement,
        by: &[u8],
        at: Moment,
    ) -> Result<(), OperateError> {
        let (_, open) = self.replaceable(&vault.info.name)?;
        let before = stored_record(vault).await?;
        let Replacement { record, keys, security_domain } = new;
        // The operator may have added one since he asked.
        names_paths(vault, &open, record).await?;
        let (old, digest) = (ByteArray::from(before.digest()), ByteArray::from(record.digest()));
        let clear = minicbor::to_vec((old, digest, <&ByteSlice>::from(by))).map_err(|_| Refusal::Fault)?;
        let other = OtherDomain::of(vault, &open, &before, (record, keys), security_domain.clone()).await?;
        let room = self.room_for_one()?;
        self.change_domain(vault, &open, other, clear.clone(), at).await?;
        self.transfers.forget(vault.info.id);
        self.ask_nothing(vault.info.id);
        self.look_at_custodians(vault).await;
        tracing::info!(vault = %vault.info.name, "its custodians were replaced");
        self.write_in(room, Action::CustodiansReplaced, vault.info.id, clear, at).await
    }
}

/// Whether the new custodians confirm each path that opens the vault besides them.
async fn names_paths(vault: &Vault, open: &Open, record: &ActivationRecord) -> Result<(), OperateError> {
    let (_, listed) = wraps::paths(vault, open, &open.seals().records).await?;
    match listed.paths.iter().find(|path| !record.allows(&path.name, &path.kind)) {
        Some(path) => Err(OperateError::NotReplaced(NotActivated::path(&path.name, &path.kind))),
        None => Ok(()),
    }
}

/// Whether the record goes on with the vault as it is, and its domain is a new one.
fn follows(vault: &Vault, open: &Open, record: &ActivationRecord, keys: &WorkingKeys) -> Result<(), NotActivated> {
    if record.purge_protection != open.purge_protection {
        return Err(NotActivated::Differs("purge protection"));
    }
    // The vault keeps the policy that it has.
    if record.policy.as_object().is_none_or(|policy| !policy.is_empty()) {
        return Err(NotActivated::Differs("policy"));
    }
    if keys.domain == vault.info.id || keys.domain == open.domain {
        return Err(NotActivated::UsedDomain);
    }
    // What the tokens wrapped stays as it is. The id is made by the key: who names it has the key.
    let wrapping = keys.wrapping.as_ref().map(WrappingKey::id);
    match &open.hsm {
        Some(hsm) if wrapping != Some(hsm.wrapping) => Err(NotActivated::OtherWrappingKey),
        _ => Ok(()),
    }
}
