// refused with: E0624
#![allow(unused)]
use keystead_engine::{RotateKey, Vault};
use keystead_identity::Caller;
use keystead_model::{Action, Moment, Target};
use std::sync::Arc;

pub async fn act(vault: Arc<Vault>, caller: Caller, mandate: keystead_access::Mandate, ask: RotateKey, at: Moment) {
    let _ = (caller, vault.run_as(keystead_access::Who::Mandate(mandate), ask, at).await);
}
