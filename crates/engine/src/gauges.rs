//! How full the node is, for its operator: numbers only, no names.

use crate::node::Instance;
use crate::vault::{State, Vault};
use keystead_model::{VaultId, VaultKind};
use keystead_protection::{Figures, Token, TokenState, Tokens};
use keystead_store::Store;
use std::time::Duration;

/// What is held in memory now, and what waits.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Gauges {
    /// Vaults that are open.
    pub open: usize,
    /// Vaults that are sealed.
    pub sealed: usize,
    /// Vaults that wait for something to be configured.
    pub inactive: usize,
    /// Vaults that are deleted.
    pub deleted: usize,
    /// Opened keys over all vaults.
    pub keys: usize,
    /// Remembered tokens over all vaults.
    pub tokens: usize,
    /// Jobs that wait for the cipher pool.
    pub waiting: usize,
    /// Open vaults in which the clock is doubted.
    pub doubted: usize,
}

/// How a token of the node is, and what was counted since the start.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TokenHealth {
    /// Its name in the configuration.
    pub name: String,
    /// One of [`TokenHealth::STATES`].
    pub state: &'static str,
    /// Why it does not answer, and what helps.
    pub reason: Option<String>,
    /// Calls of its worker.
    pub figures: Figures,
}

impl TokenHealth {
    /// What a token can be.
    pub const STATES: [&'static str; 4] = ["starting", "ready", "down", "refused"];

    fn of(token: &Token) -> Self {
        let (state, reason) = match token.state() {
            TokenState::Starting => ("starting", None),
            TokenState::Ready => ("ready", None),
            TokenState::Down { why, .. } => ("down", Some(why.to_string())),
            TokenState::Refused => {
                ("refused", Some("it refused the PIN: correct its file, then start the server again".to_owned()))
            }
        };
        Self { name: token.name().to_owned(), state, reason, figures: token.figures() }
    }
}

/// How long the store may take to answer the question whether it does.
const PATIENCE: Duration = Duration::from_secs(2);

impl Instance {
    /// How full it is.
    pub fn gauges(&self) -> Gauges {
        let mut all = Gauges { waiting: self.protection().waiting(), doubted: self.doubted(), ..Gauges::default() };
        self.each(|vault| {
            let state = match vault.state() {
                State::Open(open) => {
                    let (keys, tokens) = open.held();
                    all.keys = all.keys.saturating_add(keys);
                    all.tokens = all.tokens.saturating_add(tokens);
                    &mut all.open
                }
                State::Sealed => &mut all.sealed,
                State::Inactive { .. } => &mut all.inactive,
                State::Deleted => &mut all.deleted,
            };
            *state = state.saturating_add(1);
        });
        all
    }

    /// How each configured token is, by name.
    pub fn tokens(&self) -> Vec<TokenHealth> {
        self.hsms().each().map(TokenHealth::of).collect()
    }

    /// Whether the store answers.
    pub async fn store_answers(&self) -> bool {
        answers(self.store()).await
    }

    /// Records of each log: the node's own, and each vault's.
    pub fn log_sizes(&self) -> Vec<(VaultId, u64)> {
        self.journal().logs().into_iter().map(|log| (log, self.journal().size(log))).collect()
    }
}

impl Vault {
    /// Whether nothing of it can be used because none of its HSM's tokens answers. Software keys need none.
    pub fn lacks_its_hsm(&self) -> bool {
        let State::Open(open) = self.state() else { return false };
        self.info.kind == VaultKind::Hsm && !open.protection.tokens().is_ok_and(Tokens::are_there)
    }

    /// Whether its store answers.
    pub async fn store_answers(&self) -> bool {
        answers(&self.store).await
    }
}

/// One row is read: the instance's id.
async fn answers(store: &Store) -> bool {
    matches!(tokio::time::timeout(PATIENCE, store.meta_get("instance")).await, Ok(Ok(_)))
}
