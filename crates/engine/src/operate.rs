//! Why an operator's command was not carried out.

use crate::approvals::ApprovalError;
use crate::error::{Refusal, TurnedAway};
use crate::node::{NotActivated, SharesView};
use keystead_access::BadPolicy;
use keystead_audit::NotVouched;
use keystead_custody::confirmation::BadConfirmation;
use keystead_custody::{DomainError, PathError};
use keystead_model::{Generation, ObjectId, OperationId, Time};
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
    /// A vault of kind hsm, for which nobody named any.
    #[error("a vault of kind hsm works in the tokens of an HSM, and none is named: name each (--hsm)")]
    NoTokens,
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
    /// It is sealed, and the command works on open vaults.
    #[error("the vault is sealed; this needs it to be open: {}", opening(name, shares.as_ref()))]
    Closed {
        /// The vault's.
        name: String,
        /// Of a vault of custodians.
        shares: Option<SharesView>,
    },
    /// Kind vault without a path to its root.
    #[error("no unseal path of kind '{custody}' is configured: set `custody.key_file`")]
    NoPath {
        /// The custody it needs.
        custody: String,
    },
    /// Several paths, none of which opened.
    #[error("none of the configured unseal paths opened the vault: {}", told(reasons))]
    NoPathOpens {
        /// Each path's name, and why it did not.
        reasons: Vec<(String, String)>,
    },
    /// The plain activation of a vault that its custodians activate.
    #[error("the vault waits for the domain of its custodians: `keystead vault activate NAME --domain DIR`")]
    AwaitsActivation,
    /// What custodians gave does not activate the vault.
    #[error("the vault is not activated, and waits as before: {0}")]
    NotActivated(#[from] NotActivated),
    /// What custodians gave does not replace them.
    #[error("the custodians are not replaced, and nothing was changed: {0}")]
    NotReplaced(NotActivated),
    /// Jobs that are bound to the domain.
    #[error("a backup or a restore of the vault is under way, and is bound to its domain: wait for its end")]
    JobsRunning,
    /// He could not come in.
    #[error(
        "nobody could sign in as the subject '{subject}' of the issuer '{issuer}' as the vault's policy stands: name a \
         subject of an issuer that it trusts, or have a new client of the vault's own made (`--client` and \
         `--secret-sha256`)"
    )]
    NotAppointed {
        /// Whose subject.
        issuer: String,
        /// Who was named.
        subject: String,
    },
    /// A client's id that is none, or is there.
    #[error("the client's id must be a GUID that no client of the vault has")]
    NotAClient,
    /// Nothing on the server opens it.
    #[error("its custodians open it: `keystead unseal {name}` shows what they have to do")]
    AwaitsQuorum {
        /// The vault's.
        name: String,
    },
    /// The vault has no custodians.
    #[error("the vault has custody '{custody}', and no custodians who could do that")]
    NoCustodians {
        /// Its custody.
        custody: String,
    },
    /// Only the custodians can do that.
    #[error(
        "that needs the private key of the vault's domain, which only its custodians have: ask them for their answers \
         (`keystead vault enrol` shows what they have to do)"
    )]
    WithCustodians,
    /// A confirmation that does not count.
    #[error("confirmation {at} of those given is refused, and none was stored: {why}")]
    Confirmation {
        /// Which, from 1.
        at: usize,
        /// Why.
        why: BadConfirmation,
    },
    /// No challenge is out, or it has expired.
    #[error("nobody is asked: `{ask}` makes a challenge, which the custodians answer")]
    NotAsked {
        /// What asks them.
        ask: &'static str,
    },
    /// Another challenge of the same sort is out.
    #[error(
        "the custodians are asked already, until {expires}, {what} ({}): finish that, or discard it with its answers \
         (--again)",
        answered(given)
    )]
    AskedElse {
        /// What they are asked.
        what: String,
        /// Who has answered.
        given: Vec<u8>,
        /// Until when it stands.
        expires: Time,
    },
    /// The shares are there, and the domain does not open.
    #[error("the quorum is there, and the vault stays sealed: {0}. The shares are forgotten; ask again")]
    Domain(DomainError),
    /// The shares are there, and what stood in the way may pass.
    #[error(
        "{why}. The shares of the custodians {} are kept until {expires}: run the command again without an \
         answer, and it goes on with them",
        numbers(shares)
    )]
    Kept {
        /// Whose.
        shares: Vec<u8>,
        /// From then on the custodians have to be asked again.
        expires: Time,
        /// What stood in the way.
        #[source]
        why: Box<Self>,
    },
    /// There is no such path in the node's configuration.
    #[error("no unseal path '{name}' is configured: add it as `[[path]]`, or name one that is")]
    UnknownPath {
        /// As asked.
        name: String,
    },
    /// The vault is not behind this path.
    #[error("the vault has no wrap of the unseal path '{name}': `keystead path list` shows its paths")]
    NotItsPath {
        /// The path's.
        name: String,
    },
    /// The vault is behind this path already.
    #[error("the vault has the unseal path '{name}' already")]
    PathExists {
        /// The path's.
        name: String,
    },
    /// The operator gives himself no way into a vault of custodians.
    #[error(
        "the vault is in the custody of its custodians, who did not confirm an unseal path '{name}': its policy must ask \
         for approvals of `path-addition` (`keystead approval rules`), and its approvers approve this one (`keystead path \
         add --propose REASON`)"
    )]
    PathNotAllowed {
        /// The path's.
        name: String,
    },
    /// What custodians confirmed counts once: another key may stand behind the name by now.
    #[error(
        "the unseal path '{name}' was removed from the vault before, and what the custodians confirmed counts once: \
         another key may stand behind the name now. Its policy must ask for approvals of `path-addition` (`keystead \
         approval rules`), and its approvers approve this one (`keystead path add --propose REASON`); or its \
         custodians are replaced by a record that names the path (`keystead vault replace-custodians`)"
    )]
    PathRemovedBefore {
        /// The path's.
        name: String,
    },
    /// Nothing else opens it.
    #[error("'{name}' is the last unseal path of a vault with custody `file`: add another one first")]
    LastPath {
        /// The path's.
        name: String,
    },
    /// Without it, nothing would open the vault as things are.
    #[error("'{name}' is not removed, because no other unseal path of the vault opened it: {}", told(reasons))]
    NoOtherPath {
        /// The path that was to go.
        name: String,
        /// Each other path's name, and why it did not open.
        reasons: Vec<(String, String)>,
    },
    /// The path did not do its part.
    #[error("the unseal path '{name}' failed: {cause}")]
    PathFailed {
        /// The path's.
        name: String,
        /// Why.
        #[source]
        cause: PathError,
    },
    /// What a path wrapped is not what it opens.
    #[error("what the unseal path '{name}' wrapped did not open to the same key; nothing was changed")]
    NotProven {
        /// The path's.
        name: String,
    },
    /// One thing at a time.
    #[error("the vault's root is being rotated from generation {} to {}: wait for its end (`keystead vault show`)", from.0, to.0)]
    Rotating {
        /// The generation that is replaced.
        from: Generation,
        /// The one that seals.
        to: Generation,
    },
    /// A rotation found a row that no generation opens.
    #[error(
        "a row of kind {kind} of the object {object} is damaged, and opens under no generation of the root: restore it \
         from a backup, or delete and purge its key; until then the generation before is kept"
    )]
    RowDamaged {
        /// The kind's code.
        kind: u8,
        /// Of which object.
        object: ObjectId,
    },
    /// Nobody may destroy keys before their time.
    #[error(
        "the vault has purge protection and {keys} keys: it is erased when the retention of the last deleted one has \
         passed"
    )]
    PurgeProtected {
        /// Live and deleted ones.
        keys: u64,
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

impl From<ApprovalError> for OperateError {
    fn from(e: ApprovalError) -> Self {
        Self::Refused(e.into())
    }
}

impl From<keystead_audit::JournalDown> for OperateError {
    fn from(e: keystead_audit::JournalDown) -> Self {
        Self::TurnedAway(e.into())
    }
}

/// Each path with why it did not open.
fn told(reasons: &[(String, String)]) -> String {
    let all: Vec<_> = reasons.iter().map(|(path, why)| format!("{path}: {why}")).collect();
    all.join("; ")
}

/// How a sealed vault is opened.
fn opening(name: &str, shares: Option<&SharesView>) -> String {
    match shares {
        Some(shares) => format!("its custodians open it (`keystead unseal {name}`). Of their shares {shares}"),
        None => format!("`keystead vault unseal {name}`"),
    }
}

fn answered(given: &[u8]) -> String {
    match given {
        [] => "nobody has answered".to_owned(),
        [one] => format!("custodian {one} has answered"),
        given => format!("the custodians {} have answered", numbers(given)),
    }
}

fn numbers(shares: &[u8]) -> String {
    let all: Vec<_> = shares.iter().map(u8::to_string).collect();
    all.join(", ")
}
