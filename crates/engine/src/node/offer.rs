//! What a vault that waits for a domain says of itself: its transfer key, made when it is asked for. The key is in
//! this memory alone, the same one until it was used or the process ends.

use super::Instance;
use crate::error::Refusal;
use crate::operate::OperateError;
use crate::security_domain::transfer::Transfer;
use crate::vault::{State, Vault};
use keystead_custody::activation::NodeIdentity;
use keystead_custody::offer::{Replacement, TransferOffer};
use keystead_model::{Action, Moment, VaultId};
use minicbor::bytes::ByteArray;
use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// An offer, as the operator takes it to the customer.
pub struct Offered {
    /// The file.
    pub file: Vec<u8>,
    /// What is compared: the words of the node that signed it.
    pub node_words: String,
}

/// Those of vaults that wait.
#[derive(Default)]
pub(super) struct Transfers(Mutex<HashMap<VaultId, Arc<Transfer>>>);

impl Transfers {
    fn lock(&self) -> MutexGuard<'_, HashMap<VaultId, Arc<Transfer>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn of(&self, vault: VaultId) -> Option<Arc<Transfer>> {
        self.lock().get(&vault).cloned()
    }

    /// It was used.
    pub(super) fn forget(&self, vault: VaultId) {
        self.lock().remove(&vault);
    }
}

impl Instance {
    /// What an inactive vault tells its customer, signed by this node; with `replace`, what an open one does that is to
    /// get other custodians.
    pub async fn transfer_offer(&self, name: &str, replace: bool, at: Moment) -> Result<Offered, OperateError> {
        let _one_at_a_time = self.operating.lock().await;
        let (vault, replacement) = if replace {
            let (vault, open) = self.replaceable(name)?;
            (vault, Some(Replacement { purge_protection: open.purge_protection, hsm: open.hsm.is_some() }))
        } else {
            (self.waiting(name)?, None)
        };
        let transfer = match self.transfers.of(vault.info.id) {
            Some(transfer) => transfer,
            None => {
                let made = Transfer::make().await?;
                let thumbprint = ByteArray::from(made.certificate.thumbprint());
                let clear = minicbor::to_vec(thumbprint).map_err(|_| Refusal::Fault)?;
                self.write(Action::TransferKeyMade, vault.info.id, clear, at).await?;
                self.transfers.lock().insert(vault.info.id, Arc::clone(&made));
                made
            }
        };
        let offer = TransferOffer {
            vault: vault.info.id,
            name: vault.info.name.clone(),
            kind: vault.info.kind,
            authorities: vault.info.authorities.clone(),
            tenant: vault.info.tenant.clone(),
            retention_days: vault.info.retention_days,
            transfer_key: transfer.certificate.clone(),
            node: self.identity(),
            replacement,
        };
        Ok(Offered { file: offer.sign(self.journal().node_key()), node_words: offer.node.words() })
    }

    /// A vault that was not activated yet.
    pub(super) fn waiting(&self, name: &str) -> Result<Arc<Vault>, OperateError> {
        let vault = self.known(name)?;
        match vault.state() {
            State::Inactive { .. } => Ok(vault),
            state => Err(OperateError::WrongState { state: state.name(), needed: "inactive" }),
        }
    }

    /// Who this node is to custodians.
    pub(super) fn identity(&self) -> NodeIdentity {
        NodeIdentity { id: self.parts.node, key: self.journal().node_key().public() }
    }
}
