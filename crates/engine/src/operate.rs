//! Why an operator's command was not carried out.

use crate::error::{Refusal, TurnedAway};
use keystead_access::BadPolicy;
use keystead_audit::NotVouched;
use keystead_custody::PathError;
use keystead_model::OperationId;
use keystead_store::CommitError;
use thiserror::Error;

/// Why an operator's command was not carried out. Each says what to do.
#[derive(Debug, Error)]
pub enum OperateError {
    /// There is no such vault.
    #[error("there is no vault '{name}': `keystead vault list` shows those there are")]
    UnknownVault {
        /// As asked.
        name: String,
    },
    /// Name or authority in use.
    #[error("a vault of this name, or one that answers at one of these authorities, already exists")]
    Exists,
    /// Not a possible name.
    #[error("a vault's name has 3 to 24 characters of a-z, 0-9 and -, and starts with a letter")]
    BadName,
    /// Retention out of range.
    #[error("retention is 7 to 90 days")]
    BadRetention,
    /// It would answer nowhere.
    #[error("a vault needs at least one authority (host or host:port) to answer at")]
    NoAuthority,
    /// The policy cannot be one.
    #[error("the policy is refused: {0}")]
    Policy(BadPolicy),
    /// There is no such token in the node's configuration.
    #[error("no token '{name}' is configured: add it as `[[hsm]]`, or name one that is")]
    UnknownToken {
        /// As asked.
        name: String,
    },
    /// What the one wrapped, the other does not unwrap.
    #[error(
        "token '{name}' wraps keys in another way than the tokens that serve the vault, and would not open their keys: \
         name one of the same kind (`keystead hsm probe` shows the class)"
    )]
    OtherClass {
        /// The token's.
        name: String,
    },
    /// The vault has no HSM.
    #[error("the vault was made without an HSM")]
    NoHsm,
    /// The state does not allow it.
    #[error("the vault is {state}; this needs it to be {needed}")]
    WrongState {
        /// What it is.
        state: &'static str,
        /// What it must be.
        needed: &'static str,
    },
    /// Kind vault without a path to its root.
    #[error("no unseal path of kind '{custody}' is configured: set `custody.key_file`")]
    NoPath {
        /// The custody it needs.
        custody: String,
    },
    /// The path did not open.
    #[error("the unseal path did not open: {0}")]
    Path(PathError),
    /// Rows do not open or parse.
    #[error("the vault's stored records are damaged or belong to another root")]
    Damaged,
    /// Clear columns that are not what the vault sealed.
    #[error(
        "the vault's row in the database was changed from outside: its {what} is not what the vault sealed. It stays \
         sealed. Restore the store from a backup; where it is the status, `keystead vault seal` and then `unseal` serve"
    )]
    Altered {
        /// Which column.
        what: &'static str,
    },
    /// The outbox holds what this node did not write.
    #[error(
        "the record of operation {operation} in the store's outbox is not this node's: {why}. Nothing was appended. \
         The database was changed from outside, or this is another node's: keep it, and restore the store from a backup"
    )]
    Outbox {
        /// Of which operation it says it is.
        operation: OperationId,
        /// What is wrong with it.
        why: NotVouched,
    },
    /// The work failed.
    #[error(transparent)]
    Refused(#[from] Refusal),
    /// No record, no work.
    #[error(transparent)]
    TurnedAway(#[from] TurnedAway),
}

impl From<CommitError> for OperateError {
    fn from(e: CommitError) -> Self {
        match e {
            CommitError::Exists => Self::Exists,
            other => Self::Refused(other.into()),
        }
    }
}

impl From<keystead_audit::JournalDown> for OperateError {
    fn from(e: keystead_audit::JournalDown) -> Self {
        Self::TurnedAway(e.into())
    }
}
