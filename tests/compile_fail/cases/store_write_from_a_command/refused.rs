// refused with: E0603|E0616
#![allow(unused)]
use keystead_engine::Vault;
use std::sync::Arc;

pub async fn write(vault: Arc<Vault>) {
    let _ = vault.store.outbox().await;
}
