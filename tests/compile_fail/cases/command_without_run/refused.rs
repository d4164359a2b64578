// refused with: E0599|E0603|E0624
#![allow(unused)]
use keystead_engine::{Sign, Vault};
use keystead_identity::Caller;
use keystead_model::{Action, Moment, Target};
use std::sync::Arc;

pub async fn sign(vault: Arc<Vault>, caller: Caller, ask: Sign, at: Moment) {
    let _ = (caller, at, vault, ask.execute().await);
}
