//! Whether what custodians agreed to may yet be done, where it was not done at once. Their answers are kept only for
//! that: shares that open nothing, or whose vault is damaged, are forgotten.

use crate::error::{Refusal, TurnedAway};
use crate::operate::OperateError;

/// Whether the same shares may do what failed for this reason, before their challenge expires and without a restart.
pub(super) const fn may_yet_succeed(why: &OperateError) -> bool {
    match why {
        OperateError::Refused(why) => passes(why),
        OperateError::TurnedAway(why) => comes_again(*why),
        // A token is connected again, a file put back, a rotation or a job ends, a vault is opened.
        OperateError::Path(_)
        | OperateError::PathFailed { .. }
        | OperateError::NotProven { .. }
        | OperateError::NoPathOpens { .. }
        | OperateError::Rotating { .. }
        | OperateError::JobsRunning
        | OperateError::WrongState { .. }
        | OperateError::Closed { .. }
        | OperateError::Kept { .. } => true,
        // What the shares open, or what the store holds, is not what it should be.
        OperateError::Domain(_)
        | OperateError::Damaged
        | OperateError::Altered { .. }
        | OperateError::Outbox { .. }
        | OperateError::RowDamaged { .. }
        | OperateError::Policy(_)
        // What was asked for cannot be done: something else is to be asked.
        | OperateError::NotActivated(_)
        | OperateError::NotReplaced(_)
        | OperateError::NotAppointed { .. }
        | OperateError::NotAClient
        | OperateError::NotAsked { .. }
        | OperateError::AskedElse { .. }
        | OperateError::NoCustodians { .. }
        | OperateError::WithCustodians
        | OperateError::AwaitsQuorum { .. }
        | OperateError::AwaitsActivation
        | OperateError::Confirmation { .. }
        // Another configuration is read by another process, which has no shares.
        | OperateError::NoPath { .. }
        | OperateError::UnknownPath { .. }
        | OperateError::UnknownToken { .. }
        | OperateError::OtherClass { .. }
        | OperateError::NoTokens
        | OperateError::NoHsm
        // Not about custodians.
        | OperateError::UnknownVault { .. }
        | OperateError::Exists
        | OperateError::BadName
        | OperateError::BadRetention
        | OperateError::NoAuthority
        | OperateError::NotItsPath { .. }
        | OperateError::PathExists { .. }
        | OperateError::PathNotAllowed { .. }
        | OperateError::PathRemovedBefore { .. }
        | OperateError::LastPath { .. }
        | OperateError::NoOtherPath { .. }
        | OperateError::PurgeProtected { .. } => false,
    }
}

/// Store, token or somebody else's change stood in the way.
const fn passes(why: &Refusal) -> bool {
    match why {
        Refusal::Busy
        | Refusal::Deadline
        | Refusal::StoreFull
        | Refusal::Unavailable
        | Refusal::Conflict
        | Refusal::HsmAway(_) => true,
        Refusal::Denied(_)
        | Refusal::KeyNotFound { .. }
        | Refusal::DeletedKeyNotFound { .. }
        | Refusal::NameReserved { .. }
        | Refusal::NameTaken { .. }
        | Refusal::PurgeProtected
        | Refusal::BadImport(_)
        | Refusal::BadBackup(_)
        | Refusal::Backup(_)
        | Refusal::Domain(_)
        | Refusal::BadRotationPolicy { .. }
        | Refusal::BadRelease(_)
        | Refusal::KeyDisabled { .. }
        | Refusal::KeyExpired { .. }
        | Refusal::KeyNotYetValid { .. }
        | Refusal::OperationNotPermitted { .. }
        | Refusal::WrongAlgorithm { .. }
        | Refusal::BadLength { .. }
        | Refusal::DecryptFailed
        | Refusal::BadOperations { .. }
        | Refusal::ImportAlone
        | Refusal::ImportSettled
        | Refusal::NoHsm
        | Refusal::HsmCannot { .. }
        | Refusal::Hsm(_)
        | Refusal::BadDates
        | Refusal::OverBound { .. }
        | Refusal::UsesExhausted
        | Refusal::Damaged
        | Refusal::BadPageToken
        | Refusal::UnknownLog
        | Refusal::Role(_)
        | Refusal::SettingNotFound { .. }
        | Refusal::NotInPolicy { .. }
        | Refusal::PolicyRefused(_)
        | Refusal::ClockMoved
        | Refusal::Approval(_)
        | Refusal::Fault => false,
    }
}

const fn comes_again(why: TurnedAway) -> bool {
    match why {
        TurnedAway::JournalFull
        | TurnedAway::OutcomeUnknown
        | TurnedAway::Busy
        | TurnedAway::Throttled { .. }
        | TurnedAway::Sealed => true,
        // The shares are not there after the restart that these need.
        TurnedAway::JournalDown | TurnedAway::Stopping | TurnedAway::Inactive { .. } | TurnedAway::Deleted => false,
    }
}
