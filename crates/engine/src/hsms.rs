//! The tokens that this node is configured with. Which of them serve a vault stands in the vault's sealed records: the
//! configuration says what a node can reach, never what a vault believes.

use crate::records::HsmRecord;
use keystead_model::{Placement, VaultId};
use keystead_protection::{Protection, Token, Tokens};
use std::collections::BTreeMap;
use std::sync::Arc;

/// Tokens by name. Cheap to clone.
#[derive(Clone, Default)]
pub struct Hsms(Arc<BTreeMap<String, (Token, Placement)>>);

impl Hsms {
    /// These tokens, each with the placement that new keys get.
    pub fn new(tokens: impl IntoIterator<Item = (Token, Placement)>) -> Self {
        Self(Arc::new(
            tokens.into_iter().map(|(token, placement)| (token.name().to_owned(), (token, placement))).collect(),
        ))
    }

    /// The names of all.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.0.keys().map(String::as_str)
    }

    /// All of them.
    pub fn each(&self) -> impl Iterator<Item = &Token> {
        self.0.values().map(|(token, _)| token)
    }

    /// Whether there is a token of this name.
    pub(crate) fn has(&self, name: &str) -> bool {
        self.0.contains_key(name)
    }

    /// The tokens that this vault names and this node has. The first decides where new keys go.
    pub(crate) fn tokens(&self, vault: VaultId, hsm: &HsmRecord) -> Option<Tokens> {
        let found: Vec<_> = hsm.tokens.iter().filter_map(|name| self.0.get(name)).collect();
        let (_, placement) = found.first()?;
        let clients = found.iter().map(|(token, _)| token.clone()).collect();
        Some(Tokens::new(clients, *vault.as_bytes(), hsm.wrapping, *placement))
    }

    /// All of them, to take out what an erased vault left: which it named is no longer known.
    pub(crate) fn of_erased(&self, vault: VaultId) -> Option<Tokens> {
        let (_, placement) = self.0.values().next()?;
        Some(Tokens::new(self.each().cloned().collect(), *vault.as_bytes(), [0; 16], *placement))
    }

    /// Where the keys of this vault with this HSM are.
    pub(crate) fn protection(&self, vault: VaultId, software: &Protection, hsm: Option<&HsmRecord>) -> Protection {
        software.clone().with_tokens(hsm.and_then(|hsm| self.tokens(vault, hsm)))
    }
}
