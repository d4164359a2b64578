//! The two ways not to succeed: refused after the decision (with a receipt), or turned away before it (counted).

use crate::admission::Bound;
use crate::approvals::ApprovalError;
use crate::backup::BackupError;
use crate::records::key_backup::BadBackup;
use crate::security_domain::SecurityDomainError;
use keystead_access::{BadPolicy, Denial, NotChanged};
use keystead_audit::{JournalDown, Outcome, TooManyFacts};
use keystead_crypto::sealed::OpenFailed;
use keystead_model::{KeySpec, Name, Version};
use keystead_protection::{BadKey, ImportError, KeyError};
use keystead_store::{CommitError, Unavailable};
use thiserror::Error;

/// Why a command that reached the decision did not succeed. It leaves a record and a receipt. Closed: each protocol
/// maps it to its own codes with one `match`.
#[derive(Debug, Clone, Error)]
pub enum Refusal {
    /// No role, ground or mandate allows it.
    #[error("the caller is not authorised for this action on this target")]
    Denied(Box<Denial>),
    /// There is no such key or version.
    #[error("there is no such key or key version")]
    KeyNotFound {
        /// As asked.
        name: Name,
        /// As asked.
        version: Option<Version>,
    },
    /// There is no such deleted key.
    #[error("there is no such deleted key")]
    DeletedKeyNotFound {
        /// As asked.
        name: Name,
    },
    /// A deleted key holds the name: recover or purge it first.
    #[error("a deleted but recoverable key holds this name: recover or purge it")]
    NameReserved {
        /// As asked.
        name: Name,
    },
    /// A key has the name under which another is to be restored.
    #[error("a key of this name exists: delete and purge it first")]
    NameTaken {
        /// As asked.
        name: Name,
    },
    /// The vault keeps deleted keys until their retention has passed.
    #[error("purge protection is enabled for this vault: the key is purged by itself when its retention has passed")]
    PurgeProtected,
    /// A key that was made elsewhere is not taken.
    #[error("the key is not imported: {0}")]
    BadImport(BadKey),
    /// A backup is not restored, or not made.
    #[error(transparent)]
    BadBackup(#[from] BadBackup),
    /// The whole vault is not backed up or restored.
    #[error(transparent)]
    Backup(#[from] BackupError),
    /// The security domain is not given out, or not adopted.
    #[error(transparent)]
    Domain(#[from] SecurityDomainError),
    /// A rotation policy out of bounds.
    #[error("the rotation policy is refused: {what}")]
    BadRotationPolicy {
        /// The bound, in words.
        what: &'static str,
    },
    /// What is asked about release does not go together.
    #[error(transparent)]
    BadRelease(#[from] BadRelease),
    /// Another change came first, repeatedly.
    #[error("another change of the same object came first: read it again and retry")]
    Conflict,
    /// The key version is disabled.
    #[error("the key version is disabled")]
    KeyDisabled {
        /// The operation, as the wire names it.
        op: &'static str,
    },
    /// Past its `exp`.
    #[error("the key version has expired")]
    KeyExpired {
        /// The operation, as the wire names it.
        op: &'static str,
    },
    /// Before its `nbf`.
    #[error("the key version is not yet valid")]
    KeyNotYetValid {
        /// The operation, as the wire names it.
        op: &'static str,
    },
    /// Not among its `key_ops`.
    #[error("the operation is not among the key's permitted operations")]
    OperationNotPermitted {
        /// The operation, as the wire names it.
        op: &'static str,
    },
    /// The algorithm belongs to another kind of key.
    #[error("the algorithm does not fit this kind of key")]
    WrongAlgorithm {
        /// As asked.
        alg: &'static str,
        /// What the key is.
        spec: KeySpec,
        /// Which key.
        name: Name,
        /// Which version.
        version: Version,
    },
    /// A value of a length the algorithm cannot take.
    #[error("'{what}' has a wrong length: {expected}")]
    BadLength {
        /// Which member.
        what: &'static str,
        /// What it must be.
        expected: String,
    },
    /// One answer for every failed decryption or unwrapping.
    #[error("decryption failed")]
    DecryptFailed,
    /// Operations this kind of key cannot have.
    #[error("key_ops holds an operation that this kind of key cannot have")]
    BadOperations {
        /// What the key is to be.
        spec: KeySpec,
    },
    /// `import` beside another operation.
    #[error("a key with the operation import can have no other")]
    ImportAlone,
    /// `import` given to a key that was made without it, or taken from one.
    #[error("a key has the operation import from the time it is made, or never")]
    ImportSettled,
    /// The vault has no HSM.
    #[error("the vault has no HSM")]
    NoHsm,
    /// No token of the vault answers, or none that can.
    #[error("no HSM of the vault serves this now: {0}")]
    HsmAway(KeyError),
    /// The token has no mechanism for it.
    #[error("the vault's HSM cannot do {what}")]
    HsmCannot {
        /// The algorithm or kind of key.
        what: &'static str,
    },
    /// What an HSM cannot give or take.
    #[error(transparent)]
    Hsm(KeyError),
    /// `exp` is not after `nbf`.
    #[error("exp must be later than nbf")]
    BadDates,
    /// A list or text over its bound.
    #[error("too many or too long: {what}")]
    OverBound {
        /// The bound, in words.
        what: &'static str,
    },
    /// An AES-GCM key version that reached 2^32 uses (NIST SP 800-38D, section 8.3): rotate the key.
    #[error("this key version has reached its number of AES-GCM uses: rotate the key")]
    UsesExhausted,
    /// Too much queued for the cipher pool or the store: retry after a moment.
    #[error("busy: retry after a moment")]
    Busy,
    /// The deadline passed before the work was done; nothing changed.
    #[error("the deadline passed; nothing was changed")]
    Deadline,
    /// The store's disk is full.
    #[error("the store's disk is full")]
    StoreFull,
    /// The store does not answer.
    #[error("the store is unavailable")]
    Unavailable,
    /// A stored record does not open or parse: `keystead audit verify` and the server's log say more.
    #[error("a stored record is damaged")]
    Damaged,
    /// A paging token of another list.
    #[error("the paging token does not belong to this list")]
    BadPageToken,
    /// The log is not one of this vault's on this node.
    #[error("there is no such log of this vault on this node")]
    UnknownLog,
    /// A role or an assignment that is not there, or a change of them that is not allowed.
    #[error(transparent)]
    Role(NotChanged),
    /// There is no such setting.
    #[error("there is no setting of this name")]
    SettingNotFound {
        /// As asked.
        name: String,
    },
    /// The policy names no such issuer, client, credential or certificate.
    #[error("the vault's policy has no such {what}")]
    NotInPolicy {
        /// What was asked for.
        what: &'static str,
    },
    /// The changed policy could not be one.
    #[error("the policy would be refused: {0}")]
    PolicyRefused(Box<BadPolicy>),
    /// An administrator named another time than the clock says.
    #[error(
        "the time that was named is more than an hour from what the node's clock says now: set the clock right if it \
         is wrong, then look at it again"
    )]
    ClockMoved,
    /// It needs approvals, or something is wrong with a proposal or a vote.
    #[error(transparent)]
    Approval(#[from] ApprovalError),
    /// A defect of ours; nothing changed.
    #[error("internal fault; nothing was changed")]
    Fault,
}

impl Refusal {
    /// The number in the audit record. Never reused.
    pub const fn outcome(&self) -> Outcome {
        Outcome(match self {
            Self::Denied(_) => 1,
            Self::KeyNotFound { .. } => 2,
            Self::DeletedKeyNotFound { .. } => 3,
            Self::NameReserved { .. } => 4,
            Self::Conflict => 5,
            Self::KeyDisabled { .. } => 6,
            Self::KeyExpired { .. } => 7,
            Self::KeyNotYetValid { .. } => 8,
            Self::OperationNotPermitted { .. } => 9,
            Self::WrongAlgorithm { .. } => 10,
            Self::BadLength { .. } => 11,
            Self::DecryptFailed => 12,
            Self::BadOperations { .. } => 13,
            Self::BadDates => 14,
            Self::OverBound { .. } => 15,
            Self::UsesExhausted => 16,
            Self::Busy => 17,
            Self::Deadline => 18,
            Self::StoreFull => 19,
            Self::Unavailable => 20,
            Self::Damaged => 21,
            Self::Fault => 22,
            Self::BadPageToken => 23,
            Self::UnknownLog => 24,
            Self::Role(why) => match why {
                NotChanged::RoleNotFound { .. } => 60,
                NotChanged::AssignmentNotFound { .. } => 61,
                NotChanged::AssignmentExists { .. } => 62,
                NotChanged::AssignmentFixed => 63,
                NotChanged::AdministratorsOnly => 64,
                NotChanged::AdministratorBelow => 65,
                NotChanged::LastAdministrator => 66,
                NotChanged::BuiltIn => 67,
                NotChanged::NameTaken => 68,
                // 69 was a definition in use: it goes with its assignments now.
                NotChanged::Beyond { .. } => 70,
                NotChanged::Role(_) => 71,
                NotChanged::Full { .. } => 72,
                NotChanged::Damaged(_) => 21,
            },
            Self::SettingNotFound { .. } => 73,
            Self::NotInPolicy { .. } => 74,
            Self::PolicyRefused(_) => 75,
            Self::ClockMoved => 80,
            Self::NameTaken { .. } => 30,
            Self::PurgeProtected => 31,
            Self::BadImport(_) => 32,
            Self::BadBackup(_) => 33,
            Self::BadRotationPolicy { .. } => 34,
            Self::BadRelease(_) => 35,
            Self::ImportAlone => 36,
            Self::ImportSettled => 37,
            Self::Domain(_) => 45,
            Self::Backup(_) => 50,
            Self::Approval(ApprovalError::Required { .. }) => 100,
            Self::Approval(_) => 101,
            Self::NoHsm => 90,
            Self::HsmAway(_) => 91,
            Self::HsmCannot { .. } => 92,
            Self::Hsm(_) => 93,
        })
    }
}

impl From<TooManyFacts> for Refusal {
    fn from(_: TooManyFacts) -> Self {
        Self::OverBound { what: "what the audit record must say of it" }
    }
}

impl From<Unavailable> for Refusal {
    fn from(_: Unavailable) -> Self {
        Self::Unavailable
    }
}

impl From<OpenFailed> for Refusal {
    fn from(_: OpenFailed) -> Self {
        Self::Damaged
    }
}

impl From<CommitError> for Refusal {
    fn from(e: CommitError) -> Self {
        match e {
            CommitError::Conflict | CommitError::Exists => Self::Conflict,
            CommitError::Busy => Self::Busy,
            CommitError::DiskFull => Self::StoreFull,
            _ => Self::Unavailable,
        }
    }
}

impl From<ImportError> for Refusal {
    fn from(e: ImportError) -> Self {
        match e {
            ImportError::Bad(why) => Self::BadImport(why),
            ImportError::Failed(why) => why.into(),
        }
    }
}

impl From<KeyError> for Refusal {
    fn from(e: KeyError) -> Self {
        match e {
            KeyError::Busy => Self::Busy,
            KeyError::Deadline => Self::Deadline,
            KeyError::DecryptFailed => Self::DecryptFailed,
            KeyError::Damaged => Self::Damaged,
            KeyError::BadLength { what, wanted, .. } => Self::BadLength { what, expected: format!("{wanted} bytes") },
            KeyError::NoToken => Self::NoHsm,
            KeyError::TokenAway | KeyError::NoWrappingKey | KeyError::NotInToken => Self::HsmAway(e),
            KeyError::TokenCannot { what } => Self::HsmCannot { what },
            KeyError::TokenFull | KeyError::BadWrappedKey | KeyError::KekElsewhere | KeyError::Resident => Self::Hsm(e),
            _ => Self::Fault,
        }
    }
}

/// Why a key cannot be exportable, or have this release policy.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum BadRelease {
    /// Exportable, to nobody in particular.
    #[error("an exportable key must have a release policy")]
    PolicyNeeded,
    /// A policy that could never hold.
    #[error("a key that is not exportable must not have a release policy")]
    NotExportable,
    /// The operation `export` of a key that stays.
    #[error("a key that is not exportable cannot have the operation export")]
    ExportOfNone,
    /// Whether a version is exportable is settled when it is made.
    #[error("whether a key version is exportable is settled when it is made: make a new version")]
    Settled,
    /// The policy was made immutable.
    #[error("the key's release policy is immutable and cannot be changed")]
    Immutable,
}

/// Turned away before a decision: no receipt, counted in the summaries.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum TurnedAway {
    /// Not yet activated.
    #[error("the vault is not activated: it waits for `{setting}`")]
    Inactive {
        /// The configuration setting that is missing.
        setting: &'static str,
    },
    /// Sealed.
    #[error("the vault is sealed")]
    Sealed,
    /// Deleted.
    #[error("the vault is deleted")]
    Deleted,
    /// No room for the record: make room on the journal's disk.
    #[error("the audit journal has no room left: make room on its disk")]
    JournalFull,
    /// The journal failed: the node is out of service until it is restarted.
    #[error("the audit journal failed: this node is out of service until it is restarted")]
    JournalDown,
    /// The store failed while it made a change: whether the change stands, with its record, is known after a restart.
    #[error("the store failed, and whether the change was made is not known: look before you repeat it")]
    OutcomeUnknown,
    /// More records on their way than the journal takes: retry after a moment.
    #[error("busy: retry after a moment")]
    Busy,
    /// Over a bound on requests: come again after so many seconds.
    #[error("{bound}: come again in {seconds} s")]
    Throttled {
        /// Which.
        bound: Bound,
        /// For `Retry-After`.
        seconds: u16,
    },
    /// The process is stopping.
    #[error("the server is stopping")]
    Stopping,
}

impl From<JournalDown> for TurnedAway {
    fn from(e: JournalDown) -> Self {
        match e {
            JournalDown::Full => Self::JournalFull,
            JournalDown::Busy => Self::Busy,
            JournalDown::Closed => Self::Stopping,
            _ => Self::JournalDown,
        }
    }
}
