// refused with: E0277|E0603
#![allow(unused)]
use keystead_access::{Ask, Permit};
use keystead_engine::{GetKey, Sign, Vault};
use keystead_identity::Caller;
use keystead_model::{Action, Moment, Target};
use std::sync::Arc;

pub struct Mine;
impl Ask for Mine {
    const ACTION: Action = Action::Sign;
    fn target(&self) -> Target { Target::Vault }
}
pub async fn run(vault: Arc<Vault>, caller: Caller, get: GetKey, at: Moment) {
    let _ = (get, vault.run(caller, Mine, at).await);
}
